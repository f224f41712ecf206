"""A whole run with benchmark tasks: before the tune, after it, decided and reported."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from benchmarks.engines.local import LocalEngine
from benchmarks.report.write_report import write_report
from benchmarks.results.comparisons.task_scores import task_change, task_value
from benchmarks.results.decision import decide
from benchmarks.results.folder import RunFolder
from benchmarks.results.run import Run
from benchmarks.run.runner import judge_run, run_plan
from benchmarks.study.study_files import parse_study
from benchmarks.study.task_index import is_installed
from model_registry.errors import BadFile
from ohlora_cli import app
from tests.benchmarks.workloads.task_files import write_tasks
from tests.support.run_in_a_process import Silent
from tests.support.small_study import plan_study, write_study

CRITERIA = """
[[decision.criteria]]
name = "task:own_choice"
label_en = "own task"
label_ko = "내 과제"
"""


@pytest.mark.skipif(not is_installed(), reason="lm-eval is not installed: the extra benchmarks")
@pytest.mark.slow
def test_tasks_are_measured_before_and_after_the_tune_and_decide(tmp_path, tiny_model, monkeypatch):
    study = write_study(tmp_path / "study", tiny_model, ("one",))
    folder = write_tasks(tmp_path / "tasks")
    source = study.read_text().replace("ranks = [2, 4]", 'ranks = [2]\ntasks = ["own_choice"]')
    study.write_text(source + CRITERIA)
    monkeypatch.chdir(tmp_path)
    out = RunFolder(tmp_path / "run")
    plan = plan_study(study, out.path, tasks=("own_choice", "nope"), tasks_folder=folder)
    assert plan.contract.task_hashes.startswith("own_choice:")
    results = {r.case: r for r in run_plan(plan, out, LocalEngine(), Silent())}
    assert results["one/benchmark/task=nope"].status == "error"
    assert "No task is called nope" in results["one/benchmark/task=nope"].message
    judge_run(out)
    run = Run.read(out)
    before, after = (task_value(run, "one", "own_choice", rank) for rank in (None, 2))
    change = task_change(run, "one", "own_choice", 2)
    assert change.mean == pytest.approx(after - before)
    assert change.documents == 12
    assert decide(run).ranking.chosen == "one"
    write_report(out)
    assert "own_choice" in (out.path / "report" / "report.html").read_text()

    samples = out.path / "task_samples.jsonl"
    samples.write_text("".join(samples.read_text().splitlines(keepends=True)[:-1]))
    unfinished = [case.id for case in out.unfinished(plan)]
    assert unfinished == ["one/benchmark/rank=2/task=own_choice"]  # its last row got lost
    other = replace(plan.contract, task_limit=3)
    assert other.hash != plan.contract.hash


def test_a_study_names_its_tasks_and_what_is_wrong_with_them_is_told_with_the_line(tmp_path):
    source = '[candidates]\ncatalog = "bundled"\n[work]\ntasks = {}\n[contract]\n{}\n'
    path = tmp_path / "s.toml"
    head = 'name = "s"\n'
    right = parse_study(head + source.format('["a", "b", "a"]', "task_limit = 5"), path)
    assert (right.work.tasks, right.policy["task_limit"]) == (("a", "b"), 5)
    for tasks, policy, line in (('"a"', "", 5), ('["a"]', "task_limit = -1", 7),
                                ('["a"]', 'task_hashes = "x"', 7)):  # fmt: skip
        with pytest.raises(BadFile) as refused:
            parse_study(head + source.format(tasks, policy), path)
        assert f"s.toml:{line}" in str(refused.value)


def test_a_study_that_asks_backends_has_no_tasks(tmp_path):
    done = CliRunner().invoke(
        app, ["run", "backends", "--tasks", "x", "--out", str(tmp_path / "r")]
    )
    assert "benchmark tasks are measured on candidates that are loaded here" in str(done.exception)


def test_the_command_line_without_the_harness_gives_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr("benchmarks.study.task_index.is_installed", lambda: False)
    arguments = ["run", "korean-small", "--weights", "bundled", "--tasks", "kobest_copa"]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "run")])
    assert '.[benchmarks]"' in str(done.exception)
    assert not (tmp_path / "run").exists()


def test_runs_without_tasks_keep_the_hash_that_they_had(tmp_path, tiny_model):
    plan = plan_study(write_study(tmp_path / "study", tiny_model, ("one",)), tmp_path / "run")
    shared = plan.contract.shared()
    assert (shared["task_hashes"], shared["task_limit"]) == ("", 0)
    assert replace(plan.contract, task_limit=0, task_shots=-1).hash == plan.contract.hash
    assert "task" not in json.dumps([case.settings for case in plan.cases])
