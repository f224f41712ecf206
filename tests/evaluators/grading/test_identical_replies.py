"""Replies that read alike are one card, and names seen leave no trace in the statistics."""

from __future__ import annotations

import unicodedata
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from evaluators.grading import grading_session
from evaluators.grading.cards import cards_of
from evaluators.grading.grading_session import GradingSession
from evaluators.grading.rater_identity import Visitor
from evaluators.grading.statistics.agreement import agreement, blind_first_grades
from evaluators.grading.statistics.grade_summary import distribution, summarize
from evaluators.grading.store.grade_store import GradeStore
from model_registry.records import Reply, append_rows

SAME = "좋은 아침이에요!"


def a_run(folder: Path, replies: dict[str, str], prompts: int = 3) -> Path:
    """A run in which each candidate says the same to every prompt."""
    rows = [
        Reply(f"case-{name}", name, f"질문 {i}", reply, "greedy", None, 3, "stop")
        for name, reply in replies.items()
        for i in range(prompts)
    ]
    append_rows(folder / "replies.jsonl", rows)
    return folder


def a_session(folder: Path, replies: dict[str, str], prompts: int = 3) -> GradingSession:
    run = a_run(folder / "run", replies, prompts)
    url = f"sqlite:///{folder / 'grades.db'}"
    return GradingSession(lambda: GradeStore.open(url), {"run": run}, owner_key="key")


def sit(grading: GradingSession) -> Visitor:
    return Visitor(grading.join("민지")[1])


def hand_in(
    grading: GradingSession,
    who: Visitor,
    grade: int = 4,
    *,
    number: int | None = None,
    skip: str = "",
    attempt: str = "",
) -> dict[str, Any]:
    screen = grading.screen(who, "", number)
    grades = [{"grade": grade} for _ in screen["replies"]]
    grading.submit(who, screen["screen"], grades, skip_reason=skip, attempt=attempt)
    return screen


def practise(grading: GradingSession, who: Visitor) -> None:
    hand_in(grading, who)
    hand_in(grading, who)


def go_through(grading: GradingSession, who: Visitor, **how: Any) -> dict[str, Any]:
    while "finished" not in (screen := grading.screen(who)):
        hand_in(grading, who, **how)
    return screen


@pytest.mark.parametrize(
    "other",
    [SAME, f"  {SAME}\n", unicodedata.normalize("NFD", SAME)],
    ids=["equal", "with blanks around", "decomposed"],
)
def test_a_text_of_two_candidates_is_shown_once_graded_once_and_stored_for_each(
    tmp_path: Path, other: str
) -> None:
    grading = a_session(tmp_path, {"가": SAME, "나": other, "다": "다른 답"})
    who = sit(grading)
    practise(grading, who)
    screen = grading.screen(who)
    assert len(screen["replies"]) == 2
    grades = [{"grade": 5 if "아침" in unicodedata.normalize("NFC", r) else 2, "flags": ["foreign"]}
              for r in screen["replies"]]  # fmt: skip
    assert grading.submit(who, screen["screen"], grades)["stored"] == 3
    kept = {g.candidate: g for g in grading.store.grades() if g.kind == "item"}
    assert {name: g.grade for name, g in kept.items()} == {"가": 5, "나": 5, "다": 2}
    assert kept["나"].reply == other, "each is stored with its own text"
    assert kept["가"].position == kept["나"].position != kept["다"].position
    assert {g.shown for g in kept.values()} == {2}


def test_replies_that_differ_only_in_a_hidden_name_are_one_card(tmp_path: Path) -> None:
    grading = a_session(
        tmp_path, {"gemma-2": "저는 젬마예요.", "qwen-3": "저는 큐원이에요.", "다": "음"}
    )
    who = sit(grading)
    practise(grading, who)
    assert len(grading.screen(who)["replies"]) in (2, 3)
    assert [c.places for c in cards_of(["▇▇▇예요", "음", "▇▇▇예요 "])] == [(0, 2), (1,)]


def test_a_screen_where_all_agree_is_one_card_and_going_back_shows_its_grade(
    tmp_path: Path,
) -> None:
    grading = a_session(tmp_path, {"가": SAME, "나": SAME})
    who = sit(grading)
    practise(grading, who)
    hand_in(grading, who, 3)
    back = grading.screen(who, number=2)
    assert (len(back["replies"]), back["earlier"][0]["grade"]) == (1, 3)
    end = go_through(grading, who, grade=3)
    assert (end["grades"], end["distribution"]) == (3, [0, 0, 3, 0, 0])


def test_many_candidates_that_say_the_same_need_no_second_screen(tmp_path: Path) -> None:
    said = {f"모델-{i}": f"{'가나다라마바사'[i % 7]}라고 답해요" for i in range(21)}
    grading = a_session(tmp_path, said)
    who = sit(grading)
    practise(grading, who)
    assert len(grading.screen(who)["replies"]) == 7
    said |= {f"더-{i}": f"{'아자차카'[i % 4]}라고 답해요" for i in range(8)}
    many = a_session(tmp_path / "more", said)
    who = sit(many)
    practise(many, who)
    sizes = {len(hand_in(many, who)["replies"]) for _ in range(4)}
    assert sizes == {5, 6}, "eleven cards on two screens, those alike on one"


def test_no_place_belongs_to_a_card_that_two_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Lots are drawn from a grader's token: these are the same in every run.
    tokens = (f"grader {number}" for number in count())
    monkeypatch.setattr(grading_session, "new_token", lambda: next(tokens))
    grading = a_session(tmp_path, {"가": SAME, "나": SAME, "다": "하나", "라": "둘"})
    first = []
    for _ in range(60):
        who = sit(grading)
        practise(grading, who)
        for _ in range(3):
            first.append(hand_in(grading, who)["replies"][0])
    assert abs(first.count(SAME) / len(first) - 1 / 3) < 0.12


def test_skipping_everything_opens_no_results(tmp_path: Path) -> None:
    grading = a_session(tmp_path, {"가": "하나", "나": "둘"})
    who = sit(grading)
    end = go_through(grading, who, skip="unclear")
    assert not grading.has_finished(who)
    assert end["skips"] == 3
    assert end["skipped"] == [2, 3, 4]
    for number in end["skipped"]:
        hand_in(grading, who, number=number)
        assert grading.has_finished(who) == (number == 4)
    assert grading.screen(who)["skipped"] == []


def test_one_skip_keeps_results_shut_and_a_skipped_practice_does_not(tmp_path: Path) -> None:
    grading = a_session(tmp_path, {"가": "하나", "나": "둘"})
    who = sit(grading)
    hand_in(grading, who, skip="unclear")
    hand_in(grading, who, skip="unclear")
    hand_in(grading, who, skip="knowledge")
    go_through(grading, who)
    assert not grading.has_finished(who)
    hand_in(grading, who, number=2)
    assert grading.has_finished(who)
    hand_in(grading, who, number=2, skip="upsetting", attempt="again")
    assert not grading.has_finished(who)


def test_a_run_of_which_nothing_is_left_to_grade_is_not_finished(tmp_path: Path) -> None:
    grading = a_session(tmp_path, {"가": "하나"}, prompts=1)
    who = sit(grading)
    practise(grading, who)
    (tmp_path / "run" / "replies.jsonl").unlink()
    a_run(tmp_path / "run", {"가": "새로 만든 답"}, prompts=1)
    assert not grading.has_finished(who)


def test_what_is_revised_after_names_were_seen_is_kept_and_counts_for_nothing(
    tmp_path: Path,
) -> None:
    grading = a_session(tmp_path, {"가": "하나", "나": "둘"})
    who = sit(grading)
    go_through(grading, who, grade=4)
    assert grading.screen(who, number=2)["counts"]
    grading.note_names_seen(who)
    hand_in(grading, who, 1, number=2, attempt="later")
    history = grading.store.grades("run", history=True)
    assert [g.blind for g in history if g.grade == 1] == [False, False]
    counted = grading.store.grades("run")
    assert {g.grade for g in blind_first_grades(counted)} == {4}
    assert {row["mean"] for row in summarize(counted)["means"]} == {4.0}
    back = grading.screen(who, number=2)
    assert [one["grade"] for one in back["earlier"]] == [1, 1], "they see what they said last"
    assert not back["counts"]


def test_a_first_grade_given_after_names_were_seen_is_in_no_figure(tmp_path: Path) -> None:
    grading = a_session(tmp_path, {"가": "하나", "나": "둘"})
    who, other = sit(grading), sit(grading)
    practise(grading, who)
    hand_in(grading, who, 2)
    grading.note_names_seen(who)
    go_through(grading, who, grade=5)
    go_through(grading, other, grade=3)
    counted = grading.store.grades("run")
    assert sum(row["count"] for row in distribution(counted) if row["grade"] == 5) == 0
    summary = summarize(counted)
    assert {row["mean"] for row in summary["means"]} == {(2 + 3) / 2 / 3 + 3 * 2 / 3}
    assert agreement(counted).replies == 2


def test_who_has_seen_names_is_known_after_a_restart_and_from_a_copy_of_the_grades(
    tmp_path: Path,
) -> None:
    grading = a_session(tmp_path, {"가": "하나", "나": "둘"})
    who = sit(grading)
    go_through(grading, who)
    grading.note_names_seen(who)
    grading.note_names_seen(who)
    again = GradeStore.open(f"sqlite:///{tmp_path / 'grades.db'}")
    assert again.names_seen.by(who.id, "run")
    assert not again.names_seen.by(who.id, "another")
    hand_in(grading, who, 1, number=2, attempt="later")
    copy = GradeStore.open(f"sqlite:///{tmp_path / 'copy.db'}")
    for grader in grading.store.graders().values():
        copy.add_grader(grader)
    copy.add_grades(grading.store.grades(history=True))
    assert copy.names_seen.by(who.id, "run")


def test_grades_of_the_first_version_are_all_there_after_the_update(tmp_path: Path) -> None:
    """A database as the first version left it, made by its own migration."""
    from alembic import command
    from alembic.config import Config

    url = f"sqlite:///{tmp_path / 'grades.db'}"
    config = Config()
    folder = Path(__file__).parents[3] / "evaluators/grading/store/migrations"
    config.set_main_option("script_location", str(folder))
    engine = create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("INSERT INTO graders VALUES ('g', '민지', '2026-01-01')"))
        connection.execute(
            text(
                'INSERT INTO grades (key, subject, grader, page, run, kind, "case", candidate,'
                " prompt, pass, reply, reply_hash, grade, flags, note, skip_reason, blind, made_at)"
                " VALUES ('k', 's', 'g', 'grade', 'run', 'item', 'c', '가', '질문', 'greedy', '답',"
                " '', 4, '[]', '', '', 1, '2026-01-01')"
            )
        )
    engine.dispose()
    (kept,) = GradeStore.open(url).grades("run")
    assert (kept.grade, kept.blind, kept.settings) == (4, True, None)
