"""Reports what was read of the user's rows and what was left out, as text and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model_registry.files.json_values import JsonDict
from model_registry.messages.notes import Note
from rows.overlap import repeated, split_overlapping
from rows.row import LINES_NAMED, LeftOut, Row, Rows, Source

EXAMPLES = 3


def left_out_note(out: LeftOut) -> Note:
    """What was left out: how many, what and why, with the first lines."""
    what = Note(out.reason, {"count": out.count, "split": out.split, "detail": out.detail})
    return Note("left_out", {"what": what, "at": {"lines": list(out.lines), "count": out.count}})


def read_notes(rows: Rows) -> list[Note]:
    """Notes on how the files were read, the rows of each split, what was left out."""
    notes = [_source_note(source) for source in rows.sources]
    notes.append(Note("rows_of_splits", {"counts": rows.counts()}))
    return [*notes, *warnings_of(rows), *map(left_out_note, rows.left_out)]


def warnings_of(rows: Rows) -> Iterator[Note]:
    """Warnings about rows that were read but deserve a look."""
    for source in rows.sources:
        if source.mojibake:
            count, lines = len(source.mojibake), list(source.mojibake[:LINES_NAMED])
            at = {"lines": lines, "count": count}
            yield Note("broken_korean", {"file": source.path.name, "count": count, "at": at})
    if rows.ignored:
        yield Note("files_not_read", {"files": list(rows.ignored)})


def _source_note(source: Source) -> Note:
    how = {
        "format": source.format,
        "encoding": source.encoding,
        "delimiter": source.delimiter,
        "columns": dict(source.columns),
        "unused": list(source.unused),
    }
    return Note("read_from", {"file": source.path.name, "how": how})


def without_overlap(rows: Rows) -> tuple[Rows, list[LeftOut]]:
    """The rows without valid rows that ask what train rows ask, and all overlaps of splits."""
    train, valid, asked = (
        [row for row in rows.rows if row.split == s] for s in ("train", "valid", "test")
    )
    out = []
    for split, group in (("train", train), ("valid", valid)):
        out += overlapping(split_overlapping(group, asked)[1], "asks_a_prompt", split)
    keep, gone = split_overlapping(valid, train)
    out += overlapping(gone, "asks_a_train_row", "valid")
    return Rows((*train, *keep, *asked), rows.left_out, rows.sources, rows.ignored), out


def overlapping(rows: Sequence[Row], reason: str, split: str) -> list[LeftOut]:
    """Rows that are left out since they ask what others ask; none where there are none."""
    lines = tuple(row.line for row in rows[:LINES_NAMED] if row.line is not None)
    return [LeftOut(reason, len(rows), split, lines)] if rows else []


def document(rows: Rows) -> JsonDict:
    """All that was understood of a file or folder, for `ohlora data --json`."""
    overlaps = without_overlap(rows)[1]
    again = repeated(rows.rows)
    return {
        "files": [_source_row(source) for source in rows.sources],
        "ignored": list(rows.ignored),
        "splits": rows.counts(),
        "left_out": [_left_out_row(out) for out in rows.left_out],
        "duplicates": {"count": len(again), "lines": [row.line for row in again[:LINES_NAMED]]},
        "overlaps": [_left_out_row(out) for out in overlaps],
        "mojibake": sum(len(source.mojibake) for source in rows.sources),
        "with_system": sum(any(t["role"] == "system" for t in r.before) for r in rows.rows),
        "with_earlier_turns": sum(any(t["role"] == "user" for t in r.before) for r in rows.rows),
        "examples": [_example(row) for row in rows.rows[:EXAMPLES]],
        "hash": rows.hash(),
    }


def _source_row(source: Source) -> dict[str, object]:
    return {
        "path": str(source.path),
        "format": source.format,
        "encoding": source.encoding,
        "delimiter": source.delimiter,
        "columns": dict(source.columns),
        "unused_columns": list(source.unused),
        "mojibake_lines": list(source.mojibake),
    }


def _left_out_row(out: LeftOut) -> dict[str, object]:
    return {
        "reason": out.reason,
        "count": out.count,
        "split": out.split,
        "lines": list(out.lines),
        "detail": out.detail,
    }


def _example(row: Row) -> dict[str, object]:
    return {
        "split": row.split,
        "line": row.line,
        "messages": row.messages,
        "reply": row.reply,
    }
