"""Reads replies from any table: of one model, or of several in a column or a column each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluators.instructions.instruction_declarations import Declared, declared_by
from evaluators.tables.cell_values import NotFinite, Unreadable, read_cell
from evaluators.tables.column_words import words_of
from model_registry.errors import BadFile, OhloraError, UnknownName
from model_registry.language import text
from model_registry.records import Reply
from rows.columns import CHECKS, NAMES, find, fold, names_a
from rows.encoding import nfc, refuse_error_of_excel, refuse_mojibake, refuse_nul
from rows.record import Record, Table
from rows.table import read_table

_DESCRIBE = (
    "question", "input", "system", "history", "split", "model", "reference", "description",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReplyTable:
    """Replies in the order of the file, and how it was read.

    `models` names those whose replies stand in the file, in its order; none where it says nothing
    of models: all replies are one's then.
    """

    table: Table
    replies: tuple[Reply, ...]
    models: tuple[str, ...]
    columns: Mapping[str, Sequence[str]]  # role → names
    checks: Declared = field(default_factory=dict)  # declared for its prompts

    @property
    def unused(self) -> list[str]:
        """Columns that nothing was taken from."""
        taken = {name for names in self.columns.values() for name in names}
        return [name for name in self.table.columns if name not in taken]

    def words(self) -> str:
        """One line: the form, the columns taken and those that were not."""
        taken = ", ".join(f"{role}={'+'.join(names)}" for role, names in self.columns.items())
        parts = [self.table.format, self.table.encoding or "", taken]
        words = f"{self.table.path.name}: {', '.join(part for part in parts if part)}"
        if self.unused:
            words += text("; not used: ", "; 쓰지 않은 열: ") + ", ".join(self.unused)
        if self.table.unread:
            words += text("; not read: ", "; 읽지 않음: ") + ", ".join(
                f"{self.table.path.name}[{name}]" for name in self.table.unread
            )
        return words


def read_reply_table(
    path: Path | str,
    prompt_column: str | None = None,
    reply_columns: Sequence[str] = (),
    reference_column: str | None = None,
    model_column: str | None = None,
) -> ReplyTable:
    """The replies of a table. Columns that are not named are found by the names they have.

    Args:
        path: a file of any form that `rows.table` reads.
        prompt_column: whose cells were asked.
        reply_columns: one for the replies, or one for each model.
        reference_column: whose cells are right answers.
        model_column: who gave the reply of a row.

    Raises:
        BadFile: the file is missing, is no such table, a prompt is empty, or its Korean is broken.
        UnknownName: it has no such column.
    """
    table = read_table(path)
    prompt = _named(table, prompt_column) or find("question", table.columns)
    if prompt is None:
        raise UnknownName(f"column of {path}", "prompt", table.columns)
    reference = _named(table, reference_column)
    named = dict.fromkeys(_named(table, name) or "" for name in reply_columns)
    replies = list(named) or _reply_columns(table, [prompt, reference])
    wide = len(replies) > 1
    if wide and model_column:
        raise OhloraError(
            "Give --model-column, or a --reply-column for each model, not both.",
            "--model-column이나 모델마다의 --reply-column 가운데 하나만 쓰세요.",
        )
    model = None if wide else _named(table, model_column) or _model_column(table)
    found = tuple(_replies(table, prompt, replies, reference, model))
    refuse_mojibake(table.path, "\n".join(t for r in found for t in (r.prompt, r.reply)))
    models = tuple(dict.fromkeys(r.candidate for r in found)) if wide or model else ()
    columns = {"prompt": [prompt], "reply": replies}
    columns |= {"reference": [reference]} if reference else {}
    columns |= {"model": [model]} if model else {}
    columns |= {CHECKS: [CHECKS]} if CHECKS in table.columns else {}
    checks = declared_by(table.path, table.records, prompt) if CHECKS in columns else {}
    return ReplyTable(table, found, models, columns, checks)


def _named(table: Table, name: str | None) -> str | None:
    """The column that the user names, however it is written."""
    if name is None:
        return None
    by_name = {fold(column): column for column in reversed(table.columns)}
    column = nfc(name).strip() if nfc(name).strip() in table.columns else by_name.get(fold(name))
    if column is None:
        raise UnknownName(f"column of {table.path}", name, table.columns)
    return column


def _model_column(table: Table) -> str | None:
    name = find("model", table.columns)
    return name if name and any(_filled(r.cells.get(name)) for r in table.records) else None


def _reply_columns(table: Table, others: Sequence[str | None]) -> list[str]:
    """The column of replies; or those of several models, where no column is called so."""
    plain = find("reply", table.columns, others)
    if plain is not None:
        return [plain]
    rest = [name for name in table.columns if name not in others]
    called = [name for name in rest if _model_of(name) != name]
    called = [name for name in called if not _is_measure(table, name)]
    wide = called if len(called) > 1 else [n for n in rest if _holds_replies(table, n)]
    if len(wide) < 2:
        raise UnknownName(f"column of {table.path}", "reply", table.columns)
    return wide


def _model_of(column: str) -> str:
    """gemma of reply_gemma, gemma-reply or "gemma 답변"."""
    for word in NAMES["reply"]:
        for mark in "_- :/.":
            if column.lower().startswith(word + mark):
                return column[len(word) + 1 :].strip()
            if column.lower().endswith(mark + word):
                return column[: -len(word) - 1].strip()
    return column


#: What is measured of a reply: reply_length holds none.
_MEASURES = frozenset(
    ("tokens", "token", "length", "len", "chars", "words", "score", "grade", "time", "seconds",
     "latency", "길이", "글자", "토큰", "점수", "시간")
)  # fmt: skip


def _is_measure(table: Table, name: str) -> bool:
    """Amounts under a name that says what of a reply was measured."""
    measured = _MEASURES.intersection(words_of(_model_of(name)))
    return bool(measured) and not _holds_replies(table, name)


def _holds_replies(table: Table, name: str) -> bool:
    """Texts, and none that describes the row."""
    if any(names_a(role, name) for role in _DESCRIBE) or name.lower().startswith("unnamed:"):
        return False
    filled = [cell for record in table.records if _filled(cell := record.cells.get(name))]
    others = {fold(column) for column in table.columns if column != name}
    said = [cell for cell in filled if isinstance(cell, str) and _is_said(cell)]
    names = all(isinstance(cell, str) and fold(cell) in others for cell in filled)  # of a winner
    return bool(said) and 2 * len(said) >= len(filled) and not names


_NOT_SAID = re.compile(r"\d{4}[-./]\d{1,2}[-./]\d{1,2}(?:[T ][\d:.+Z]*)?|true|false|참|거짓", re.I)


def _is_said(cell: str) -> bool:
    """No amount (1.2s, 85점, 71 %, OOM), no date and no truth."""
    if _NOT_SAID.fullmatch(cell.strip()):
        return False
    try:
        read_cell(cell)
    except NotFinite:
        return False
    except Unreadable:
        return True
    return False


def _replies(
    table: Table, prompt: str, replies: Sequence[str], reference: str | None, model: str | None
) -> Iterator[Reply]:
    """Reply after reply; all models' replies to one prompt stand together in a wide table."""
    stem = table.path.stem
    for record in table.records:
        if not any(map(_filled, record.cells.values())):
            continue
        asked = _cell(table, record, prompt)
        if not asked.strip():
            raise BadFile(
                table.path, record.line, f"no text in {prompt}", f"{prompt}에 내용이 없습니다"
            )
        if model and not _filled(record.cells.get(model)):
            raise BadFile(
                table.path, record.line, f"no model in {model}", f"{model}에 모델이 없습니다"
            )
        has_reference = reference is not None and reference in record.cells
        for column in replies:
            who = _model_of(column) if len(replies) > 1 else stem
            yield Reply(
                case=stem,
                candidate=_cell(table, record, model).strip() if model else who,
                prompt=asked,
                reply=_cell(table, record, column),
                pass_="greedy",
                tuned=None,
                new_tokens=None,
                finish_reason="",
                reference=(_cell(table, record, reference or "") or None)
                if has_reference
                else None,
            )


def _filled(value: object) -> bool:
    return value is not None and bool(str(value).strip())


def _cell(table: Table, record: Record, name: str) -> str:
    if name not in record.cells:  # JSON lines alone: a cell of a table may be empty
        raise BadFile(
            table.path,
            record.line,
            f'no {name} stands here: write "" for an empty one',
            f'{name} 값이 없습니다. 빈 값이면 ""로 적으세요',
        )
    value = record.cells.get(name)
    if value is not None and not isinstance(value, str):
        raise BadFile(
            table.path,
            record.line,
            f"{name} must be text, not {value!r}",
            f"{name}은(는) 글자여야 합니다({value!r}은(는) 안 됩니다)",
        )
    refuse_nul(table.path, value or "", record.line or 1)
    refuse_error_of_excel(table.path, value or "", record.line)
    return nfc(value or "")
