"""A browser on the real page; pictures of what it saw land in reports/screenshots."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.pages.page_server import ROOT, Page, plugin, running_page
from tests.support.grading_fixtures import make_run

PICTURES = ROOT / "reports" / "screenshots"
CHROMIUM = next((p for name in ("chromium", "chromium-browser") if (p := shutil.which(name))), "")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SIZES = {"desktop": (1280, 860), "phone": (390, 844)}


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")
    if not CHROMIUM:
        pytest.skip("no chromium (as root: make system-packages)")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("browser")
    # The script's own prompt and replies are hostile: markup must stay text.
    run = make_run(folder / "run", [f"질문 {i}: <b>주말</b>엔 뭐 할까?" for i in range(6)])
    with running_page(folder, "--run", str(run), *plugin()) as page:
        yield page


@pytest.fixture(params=list(SIZES))
def size(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def visit(
    browser: Any, page: Page, size: str, request: pytest.FixtureRequest
) -> Iterator[Callable]:
    """Open the page as a new visitor; the test fails on any error of the page's scripts."""
    contexts, errors = [], []

    def open_page(query: str = "", locale: str = "ko-KR") -> Any:
        width, height = SIZES[size]
        context = browser.new_context(
            locale=locale,
            viewport={"width": width, "height": height},
            has_touch=size == "phone",
            accept_downloads=True,
        )
        contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(120_000)
        tab.on("pageerror", lambda error: errors.append(str(error)))
        go_to(tab, f"{page.base}/{query}")
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def picture(size: str) -> Callable[[Any, str], None]:
    """Keep a picture of the page for people to look at."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    return lambda tab, name: tab.screenshot(path=PICTURES / f"{name}-{size}.png", full_page=True)


def go_to(tab: Any, address: str) -> None:
    """Open an address and wait until the page is ready for a person.

    When the page has been told which tab to open, that tab's boxes are shown, and some frames later
    set to what they begin with: what a test has typed by then would be lost.
    """
    with tab.expect_response("**/gradio_api/run/predict**") as greeted:
        tab.goto(address)
    greeted.value.finished()
    if asked := re.search(r"[?&]tab=(\w+)", address):
        tab.wait_for_selector(f"#tab-{asked[1]}")
    tab.evaluate(
        """async () => {
            for (let frame = 0; frame < 20; frame++) await new Promise(requestAnimationFrame);
        }"""
    )


def wait_until_still(tab: Any) -> None:
    """Until no colour changes and nothing moves any more, what turns without end apart."""
    tab.wait_for_function(
        """() => document.getAnimations().every((one) => one.playState !== 'running'
            || one.effect.getComputedTiming().endTime === Infinity)"""
    )


def axe_finds_nothing(tab: Any, state: str) -> None:
    """Fail on every finding of axe-core that is more than minor; `state` says where."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    tab.wait_for_timeout(200)
    wait_until_still(tab)
    found = axe.run(tab).response
    assert len(found["passes"]) > 15, "axe has looked"
    told = [
        (state, one["id"], node["html"][:200], node["failureSummary"])
        for one in found["violations"]
        if one["impact"] != "minor"
        for node in one["nodes"]
    ]
    assert told == []


def draw_table(tab: Any, columns: list[dict], rows: list[dict]) -> None:
    """A table of the page alone in a tab, by the page's own script and style."""
    style, script = (
        (ROOT / "pages/assets" / n).read_text("utf-8") for n in ("page.css", "table.js")
    )
    tab.set_content(
        f"<style>{style}</style>"
        '<div id="table" class="data-table"><h2></h2><div class="rows"></div></div>'
    )
    none = {"en": "", "ko": ""}
    tab.evaluate(
        "(props) => { const element = document.querySelector('#table'), watch = () => null;"
        f"{script}}}",
        {"title": none, "none": none, "columns": columns, "value": rows},
    )
