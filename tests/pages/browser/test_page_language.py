"""A page in Korean shows no English sentence, whatever the browser prefers, and switches."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.pages.page_server import OWNER, Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

TABS = ("chat", "grade", "compare", "candidates", "results", "diagram", "manage")

#: Names and codes that stay as they are in any language.
NAMES = re.compile(
    r"Oh-LoRA|LoRA|English|Top-p|CSV|JSON Lines|JSON|Hugging Face|UTC|API|URL|org/model|seed|Holm"
    r"|Enter|[\w.+-]*\d[\w.+-]*|[\w.-]+/[\w./-]+|\br\b|\bp\b"
)
#: Two English words of letters in a row that are no names are the beginning of a sentence.
SENTENCE = re.compile(r"\b[A-Za-z]{2,} +[A-Za-z]{2,}\b")


def visible_texts(tab: Any) -> list[str]:
    """What stands on the page, with the labels that a screen reader tells; data apart."""
    return tab.evaluate(
        """() => {
            const seen = [];
            const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (walk.nextNode()) {
              const at = walk.currentNode.parentElement;
              if (at.closest("script, style, noscript, td, option, #language-switch")) continue;
              if (at.checkVisibility?.({checkVisibilityCSS: true}) === false) continue;
              seen.push(walk.currentNode.textContent.trim());
            }
            for (const one of document.querySelectorAll("[placeholder]"))
              if (one.checkVisibility?.()) seen.push(one.getAttribute("placeholder"));
            return seen.filter(Boolean);
        }"""
    )


def english(texts: list[str]) -> list[str]:
    return [one for one in texts if SENTENCE.search(NAMES.sub(" ", one))]


def test_an_english_sentence_would_be_found() -> None:
    assert english(["Something went wrong", "Hugging Face 데이터셋", "p (Holm)"]) == [
        "Something went wrong"
    ]


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_no_tab_shows_an_english_sentence_on_a_korean_page(visit: Callable, page: Page) -> None:
    tab = visit(f"?key={OWNER}&lang=ko", locale="en-US")
    tab.wait_for_selector("#tab-manage-button", state="attached")
    assert tab.get_attribute("html", "lang") == "ko"
    found = {}
    for name in TABS:
        tab.evaluate("(id) => document.getElementById(id).click()", f"tab-{name}-button")
        tab.wait_for_timeout(1500)
        if words := english(visible_texts(tab)):
            found[name] = words
    assert found == {}
    # What the server answers is Korean too, and so is the title of the message.
    tab.evaluate("document.getElementById('tab-chat-button').click()")
    tab.click("#chat-send")
    tab.wait_for_selector(".toast-body")
    assert english(tab.locator(".toast-body").all_inner_texts()) == []


@pytest.mark.parametrize("size", ["phone"], indirect=True)
def test_the_language_is_switched_on_the_page_and_the_rest_of_the_address_stays(
    visit: Callable,
) -> None:
    tab = visit("?tab=candidates&run=run", locale="ko-KR")
    tab.wait_for_selector("#candidates-accepted tr")
    assert "라이선스" in tab.inner_text("#candidates-accepted")
    tab.click("#language-switch [lang=en]")
    tab.wait_for_url("**lang=en**")
    tab.wait_for_selector("#candidates-accepted tr")
    assert "Licence" in tab.inner_text("#candidates-accepted")
    assert "run=run" in tab.url
    tab.goto(tab.url.replace("&lang=en", ""))  # the choice is kept
    tab.wait_for_selector("#candidates-accepted tr")
    assert "Licence" in tab.inner_text("#candidates-accepted")
