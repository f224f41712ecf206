"""What ends a case or a run from outside: signals, a dead fork server, a second command."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from benchmarks.engines import fork_server
from benchmarks.engines.engine import CaseOutcome
from benchmarks.engines.local import LocalEngine
from benchmarks.results.folder import RunFolder
from benchmarks.run import progress
from benchmarks.run.runner import judge_run, run_plan
from evaluators.evaluator import EachReply
from model_registry.errors import OhloraError
from model_registry.records import Score
from tests.benchmarks.engines.test_engine_local import long_task
from tests.benchmarks.run.test_run import Counting, lines_of
from tests.support.run_in_a_process import QuickEngine, Silent
from tests.support.small_study import plan_study, write_study

ROOT = Path(__file__).resolve().parents[3]


class Ends(QuickEngine):
    """Ends the cases of these candidates with a status, as often as it is asked."""

    def __init__(self, ends: dict[str, str], **figures: str) -> None:
        self.ends, self.figures, self.done = ends, figures, []

    def run(self, case, listen):
        self.done.append(case.id)
        outcome = super().run(case, listen)
        status = self.ends.get(case.id, "ok")
        if status == "ok":
            return outcome
        result = replace(outcome.result, status=status, figures=dict(self.figures))
        return CaseOutcome(result, outcome.replies[:3], [])


@pytest.fixture
def plan(tmp_path, tiny_model):
    return plan_study(write_study(tmp_path / "study", tiny_model), tmp_path / "run")


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return RunFolder(tmp_path / "run")


def test_what_was_killed_from_outside_is_done_again_by_resume(plan, folder):
    killed = plan.cases[1].id
    run_plan(plan, folder, Ends({killed: "killed"}), Silent())
    again = Counting()
    results = run_plan(plan, folder, again, Silent(), resume=True)
    assert again.done == [killed]
    assert {result.status for result in results} == {"ok"}
    assert len(folder.replies()) == 40 * len(plan.cases)


@pytest.mark.parametrize("status", ["oom_training", "nan_loss", "error", "timeout"])
def test_what_failed_by_itself_is_done_again_only_when_that_is_asked(plan, folder, status):
    failed = plan.cases[0].id
    run_plan(plan, folder, Ends({failed: status}), Silent())
    resumed, retried = Counting(), Counting()
    run_plan(plan, folder, resumed, Silent(), resume=True)
    results = run_plan(plan, folder, retried, Silent(), retry_failed=True)
    assert resumed.done == []
    assert retried.done == [failed]
    assert {result.status for result in results} == {"ok"}


def test_a_case_that_met_a_full_disk_has_not_failed_by_itself(plan, folder):
    met = plan.cases[0].id
    run_plan(plan, folder, Ends({met: "error"}, errno="ENOSPC"), Silent())
    again = Counting()
    run_plan(plan, folder, again, Silent(), resume=True)
    assert again.done == [met]


@pytest.mark.parametrize(("figures", "done_instead"), [({"errno": "ENOSPC"}, 0), ({}, 1)])
def test_only_a_case_that_failed_by_itself_has_another_done_in_its_place(
    plan, folder, figures, done_instead
):
    first = plan.cases[0]
    other = replace(first, settings={"quantization": "nf4"}, instead_of=first.id)
    plan = replace(plan, cases=(*plan.cases, other))
    engine = Ends({first.id: "error"}, **figures)
    run_plan(plan, folder, engine, progress.Silent())
    assert engine.done.count(other.id) == done_instead


def test_a_case_whose_replies_were_lost_is_done_again(plan, folder):
    run_plan(plan, folder, Counting(), Silent())
    replies = folder.path / "replies.jsonl"
    lines = replies.read_bytes().splitlines(keepends=True)
    replies.write_bytes(b"".join(lines[:50] + lines[51:]))
    again = Counting()
    run_plan(plan, folder, again, Silent(), resume=True)
    assert again.done == [plan.cases[1].id]


class SaysOtherwise(QuickEngine):
    """Its replies differ from those of an earlier try."""

    def run(self, case, listen):
        outcome = super().run(case, listen)
        outcome.replies = [replace(reply, reply="다른 답") for reply in outcome.replies]
        return outcome


def test_replies_of_a_case_that_was_done_again_are_judged_again(plan, folder, monkeypatch):
    length = EachReply("length", lambda reply: Score(float(len(reply.reply))))
    monkeypatch.setattr("benchmarks.run.runner.load_evaluators", lambda files: {"length": length})
    killed = plan.cases[0].id
    run_plan(plan, folder, Ends({killed: "killed"}), Silent())
    judge_run(folder)
    run_plan(plan, folder, SaysOtherwise(), Silent(), resume=True)
    judge_run(folder)
    scores = [r for r in folder.scores() if r.case == killed and r.evaluator == "length"]
    assert len(scores) == 40
    assert {row.value for row in scores} == {4.0}


def test_a_second_run_in_the_same_folder_is_told_who_is_there(plan, folder):
    begun, go_on = threading.Event(), threading.Event()

    class Slow(QuickEngine):
        def run(self, case, listen):
            begun.set()
            go_on.wait(120)
            return super().run(case, listen)

    first = threading.Thread(target=run_plan, args=(plan, folder, Slow(), Silent()))
    first.start()
    try:
        assert begun.wait(120)
        with pytest.raises(OhloraError, match=f"in use by process {os.getpid()} on "):
            run_plan(plan, RunFolder(folder.path), Counting(), Silent(), resume=True)
    finally:
        go_on.set()
        first.join()
    assert len(lines_of(folder.path, "results.jsonl")) == len(plan.cases)


def killed_by(number: int, whom: str):
    """A listener that sends a signal to the worker, or to what it was forked from."""

    def listen(event) -> None:
        if event[0] == "hello":
            listen.worker = event[1]
        if event == ("stage", "inference"):
            worker = psutil.Process(listen.worker)
            (worker if whom == "worker" else worker.parent()).send_signal(number)

    return listen


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_worker_ended_by_a_signal_is_killed(engine, small_case, number):
    case = replace(small_case(max_new_tokens=200), task=long_task())
    result = engine.run(case, killed_by(number, "worker")).result
    assert (result.status, result.stage) == ("killed", "inference")
    assert f"signal {int(number)}" in result.message


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_death_of_the_fork_server_is_killed_and_the_run_goes_on(engine, small_case, number):
    case = replace(small_case(max_new_tokens=200), task=long_task())
    result = engine.run(case, killed_by(number, "server")).result
    assert (result.status, result.stage) == ("killed", "inference")
    assert engine.run(small_case()).result.status == "ok"


@pytest.mark.slow
def test_a_fork_server_that_died_between_two_cases_costs_none(engine, small_case):
    fork_server.running()._process.kill()
    assert engine.run(small_case()).result.status == "ok"


def _start_a_child(case, connection) -> None:
    """A worker that leaves a process behind."""
    child = subprocess.Popen(["sleep", "600"])
    connection.send(("hello", os.getpid(), 0))
    connection.send(("child", child.pid))
    print("로 시작하는 말")  # its standard output is not the command's


def ends(pid: int) -> bool:
    """Whether a process that was killed is gone, or a zombie that nobody has asked after."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


def test_what_a_worker_started_ends_with_it(engine, small_case, capfd):
    told = []
    outcome = LocalEngine(work=_start_a_child).run(small_case(), told.append)
    assert outcome.result.status == "error"
    (child,) = [event[1] for event in told if event[0] == "child"]
    assert ends(child)
    assert capfd.readouterr().out == ""


PARENT = """
import sys
from benchmarks.engines import fork_server
fork_server.PRELOAD = "tests.support.light_work"
from tests.support.light_work import engine_that_takes, stop_like_the_command
from tests.benchmarks.run.test_interruptions import case_of_nothing
stop_like_the_command(
    lambda: engine_that_takes(60).run(case_of_nothing(), lambda event: print(event, flush=True))
)
"""


def case_of_nothing():
    """A case that light work can do: its model is never loaded."""
    from benchmarks.run.case import Case
    from benchmarks.study.contract import Contract
    from tests.support.tiny_models import tiny_candidate

    return Case(tiny_candidate(Path("nowhere")), "inference", Contract())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_no_process_and_no_folder_of_a_killed_parent_stays(tmp_path, number):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert "hello" in parent.stdout.readline()
    family = psutil.Process(parent.pid).children(recursive=True)
    assert len(family) == 2 and list(tmp_path.iterdir())
    parent.send_signal(number)
    parent.communicate(timeout=120)
    assert psutil.wait_procs(family, timeout=60)[1] == []
    assert list(tmp_path.iterdir()) == []


def test_times_are_not_negative_where_the_clock_is_set_back(engine, small_case):
    """Only started_at is the clock's; a fake one that runs backwards changes no duration."""
    outcome = LocalEngine(work=_with_a_clock_that_runs_back).run(
        small_case("fine-tune", {"rank": 2})
    )
    assert outcome.result.status == "ok"
    assert all(seconds > 0 for seconds in outcome.result.seconds.values())
    assert all(reply.seconds is None or reply.seconds >= 0 for reply in outcome.replies)
    assert outcome.wall_seconds > 0


def _with_a_clock_that_runs_back(case, connection) -> None:
    from benchmarks.run import worker

    then = time.time()
    time.time = lambda: (_back(), then - _back.count)[1]  # type: ignore[func-returns-value]  # it counts
    worker.main(case, connection)


def _back() -> None:
    _back.count = getattr(_back, "count", 0) + 3600


def test_what_a_parent_and_its_server_left_when_both_were_killed_is_swept(tmp_path):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert "hello" in parent.stdout.readline()
    family = psutil.Process(parent.pid).children(recursive=True)
    for process in family:
        process.suspend()  # or the server, which sees its parent go, tidies up before its own end
    for process in (psutil.Process(parent.pid), *family):
        with contextlib.suppress(psutil.NoSuchProcess):  # a worker ends with its server
            process.kill()
    parent.communicate(timeout=120)
    assert psutil.wait_procs(family, timeout=60)[1] == []
    assert len(list(tmp_path.iterdir())) == 1
    sweep = "from benchmarks.engines.local import LocalEngine; LocalEngine().close()"
    other = tmp_path / "ohlora-gptq-somebody"
    other.mkdir()
    subprocess.run([sys.executable, "-c", sweep], cwd=ROOT, check=True,
                   env=os.environ | {"TMPDIR": str(tmp_path)})  # fmt: skip
    assert list(tmp_path.iterdir()) == [other]
