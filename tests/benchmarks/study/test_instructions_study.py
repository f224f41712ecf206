"""The study of instructions, and checks that data of one's own declares."""

from __future__ import annotations

import json

from benchmarks.results.folder import RunFolder
from benchmarks.run.runner import judge_run, run_plan
from benchmarks.study.plan import Options
from benchmarks.study.planning import make_plan
from benchmarks.study.study_files import read_study, study_path
from model_registry.registry import Registry
from tests.support.run_in_a_process import QuickEngine, Silent
from tests.support.small_study import plan_study, write_study


def test_the_study_asks_our_prompts_before_and_after_a_tune_and_keeps_their_checks(tmp_path):
    options = Options(weights="bundled", device="cpu")
    plan = make_plan(read_study(study_path("instructions")), Registry(), options, tmp_path)
    assert {case.workload for case in plan.cases} == {"inference", "fine-tune"}
    assert (len(plan.task.train), len(plan.task.prompts)) == (20, 129)
    assert not {row.prompt for row in plan.task.train} & {row.prompt for row in plan.task.prompts}
    assert len(plan.checks) > len(plan.task.prompts)


def test_a_run_judges_by_the_checks_that_its_own_data_declares(tmp_path, tiny_model):
    study = write_study(tmp_path / "study", tiny_model, ("one",))
    checks = [{"check": "include", "words": ["답"]}, {"check": "sentences", "min": 2}]
    row = {"prompt": "질문 3", "reply": "", "checks": checks}  # as QuickEngine's replies are asked
    (tmp_path / "study" / "rows" / "test.jsonl").write_text(json.dumps(row) + "\n")
    plan, folder = plan_study(study, tmp_path / "run"), RunFolder(tmp_path / "run")
    run_plan(plan, folder, QuickEngine(), Silent())
    judge_run(folder)
    judged = [row for row in folder.scores() if row.evaluator == "instructions"]
    values = {row.prompt: (row.value, row.reason) for row in judged if row.value is not None}
    assert values == {"질문 3": (0.5, "sentences: 1, wanted at least 2")}
    assert folder.head().checks == plan.checks
