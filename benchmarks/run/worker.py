"""The worker: one case in one process; loads, warms up, runs, each phase measured.

A worker speaks through a pipe while it works, so that what it found is known even if it dies:
("stage", name), ("phase", name, seconds, peak), ("progress", done, total), ("reply", Reply),
("loss", Loss), ("sample", TaskSample), and last ("done", Result).
"""

from __future__ import annotations

import errno
import math
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from multiprocessing.connection import Connection

from benchmarks.results.setting import PLAIN
from benchmarks.run.case import Case
from benchmarks.run.measure import Measurement, measured, resident_bytes
from benchmarks.study.variant import effective
from benchmarks.workloads.log import WorkLog
from benchmarks.workloads.workload import (
    Opened,
    Outcome,
    PartlyDone,
    loaded_here,
    oom_status,
    workload_called,
)
from model_registry import cuda, machine
from model_registry.errors import LoadError, NotFinite, OhloraError, first_line
from model_registry.files.json_values import JsonDict
from model_registry.language import for_files
from model_registry.memory.allocator import give_back_what_is_freed
from model_registry.messages.notes import Note
from model_registry.records import Loss, Peak, Reply, Result, TaskSample
from model_registry.registry import Registry
from model_registry.weights.loading import LoadedModel, load
from model_registry.weights.quantization import get_ready, quantize

_TELL_SECONDS = 0.1  # between two messages of progress


@dataclass(slots=True)
class CaseLog:
    """Sends everything on as it comes and remembers the phases for the result."""

    send: Callable[[tuple[object, ...]], None]
    device: str
    stage: str = "start"
    seconds: dict[str, float] = field(default_factory=dict)
    peaks: dict[str, Peak] = field(default_factory=dict)
    _told: float = -math.inf

    @contextmanager
    def phase(self, name: str) -> Iterator[Measurement]:
        self.stage = name
        self.send(("stage", name))
        with measured(self.device) as measurement:
            try:
                yield measurement
            except BaseException:
                self.send(("failed", name))
                raise
        assert measurement.peak is not None  # noqa: S101 - for mypy: set when the block ends
        self.seconds[name], self.peaks[name] = measurement.seconds, measurement.peak
        self.send(("phase", name, measurement.seconds, measurement.peak))

    def progress(self, done: int, total: int) -> None:
        """Sent on a few times a second, the last step of a phase always."""
        now = time.monotonic()
        if done == total or now - self._told >= _TELL_SECONDS:
            self._told = now
            self.send(("progress", done, total))

    def reply(self, reply: Reply) -> None:
        self.send(("reply", reply))

    def loss(self, loss: Loss) -> None:
        self.send(("loss", loss))

    def sample(self, sample: TaskSample) -> None:
        self.send(("sample", sample))


def main(case: Case, connection: Connection) -> None:
    """A worker's whole life."""
    os.environ["OHLORA_LANG"] = "en"  # what it says goes into files, from threads too
    ours = os.getpid()

    def send(event: tuple[object, ...]) -> None:
        if os.getpid() != ours:  # a backend forked: its child is not this worker
            os._exit(0)
        connection.send(event)

    send(("hello", ours, resident_bytes()))
    send(("done", run_case(case, CaseLog(send, case.contract.device))))
    connection.close()


@for_files()
def run_case(case: Case, log: CaseLog) -> Result:
    """Run a case and return its result; no exception leaves this function."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    facts: JsonDict = {}
    try:
        _prepare(case)
        facts["machine"] = machine.describe(case.contract.device)
        facts["versions"] = machine.versions()
        with log.phase("load"):
            opened = _open(case)
        facts["loaded_with"] = case.candidate.cure
        proof = _quantize(case, opened, log)
        facts["weights"] = _weights_of(case, opened)
        facts |= _facts_of(workload_called(case.workload).work(case, opened, log))
        if proof is not None:
            facts["figures"] = {**facts["figures"], "quantization": proof}
        status, message = "ok", None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a failed case is a row
        status = status_of(error, log.stage, case.workload)
        message = first_line(error, None)
        if isinstance(error, OhloraError):
            facts["explanation"] = Note.of_error(error)
        if isinstance(error, PartlyDone):
            facts |= _facts_of(error.outcome)  # what was answered before it failed
        if (name := errno_of(error)) is not None:
            facts["figures"] = {**facts.get("figures", {}), "errno": name}
    remote = case.candidate.backend != "transformers"
    seconds = dict(log.seconds)
    if facts.get("figures", {}).get("answer_seconds") is not None:
        seconds["inference"] = facts["figures"]["answer_seconds"]  # a replay's own are nobody's
    return case.result(
        status,
        stage=None if status == "ok" else log.stage,
        message=message,
        seconds=seconds,
        peaks={} if remote else log.peaks,  # this process's memory is not the server's
        started_at=started,
        **facts,
    )


def _open(case: Case) -> Opened:
    """The model, or the backend of a candidate that is asked elsewhere.

    What will be quantised is loaded into main memory: the card may be too small for it as it is.
    """
    contract = effective(case.contract, case.settings)
    policy = replace(case.candidate.prompting, thinking=contract.thinking)  # type: ignore[arg-type]
    candidate = replace(case.candidate, prompting=policy)
    if candidate.backend == "transformers":
        return load(
            candidate,
            source=contract.weights,
            scale=contract.scale,
            device=contract.device if case.setting.quantization == PLAIN else "cpu",
            dtype=contract.dtype,
            seed=contract.seed,
        )
    factory = Registry(case.plugins).backend(candidate.backend)
    return factory(candidate, weights=contract.weights, device=contract.device)


def _quantize(case: Case, opened: Opened, log: WorkLog) -> dict[str, object] | None:
    """Pack the weights where the case asks for it; the proof that it was done."""
    method = case.setting.quantization
    if method == PLAIN:
        return None
    loaded = loaded_here(case, opened)

    rows = case.task.train or case.task.prompts
    texts = [f"{row.prompt} {row.reply}" for row in rows]
    with log.phase("quantization"):
        loaded.model, proof = quantize(
            loaded.model,
            method,
            device=case.contract.device,
            tokenizer=loaded.tokenizer,
            calibration=texts,
        )
    return proof.to_json()


def _weights_of(case: Case, opened: Opened) -> str:
    """Whose weights the figures are from: "hub", "path" …, or "remote" and "replay"."""
    if isinstance(opened, LoadedModel):
        return opened.source
    return "replay" if case.candidate.backend == "replay" else "remote"


def _facts_of(outcome: Outcome) -> JsonDict:
    return {"steps": outcome.steps, "tokens": outcome.tokens, "figures": outcome.figures}


def _prepare(case: Case) -> None:
    """Threads and limits that hold inside the process."""
    import torch

    give_back_what_is_freed()
    get_ready(case.setting.quantization, tunes=workload_called(case.workload).tunes)
    torch.set_num_threads(case.contract.threads)
    if case.contract.device == "cuda" and case.limits.memory_bytes is not None:
        cuda.limit_memory(case.limits.memory_bytes)


def status_of(error: BaseException, stage: str, workload: str) -> str:
    """The status for an exception, by its kind and the phase that it came in."""
    if isinstance(error, LoadError):
        return error.status
    if isinstance(error, NotFinite):
        return "nan_loss"
    message = str(error)
    if is_out_of_memory(error):
        return oom_status(stage, workload)
    if "not implemented for" in message or "CUBLAS_STATUS_NOT_SUPPORTED" in message:
        return "unsupported_device"
    return "error"


#: How libraries say it that have no exception of their own for it. A cuBLAS handle that can't be
#: made, cuDNN's own scratch memory: on a card that is nearly full these come first.
_OUT_OF_MEMORY = (
    "out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED", "CUDNN_STATUS_ALLOC_FAILED",
)  # fmt: skip


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means out of memory, in any library's way of saying it."""
    from torch import OutOfMemoryError  # here, where a case runs: whoever tells of one needs none

    if isinstance(error, MemoryError | OutOfMemoryError):
        return True
    message = str(error)
    return any(words in message for words in _OUT_OF_MEMORY)


def errno_of(error: BaseException) -> str | None:
    """The name of the operating system's error behind an exception ("ENOSPC"), if there is one."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno is not None:
            return errno.errorcode.get(seen.errno)
        # Libraries written in Rust tell it in words only.
        if told := re.search(r"\(os error (\d+)\)", str(seen)):
            return errno.errorcode.get(int(told.group(1)))
        seen = seen.__cause__ or seen.__context__
    return None
