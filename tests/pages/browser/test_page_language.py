"""A page in Korean shows no English sentence, whatever the browser prefers, and switches."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.pages.browser.conftest import wait_until_still
from tests.pages.page_server import OWNER, Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TABS = ("chat", "grade", "compare", "candidates", "results", "diagram", "manage")

#: Names and codes that stay as they are in any language.
NAMES = re.compile(
    r"Oh-LoRA|LoRA|English|Top-p|CSV|JSON Lines|JSON|Hugging Face|UTC|API|URL|org/model|seed|Holm"
    r"|Enter|SVG|PNG|IQR|GPU|CPU|[\w.+-]*\d[\w.+-]*|[\w.-]+/[\w./-]+|\b[a-zA-Z]{1,2}\b"
)
WORD = re.compile(r"[A-Za-z]{3,}")
HANGUL = re.compile("[가-힣]")
#: Words as the command line and reports end them; a page speaks otherwise.
FORMAL = re.compile(r"(?!고맙)[가-힣]+[습입합됩]니다")


def seen_texts(tab: Any) -> list[str]:
    """What stands on the page and what a screen reader tells of it; data apart."""
    return tab.evaluate(
        """() => {
            const seen = [];
            const apart = "script, style, noscript, td, option, svg, #language-switch";
            const shown = (one) => !one.closest(apart)
              && one.checkVisibility({checkVisibilityCSS: true});
            const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (walk.nextNode())
              if (shown(walk.currentNode.parentElement)) seen.push(walk.currentNode.textContent);
            for (const name of ["placeholder", "aria-label", "aria-description", "title", "alt"])
              for (const one of document.querySelectorAll(`[${name}]`))
                if (shown(one)) seen.push(one.getAttribute(name));
            return [...new Set(seen.map((one) => one.trim()))];
        }"""
    )


def foreign(texts: list[str], language: str) -> list[str]:
    """English words on a Korean page, Hangul on an English one."""
    wrong = WORD if language == "ko" else HANGUL
    return [one for one in texts if wrong.search(NAMES.sub(" ", one))]


def test_a_foreign_word_would_be_found() -> None:
    told = ["Something went wrong", "Hugging Face 데이터셋", "p (Holm)", "비어 있음"]
    assert foreign(told, "ko") == ["Something went wrong"]
    assert foreign(told, "en") == ["Hugging Face 데이터셋", "비어 있음"]


def use(tab: Any, name: str) -> None:
    """Have something stand on a tab that is empty at first."""
    if name == "candidates":
        tab.fill("#lookup-name :is(textarea, input)", "gemma-2-2b-it")
        tab.click("#lookup-show")
        tab.wait_for_selector("#lookup-load tbody tr:nth-child(2)")
    elif name == "manage":
        tab.fill("#manage-names textarea", "Kim")
        tab.click("#manage-invite")
        tab.wait_for_function("document.querySelector('#manage-links textarea').value")
    elif name == "results":
        tab.wait_for_selector("#results-decision tbody tr")
    tab.mouse.move(0, 0)


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_every_tab_is_of_one_language_without_barriers_and_narrow_enough(
    visit: Callable, page: Page, picture: Callable
) -> None:
    """All tabs in one visit a language: its words, axe in light and dark, and 200 % zoom."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = []
    for language in ("ko", "en"):
        tab = visit(f"?key={OWNER}&lang={language}", "en-US" if language == "ko" else "ko-KR")
        tab.wait_for_selector("#tab-manage-button", state="attached")
        assert tab.get_attribute("html", "lang") == language
        for name in TABS:
            tab.evaluate("(id) => document.getElementById(id).click()", f"tab-{name}-button")
            tab.wait_for_timeout(1500)
            use(tab, name)
            tab.evaluate(
                """(id) => document.querySelectorAll(
                    `#${id} :is(button.label-wrap:not(.open), details:not([open]) > summary)`
                ).forEach((one) => one.click())""",
                f"tab-{name}",
            )
            tab.wait_for_timeout(500)
            found += [(name, language, one) for one in foreign(seen_texts(tab), language)]
            found += [(name, language, one) for one in FORMAL.findall(tab.inner_text("body"))]
            for scheme in ("light", "dark"):
                tab.evaluate("(dark) => document.body.classList.toggle('dark', dark)",
                             scheme == "dark")  # fmt: skip
                tab.wait_for_timeout(300)
                wait_until_still(tab)
                picture(tab, f"{name}-{language}-{scheme}")
                found += [
                    (name, language, scheme, one["id"], node["html"][:150])
                    for one in axe.run(tab).response["violations"]
                    if one["impact"] != "minor"
                    for node in one["nodes"]
                ]
            tab.evaluate("document.body.classList.remove('dark')")
            tab.set_viewport_size({"width": 640, "height": 430})  # 1280 x 860 at 200 %
            for _ in range(100):  # the bar of tabs is fitted to it in a moment
                wide, there = tab.evaluate(
                    "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
                )
                if wide <= there:
                    break
                tab.wait_for_timeout(100)
            tab.set_viewport_size({"width": 1280, "height": 860})
            if wide > there:
                found.append((name, language, f"{wide} px wide at 200 %"))
    assert found == []


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_what_the_server_answers_is_in_the_visitor_s_language(visit: Callable) -> None:
    tab = visit("?tab=chat&lang=ko", locale="en-US")
    tab.click("#chat-send")
    tab.wait_for_selector(".toast-body")
    assert foreign(tab.locator(".toast-body").all_inner_texts(), "ko") == []


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
