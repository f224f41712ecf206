"""Who sees what: blind, random for each grader, logged, and steady."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from evaluators.grading.assignment import MOST_REPLIES, plan, screens_of
from evaluators.grading.gradable_replies import GradableRun, find_runs, read_run
from evaluators.grading.scope.grading_scope import scope_of
from evaluators.grading.store.grade_records import Grade, Grader, reply_hash
from evaluators.grading.store.grade_store import GradeStore
from model_registry.errors import OhloraError
from model_registry.records import Reply, append_rows
from tests.support.grading_fixtures import CANDIDATES, PROMPTS, make_run


@pytest.fixture
def run(tmp_path: Path) -> GradableRun:
    return read_run(make_run(tmp_path / "a run", PROMPTS + [f"더 {i}" for i in range(13)]))


@pytest.fixture
def store(tmp_path: Path) -> GradeStore:
    store = GradeStore.open(f"sqlite:///{tmp_path / 'grades.db'}")
    store.add_grader(Grader("g1", "민지"))
    store.add_grader(Grader("g2", "민지"))
    return store


def test_every_prompt_comes_once_with_every_candidate(run: GradableRun) -> None:
    items = [s for s in plan(run, "g1") if s.kind == "item"]
    assert Counter(s.prompt for s in items) == Counter(i.prompt for i in run.items)
    assert all(sorted(one.candidate for one in s.shown) == sorted(CANDIDATES) for s in items)


def test_a_tenth_comes_twice_and_later(run: GradableRun) -> None:
    screens = plan(run, "g1")
    repeats = [s for s in screens if s.kind == "repeat"]
    assert len(repeats) == round(len(run.items) * 0.1) == 2
    for repeat in repeats:
        first = next(s for s in screens if s.kind == "item" and s.prompt == repeat.prompt)
        assert screens.index(first) < screens.index(repeat)
        assert set(first.shown) == set(repeat.shown)


def test_two_practice_items_come_first(run: GradableRun) -> None:
    assert [s.kind for s in plan(run, "g1")].index("item") == 2


def test_orders_differ_between_graders_and_no_place_belongs_to_a_candidate(
    run: GradableRun,
) -> None:
    first = Counter(
        s.shown[0].candidate for g in range(40) for s in plan(run, f"g{g}") if s.kind == "item"
    )
    share = {name: count / sum(first.values()) for name, count in first.items()}
    assert all(abs(share[name] - 1 / 3) < 0.06 for name in CANDIDATES)
    assert [s.prompt for s in plan(run, "g1")] != [s.prompt for s in plan(run, "g2")]


def test_more_candidates_than_fit_one_screen_make_two(tmp_path: Path) -> None:
    names = [f"모델-{i}" for i in range(10)]
    run = read_run(make_run(tmp_path / "r", ["하나", "둘"], names))
    items = [s for s in plan(run, "g1") if s.kind == "item"]
    assert sorted(len(s.shown) for s in items) == [5, 5, 5, 5]
    assert all(len(s.shown) <= MOST_REPLIES for s in items)
    shown = [one.candidate for s in items if s.prompt == "하나" for one in s.shown]
    assert sorted(shown) == sorted(names)


def test_a_reload_shows_the_same_screens(run: GradableRun, store: GradeStore) -> None:
    first = screens_of(store, run, "g1")
    assert screens_of(store, run, "g1") == first
    assert [s.number for s in first] == list(range(len(first)))
    assert {s.id for s in first}.isdisjoint(s.id for s in screens_of(store, run, "g2"))


def test_a_run_that_has_grown_brings_its_new_prompts_last(
    run: GradableRun, store: GradeStore
) -> None:
    before = screens_of(store, run, "g1")
    make_run(run.folder, ["새 질문"])
    after = screens_of(store, read_run(run.folder), "g1")
    assert after[: len(before)] == before
    assert [s.prompt for s in after[len(before) :]] == ["새 질문"]


def test_a_screen_whose_reply_was_made_anew_is_left_out_and_its_prompt_comes_with_the_new_one(
    run: GradableRun, store: GradeStore
) -> None:
    before = screens_of(store, run, "g1")
    changed = run.items[0].replies[0]
    again = Reply(
        changed.case, changed.candidate, changed.prompt, "다른 답", "greedy", None, 3, "stop"
    )
    append_rows(run.folder / "replies.jsonl", [again])
    after = screens_of(store, read_run(run.folder), "g1")
    gone = {s.id for s in before if s.prompt == changed.prompt}
    assert gone.isdisjoint(s.id for s in after)
    (new,) = [s for s in after if s.prompt == changed.prompt]
    assert reply_hash("다른 답") in {one.reply_hash for one in new.shown}


def test_an_id_of_a_screen_is_random(run: GradableRun) -> None:
    ids = {s.id for _ in range(2) for s in plan(run, "g1")}
    assert len(ids) == 2 * len(plan(run, "g1"))
    assert min(len(i) for i in ids) >= 20


def test_of_several_passes_the_greedy_one_is_graded(tmp_path: Path) -> None:
    rows = [
        Reply("c", "m", "p", f"답 {name}", name, None, 3, "stop")
        for name in ("sample 1", "greedy", "sample 2")
    ]
    append_rows(tmp_path / "replies.jsonl", rows)
    (item,) = read_run(tmp_path).items
    assert [r.reply for r in item.replies] == ["답 greedy"]


def test_before_and_after_tuning_are_two_replies(tmp_path: Path) -> None:
    rows = [Reply("c", "m", "p", f"답 {t}", "greedy", t, 3, "stop") for t in (None, 16)]
    append_rows(tmp_path / "replies.jsonl", rows)
    assert len(read_run(tmp_path).items[0].replies) == 2


def test_a_folder_without_replies_says_how_to_make_some(tmp_path: Path) -> None:
    with pytest.raises(OhloraError, match="ohlora run"):
        read_run(tmp_path)
    with pytest.raises(OhloraError, match="no run folder"):
        read_run(tmp_path / "none")


def test_runs_are_found_the_newest_first(tmp_path: Path) -> None:
    import os

    for age, name in enumerate(("old", "new")):
        make_run(tmp_path / name)
        os.utime(tmp_path / name / "replies.jsonl", (age, age))
    assert [f.name for f in find_runs(tmp_path)] == ["new", "old"]
    assert find_runs(tmp_path / "none") == []


def test_a_repeated_item_comes_five_screens_later_or_last(run: GradableRun) -> None:
    """Right after the first time a person remembers what they gave."""
    for grader in range(30):
        screens = plan(run, f"grader {grader}")
        for place, repeat in enumerate(screens):
            if repeat.kind != "repeat":
                continue
            first = next(i for i, s in enumerate(screens)
                         if s.kind == "item" and s.prompt == repeat.prompt)  # fmt: skip
            after = [s for s in screens[place + 1 :] if s.kind == "item"]
            assert place - first >= 5 or not after


def test_what_a_candidate_of_the_run_is_called_is_hidden_in_its_replies(tmp_path: Path) -> None:
    """No list of well-known names can hold it: it is the run's own candidate."""
    name = "zephyrix-7b"
    run = read_run(make_run(tmp_path / "a run", candidates=[name, "다솜아리-1b"]))
    for said in ("저는 Zephyrix예요.", "I am zephyrix-7b!", "다솜아리라고 해요."):
        hidden = run.mask(said)
        assert "zephyrix" not in hidden.lower()
        assert "다솜아리" not in hidden


@pytest.mark.parametrize(("replies", "screens"), [(7, [7]), (8, [4, 4]), (15, [5, 5, 5])])
def test_seven_replies_are_the_most_of_a_screen(
    tmp_path: Path, replies: int, screens: list[int]
) -> None:
    run = read_run(make_run(tmp_path / "r", ["하나"], [f"모델-{i}" for i in range(replies)]))
    items = [s for s in plan(run, "g1") if s.kind == "item"]
    assert [len(s.shown) for s in items] == screens


@pytest.mark.parametrize(("items", "repeats"), [(4, 0), (5, 1), (14, 1), (26, 3)])
def test_a_tenth_is_repeated_but_one_at_least_from_five_items_on(
    tmp_path: Path, items: int, repeats: int
) -> None:
    run = read_run(make_run(tmp_path / "r", [f"질문 {i}" for i in range(items)]))
    assert sum(s.kind == "repeat" for s in plan(run, "g1")) == repeats


def test_items_come_in_no_order_of_the_run(run: GradableRun) -> None:
    orders = {tuple(s.prompt for s in plan(run, f"g{g}") if s.kind == "item") for g in range(10)}
    assert len(orders) == 10
    assert tuple(item.prompt for item in run.items) not in orders


def test_which_candidates_meet_on_a_screen_is_drawn(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "r", ["하나"], [f"모델-{i}" for i in range(10)]))
    met = {
        frozenset(one.candidate for one in screen.shown)
        for g in range(10)
        for screen in plan(run, f"g{g}")
        if screen.kind == "item"
    }
    assert len(met) > 10  # two a grader; always the same two would be 2


def test_five_prompts_come_first_for_everybody_before_anybody_graded(
    run: GradableRun, store: GradeStore
) -> None:
    scope = replace(scope_of(run), overlap=1, graders=2)
    whole = [[s.prompt for s in plan(run, f"g{g}") if s.kind == "item"] for g in range(4)]
    (shared,) = {frozenset(prompts[:5]) for prompts in whole}
    for grader in ("g1", "g2"):
        mine = [s.prompt for s in screens_of(store, run, grader, scope) if s.kind == "item"]
        assert len(mine) < len(run.items)
        first = [prompt in shared for prompt in mine]
        assert first == sorted(first, reverse=True)


def test_once_somebody_graded_the_most_telling_prompts_follow_the_few_that_all_share(
    run: GradableRun, store: GradeStore
) -> None:
    """Of 25 prompts the first grader has graded ten: the second begins with five for all, and
    goes on with what nobody has graded."""
    first = [screen for screen in screens_of(store, run, "g1") if screen.kind == "item"]
    for screen in first[:10]:
        store.add_grades(
            [
                Grade(
                    f"{screen.id}:{place}", f"{screen.id}:{place}", "g1", run.name, one.case,
                    one.candidate, screen.prompt, "", 3 + place % 2, screen=screen.id,
                    reply_hash=one.reply_hash,
                )
                for place, one in enumerate(screen.shown)
            ]
        )  # fmt: skip
    second = [s.prompt for s in screens_of(store, run, "g2") if s.kind == "item"]
    store.add_grader(Grader("g3", "하나"))
    third = [s.prompt for s in screens_of(store, run, "g3") if s.kind == "item"]
    graded = {screen.prompt for screen in first[:10]}
    assert set(second[:5]) == set(third[:5])
    rest = [prompt in graded for prompt in second[5:]]
    assert rest == sorted(rest)
    assert len(second) == len(first)
