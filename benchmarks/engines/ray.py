"""The Ray engine: runs cases on many machines, each as a task placed where resources are free.

On the machine it lands on, a case runs as the local engine runs it: a process of its own, watched,
with its own peaks. A worker of Ray that dies is replaced and its case done again; a case that
fails is a row, here as there, and is not. Where nothing happens for long, what is waited for is
said, and after `wait_seconds` the sweep ends with it.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_registry.files.json_values import JsonDict

# Ray reads these when it is imported. A cluster runs whatever it is sent: never without a token.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# A worker that needs longer than this to start is replaced by another that needs as long, for
# ever: on a crowded machine Ray's own 60 s are too short.
os.environ.setdefault("RAY_worker_register_timeout_seconds", "300")

import ray
import ray.exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from benchmarks.engines.engine import CaseOutcome, Engine, Event, Listener, Watcher, ignore_event
from benchmarks.engines.fork_server import NotReady, ServerDied
from benchmarks.engines.placement import WAIT_SECONDS, ResourceRequest, resources_of, why_waiting
from benchmarks.engines.ray_cluster import connect, live_machines
from benchmarks.engines.ray_task import EventBoard, do_case
from benchmarks.run.case import Case
from model_registry.errors import OhloraError
from model_registry.language import for_files, text

if TYPE_CHECKING:
    from ray import ObjectRef

RETRIES = 3  # of a case whose worker died, never of one that failed by itself
QUIET_SECONDS = 30.0  # without a word from any case, before it is said what is waited for
_TICK_SECONDS = 0.25
_LOOK_SECONDS = 5.0  # for what the workers told: the board may be only just starting


#: What a task brings back: how its case ended, and the files that it made by name.
Collected = tuple[CaseOutcome, dict[str, bytes]]


class RayEngine(Engine):
    """Runs cases on a Ray cluster, as many at once as its resources allow.

    Args:
        address: of a cluster that is up ("host:6379"); None starts one on this machine.
        gpu_share: of a GPU that a case takes, 1.0 for a whole one.
        cpus: of a cluster started here; None takes all.
        wait_seconds: without a word from any case, after which the sweep ends.
    """

    def __init__(
        self,
        address: str | None = None,
        gpu_share: float = 1.0,
        cpus: int | None = None,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self.address, self.gpu_share, self.cpus = address, gpu_share, cpus
        self.wait_seconds = wait_seconds
        self._board: Any = None  # a handle of Ray's, which makes its methods as it goes
        self._task: Any = None
        self._look: ObjectRef[list[tuple[str, str, Event]]] | None = None

    def start(self, device: str = "cpu") -> float:
        """Connect to a cluster or start one; returns how long that took.

        Args:
            device: of no meaning here: the machines have those that they have.

        Raises:
            OhloraError: nothing answers at the address.
        """
        if self._board is not None:
            return 0.0
        begin = time.perf_counter()
        connect(self.address, self.cpus)
        # Here, where it is read: it must not go when another machine does.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._board = ray.remote(EventBoard).options(
            num_cpus=0, max_restarts=-1, scheduling_strategy=here
        ).remote()  # fmt: skip
        self._task = ray.remote(do_case)
        return time.perf_counter() - begin

    def _connecting_words(self) -> str:
        """Said before connecting: while it does, nothing else can be, not even Ctrl+C heard."""
        if self._board is not None:
            return ""
        if self.address is None:
            return text("for Ray to start on this machine", "이 장비에서 Ray를 시작하는 중")
        return text(f"for Ray at {self.address}", f"{self.address}의 Ray에 연결하는 중")

    def machines(self) -> list[JsonDict]:
        """The cluster's live machines: name, address, id, resources, and those left free."""
        self.start()
        return live_machines()

    def run(self, case: Case, listen: Listener = ignore_event) -> CaseOutcome:
        """Do one case; returns however it ends."""
        _, outcome = next(self.run_all([case], _Listening(listen)))
        return outcome

    def run_all(
        self, cases: Sequence[Case], watcher: Watcher
    ) -> Iterator[tuple[Case, CaseOutcome]]:
        """Run all cases and yield each as it ends.

        Servers are asked one case at a time, whatever room there is: two that share a server
        would measure each other.

        Args:
            cases: what to do.
            watcher: is told events by `case_event`, and by `waiting` what is waited for.

        Raises:
            OhloraError: nothing was heard of any case for `wait_seconds`; the message says why.
        """
        watcher.planned(cases)
        watcher.waiting(self._connecting_words())
        self.start()
        room = [machine["resources"] for machine in self.machines()]
        asking: deque[Case] = deque()
        pending: dict[ObjectRef[Collected], tuple[Case, float]] = {}
        try:
            for case in cases:
                needs = resources_of(case, self.gpu_share)
                if not any(needs.fit(resources) for resources in room):
                    yield case, _nowhere(case, needs)
                elif case.candidate.backend == "transformers":
                    pending[self._submit(case)] = (case, time.perf_counter())
                else:
                    asking.append(case)
            yield from self._follow(pending, asking, watcher)
        finally:  # Ctrl+C among them: nobody waits for these any more
            for reference in pending:
                with contextlib.suppress(ray.exceptions.RayError):
                    ray.cancel(reference, force=True)

    def _follow(
        self,
        pending: dict[ObjectRef[Collected], tuple[Case, float]],
        asking: deque[Case],
        watcher: Watcher,
    ) -> Iterator[tuple[Case, CaseOutcome]]:
        asked: ObjectRef[Collected] | None = None
        heard = time.monotonic()
        while pending or asking:
            if asking and asked not in pending:
                case = asking.popleft()
                asked = self._submit(case)
                pending[asked] = (case, time.perf_counter())
            ready, _ = ray.wait(list(pending), num_returns=1, timeout=_TICK_SECONDS)
            if self._pass_on(watcher) or ready:
                heard = time.monotonic()
            self._be_patient(time.monotonic() - heard, pending.values(), watcher)
            for reference in ready:
                case, began = pending.pop(reference)
                outcome = self._collect(case, reference)
                outcome.wall_seconds = outcome.wall_seconds or time.perf_counter() - began
                yield case, outcome
                heard = time.monotonic()

    def _be_patient(
        self, quiet: float, pending: Iterable[tuple[Case, float]], watcher: Watcher
    ) -> None:
        """Say what is waited for, and end the sweep when that was waited for long enough."""
        why = ""
        if quiet >= min(QUIET_SECONDS, self.wait_seconds):
            needs = [resources_of(case, self.gpu_share) for case, _ in pending]
            machines = self.machines()
            why = why_waiting(
                needs,
                [machine["resources"] for machine in machines],
                [machine["free"] for machine in machines],
                alone=self.address is None,
            )
        if quiet >= self.wait_seconds:
            raise OhloraError(
                f"Nothing was heard of any case for {quiet:.0f} s: {why}. What is finished is "
                "kept: the same command with --resume goes on.",
                f"{quiet:.0f}초 동안 어떤 케이스도 소식이 없습니다: {why}. 끝난 것은 남아 "
                "있습니다: 같은 명령에 --resume을 더하면 이어갑니다.",
            )
        watcher.waiting(why)

    def _submit(self, case: Case) -> ObjectRef[Collected]:
        options = resources_of(case, self.gpu_share).options()
        submitted: ObjectRef[Collected] = self._task.options(
            max_retries=RETRIES, retry_exceptions=[NotReady, ServerDied], **options
        ).remote(case, self._board)  # fmt: skip
        return submitted

    def _collect(self, case: Case, reference: ObjectRef[Collected]) -> CaseOutcome:
        try:
            collected: Collected = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, NotReady):
                raise error.cause from None
            if isinstance(error.cause, ServerDied):
                return _lost(case, "killed", str(error.cause))
            return _lost(case, "error", f"{type(error.cause).__name__}: {error.cause}")
        except ray.exceptions.OutOfMemoryError:
            return _lost(case, "killed", "Ray ended its worker: the machine's memory ran out")
        except ray.exceptions.RayError as error:
            first = str(error).strip().splitlines()[0]
            return _lost(case, "killed", f"its worker died {RETRIES + 1} times ({first})")
        outcome, files = collected
        if case.keep is not None:
            for name, data in files.items():
                place = Path(case.keep) / name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)
        return outcome

    def _pass_on(self, watcher: Watcher) -> bool:
        """What the workers told since the last look; whether they told something.

        Progress is never worth a failure.
        """
        if self._look is None:
            self._look = self._board.take.remote()
        try:
            told: list[tuple[str, str, Event]] = ray.get(self._look, timeout=_LOOK_SECONDS)
        except (ray.exceptions.GetTimeoutError, TimeoutError):
            return False  # waited for again next time: what it takes, no other look finds
        except ray.exceptions.RayError:
            self._look = None
            return False
        self._look = None
        for case, where, event in told:
            watcher.case_event(case, where, event)
        return bool(told)

    def close(self) -> None:
        """Disconnect from the cluster; one that was started here ends."""
        self._board = self._task = self._look = None
        ray.shutdown()


@for_files()
def _nowhere(case: Case, needs: ResourceRequest) -> CaseOutcome:
    """A row for a case that Ray would wait with for ever."""
    wanted = needs.words()
    said = text(f"no machine of the cluster has {wanted}", f"클러스터에 {wanted} 장비가 없음")
    return _lost(case, "unsupported_device", said)


def _lost(case: Case, status: str, message: str) -> CaseOutcome:
    return CaseOutcome(
        case.result(status, stage="start", message=message, weights=case.contract.weights)
    )


class _Listening(Watcher):
    """A watcher for one case."""

    def __init__(self, listen: Listener) -> None:
        self.listen = listen

    def event(self, event: Event) -> None:
        self.listen(event)
