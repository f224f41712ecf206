"""Where grading starts: links that are wrong, and what the manager of several runs declares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.pages.page_server import OWNER, Page, running_page
from tests.support.grading_fixtures import make_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("start")
    runs = [make_run(folder / name, [f"{name} {i}" for i in range(4)]) for name in ("봄", "여름")]
    with running_page(folder, *(one for run in runs for one in ("--run", str(run)))) as page:
        yield page


def welcome(visit: Callable, query: str) -> Any:
    tab = visit(f"?lang=ko&{query}")
    tab.wait_for_function("document.querySelector('#grader-work')?.textContent")
    tab.wait_for_timeout(300)  # what comes after it took the message away
    return tab


@pytest.mark.parametrize(
    ("link", "said"),
    [("A1b" + "x" * 19, "알 수 없거나 취소된"), ("A1b" + "x" * 18, "일부가 빠졌어요")],
    ids=["unknown", "cut"],
)
@pytest.mark.parametrize("size", ["phone"], indirect=True)
def test_a_link_that_is_wrong_is_told_and_is_nobody_s_name(
    visit: Callable, link: str, said: str
) -> None:
    tab = welcome(visit, f"grader={link}")
    assert said in tab.inner_text(".stage .notice")
    assert said in tab.inner_text(".grading [role=status]"), "it is read out"
    assert tab.input_value("#grader-name") == ""


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_a_name_of_latin_letters_is_suggested_and_a_link_before_a_full_stop_is_taken(
    visit: Callable, page: Page
) -> None:
    assert welcome(visit, "grader=minji-kim.").input_value("#grader-name") == "minji-kim"
    tab = visit(f"?lang=ko&grader={page.sit('하늘')}.")
    tab.wait_for_selector("#card-0")


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_the_manager_of_two_runs_sees_which_one_is_declared_and_what_graders_are_told(
    visit: Callable, page: Page
) -> None:
    tab = welcome(visit, f"tab=grade&key={OWNER}")
    tab.wait_for_selector("#scope summary:has-text(': 봄')")
    tab.click("#scope summary")
    tab.select_option("#grader-run", "여름")
    tab.wait_for_selector("#scope[open] summary:has-text(': 여름')")
    tab.fill("#scope-prompts", "2")
    tab.click("#scope-save")
    tab.wait_for_selector("#grader-work:has-text('항목 2개')")
    assert page.value("grade_plan", "봄", {})["load"]["prompts"] == 4
    assert page.value("grade_plan", "여름", {})["load"]["prompts"] == 2
