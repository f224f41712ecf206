"""Texts that may hold a diagram, read from files: each whole, or one a row of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from diagrams.parse import parse
from diagrams.requests.request_reading import Asked, read_request
from diagrams.scoring.taste import ScoredDiagram
from model_registry.errors import BadFile, UnknownName
from rows.columns import find
from rows.record import Record
from rows.table import read_table

MAX_FILE = 100_000_000  # bytes


@dataclass(frozen=True, slots=True)
class Source:
    """One text that may hold a diagram, and where it stands."""

    name: str  # the file, with the row's number where it is a table
    reply: str
    prompt: str | None = None

    @property
    def asked(self) -> Asked:
        """What was asked for, as far as the prompt tells."""
        return read_request(self.prompt or "")


def read_sources(
    paths: Sequence[Path],
    reply_column: str | None = None,
    prompt_column: str | None = None,
    request: str | None = None,
) -> list[Source]:
    """The texts of files: each whole, or one a row of a table; `request` is the prompt of others.

    Raises:
        BadFile: a file can't be read.
        UnknownName: a CSV file has no such column.
    """
    sources: list[Source] = []
    for path in paths:
        column = reply_column or _reply_column(path)
        if column is None:
            sources.append(Source(str(path), _read(path)))
        else:
            sources += _rows(path, column, prompt_column)
    return [source if source.prompt else replace(source, prompt=request) for source in sources]


def _reply_column(path: Path) -> str | None:
    """The column of replies of a table, by its usual names; None for a file that is no table."""
    if path.suffix.lower() not in (".csv", ".tsv", ".xlsx", ".parquet"):
        return None
    columns = read_table(path).columns
    found = find("reply", columns)
    if found is None:
        raise UnknownName(f"column of {path}", "reply", columns)
    return found


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE:
            raise BadFile(
                path, None, f"is larger than {MAX_FILE:,} bytes", f"{MAX_FILE:,}바이트보다 큽니다"
            )
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise BadFile.unreadable(path, error) from error


def _records(path: Path, *columns: str | None) -> tuple[Record, ...]:
    """The rows of a table that has these columns."""
    table = read_table(path)
    for column in columns:
        if column is not None and column not in table.columns:
            raise UnknownName(f"column of {path}", column, table.columns)
    return table.records


def _rows(path: Path, reply_column: str, prompt_column: str | None) -> list[Source]:
    return [
        Source(
            f"{path}:{number}",
            str(record.cells.get(reply_column) or ""),
            (str(record.cells.get(prompt_column) or "") or None) if prompt_column else None,
        )
        for number, record in enumerate(_records(path, reply_column, prompt_column), start=1)
    ]


def read_scored(path: Path) -> list[ScoredDiagram]:
    """A user's scored diagrams: a CSV file with the columns `diagram` and `score` (0 to 5).

    Raises:
        BadFile: a row has no diagram or no such score.
        UnknownName: a column is missing.
    """
    scored: list[ScoredDiagram] = []
    for record in _records(path, "diagram", "score"):
        diagram = parse(str(record.cells["diagram"] or "")).diagram
        try:
            score = float(record.cells["score"] or "")
        except ValueError:
            score = -1.0
        if not diagram.nodes or not 0 <= score <= 5:
            raise BadFile(
                path,
                record.line,
                "needs a diagram with nodes and a score from 0 to 5",
                "노드가 있는 다이어그램과 0~5점의 점수가 필요합니다",
            )
        scored.append((diagram, score))
    return scored
