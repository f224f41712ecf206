"""The Results tab: grades, scores and measurements of a run.

It opens for the owner (who has the key), and for a grader who has given every grade: before that,
knowing how others graded would colour one's own grades.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

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
from evaluators.grading.statistics.agreement import Agreement
from evaluators.grading.statistics.reason_words import reason_words
from evaluators.grading.store.database import Busy
from model_registry.errors import OhloraError
from model_registry.files.json_values import JsonDict
from model_registry.language import read_by, text
from pages.page_context import (
    PageContext,
    address_of,
    errors_as_messages,
    is_owner,
    page_visitor,
    prefers_korean,
    sees_names,
    shows_names,
)
from pages.page_table import AS_TEXT, HERE, NOTHING, data_table, picture
from pages.page_texts import word
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
from pages.serving.shared_results import Look

#: What results_age.js draws: whose results are shown, since when, and when to ask again.
Age = dict[str, object]

#: Seconds after which the browser asks whether newer results are there.
ASK_AGAIN = 2.0


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
        strong = data_table("strengths", RATINGS, [], "results-strengths", none=NOTHING)
        raters = data_table("raters", RATERS, [], "results-raters", none=NOTHING)
        joined = data_table("joined", JOINED, [], "results-joined", none=NOTHING)
        further = data_table("grade_next", NEXT, [], "results-next", none=NOTHING)
        people = data_table("each_grader", GRADERS, [], "results-graders", none=NOTHING)
        with gr.Row():
            as_csv = gr.DownloadButton(word("download_csv"), elem_id="results-csv")
            as_json = gr.DownloadButton(word("download_json"), elem_id="results-json")
    joining = [raters, joined, further]
    tables = [decision, cost, spread, pairs, strong, *joining, people, use]
    outputs = [notice, shown, *tables, as_csv, as_json, grades, age]

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


def run_to_show(context: PageContext, request: gr.Request) -> object:
    """The run named in the address (`?run=…`), else the present choice."""
    asked = address_of(request).get("run", "")
    names = context.grading.run_names
    return gr.Dropdown(names, value=asked) if asked in names else gr.skip()


#: Why the results are shut: English, Korean.
_SHUT = (
    "Results open when you have finished grading: seeing them before would colour your grades. "
    "What you skipped is graded first, too.\n"
    "Whoever started this page sees them by the owner's link printed there.",
    "평가를 마치면 결과를 볼 수 있어요. 먼저 보면 평가에 영향을 줄 수 있기 때문이에요. "
    "건너뛴 항목도 평가해야 열려요.\n"
    "페이지를 실행한 관리자는 터미널에 나온 관리자용 링크로 볼 수 있어요.",
)
_FOR_THE_MANAGER = (
    "You have finished. Thank you! The results of this run are for its manager.",
    "평가를 마쳤어요. 고맙습니다! 이 실행 결과는 관리자만 볼 수 있어요.",
)
_WAITS = (
    "You are still grading this run. Press Refresh to see its results now: what you grade "
    "afterwards is kept, but left out of the statistics.",
    "아직 이 실행 결과를 평가하는 중이에요. 지금 결과를 보려면 새로 고침을 누르세요. 그 뒤에 매긴 "
    "등급은 저장되지만 통계에는 넣지 않아요.",
)


async def show_results(
    context: PageContext, run: str, request: gr.Request, *, asked: bool = True
) -> tuple[object, ...]:
    """Values for all components of the tab; empty ones for who must not see them yet.

    `asked` is for a visitor who wants them whatever it costs: see `shows_names`.

    Raises:
        OhloraError: there is no such run.
    """
    korean = prefers_korean(request)
    # One way through the threads: fifty graders stand there, too.
    allowed = await to_thread.run_sync(_allowed, context, request, run or "", asked)
    folder, why_not, everything = allowed
    age: Age = {"run": run, "asked": asked}
    if why_not:
        return _shut(why_not[korean], age)
    try:
        look = await context.results.of(folder, context.grading.store)
    except Busy:
        raise
    except OhloraError as error:  # another run's would stay there
        return _shut((korean and error.korean) or str(error), age)
    kept = look.kept
    mine = page_visitor(request).id
    language = "ko" if korean else "en"
    rows, summary = kept.document["decision"][language], kept.document["summary"]
    raters = kept.document["raters"][language]
    with read_by(korean=korean):
        return (
            " ".join([_in_words(summary, korean), *raters["said"]]),
            gr.Column(visible=True),
            rows,
            {"points": cost_and_quality(rows), "graded": kept.document["graded"]},
            {"bars": distribution_bars(summary)},
            difference_rows(summary),
            rating_rows(summary),
            *(raters[each] for each in ("raters", "joined", "next")),
            _people([one for one in summary["each_grader"] if everything or one["grader"] == mine]),
            kept.document["use"][language],
            str(kept.grades_csv) if everything else None,
            str(kept.summary_json) if everything else None,
            grade_rows(summary),
            {**age, **_age(look, summary["grades"])},
        )


def _shut(told: str, age: Age) -> tuple[object, ...]:
    """Nothing of any run, and why."""
    return told, gr.Column(visible=False), [], {}, {}, *[[]] * 6, "", None, None, [], age


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


def _allowed(
    context: PageContext, request: gr.Request, run: str, asked: bool
) -> tuple[Path, tuple[str, str] | None, bool]:
    """A run's folder, why a visitor is not shown its results now, and if they see everything."""
    found = context.grading.run(run)
    why_not = _why_not(context, request, run, asked)
    return found.folder, why_not, not why_not and _sees_everything(context, request, found.name)


def _sees_everything(context: PageContext, request: gr.Request, run: str) -> bool:
    """Whether a visitor sees the other graders' names and severity, and may download grades."""
    level = context.grading.store.management.visibility(run)
    return is_owner(context, request) or level == "everything"


def _why_not(
    context: PageContext, request: gr.Request, run: str, asked: bool
) -> tuple[str, str] | None:
    """Why a visitor is not shown results now, in English and Korean."""
    if shows_names(context, request, run, asked=asked):
        return None
    if sees_names(context, request, run):
        return _WAITS
    finished = context.grading.has_finished(page_visitor(request), run)
    return _FOR_THE_MANAGER if finished else _SHUT


def _in_words(summary: JsonDict, korean: bool) -> str:
    """The state of the grading in two sentences."""
    agreed = Agreement(**summary["agreement"])
    close = [d for d in summary["differences"] if d["p_holm"] is None or d["p_holm"] >= 0.05]
    slope, p = summary["position"]["slope"], summary["position"]["p"]
    biased = p is not None and p < 0.05
    people, count = summary["graders"], summary["grades"]
    if korean:
        words = [f"평가자 {people}명이 등급 {count}개를 매겼어요.", _agreement_words(agreed)]
        if close:
            words.append(f"아직 차이가 확인되지 않은 쌍이 {len(close)}개예요.")
        if biased:
            words.append(f"화면에서 한 자리 아래로 갈 때마다 등급이 {slope:+.2f} 달라져요.")
    else:
        words = [f"{people} graders gave {count} grades.", _agreement_words(agreed)]
        if close:
            words.append(f"{len(close)} pairs are not separated yet.")
        if biased:
            words.append(f"Each place further down changes a grade by {slope:+.2f}.")
    return " ".join(words)


def _agreement_words(agreed: Agreement) -> str:
    if agreed.alpha is None:
        return text("Agreement (alpha): ", "일치도(알파): ") + reason_words(agreed.reason) + "."
    span = "" if agreed.low is None else f" ({agreed.low:.2f}–{agreed.high:.2f})"
    return text(
        f"Agreement (alpha) {agreed.alpha:.2f}{span}.",
        f"일치도(알파) {agreed.alpha:.2f}{span}.",
    )


def _people(reports: Rows) -> Rows:
    """Graders as rows; two of one name are told apart by a number."""
    rows: Rows = []
    for report in reports:
        same = sum(r["name"] == report["name"] for r in rows)
        name = report["name"] or "?"
        rows.append({**report, "label": f"{name} ({same + 1})" if same else name})
    return [{**row, "name": row["label"]} for row in rows]
