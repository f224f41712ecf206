"""Diagrams in a real browser: a request is drawn, ranked, scored, and drawn again by taste."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.pages.browser.test_other_tabs import choose

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]

REQUEST = "A neural network with 2 input nodes, 3 nodes in the hidden layer, and 1 output node."


def drawn(tab: Any) -> list[Any]:
    """The diagrams on the page, best first."""
    return [one for one in tab.query_selector_all("[id^=diagram-picture-] svg") if one.is_visible()]


def draw(tab: Any) -> None:
    """Ask, and wait until all are ranked."""
    tab.click("#diagram-draw")
    tab.wait_for_selector("#diagram-status:has-text('/')", timeout=60_000)
    tab.wait_for_selector("#diagram-status:has-text('형식을 지켰어요')", timeout=120_000)


def test_the_best_diagrams_are_shown_large_scored_and_downloaded(
    visit: Callable, picture: Callable, size: str
) -> None:
    tab = visit("?tab=diagram")
    tab.wait_for_selector("#diagram-request textarea")
    choose(tab, "diagram-candidate", "diagram-1m")
    tab.fill("#diagram-request textarea", REQUEST)
    draw(tab)
    shown = drawn(tab)
    assert len(shown) == 3
    assert "취향을 반영하려면" in tab.inner_text("#diagram-status")  # the visitor's language
    width = tab.viewport_size["width"]
    assert all(one.bounding_box()["width"] > 0.6 * min(width, 700) for one in shown)
    assert all(one.bounding_box()["width"] <= width for one in shown)
    links = {a.get_attribute("download") for a in tab.query_selector_all("a[download]")}
    assert {name.rpartition(".")[2] for name in links if name} >= {"png", "svg", "txt"}
    assert not re.search(r"취향 \d", tab.inner_text("#diagram-picture-0"))
    picture(tab, "diagram")
    for place, score in enumerate(("5", "0", "1")):
        tab.click(f"#diagram-score-{place} label:has-text('{score}')")
    draw(tab)
    # Before anything is scored there is no taste to speak of; now it has a number.
    assert re.search(r"취향 \d", tab.inner_text("#diagram-picture-0"))
    picture(tab, "diagram-by-taste")
