"""What was read of the user's rows, what was left out and why: as words, and as a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from model_registry.language import text
from rows.overlap import apart, repeated
from rows.row import LINES_NAMED, LeftOut, Row, Rows, Source

EXAMPLES = 3

_DELIMITERS = {",": ("comma", "쉼표"), ";": ("semicolon", "세미콜론"), "\t": ("tab", "탭")}


def reason_words(out: LeftOut) -> str:
    """One line for what was left out: how many, what and why."""
    n, split = out.count, f"{out.split} " if out.split else ""
    words = {
        "no_answer": (f"{n} {split}rows without an answer", f"답변이 없는 {split}행 {n}개"),
        "blank_row": (f"{n} empty {split}rows", f"빈 {split}행 {n}개"),
        "unknown_split": (
            f"{n} rows of the split {out.detail}: name it train, valid or test",
            f"알 수 없는 분할 {out.detail}의 행 {n}개: train, valid, test 중 하나로 적으세요",
        ),
        "unanswered_turn": (f"{n} user turns without an answer", f"답변이 없는 사용자 차례 {n}개"),
        "unasked_turn": (f"{n} answers without a user turn", f"질문이 없는 답변 {n}개"),
        "tool_turn": (
            f"the rest of {n} {split}conversations from a tool's turn on",
            f"{split}대화 {n}개의 도구 호출 이후 부분",
        ),
        "not_text": (
            f"the rest of {n} {split}conversations from a turn that is no text on",
            f"{split}대화 {n}개의 글이 아닌 차례 이후 부분",
        ),
        "system_inside": (
            f"the rest of {n} {split}conversations from a system turn inside on",
            f"{split}대화 {n}개의 중간 시스템 차례 이후 부분",
        ),
        "asks_a_prompt": (
            f"{n} {split}rows that ask what a prompt asks (or nearly)",
            f"질문과 같거나 거의 같은 {split}행 {n}개",
        ),
        "asks_a_train_row_or_prompt": (
            f"{n} {split}rows that ask what a row tuned on or a prompt asks (or nearly)",
            f"학습 행이나 질문과 같거나 거의 같은 {split}행 {n}개",
        ),
        "asks_a_train_row": (
            f"{n} {split}rows that ask what a train row asks (or nearly)",
            f"학습 행과 같거나 거의 같은 {split}행 {n}개",
        ),
    }
    return text(*words[out.reason])


def left_out_words(out: LeftOut) -> str:
    """As `reason_words`, with the first lines."""
    lines = ", ".join(map(str, out.lines)) + ("…" if out.count > len(out.lines) else "")
    where = text(f" (lines {lines})", f" ({lines}번째 줄)") if out.lines else ""
    return text("left out: ", "제외: ") + reason_words(out) + where


def read_words(rows: Rows) -> list[str]:
    """Lines that say how the files were read, how many rows each split has, what was left out."""
    lines = [_source_words(source) for source in rows.sources]
    lines.append(text("rows: ", "행: ") + counts_words(rows))
    return [*lines, *warning_words(rows), *map(left_out_words, rows.left_out)]


def counts_words(rows: Rows) -> str:
    """train 200, valid 50."""
    return ", ".join(f"{split} {count}" for split, count in rows.counts().items()) or "0"


def warning_words(rows: Rows) -> Iterator[str]:
    """What a person should look at though it was read."""
    for source in rows.sources:
        if source.mojibake:
            yield _mojibake_words(source)
    if rows.ignored:
        names = ", ".join(rows.ignored)
        yield text(f"not read: {names}", f"읽지 않음: {names}")


def _mojibake_words(source: Source) -> str:
    count, lines = len(source.mojibake), ", ".join(map(str, source.mojibake[:LINES_NAMED]))
    return text(
        f"{source.path.name}: the Korean of {count} rows is broken (mojibake; lines {lines})",
        f"{source.path.name}: 한글이 깨진 행 {count}개 ({lines}번째 줄)",
    )


def _source_words(source: Source) -> str:
    parts = [source.format]
    if source.encoding:
        parts.append(source.encoding)
    if source.delimiter:
        parts.append(text(*_DELIMITERS.get(source.delimiter, (source.delimiter,) * 2)))
    words = f"{source.path.name}: {', '.join(parts)}"
    if source.columns:
        taken = ", ".join(f"{role}={name}" for role, name in source.columns.items())
        words += text(f"; columns {taken}", f"; 열 {taken}")
    if source.unused:
        words += text("; not used: ", "; 쓰지 않은 열: ") + ", ".join(source.unused)
    return words


def without_overlap(rows: Rows) -> tuple[Rows, list[LeftOut]]:
    """The rows without valid rows that ask what train rows ask, and all overlaps of splits."""
    train, valid, asked = (
        [row for row in rows.rows if row.split == s] for s in ("train", "valid", "test")
    )
    out = []
    for split, group in (("train", train), ("valid", valid)):
        out += overlapping(apart(group, asked)[1], "asks_a_prompt", split)
    keep, gone = apart(valid, train)
    out += overlapping(gone, "asks_a_train_row", "valid")
    return Rows((*train, *keep, *asked), rows.left_out, rows.sources, rows.ignored), out


def overlapping(rows: Sequence[Row], reason: str, split: str) -> list[LeftOut]:
    """Rows that are left out since they ask what others ask; none where there are none."""
    lines = tuple(row.line for row in rows[:LINES_NAMED] if row.line is not None)
    return [LeftOut(reason, len(rows), split, lines)] if rows else []


def document(rows: Rows) -> dict[str, Any]:
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


def _source_row(source: Source) -> dict[str, Any]:
    return {
        "path": str(source.path),
        "format": source.format,
        "encoding": source.encoding,
        "delimiter": source.delimiter,
        "columns": dict(source.columns),
        "unused_columns": list(source.unused),
        "mojibake_lines": list(source.mojibake),
    }


def _left_out_row(out: LeftOut) -> dict[str, Any]:
    return {
        "reason": out.reason,
        "count": out.count,
        "split": out.split,
        "lines": list(out.lines),
        "detail": out.detail,
    }


def _example(row: Row) -> dict[str, Any]:
    return {
        "split": row.split,
        "line": row.line,
        "messages": row.messages,
        "reply": row.reply,
    }
