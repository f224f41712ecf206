"""Tunes a candidate by its name: rows read and checked, the model loaded, progress shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.run.case import Case, Limits, Task
from benchmarks.run.progress import progress_bar
from benchmarks.study.contract import Contract
from benchmarks.study.tuning_settings import step_counts
from benchmarks.tune_checks import check_model, check_settings, check_warm_up
from benchmarks.tune_fit import Attempt, fastest_that_fits, first_smaller
from benchmarks.tune_rows import TuneRows, encode_with
from benchmarks.tune_state import STATE, EpochEnd, check_state, identity_of
from benchmarks.tune_worker import TuneOutOfMemory, tune_here, tune_in_worker
from benchmarks.workloads.optimisation import check_optimizer, no_valid_rows
from benchmarks.workloads.training_rows import as_trained
from model_registry import machine
from model_registry.architectures.architecture import declared_architecture
from model_registry.architectures.fused_kernels import check_fused_kernels
from model_registry.backends.open_backend import source_for
from model_registry.candidate import Candidate
from model_registry.errors import LoadError, OhloraError
from model_registry.files.folder_lock import FolderLock
from model_registry.files.json_values import JsonDict
from model_registry.files.output import check_folder
from model_registry.language import text
from model_registry.naming.resolve import find_candidate
from model_registry.prompting.context import context_of, looks_back
from model_registry.registry import Registry
from model_registry.weights.adapter import is_tuned
from model_registry.weights.folder_check import is_model
from model_registry.weights.loading import load_tokenizer
from model_registry.weights.quantization import get_ready
from rows.overlap import split_overlapping
from rows.reading import read_data
from rows.reading_report import left_out_note, overlapping, read_notes
from rows.row import Row, Rows

if TYPE_CHECKING:
    from rich.console import Console


class TooLarge(OhloraError):
    """A tune ran out of memory; `change` is the smallest change that is predicted to fit.

    `out` is a folder for it, where the tune's own holds an epoch of other settings.
    """

    def __init__(
        self, message: str, korean: str, change: Attempt | None, out: Path | None = None
    ) -> None:
        self.change, self.out = change, out
        super().__init__(message, korean)


def tune_candidate(
    name: str,
    data: Path,
    out: Path,
    registry: Registry,
    *,
    rank: int,
    weights: str,
    device: str,
    console: Console,
    dtype: str = "auto",
    base: Path | None = None,
    cure: str | None = None,
    turns: str = "every",
    quantization: str = "none",
    budget_bytes: int | None = None,
    memory_limit: int | None = None,
    command: Callable[[str], str] | None = None,
    **settings: object,
) -> Path:
    """Tune a candidate on a file or folder of rows, showing progress and the losses of each epoch.

    What can be found out without the weights is found out before they are loaded.

    Args:
        name: of a candidate, or a model's folder.
        data: a file or folder of rows.
        out: for the adapter; a tune that was stopped there goes on.
        registry: knows the candidates.
        rank: LoRA's r.
        weights: auto, hub, bundled or random.
        device: auto, cpu or cuda.
        console: takes what a person reads.
        dtype: auto, or a torch dtype's name.
        turns: which answers of a conversation are learned, "every" or "last".
        quantization: of the base: none, int8 or nf4.
        budget_bytes: memory that the tune must fit into; the fastest settings that do are taken.
        memory_limit: bytes that the tune may take beyond Python and the libraries; it is ended
            when it takes more.
        command: makes of options the command that has them, to be told which settings were taken.
        settings: of `TuningSettings`, by their names.

    Raises:
        TooLarge: it ran out of memory.
        OhloraError: no such candidate, rows that can't serve, a finished or another tune in `out`,
            another process at work there, or weights that are no numbers.
    """

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    check_folder(out)
    if is_model(out):
        raise OhloraError(
            f"{out} holds a model; an adapter beside it would make it unreadable. Choose "
            "another --out.",
            f"{out}에는 모델이 있어 어댑터를 함께 둘 수 없습니다. 다른 --out을 지정하세요.",
        )
    if is_tuned(out):
        raise OhloraError(
            f"{out} holds a finished tune. Choose another --out.",
            f"{out}에 끝난 튜닝이 있습니다. 다른 --out을 지정하세요.",
        )
    candidate = find_candidate(name, registry, base=base, cure=cure)
    given: JsonDict = dict(settings)
    if "learning_rate" in given:  # what is said goes before what a candidate declares
        candidate = replace(candidate, learning_rate=None)
    where = machine.pick_device(device)
    facts = machine.describe(where)
    train, valid, rows = _read(data, turns, say)
    source = source_for(candidate, weights)
    contract = Contract(
        weights=source, device=where, data=rows.hash(), dtype=machine.pick_dtype(where, dtype),
        machine=str(facts["name"]),
        **given | {"max_length": _longest(candidate, given.get("max_length"), say)},
    )  # fmt: skip
    check_optimizer(contract.optimizer)
    check_fused_kernels(contract.fused_kernels, where)
    get_ready(quantization, tunes=True)
    check_settings(contract, quantization=quantization, device=where)
    architecture = declared_architecture(candidate)
    check_model(architecture, contract, rank)
    tokenizer = load_tokenizer(candidate, source=source)
    encoded = encode_with(candidate, tokenizer, train, valid, contract, say)
    if contract.patience and not encoded.valid:
        raise no_valid_rows(str(data))
    check_warm_up(contract, step_counts(len(as_trained(encoded.train, contract)), contract)[1])
    if budget_bytes is not None:
        choice = fastest_that_fits(
            architecture, encoded.train, contract, budget_bytes,
            rank=rank, quantization=quantization,
        )  # fmt: skip
        say(choice.words)
        if command is not None:
            same = command(choice.taken.words)
            say(text(f"The same without asking: {same}", f"같은 설정의 명령: {same}"))
        contract, quantization = choice.taken.contract, choice.taken.quantization
    with FolderLock(out).acquire():
        check_state(out, identity_of(candidate, tokenizer, encoded, contract, rank, quantization))
        case = Case(
            candidate, "fine-tune", contract, Task(tuple(train), tuple(valid)),
            {"rank": rank, "quantization": quantization}, Limits(memory_limit), str(out),
        )  # fmt: skip
        try:
            _tune_showing(case, encoded, console)
        except TuneOutOfMemory as error:
            budget = memory_limit or facts["available_bytes"]  # before the tune held any
            raise _too_large(error, case, encoded, budget) from error
    return out


def _too_large(
    error: TuneOutOfMemory, case: Case, rows: TuneRows, budget_bytes: int | None
) -> TooLarge:
    """What ran out, and the smallest change that helps by the prediction."""
    out = Path(str(case.keep))
    try:
        change = first_smaller(
            declared_architecture(case.candidate), rows.train, case.contract, budget_bytes,
            rank=case.settings["rank"], quantization=case.settings["quantization"],
        )  # fmt: skip
    except LoadError:  # nothing can be predicted of this architecture
        change = None
    return TooLarge(
        f"Out of memory: {error}.",
        f"메모리가 부족합니다: {error}.",
        change,
        _beside(out) if (out / STATE).exists() else None,
    )


def _beside(out: Path) -> Path:
    """A folder beside `out` that is not there yet."""
    named = out if out.name not in ("", "..") else out.resolve()
    others = (named.with_name(f"{named.name}-{n}") for n in count(2))
    return next(each for each in others if not each.exists())


def _longest(candidate: Candidate, wanted: int | None, say: Callable[[str], None]) -> int:
    """Tokens that a row may have: as many as are wanted, no more than the model looks back on."""
    most = wanted or Contract().max_length
    context = context_of(candidate.architecture)
    if context is None or context >= most:
        return most
    say(looks_back(candidate.name, context))
    return context


def _read(data: Path, turns: str, say: Callable[[str], None]) -> tuple[list[Row], list[Row], Rows]:
    """Train rows, valid rows that none of them asks, and all rows; `say` takes how they were read.

    Raises:
        OhloraError: there is nothing to learn.
    """
    rows = read_data(data, turns)
    train, valid = rows.of("train"), rows.of("valid")
    if not train:
        raise OhloraError(
            f"{data} has no train rows with an answer.",
            f"{data}에 답변이 있는 train 행이 없습니다.",
        )
    valid, seen = split_overlapping(valid, train)
    overlaps = overlapping(seen, "asks_a_train_row", "valid")
    for note in (*read_notes(rows), *map(left_out_note, overlaps)):
        say(note.words)
    return train, valid, rows


def _tune_showing(case: Case, rows: TuneRows, console: Console) -> None:
    """Tune here, or in a process of its own where that can be held to a limit."""
    with progress_bar(console) as bar:
        task = bar.add_task(text("tuning", "튜닝"), total=None)

        def tell(step: int, steps: int) -> None:
            bar.update(task, completed=step, total=steps)

        def epoch_ends(end: EpochEnd) -> None:
            console.print(_epoch_words(end), highlight=False)

        if case.limits.memory_bytes is None:
            tune_here(case, rows, tell, epoch_ends)
        else:
            tune_in_worker(case, tell, epoch_ends)


def _epoch_words(end: EpochEnd) -> str:
    valid = "—" if end.valid_loss is None else f"{end.valid_loss:.3f}"
    return text(
        f"epoch {end.epoch}: loss {end.train_loss:.3f}, validation loss {valid}",
        f"에폭 {end.epoch}: 손실 {end.train_loss:.3f}, 검증 손실 {valid}",
    )
