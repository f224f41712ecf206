"""The Results tab: grades, scores and measurements of a run.

It opens for the owner (who has the key), and for a grader who has given every grade: before that,
knowing how others graded would colour one's own grades.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any, NamedTuple

import gradio as gr
from anyio import to_thread

from benchmarks.results.shown_rows import (
    Rows,
    cost_and_quality,
    difference_rows,
    distribution_bars,
    grade_rows,
    rating_rows,
)
from evaluators.grading.store.database import Busy
from model_registry.errors import OhloraError
from model_registry.language import read_on_page, text
from pages.page_context import (
    PageContext,
    address_of,
    errors_as_messages,
    page_visitor,
    prefers_korean,
)
from pages.page_table import AS_TEXT, HERE, NOTHING, data_table, picture
from pages.page_texts import word
from pages.results_access import results_access
from pages.results_columns import (
    DECISION,
    DIFFERENCES,
    GRADERS,
    GRADES,
    JOINED,
    NEXT,
    RATERS,
    RATINGS,
)
from pages.results_words import notice_words, people_rows
from pages.serving.shared_results import Look

#: What results_age.js draws: whose results are shown, since when, when to ask again, and whether
#: the buttons for files give any.
Age = dict[str, object]

#: Seconds after which the browser asks whether newer results are there.
ASK_AGAIN = 2.0

#: Seconds from the page's start to its first results: the first visitors are served before.
AFTER_START = 3.0


class ResultsShown(NamedTuple):
    """A value for each component of the tab, in their order."""

    notice: str
    shown: gr.Column
    decision: Rows
    use: str
    grades: Rows
    cost: dict[str, object]
    spread: dict[str, object]
    pairs: Rows
    ratings: Rows
    raters: Rows
    joined: Rows
    further: Rows
    people: Rows
    as_csv: str | None
    as_json: str | None
    age: Age


def results_tab(context: PageContext, tab: gr.Tab) -> gr.Dropdown:
    """Build the tab; the choice of the run."""
    names = context.grading.run_names
    with gr.Row():
        run = gr.Dropdown(
            names, value=names[0] if names else None, label=word("run"), elem_id="results-run"
        )
        refresh = gr.Button(word("refresh"), scale=0, min_width=120, elem_id="results-refresh")
    notice = gr.HTML("", elem_id="results-notice", html_template="<p></p>", js_on_load=AS_TEXT)
    age = gr.HTML(
        {},
        elem_id="results-age",
        html_template='<p role="status"></p>',
        js_on_load=(HERE / "results_age.js").read_text(encoding="utf-8"),
    )
    with gr.Column(visible=False) as shown:
        decision = data_table("decision", DECISION, [], "results-decision", none=NOTHING)
        use = gr.HTML("", elem_id="results-use", html_template="<p></p>", js_on_load=AS_TEXT)
        grades = data_table("mean_grades", GRADES, [], "results-grades", none=NOTHING)
        with gr.Row(elem_id="results-pictures"):
            cost = picture("points", "cost_quality", "results-cost")
            spread = picture("bars", "distribution", "results-distribution")
        pairs = data_table("differences", DIFFERENCES, [], "results-differences", none=NOTHING)
        ratings = data_table("ratings", RATINGS, [], "results-ratings", none=NOTHING)
        raters = data_table("raters", RATERS, [], "results-raters", none=NOTHING)
        joined = data_table("joined", JOINED, [], "results-joined", none=NOTHING)
        further = data_table("grade_next", NEXT, [], "results-next", none=NOTHING)
        people = data_table("each_grader", GRADERS, [], "results-graders", none=NOTHING)
        with gr.Row(elem_id="results-files"):
            as_csv = gr.DownloadButton(word("download_csv"), elem_id="results-csv")
            as_json = gr.DownloadButton(word("download_json"), elem_id="results-json")
    joining = [raters, joined, further]
    tables = [decision, use, grades, cost, spread, pairs, ratings, *joining, people]
    outputs = [notice, shown, *tables, as_csv, as_json, age]  # as ResultsShown has them

    async def results(run: str, request: gr.Request) -> tuple[object, ...]:
        with errors_as_messages(request):
            return await show_results(context, run, request, asked=True)

    async def results_in_passing(run: str, request: gr.Request) -> tuple[object, ...]:
        with errors_as_messages(request):
            return await show_results(context, run, request, asked=False)

    async def newer_results(run: str, seen: Age | None, request: gr.Request) -> tuple[object, ...]:
        with errors_as_messages(request):
            shown: Age = seen if seen and seen.get("run") == run else {}
            if shown and (wait := await still_the_last(context, run, shown)):
                return *(gr.skip() for _ in outputs[1:]), wait
            return await show_results(context, run, request, asked=bool(shown.get("asked")))

    given: dict[str, Any] = {"queue": False, "show_progress": "minimal", "preprocess": False}
    refresh.click(results, run, outputs, api_name="results", **given)
    private = {**given, "api_visibility": "private"}
    tab.select(results_in_passing, run, outputs, **private)
    # What is chosen while another run's results are still to come isn't lost.
    run.input(results_in_passing, run, outputs, trigger_mode="always_last", **private)
    age.tick(newer_results, [run, age], outputs, **{**private, "show_progress": "hidden"})
    return run


async def make_first_results(context: PageContext) -> None:
    """Make what the tab opens with, ahead of the first look, when the page has started."""
    await asyncio.sleep(AFTER_START)
    with contextlib.suppress(Exception):  # whoever looks is told what is wrong
        run = await to_thread.run_sync(context.grading.run)
        if context.grading.store.url:  # else they'd be computed among the graders
            await context.results.make_ahead(run.folder, context.grading.store)


def run_to_show(context: PageContext, request: gr.Request) -> object:
    """The run named in the address (`?run=…`), else the present choice."""
    asked = address_of(request).get("run", "")
    names = context.grading.run_names
    return gr.Dropdown(names, value=asked) if asked in names else gr.skip()


async def show_results(
    context: PageContext, run: str, request: gr.Request, *, asked: bool = True
) -> ResultsShown:
    """Values for all components of the tab; only the notice for who must not see them yet.

    `asked` is for a visitor who wants them whatever it costs: see `shows_names`.

    Raises:
        OhloraError: there is no such run.
    """
    korean = prefers_korean(request)
    # One way through the threads: fifty graders stand there, too.
    allowed = await to_thread.run_sync(results_access, context, request, run or "", asked)
    age: Age = {"run": run, "asked": asked}
    if allowed.why_not:
        return _shut(allowed.why_not[korean], age)
    try:
        look = await context.results.of(allowed.folder, context.grading.store)
    except Busy:
        raise
    except OhloraError as error:  # another run's would stay there
        with read_on_page(korean):
            return _shut(error.shown, age)
    kept = look.kept
    mine = page_visitor(request).id
    language = "ko" if korean else "en"
    rows, summary = kept.document["decision"][language], kept.document["summary"]
    raters = kept.document["raters"][language]
    with read_on_page(korean=korean):
        return ResultsShown(
            notice=notice_words(kept.document, language),
            shown=gr.Column(visible=True),
            decision=rows,
            use=kept.document["use"][language],
            grades=grade_rows(summary),
            cost={"points": cost_and_quality(rows), "graded": kept.document["graded"]},
            spread={"bars": distribution_bars(summary)},
            pairs=difference_rows(summary),
            ratings=rating_rows(summary),
            raters=raters["raters"],
            joined=raters["joined"],
            further=raters["next"],
            people=people_rows(summary["each_grader"], None if allowed.everything else mine),
            as_csv=str(kept.grades_csv) if allowed.everything else None,
            as_json=str(kept.summary_json) if allowed.everything else None,
            age={**age, "files": allowed.everything, **_age(look, summary["grades"])},
        )


def _shut(notice: str, age: Age) -> ResultsShown:
    """Nothing of any run, and why."""
    hidden, no = gr.Column(visible=False), list[dict[str, Any]]()
    return ResultsShown(notice, hidden, no, "", no, {}, {}, no, no, no, no, no, no, None, None, age)


async def still_the_last(context: PageContext, run: str, seen: Age) -> Age | None:
    """The age of a visitor's results, asked again, while newer ones are being made."""
    folder = await to_thread.run_sync(context.grading.run, run or "")
    if context.results.is_unchanged(folder.folder, seen.get("read_at")):
        return {**seen, "asked_at": time.time()}
    return None


def _age(look: Look, grades: int) -> Age:
    """When results were read that are not the newest, and when to ask for newer ones.

    The browser puts the time in, which is the visitor's own; nothing where they are the newest.
    """
    if not look.refreshing:
        return {}
    if not look.failed:
        told = text(
            f"As of {{time}}, {grades:,} grades; being refreshed.",
            f"{{time}} 기준 등급 {grades:,}개의 결과예요. 새 결과를 계산하고 있어요.",
        )
    else:
        told = text(
            f"As of {{time}}, {grades:,} grades; they could not be refreshed. "
            "The server's log says why.",
            f"{{time}} 기준 등급 {grades:,}개의 결과예요. 새로 계산하지 못했어요. 서버 기록을 "
            "확인해 주세요.",
        )
    read_at = look.kept.read_at
    return {"told": told, "read_at": read_at, "asked_at": time.time(), "again": ASK_AGAIN}
