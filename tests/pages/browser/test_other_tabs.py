"""Candidates and Results as a person uses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.pages.browser.conftest import draw_table
from tests.pages.browser.test_conversations import choose
from tests.pages.page_server import OWNER, ROOT, Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_candidates_are_filtered_and_the_rejected_have_a_reason(
    visit: Callable, picture: Callable
) -> None:
    tab = visit("?tab=candidates")
    tab.wait_for_selector("#candidates-accepted table")
    everybody = tab.locator("#candidates-accepted tbody tr").count()
    choose(tab, "candidates-license", "자유 이용")
    tab.wait_for_selector("#candidates-rejected tbody tr")
    tab.wait_for_function(
        f"document.querySelectorAll('#candidates-accepted tbody tr').length < {everybody}"
    )
    accepted = tab.locator("#candidates-accepted tbody tr").count()
    rejected = tab.locator("#candidates-rejected tbody tr").count()
    assert accepted + rejected == everybody
    assert all(
        one.strip() for one in tab.locator("#candidates-rejected td:nth-child(2)").all_inner_texts()
    )
    picture(tab, "candidates")
    tab.fill("#candidates-max input[type=number]", "1")
    tab.keyboard.press("Tab")
    tab.wait_for_function(
        f"document.querySelectorAll('#candidates-accepted tbody tr').length < {accepted}"
    )


def test_the_owner_sees_results_and_downloads_them(visit: Callable, picture: Callable) -> None:
    tab = visit(f"?tab=results&key={OWNER}")
    tab.wait_for_selector("#results-decision tbody tr")
    assert tab.locator("#results-decision tbody tr").count() == 3
    assert tab.locator("#results-cost svg circle").count() in (0, 3)
    picture(tab, "results")
    tab.wait_for_selector("#results-csv")
    with tab.expect_download() as csv:
        tab.click("#results-csv")
    content = csv.value.path().read_bytes()
    assert content.startswith("\ufeff".encode()) and b"candidate" in content
    with tab.expect_download() as document:
        tab.click("#results-json")
    assert b'"decision"' in document.value.path().read_bytes()


def test_the_owner_looks_a_model_up_and_a_guest_has_no_box(
    visit: Callable, page: Page, picture: Callable
) -> None:
    guest = visit("?tab=candidates")
    guest.wait_for_selector("#candidates-accepted tbody tr")
    assert not guest.is_visible("#lookup-name")
    tab = visit(f"?tab=candidates&key={OWNER}")
    (page.folder / "no-model").mkdir(exist_ok=True)
    tab.fill("#lookup-name :is(textarea, input)", str(page.folder / "no-model"))
    tab.click("#lookup-show")
    tab.wait_for_selector("#lookup-load tbody tr:has-text('빈 폴더')")
    picture(tab, "lookup")


def test_a_sorted_table_folds_its_last_rows_and_not_those_of_before(browser: Any) -> None:
    tab = browser.new_page(locale="en-US")
    columns = [{"key": "n", "en": "Number", "ko": "", "always": True, "numeric": True}]
    draw_table(tab, columns, [{"n": n, "folded": n > 2} for n in (1, 2, 3, 4)])
    assert tab.locator("td").all_inner_texts() == ["1", "2"]
    tab.click("th button")
    assert tab.locator("td").all_inner_texts() == ["4", "3"], "the largest, not the largest of two"
    tab.click(".fold")
    assert tab.locator("td").all_inner_texts() == ["4", "3", "2", "1"]
    tab.close()


@pytest.mark.parametrize(
    ("value", "chosen", "asked"),
    [
        ({"run": "가", "again": 0.1, "told": "{time}"}, "가", True),
        ({"run": "나"}, "가", True),
        ({"run": "가"}, "가", False),
        ({}, "가", False),
    ],
)
def test_newer_results_and_those_of_the_chosen_run_are_asked_for_until_they_come(
    browser: Any, value: dict, chosen: str, asked: bool
) -> None:
    tab = browser.new_page()
    tab.set_content('<div id="results-run"><input></div><div id="age"><p></p></div>')
    tab.fill("input", chosen)
    tab.evaluate(
        "(value) => { const element = document.querySelector('#age'), props = { value };"
        "const watch = () => null, trigger = () => { window.asked = (window.asked || 0) + 1; };"
        + (ROOT / "pages/assets/results_age.js").read_text("utf-8")
        + "}",
        value,
    )
    if asked:  # nobody answers: once is not enough
        tab.wait_for_function("window.asked > 1", timeout=60_000)
    else:
        tab.wait_for_timeout(1200)
        assert not tab.evaluate("window.asked")
    tab.close()


def test_older_results_are_shown_at_once_and_newer_ones_come_by_themselves(
    visit: Callable, picture: Callable, page: Page, size: str
) -> None:
    tab = visit(f"?tab=results&key={OWNER}")
    tab.wait_for_selector("#results-decision tbody tr")
    # On a busy machine newer results take long, and several times as long until they are begun.
    newest, long = "document.querySelector('#results-age p').textContent === ''", 240_000
    tab.wait_for_function(newest, timeout=long)
    earlier = tab.inner_text("#results-notice")
    grade_a_screen(page, f"새벽 {size}")
    tab.click("#results-refresh")
    older = tab.wait_for_function(
        """() => {
            const age = document.querySelector("#results-age p").textContent;
            const notice = document.querySelector("#results-notice").innerText;
            return /기준 등급/.test(age) && [age, notice];
        }"""
    )  # both at one moment: the newer ones may come in the next
    age, notice = older.json_value()
    assert "{time}" not in age and notice == earlier
    picture(tab, "results-refreshing")
    tab.wait_for_function(newest, timeout=long)
    assert tab.inner_text("#results-notice") != earlier


@pytest.mark.parametrize("width", [334, 540])
def test_names_in_the_picture_are_as_large_on_a_phone_and_cover_no_other(
    browser: Any, width: int
) -> None:
    tab = browser.new_page()
    style = (ROOT / "pages/assets/page.css").read_text("utf-8")
    tab.set_content(
        f"<style>{style}</style>"
        f'<div id="it" style="width:{width}px"><h2></h2><div class="picture"></div></div>'
    )
    names = ("gemma-2-2b-it", "polyglot-ko-1.3b", "llama1B", "koquality-polyglot-1.3b")
    points = [
        {"candidate": name, "seconds": 1 + at / 20, "good": 3 + at / 50}
        for at, name in enumerate(names)
    ]
    tab.evaluate(
        "(value) => { const words = { ko: '가', en: 'a' }, watch = () => null;"
        "const props = { kind: 'points', title: words, axis: words, none: words,"
        " sides: { ko: [1, 2], en: [1, 2] }, value };"
        "const element = document.querySelector('#it');"
        + (ROOT / "pages/assets/picture.js").read_text("utf-8")
        + "}",
        {"points": points, "graded": True},
    )
    boxes = [one.bounding_box() for one in tab.locator(".picture .name").all()]
    assert len(boxes) == 4
    for at, one in enumerate(boxes):
        assert one["height"] > 11, "readable"
        assert one["x"] >= 0 and one["x"] + one["width"] <= width + 16, "inside"
        for other in boxes[:at]:
            apart_x = one["x"] > other["x"] + other["width"] or other["x"] > one["x"] + one["width"]
            assert apart_x or abs(one["y"] - other["y"]) > 9, "no name over another"
    tab.close()


@pytest.mark.parametrize("size", ["phone"], indirect=True)
def test_a_first_look_that_waits_says_so_and_a_grader_gets_no_buttons_for_files(
    visit: Callable, page: Page
) -> None:
    who = page.sit("다 함")
    while "finished" not in (screen := page.value("grade_screen", who, "", -1)):
        grades = [{"grade": 4} for _ in screen["replies"]]
        page.value("grade_submit", who, screen["screen"], grades, "", 2.0, "")
    tab = visit(f"?tab=chat&lang=ko&grader={who}")
    tab.wait_for_selector("#chat-entry")
    held: list[Any] = []
    holding = [True]
    tab.route(
        "**/gradio_api/run/**",
        lambda route: held.append(route) if holding else route.continue_(),
    )
    tab.evaluate("document.getElementById('tab-results-button')?.click()")
    if not tab.is_visible("#results-run"):  # a phone's bar of tabs is too short for all
        tab.click(".overflow-menu > button")
        tab.click(".overflow-dropdown button:has-text('결과')")
    tab.wait_for_selector("#results-age p:has-text('결과를 계산하고 있어요')")
    holding.clear()
    for one in held:
        one.continue_()
    tab.wait_for_selector("#results-decision tbody tr")
    tab.wait_for_function(
        "!/계산하고 있어요…/.test(document.querySelector('#results-age p').textContent)"
    )
    assert not tab.is_visible("#results-csv") and not tab.is_visible("#results-json")


def grade_a_screen(page: Page, name: str) -> None:
    token = page.sit(name)
    for _ in range(3):  # two are for practice
        screen = page.value("grade_screen", token, "", -1)
        grades = [{"grade": 4} for _ in screen["replies"]]
        assert page.value("grade_submit", token, screen["screen"], grades, "", 2.0, "")["stored"]
