"""A study declares by which profile `quality` judges its replies."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.results.folder import RunFolder
from benchmarks.results.head import RunHead
from benchmarks.run.runner import judge_run, run_plan
from benchmarks.study.study_files import parse_study, read_study, study_names, study_path
from benchmarks.study.study_rows import data_path
from evaluators.quality import register_of
from model_registry.errors import BadFile
from rows.reading import read_data
from tests.support.run_in_a_process import QuickEngine, Silent
from tests.support.small_study import plan_study, write_study


@pytest.mark.parametrize("register", ["chat", "exam"])
def test_a_run_judges_by_the_profile_that_its_study_declares(tmp_path, tiny_model, register):
    study = write_study(tmp_path / "study", tiny_model, ("one",))
    source = study.read_text(encoding="utf-8")
    study.write_text(source.replace("[data]", f'[data]\nregister = "{register}"', 1))
    plan, folder = plan_study(study, tmp_path / "run"), RunFolder(tmp_path / "run")
    run_plan(plan, folder, QuickEngine(), Silent())
    judge_run(folder)
    by_name = {
        name: [row.value for row in folder.scores() if row.evaluator == name]
        for name in ("quality", "quality_chat", "quality_exam")
    }
    assert by_name["quality"] == by_name[f"quality_{register}"]
    assert by_name["quality_chat"] != by_name["quality_exam"]
    head = folder.head()
    assert RunHead.from_json(head.to_json()).register == head.register == register


def test_a_register_that_is_none_names_those_that_there_are():
    study = 'name = "x"\n[candidates]\n[data]\nregister = "talk"\n'
    with pytest.raises(BadFile, match=r"x\.toml:4: register must be one of prompt, chat, exam"):
        parse_study(study, Path("x.toml"))


def test_over_data_of_ones_own_each_prompt_calls_for_its_profile():
    study = read_study(study_path("korean-small"))
    assert study.data.register == "chat"
    assert study.with_other_data().data.register == "prompt"


@pytest.mark.parametrize("name", study_names())
def test_studies_over_messages_declare_chat(name):
    study = read_study(study_path(name))
    if study.data.path in ("persona", "small_talk"):
        assert study.data.register == "chat"
        prompts = {row.prompt for row in read_data(data_path(study.data.path)).rows}
        assert {register_of(prompt) for prompt in prompts} == {"chat"}
