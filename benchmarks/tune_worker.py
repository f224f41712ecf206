"""A tune in a process of its own, held to a limit of memory as the cases of a run are."""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.engines.engine import Event
from benchmarks.engines.local import LocalEngine
from benchmarks.run.case import Case
from benchmarks.run.measure import resident_bytes
from benchmarks.run.worker import CaseLog, is_out_of_memory, status_of
from benchmarks.tune import Tell, tune
from benchmarks.tune_rows import TuneRows, encode_rows
from benchmarks.tune_state import EpochEnd
from model_registry import cuda
from model_registry.errors import OhloraError, first_line
from model_registry.language import Both
from model_registry.memory.allocator import give_back_what_is_freed
from model_registry.statuses import status_called
from model_registry.weights.finite import check_finite
from model_registry.weights.loading import LoadedModel, load
from model_registry.weights.quantization import get_ready, quantize

EpochEnds = Callable[[EpochEnd], None]


class TuneOutOfMemory(Exception):
    """The tune took more memory than there is, or than it may; the message says how much."""


def tune_here(case: Case, rows: TuneRows, tell: Tell, epoch_ends: EpochEnds) -> None:
    """Load and tune in this process.

    Raises:
        TuneOutOfMemory: the card's or the machine's memory ran out, and said so.
        OhloraError: as `tune`.
    """
    give_back_what_is_freed()
    try:
        _tune(case, _base_of(case), rows, tell, epoch_ends)
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise TuneOutOfMemory(first_line(error, None)) from error
        raise


def tune_in_worker(case: Case, tell: Tell, epoch_ends: EpochEnds) -> None:
    """Load and tune in a worker that is ended when it takes more than the case's limit.

    Raises:
        TuneOutOfMemory: it did.
        OhloraError: as `tune`, or the worker was ended by something else.
    """
    said: list[Both] = []

    def listen(event: Event) -> None:
        match event:
            case ("progress", done, total):
                tell(done, total)
            case ("epoch", end):
                epoch_ends(end)
            case ("said", words):
                said.append(words)

    result = LocalEngine(work=_main).run(case, listen).result
    if result.ok:
        return
    if status_called(result.status).memory:
        raise TuneOutOfMemory(result.message)
    message = str(result.message)
    raise OhloraError(*(said[-1] if said else (message, message)))


def _main(case: Case, connection: Connection) -> None:
    """The worker's life: as `benchmarks.run.worker.main`, in the language of whoever waits."""
    # What a forked worker finds imported belongs to its start, not to the tune's memory.
    from benchmarks.engines import preload  # noqa: F401

    give_back_what_is_freed()
    send = connection.send
    send(("hello", os.getpid(), resident_bytes()))
    log = CaseLog(send, case.contract.device)
    try:
        limit = case.limits.memory_bytes
        if case.contract.device == "cuda" and limit is not None:
            cuda.limit_memory(limit)
        with log.phase("load"):
            loaded = _base_of(case)
        rows = encode_rows(loaded, case.task.train, case.task.valid, case.contract)
        with log.phase("training"):
            _tune(
                case, loaded, rows, log.progress, lambda end: send(("epoch", end)),
            )  # fmt: skip
        status, message = "ok", None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whoever waits tells of it
        status, message = status_of(error, log.stage, case.workload), first_line(error, None)
        ours = (str(error), error.korean) if isinstance(error, OhloraError) else None
        send(("said", ours or (message, message)))
    send(("done", case.result(status, stage=log.stage, message=message)))
    connection.close()


def _tune(
    case: Case, loaded: LoadedModel, rows: TuneRows, tell: Tell, epoch_ends: EpochEnds
) -> None:
    settings = case.settings
    tune(
        loaded, rows, case.contract, rank=settings["rank"], out=Path(str(case.keep)),
        quantization=settings["quantization"], tell=tell, epoch_ends=epoch_ends,
    )  # fmt: skip


def _base_of(case: Case) -> LoadedModel:
    """A fresh base, its weights proven to be numbers and then quantised where that is asked for.

    What will be quantised is loaded into main memory: the card may be too small for it as it is.
    """
    method, contract = case.settings["quantization"], case.contract
    get_ready(method, tunes=True)
    place = contract.device if method == "none" else "cpu"
    loaded = load(case.candidate, source=contract.weights, device=place, dtype=contract.dtype)
    check_finite(loaded.model)
    if method != "none":
        loaded.model, _ = quantize(loaded.model, method, device=contract.device)
    return loaded
