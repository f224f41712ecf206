from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.model_judge import judge_run, summary, with_people
from benchmarks.results.folder import RunFolder
from evaluators.grading.store.grade_records import Grade, reply_hash
from evaluators.judge.model_rater import report
from model_registry.errors import OhloraError
from model_registry.records import append_rows
from tests.support.replies import a_reply, honest


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    replies = [
        a_reply("정말 축하해!", "합격했어", case="good"),
        a_reply("그래", "합격했어", case="poor"),
        a_reply("축하해, 고생했어!", "합격했어", case="poor", tuned=16),
        a_reply("글쎄", "합격했어", case="poor", pass_="sample 1"),
    ]
    append_rows(tmp_path / "replies.jsonl", replies)
    return RunFolder(tmp_path)


def a_grade(text: str, grade: int, tuned: int | None = None, case: str = "good") -> Grade:
    return Grade(
        key=f"{text}{grade}",
        subject="s",
        grader="g",
        run="run",
        case=case,
        candidate="candidate",
        prompt="합격했어",
        reply=text,
        grade=grade,
        pass_="greedy",
        tuned=tuned,
        reply_hash=reply_hash(text),
    )


def test_its_grades_stand_in_the_runs_scores_under_its_own_name(folder: RunFolder) -> None:
    judge_run(folder, honest, "llama")
    scores = {(row.case, row.tuned): (row.evaluator, row.value) for row in folder.scores()}
    assert scores == {
        ("good", None): ("judge:llama", 5.0),
        ("poor", None): ("judge:llama", 2.0),
        ("poor", 16): ("judge:llama", 5.0),
    }


def test_its_agreement_with_people_is_told_and_people_stay_apart(folder: RunFolder) -> None:
    judgements = judge_run(folder, honest, "llama")
    people = [a_grade("정말 축하해!", 5), a_grade("축하해, 고생했어!", 5, 16, case="poor")]
    found = with_people(folder, judgements, people)
    assert (found.replies, found.near, found.code) == (2, 1.0, "too_few_people")
    assert [row.evaluator for row in folder.scores()] == ["judge:llama"] * 3


def test_without_peoples_grades_that_is_said(folder: RunFolder, monkeypatch) -> None:
    monkeypatch.setenv("OHLORA_LANG", "en")
    judgements = judge_run(folder, honest, "llama")
    printed = summary(report(judgements)[0], with_people(folder, judgements, []))
    assert "nobody graded" in printed
    assert "12 of 12 grades given" in printed


def test_a_run_without_replies_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OhloraError, match="holds no replies"):
        judge_run(RunFolder(tmp_path), honest, "llama")
