"""A run's results in sentences: what they rest on, and how far the graders have come."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.results.shown_rows import Rows, is_separated
from evaluators.grading.statistics.agreement import Agreement
from evaluators.grading.statistics.reason_words import reason_words
from model_registry.files.json_values import JsonDict
from model_registry.language import text


def notice_words(document: JsonDict, language: str) -> str:
    """Whether these are the real candidates' figures, what is decided, how far grading has come.

    `document` is what `results_document` made of a run; `language` is the reader's, en or ko.
    """
    summary = document["summary"]
    people, count = summary["graders"], summary["grades"]
    state = [
        text(
            f"{people} graders gave {count} grades.",
            f"평가자 {people}명이 등급 {count}개를 매겼습니다.",
        ),
        _agreement_words(Agreement(**summary["agreement"])),
        *_doubts(summary["differences"], summary["position"]["slope"], summary["position"]["p"]),
        *document["raters"][language]["said"],
    ]
    lines = (document["warned"][language], document["decided"][language], " ".join(state))
    return "\n".join(filter(None, lines))


def _doubts(differences: Rows, slope: float | None, p: float | None) -> Iterator[str]:
    """How many pairs are open, and whether a reply's place on the screen changes its grade."""
    if close := [d for d in differences if not is_separated(d)]:
        yield text(
            f"{len(close)} pairs are not separated yet.",
            f"아직 차이가 확인되지 않은 쌍이 {len(close)}개입니다.",
        )
    if p is not None and p < 0.05:
        yield text(
            f"Each place further down changes a grade by {slope:+.2f}.",
            f"화면에서 한 자리 아래로 갈 때마다 등급이 {slope:+.2f} 달라집니다.",
        )


def _agreement_words(agreed: Agreement) -> str:
    if agreed.alpha is None:
        return text("Agreement (alpha): ", "일치도(알파): ") + reason_words(agreed.reason) + "."
    span = "" if agreed.low is None else f" ({agreed.low:.2f}–{agreed.high:.2f})"
    return text(
        f"Agreement (alpha) {agreed.alpha:.2f}{span}.",
        f"일치도(알파) {agreed.alpha:.2f}{span}.",
    )


def people_rows(reports: Rows, only: str | None = None) -> Rows:
    """Graders as rows, or the one of this id; two of one name are told apart by a number."""
    rows: Rows = []
    for report in (each for each in reports if only in (None, each["grader"])):
        same = sum(r["name"] == report["name"] for r in rows)
        name = report["name"] or "?"
        rows.append({**report, "label": f"{name} ({same + 1})" if same else name})
    return [{**row, "name": row["label"]} for row in rows]
