"""The Grade tab as a person uses it: link, practice, keys, notes, back, finish."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from evaluators.grading.store.grade_store import GradeStore
from tests.pages.page_server import Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def stored(page: Page) -> GradeStore:
    return GradeStore.open(f"sqlite:///{page.folder / 'data' / 'grades.db'}")


def start(tab: Any, name: str) -> None:
    tab.wait_for_selector("#grader-start")
    tab.fill("#grader-name", name)
    tab.click("#grader-start")
    tab.wait_for_selector("#card-0")


def practise(tab: Any) -> None:
    """Both practice items with the keyboard; an explanation follows each."""
    for place in ("1/2", "2/2"):
        assert place in tab.inner_text("#grade-progress")
        tab.keyboard.press("4")
        tab.keyboard.press("2")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#grade-go-on")
        assert "기준 등급: " in tab.inner_text("#card-0 .meaning")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#grade-submit")
    wait_for_place(tab, "1/7")


def show(tab: Any, place: int) -> None:
    """Go to a reply: a phone shows one at a time."""
    if tab.is_visible(f"[data-pick='{place}']"):
        tab.click(f"[data-pick='{place}']")


def wait_for_place(tab: Any, place: str) -> None:
    tab.wait_for_function(f"document.querySelector('#grade-progress')?.innerText === '{place}'")


def test_a_person_grades_from_the_link_to_the_finish(
    visit: Callable, page: Page, size: str, picture: Callable
) -> None:
    name = f"하늘 {size}"
    tab = visit(f"?grader={name}")
    tab.wait_for_selector("#grader-start")
    assert tab.input_value("#grader-name") == name  # the invitation suggests it
    picture(tab, "grade-start")
    start(tab, name)
    assert "grader=" in tab.url and "%ED" not in tab.url.split("grader=")[1][:6]
    practise(tab)
    assert "<b>주말</b>" in tab.inner_text("#grade-prompt")
    for place in range(1, 8):
        wait_for_place(tab, f"{place}/7")
        for key in "345":
            tab.keyboard.press(key)
        if place == 2:
            picture(tab, "grade")
        tab.keyboard.press("Enter")
    tab.wait_for_selector("#grade-finish")
    picture(tab, "grade-finish")
    assert f"{name} 님, 고마워요!" in tab.inner_text("#grade-finish")
    kept = [g for g in stored(page).grades("run") if g.kind != "practice" and g.seconds is not None]
    mine = [g for g in kept if stored(page).graders()[g.grader].name == name]
    assert [sum(g.grade == v for g in mine) for v in (5, 4, 3)] == [7, 7, 7]
    stored(page).management.set_visibility("run", "nothing")
    tab.reload()
    tab.wait_for_selector("#grade-finish")
    assert "‘결과’" not in tab.inner_text("#grade-finish"), "nothing is promised that is shut"
    assert tab.locator("#grade-results").count() == 0
    stored(page).management.set_visibility("run", "results")
    tab.reload()
    tab.click("#grade-results")
    tab.wait_for_selector("#results-decision table")


def test_going_back_revises_and_a_reload_goes_on_where_it_was(
    visit: Callable, page: Page, size: str
) -> None:
    tab = visit("?tab=grade")
    start(tab, f"바다 {size}")
    practise(tab)
    tab.click("#card-0 [data-grade='5']")
    tab.click("#card-1 [data-grade='1']")
    tab.wait_for_selector("#card-2")  # a phone shows the next by itself
    show(tab, 1)
    tab.click("#card-1 [data-flag='repetition']")
    show(tab, 2)
    tab.click("#card-2 [data-grade='3']")
    tab.fill("#card-2 .note", "조금 아쉽다 <i>")
    tab.click("#grade-submit")
    wait_for_place(tab, "2/7")
    tab.click("#card-0 [data-grade='2']")
    tab.reload()  # a draft and the place survive
    wait_for_place(tab, "2/7")
    assert tab.get_attribute("#card-0 [data-grade='2']", "aria-checked") == "true"
    tab.click("#grade-back")
    wait_for_place(tab, "1/7")
    assert tab.get_attribute("#card-1 [data-flag='repetition']", "aria-pressed") == "true"
    assert tab.input_value("#card-2 .note") == "조금 아쉽다 <i>"
    tab.click("#card-0 [data-grade='4']")
    tab.click("#grade-submit")
    wait_for_place(tab, "2/7")
    people = {g.id: g.name for g in stored(page).graders().values()}
    mine = [g for g in stored(page).grades(history=True) if people[g.grader] == f"바다 {size}"]
    firsts = [g.grade for g in mine if g.kind != "practice" and g.position == 0]
    assert firsts == [5, 4]


@pytest.mark.parametrize("size", ["phone"], indirect=True)
def test_who_chooses_a_reply_is_not_taken_on_to_the_next(visit: Callable) -> None:
    tab = visit("?tab=grade")
    start(tab, "머묾")
    practise(tab)
    tab.evaluate(
        """() => {
            document.querySelector("#card-0 [data-grade='3']").click();
            document.querySelector("[data-pick='0']").click();
        }"""
    )
    tab.wait_for_timeout(500)
    assert tab.is_visible("#card-0") and not tab.is_visible("#card-1")
    show(tab, 1)
    tab.click("#card-1 [data-grade='1']")
    tab.wait_for_selector("#card-2")


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_the_way_back_shows_what_was_chosen_last_however_late_it_is_kept(visit: Callable) -> None:
    tab = visit("?tab=grade")
    start(tab, "늦음")
    practise(tab)
    for key in ("3", "4", "5", "Enter"):
        tab.keyboard.press(key)
    wait_for_place(tab, "2/7")
    tab.click("#grade-back")
    wait_for_place(tab, "1/7")
    held: list[Any] = []
    tab.route("**/grade_draft", lambda route: held.append(route))
    tab.click("#card-0 [data-grade='1']")
    tab.click("#grade-forward")
    tab.wait_for_timeout(500)
    assert tab.inner_text("#grade-progress") == "1/7"
    for one in held:
        one.continue_()
    wait_for_place(tab, "2/7")
    tab.click("#grade-back")
    wait_for_place(tab, "1/7")
    assert tab.get_attribute("#card-0 [data-grade='1']", "aria-checked") == "true"


def test_skipping_asks_for_a_reason(visit: Callable, page: Page, size: str) -> None:
    tab = visit("?tab=grade")
    start(tab, f"건너 {size}")
    practise(tab)
    tab.click(".skip summary")
    tab.click("[data-skip='unclear']")
    wait_for_place(tab, "2/7")
    assert tab.get_attribute("[data-state='skipped']", "aria-label") == "1: 건너뜀"
    people = {g.id: g.name for g in stored(page).graders().values()}
    skipped = [
        g for g in stored(page).grades() if g.skip_reason and people[g.grader] == f"건너 {size}"
    ]
    assert {(g.grade, g.skip_reason) for g in skipped} == {(None, "unclear")}


def compose(tab: Any, *steps: str) -> None:
    """Type a syllable as a Korean keyboard does: it changes until it is finished."""
    session = tab.context.new_cdp_session(tab)
    for step in steps:
        session.send(
            "Input.imeSetComposition",
            {"text": step, "selectionStart": len(step), "selectionEnd": len(step)},
        )
    session.send("Input.insertText", {"text": steps[-1]})


def test_korean_composed_in_a_note_is_kept_whole_and_hands_nothing_in(
    visit: Callable, page: Page, size: str
) -> None:
    tab = visit("?tab=grade")
    start(tab, f"한글 {size}")
    practise(tab)
    for key in "345":
        tab.keyboard.press(key)
    show(tab, 0)
    tab.focus("#card-0 .note")
    compose(tab, "ㅎ", "하", "한")
    # The Enter that ends a syllable still belongs to the keyboard's composition.
    tab.evaluate(
        """() => document.querySelector('#card-0 .note').dispatchEvent(new KeyboardEvent(
            'keydown', {key: 'Enter', keyCode: 229, isComposing: true, bubbles: true}))"""
    )
    compose(tab, "ㄱ", "그", "글")
    tab.keyboard.type(" 123")
    assert tab.input_value("#card-0 .note") == "한글 123"
    assert tab.inner_text("#grade-progress") == "1/7"
    tab.keyboard.press("Enter")
    wait_for_place(tab, "2/7")
    assert "한글 123" in {g.note for g in stored(page).grades()}


def test_a_lost_connection_loses_no_grade(visit: Callable, page: Page, size: str) -> None:
    tab = visit("?tab=grade")
    start(tab, f"끊김 {size}")
    practise(tab)
    for key in "345":
        tab.keyboard.press(key)
    tab.context.set_offline(True)
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".notice:has-text('다시 보내는 중')")
    tab.context.set_offline(False)
    wait_for_place(tab, "2/7")


@pytest.mark.parametrize("status", [429, 502, 503, 504, 522])
def test_a_busy_proxy_loses_no_grade(visit: Callable, page: Page, size: str, status: int) -> None:
    tab = visit("?tab=grade")
    start(tab, f"바쁨 {size} {status}")
    asked = {"grade_submit": 0, "grade_screen": 0}
    told: set[str] = set()  # until the message was seen, each is refused, and twice at least

    def busy(route: Any) -> None:
        endpoint = route.request.url.rpartition("/")[2]
        asked[endpoint] += 1
        if asked[endpoint] > 2 and endpoint in told:
            route.continue_()
        else:
            route.fulfill(status=status, content_type="text/html", body="<h1>busy</h1>")

    tab.route(re.compile("grade_(submit|screen)$"), busy)
    tab.keyboard.press("4")
    tab.keyboard.press("2")
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".notice:has-text('서버가 바빠요')")
    told.add("grade_submit")
    tab.wait_for_selector("#grade-go-on")
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".notice:has-text('서버가 바빠요')")
    told.add("grade_screen")
    tab.wait_for_selector("#grade-submit")
    people = {g.id: g.name for g in stored(page).graders().values()}
    name = f"바쁨 {size} {status}"
    mine = [g.grade for g in stored(page).grades(history=True) if people[g.grader] == name]
    assert sorted(mine) == [2, 4]


def test_results_stay_shut_until_a_grader_has_finished(visit: Callable, picture: Callable) -> None:
    tab = visit("?tab=results")
    tab.wait_for_selector("#results-notice p:has-text('평가를 마치면')")
    assert not tab.is_visible("#results-decision")
    picture(tab, "results-shut")


def test_the_page_speaks_english_to_an_english_browser(visit: Callable) -> None:
    tab = visit("?tab=grade", locale="en-GB")
    tab.wait_for_selector("#grader-start:has-text('Start')")
    assert "Candidates" in tab.inner_text("#tabs")


def grades_on_screen(tab: Any) -> list[int | None]:
    return tab.evaluate(
        """() => [...document.querySelectorAll('.card')].map((card) => {
            const chosen = card.querySelector('[data-grade][aria-checked="true"]');
            return chosen ? Number(chosen.dataset.grade) : null;
        })"""
    )


@pytest.mark.parametrize("how", ["click", "tab"])
def test_a_digit_grades_the_reply_whose_flag_was_last_clicked_or_focused(
    visit: Callable, size: str, how: str
) -> None:
    tab = visit("?tab=grade")
    start(tab, f"표시 {how} {size}")
    practise(tab)
    show(tab, 2)
    if how == "click":
        tab.click("#card-2 [data-flag='foreign']")
    else:
        tab.focus("#card-2 [data-grade='5']")
        tab.keyboard.press("Tab")
        assert tab.evaluate("document.activeElement.dataset.flag") == "foreign"
    tab.keyboard.press("2")
    assert grades_on_screen(tab) == [None, None, 2]
    show(tab, 1)
    tab.click("#card-1 .reply")  # the text of a card is the card
    tab.keyboard.press("5")
    assert grades_on_screen(tab) == [None, 5, 2]


def test_keys_after_a_digit_act_on_the_card_that_has_the_focus(visit: Callable, size: str) -> None:
    tab = visit("?tab=grade")
    start(tab, f"초점 {size}")
    practise(tab)
    tab.click("#card-0 [data-flag='foreign']")
    tab.keyboard.press("4")  # on to the second card, and the focus with it
    tab.keyboard.press("Space")
    assert tab.get_attribute("#card-0 [data-flag='foreign']", "aria-pressed") == "true"
    assert tab.evaluate("document.activeElement.id") == "card-1"
    tab.keyboard.press("3")
    assert grades_on_screen(tab) == [4, 3, None]
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("1")
    assert grades_on_screen(tab) == [4, 1, None]


def test_enter_after_a_flag_hands_in_and_leaves_the_flag(
    visit: Callable, page: Page, size: str
) -> None:
    tab = visit("?tab=grade")
    start(tab, f"엔터 {size}")
    practise(tab)
    for key in "345":
        tab.keyboard.press(key)
    show(tab, 1)
    tab.click("#card-1 [data-flag='repetition']")
    tab.keyboard.press("Enter")
    wait_for_place(tab, "2/7")
    people = {g.id: g.name for g in stored(page).graders().values()}
    mine = [g for g in stored(page).grades() if people[g.grader] == f"엔터 {size}"]
    kept = [(g.grade, g.flags) for g in mine if g.kind != "practice"]
    assert sorted(kept) == [(3, ()), (4, ("repetition",)), (5, ())]


def test_a_key_that_is_held_down_grades_one_reply(visit: Callable, size: str) -> None:
    tab = visit("?tab=grade")
    start(tab, f"꾹 {size}")
    practise(tab)
    for _ in range(3):
        tab.keyboard.down("4")
    tab.keyboard.up("4")
    assert grades_on_screen(tab) == [4, None, None]


def test_what_is_pressed_while_grades_are_on_their_way_changes_nothing(
    visit: Callable, page: Page, size: str
) -> None:
    tab = visit("?tab=grade")
    start(tab, f"도중 {size}")
    practise(tab)
    for key in "345":
        tab.keyboard.press(key)
    tab.context.set_offline(True)
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".notice:has-text('다시 보내는 중')")
    tab.keyboard.press("1")
    show(tab, 0)
    tab.click("#card-0 [data-flag='harmful']")
    assert grades_on_screen(tab) == [3, 4, 5]
    assert tab.get_attribute("#card-0 [data-flag='harmful']", "aria-pressed") == "false"
    tab.context.set_offline(False)
    wait_for_place(tab, "2/7")
    people = {g.id: g.name for g in stored(page).graders().values()}
    mine = [g for g in stored(page).grades() if people[g.grader] == f"도중 {size}"]
    assert sorted(g.grade for g in mine if g.kind != "practice") == [3, 4, 5]
