"""A kind of work is one entry of a table, which plans, workers and reports read."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.engines.engine import CaseOutcome, Engine, Listener, ignore_event
from benchmarks.report.evidence import Evidence
from benchmarks.report.markdown import to_markdown
from benchmarks.results.folder import RunFolder
from benchmarks.results.run import Run
from benchmarks.run.case import Case
from benchmarks.run.progress import Silent
from benchmarks.run.runner import run_plan
from benchmarks.run.worker import CaseLog, run_case
from benchmarks.study.study_files import parse_study
from benchmarks.workloads.phases import PHASES, TABLES
from benchmarks.workloads.workload import WORKLOADS, Outcome, Workload
from model_registry.backends.backend import Backend
from model_registry.candidate import Candidate
from model_registry.errors import BadFile
from model_registry.statuses import STATUSES
from tests.support.small_study import plan_study, write_study

ROOT = Path(__file__).resolve().parents[3]


class InThisProcess(Engine):
    """Does cases here, where a test's own workload is known."""

    def run(self, case: Case, listen: Listener = ignore_event) -> CaseOutcome:
        return CaseOutcome(run_case(case, CaseLog(listen, "cpu")))


def distil(case, opened, log) -> Outcome:
    with log.phase("distilling"):
        pass
    return Outcome(1, 2, {"taught": 3})


@pytest.fixture
def distilling(monkeypatch) -> Workload:
    """One entry, and a function that does it."""
    entry = Workload(
        "distil", distil, "distilling", "oom_training", "distilling", "증류",
        asked_by="distil_ranks", tunes=True, prefix="distilled",
    )  # fmt: skip
    monkeypatch.setitem(WORKLOADS, entry.name, entry)
    return entry


@pytest.mark.usefixtures("frozen_libraries")
def test_a_new_workload_is_one_entry_that_a_study_asks_for_and_a_report_tells_of(
    tmp_path, tiny_model, distilling
):
    study = write_study(tmp_path, tiny_model)
    text = study.read_text(encoding="utf-8")
    study.write_text(text.replace("[work]\n", "[work]\ndistil_ranks = [2]\n"), encoding="utf-8")
    plan = plan_study(study, tmp_path / "out")
    mine = [case for case in plan.cases if case.workload == "distil"]
    assert mine and all(case.settings == {"rank": 2} for case in mine)
    folder = RunFolder(tmp_path / "run")
    results = run_plan(replace(plan, cases=tuple(mine)), folder, InThisProcess(), Silent())
    assert [(r.status, r.figures["taught"], set(r.seconds)) for r in results] == [
        ("ok", 3, {"load", "distilling"})
    ] * len(mine)
    run = Run.read(folder)
    assert [tune.label for tune in run.tunes] == ["distilled r2"]
    assert "distilled r2" in to_markdown(Evidence.of(run), [])


def test_a_study_that_asks_for_work_that_nobody_does_is_refused():
    with pytest.raises(BadFile, match="distil_ranks"):
        parse_study('name = "x"\n[candidates]\n[work]\ndistil_ranks = [2]\n', Path("x.toml"))


@pytest.mark.parametrize("name", WORKLOADS)
def test_each_workload_names_phases_and_a_status_that_there_are_and_a_file_that_does_it(name):
    entry = WORKLOADS[name]
    assert entry.out_of_memory in STATUSES and STATUSES[entry.out_of_memory].memory
    assert entry.main_phase in PHASES
    assert entry.en and entry.ko
    assert entry.like is None or entry.like in WORKLOADS


def test_each_file_of_a_workload_has_the_function_that_its_entry_calls():
    modules = [entry["module"] for entry in TABLES["workloads"].values()]
    assert len(modules) == len(WORKLOADS)
    for module in modules:
        tree = ast.parse((ROOT / module.replace(".", "/")).with_suffix(".py").read_text("utf-8"))
        works = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "work"]
        assert [[a.arg for a in work.args.args] for work in works] == [["case", "opened", "log"]]


def test_a_candidate_that_is_asked_elsewhere_is_not_tuned_but_told_how_it_is_measured(
    small_case, candidate, monkeypatch
):
    class Elsewhere:
        def reply(self, messages, settings): ...
        def stream(self, messages, settings): ...
        def close(self): ...

    def opened(case: Case) -> Backend:
        return Elsewhere()

    monkeypatch.setattr("benchmarks.run.worker._open", opened)
    served = Candidate("served", candidate.license, backend="openai")
    result = run_case(replace(small_case(), candidate=served), CaseLog(lambda event: None, "cpu"))
    assert result.status == "error"
    assert "served is asked through its backend openai" in str(result.message)
    assert "ask = true" in str(result.message)
