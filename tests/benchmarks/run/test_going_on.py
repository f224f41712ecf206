"""A run is gone on with by other candidates and ranks than it was begun with."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.results.folder import RunFolder
from benchmarks.results.run_head import RunHead
from benchmarks.run.runner import run_plan
from model_registry.messages.notes import Note
from tests.benchmarks.run.test_run import Counting
from tests.support.run_in_a_process import Silent
from tests.support.small_study import plan_study, write_study


@pytest.fixture
def study(tmp_path, tiny_model) -> Path:
    return write_study(tmp_path / "study", tiny_model)


def test_more_candidates_and_ranks_take_part_from_then_on(study, tmp_path):
    folder, engine = RunFolder(tmp_path / "run"), Counting()
    few = plan_study(study, folder.path, only=("one",), ranks=(2,))
    run_plan(few, folder, engine, Silent())
    begun = folder.head()
    plan = plan_study(study, folder.path)
    run_plan(plan, folder, engine, Silent(), resume=True)
    head = folder.head()
    assert sorted(engine.done) == sorted(case.id for case in plan.cases)
    assert [candidate.name for candidate in head.candidates] == ["one", "two"]
    assert sorted(case.id for case in head.cases) == sorted(case.id for case in plan.cases)
    assert (head.begun_at, head.contract_hash) == (begun.begun_at, begun.contract_hash)


def test_fewer_candidates_leave_the_others_as_they_are(study, tmp_path):
    plan, folder = plan_study(study, tmp_path / "run"), RunFolder(tmp_path / "run")
    run_plan(plan, folder, Counting(), Silent())
    before = folder.head_path.read_bytes()
    fewer = plan_study(study, folder.path, only=("two",))
    run_plan(fewer, folder, Counting(), Silent(), resume=True)
    assert folder.head_path.read_bytes() == before


def head(*names: str, rejected: tuple[str, ...] = (), notes: tuple[Note, ...] = ()) -> RunHead:
    return RunHead.from_json(
        {
            "study": "s", "weights": "hub", "contract": {}, "contract_hash": "c",
            "candidates": [{"name": name} for name in names],
            "cases": [f"{name}/inference" for name in names],
            "rejected": [{"name": name, "reason": "its licence"} for name in rejected],
            "notes": [note.to_json() for note in notes],
        }
    )  # fmt: skip


def test_who_was_rejected_and_is_named_now_takes_part():
    joined = head("a", rejected=("b", "c")).joined_by(head("b"))
    assert [each.name for each in joined.candidates] == ["a", "b"]
    assert [each.name for each in joined.rejected] == ["c"]


def test_notes_are_told_once_with_the_tokens_of_all_candidates():
    one, two = ({"tokens": {name: 60.0}} for name in "ab")
    begun = head("a", notes=(Note("no_hub"), Note("tokens_per_100", one)))
    joined = begun.joined_by(head("b", notes=(Note("no_hub"), Note("tokens_per_100", two))))
    assert [note.code for note in joined.notes] == ["no_hub", "tokens_per_100"]
    assert joined.notes[1].values == {"tokens": {"a": 60.0, "b": 60.0}}
