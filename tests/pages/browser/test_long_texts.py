"""Replies and prompts that are longer than the window: to grade, and in the manager's tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from model_registry.records import Reply, append_rows
from tests.pages.browser.conftest import SIZES, axe_finds_nothing, draw_table
from tests.pages.browser.test_grade_tab import show, start, stored, wait_for_place
from tests.pages.browser.test_grading_desk import comes_into_view, given_by
from tests.pages.page_server import OWNER, Page, running_page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

LONG = "비 오는 날엔 집에서 쿠키를 구워 보세요. " * 400
REPLIES = (LONG, "산책이요!", LONG.replace("쿠키", "빵"))
one_size = pytest.mark.parametrize("size", ["desktop"], indirect=True)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("long")
    for number, reply in enumerate(REPLIES):
        rows = [
            Reply(f"c{number}", f"모델-{number}", prompt, reply, "greedy", None, 9, "stop")
            for prompt in ("오늘 뭐 할까? " * 200, "내일은 또 뭐 할까? " * 200)
        ]
        append_rows(folder / "run" / "replies.jsonl", rows)
    with running_page(folder, "--run", str(folder / "run")) as page:
        yield page


def begin(tab: Any, name: str) -> None:
    """Up to the first item that counts."""
    start(tab, name)
    for _ in range(2):
        for key in ("4", "2", "Enter"):
            tab.keyboard.press(key)
        tab.wait_for_selector("#grade-go-on")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#grade-submit")
    wait_for_place(tab, "1/2")


def places(tab: Any, *, long: bool) -> list[int]:
    """Where the replies are that are long, or short: each grader has an order of their own."""
    lengths = tab.locator(".reply").evaluate_all("all => all.map(one => one.textContent.length)")
    return [place for place, length in enumerate(lengths) if (length > 1000) is long]


def is_whole(tab: Any, place: int) -> bool:
    return tab.evaluate(
        "(one) => one.scrollHeight <= one.clientHeight + 1",
        tab.query_selector(f"#card-{place} .reply"),
    )


def test_a_long_reply_leaves_its_grades_near_and_is_read_whole_by_one_tap(
    visit: Callable, size: str, picture: Callable
) -> None:
    tab = visit("?tab=grade")
    begin(tab, f"긴 {size}")
    [short] = places(tab, long=False)
    show(tab, short)
    assert is_whole(tab, short) and not tab.is_visible(f"#card-{short} .more")
    for place in places(tab, long=True):
        show(tab, place)
        tab.evaluate(f"document.querySelector('#card-{place}').scrollIntoView()")
        more = f"#card-{place} .more"
        comes_into_view(tab, more, f"#card-{place} [data-grade='1']")
        assert tab.inner_text(more).endswith(f"답변 {'ABC'[place]} 전체 보기")
        assert not is_whole(tab, place)
    picture(tab, "desk-long")
    tab.click(more)
    assert is_whole(tab, place) and tab.get_attribute(more, "aria-expanded") == "true"
    assert tab.locator(f"#card-{place} .reply").bounding_box()["height"] > 2000
    tab.click(more)
    assert not is_whole(tab, place) and tab.get_attribute(more, "aria-expanded") == "false"
    comes_into_view(tab, more, f"#card-{place} [data-grade='1']")
    axe_finds_nothing(tab, "long")


@one_size
def test_a_long_reply_is_unfolded_by_key_and_nothing_is_handed_in(
    visit: Callable, page: Page
) -> None:
    tab = visit("?tab=grade")
    begin(tab, "긴 자판")
    first, second = places(tab, long=True)
    tab.click(f"#card-{first} h3")
    tab.keyboard.press("w")
    assert is_whole(tab, first) and not is_whole(tab, second)
    tab.keyboard.press("w")
    assert not is_whole(tab, first)
    for _ in range(second - first):
        tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    assert is_whole(tab, second) and tab.inner_text("#grade-progress") == "1/2"
    tab.keyboard.press("2")  # of the reply whose button has the focus
    assert tab.get_attribute(f"#card-{second} [data-grade='2']", "aria-checked") == "true"
    for place in {0, 1, 2} - {second}:
        tab.click(f"#card-{place} [data-grade='4']")
    tab.keyboard.press("Enter")
    wait_for_place(tab, "2/2")
    assert sorted(g.grade for g in given_by(stored(page), "긴 자판")) == [2, 4, 4]


@one_size
def test_how_much_of_a_reply_is_shown_follows_the_window(visit: Callable) -> None:
    tab = visit("?tab=grade")
    begin(tab, "긴 창")
    first, second = places(tab, long=True)
    tab.click(f"#card-{first} .more")
    height = "(one) => one.clientHeight"
    before = tab.eval_on_selector(f"#reply-{second}", height)
    tab.set_viewport_size({"width": SIZES["desktop"][0], "height": 600})
    tab.wait_for_function(
        "([one, before]) => document.querySelector(one).clientHeight < before",
        arg=[f"#reply-{second}", before],
    )
    assert is_whole(tab, first), "what was unfolded stays so"
    tab.set_viewport_size({"width": SIZES["desktop"][0], "height": 8_000})
    tab.wait_for_selector(f"#card-{second} .more", state="hidden")
    assert is_whole(tab, second)


@one_size
def test_arrow_keys_scroll_a_long_prompt_and_leave_the_reply(visit: Callable) -> None:
    tab = visit("?tab=grade")
    begin(tab, "긴 질문")
    tab.focus("#grade-prompt")
    tab.keyboard.press("ArrowDown")
    tab.wait_for_function("document.querySelector('#grade-prompt').scrollTop > 0")
    assert tab.evaluate("document.activeElement.id") == "grade-prompt"
    assert tab.locator("#card-0.active").count() == 1


def test_the_manager_s_tables_show_the_beginning_of_a_long_reply_and_the_whole_by_a_tap(
    visit: Callable, page: Page, size: str, picture: Callable
) -> None:
    who = page.sit(f"표시 {size}")
    for _ in range(3):
        screen = page.value("grade_screen", who, "", -1)
        given = [{"grade": 3, "flags": ["repetition"]} for _ in screen["replies"]]
        page.value("grade_submit", who, screen["screen"], given, "", 2.0, "")
    tab = visit(f"?tab=manage&key={OWNER}")
    cell = f"#manage-remarks tr:has-text('표시 {size}') td:first-child:has-text('쿠키')"
    tab.wait_for_selector(cell)
    tab.wait_for_selector(f"{cell} button:has-text('전체 보기')")
    assert len(tab.inner_text(cell)) < 300
    picture(tab, "manage-long")
    tab.click(f"{cell} button")
    assert LONG.strip() in tab.text_content(cell)
    tab.click(f"{cell} button:has-text('접기')")
    assert len(tab.inner_text(cell)) < 300


def test_a_long_word_in_a_table_stays_in_its_column(browser: Any) -> None:
    tab = browser.new_page(locale="ko-KR", viewport={"width": 1180, "height": 700})
    columns = [{"key": "reply", "ko": "답변"}, {"key": "grade", "ko": "등급"}]
    draw_table(tab, columns, [{"reply": "a" * 300, "grade": "3"}])
    assert tab.evaluate(
        "[...document.querySelectorAll('td')].every(one => one.scrollWidth <= one.clientWidth)"
    )
    tab.close()
