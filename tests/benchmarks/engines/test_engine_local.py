"""Each way a case can end is a row with the right status, and the run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import types
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from benchmarks.engines import fork_server
from benchmarks.engines.local import LocalEngine
from benchmarks.run.case import Limits, Task
from rows.row import Row
from tests.conftest import ROWS

ROOT = Path(__file__).resolve().parents[3]
MIB = 2**20


def long_task() -> Task:
    """Prompts and rows that keep a worker busy for many seconds."""
    long = tuple(Row(f"{n} " + "가" * 60, "나" * 40) for n in range(200))
    return Task(train=long, prompts=long)


class LateAt:
    """A listener, and the clock of the watch: an hour goes by as soon as a worker reaches a phase,
    however long it took to get there."""

    def __init__(self, phase: str) -> None:
        self.phase, self.gone = phase, 0.0

    def perf_counter(self) -> float:
        return time.perf_counter() + self.gone

    def __call__(self, event) -> None:
        if event == ("stage", self.phase):
            self.gone = 3600.0


class KillAt:
    """A listener that ends the worker from outside as soon as it reaches a phase."""

    def __init__(self, phase: str) -> None:
        self.phase, self.worker = phase, 0

    def __call__(self, event) -> None:
        if event[0] == "hello":
            self.worker = event[1]
        if event == ("stage", self.phase):
            os.kill(self.worker, signal.SIGKILL)


def test_a_case_that_ends_well_has_seconds_and_peaks_of_each_phase(engine, small_case):
    result = engine.run(small_case("fine-tune", {"rank": 4})).result
    assert (result.status, result.message, result.stage) == ("ok", None, None)
    phases = {"load", "validation_before", "warm_up", "training", "validation_after", "replies"}
    assert set(result.seconds) == set(result.peaks) == phases
    assert all(seconds > 0 for seconds in result.seconds.values())
    assert all(peak.process_bytes and peak.method for peak in result.peaks.values())
    assert result.versions["torch"] and result.machine["name"]


def test_a_case_over_its_memory_limit_while_training_is_oom_training(engine, small_case):
    case = small_case("fine-tune", {"rank": 4}, batch_size=64, epochs=20, warm_up=0)
    case = replace(case, task=long_task(), limits=Limits(memory_bytes=100 * MIB))
    result = engine.run(case).result
    assert result.status == "oom_training"
    assert "the limit is 100 MiB" in result.message
    assert result.stage == "training"


def test_a_case_over_its_memory_limit_while_loading_is_oom_load(engine, small_case):
    case = replace(small_case(), limits=Limits(memory_bytes=MIB))
    assert engine.run(case).result.status == "oom_load"


def test_a_case_over_its_memory_limit_while_answering_is_oom_inference(engine, small_case):
    case = small_case(max_new_tokens=8, warm_up=0)
    case = replace(case, task=Task(prompts=long_task().prompts[:32]))
    free = engine.run(case).result
    loading, answering = free.peak_bytes("load"), free.peak_bytes("replies")
    assert answering > loading + 4 * MIB
    limit = Limits(memory_bytes=(loading + answering) // 2)
    assert engine.run(replace(case, limits=limit)).result.status == "oom_inference"


def test_a_peak_that_came_and_went_between_two_looks_still_counts(engine, small_case, monkeypatch):
    monkeypatch.setattr("benchmarks.engines.worker_watch.resident_bytes", lambda pid: 0)
    case = replace(small_case(), limits=Limits(memory_bytes=MIB))
    result = engine.run(case).result
    assert (result.status, result.stage) == ("oom_load", "load")


def test_a_case_over_its_time_limit_is_a_timeout_and_keeps_what_it_found(
    engine, small_case, monkeypatch
):
    case = small_case(max_new_tokens=200)
    case = replace(case, task=long_task(), limits=Limits(seconds=1800))
    late = LateAt("inference")
    monkeypatch.setattr("benchmarks.engines.worker_watch.time", late)
    result = engine.run(case, late).result
    assert (result.status, result.stage) == ("timeout", "inference")
    assert "the limit is 1800 s" in result.message
    assert result.seconds["load"] > 0
    assert "inference" not in result.seconds


def test_a_worker_that_tells_without_pause_can_not_outrun_its_limit(engine, small_case):
    case = small_case("fine-tune", {"rank": 2}, batch_size=1, epochs=4000)
    case = replace(case, task=Task(train=ROWS[:2]), limits=Limits(seconds=2))
    outcome = engine.run(case)
    assert outcome.result.status == "timeout"
    assert outcome.wall_seconds < 120


def test_a_case_that_raises_is_an_error_with_its_message(engine, small_case):
    case = small_case("fine-tune", {"rank": 4})
    case = replace(case, task=Task(train=(*ROWS[:2], Row("대답이 없는 질문", ""))))
    result = engine.run(case).result
    assert result.status == "error"
    assert result.message.startswith("BadTrainingRow: Training row 3 ")


def test_a_worker_killed_from_outside_is_killed(engine, small_case):
    case = replace(small_case(max_new_tokens=200), task=long_task())
    result = engine.run(case, KillAt("inference")).result
    assert (result.status, result.stage) == ("killed", "inference")
    assert "signal 9" in result.message


def test_a_loss_that_is_no_number_is_nan_loss(engine, small_case):
    case = small_case("fine-tune", {"rank": 4}, learning_rate=1e30, epochs=4, max_grad_norm=1e9)
    assert engine.run(case).result.status == "nan_loss"


def test_a_model_that_is_not_there_is_unreachable(engine, small_case, tmp_path):
    case = small_case()
    case = replace(case, candidate=replace(case.candidate, path=str(tmp_path / "nowhere")))
    result = engine.run(case).result
    assert (result.status, result.stage) == ("unreachable", "load")


def test_after_each_bad_end_the_next_case_runs(engine, small_case):
    good = small_case()
    too_big = replace(good, limits=Limits(memory_bytes=MIB))
    too_slow = replace(good, task=long_task(), limits=Limits(seconds=0.01))
    wrong = replace(small_case("fine-tune", {"rank": 4}), task=Task(train=(Row("질문", ""),)))
    statuses = [engine.run(c).result.status for c in (too_big, too_slow, wrong, good)]
    assert statuses == ["oom_load", "timeout", "error", "ok"]


def test_what_a_dead_worker_said_so_far_is_kept(engine, small_case):
    case = small_case("fine-tune", {"rank": 4}, max_new_tokens=200)
    case = replace(case, task=replace(case.task, prompts=long_task().prompts))
    outcome = engine.run(case, KillAt("replies"))
    assert (outcome.result.status, outcome.result.stage) == ("killed", "replies")
    assert outcome.result.seconds["training"] > 0
    assert outcome.result.peaks["training"].process_bytes
    assert [loss.step for loss in outcome.losses if loss.split == "train"] == [1]


def test_no_worker_is_left_when_the_listener_raises(engine, small_case):
    class Enough(Exception):
        pass

    pids = []

    def stop(event):
        if event[0] == "hello":
            pids.append(event[1])
        if event[0] == "stage":
            raise Enough

    begin = time.perf_counter()
    with pytest.raises(Enough):
        engine.run(replace(small_case(max_new_tokens=200), task=long_task()), stop)
    assert time.perf_counter() - begin < 120
    assert not psutil.pid_exists(pids[0]) or psutil.Process(pids[0]).status() == "zombie"


def _say_if_torch_is_there(connection) -> None:
    connection.send("torch" in sys.modules)


def torch_is_there() -> bool:
    """Whether a worker finds torch imported before it has asked for it."""
    worker, answers = fork_server.running().start_worker(_say_if_torch_is_there)
    there = answers.recv()
    worker.join()
    return there


def test_the_fork_server_has_torch_before_a_case_asks_for_it(engine):
    assert torch_is_there() is True


ELSEWHERE = """
import sys
sys.path.insert(0, {root!r})
from tests.benchmarks.engines.test_engine_local import torch_is_there
if __name__ == "__main__":
    print(torch_is_there())
"""


@pytest.mark.slow
def test_the_fork_server_finds_our_modules_from_any_working_directory(tmp_path):
    script = tmp_path / "elsewhere.py"
    script.write_text(ELSEWHERE.format(root=str(ROOT)))
    done = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == "True", done.stderr


IMPATIENT = """
from benchmarks.engines import fork_server
from benchmarks.engines.local import LocalEngine
fork_server.READY_SECONDS = 0.05
try:
    LocalEngine().start()
except fork_server.NotReady as error:
    print(error)
"""


def test_a_machine_that_is_too_slow_to_import_the_libraries_is_not_waited_for_for_ever():
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", IMPATIENT], cwd=ROOT, capture_output=True, text=True, timeout=500
    )
    assert "not imported after 0.05 s" in done.stdout and "--resume" in done.stdout, done.stderr
    assert done.returncode == 0
    assert time.perf_counter() - began < 300  # READY_SECONDS are 600 otherwise


def test_where_the_server_has_touched_cuda_each_cuda_worker_starts_fresh(monkeypatch):
    """A child forked from it could not use CUDA; the CPU's workers go on being forked."""
    server = types.SimpleNamespace(start_method="forkserver", touched_cuda=True)
    monkeypatch.setattr(fork_server, "running", lambda: server)
    engine = LocalEngine()
    methods = [engine._starter(device).start_method for device in ("cpu", "cuda", "cpu")]
    assert methods == ["forkserver", "spawn", "forkserver"]


def test_a_result_tells_how_its_worker_was_started_and_how_long_that_took(engine, small_case):
    outcome = engine.run(small_case())
    figures, worked = outcome.result.figures, sum(outcome.result.seconds.values())
    assert figures["start_method"] == "forkserver"
    assert 0 < figures["start_seconds"] < outcome.wall_seconds - worked


@pytest.mark.slow
def test_a_spawned_worker_gives_the_same_as_a_forked_one(engine, small_case):
    case = small_case("fine-tune", {"rank": 4})
    forked, spawned = engine.run(case), LocalEngine("spawn").run(case)
    assert spawned.result.status == "ok"
    assert spawned.result.figures["start_method"] == "spawn"
    assert spawned.result.figures["start_seconds"] > forked.result.figures["start_seconds"]
    assert [loss.loss for loss in spawned.losses] == [loss.loss for loss in forked.losses]
    assert [r.reply for r in spawned.replies] == [r.reply for r in forked.replies]
