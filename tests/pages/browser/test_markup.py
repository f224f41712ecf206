"""Markup of every kind in every place that a stranger fills is read as text, and runs nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pages.browser.conftest import go_to
from tests.pages.page_server import OWNER, Page, running_page
from tests.support.grading_fixtures import make_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

#: Each would change the title, be set as a formula, or hide what stands behind it.
SCRIPT = "<img src=x onerror=\"document.title='뚫림'\"><script>document.title='뚫림'</script>"
MARKUP = (
    f"{SCRIPT} **굵게** [링크](javascript:document.title='뚫림') $x^2$ <!-- 숨김 --> &lt;b&gt; 끝"
)
NAMES = ["<i>가온</i>-0.4b", "누리 $x$ **b** <!--", "<img src=x onerror=document.title='뚫림'>"]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("markup")
    for name in ("<b>한 실행 $x$", "다른 <i>실행"):
        make_run(folder / "runs" / name, [f"{i} {MARKUP}" for i in range(2)], NAMES)
    plugin = folder / "hostile.py"
    plugin.write_text(PLUGIN.format(names=NAMES, said=MARKUP), encoding="utf-8")
    with running_page(folder, "--run", str(folder / "runs"), "--plugin", str(plugin)) as page:
        yield page


PLUGIN = """
from model_registry.backends.backend import Answer
from model_registry.candidate import Candidate, License
from model_registry.hookspecs import hookimpl

class Says:
    def stream(self, messages, settings):
        yield {said!r}
        return Answer({said!r}, 1, "stop")
    def close(self): pass

@hookimpl
def register_backends(register):
    register("says", lambda candidate, *, weights, device: Says())

@hookimpl
def register_candidates(register):
    for name in {names!r}:
        register(Candidate(name, License("MIT", "yes"), parameters=1, backend="says", catalog="x"))
"""


def nothing_ran(tab: Any) -> None:
    tab.wait_for_timeout(300)
    assert tab.title() == "Oh-LoRA"
    foreign = "img[src='x'], script:not([src]):not([type]), .katex, [href^='javascript']"
    assert tab.locator("#tabs").locator(foreign).count() == 0


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_graders_read_markup_as_text(visit: Any, page: Page, picture: Any) -> None:
    tab = visit("?tab=grade")
    tab.wait_for_selector("#grader-run")
    assert "<b>한 실행 $x$" in tab.inner_text("#grader-run")
    tab.select_option("#grader-run", index=0)
    tab.fill("#grader-name", "<b>민지</b>" + SCRIPT[:45])
    tab.click("#grader-start")
    tab.wait_for_selector("#card-0")
    for _ in range(2):
        tab.keyboard.press("4")
        tab.keyboard.press("2")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#grade-go-on")
        tab.keyboard.press("Enter")
        tab.wait_for_selector("#grade-submit")
    assert MARKUP in tab.inner_text("#grade-prompt")
    nothing_ran(tab)
    tab.fill("#card-0 .note", MARKUP)
    picture(tab, "markup-grade")
    while tab.locator("#grade-finish").count() == 0:
        for card in range(tab.locator(".card").count()):
            tab.click(f"#card-{card} [data-grade='3']")
        before = tab.inner_text("#grade-progress")
        tab.click("#grade-submit")
        tab.wait_for_function(
            "(old) => document.querySelector('#grade-finish')"
            " || document.querySelector('#grade-progress').innerText !== old",
            arg=before,
        )
    assert "<b>민지</b>" in tab.inner_text("#grade-finish")
    tab.click("#grade-results")
    tab.wait_for_selector("#results-decision td")
    shown = tab.inner_text("#tab-results") if tab.locator("#tab-results").count() else ""
    shown += tab.inner_text("#tabs")
    assert all(name in shown for name in NAMES)
    nothing_ran(tab)
    picture(tab, "markup-results")


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_chats_pairs_and_errors_read_markup_as_text(visit: Any, picture: Any) -> None:
    tab = visit("?tab=chat")
    tab.wait_for_selector("#chat-candidate input")
    tab.click("#chat-candidate input")
    tab.locator("[role=option]", has_text=NAMES[0]).click()
    tab.fill("#chat-message textarea, #chat-message input", f"나: {MARKUP[:200]}")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#chat-history .bot")
    tab.wait_for_selector("#chat-send", state="visible")
    said = tab.inner_text("#chat-history .bot .text")
    assert MARKUP.replace("**", "") in said, "bold is the one thing that takes effect"
    nothing_ran(tab)
    picture(tab, "markup-chat")
    go_to(tab, tab.url.replace("tab=chat", "tab=compare"))
    tab.fill("#compare-prompt textarea, #compare-prompt input", "둘 다 말해 봐")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#vote-left:not([disabled])")
    tab.click("#vote-left")
    tab.wait_for_selector("#compare-outcome p:not(:empty)")
    outcome = tab.inner_text("#compare-outcome")
    assert sum(name in outcome for name in NAMES) == 2
    nothing_ran(tab)
    tab.goto(tab.url.split("?")[0] + f"?tab=results&key={OWNER}")
    tab.wait_for_selector("#results-decision td")
    nothing_ran(tab)


def test_the_page_s_own_files_set_no_text_as_markup() -> None:
    scripts = list((Path(__file__).parents[3] / "pages" / "assets").rglob("*.js"))
    assert scripts
    for script in scripts:
        code = script.read_text(encoding="utf-8")
        for unsafe in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert unsafe not in code, (script.name, unsafe)
