"""Sweeps over machines: the same rows as on one, whatever dies on the way.

They bring up a cluster of two nodes on this machine, as `ray start` does on two. `make test-slow`
installs Ray for them.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

if importlib.util.find_spec("ray") is None:  # imported by our engine first, with a token asked for
    pytest.skip("ray is not installed", allow_module_level=True)

from benchmarks.engines import ray as ray_engine
from benchmarks.engines.engine import Watcher
from benchmarks.engines.local import LocalEngine
from benchmarks.engines.ray import RayEngine
from benchmarks.results.folder import RunFolder
from benchmarks.run.case import Case, Limits, Task
from benchmarks.run.runner import run_plan
from benchmarks.study.contract import Contract
from model_registry import machine
from model_registry.errors import OhloraError
from model_registry.records import Reply
from model_registry.registry import Registry
from tests.conftest import ROWS
from tests.support.fake_servers import free_port
from tests.support.small_study import plan_study, write_study

HERE = str(machine.describe("cpu")["name"])
CONTRACT = replace(Contract(max_new_tokens=6, epochs=1, samples=0), machine=HERE)
TASK = Task(train=ROWS[:4], valid=ROWS[4:6], prompts=ROWS[6:])
SWEEP = [("inference", {}), ("fine-tune", {"rank": 2}), ("fine-tune", {"rank": 4})]
ROOT = Path(__file__).resolve().parents[3]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def cases(names: tuple[str, ...] = ("bundled-neox-0.4m", "bundled-qwen2-1m")) -> list[Case]:
    registry = Registry()
    return [
        Case(registry.candidate(name), workload, CONTRACT, TASK, settings)
        for name in names
        for workload, settings in SWEEP
    ]


@dataclass
class Cluster:
    """Where it is reached, and the processes that `ray start` holds, the head's first."""

    address: str
    nodes: list[subprocess.Popen[bytes]]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two nodes of one CPU each, brought up by `ray start`."""
    ray = shutil.which("ray", path=str(Path(sys.executable).parent))
    assert ray is not None
    token = tmp_path_factory.mktemp("token") / "auth_token"
    token.write_text("0123456789abcdef" * 4)
    variables = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token),
                 "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1",
                 # Nobody's worker is ended for the memory that others use on this machine.
                 "RAY_memory_monitor_refresh_ms": "0"}  # fmt: skip
    os.environ |= variables
    port = free_port()
    small = ["--num-cpus=1", "--object-store-memory=100000000", "--disable-usage-stats"]
    head = [ray, "start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={port}",
            "--include-dashboard=false", *small]  # fmt: skip
    other = [ray, "start", "--block", f"--address=127.0.0.1:{port}",
             "--node-ip-address=127.0.0.2", *small]  # fmt: skip
    nodes: list[subprocess.Popen[bytes]] = []
    try:
        for count, command in enumerate((head, other), start=1):
            nodes.append(_start(command, port, count))
        yield Cluster(f"127.0.0.1:{port}", nodes)
    finally:
        for node in nodes:
            node.terminate()
        for node in nodes:
            try:
                node.wait(30)
            except subprocess.TimeoutExpired:
                node.kill()
                node.wait()
        for name in variables:
            os.environ.pop(name, None)


def _start(command: list[str], port: int, count: int) -> subprocess.Popen[bytes]:
    """Start a node and wait until the cluster has so many.

    Ray gives up after 30 s of starting, which a busy machine may take: then once more.
    """
    for _ in range(3):
        node = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        asked = [sys.executable, "-c", _COUNT, f"127.0.0.1:{port}", str(count)]
        counting = subprocess.Popen(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while counting.poll() is None and node.poll() is None:
            time.sleep(0.2)
        if counting.poll() == 0:
            return node
        counting.kill()
        counting.wait()
        node.kill()
        node.wait()
    raise TimeoutError("no node of Ray came up on this machine")


_COUNT = """
import sys, time, ray
until = time.monotonic() + 300
while time.monotonic() < until:
    try:
        ray.init(address=sys.argv[1], logging_level="ERROR", log_to_driver=False)
        while sum(node["Alive"] for node in ray.nodes()) < int(sys.argv[2]):
            time.sleep(0.5)
            assert time.monotonic() < until
        sys.exit(0)
    except (ConnectionError, RuntimeError, ValueError):
        time.sleep(1)
sys.exit(1)
"""


@pytest.fixture(scope="module")
def engine(cluster: Cluster) -> Iterator[RayEngine]:
    engine = RayEngine(cluster.address, wait_seconds=240)
    engine.start()
    yield engine
    engine.close()


class Notes(Watcher):
    """A watcher that keeps what it was told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, tuple[Any, ...]]] = []
        self.on_stage: Any = None
        self.reasons: list[str] = []

    def waiting(self, why: str) -> None:
        if why and why not in self.reasons:
            self.reasons.append(why)

    def begin(self, cases: int, done: int) -> None:
        self.begun = (cases, done)

    def case_event(self, case: str, where: str, event: tuple[Any, ...]) -> None:
        self.events.append((case, where, event))
        if self.on_stage is not None:
            self.on_stage(case, where, event)

    def event(self, event: tuple[Any, ...]) -> None:
        raise AssertionError("it does not say of which case")

    def beginnings(self, case: str) -> int:
        return sum(each == case and event == ("began",) for each, _, event in self.events)


def greedy(replies: list[Reply]) -> set[tuple[str, int | None, str, str]]:
    return {(r.candidate, r.tuned, r.prompt, r.reply) for r in replies if r.pass_ == "greedy"}


@pytest.fixture(scope="module")
def expected() -> dict[str, set]:
    """What the same sweep gives on one machine."""
    engine = LocalEngine()
    outcomes = [(case, engine.run(case)) for case in cases()]
    assert all(outcome.result.ok for _, outcome in outcomes)
    return {case.id: greedy(outcome.replies) for case, outcome in outcomes}


def test_two_nodes_give_the_same_rows_and_the_same_greedy_replies(
    engine: RayEngine, expected: dict[str, set]
) -> None:
    notes = Notes()
    found = {case.id: o for case, o in engine.run_all(cases(), notes)}
    assert {name: greedy(o.replies) for name, o in found.items()} == expected
    assert {o.result.status for o in found.values()} == {"ok"}
    assert {o.result.contract for o in found.values()} == {CONTRACT.hash}
    assert len(engine.machines()) == 2
    assert len({where for _, where, event in notes.events if event == ("began",)}) >= 2
    assert all(notes.beginnings(name) == 1 for name in expected)


def test_with_a_worker_killed_in_the_middle_the_rows_are_still_the_same(
    engine: RayEngine, expected: dict[str, set]
) -> None:
    notes, killed = Notes(), []

    def kill_once(case: str, where: str, event: tuple[Any, ...]) -> None:
        if not killed and event[0] == "stage":
            killed.append(case)
            os.kill(int(where.rpartition(":")[2]), signal.SIGKILL)

    notes.on_stage = kill_once
    found = {case.id: o for case, o in engine.run_all(cases(), notes)}
    assert killed
    assert {name: greedy(o.replies) for name, o in found.items()} == expected
    assert {o.result.status for o in found.values()} == {"ok"}


def test_what_a_slow_board_gives_after_a_look_is_found_by_the_next(
    engine: RayEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    notes, whole, slow = Notes(), ray.get, iter([True])

    def get(reference: Any, timeout: float | None = None) -> Any:
        if next(slow, False):
            raise ray.exceptions.GetTimeoutError
        return whole(reference, timeout=timeout)

    monkeypatch.setattr(ray, "get", get)
    engine.start()
    engine._board.pin.remote("one", "here", ("began",))
    assert not engine._pass_on(notes) and engine._pass_on(notes)
    assert notes.beginnings("one") == 1


def test_a_case_that_fails_by_itself_is_a_row_and_is_not_done_again(engine: RayEngine) -> None:
    missing = replace(cases()[0].candidate, name="gone", path="/nowhere", traits=())
    limited = replace(cases()[0], settings={"x": 1}, limits=Limits(seconds=0.05))
    broken = replace(cases()[0], candidate=missing)
    notes = Notes()
    found = {case.id: o.result.status for case, o in engine.run_all([broken, limited], notes)}
    assert found == {broken.id: "unreachable", limited.id: "timeout"}
    assert notes.beginnings(broken.id) == notes.beginnings(limited.id) == 1


def test_what_no_machine_has_is_a_row_and_not_a_wait_for_ever(engine: RayEngine) -> None:
    case = cases()[0]
    on_gpu = replace(case, contract=replace(CONTRACT, device="cuda"))
    huge = replace(case, limits=Limits(memory_bytes=2**50))
    found = [o.result for _, o in engine.run_all([on_gpu, huge], Notes())]
    assert {result.status for result in found} == {"unsupported_device"}
    assert "1 GPU" in str(found[0].message)


def test_a_sweep_goes_on_where_it_stopped_and_brings_the_adapters_home(
    engine: RayEngine, tmp_path: Path, tiny_model: Path
) -> None:
    plan = plan_study(write_study(tmp_path / "study", tiny_model), tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    first = replace(plan, cases=plan.cases[:2])
    run_plan(first, folder, engine, Notes())
    notes = Notes()
    results = run_plan(plan, folder, engine, notes, resume=True)
    assert notes.begun == (len(plan.cases), 2)
    assert {result.case for result in results} == {case.id for case in plan.cases}
    assert not any(notes.beginnings(case.id) for case in first.cases)
    adapters = list((tmp_path / "run" / "adapters").rglob("adapter_model.safetensors"))
    assert len(adapters) == sum(case.keep is not None for case in plan.cases)


class Held:
    """Keeps all CPUs of a cluster, as somebody else's work does."""

    def hold(self) -> None:
        """Now it is there."""


def test_a_cluster_that_others_use_up_is_waited_for_with_a_word_and_then_no_longer(
    engine: RayEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    monkeypatch.setattr(ray_engine, "QUIET_SECONDS", 0.5)
    monkeypatch.setattr(engine, "wait_seconds", 3.0)
    others = [ray.remote(Held).options(num_cpus=1).remote() for _ in engine.machines()]
    ray.get([other.hold.remote() for other in others], timeout=120)
    until = time.monotonic() + 120  # it is told of what is free a moment later
    while any(each["free"].get("CPU") for each in engine.machines()) and time.monotonic() < until:
        time.sleep(0.1)
    notes, began = Notes(), time.monotonic()
    with pytest.raises(OhloraError, match=r"no machine has 1 CPU free.*--resume goes on"):
        list(engine.run_all(cases()[:1], notes))
    assert time.monotonic() - began < 120
    assert len(notes.reasons) == 1 and "others use the cluster" in notes.reasons[0]
    for other in others:
        ray.kill(other)
    monkeypatch.setattr(engine, "wait_seconds", 240.0)
    ((_, outcome),) = engine.run_all(cases()[:1], notes)
    assert outcome.result.ok  # it goes on as soon as there is room again


def test_with_a_machine_lost_in_the_middle_the_rows_are_still_the_same(
    engine: RayEngine, cluster: Cluster, expected: dict[str, set]
) -> None:
    import psutil

    notes, lost = Notes(), []

    def lose_once(case: str, where: str, event: tuple[Any, ...]) -> None:
        if lost or event[0] != "stage":
            return
        works = psutil.Process(int(where.rpartition(":")[2]))
        for process in (other := psutil.Process(cluster.nodes[1].pid)).children(recursive=True):
            if process.pid == works.pid:
                lost.append(case)
        if lost:
            for process in [*other.children(recursive=True), other]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()

    notes.on_stage = lose_once
    found = {case.id: o for case, o in engine.run_all(cases(), notes)}
    # Most often the one that was heard of; where that had ended meanwhile, the next one there.
    assert lost and 2 in [notes.beginnings(name) for name in expected]
    assert {name: greedy(o.replies) for name, o in found.items()} == expected
    assert {o.result.status for o in found.values()} == {"ok"}


def test_a_cluster_started_here_gives_its_workers_time_to_get_up() -> None:
    """Ray's own minute is too short on a crowded machine: it starts them again, for ever."""
    asked = (
        "import benchmarks.engines.ray, ray; print(ray._config.worker_register_timeout_seconds())"
    )
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "300", done.stderr


SLOW_WORKERS = """
import sys, time
if any("default_worker" in word for word in sys.orig_argv):
    time.sleep(120)
"""
NEVER_STARTS = """
from tests.benchmarks.engines.test_engine_ray import Notes, cases
from benchmarks.engines.ray import RayEngine
from model_registry.errors import OhloraError
engine = RayEngine(cpus=1, wait_seconds=5)
try:
    list(engine.run_all(cases()[:1], Notes()))
except OhloraError as error:
    print(error)
engine.close()
"""


def test_workers_that_do_not_get_up_in_time_end_a_sweep_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SLOW_WORKERS, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "OHLORA_LANG": "en"}
    for name in ("RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", NEVER_STARTS], cwd=ROOT, env=environment, capture_output=True,
        text=True, timeout=900,
    )  # fmt: skip
    heard = re.search(r"Nothing was heard of any case for (\d+) s", done.stdout)
    assert heard is not None and int(heard[1]) >= 5, done.stdout + done.stderr
    assert "its worker has not started yet" in done.stdout and "--resume goes on" in done.stdout
