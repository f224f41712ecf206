"""A run survives whatever ends it: no finished case is done again and none is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from benchmarks.results.folder import RunFolder
from benchmarks.results.run import Run
from benchmarks.run.case import Limits
from benchmarks.run.runner import run_plan
from model_registry.errors import BadFile, OhloraError
from rows.row import Row
from tests.benchmarks.engines.test_engine_local import long_task
from tests.support.run_in_a_process import QuickEngine, Silent
from tests.support.small_study import plan_study, write_study

SCRIPT = Path(__file__).resolve().parents[2] / "support" / "run_in_a_process.py"
NAMES = tuple(f"model-{n}" for n in range(12))


class Counting(QuickEngine):
    """Remembers which cases were done, and can break off like a power cut."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.done: list[str] = []
        self.stop_after = stop_after

    def run(self, case, listen):
        if len(self.done) == self.stop_after:
            raise KeyboardInterrupt
        self.done.append(case.id)
        return super().run(case, listen)


@pytest.fixture
def study(tmp_path, tiny_model) -> Path:
    return write_study(tmp_path / "study", tiny_model)


def lines_of(folder: Path, name: str) -> list[dict]:
    """Every complete line of a file, repeated ones too."""
    path = folder / name
    data = path.read_bytes() if path.exists() else b""  # its end may be half a letter by now
    return [json.loads(line) for line in data.rpartition(b"\n")[0].splitlines()]


def test_a_run_does_every_case_and_gives_all_results(study, tmp_path):
    plan = plan_study(study, tmp_path / "run")
    results = run_plan(plan, RunFolder(tmp_path / "run"), Counting(), Silent())
    assert [result.case for result in results] == [case.id for case in plan.cases]
    head = RunFolder(tmp_path / "run").head()
    assert [case.id for case in head.cases] == [case.id for case in plan.cases]
    assert head.contract_hash == plan.contract.hash


def test_a_run_that_is_there_is_not_written_over(study, tmp_path):
    plan, folder = plan_study(study, tmp_path / "run"), RunFolder(tmp_path / "run")
    run_plan(plan, folder, Counting(), Silent())
    with pytest.raises(OhloraError, match=r"holds a run already\. Add --resume"):
        run_plan(plan, folder, Counting(), Silent())


def test_resuming_does_only_what_is_missing(study, tmp_path):
    plan, folder = plan_study(study, tmp_path / "run"), RunFolder(tmp_path / "run")
    first, second = Counting(stop_after=2), Counting()
    with pytest.raises(KeyboardInterrupt):
        run_plan(plan, folder, first, Silent())
    results = run_plan(plan, folder, second, Silent(), resume=True)
    assert first.done + second.done == [case.id for case in plan.cases]
    assert len(results) == len(plan.cases)


def test_a_run_under_other_settings_is_not_gone_on_with(study, tmp_path):
    plan, folder = plan_study(study, tmp_path / "run"), RunFolder(tmp_path / "run")
    run_plan(plan, folder, Counting(), Silent())
    other = replace(plan, contract=replace(plan.contract, seed=7))
    with pytest.raises(OhloraError, match=r"other settings \(seed: 42 / 7\)"):
        run_plan(other, folder, Counting(), Silent(), resume=True)


def test_a_case_killed_while_its_rows_were_written_is_done_again_whole(study, tmp_path):
    """Its result comes last: rows without one are those of a case that has not ended."""
    plan, folder = plan_study(study, tmp_path / "run"), RunFolder(tmp_path / "run")
    run_plan(plan, folder, Counting(), Silent())
    whole = {path.name: path.read_bytes() for path in folder.path.glob("*.jsonl")}
    for name, cut in (("replies.jsonl", 5000), ("losses.jsonl", 40)):
        (folder.path / name).write_bytes(whole[name][:-cut])
    results = whole["results.jsonl"].rstrip(b"\n").rpartition(b"\n")[0] + b'\n{"case": "torn'
    (folder.path / "results.jsonl").write_bytes(results)
    again = Counting()
    run_plan(plan, folder, again, Silent(), resume=True)
    assert again.done == [plan.cases[-1].id]
    assert len(folder.replies()) == 40 * len(plan.cases)
    assert len(folder.losses()) == 29 * len(plan.cases)


def test_a_broken_head_is_named(study, tmp_path):
    folder = RunFolder(tmp_path)
    folder.head_path.write_text("{")
    with pytest.raises(BadFile, match=r"run\.json: not JSON"):
        folder.head()


def test_a_folder_without_a_run_says_so(tmp_path):
    with pytest.raises(OhloraError, match="holds no run"):
        RunFolder(tmp_path).head()


def start(study: Path, out: Path, engine: str, *more: str) -> subprocess.Popen:
    command = [sys.executable, SCRIPT, study, out, engine, *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill_at_random(
    study: Path, out: Path, engine: str, longest: float, dice: random.Random
) -> bool:
    """Start or go on with a run and kill it at a random moment; True if it was done before that."""
    more = ["--resume"] if (out / "run.json").exists() else []
    process = start(study, out, engine, *more)
    assert process.stdout.readline() == "begun\n"
    time.sleep(dice.uniform(0.0, longest))
    process.send_signal(signal.SIGKILL)
    return "done" in process.communicate()[0]


def kill_until_through(study: Path, out: Path, dice: random.Random) -> int:
    """SIGKILL while files are written, again and again, until the run is through; how often."""
    finished: list[dict] = []
    kills = 0
    while not kill_at_random(study, out, "quick", 0.12, dice) and kills < 8:
        kills += 1
        complete = RunFolder(out).results()  # what is on disk can always be read
        assert [r.case for r in complete[: len(finished)]] == [row["case"] for row in finished]
        finished = [{"case": result.case} for result in complete]
    return kills


def test_killed_at_random_points_a_run_loses_nothing_and_repeats_nothing(tmp_path, tiny_model):
    study, dice = write_study(tmp_path / "study", tiny_model, NAMES), random.Random(2026)
    # Where this process is not woken in time a run is through before its signal: then another.
    tries = (tmp_path / f"run{number}" for number in range(5))
    out = next((each for each in tries if kill_until_through(study, each, dice) >= 2), None)
    assert out is not None, "no run was ever interrupted: nothing was tested"
    plan = plan_study(study, out)
    run_plan(plan, RunFolder(out), QuickEngine(), Silent(), resume=True)
    assert [row["case"] for row in lines_of(out, "results.jsonl")] == [c.id for c in plan.cases]
    assert len(RunFolder(out).replies()) == 40 * len(plan.cases)
    assert len(RunFolder(out).losses()) == 29 * len(plan.cases)


@pytest.mark.slow
def test_killed_with_real_workers_no_process_is_left_and_the_run_goes_on(tmp_path, tiny_model):
    names = ("one", "two", "three", "four", "five")
    study, out = write_study(tmp_path / "study", tiny_model, names), tmp_path / "run"
    dice = random.Random(7)
    before: list[str] = []
    for more in ([], ["--resume"], ["--resume"]):
        process = start(study, out, "real", *more)
        assert process.stdout.readline() == "begun\n"
        begun = len(before)
        while len(lines_of(out, "results.jsonl")) == begun:  # at least one case each time
            assert process.poll() is None
            time.sleep(0.01)
        until = time.monotonic() + dice.uniform(0.0, 0.4)  # but not so late that it is through
        while time.monotonic() < until and len(lines_of(out, "results.jsonl")) < begun + 3:
            time.sleep(0.01)
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.communicate()
        _, alive = psutil.wait_procs(children, timeout=60)
        assert children and not alive
        now = [result.case for result in RunFolder(out).results()]
        assert now[: len(before)] == before
        before = now
    assert start(study, out, "real", "--resume").communicate()[0].splitlines()[-1] == "done"
    rows = lines_of(out, "results.jsonl")
    plan = plan_study(study, out)
    assert [row["case"] for row in rows] == [case.id for case in plan.cases]
    assert {row["status"] for row in rows} == {"ok"}
    replies = RunFolder(out).replies()
    assert len(replies) == len(plan.cases) * 3 * 2  # prompts × (greedy, sample 1)


class KillsWhenItAnswers(Silent):
    """Ends the worker of one case from outside."""

    def __init__(self, case_id: str) -> None:
        self.case_id, self.case, self.worker = case_id, "", 0

    def case_begins(self, case):
        self.case = case.id

    def event(self, event):
        if event[0] == "hello":
            self.worker = event[1]
        if event == ("stage", "warm_up") and self.case == self.case_id:
            os.kill(self.worker, signal.SIGKILL)


def test_a_case_that_fails_in_any_way_is_a_row_and_the_run_goes_on(engine, tmp_path, tiny_model):
    """Over its memory, over its time, by an exception, by a kill from outside: and then more."""
    study = write_study(tmp_path / "study", tiny_model, ("a", "b", "c", "d", "e"))
    plan = plan_study(study, tmp_path / "run")
    hungry, slow, wrong, killed, good = (
        next(case for case in plan.cases if case.id == wanted)
        for wanted in (
            "a/inference", "b/inference", "c/fine-tune/rank=2", "d/inference", "e/inference",
        )
    )  # fmt: skip
    no_answer = replace(plan.task, train=(Row("대답이 없다", ""),))
    cases = (
        replace(hungry, limits=Limits(memory_bytes=2**20)),
        replace(slow, task=long_task(), limits=Limits(seconds=0.01)),
        replace(wrong, task=no_answer),
        replace(killed, task=long_task()),  # not through before the signal is there
        good,
    )
    folder = RunFolder(tmp_path / "run")
    watcher = KillsWhenItAnswers(killed.id)
    results = run_plan(replace(plan, cases=cases), folder, engine, watcher)
    assert [r.status for r in results] == ["oom_load", "timeout", "error", "killed", "ok"]
    assert [r.status for r in folder.results()] == [r.status for r in results]
    assert all(result.message and result.stage for result in results[:4])


class Failing(Counting):
    """Its first case runs out of memory."""

    def run(self, case, listen):
        outcome = super().run(case, listen)
        if len(self.done) > 1:
            return outcome
        return replace(outcome, result=replace(outcome.result, status="oom_inference"))


def test_a_case_that_failed_by_itself_is_not_done_again_by_resuming(study, tmp_path):
    plan, folder = plan_study(study, tmp_path / "run"), RunFolder(tmp_path / "run")
    run_plan(plan, folder, Failing(), Silent())
    again = Counting()
    results = run_plan(plan, folder, again, Silent(), resume=True)
    assert again.done == []
    assert [result.status for result in results].count("oom_inference") == 1
    assert len(lines_of(tmp_path / "run", "results.jsonl")) == len(plan.cases)


class UnderContract(Counting):
    """Its results carry the contract of their case."""

    def run(self, case, listen):
        outcome = super().run(case, listen)
        return replace(outcome, result=replace(outcome.result, contract=case.contract.hash,
                                               settings=dict(case.settings)))  # fmt: skip


@pytest.mark.parametrize("name", ["lr=1e-4", "a/b=c", "두 번째", "100 %"])
def test_a_variant_of_any_name_is_finished_once_it_was_done(study, tmp_path, name):
    source = study.read_text(encoding="utf-8")
    table = f'\n[[work.variants]]\nname = "{name}"\n\n[contract]'
    study.write_text(source.replace("\n[contract]", table), encoding="utf-8")
    plan, folder = plan_study(study, tmp_path / "run"), RunFolder(tmp_path / "run")
    run_plan(plan, folder, UnderContract(), Silent())
    run = Run.read(folder)
    assert run.unfinished == ()
    (found,) = [t for t in run.tunes if t.is_variant]
    assert found.label == name
    assert run.tuning("one", found) is not None
