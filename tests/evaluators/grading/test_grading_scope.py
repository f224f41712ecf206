"""What of a run is graded: sensible without a word, declared in one, allotted evenly."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from commands.grading.grading_plan import PlanOptions, plan
from evaluators.grading.grading_session import GradingSession
from evaluators.grading.management.grading_overview import overview_of
from evaluators.grading.rater_identity import Visitor
from evaluators.grading.scope.grading_scope import ENOUGH_GRADES, FILE, take_back
from evaluators.grading.store.grade_store import GradeStore
from evaluators.grading.submission import InvalidRequest
from model_registry.errors import BadFile
from model_registry.records import Reply, append_rows
from tests.support.grading_fixtures import PROMPTS, make_run


def tuned_run(folder: Path, candidates: int = 7, prompts: int = 25) -> Path:
    """A run with replies before the tune and after it at three ranks."""
    rows = [
        Reply(f"{c}-{rank}", f"모델-{c}", f"질문 {p}", f"답 {c} {rank} {p}", "greedy", rank, 3, "")
        for rank in (None, 16, 32, 64)
        for c in range(candidates)
        for p in range(prompts)
    ]  # fmt: skip
    append_rows(folder / "replies.jsonl", rows)
    return folder


def session(folder: Path) -> GradingSession:
    url = f"sqlite:///{folder.parent / 'grades.db'}"
    return GradingSession(lambda: GradeStore.open(url), {folder.name: folder})


def sit(grading: GradingSession, name: str = "민지") -> Visitor:
    return Visitor(grading.join(name)[1])


def grade_all(grading: GradingSession, who: Visitor, most: int = 500) -> int:
    """How many screens, practice apart, this person was given."""
    given = 0
    while "finished" not in (screen := grading.screen(who)) and given < most:
        grading.submit(who, screen["screen"], [{"grade": 3}] * len(screen["replies"]))
        given += not screen["practice"]
    return given


def items(grading: GradingSession) -> list[tuple[str, str, int | None]]:
    """The prompts that were graded, by whom, at which rank; repeats left out."""
    kept = [g for g in grading.store.grades() if g.kind == "item"]
    return [(g.grader, g.prompt, g.tuned) for g in kept]


def test_seven_candidates_with_three_ranks_are_no_770_grades(tmp_path: Path) -> None:
    grading = session(tuned_run(tmp_path / "run"))
    load = grading.scope_document()["load"]
    assert load["replies"] <= ENOUGH_GRADES
    who = sit(grading)
    assert grade_all(grading, who) == load["items"] == 19
    kept = [g for g in grading.store.grades() if g.kind != "practice"]
    assert len(kept) == load["grades"] == 17 * 7 + 2 * 7
    assert {g.tuned for g in kept} == {16}


@pytest.mark.parametrize(
    ("replies", "ranks"),
    [
        ("untuned", {None}),
        ("tuned", {32}),
        ("before_after", {None, 32}),
        ("all", {None, 16, 32, 64}),
    ],
)
def test_what_is_declared_is_what_comes_for_grading(
    tmp_path: Path, replies: str, ranks: set[int | None]
) -> None:
    grading = session(tuned_run(tmp_path / "run", candidates=2, prompts=3))
    grading.scope_document("", {"replies": replies, "rank": 32, "prompts": 2})
    grade_all(grading, sit(grading))
    assert {rank for _, _, rank in items(grading)} == ranks
    assert len({prompt for _, prompt, _ in items(grading)}) == 2


def test_every_prompt_is_graded_by_as_many_as_were_declared(tmp_path: Path) -> None:
    grading = session(make_run(tmp_path / "run"))
    grading.scope_document("", {"overlap": 2, "graders": 3})
    people = [sit(grading) for _ in range(3)]
    for who in people:
        grading.screen(who)  # all sit down before anybody grades
    assert {grade_all(grading, who) for who in people} == {9}  # 12 · 2 / 3, and one repeated
    graders = Counter(prompt for _, prompt in {(g, p) for g, p, _ in items(grading)})
    assert set(graders.values()) == {2}
    late = sit(grading)
    assert grading.screen(late)["screens"] == 0, (
        "everything is graded: nothing is left for a fourth"
    )


def test_who_comes_when_all_is_allotted_takes_what_is_left_ungraded(tmp_path: Path) -> None:
    grading = session(make_run(tmp_path / "run"))
    grading.scope_document("", {"overlap": 1, "graders": 2})
    one, gone = sit(grading), sit(grading)
    grading.screen(gone)
    grade_all(grading, one)
    late = sit(grading)
    assert grade_all(grading, late) == 7
    assert len({prompt for _, prompt, _ in items(grading)}) == 12


def test_what_a_revoked_grader_left_ungraded_is_allotted_to_who_comes_next(
    tmp_path: Path,
) -> None:
    grading = session(make_run(tmp_path / "run"))
    grading.scope_document("", {"overlap": 1, "graders": 2})
    stays, gone = sit(grading), sit(grading)
    grading.screen(stays)
    grading.screen(gone)
    grading.store.management.revoke(gone.id)
    late = sit(grading)
    grading.screen(late)
    grade_all(grading, stays)
    grade_all(grading, late)
    graders = Counter(prompt for _, prompt in {(g, p) for g, p, _ in items(grading)})
    assert len(graders) == 12
    assert set(graders.values()) == {1}


def test_a_look_writes_nothing_where_there_is_nothing_to_allot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eleven prompts by two graders are six for one of them, and five for the other."""
    grading = session(make_run(tmp_path / "run", [f"질문 {i}" for i in range(11)]))
    grading.scope_document("", {"overlap": 1, "graders": 2})
    people = [sit(grading), sit(grading)]
    assert [grade_all(grading, who) for who in people] == [7, 6]

    def no_planning(*_: object) -> None:
        raise AssertionError("a look has planned")

    monkeypatch.setattr(grading.store, "plan_screens", no_planning)
    for who in people:
        assert grading.screen(who)["finished"]
        assert grading.has_finished(who)


def test_asking_whether_somebody_has_finished_reserves_nothing_for_them(tmp_path: Path) -> None:
    grading = session(make_run(tmp_path / "run"))
    who = sit(grading)
    assert not grading.has_finished(who)
    assert grading.store.screens(who.id, "run") == []
    grade_all(grading, who)
    assert grading.has_finished(who)
    make_run(tmp_path / "run", ["새 질문"])
    assert not grading.has_finished(who), "the run has grown"
    grade_all(grading, who)
    assert grading.has_finished(who)
    grading.scope_document("", {"names": ["다른 사람"]})
    assert not grading.has_finished(who), "they are no longer asked"


def test_more_prompts_add_to_those_of_before_and_graded_ones_stay(tmp_path: Path) -> None:
    grading = session(make_run(tmp_path / "run"))
    grading.scope_document("", {"prompts": 3})
    who = sit(grading)
    grade_all(grading, who)
    first = {prompt for _, prompt, _ in items(grading)}
    grading.scope_document("", {"prompts": 5})
    assert grading.screen(who)["practice"] is False
    assert grade_all(grading, who) == 2
    assert {prompt for _, prompt, _ in items(grading)} > first
    grading.scope_document("", {"prompts": 1})
    assert grading.screen(who)["finished"]
    assert len(grading.store.grades()) == 4 + 15


def test_the_manager_sees_of_each_grader_what_is_still_asked_for(tmp_path: Path) -> None:
    grading = session(make_run(tmp_path / "run"))
    grading.screen(sit(grading))  # everything is planned
    (row,) = overview_of(grading.store, grading.run()).graders
    assert (row.done, row.screens) == (0, 13)  # 12, and one of them again
    grading.scope_document("", {"prompts": 2})
    (row,) = overview_of(grading.store, grading.run()).graders
    assert row.done == 0
    assert row.screens in (2, 3)  # the one that is asked again may be one of the two


def test_a_wider_choice_of_replies_asks_only_for_those_that_are_new(tmp_path: Path) -> None:
    grading = session(tuned_run(tmp_path / "run", candidates=2, prompts=3))
    grading.scope_document("", {"replies": "untuned"})
    who = sit(grading)
    grade_all(grading, who)
    grading.scope_document("", {"replies": "before_after", "rank": 64})
    grade_all(grading, who)
    assert Counter(rank for _, _, rank in items(grading)) == {None: 6, 64: 6}


def test_replies_that_read_alike_count_once_in_the_work(tmp_path: Path) -> None:
    said = ["같은 답", "같은 답 ", "같은 답", "다른 답"]
    rows = [Reply(f"c{c}", f"m{c}", "p", s, "greedy", None, 3, "stop") for c, s in enumerate(said)]
    append_rows(tmp_path / "run" / "replies.jsonl", rows)
    load = session(tmp_path / "run").scope_document()["load"]
    assert (load["candidates"], load["replies"], load["grades"]) == (4, 2, 2)


def test_the_time_is_that_which_graders_took(tmp_path: Path) -> None:
    grading = session(make_run(tmp_path / "run"))
    before = grading.scope_document()["load"]
    assert (before["timed_screens"], before["seconds_a_reply"]) == (0, 10.0)
    who = sit(grading)
    while "finished" not in (screen := grading.screen(who)):
        count = len(screen["replies"])
        grading.submit(who, screen["screen"], [{"grade": 3}] * count, seconds=4.0 * count)
    after = grading.scope_document()["load"]
    assert (after["timed_screens"], after["seconds_a_reply"], after["minutes"]) == (12, 4.0, 3)


def test_only_those_who_were_named_grade(tmp_path: Path) -> None:
    grading = session(make_run(tmp_path / "run"))
    grading.scope_document("", {"names": ["민지", " 하늘  별 "]})
    assert grading.screen(sit(grading, "하늘 별"))["practice"]
    with pytest.raises(InvalidRequest, match="바다 is not among"):
        grading.screen(sit(grading, "바다"))


def test_who_is_no_longer_named_hands_in_no_more_grades(tmp_path: Path) -> None:
    grading = session(make_run(tmp_path / "run"))
    who = sit(grading, "바다")
    screen = grading.screen(who)
    given = [{"grade": 3}] * len(screen["replies"])
    grading.scope_document("", {"names": ["민지"]})
    with pytest.raises(InvalidRequest, match="바다 is not among") as refusal:
        grading.submit(who, screen["screen"], given)
    assert "바다 님은" in refusal.value.korean
    with pytest.raises(InvalidRequest, match="바다 is not among"):
        grading.keep_draft(who, screen["screen"], given)
    assert grading.store.grades() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"replies": "some"},
        {"replies": "tuned", "rank": 8},
        {"prompts": 0},
        {"prompts": "many"},
        {"prompts": True},
        {"overlap": 2},
        {"overlap": 3, "graders": 2},
        {"names": "민지"},
    ],
)
def test_what_can_not_be_declared_is_refused_and_nothing_is_kept(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    grading = session(tuned_run(tmp_path / "run", candidates=1, prompts=1))
    with pytest.raises(InvalidRequest):
        grading.scope_document("", changes)
    assert not (tmp_path / "run" / FILE).exists()


def test_a_declaration_that_was_cut_while_it_was_written_stops_nobody(tmp_path: Path) -> None:
    grading = session(make_run(tmp_path / "run"))
    grading.scope_document("", {"prompts": 3})
    with (tmp_path / "run" / FILE).open("a") as file:
        file.write('{"replies": "unt')
    assert grading.scope_document()["scope"]["prompts"] == 3
    grading.scope_document("", {"prompts": 5})
    assert grading.scope_document()["scope"]["prompts"] == 5
    (tmp_path / "run" / FILE).write_bytes(b"\0" * 20)
    assert grading.scope_document()["scope"]["declared_at"] is None


def test_a_declaration_that_was_damaged_is_named_with_its_line_and_no_folder(
    tmp_path: Path,
) -> None:
    grading = session(make_run(tmp_path / "run"))
    grading.scope_document("", {"prompts": 3})
    with (tmp_path / "run" / FILE).open("a") as file:
        file.write('{"replies": "unt\n')
    with pytest.raises(BadFile, match=f"^{FILE}:2: .*--reset") as refused:
        grading.scope_document()
    assert refused.value.korean.startswith(f"{FILE}:2: 평가 범위")
    take_back(grading.run(), "2026-01-01")
    assert grading.scope_document()["scope"]["prompts"] is None


def test_a_declaration_that_was_taken_back_follows_the_run_as_it_grows(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", PROMPTS[:2])
    grading = session(run)
    grading.scope_document("", {"prompts": 1})
    take_back(grading.run(), "2026-01-01")
    assert grading.scope_document()["load"]["prompts"] == 2
    tuned_run(run, candidates=1, prompts=4)
    scope = grading.scope_document()["scope"]
    assert (scope["replies"], scope["rank"], scope["declared_at"]) == ("tuned", 16, None)


@pytest.mark.parametrize(
    ("before", "after"),
    [("before_after", "before_after"), ("tuned", "tuned"), ("untuned", "tuned"), ("all", "tuned")],
)
def test_another_rank_keeps_the_untuned_half(tmp_path: Path, before: str, after: str) -> None:
    folder = tuned_run(tmp_path / "run", candidates=1, prompts=1)
    grading = session(folder)
    grading.scope_document("", {"replies": before, "rank": 16})
    plan(PlanOptions(run_dir=folder, rank=32, as_json=True))
    scope = grading.scope_document()["scope"]
    assert (scope["replies"], scope["rank"]) == (after, 32)


def test_a_draft_is_kept_until_it_is_handed_in(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    who = sit(session(folder))
    grading = session(folder)  # another process: nothing is held in memory
    screen = grading.screen(who)
    begun = [
        {"grade": 4, "flags": ["harmful"], "note": "여기까지"},
        {"grade": None, "flags": [], "note": ""},
    ]
    grading.keep_draft(who, screen["screen"], begun)
    grading.keep_draft(who, screen["screen"], begun)
    assert session(folder).screen(who)["draft"] == begun
    assert grading.store.grades() == [], "a draft is no grade"
    grading.submit(who, screen["screen"], [{"grade": 4}, {"grade": 1}])
    assert grading.screen(who, number=0)["draft"] is None
    with pytest.raises(InvalidRequest, match="not yours"):
        grading.keep_draft(sit(grading), screen["screen"], begun)
    with pytest.raises(InvalidRequest, match="list of 2"):
        grading.keep_draft(who, screen["screen"], [])


def test_another_reason_to_skip_is_kept_in_the_person_s_own_words(tmp_path: Path) -> None:
    grading = session(make_run(tmp_path / "run"))
    who = sit(grading)
    screen = grading.screen(who)
    grading.submit(who, screen["screen"], [], skip_reason="other: 질문이 두 개예요")
    kept = {(g.grade, g.skip_reason, g.note) for g in grading.store.grades()}
    assert kept == {(None, "other", "질문이 두 개예요")}
    with pytest.raises(InvalidRequest, match="reasons"):
        grading.submit(who, screen["screen"], [], skip_reason="unclear: 글")


def test_the_reason_of_a_skip_is_no_note_of_who_grades_the_item_after_all(tmp_path: Path) -> None:
    grading = session(make_run(tmp_path / "run"))
    who = sit(grading)
    for _ in range(2):  # practice
        grading.submit(who, grading.screen(who)["screen"], [{"grade": 4}, {"grade": 1}])
    screen = grading.screen(who)
    noted = [{"note": "길어요"}] + [{}] * (len(screen["replies"]) - 1)
    grading.submit(who, screen["screen"], noted, skip_reason="other: 질문이 두 개예요")
    earlier = grading.screen(who, number=2)["earlier"]
    assert [one["note"] for one in earlier] == ["길어요"] + [""] * (len(noted) - 1)
    assert len(noted) > 2


def test_the_strip_tells_done_skipped_and_open_and_no_repeat(tmp_path: Path) -> None:
    grading = session(make_run(tmp_path / "run"))
    who = sit(grading)
    for skip in ("", "", "", "unclear"):
        screen = grading.screen(who)
        grading.submit(
            who, screen["screen"], [{"grade": 3}] * len(screen["replies"]), skip_reason=skip
        )
    strip = grading.screen(who)["strip"]
    assert strip[:5] == ["practice done", "practice done", "done", "skipped", "open"]
    assert set(strip[4:]) == {"open"} and len(strip) == 2 + 12 + 1
