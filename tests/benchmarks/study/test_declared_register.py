"""A study declares by which profile `quality` judges its replies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.results.folder import RunFolder
from benchmarks.results.run_head import RunHead
from benchmarks.run.runner import judge_run, run_plan
from benchmarks.study.study_files import parse_study, read_study, study_names, study_path
from benchmarks.study.study_rows import data_path
from evaluators.prompt_register import register_of
from evaluators.quality import QUALITY
from model_registry.errors import BadFile
from model_registry.records import to_json
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


def as_an_older_program_left_it(folder: RunFolder) -> None:
    """No register in the head, no version in the scores, another formula and half of the cases."""
    head = json.loads(folder.head_path.read_text(encoding="utf-8"))
    del head["register"]
    folder.head_path.write_text(json.dumps(head), encoding="utf-8")
    path, rows = folder.path / "scores.jsonl", folder.scores()
    path.unlink()
    judged = rows[0].candidate
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            if row.candidate == judged and row.evaluator not in ("quality_chat", "quality_exam"):
                old = to_json(row) | {"value": 0.9}
                del old["version"]
                file.write(json.dumps(old, ensure_ascii=False) + "\n")


def test_an_older_run_that_goes_on_is_judged_by_one_formula(tmp_path, tiny_model):
    study = write_study(tmp_path / "study", tiny_model, ("one", "two"))
    plan, folder = plan_study(study, tmp_path / "run"), RunFolder(tmp_path / "run")
    run_plan(plan, folder, QuickEngine(), Silent())
    judge_run(folder)
    made_of = {"quality", "quality_chat", "quality_exam", *(part.name for part in QUALITY.parts)}

    def values() -> dict[object, float | None]:
        return {row.key: row.value for row in folder.scores() if row.evaluator in made_of}

    fresh = values()
    as_an_older_program_left_it(folder)
    older = (folder.path / "scores.jsonl").read_bytes()
    judge_run(folder)
    assert folder.head().register == "prompt"
    assert values() == fresh
    whole = (folder.path / "scores.jsonl").read_bytes()
    assert whole.startswith(older)  # appended, nothing rewritten
    assert judge_run(folder) == {}  # once is enough
    assert {row.value for row in folder.scores() if row.evaluator == "politeness"} >= {0.9}


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
