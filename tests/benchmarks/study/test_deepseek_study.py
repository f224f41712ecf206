"""The study of one publisher: fourteen rows whatever happens, quantised where plain fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.engines.engine import CaseOutcome, Engine
from benchmarks.results.folder import RunFolder
from benchmarks.run.progress import Silent
from benchmarks.run.runner import run_plan
from benchmarks.study.plan import Options
from benchmarks.study.planning import make_plan
from benchmarks.study.study_files import read_study, study_path
from model_registry.records import Result
from model_registry.registry import Registry


@pytest.fixture(scope="module")
def plan():
    options = Options(weights="random", scale="tiny", device="cpu")
    return make_plan(read_study(study_path("deepseek")), Registry(), options, Path("unused"))


def test_all_fourteen_may_be_chosen_because_the_study_accepts_their_terms(plan):
    accepted = {override.candidate for override in plan.study.overrides}
    assert accepted == {candidate.name for candidate in plan.candidates}


class MadeUpEngine(Engine):
    """Ends every case as it is told."""

    def __init__(self, status: str) -> None:
        self.status = status

    def run(self, case, listen):
        status = "ok" if case.settings else self.status
        return CaseOutcome(
            Result(case.id, case.candidate.name, case.workload, dict(case.settings),
                   case.contract.hash, status)
        )  # fmt: skip


def test_fourteen_are_accepted_and_each_other_has_its_reason(plan):
    assert len(plan.candidates) == 14
    reasons = {r.candidate.name: r.reason for r in plan.selection.rejected}
    assert "reasoning" in reasons["DeepSeek-R1-Distill-Llama-8B"]
    assert "math" in reasons["deepseek-math-7b-instruct"]
    assert "image-text-to-text" in reasons["deepseek-vl-7b-chat"]
    assert "too large" in reasons["deepseek-llm-67b-chat"]


@pytest.mark.parametrize(
    ("status", "tried"), [("ok", 0), ("oom_load", 14), ("timeout", 14), ("needs_remote_code", 0)]
)
def test_the_quantised_try_comes_only_where_it_may_help(plan, tmp_path, status, tried):
    folder = RunFolder(tmp_path / "run")
    results = run_plan(plan, folder, MadeUpEngine(status), Silent())
    assert len([r for r in results if not r.settings]) == 14
    assert len([r for r in results if r.settings.get("quantization") == "gptq"]) == tried


def test_a_resumed_run_repeats_neither_try(plan, tmp_path):
    folder = RunFolder(tmp_path / "run")
    run_plan(plan, folder, MadeUpEngine("oom_load"), Silent())
    before = folder.results()

    class NobodyRuns(Engine):
        def run(self, case, listen):
            raise AssertionError(case.id)

    assert run_plan(replace(plan), folder, NobodyRuns(), Silent(), resume=True) == before
