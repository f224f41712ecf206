"""Reads training rows and prompts, by the names of their columns, from CSV, JSON lines or JSON.

Three forms are read: a CSV or JSON lines file with question and answer columns (`input_data` and
`output_data`, or `prompt` and `reply`; `data_type` may say train, valid or test), and a JSON list
of {"role", "content"} turns. Rows without an answer are left out of training, with a count.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluators.reply_table import decode
from model_registry.errors import BadFile

DATASETS = Path(__file__).resolve().parent.parent / "datasets"

_QUESTIONS = ("prompt", "input_data", "question", "instruction")
_ANSWERS = ("reply", "output_data", "answer", "output")
_SPLITS = ("data_type", "split")


@dataclass(frozen=True, slots=True)
class Row:
    """A question and the answer a model should learn."""

    prompt: str
    reply: str
    split: str = "train"
    #: What stands before the prompt: the system message and earlier turns, oldest first.
    before: tuple[Mapping[str, str], ...] = ()

    @property
    def messages(self) -> list[dict[str, str]]:
        """The conversation that the reply ends, as a chat template takes it."""
        return [*map(dict, self.before), {"role": "user", "content": self.prompt}]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a file in its order, and what was left out, by reason."""

    rows: tuple[Row, ...]
    left_out: dict[str, int] = field(default_factory=dict)

    def of(self, split: str) -> list[Row]:
        """The rows of one split that have an answer."""
        return [row for row in self.rows if row.split == split and row.reply]

    def hash(self) -> str:
        """Stands for the texts of all rows, so that results on other rows never compare."""
        return hash_texts(text for row in self.rows for text in _texts(row))


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


def read_rows(path: Path, split: str = "train") -> Rows:
    """Rows of one file; `split` is for files that name none.

    Raises:
        BadFile: the file is missing, empty, in no readable encoding, or has no such columns.
    """
    text = decode(path)
    if path.suffix == ".json":
        return _from_turns(path, text, split)
    entries = _json_lines(path, text) if path.suffix == ".jsonl" else _csv_rows(path, text)
    return _from_entries(path, entries, split)


def read_folder(folder: Path) -> Rows:
    """The rows of train.jsonl, valid.jsonl and test.jsonl in one folder, as one.

    Raises:
        BadFile: there is no train.jsonl, or one of them can't be read.
    """
    parts = [
        read_rows(folder / f"{split}.jsonl", split)
        for split in ("train", "valid", "test")
        if split == "train" or (folder / f"{split}.jsonl").exists()
    ]
    left_out: dict[str, int] = {}
    for part in parts:
        for reason, count in part.left_out.items():
            left_out[reason] = left_out.get(reason, 0) + count
    return Rows(tuple(row for part in parts for row in part.rows), left_out)


def read_data(path: Path) -> Rows:
    """Rows of a file, or of a folder of splits."""
    return read_folder(path) if path.is_dir() else read_rows(path)


def _json_lines(path: Path, text: str) -> list[tuple[int, dict[str, Any]]]:
    entries = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise BadFile(path, number, f"not JSON ({error})") from error
        if not isinstance(entry, dict):
            raise BadFile(path, number, "not an object with a prompt and a reply")
        entries.append((number, entry))
    return entries


def _csv_rows(path: Path, text: str) -> list[tuple[int, dict[str, Any]]]:
    # Strict: an unclosed quote would otherwise take the rest of the file for one cell.
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        # DictReader counts physical lines: a quoted answer may span several.
        return [(reader.line_num, dict(entry)) for entry in reader]
    except csv.Error as error:
        raise BadFile(path, reader.line_num, f"not a CSV ({error})") from error


def _from_entries(path: Path, entries: Sequence[tuple[int, dict[str, Any]]], split: str) -> Rows:
    if not entries:
        raise BadFile(path, None, "holds no rows")
    names = list(entries[0][1])
    question = _column(path, names, _QUESTIONS, "question")
    answer = _column(path, names, _ANSWERS, "answer")
    split_column = next((name for name in _SPLITS if name in names), None)
    rows: list[Row] = []
    left_out: dict[str, int] = {}
    for number, entry in entries:
        prompt, reply = (_cell(path, number, entry, name) for name in (question, answer))
        if not prompt:
            raise BadFile(path, number, f"no text in {question}")
        where = _cell(path, number, entry, split_column) if split_column else split
        if not reply:
            reason = f"{where or split} rows without an answer"
            left_out[reason] = left_out.get(reason, 0) + 1
        rows.append(Row(prompt, reply, where or split))
    return Rows(tuple(rows), left_out)


def _column(path: Path, names: Sequence[str], wanted: Sequence[str], what: str) -> str:
    for name in wanted:
        if name in names:
            return name
    there = ", ".join(name or "(unnamed)" for name in names)
    raise BadFile(
        path, 1, f"no {what} column: name it {' or '.join(wanted[:2])}; there are {there}"
    )


def _cell(path: Path, number: int, entry: dict[str, Any], name: str) -> str:
    value = entry.get(name)
    if value is not None and not isinstance(value, str):
        raise BadFile(path, number, f"{name} must be text, not {value!r}")
    return (value or "").strip()


def _from_turns(path: Path, text: str, split: str) -> Rows:
    """Each user turn with the turn that answers it; turns that pair with none are left out."""
    try:
        turns = json.loads(text)
    except ValueError as error:
        line = getattr(error, "lineno", None)
        raise BadFile(path, line, f"not JSON ({error})") from error
    if not isinstance(turns, list) or not all(
        isinstance(t, dict) and isinstance(t.get("content"), str) and "role" in t for t in turns
    ):
        raise BadFile(path, None, 'not a JSON list of {"role", "content"} turns')
    rows: list[Row] = []
    left_out: dict[str, int] = {}
    waiting: str | None = None
    for turn in [*turns, {"role": "user", "content": ""}]:
        if turn["role"] == "user":
            if waiting is not None:
                left_out["user turns without an answer"] = (
                    left_out.get("user turns without an answer", 0) + 1
                )
            waiting = turn["content"].strip() or None
        elif waiting is None:
            left_out["answers without a user turn"] = (
                left_out.get("answers without a user turn", 0) + 1
            )
        else:
            rows.append(Row(waiting, turn["content"].strip(), split))
            waiting = None
    return Rows(tuple(rows), left_out)
