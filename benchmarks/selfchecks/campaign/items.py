"""An item of a campaign, run in its own process under a time limit, and its results file.

An item is either a case of the product, done by its own engine, or a probe: a function that is
called in a worker of the same fork server and gives a dict.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.engines import fork_server
from benchmarks.engines.forking import end_group
from benchmarks.engines.local import LocalEngine, Spawning, Starter
from benchmarks.run.case import Case, Limits
from model_registry.errors import first_line
from model_registry.files.json_values import JsonDict
from model_registry.records import Result

Found = JsonDict


@dataclass(frozen=True, slots=True)
class Probe:
    """A function of a module, to be called in a worker with these arguments."""

    function: Callable[..., Found]
    arguments: Mapping[str, object] = field(default_factory=dict)
    start_method: str | None = None  # "forkserver" or "spawn"; None is what the engine would take


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to find out, in at most so many seconds. Names begin with their group."""

    name: str
    seconds: float
    work: Case | Probe

    @property
    def group(self) -> str:
        return self.name.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Row:
    """What one item gave. `status` is ok, a case's status, timeout, error, or cut: the campaign's
    time was over, so that it is done again."""

    item: str
    status: str
    seconds: float
    found: Found = field(default_factory=dict)
    message: str | None = None


class Journal:
    """The rows of a campaign, a JSON line each; the last one of an item counts."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "items.jsonl"
        folder.mkdir(parents=True, exist_ok=True)

    def rows(self) -> dict[str, Row]:
        """What is done, by the item's name."""
        return {row.item: row for row in self._lines() if row.status != "cut"}

    def _lines(self) -> Iterator[Row]:
        if not self.path.exists():
            return
        for line in self.path.read_text(encoding="utf-8").split("\n"):
            with suppress(ValueError, TypeError):  # a line that a kill cut short
                yield Row(**json.loads(line))

    def add(self, row: Row) -> None:
        """Keep a row at once: whatever ends the campaign next, it is there."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")


def do(item: Item, device: str, seconds: float) -> Row:
    """Do an item in a process of its own, however it ends.

    Args:
        item: what to do.
        device: "cpu" or "cuda".
        seconds: what is left of the campaign: no item takes longer.
    """
    begin = time.perf_counter()
    limit = min(item.seconds, seconds)
    if isinstance(item.work, Case):
        row = _do_case(item, item.work, limit)
    else:
        row = _do_probe(item, item.work, device, limit)
    if row.status == "timeout" and limit < item.seconds:
        row = replace(row, status="cut")
    return replace(row, seconds=round(time.perf_counter() - begin, 3))


def _do_case(item: Item, case: Case, seconds: float) -> Row:
    limits = Limits(case.limits.memory_bytes, seconds)
    result = LocalEngine().run(replace(case, limits=limits)).result
    return Row(item.name, result.status, 0.0, found_of(result), result.message)


def found_of(result: Result) -> Found:
    """What of a result a campaign keeps: machine, versions and policy are told once, not here."""
    return {
        "candidate": result.candidate,
        "workload": result.workload,
        "settings": result.settings,
        "stage": result.stage,
        "steps": result.steps,
        "tokens": result.tokens,
        "phase_seconds": result.seconds,
        "peaks": {name: asdict(peak) for name, peak in result.peaks.items()},
        "figures": result.figures,
    }


def starter_for(device: str, start_method: str | None = None) -> Starter:
    """What starts workers for a device: the fork server, unless it has touched CUDA."""
    if start_method == "spawn":
        return Spawning()
    server = fork_server.running()
    if start_method is None and device == "cuda" and server.touched_cuda:
        return Spawning()
    return server


def _do_probe(item: Item, probe: Probe, device: str, seconds: float) -> Row:
    begin = time.perf_counter()
    process, pipe = starter_for(device, probe.start_method).start_worker(call, probe)
    try:
        row = _heard(item, pipe, seconds)
    finally:
        process.kill()
        process.join()
        if process.pid is not None:
            end_group(process.pid)  # such as a command that it was waiting for
        pipe.close()
    started = row.found.pop("started_at", None)
    if started is not None:
        row.found["start_seconds"] = round(started - begin, 4)
    return row


def _heard(item: Item, pipe: Connection, seconds: float) -> Row:
    """What the worker says, if it says anything in time."""
    try:
        if not pipe.poll(seconds):
            return Row(item.name, "timeout", 0.0, message=f"stopped after {seconds:.0f} s")
        said, what = pipe.recv()
    except (EOFError, OSError):
        return Row(item.name, "error", 0.0, message="the worker ended without a word")
    return (
        Row(item.name, "ok", 0.0, what)
        if said == "found"
        else Row(item.name, "error", 0.0, {}, what)
    )


def call(probe: Probe, connection: Connection) -> None:
    """A worker's whole life: the clock is the same for all processes of a machine."""
    started = time.perf_counter()
    try:
        connection.send(("found", {**probe.function(**probe.arguments), "started_at": started}))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a probe that fails is a row
        connection.send(("failed", first_line(error)))
    connection.close()
