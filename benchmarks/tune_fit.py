"""Picks the fastest settings of a tune that fit into a budget of memory, and says why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.study.contract import Contract, tuned_by
from benchmarks.workloads.training_rows import as_trained
from model_registry.errors import OhloraError
from model_registry.language import text
from model_registry.memory.correction import correction_for
from model_registry.memory.fit import Correction, Work, predict
from model_registry.memory.verdict import margin
from model_registry.prompting.tokenization import IGNORED, EncodedRow


@dataclass(frozen=True, slots=True)
class Attempt:
    """Settings and what they are predicted to take."""

    contract: Contract
    quantization: str
    predicted_bytes: int

    @property
    def words(self) -> str:
        """The settings as the options that give them."""
        contract = self.contract
        parts = [f"--batch-size {contract.batch_size}"]
        if contract.gradient_accumulation > 1:
            parts.append(f"--gradient-accumulation {contract.gradient_accumulation}")
        if contract.gradient_checkpointing:
            parts.append("--gradient-checkpointing")
        if self.quantization != "none":
            parts.append(f"--quantization {self.quantization}")
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class Choice:
    """The fastest attempt that fits, and the faster ones that do not."""

    taken: Attempt
    too_large: tuple[Attempt, ...]
    budget_bytes: int

    @property
    def words(self) -> str:
        """What is taken, and what the next faster would have needed."""
        taken, most = self.taken, _gib(self.budget_bytes)
        line = text(
            f"{taken.words}: {_gib(taken.predicted_bytes)} of {most} GiB predicted",
            f"{taken.words}: 예상 {_gib(taken.predicted_bytes)} / {most} GiB",
        )
        if not self.too_large:
            return line
        last = self.too_large[-1]
        return line + text(
            f"; {last.words} would be faster and take {_gib(last.predicted_bytes)}.",
            f". 더 빠른 {last.words}에는 {_gib(last.predicted_bytes)} GiB가 필요합니다.",
        )


def fastest_that_fits(
    architecture: Mapping[str, object],
    rows: Sequence[EncodedRow],
    contract: Contract,
    budget_bytes: int,
    *,
    rank: int,
    quantization: str = "none",
    correction: Correction | None = None,
) -> Choice:
    """The first of the settings, fastest first, whose prediction fits.

    The rows of a step stay as many as were asked for, so that what is learned is the same: smaller
    batches are accumulated. Checkpointing works each layer out twice, about a third more time;
    quantised weights are unpacked each time they are used.

    Raises:
        OhloraError: nothing fits; the least is named.
        LoadError: nothing can be predicted of this architecture.
    """
    if correction is None:
        correction = correction_for(contract.machine, contract.device)
    tried: list[Attempt] = []
    for each, packed in attempts(contract, quantization):
        work = work_of(rows, each, rank, packed)
        estimate = predict(architecture, work, correction)
        attempt = Attempt(each, packed, estimate.predicted_bytes)
        if margin(estimate, budget_bytes, contract.device) >= 0:
            return Choice(attempt, tuple(tried), budget_bytes)
        tried.append(attempt)
    least = min(tried, key=lambda attempt: attempt.predicted_bytes)
    raise OhloraError(
        f"No setting fits into {_gib(budget_bytes)} GiB: {least.words} takes least, "
        f"{_gib(least.predicted_bytes)} GiB. Use a smaller --max-length or another model.",
        f"{_gib(budget_bytes)} GiB에 맞는 설정이 없습니다. 가장 적은 {least.words}도 "
        f"{_gib(least.predicted_bytes)} GiB가 필요합니다. --max-length를 줄이거나 다른 모델을 "
        "쓰세요.",
    )


def first_smaller(
    architecture: Mapping[str, object],
    rows: Sequence[EncodedRow],
    contract: Contract,
    budget_bytes: int | None,
    *,
    rank: int,
    quantization: str,
) -> Attempt | None:
    """The fastest settings that fit where these did not; None where none is known.

    Raises:
        LoadError: nothing can be predicted of this architecture.
    """
    if budget_bytes is None:
        return None
    correction = correction_for(contract.machine, contract.device)
    failed: int | None = None
    for each, packed in attempts(contract, quantization):
        estimate = predict(architecture, work_of(rows, each, rank, packed), correction)
        needed = estimate.predicted_bytes
        if failed is None:
            failed = needed
        elif needed < failed and margin(estimate, budget_bytes, contract.device) >= 0:
            return Attempt(each, packed, needed)
    return None


def attempts(contract: Contract, quantization: str) -> Iterator[tuple[Contract, str]]:
    """Settings from the fastest to the slowest; none is asked to do without what was set."""
    packed = [quantization]
    if quantization == "none" and contract.device == "cuda":
        packed.append("nf4")
    for method in packed:
        for checkpointed in sorted({contract.gradient_checkpointing, True}):
            for batch in _batches(contract.batch_size):
                together = contract.gradient_accumulation * contract.batch_size // batch
                yield (
                    replace(
                        contract,
                        batch_size=batch,
                        gradient_accumulation=together,
                        gradient_checkpointing=checkpointed,
                    ),
                    method,
                )


def _batches(most: int) -> list[int]:
    """Batch sizes that make up the largest, largest first."""
    return [size for size in range(most, 0, -1) if most % size == 0]


def work_of(rows: Sequence[EncodedRow], contract: Contract, rank: int, quantization: str) -> Work:
    """The work of the batch that needs most: the longest rows all in one."""
    longest = sorted(as_trained(rows, contract), key=lambda row: len(row.input_ids), reverse=True)[
        : contract.batch_size
    ]
    labelled = [sum(label != IGNORED for label in row.labels[1:]) for row in longest]
    work = Work(
        kind="lora",
        batch=len(longest),
        length=len(longest[0].input_ids),
        kept=max(1, -(-sum(labelled) // len(longest))),
        rank=rank,
        quantization=quantization,
        dtype=contract.dtype,
        device=contract.device,
    )
    return tuned_by(contract, work)


def _gib(count: int) -> str:
    return f"{count / 2**30:.2f}"
