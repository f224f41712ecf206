"""The Results tab: grades, scores and measurements of a run.

It opens for the owner (who has the key), and for a grader who has given every grade: before that,
knowing how others graded would colour one's own grades.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder

from benchmarks.results.criteria import CRITERIA
from benchmarks.results.decision import decision_of
from benchmarks.results.folder import RunFolder
from benchmarks.results.run import Run
from benchmarks.results.uses import licence_account
from evaluators.grading.grade_export import export_grades
from evaluators.grading.statistics.agreement import Agreement
from evaluators.grading.statistics.grade_summary import summary_of
from model_registry.files.json_values import JsonDict
from model_registry.language import read_by
from pages.page_context import (
    PageContext,
    address_of,
    errors_as_messages,
    prefers_korean,
    sees_names,
    shows_names,
)
from pages.page_table import column, data_table, picture
from pages.page_texts import word
from pages.tabs.results_rows import (
    FIGURES,
    Rows,
    cost_and_quality,
    decision_rows,
    difference_rows,
    distribution_bars,
    grade_rows,
    rating_rows,
)

NOTHING = ("Nothing yet.", "아직 없습니다.")


def _figure(key: str, criterion: str) -> dict[str, object]:
    """A column for a criterion, named as the report names it, with its unit."""
    figure = CRITERIA[criterion]
    english, korean, digits = {
        "s": (" (s)", " (초)", 2),
        "bytes": (" (MB)", " (MB)", 0),
        "tokens": ("", "", 1),
    }.get(figure.unit, ("", "", 3))
    head = figure.label_en[0].upper() + figure.label_en[1:]
    return column(key, head + english, figure.label_ko + korean, digits=digits)


DECISION = [
    column("place", "Place", "순위", digits=0),
    column("candidate", "Candidate", "후보", always=True),
    column("score", "Score", "종합", digits=3),
    column("win_share", "Wins", "1위 비율", digits=2),
    column("grade", "Mean grade (95 %)", "평균 등급 (95%)"),
    *(_figure(key, criterion) for key, criterion in FIGURES.items() if key != "inference_s"),
    column("remark", "Remark", "비고"),
]
GRADES = [
    column("candidate", "Candidate (r: rank of its tune)", "후보 (r: 튜닝 랭크)", always=True),
    column("grade", "Mean grade", "평균 등급", digits=2),
    column("interval", "95 %", "95%"),
    column("prompts", "Prompts", "질문", digits=0),
    column("grades", "Grades", "등급 수", digits=0),
]
DIFFERENCES = [
    column("pair", "Pair", "짝", always=True),
    column("difference", "Difference", "차이", digits=2),
    column("interval", "95 %", "95%"),
    column("p", "p (Holm)", "p (Holm)", digits=3),
    column("prompts", "Prompts", "질문", digits=0),
    column("more", "More prompts needed", "더 필요한 질문", digits=0),
    column("remark", "Remark", "비고"),
]
GRADERS = [
    column("name", "Grader", "평가자", always=True),
    column("grades", "Grades", "등급 수", digits=0),
    column("same", "Same when repeated", "다시 봐도 같음", digits=2),
    column("mean_change", "Mean change", "바뀐 정도", digits=2),
    column("severity", "Against the others", "남들과의 차이", digits=2),
    column("drift", "Drift", "뒤로 갈수록", digits=2),
]
RATINGS = [
    column("candidate", "Candidate", "후보", always=True),
    column("chance", "Wins against average (%)", "평균을 이길 확률 (%)", digits=0),
    column("record", "Won – tied – lost", "승 – 무 – 패"),
    column("vote_chance", "… from votes (%)", "… 투표로 (%)", digits=0),
    column("vote_record", "Votes", "투표 승 – 무 – 패"),
    column("remark", "Remark", "비고"),
]


def results_tab(context: PageContext, tab: gr.Tab) -> gr.Dropdown:
    """Build the tab; the choice of the run."""
    names = context.grading.run_names
    with gr.Row():
        run = gr.Dropdown(
            names, value=names[0] if names else None, label=word("run"), elem_id="results-run"
        )
        refresh = gr.Button(word("refresh"), scale=0, min_width=120, elem_id="results-refresh")
    notice = gr.HTML("", elem_id="results-notice", html_template="<p></p>", js_on_load=_AS_TEXT)
    with gr.Column(visible=False) as shown:
        decision = data_table("decision", DECISION, [], "results-decision", none=NOTHING)
        use = gr.HTML("", elem_id="results-use", html_template="<p></p>", js_on_load=_AS_TEXT)
        grades = data_table("mean_grades", GRADES, [], "results-grades", none=NOTHING)
        with gr.Row(elem_id="results-pictures"):
            cost = picture("points", "cost_quality", "results-cost")
            spread = picture("bars", "distribution", "results-distribution")
        pairs = data_table("differences", DIFFERENCES, [], "results-differences", none=NOTHING)
        strong = data_table("strengths", RATINGS, [], "results-strengths", none=NOTHING)
        people = data_table("each_grader", GRADERS, [], "results-graders", none=NOTHING)
        with gr.Row():
            as_csv = gr.DownloadButton(word("download_csv"), elem_id="results-csv")
            as_json = gr.DownloadButton(word("download_json"), elem_id="results-json")
    tables = [decision, cost, spread, pairs, strong, people, use]
    outputs = [notice, shown, *tables, as_csv, as_json, grades]

    def results(run: str, request: gr.Request) -> tuple[object, ...]:
        with errors_as_messages(request):
            return show_results(context, run, request, asked=True)

    def results_in_passing(run: str, request: gr.Request) -> tuple[object, ...]:
        with errors_as_messages(request):
            return show_results(context, run, request, asked=False)

    given: dict[str, Any] = {"queue": False, "show_progress": "minimal", "preprocess": False}
    refresh.click(results, run, outputs, api_name="results", **given)
    for event in (tab.select, run.input):
        event(results_in_passing, run, outputs, api_visibility="private", **given)
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
_WAITS = (
    "You are still grading this run. Press Refresh to see its results now: what you grade "
    "afterwards is kept, but left out of the statistics.",
    "아직 이 실행 결과를 평가하는 중이에요. 지금 결과를 보려면 새로 고침을 누르세요. 그 뒤에 매긴 "
    "등급은 저장되지만 통계에는 넣지 않아요.",
)

_AS_TEXT = """
const draw = () => { element.querySelector("p").textContent = props.value || ""; };
watch("value", draw); draw();
"""


def show_results(
    context: PageContext, run: str, request: gr.Request, *, asked: bool = True
) -> tuple[object, ...]:
    """Values for all components of the tab; empty ones for who must not see them yet.

    `asked` is for a visitor who wants them whatever it costs: see `shows_names`.

    Raises:
        OhloraError: there is no such run.
    """
    korean = prefers_korean(request)
    folder = context.grading.run(run or "")
    if not shows_names(context, request, folder.name, asked=asked):
        told = _WAITS if sees_names(context, request, folder.name) else _SHUT
        return told[korean], gr.Column(visible=False), [], {}, {}, [], [], [], "", None, None, []
    read = Run.read(RunFolder(folder.folder), context.grading.store, needs_head=False)
    decision, _ = decision_of(read)
    summary = summary_of(context.grading.store, folder, read.grades)
    with read_by(korean=korean):
        rows = decision_rows(read, decision)
        use = "\n".join(licence_account(read, decision)) if decision else ""
    with read_by(korean=False):  # a file says the same whoever asks for it
        kept = {**summary, "decision": decision_rows(read, decision)}
    csv_file, json_file = _files(context, folder.name, kept)
    return (
        _in_words(summary, korean),
        gr.Column(visible=True),
        rows,
        {"points": cost_and_quality(rows), "graded": bool(read.mean_grades)},
        {"bars": distribution_bars(summary)},
        difference_rows(summary),
        rating_rows(summary),
        _people(summary["each_grader"]),
        use,
        csv_file,
        json_file,
        grade_rows(summary),
    )


def _in_words(summary: JsonDict, korean: bool) -> str:
    """The state of the grading in two sentences."""
    agreed = Agreement(**summary["agreement"])
    if agreed.alpha is None:
        alpha = "undefined" if "undefined" in agreed.reason else "–"
    elif agreed.low is None:
        alpha = f"{agreed.alpha:.2f}"
    else:
        alpha = f"{agreed.alpha:.2f} ({agreed.low:.2f}–{agreed.high:.2f})"
    close = [d for d in summary["differences"] if d["p_holm"] is None or d["p_holm"] >= 0.05]
    slope, p = summary["position"]["slope"], summary["position"]["p"]
    biased = p is not None and p < 0.05
    people, count = summary["graders"], summary["grades"]
    if korean:
        words = [f"평가자 {people}명이 등급 {count}개를 매겼습니다. 일치도(알파) {alpha}."]
        if summary["differences"]:
            words.append(f"아직 갈리지 않은 짝은 {len(close)}개입니다.")
        if biased:
            words.append(f"화면에서 한 자리 아래로 갈 때마다 등급이 {slope:+.2f} 달라집니다.")
    else:
        words = [f"{people} graders gave {count} grades. Agreement (alpha) {alpha}."]
        if summary["differences"]:
            words.append(f"{len(close)} pairs are not separated yet.")
        if biased:
            words.append(f"Each place further down changes a grade by {slope:+.2f}.")
    return " ".join(words)


def _people(reports: Rows) -> Rows:
    """Graders as rows; two of one name are told apart by a number."""
    rows: Rows = []
    for report in reports:
        same = sum(r["name"] == report["name"] for r in rows)
        name = report["name"] or "?"
        rows.append({**report, "label": f"{name} ({same + 1})" if same else name})
    return [{**row, "name": row["label"]} for row in rows]


def _files(context: PageContext, run: str, summary: JsonDict) -> tuple[str, str]:
    """The downloads, where Gradio serves them from; nothing stays of them anywhere else."""
    text = json.dumps(summary, ensure_ascii=False, indent=2, default=str)
    with tempfile.TemporaryDirectory(prefix="ohlora-results-") as name:
        grades, told = Path(name, "grades.csv"), Path(name, "summary.json")
        export_grades(context.grading.store, grades, run)
        told.write_text(text + "\n", encoding="utf-8-sig")
        cache = get_upload_folder()
        return save_file_to_cache(grades, cache), save_file_to_cache(told, cache)
