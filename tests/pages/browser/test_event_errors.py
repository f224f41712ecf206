"""What goes wrong in an event that doesn't wait in line is told, whatever the tab."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.pages.browser.conftest import axe_finds_nothing
from tests.pages.page_server import OWNER, Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MESSAGE = "#event-error p"


def manage(visit: Callable, language: str) -> Any:
    tab = visit(f"?tab=manage&key={OWNER}&lang={language}")
    tab.wait_for_selector("#manage-invite")
    # A message goes after ten seconds, in which a busy machine may not have looked at it.
    tab.evaluate(
        """() => {
            const timer = window.setTimeout;
            window.setTimeout = (act, after, ...rest) =>
                after === 10_000 ? 0 : timer(act, after, ...rest);
        }"""
    )
    return tab


def test_a_manager_who_invites_nobody_is_told_what_to_write(visit: Callable, page: Page) -> None:
    tab = manage(visit, "ko")
    tab.click("#manage-invite")
    tab.wait_for_selector(MESSAGE)
    assert "이름을 한 줄에 하나씩" in tab.inner_text(MESSAGE)
    assert tab.get_attribute("#event-error", "role") == "alert", "it is read out"
    assert tab.locator("[data-testid=status-tracker] .error:visible").count() == 0
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    axe_finds_nothing(tab, "told")
    tab.click("#event-error button")
    tab.wait_for_selector(MESSAGE, state="detached")


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_a_message_is_text_whatever_is_in_it(visit: Callable) -> None:
    tab = manage(visit, "en")
    tab.route(
        "**/gradio_api/run/predict**",
        lambda route: route.fulfill(
            status=500,
            json={"error": "&lt;b&gt;R&amp;D&lt;/b&gt; <img src=x onerror=\"document.title='!'\">"},
        ),
    )
    tab.click("#manage-refresh")
    tab.wait_for_selector(MESSAGE)
    assert tab.inner_text(MESSAGE).strip() == "<b>R&D</b>"
    assert tab.locator(f"{MESSAGE} *").count() == 0 and tab.title() == "Oh-LoRA"


@pytest.mark.parametrize("size", ["phone"], indirect=True)
def test_a_lost_connection_is_told(visit: Callable) -> None:
    tab = manage(visit, "ko")
    tab.route("**/gradio_api/run/predict**", lambda route: route.abort())
    tab.click("#manage-refresh")
    tab.wait_for_selector(MESSAGE)
    assert "연결이 끊겼어요" in tab.inner_text(MESSAGE)
