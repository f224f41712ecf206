"""The grader's desk: by keyboard alone, on a phone, at twice the size, and for who can't see it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from evaluators.grading.store.grade_store import GradeStore
from model_registry.records import Reply, append_rows
from tests.pages.browser.conftest import SIZES, axe_finds_nothing
from tests.pages.browser.test_grade_tab import start, stored, wait_for_place
from tests.pages.page_server import OWNER, Page, running_page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

#: Replies of which a laptop's window holds two or three.
SAID = "비 오는 날엔 집에서 쿠키를 굽거나 보드게임을 해 보는 건 어때요? 영화도 좋아요. " * 3
one_size = pytest.mark.parametrize("size", ["desktop"], indirect=True)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("desk")
    for number in range(5):
        rows = [
            Reply(f"c{number}", f"모델-{number}", f"질문 {p}: 주말에 아이들과 뭐 하지?",
                  f"{SAID} ({number}, {p})", "greedy", None, 9, "stop")
            for p in range(4)
        ]  # fmt: skip
        append_rows(folder / "run" / "replies.jsonl", rows)
    with running_page(folder, "--run", str(folder / "run")) as page:
        yield page


def given_by(store: GradeStore, name: str) -> list[Any]:
    people = {one.id: one.name for one in store.graders().values()}
    return [g for g in store.grades() if people[g.grader] == name and g.kind != "practice"]


def comes_into_view(tab: Any, *selectors: str) -> None:
    """Wait until all of these are inside the window, and nothing lies over them."""
    tab.wait_for_function(
        """(all) => all.every((one) => {
            const node = document.querySelector(one);
            const { left, right, top, bottom, width, height } = node.getBoundingClientRect();
            const middle = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
            return width > 0 && height > 0 && top >= 0 && bottom <= innerHeight + 1 && left >= 0
                && right <= innerWidth + 1 && (node.contains(middle) || middle?.contains(node));
        })""",
        arg=list(selectors),
    )


@one_size
def test_a_whole_scope_is_graded_by_keyboard_alone(visit: Callable, page: Page) -> None:
    tab = visit("?grader=자판")
    tab.wait_for_function("document.querySelector('#grader-work')?.textContent")
    load = page.value("grade_plan", "", {})["load"]  # 3 minutes, or as others were timed before
    assert load["timed_screens"] or load["minutes"] == 3
    assert f"항목 4개, 약 {load['minutes']}분" in tab.inner_text("#grader-work")
    tab_to_the_name(tab)
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#card-0")
    practise_by_keys(tab)
    for key in "12345":  # the first item
        tab.keyboard.press(key)
    tab.keyboard.press("ArrowUp")
    assert tab.evaluate("document.activeElement.id") == "card-3"
    for key in ("f", "Space", "n", "길어요", "Escape"):
        tab.keyboard.type(key) if key == "길어요" else tab.keyboard.press(key)
    tab.keyboard.press("Tab")  # into the grades: one stop, arrows inside
    assert tab.evaluate("document.activeElement.dataset.grade") == "4"
    tab.keyboard.press("ArrowLeft")
    assert tab.evaluate("document.activeElement.dataset.grade") == "3"
    tab.keyboard.press("Enter")
    wait_for_place(tab, "2/4")
    assert tab.evaluate("document.activeElement.id") == "grade-question", "the next is read out"
    tab.keyboard.press("s")  # skip, for another reason
    for _ in range(4):
        tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    tab.keyboard.press("Enter")
    assert "이유를 적어" in tab.inner_text(".notice")
    tab.keyboard.type("질문이 두 개예요")
    tab.keyboard.press("Enter")
    wait_for_place(tab, "3/4")
    tab.keyboard.press("?")
    assert tab.locator("dialog[open]").count() == 1
    assert "메모" in tab.inner_text("dialog")
    tab.keyboard.press("1")  # grades nothing behind the help
    tab.keyboard.press("Escape")
    assert tab.locator("[aria-checked=true]").count() == 0
    tab.keyboard.press("BracketLeft")
    wait_for_place(tab, "2/4")
    tab.keyboard.press("BracketRight")
    wait_for_place(tab, "3/4")
    for place in (3, 4):
        wait_for_place(tab, f"{place}/4")
        for key in "12345":
            tab.keyboard.press(key)
        tab.keyboard.press("Enter")
    tab.wait_for_selector("#grade-finish")
    mine = given_by(stored(page), "자판")
    first = [g for g in mine if g.prompt == mine[0].prompt]
    assert [(g.grade, g.note, g.flags) for g in sorted(first, key=lambda g: g.position)][3] == (
        3, "길어요", ("foreign",)
    )  # fmt: skip
    assert {g.note for g in mine if g.skip_reason == "other"} == {"질문이 두 개예요"}
    assert len([g for g in mine if g.grade]) == 15


def tab_to_the_name(tab: Any) -> None:
    """From the top of the page."""
    for _ in range(40):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement.id") == "grader-name":
            return


def practise_by_keys(tab: Any) -> None:
    for _ in range(2):
        tab.keyboard.press("4")
        tab.keyboard.press("2")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#grade-go-on")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#grade-submit")
    wait_for_place(tab, "1/4")


@pytest.mark.parametrize("size", ["phone"], indirect=True)
def test_a_whole_scope_is_graded_by_touch_on_a_phone_one_reply_at_a_time(
    visit: Callable, page: Page, picture: Callable
) -> None:
    tab = visit("?grader=손끝")
    tab.wait_for_selector("#grader-start")
    tab.tap("#grader-start")
    tab.wait_for_selector("#card-0")
    while not tab.query_selector("#grade-finish"):
        place = tab.inner_text("#grade-progress")
        for card in range(tab.locator(".card").count()):
            tab.wait_for_selector(f"#card-{card}", state="visible")
            assert tab.locator(".card:visible").count() == 1
            grades = [f"#card-{card} [data-grade='{value}']" for value in range(1, 6)]
            tab.wait_for_timeout(350)  # the scrolling
            comes_into_view(tab, "#grade-prompt", "#grade-submit")
            tab.tap(grades[3])
        if place == "1/4":
            picture(tab, "desk")
        tab.tap("#grade-submit")
        tab.wait_for_function(
            "(old) => document.querySelector('#grade-finish, #grade-go-on')"
            " || document.querySelector('#grade-progress').innerText !== old",
            arg=place,
        )
        if tab.query_selector("#grade-go-on"):
            tab.tap("#grade-go-on")
            tab.wait_for_selector("#grade-submit")
    assert [g.grade for g in given_by(stored(page), "손끝")] == [4] * 20
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


@one_size
def test_question_grades_and_buttons_stay_in_view_and_messages_beside_them(
    visit: Callable, picture: Callable
) -> None:
    tab = visit("?tab=grade")
    start(tab, "보임")
    practise_by_keys(tab)
    for key in "1234":
        tab.keyboard.press(key)
    tab.wait_for_timeout(600)  # the scrolling
    comes_into_view(tab, "#grade-prompt", ".rubric dl", "#grade-submit", "#card-4 [role=radio]")
    tab.keyboard.press("Enter")
    assert "모든 답변에" in tab.inner_text(".notice")
    assert tab.inner_text("[role=status]") == tab.inner_text(".notice"), "it is read out too"
    comes_into_view(tab, ".notice", "#grade-submit")
    near, button = (tab.locator(s).bounding_box() for s in (".notice", "#grade-submit"))
    assert abs(near["y"] - button["y"]) < 60


def test_a_draft_goes_on_in_another_browser_by_the_link_alone(visit: Callable, page: Page) -> None:
    one = visit("?tab=grade")
    start(one, "이어서")
    link = re.search(r"grader=[\w-]{22}", one.url)[0]
    with one.expect_response("**/grade_draft"):
        one.keyboard.press("5")
    other = visit(f"?{link}")  # a context of its own: nothing is stored there
    other.wait_for_selector("#card-0", state="attached")  # a phone shows the next
    assert other.get_attribute("#card-0 [data-grade='5']", "aria-checked") == "true"
    assert given_by(stored(page), "이어서") == []
    other.click(".mine summary")
    assert link in other.input_value("#grader-link")


@one_size
def test_a_draft_that_was_lost_on_its_way_is_sent_again(visit: Callable, page: Page) -> None:
    tab = visit("?tab=grade")
    start(tab, "다시 보냄")
    lost: list[Any] = []

    def lose_the_first(route: Any) -> None:
        route.continue_() if lost else route.abort()
        lost.append(route)

    tab.route("**/grade_draft", lose_the_first)
    with tab.expect_response("**/grade_draft"):  # one that is lost has none
        tab.keyboard.press("5")
    tab.unroute("**/grade_draft")
    tab.reload()
    tab.wait_for_selector("#card-0 [data-grade='5'][aria-checked='true']")


@one_size
def test_a_revision_that_was_not_handed_in_is_said_so_and_what_was_given_stays(
    visit: Callable, page: Page
) -> None:
    tab = visit("?tab=grade")
    start(tab, "고침")
    practise_by_keys(tab)
    for key in "12345":
        tab.keyboard.press(key)
    tab.keyboard.press("Enter")
    wait_for_place(tab, "2/4")
    tab.click("nav [aria-label='1: 평가함']")
    wait_for_place(tab, "1/4")
    tab.click("#card-0 [data-grade='5']")
    tab.click("#grade-forward")
    wait_for_place(tab, "2/4")
    assert tab.is_disabled("nav [aria-label='3: 남음']"), "earlier ones first"
    tab.click("#grade-back")
    tab.wait_for_selector(".notice:has-text('아직 제출하지 않았어요')")
    assert tab.get_attribute("#card-0 [data-grade='5']", "aria-checked") == "true"
    assert [g.grade for g in given_by(stored(page), "고침")] == [1, 2, 3, 4, 5]


@one_size
def test_at_twice_the_size_everything_is_reached_by_key_and_nothing_is_cut_off(
    visit: Callable, picture: Callable
) -> None:
    tab = visit("?tab=grade")
    tab.set_viewport_size({"width": SIZES["desktop"][0] // 2, "height": SIZES["desktop"][1] // 2})
    start(tab, "두 배")
    practise_by_keys(tab)
    for key in "1234":
        tab.keyboard.press(key)
        tab.wait_for_timeout(500)
        comes_into_view(tab, "#grade-prompt", ".card.active h3", "#grade-submit")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.dataset.flag") == "foreign"
    comes_into_view(tab, "#card-4 [data-flag='foreign']")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tab.keyboard.press("5")
    tab.keyboard.press("Enter")
    wait_for_place(tab, "2/4")


@one_size
def test_the_manager_declares_on_the_page_what_is_graded_and_nobody_else_can(
    visit: Callable, page: Page
) -> None:
    guest = visit("?tab=grade&key=wrong")
    guest.wait_for_function("document.querySelector('#grader-work')?.textContent")
    assert guest.locator("#scope").count() == 0
    refused = page.ask("grade_plan", "", {"prompts": 1})
    assert "Only the manager" in refused.json()["error"]
    for wrong in ([["prompts", 1]], 3, "prompts"):
        assert "is an object" in page.ask("grade_plan", "", wrong).json()["error"]
    tab = visit(f"?tab=grade&key={OWNER}")
    tab.click("#scope summary")
    tab.fill("#scope-prompts", "3")
    tab.fill("#scope-overlap", "3")
    tab.click("#scope-save")
    tab.wait_for_selector("#scope-load:has-text('평가자 수')")  # how many grade is not known
    tab.fill("#scope-graders", "3")
    tab.click("#scope-save")
    tab.wait_for_selector("#scope-load:has-text('질문 4개 가운데 3개')")
    assert "15" in tab.inner_text("#scope-load")
    tab.reload()
    tab.wait_for_selector("#grader-work:has-text('항목 3개')")
    tab.click("#scope summary")
    tab.fill("#scope-prompts", "")
    tab.fill("#scope-overlap", "")
    tab.click("#scope-save")  # as it was, for the other tests
    tab.wait_for_selector("#scope-load:has-text('질문 4개 가운데 4개')")


def contrast(tab: Any, selector: str) -> float:
    """The contrast of an element's text with its background (WCAG 2.2, 1.4.3)."""
    return tab.evaluate(
        """(where) => {
            const style = getComputedStyle(document.querySelector(where));
            const light = (colour) => {
                const [r, g, b] = colour.match(/[\\d.]+/g).map((c) => c / 255)
                    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const [a, b] = [light(style.color), light(style.backgroundColor)];
            return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        }""",
        selector,
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_or_moderate(
    visit: Callable, scheme: str, size: str, picture: Callable
) -> None:
    locale = "ko-KR" if scheme == "light" else "en-GB"
    tab = visit(f"?tab=grade&key={OWNER}", locale=locale)
    tab.emulate_media(color_scheme=scheme)
    tab.reload()
    tab.click("#scope summary")
    axe_finds_nothing(tab, "start")
    picture(tab, f"desk-start-{scheme}")
    tab.click("#scope summary")
    start(tab, f"보조 {scheme} {size}")
    practise_by_keys(tab)
    for key in "123":
        tab.keyboard.press(key)
    tab.keyboard.press("f")
    tab.keyboard.press("Space")
    axe_finds_nothing(tab, "item")
    picture(tab, f"desk-item-{scheme}")
    for chosen in ("[aria-checked=true]", "[aria-pressed=true]", ".strip [aria-current]"):
        assert contrast(tab, chosen) >= 4.5, chosen
    groups = tab.locator("[role=radiogroup]").evaluate_all("all => all.map(one => one.ariaLabel)")
    name = "답변 A: 등급" if locale == "ko-KR" else "Reply A: grade"
    assert groups[0] == name and len(set(groups)) == 5
    tab.keyboard.press("?")
    axe_finds_nothing(tab, "help")
    tab.keyboard.press("Escape")
    tab.keyboard.press("s")
    tab.click("[data-skip='other']")
    axe_finds_nothing(tab, "skip")
    tab.keyboard.type("끝")
    tab.keyboard.press("Enter")
    wait_for_place(tab, "2/4")
    for place in (2, 3, 4):
        wait_for_place(tab, f"{place}/4")
        for key in "55555":
            tab.keyboard.press(key)
        tab.keyboard.press("Enter")
    tab.wait_for_selector("#grade-finish")
    axe_finds_nothing(tab, "finish")
