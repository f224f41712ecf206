"""Finds rows that are too long with the tokenizers alone, before any model is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.study.plan import Plan
from benchmarks.workloads.optimisation import no_valid_rows
from benchmarks.workloads.training_rows import EncodedRows, encode_rows, none_left
from benchmarks.workloads.workload import workload_called
from model_registry.candidate import Candidate
from model_registry.errors import BadTrainingRow, OhloraError
from model_registry.messages.notes import Note
from model_registry.prompting.token_check import check_tokens
from model_registry.prompting.token_economy import sample, tokens_per_100
from model_registry.prompting.tokenization import encode_row
from model_registry.weights.loading import load_tokenizer
from rows.reading import read_data
from rows.row import Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def within_length(plan: Plan) -> Plan:
    """The plan with rows that every candidate can be tuned on.

    A row that is too long for one candidate is dropped for all, where rows are dropped: else their
    losses would not compare. A candidate whose tokenizer or template can't be used keeps
    its own status: the others go on.

    Raises:
        BadTrainingRow: a row would teach something wrong, is too long and that is
            refused, or none is left.
        OhloraError: with a patience no valid row is left.
    """
    if plan.lengths_checked:
        return plan
    tuned = {
        case.candidate.name: case.candidate
        for case in plan.cases
        if workload_called(case.workload).tunes
    }
    dropped: dict[str, set[int]] = {"train": set(), "valid": set()}
    notes: list[Note] = []
    per_100: dict[str, float] = {}
    splits = {"train": plan.task.train, "valid": plan.task.valid}
    for candidate in tuned.values():
        try:
            tokenizer = load_tokenizer(candidate, source=plan.contract.weights)
            check_tokens(candidate, tokenizer, {})
        except OhloraError:
            continue
        tokens = tokens_per_100(tokenizer, sample(plan.task.train))
        if tokens is not None and plan.contract.weights != "random":
            per_100[candidate.name] = round(tokens, 1)
        for split, rows in splits.items():
            found = _encoded(candidate, tokenizer, rows, plan, split)
            dropped[split] |= set(found.dropped)
            notes += _cut_notes(candidate, found, split)
    if per_100:
        notes.append(Note("tokens_per_100", {"tokens": per_100}))
    if any(dropped.values()):
        plan = _without(plan, dropped)
        notes += _dropped_notes(dropped, plan.contract.max_length)
    notes = [*plan.notes, *notes]
    return replace(plan, notes=tuple(notes), lengths_checked=True, tokens_per_100=per_100)


def longest_row(candidate: Candidate, data: Path) -> int:
    """The tokens of a file's longest training row, as this candidate's tokenizer counts them.

    Raises:
        OhloraError: the file can't be read, or the tokenizer can't be had or used.
    """
    tokenizer = load_tokenizer(candidate)
    rows = [row for row in read_data(data).rows if row.reply]
    if not rows:
        raise OhloraError(
            f"{data} has no row with an answer.", f"{data}에 답변이 있는 행이 없습니다."
        )
    policy = candidate.prompting
    return max(
        len(encode_row(policy, tokenizer, row.messages, row.reply).input_ids) for row in rows
    )


def _encoded(
    candidate: Candidate,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Row],
    plan: Plan,
    split: str,
) -> EncodedRows:
    policy = replace(candidate.prompting, thinking=plan.contract.thinking)  # type: ignore[arg-type]
    try:
        return encode_rows(policy, tokenizer, rows, plan.contract, split)
    except BadTrainingRow as error:
        raise BadTrainingRow(
            f"{candidate.name}: {error}", f"{candidate.name}: {error.korean}"
        ) from error


def _without(plan: Plan, dropped: dict[str, set[int]]) -> Plan:
    train, valid = (
        tuple(row for n, row in enumerate(rows) if n not in dropped[split])
        for split, rows in (("train", plan.task.train), ("valid", plan.task.valid))
    )
    if not train:
        raise none_left(len(plan.task.train), plan.contract.max_length)
    if plan.contract.patience and not valid:
        raise no_valid_rows(f"{plan.study.name} (max_length {plan.contract.max_length})")
    task = replace(plan.task, train=train, valid=valid)
    contract = replace(plan.contract, data=task.hash())
    cases = tuple(
        replace(case, task=task, contract=replace(case.contract, data=contract.data))
        for case in plan.cases
    )
    return replace(plan, task=task, contract=contract, cases=cases)


def _cut_notes(candidate: Candidate, found: EncodedRows, split: str) -> list[Note]:
    if not found.cut:
        return []
    return [
        Note("rows_cut", {"candidate": candidate.name, "count": len(found.cut), "split": split})
    ]


def _dropped_notes(dropped: dict[str, set[int]], most: int) -> list[Note]:
    return [
        Note("rows_too_long", {"count": len(numbers), "split": split, "most": most})
        for split, numbers in dropped.items()
        if numbers
    ]
