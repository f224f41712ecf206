"""Rows as training examples: token ids and labels, checked; long ones cut or dropped.

One declared policy says what becomes of a row that is longer than the contract's `max_length`:
"refuse" it before anything is loaded, "cut" its answer at the end (the end token stays), or "drop"
it for every candidate alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.study.contract import Contract
from benchmarks.workloads.packing import packed
from model_registry.candidate import PromptPolicy
from model_registry.errors import BadTrainingRow
from model_registry.language import Both
from model_registry.prompting.tokenization import (
    IGNORED,
    EncodedRow,
    check_rows,
    encode_all,
    end_token_id,
    row_name,
)
from rows.row import Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """What is tuned on, and what became of rows that were too long.

    `cut` are positions among `rows`; `dropped` are positions among the rows that were given.
    """

    rows: tuple[EncodedRow, ...]
    cut: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()


def encode_rows(
    policy: PromptPolicy,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Row],
    contract: Contract,
    split: str,
) -> EncodedRows:
    """Tokens and labels of rows under the contract's policy.

    Args:
        policy: how the candidate is asked.
        tokenizer: the candidate's.
        rows: with an answer each.
        contract: `max_length` and `too_long`.
        split: "train" or "valid", for messages.

    Raises:
        BadTrainingRow: a row would teach something wrong, is too long where that is refused, or
            its question alone is too long where answers are cut.
    """
    end = end_token_id(policy, tokenizer)
    names = [_name(row, number, split) for number, row in enumerate(rows, start=1)]
    whole = encode_all(policy, tokenizer, rows, names)
    check_rows(whole, end, names=names)
    most = contract.max_length
    long = [n for n, row in enumerate(whole) if len(row.input_ids) > most]
    if not long:
        return EncodedRows(tuple(whole))
    if contract.too_long == "drop" and len(long) == len(rows) and split == "train":
        raise none_left(len(rows), most)
    if contract.too_long == "drop":
        kept = tuple(row for row in whole if len(row.input_ids) <= most)
        return EncodedRows(kept, dropped=tuple(long))
    if contract.too_long == "cut":
        short = {n: _cut(whole[n], most, end, names[n]) for n in long}
        return EncodedRows(tuple(short.get(n, r) for n, r in enumerate(whole)), cut=tuple(long))
    raise _refused(names[long[0]], len(whole[long[0]].input_ids), most, len(long) - 1)


def as_trained(rows: Sequence[EncodedRow], contract: Contract) -> Sequence[EncodedRow]:
    """The rows that batches are made of: packed, where the contract says so."""
    return packed(rows, contract.max_length, contract.seed) if contract.packing else rows


def _name(row: Row, number: int, split: str) -> Both:
    """A row as messages call it: its number among those tuned on, and its line where known."""
    english, korean = (
        ("", "") if row.line is None else (f" (line {row.line})", f"({row.line}번째 줄)")
    )
    return row_name(number, split, english, korean)


def _cut(row: EncodedRow, most: int, end: int, name: Both) -> EncodedRow:
    """The row with its answer cut so that the end token still has room."""
    # Not all labels that are ignored: a template may write something behind the end token, too.
    asked = next((n for n, label in enumerate(row.labels) if label != IGNORED), len(row.labels))
    if asked + 2 > most:
        raise BadTrainingRow(
            f"{name[0]} leaves no room for an answer: its question alone has {asked} tokens of "
            f"{most}. Shorten it, raise max_length (--max-length), or leave such rows out "
            "(--too-long drop).",
            f"{name[1]}: 질문만 {asked}토큰이라 {most}토큰 안에 답변이 들어가지 않습니다. 질문을 "
            "줄이거나 max_length를 늘리거나(--max-length) 그런 행을 빼세요(--too-long drop).",
        )
    return EncodedRow((*row.input_ids[: most - 1], end), (*row.labels[: most - 1], end))


def none_left(count: int, most: int) -> BadTrainingRow:
    """The error for data whose rows are all too long."""
    return BadTrainingRow(
        f"All {count} training rows have more than {most} tokens. Raise max_length (--max-length).",
        f"학습 행 {count}개가 모두 {most}토큰을 넘습니다. max_length를 늘리세요(--max-length).",
    )


def _refused(name: Both, tokens: int, most: int, others: int) -> BadTrainingRow:
    more, korean = f" (and {others} more rows)", f"(그 밖에 {others}개 행)"
    more, korean = (more, korean) if others else ("", "")
    return BadTrainingRow(
        f"{name[0]} has {tokens} tokens, more than {most}{more}. Shorten it, raise max_length "
        "(--max-length), or have such rows cut or dropped (--too-long cut, --too-long drop).",
        f"{name[1]}: {tokens}토큰으로 최대 {most}토큰을 넘습니다{korean}. 행을 줄이거나 "
        "max_length를 늘리거나(--max-length) 자르거나 빼세요(--too-long cut, --too-long drop).",
    )
