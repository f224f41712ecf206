"""The Ray task: runs one case with the local engine of the machine where Ray places it.

Nothing here imports Ray: it is already there in the worker that runs this.
"""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.engines.engine import CaseOutcome, Event
from benchmarks.engines.local import LocalEngine
from benchmarks.run.case import Case
from model_registry.records import Result
from model_registry.weights.loading import BUNDLED

SIGN_OF_LIFE_SECONDS = 5.0
_EVENT_SECONDS = 0.5  # between two progress events of one case
_engine: LocalEngine | None = None  # kept by a worker of Ray: its fork server starts once


class EventBoard:
    """A Ray actor that holds the workers' events until the engine fetches them."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, Event]] = []

    def pin(self, case: str, where: str, event: Event) -> None:
        """Add an event of a case."""
        self.events.append((case, where, event))

    def take(self) -> list[tuple[str, str, Event]]:
        """All events since the last call."""
        taken, self.events = self.events, []
        return taken


def do_case(case: Case, board: Any) -> tuple[CaseOutcome, dict[str, bytes]]:
    """Run one case with this machine's local engine; returns its outcome and the files it made.

    Raises:
        NotReady: the libraries of this machine could not be imported in time.
    """
    global _engine
    _engine = _engine or LocalEngine()
    where = f"{socket.gethostname()}:{os.getpid()}"
    last = 0.0

    def listen(event: Event) -> None:
        nonlocal last
        if event[0] == "stage" or (
            event[0] == "progress" and time.monotonic() - last > _EVENT_SECONDS
        ):
            last = time.monotonic()
            board.pin.remote(case.id, where, event)

    board.pin.remote(case.id, where, ("began",))
    with _signs_of_life(case, where, board), tempfile.TemporaryDirectory(prefix="ohlora-") as made:
        board.pin.remote(case.id, where, ("stage", "imports"))
        _engine.start(case.contract.device)
        outcome = _engine.run(case_here(case, made), listen)
        files = {
            str(path.relative_to(made)): path.read_bytes()
            for path in sorted(Path(made).rglob("*"))
            if path.is_file()
        }
    outcome.result = with_its_machine(case, outcome.result)
    return outcome, files


@contextmanager
def _signs_of_life(case: Case, where: str, board: Any) -> Iterator[None]:
    """A word now and then, so that a long silence means that nobody works."""
    over = threading.Event()

    def tell() -> None:
        while not over.wait(SIGN_OF_LIFE_SECONDS):
            board.pin.remote(case.id, where, ("alive",))

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()


def case_here(case: Case, made: str) -> Case:
    """The case with this machine's paths: bundled weights lie where this clone is."""
    candidate = case.candidate
    if candidate.path is not None and "bundled" in candidate.traits:
        inside = BUNDLED / Path(candidate.path).name
        if inside.exists():
            candidate = replace(candidate, path=str(inside))
    return replace(case, candidate=candidate, keep=made if case.keep is not None else None)


def with_its_machine(case: Case, result: Result) -> Result:
    """The result under a contract of its own if this machine is of another kind."""
    name = result.machine.get("name")
    if name is None or name == case.contract.machine or not case.contract.machine:
        return result
    theirs = replace(case.contract, machine=str(name))
    return replace(result, contract=theirs.hash, policy=theirs.shared())
