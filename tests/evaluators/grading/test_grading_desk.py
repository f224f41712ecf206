"""The desk serves graders: blind, forgiving, and strict about what it is handed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluators.grading.grading_session import Desk, Visitor, grader_id
from evaluators.grading.masking import MASK
from evaluators.grading.store.grade_store import GradeStore, reply_hash
from evaluators.grading.submission import LONGEST_NOTE, Refused
from model_registry.errors import UnknownName
from model_registry.records import Reply, read_rows
from tests.support.grading_fixtures import CANDIDATES, PROMPTS, make_run


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    url = f"sqlite:///{tmp_path / 'grades.db'}"
    runs = {"one": make_run(tmp_path / "one"), "two": make_run(tmp_path / "two", PROMPTS[:2])}
    return Desk(lambda: GradeStore.open(url), runs, owner_key="열쇠")


def sit(desk: Desk, name: str = "민지") -> Visitor:
    _, token = desk.join(name)
    return Visitor(token)


def hand_in(desk: Desk, who: Visitor, run: str = "", grade: int = 4, **more: Any) -> dict[str, Any]:
    """Grade the next screen; what it was."""
    screen = desk.screen(who, run)
    grades = [{"grade": grade, "flags": [], "note": ""} for _ in screen["replies"]]
    desk.submit(who, screen["screen"], grades, **more)
    return screen


def grade_all(desk: Desk, who: Visitor, run: str = "") -> dict[str, Any]:
    while "finished" not in (screen := desk.screen(who, run)):
        hand_in(desk, who, run)
    return screen


def test_a_grader_goes_from_practice_to_the_finish(desk: Desk) -> None:
    who = sit(desk)
    first = desk.screen(who)
    assert (first["practice"], first["place"], first["total"]) == (True, 1, 2)
    hand_in(desk, who)
    hand_in(desk, who)
    item = desk.screen(who)
    assert (item["practice"], item["place"], item["total"]) == (False, 1, 13)
    finish = grade_all(desk, who)
    assert (finish["screens"], finish["grades"], finish["same"]) == (13, 39, 1.0)
    assert finish["distribution"] == [0, 39, 0, 0, 0]


def test_practice_is_explained_and_counts_for_nothing(desk: Desk) -> None:
    who = sit(desk)
    screen = desk.screen(who)
    given = desk.submit(who, screen["screen"], [{"grade": 5}, {"grade": 1}])
    assert [f["usual"] for f in given["feedback"]] == [5, 1]
    assert {g.kind for g in desk.store.grades()} == {"practice"}


def test_nothing_sent_to_a_grader_tells_whose_reply_is_whose(desk: Desk) -> None:
    who = sit(desk)
    replies = read_rows(desk.run().folder / "replies.jsonl", Reply)
    telling = {*CANDIDATES, "젬마", *(r.case for r in replies), "0.5", "first_token"}
    telling |= {reply_hash(r.reply) for r in replies}
    sent = []
    while "finished" not in (screen := desk.screen(who)):
        sent.append(screen)
        hand_in(desk, who)
    text = json.dumps(sent, ensure_ascii=False)
    assert not [word for word in telling if word in text]
    assert MASK in text
    assert {tuple(sorted(s)) for s in sent} == {tuple(sorted(sent[0]))}, "a repeat looks different"


def test_a_double_click_is_one_grade(desk: Desk) -> None:
    who = sit(desk)
    screen = desk.screen(who)
    grades = [{"grade": 3}] * 2
    assert desk.submit(who, screen["screen"], grades, attempt="a")["stored"] == 2
    assert desk.submit(who, screen["screen"], grades, attempt="a")["stored"] == 0
    assert desk.submit(who, screen["screen"], grades)["stored"] == 2  # another attempt: a revision
    assert desk.submit(who, screen["screen"], grades)["stored"] == 0  # no attempt: same content
    assert len(desk.store.grades()) == 2


def test_going_back_shows_what_was_given_and_a_revision_counts(desk: Desk) -> None:
    who = sit(desk)
    for _ in range(3):
        hand_in(desk, who, attempt="first")
    back = desk.screen(who, number=2)
    assert [e["grade"] for e in back["earlier"]] == [4, 4, 4]
    grades = [{"grade": g, "flags": ["foreign"], "note": "다시"} for g in (1, 2, 3)]
    desk.submit(who, back["screen"], grades, attempt="second")
    again = desk.screen(who, number=2)
    assert [e["grade"] for e in again["earlier"]] == [1, 2, 3]
    assert again["earlier"][0]["flags"] == ["foreign"]
    assert desk.screen(who)["place"] == 2
    with pytest.raises(Refused, match="earlier ones first"):
        desk.screen(who, number=6)


def test_a_skip_needs_a_reason_and_leaves_no_grade(desk: Desk) -> None:
    who = sit(desk)
    screen = desk.screen(who)
    with pytest.raises(Refused, match="reasons"):
        desk.submit(who, screen["screen"], [], skip_reason="bored")
    desk.submit(who, screen["screen"], [], skip_reason="unclear")
    assert {(g.grade, g.skip_reason) for g in desk.store.grades()} == {(None, "unclear")}
    assert desk.screen(who)["number"] == 1


def test_two_people_of_one_name_do_not_see_each_others_work(desk: Desk) -> None:
    one, other = sit(desk), sit(desk)
    hand_in(desk, one)
    assert desk.screen(other)["number"] == 0
    foreign = desk.screen(other)["screen"]
    with pytest.raises(Refused, match="not yours"):
        desk.submit(one, foreign, [{"grade": 5}] * 2)


def test_the_link_brings_a_grader_back(desk: Desk) -> None:
    who = sit(desk)
    hand_in(desk, who)
    grader, token = desk.join("다른 이름", who)
    assert (grader.name, token) == ("민지", who.token)
    assert desk.screen(Visitor(token))["number"] == 1


def test_a_login_is_a_grader_of_its_own(desk: Desk) -> None:
    grader, token = desk.join("", Visitor(login="minji"))
    assert (grader.name, token) == ("minji", "")
    assert desk.screen(Visitor(login="minji"))["number"] == 0
    assert grader_id("minji", login=True) != grader_id("minji")
    with pytest.raises(Refused):
        desk.screen(Visitor("minji"))


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
def test_a_wrong_submission_is_told_what_is_wrong(desk: Desk, grades: Any, told: str) -> None:
    who = sit(desk)
    screen = desk.screen(who)
    with pytest.raises(Refused, match=told) as refusal:
        desk.submit(who, screen["screen"], grades)
    assert any("가" <= c <= "힣" for c in refusal.value.korean)
    assert desk.store.grades() == []


@pytest.mark.parametrize("seconds", ["1", -1, float("nan"), float("inf"), 1e9, True, [], None])
def test_a_time_that_can_not_be_is_unknown(desk: Desk, seconds: Any) -> None:
    who = sit(desk)
    hand_in(desk, who, seconds=seconds)
    assert {g.seconds for g in desk.store.grades()} == {None}


@pytest.mark.parametrize("screen", ["", "unknown", "x" * 500, 5, None, {"a": 1}])
def test_an_unknown_screen_is_refused(desk: Desk, screen: Any) -> None:
    with pytest.raises(Refused):
        desk.submit(sit(desk), screen, [])


def test_unknown_graders_runs_and_names_are_refused(desk: Desk) -> None:
    with pytest.raises(Refused, match="not known"):
        desk.screen(Visitor("made up"))
    with pytest.raises(UnknownName, match="No run is called"):
        desk.screen(sit(desk), "../../etc")
    for name in ("", "   ", "가" * 61, 5):
        with pytest.raises(Refused):
            desk.join(name)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="--run"):
        Desk(lambda: desk.store, {}).run()


def test_each_run_is_work_of_its_own(desk: Desk) -> None:
    who = sit(desk)
    grade_all(desk, who, "two")
    assert desk.has_finished(who, "two")
    assert not desk.has_finished(who, "one")
    assert not desk.has_finished(Visitor("stranger"), "two")


def test_only_the_right_key_is_the_owners(desk: Desk) -> None:
    assert desk.is_owner("열쇠")
    assert not desk.is_owner("")
    assert not Desk(lambda: desk.store, {}, owner_key="").is_owner("")


def test_a_prompt_under_grading_is_known_however_it_is_typed(desk: Desk) -> None:
    assert desk.runs_with([f"  {PROMPTS[0].replace(' ', '')}!! "]) == ["one", "two"]
    assert desk.runs_with(["다른 이야기", PROMPTS[5]]) == ["one"]
    assert desk.runs_with(["다른 이야기", "", "?!"]) == []


def test_replies_with_markup_reach_the_page_as_text(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", ["<script>alert(1)</script>"], ["<img src=x onerror=alert(1)>"])
    desk = Desk(lambda: GradeStore.open(f"sqlite:///{tmp_path / 'g.db'}"), {"r": run})
    who = sit(desk, "<b>민지</b>")
    hand_in(desk, who)
    hand_in(desk, who)
    assert desk.screen(who)["prompt"] == "<script>alert(1)</script>"
