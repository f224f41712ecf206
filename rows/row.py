"""A row: a conversation and the answer to learn; and all rows of a file."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

SPLITS = ("train", "valid", "test")
LINES_NAMED = 5  # of what was left out; its count says the rest


@dataclass(frozen=True, slots=True)
class Row:
    """A question and the answer a model should learn."""

    prompt: str
    reply: str
    split: str = "train"
    #: What stands before the prompt: the system message and earlier turns, oldest first.
    before: tuple[Mapping[str, str], ...] = ()
    #: Where it stands in its file, for messages; None where it was not read from lines.
    line: int | None = field(default=None, compare=False)
    #: What its record holds in the column `checks`, as it stands there.
    checks: object = field(default=None, compare=False)

    @property
    def messages(self) -> list[dict[str, str]]:
        """The conversation that the reply ends, as a chat template takes it."""
        return [*map(dict, self.before), {"role": "user", "content": self.prompt}]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Rows (or turns) that were not taken, by reason: a code of `rows.reading_report`."""

    reason: str
    count: int
    split: str = ""
    lines: tuple[int, ...] = ()  # the first few
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """How one file was read. `columns` maps roles to the columns taken."""

    path: Path
    format: str
    encoding: str | None
    delimiter: str | None
    columns: Mapping[str, str]
    unused: tuple[str, ...]  # columns that nothing was taken from
    mojibake: tuple[int, ...] = ()  # lines of rows whose Korean is broken


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows in the order of their files, what was left out, and how the files were read."""

    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...] = ()
    sources: tuple[Source, ...] = ()
    ignored: tuple[str, ...] = ()  # files of the folder that no rows were read from

    def of(self, split: str) -> list[Row]:
        """The rows of one split that have an answer."""
        return [row for row in self.rows if row.split == split and row.reply]

    def counts(self) -> dict[str, int]:
        """How many rows each split has, those without an answer included."""
        found = Counter(row.split for row in self.rows)
        return {split: found[split] for split in SPLITS if found[split]}

    def hash(self) -> str:
        """A hash of all rows' texts, so that results on other rows never compare."""
        return hash_texts(text for row in self.rows for text in _texts(row))

    def __add__(self, other: Rows) -> Rows:
        return Rows(
            self.rows + other.rows,
            merged(self.left_out + other.left_out),
            self.sources + other.sources,
            self.ignored + other.ignored,
        )


def merged(parts: Iterable[LeftOut]) -> tuple[LeftOut, ...]:
    """One for each reason, split and detail, in order of first appearance."""
    found: dict[tuple[str, str, str], LeftOut] = {}
    for part in parts:
        key = (part.reason, part.split, part.detail)
        before = found.get(key)
        found[key] = part if before is None else replace(
            before,
            count=before.count + part.count,
            lines=(before.lines + part.lines)[:LINES_NAMED],
        )  # fmt: skip
    return tuple(found.values())


def left_out(reason: str, line: int | None, split: str = "", detail: str = "") -> LeftOut:
    """One that was left out at a line."""
    return LeftOut(reason, 1, split, () if line is None else (line,), detail)


def _texts(row: Row) -> list[str]:
    """All texts of a row; one without earlier turns hashes as it did before there were any."""
    turns = [text for turn in row.before for text in (turn["role"], turn["content"])]
    return [row.split, *turns, row.prompt, row.reply]


def hash_texts(texts: Iterable[str]) -> str:
    """Twelve hexadecimal digits for a sequence of texts."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", errors="replace") + b"\0")
    return digest.hexdigest()[:12]
