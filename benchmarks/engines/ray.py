"""Cases on many machines: each is a task that Ray places where its resources are free.

On the machine it lands on, a case runs as the local engine runs it: a process of its own, watched,
with its own peaks. A worker of Ray that dies is replaced and its case done again; a case that
fails is a row, here as there, and is not.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# Ray reads these when it is imported. A cluster runs whatever it is sent: never without a token.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import ray
import ray.exceptions

from benchmarks.case import Case
from benchmarks.engines.local import CaseOutcome, Event, Listener, LocalEngine
from model_registry.errors import OhloraError
from model_registry.language import text
from model_registry.records import Result

RETRIES = 3  # of a case whose worker died, never of one that failed by itself
_TICK_SECONDS = 0.25
_EVENT_SECONDS = 0.5  # between two progress events of one case
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Needs:
    """What a case asks of the machine it is placed on."""

    cpus: float
    gpus: float
    memory_bytes: int | None

    def options(self) -> dict[str, Any]:
        """As Ray takes it."""
        memory = {"memory": self.memory_bytes} if self.memory_bytes else {}
        return {"num_cpus": self.cpus, "num_gpus": self.gpus, **memory}

    def fit(self, resources: dict[str, float]) -> bool:
        """Whether a machine could ever have that much free."""
        return (
            self.cpus <= resources.get("CPU", 0)
            and self.gpus <= resources.get("GPU", 0)
            and (self.memory_bytes or 0) <= resources.get("memory", 0)
        )


def needs_of(case: Case, gpu_share: float = 1.0) -> Needs:
    """Its threads as CPUs; a GPU or a share of one; memory where the case is limited to some.

    A share lets cases run side by side on one GPU: more rows an hour, but times that disturb each
    other. Ray knows nothing of a GPU's memory: the limit of each case must leave room for all.
    """
    if case.contract.device == "cuda":
        return Needs(1.0, gpu_share, None)
    return Needs(float(case.contract.threads), 0.0, case.limits.memory_bytes)


class RayEngine:
    """Runs cases on a Ray cluster, as many at once as find room.

    Args:
        address: of a cluster that is up ("host:6379"); None starts one on this machine.
        gpu_share: of a GPU that a case takes, 1.0 for a whole one.
        cpus: of a cluster started here; None takes all.
    """

    def __init__(
        self, address: str | None = None, gpu_share: float = 1.0, cpus: int | None = None
    ) -> None:
        self.address, self.gpu_share, self.cpus = address, gpu_share, cpus
        self._board: Any = None
        self._task: Any = None

    def start(self) -> float:
        """Connect, or start a cluster; the seconds that took. Done by the first case otherwise.

        Raises:
            OhloraError: nothing answers at the address.
        """
        if self._board is not None:
            return 0.0
        begin = time.perf_counter()
        self._connect()
        self._board = ray.remote(_Board).options(num_cpus=0, max_restarts=-1).remote()
        self._task = ray.remote(_do)
        return time.perf_counter() - begin

    def _connect(self) -> None:
        common: dict[str, Any] = {
            "log_to_driver": False, "logging_level": "ERROR", "ignore_reinit_error": True,
            # The tasks find our modules where this clone is, installed or not.
            "runtime_env": {"env_vars": {"PYTHONPATH": _python_path()}},
        }  # fmt: skip
        if self.address is None:
            # A cluster of our own needs no token file in the home folder, but a token.
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
            _start_here(num_cpus=self.cpus, **common)
            return
        try:
            ray.init(address=self.address, **common)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise OhloraError(
                f"No Ray cluster answers at {self.address} ({first}). On its first machine: "
                "`ray start --head --port=6379`; each machine needs the same token and versions "
                "(docs/sweeps.md)."
            ) from error

    def machines(self) -> list[dict[str, Any]]:
        """The machines of the cluster that are up: name, address, resources."""
        self.start()
        return [
            {
                "name": node["NodeManagerHostname"],
                "address": node["NodeManagerAddress"],
                "id": node["NodeID"],
                "resources": dict(node["Resources"]),
            }
            for node in ray.nodes()
            if node["Alive"]
        ]

    def run(self, case: Case, listen: Listener = lambda event: None) -> CaseOutcome:
        """Do one case; returns however it ends."""
        _, outcome = next(self.run_all([case], _Listening(listen)))
        return outcome

    def run_all(self, cases: Sequence[Case], watcher: Any) -> Iterator[tuple[Case, CaseOutcome]]:
        """Do all cases and give each as it ends.

        Servers are asked one case at a time, whatever room there is: two that share a server
        would measure each other.
        """
        self.start()
        if hasattr(watcher, "planned"):
            watcher.planned(cases)
        room = [machine["resources"] for machine in self.machines()]
        asking = deque(case for case in cases if case.candidate.backend != "transformers")
        pending: dict[Any, tuple[Case, float]] = {}
        for case in cases:
            if not any(needs_of(case, self.gpu_share).fit(resources) for resources in room):
                yield case, _nowhere(case, needs_of(case, self.gpu_share))
                if case in asking:
                    asking.remove(case)
            elif case.candidate.backend == "transformers":
                pending[self._submit(case)] = (case, time.perf_counter())
        try:
            yield from self._follow(pending, asking, watcher)
        finally:  # Ctrl+C among them: nobody waits for these any more
            for reference in pending:
                with contextlib.suppress(ray.exceptions.RayError):
                    ray.cancel(reference, force=True)

    def _follow(
        self, pending: dict[Any, tuple[Case, float]], asking: deque[Case], watcher: Any
    ) -> Iterator[tuple[Case, CaseOutcome]]:
        asked: Any = None
        while pending or asking:
            if asking and asked not in pending:
                case = asking.popleft()
                asked = self._submit(case)
                pending[asked] = (case, time.perf_counter())
            ready, _ = ray.wait(list(pending), num_returns=1, timeout=_TICK_SECONDS)
            self._pass_on(watcher)
            for reference in ready:
                case, began = pending.pop(reference)
                outcome = self._collect(case, reference)
                outcome.wall_seconds = outcome.wall_seconds or time.perf_counter() - began
                yield case, outcome

    def _submit(self, case: Case) -> Any:
        options = needs_of(case, self.gpu_share).options()
        return self._task.options(max_retries=RETRIES, retry_exceptions=False, **options).remote(
            case, self._board
        )

    def _collect(self, case: Case, reference: Any) -> CaseOutcome:
        try:
            outcome, files = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            return _lost(case, "error", f"{type(error.cause).__name__}: {error.cause}")
        except ray.exceptions.OutOfMemoryError:
            return _lost(case, "killed", "Ray ended its worker: the machine's memory ran out")
        except ray.exceptions.RayError as error:
            first = str(error).strip().splitlines()[0]
            return _lost(case, "killed", f"its worker died {RETRIES + 1} times ({first})")
        if case.keep is not None:
            for name, data in files.items():
                place = Path(case.keep) / name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
        return outcome

    def _pass_on(self, watcher: Any) -> None:
        """What the workers told since the last look. Progress is never worth a failure."""
        try:
            events = ray.get(self._board.take.remote(), timeout=5)
        except (ray.exceptions.RayError, TimeoutError):
            return
        for case, where, event in events:
            if hasattr(watcher, "case_event"):
                watcher.case_event(case, where, event)
            else:
                watcher.event(event)

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self._board = self._task = None
        ray.shutdown()


def _start_here(**options: Any) -> None:
    """A cluster on this machine. Ray gives its parts 30 s, which a busy machine may not have.

    Raises:
        OhloraError: it did not come up, twice.
    """
    for last in (False, True):
        try:
            ray.init(address="local", include_dashboard=False, **options)
            return
        except Exception as error:
            ray.shutdown()
            if last or "timed out during startup" not in str(error):
                first = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise OhloraError(
                    f"Ray did not come up on this machine ({first}). `--engine local` needs none."
                ) from error


def _python_path() -> str:
    return os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))


def _nowhere(case: Case, needs: Needs) -> CaseOutcome:
    """A row for a case that Ray would wait with for ever."""
    wanted = f"{needs.cpus:g} CPU, {needs.gpus:g} GPU"
    if needs.memory_bytes:
        wanted += f", {needs.memory_bytes / 2**30:.1f} GiB"
    said = text(f"no machine of the cluster has {wanted}", f"클러스터에 {wanted} 장비가 없음")
    return _lost(case, "unsupported_device", said)


def _lost(case: Case, status: str, message: str) -> CaseOutcome:
    return CaseOutcome(
        case.result(status, stage="start", message=message, weights=case.contract.weights)
    )


@dataclass(slots=True)
class _Listening:
    """A watcher for one case."""

    event: Listener


# --- On the machine where a case lands ---------------------------------------------------------


class _Board:
    """Where workers pin what happens, until the engine takes it off."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, Event]] = []

    def pin(self, case: str, where: str, event: Event) -> None:
        self.events.append((case, where, event))

    def take(self) -> list[tuple[str, str, Event]]:
        taken, self.events = self.events, []
        return taken


_engine: LocalEngine | None = None  # kept by a worker of Ray: its fork server starts once


def _do(case: Case, board: Any) -> tuple[CaseOutcome, dict[str, bytes]]:
    """One case, as the local engine does it; with the files that it made."""
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
    with tempfile.TemporaryDirectory(prefix="ohlora-") as made:
        outcome = _engine.run(_case_here(case, made), listen)
        files = {
            str(path.relative_to(made)): path.read_bytes()
            for path in sorted(Path(made).rglob("*"))
            if path.is_file()
        }
    outcome.result = _with_its_machine(case, outcome.result)
    return outcome, files


def _case_here(case: Case, made: str) -> Case:
    """The case with the paths of this machine: bundled weights lie where this clone is."""
    candidate = case.candidate
    if candidate.path is not None and "bundled" in candidate.traits:
        from model_registry.weights import BUNDLED

        inside = BUNDLED / Path(candidate.path).name
        if inside.exists():
            candidate = replace(candidate, path=str(inside))
    return replace(case, candidate=candidate, keep=made if case.keep is not None else None)


def _with_its_machine(case: Case, result: Result) -> Result:
    """A result from a machine of another kind bears another contract: it does not compare."""
    name = result.machine.get("name")
    if name is None or name == case.contract.machine or not case.contract.machine:
        return result
    theirs = replace(case.contract, machine=str(name))
    return replace(result, contract=theirs.hash, policy=theirs.shared())
