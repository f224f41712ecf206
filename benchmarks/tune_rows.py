"""Rows of `ohlora tune`, encoded with the tokenizer alone, and what became of long ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.study.contract import Contract
from benchmarks.workloads import training_rows
from model_registry.candidate import Candidate
from model_registry.language import text
from model_registry.prompting.tokenization import IGNORED, EncodedRow, moves_system
from model_registry.weights.loading import LoadedModel
from rows.row import Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class TuneRows:
    """The rows of a tune, encoded and checked."""

    train: tuple[EncodedRow, ...]
    valid: tuple[EncodedRow, ...]
    asked: str = ""  # stands for the texts of all questions

    def mark(self) -> str:
        """A fingerprint of all questions and labels, the same on any day: a template may write the
        date into a question's tokens, and a tune may be resumed tomorrow."""
        labels = [
            [[label for label in row.labels if label != IGNORED] for row in rows]
            for rows in (self.train, self.valid)
        ]
        return short_hash(json.dumps([self.asked, labels]))


def encode_rows(
    loaded: LoadedModel, train: Sequence[Row], valid: Sequence[Row], contract: Contract
) -> TuneRows:
    """Tokens and labels of all rows.

    Raises:
        BadTrainingRow: a row would teach something wrong.
    """
    return encode_with(loaded.candidate, loaded.tokenizer, train, valid, contract)


def encode_with(
    candidate: Candidate,
    tokenizer: PreTrainedTokenizerBase,
    train: Sequence[Row],
    valid: Sequence[Row],
    contract: Contract,
    tell: Callable[[str], None] = lambda line: None,
) -> TuneRows:
    """As `encode_rows`, with the tokenizer alone; `tell` is told what became of long rows."""
    encoded = {
        split: training_rows.encode_rows(candidate.prompting, tokenizer, rows, contract, split)
        for split, rows in (("train", train), ("valid", valid))
    }
    if moves_system(candidate.prompting, tokenizer, [*train, *valid]):
        tell(
            text(
                "The model's chat template knows no system role: system texts are put before the "
                "question.",
                "이 모델의 채팅 템플릿에는 시스템 역할이 없어 시스템 문구를 질문 앞에 붙입니다.",
            )
        )
    for split, found in encoded.items():
        _tell_long(split, found, contract.max_length, tell)
    asked = [[dict(message) for message in row.messages] for row in (*train, *valid)]
    return TuneRows(encoded["train"].rows, encoded["valid"].rows, short_hash(json.dumps(asked)))


def _tell_long(
    split: str, found: training_rows.EncodedRows, most: int, tell: Callable[[str], None]
) -> None:
    if found.cut:
        tell(
            text(
                f"cut at the end: {len(found.cut)} {split} rows of more than {most} tokens",
                f"끝을 자름: {most}토큰을 넘는 {split} 행 {len(found.cut)}개",
            )
        )
    if found.dropped:
        tell(
            text(
                f"left out: {len(found.dropped)} {split} rows of more than {most} tokens",
                f"제외: {most}토큰을 넘는 {split} 행 {len(found.dropped)}개",
            )
        )


def short_hash(words: str) -> str:
    """Twelve hexadecimal digits for a text."""
    return hashlib.sha256(words.encode("utf-8", errors="replace")).hexdigest()[:12]
