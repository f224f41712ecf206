"""Assembles the page: its tabs, theme, styles and server."""

from __future__ import annotations

import asyncio
import html
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.blocks import BlockFunction
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from model_registry.files.json_values import JsonDict
from pages.management.management_tab import management_tab
from pages.page_context import OWN_EVENT, PageContext, is_owner
from pages.page_texts import TRANSLATIONS, word
from pages.serving.fair_queue import FairQueue
from pages.serving.page_shell import PageShell
from pages.serving.request_filter import RequestFilter
from pages.tabs.candidates_tab import candidates_tab
from pages.tabs.chat_tab import chat_tab
from pages.tabs.compare_tab import compare_tab
from pages.tabs.diagram_tab import diagram_tab, example
from pages.tabs.grade_tab import grade_tab
from pages.tabs.results_tab import make_first_results, results_tab, run_to_show

HERE = Path(__file__).parent / "assets"

#: No font is fetched: the first of these that the visitor's machine has.
FONTS = ["Pretendard", "Noto Sans KR", "Apple SD Gothic Neo", "Malgun Gothic", "NanumGothic"]

#: The tabs in order: key, and what builds it.
TABS = (
    ("chat", chat_tab),
    ("grade", grade_tab),
    ("compare", compare_tab),
    ("candidates", candidates_tab),
    ("results", results_tab),
    ("diagram", diagram_tab),
    ("manage", management_tab),
)

#: Shown with the manager's key only.
MANAGERS = ("manage",)


_TITLE = """<h1>Oh-LoRA</h1><p>%s</p><nav id="language-switch">
<button type="button" lang="ko">한국어</button>
<button type="button" lang="en">English</button></nav>"""

#: The page anew in the other language; what its address says besides stays.
_SWITCH = """
for (const button of element.querySelectorAll("#language-switch button")) {
  if (button.lang === document.documentElement.lang) button.setAttribute("aria-current", "true");
  button.onclick = () => {
    const url = new URL(location.href);
    url.searchParams.set("lang", button.lang);
    location.href = url;
  };
}
"""


class Page(gr.Blocks):
    """Blocks whose visitors take turns, and that answer what a component can't take in one line
    with no traceback in the log: it is the sender's mistake, not ours."""

    def queue(self, *arguments: Any, **given: Any) -> Page:
        """Gradio's queue is first come, first served; ours is fair."""
        super().queue(*arguments, **given)
        self._queue = FairQueue(
            live_updates=True,
            concurrency_count=self.max_threads,
            update_intervals=1,
            max_size=self._queue.max_size,
            blocks=self,
            default_concurrency_limit=given.get("default_concurrency_limit", "not_set"),
        )
        return self

    async def preprocess_data(
        self, block_fn: BlockFunction, inputs: list[object], *arguments: Any, **options: Any
    ) -> list[object]:
        if len(inputs) != len(block_fn.inputs):
            told = f"This takes {len(block_fn.inputs)} values, not {len(inputs)}."
            raise gr.Error(told, print_exception=False)
        try:
            values: list[object] = await super().preprocess_data(
                block_fn, inputs, *arguments, **options
            )
            return values
        except Exception as error:  # noqa: BLE001 - each component has errors of its own
            told = html.escape(" ".join(str(error).split())[:300])
            raise gr.Error(told, print_exception=False) from None


def build_page(context: PageContext) -> gr.Blocks:
    """All tabs in one page."""
    page = Page(title="Oh-LoRA", analytics_enabled=False, delete_cache=(3600, 86_400))
    scripts = "".join(
        (HERE / name).read_text(encoding="utf-8") for name in ("gradio_words.js", "event_errors.js")
    )
    with page:
        gr.HTML(_TITLE % word("subtitle"), elem_id="title", js_on_load=_SWITCH + scripts)
        if os.environ.get("OAUTH_CLIENT_ID"):  # a Space with hf_oauth
            gr.LoginButton(size="sm")
        made: JsonDict = {}  # what a tab gives to be filled when the page opens
        shown: dict[str, gr.Tab] = {}
        with gr.Tabs(elem_id="tabs") as tabs:
            for key, build in TABS:
                with gr.Tab(
                    word(f"tab_{key}"), id=key, elem_id=f"tab-{key}", visible=key not in MANAGERS
                ) as tab:
                    made[key], shown[key] = build(context, tab), tab

        def greet(request: gr.Request) -> tuple[object, ...]:
            context.models.warm_up()  # not at start: the first page must not wait for a model
            owner = is_owner(context, request)
            run = run_to_show(context, request)
            of_owner = gr.Column(visible=owner), gr.Tab(visible=owner)
            return _tab_to_open(request), run, *of_owner, run, example(request)

        page.load(
            greet,
            outputs=[
                tabs,
                made["results"],
                made["candidates"],
                shown["manage"],
                made["manage"],
                made["diagram"],
            ],
            **OWN_EVENT,
        )
    return page


def hide_endpoints(page: gr.Blocks) -> None:
    """Leave the list of endpoints empty: Gradio writes it into the login page too, with choices."""
    for endpoint in page.fns.values():
        if endpoint.api_visibility == "public":
            endpoint.api_visibility = "undocumented"


def _tab_to_open(request: gr.Request) -> gr.Tabs:
    """An invitation opens the Grade tab; `?tab=…` any other."""
    asked = dict(request.query_params)
    wanted = asked.get("tab") or ("grade" if "grader" in asked else "")
    return gr.Tabs(selected=wanted) if wanted in dict(TABS) else gr.Tabs()


def looks() -> dict[str, object]:
    """Theme, style and texts, as arguments of `launch`."""
    theme = gr.themes.Soft(
        primary_hue="teal",
        neutral_hue="slate",
        font=[*FONTS, "system-ui", "sans-serif"],
        font_mono=["ui-monospace", "D2Coding", "monospace"],
        radius_size="md",
    ).set(  # white on the middle shade of teal is too pale to read
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_800",
        button_primary_border_color="*primary_700",
        button_secondary_background_fill_hover_dark="*primary_700",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_300",
        block_title_background_fill="none",
        block_title_text_color="*neutral_500",
        block_title_padding="0",
        input_border_width="1px",
        input_border_color="*neutral_300",
        input_shadow="none",
        block_label_background_fill="none",
        block_label_text_color="*neutral_500",
        block_label_background_fill_dark="none",
        block_label_text_color_dark="*neutral_300",
        input_placeholder_color_dark="*neutral_300",
        checkbox_label_background_fill_selected="*primary_700",
        checkbox_label_background_fill_selected_dark="*primary_700",
        checkbox_label_text_color_selected="white",
        checkbox_label_text_color_selected_dark="white",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_400",
    )
    return {
        "theme": theme,
        "css_paths": [HERE / "page.css", HERE / "grade_tab" / "grade_tab.css"],
        "i18n": TRANSLATIONS,
    }


async def _healthz(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


def serving(page: gr.Blocks, context: PageContext) -> dict[str, object]:
    """The server's routes and middleware: the request filter before the page, and `/healthz`,
    which answers without login. While it serves, its first results are made."""

    @asynccontextmanager
    async def with_results(_: object) -> AsyncIterator[None]:
        begun = asyncio.create_task(make_first_results(context))
        yield
        begun.cancel()

    return {
        "lifespan": with_results,
        "routes": [Route("/healthz", _healthz, methods=["GET", "HEAD"])],
        "middleware": [
            # What streams is sent as it is; quickly rather than small, since a class opens at once.
            Middleware(GZipMiddleware, minimum_size=2000, compresslevel=4),
            Middleware(PageShell),
            Middleware(RequestFilter, page=page),
        ],
    }
