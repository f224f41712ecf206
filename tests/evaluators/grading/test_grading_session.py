"""Graders are served blind, forgivingly, and strictly in what they hand in."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from evaluators.grading import grading_session
from evaluators.grading.gradable_replies import GradableRun, read_run
from evaluators.grading.grading_session import GradingSession
from evaluators.grading.masking import MASK
from evaluators.grading.rater_identity import Visitor, grader_id
from evaluators.grading.store.grade_records import reply_hash
from evaluators.grading.store.grade_store import GradeStore
from evaluators.grading.submission import LONGEST_NOTE, InvalidRequest
from model_registry.errors import OhloraError, UnknownName
from model_registry.records import Reply, read_rows
from tests.support.grading_fixtures import CANDIDATES, PROMPTS, make_run


@pytest.fixture
def grading(tmp_path: Path) -> GradingSession:
    url = f"sqlite:///{tmp_path / 'grades.db'}"
    runs = {"one": make_run(tmp_path / "one"), "two": make_run(tmp_path / "two", PROMPTS[:2])}
    return GradingSession(lambda: GradeStore.open(url), runs, owner_key="열쇠")


def sit(grading: GradingSession, name: str = "민지") -> Visitor:
    _, token = grading.join(name)
    return Visitor(token)


def hand_in(
    grading: GradingSession, who: Visitor, run: str = "", grade: int = 4, **more: Any
) -> dict[str, Any]:
    """Grade the next screen; what it was."""
    screen = grading.screen(who, run)
    grades = [{"grade": grade, "flags": [], "note": ""} for _ in screen["replies"]]
    grading.submit(who, screen["screen"], grades, **more)
    return screen


def grade_all(grading: GradingSession, who: Visitor, run: str = "") -> dict[str, Any]:
    while "finished" not in (screen := grading.screen(who, run)):
        hand_in(grading, who, run)
    return screen


def test_ten_visitors_at_once_read_a_run_once(
    grading: GradingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Path] = []

    def slow_read(folder: Path) -> GradableRun:
        reads.append(folder)
        time.sleep(0.1)
        return read_run(folder)

    monkeypatch.setattr(grading_session, "read_run", slow_read)
    with ThreadPoolExecutor(10) as visitors:
        runs = list(visitors.map(lambda _: grading.run("one"), range(10)))
    assert len(reads) == 1
    assert {id(run) for run in runs} == {id(runs[0])}


def test_replies_that_are_gone_for_a_moment_are_told_of_in_one_sentence(
    grading: GradingSession,
) -> None:
    replies = grading.run("one").folder / "replies.jsonl"
    kept = replies.rename(replies.with_suffix(".away"))
    with pytest.raises(OhloraError, match=r"one/replies\.jsonl can't be read now") as refusal:
        grading.run("one")
    assert "지금은 one/replies.jsonl" in (refusal.value.korean or "")
    kept.rename(replies)
    assert grading.run("one").items


def test_a_grader_goes_from_practice_to_the_finish(grading: GradingSession) -> None:
    who = sit(grading)
    first = grading.screen(who)
    assert (first["practice"], first["place"], first["total"]) == (True, 1, 2)
    hand_in(grading, who)
    hand_in(grading, who)
    item = grading.screen(who)
    assert (item["practice"], item["place"], item["total"]) == (False, 1, 13)
    finish = grade_all(grading, who)
    assert (finish["screens"], finish["grades"], finish["same"]) == (13, 39, 1.0)
    assert finish["distribution"] == [0, 39, 0, 0, 0]


def test_practice_is_explained_and_counts_for_nothing(grading: GradingSession) -> None:
    who = sit(grading)
    screen = grading.screen(who)
    given = grading.submit(who, screen["screen"], [{"grade": 5}, {"grade": 1}])
    assert [f["usual"] for f in given["feedback"]] == [5, 1]
    assert {g.kind for g in grading.store.grades()} == {"practice"}


def test_nothing_sent_to_a_grader_tells_whose_reply_is_whose(grading: GradingSession) -> None:
    who = sit(grading)
    replies = read_rows(grading.run().folder / "replies.jsonl", Reply)
    telling = {*CANDIDATES, "젬마", *(r.case for r in replies), "0.5", "first_token"}
    telling |= {reply_hash(r.reply) for r in replies}
    sent = []
    while "finished" not in (screen := grading.screen(who)):
        sent.append(screen)
        hand_in(grading, who)
    text = json.dumps(sent, ensure_ascii=False)
    assert not [word for word in telling if word in text]
    assert MASK in text
    assert {tuple(sorted(s)) for s in sent} == {tuple(sorted(sent[0]))}, "a repeat looks different"


def test_a_double_click_is_one_grade(grading: GradingSession) -> None:
    who = sit(grading)
    screen = grading.screen(who)
    grades = [{"grade": 3}] * 2
    assert grading.submit(who, screen["screen"], grades, attempt="a")["stored"] == 2
    assert grading.submit(who, screen["screen"], grades, attempt="a")["stored"] == 0
    assert (
        grading.submit(who, screen["screen"], grades)["stored"] == 2
    )  # another attempt: a revision
    assert grading.submit(who, screen["screen"], grades)["stored"] == 0  # no attempt: same content
    assert len(grading.store.grades()) == 2


def test_going_back_shows_what_was_given_and_a_revision_counts(grading: GradingSession) -> None:
    who = sit(grading)
    for _ in range(3):
        hand_in(grading, who, attempt="first")
    back = grading.screen(who, number=2)
    assert [e["grade"] for e in back["earlier"]] == [4, 4, 4]
    grades = [{"grade": g, "flags": ["foreign"], "note": "다시"} for g in (1, 2, 3)]
    grading.submit(who, back["screen"], grades, attempt="second")
    again = grading.screen(who, number=2)
    assert [e["grade"] for e in again["earlier"]] == [1, 2, 3]
    assert again["earlier"][0]["flags"] == ["foreign"]
    assert grading.screen(who)["place"] == 2
    with pytest.raises(InvalidRequest, match="earlier ones first"):
        grading.screen(who, number=6)


def test_a_skip_needs_a_reason_and_leaves_no_grade(grading: GradingSession) -> None:
    who = sit(grading)
    screen = grading.screen(who)
    with pytest.raises(InvalidRequest, match="reasons"):
        grading.submit(who, screen["screen"], [], skip_reason="bored")
    grading.submit(who, screen["screen"], [], skip_reason="unclear")
    assert {(g.grade, g.skip_reason) for g in grading.store.grades()} == {(None, "unclear")}
    assert grading.screen(who)["number"] == 1


def test_two_people_of_one_name_do_not_see_each_others_work(grading: GradingSession) -> None:
    one, other = sit(grading), sit(grading)
    hand_in(grading, one)
    assert grading.screen(other)["number"] == 0
    foreign = grading.screen(other)["screen"]
    with pytest.raises(InvalidRequest, match="not yours"):
        grading.submit(one, foreign, [{"grade": 5}] * 2)


def test_the_link_brings_a_grader_back(grading: GradingSession) -> None:
    who = sit(grading)
    hand_in(grading, who)
    grader, token = grading.join("다른 이름", who)
    assert (grader.name, token) == ("민지", who.token)
    assert grading.screen(Visitor(token))["number"] == 1


def test_a_login_is_a_grader_of_its_own(grading: GradingSession) -> None:
    grader, token = grading.join("", Visitor(login="minji"))
    assert (grader.name, token) == ("minji", "")
    assert grading.screen(Visitor(login="minji"))["number"] == 0
    assert grader_id("minji", login=True) != grader_id("minji")
    with pytest.raises(InvalidRequest):
        grading.screen(Visitor("minji"))


@pytest.mark.parametrize(
    ("grades", "told"),
    [
        ("4", "list of 2"),
        ([], "list of 2"),
        ([{"grade": 3}], "list of 2"),
        ([{"grade": 3}, 3], "not an object"),
        ([{"grade": 3}, {}], "Reply 2 needs"),
        ([{"grade": 3}, {"grade": 6}], "Reply 2 needs"),
        ([{"grade": 3}, {"grade": "5"}], "Reply 2 needs"),
        ([{"grade": True}, {"grade": 5}], "Reply 1 needs"),
        ([{"grade": 3}, {"grade": 3.0}], "Reply 2 needs"),
        ([{"grade": 3, "flags": ["rude"]}, {"grade": 3}], "Flags are"),
        ([{"grade": 3, "flags": "foreign"}, {"grade": 3}], "Flags are"),
        ([{"grade": 3, "flags": [{}]}, {"grade": 3}], "Flags are"),
        ([{"grade": 3, "note": "가" * (LONGEST_NOTE + 1)}, {"grade": 3}], "too long"),
        ([{"grade": 3, "note": 5}, {"grade": 3}], "must be a text"),
    ],
)
def test_a_wrong_submission_is_told_what_is_wrong(
    grading: GradingSession, grades: Any, told: str
) -> None:
    who = sit(grading)
    screen = grading.screen(who)
    with pytest.raises(InvalidRequest, match=told) as refusal:
        grading.submit(who, screen["screen"], grades)
    assert any("가" <= c <= "힣" for c in refusal.value.korean)
    assert grading.store.grades() == []


@pytest.mark.parametrize("seconds", ["1", -1, float("nan"), float("inf"), 1e9, True, [], None])
def test_a_time_that_can_not_be_is_unknown(grading: GradingSession, seconds: Any) -> None:
    who = sit(grading)
    hand_in(grading, who, seconds=seconds)
    assert {g.seconds for g in grading.store.grades()} == {None}


@pytest.mark.parametrize("screen", ["", "unknown", "x" * 500, 5, None, {"a": 1}])
def test_an_unknown_screen_is_refused(grading: GradingSession, screen: Any) -> None:
    with pytest.raises(InvalidRequest):
        grading.submit(sit(grading), screen, [])


def test_unknown_graders_runs_and_names_are_refused(grading: GradingSession) -> None:
    with pytest.raises(InvalidRequest, match="not known"):
        grading.screen(Visitor("made up"))
    with pytest.raises(UnknownName, match="No run is called"):
        grading.screen(sit(grading), "../../etc")
    for name in ("", "   ", "가" * 61, 5):
        with pytest.raises(InvalidRequest):
            grading.join(name)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="--run"):
        GradingSession(lambda: grading.store, {}).run()


def test_each_run_is_work_of_its_own(grading: GradingSession) -> None:
    who = sit(grading)
    grade_all(grading, who, "two")
    assert grading.has_finished(who, "two")
    assert not grading.has_finished(who, "one")
    assert not grading.has_finished(Visitor("stranger"), "two")


def test_only_the_right_key_is_the_owners(grading: GradingSession) -> None:
    assert grading.is_owner("열쇠")
    assert not grading.is_owner("")
    assert not GradingSession(lambda: grading.store, {}, owner_key="").is_owner("")


def test_a_prompt_under_grading_is_known_however_it_is_typed(grading: GradingSession) -> None:
    assert grading.runs_with([f"  {PROMPTS[0].replace(' ', '')}!! "]) == ["one", "two"]
    assert grading.runs_with(["다른 이야기", PROMPTS[5]]) == ["one"]
    assert grading.runs_with(["다른 이야기", "", "?!"]) == []


def test_replies_with_markup_reach_the_page_as_text(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", ["<script>alert(1)</script>"], ["<img src=x onerror=alert(1)>"])
    grading = GradingSession(lambda: GradeStore.open(f"sqlite:///{tmp_path / 'g.db'}"), {"r": run})
    who = sit(grading, "<b>민지</b>")
    hand_in(grading, who)
    hand_in(grading, who)
    assert grading.screen(who)["prompt"] == "<script>alert(1)</script>"
