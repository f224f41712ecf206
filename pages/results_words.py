"""A run's results in sentences: what they rest on, and how far the graders have come."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.report.report_texts import banner
from benchmarks.results.folder import RunFolder
from benchmarks.results.shown_rows import Rows, is_separated
from evaluators.grading.statistics.agreement import Agreement
from evaluators.grading.statistics.reason_words import reason_words
from model_registry.files.json_values import JsonDict
from model_registry.language import text


def notice_words(document: JsonDict, folder: Path, language: str) -> str:
    """Whether these are the real candidates' figures, what is decided, how far grading has come.

    `document` is what `results_document` made of the run in `folder`; `language` is en or ko.
    """
    run = RunFolder(folder)
    stand_in = banner(run.head()) if run.exists() else None
    state = [*_state(document["summary"], language == "ko"), *document["raters"][language]["said"]]
    lines = (". ".join(stand_in or ()), document["decided"][language], " ".join(state))
    return "\n".join(filter(None, lines))


def _state(summary: Mapping[str, Any], korean: bool) -> list[str]:
    agreed = Agreement(**summary["agreement"])
    close = [d for d in summary["differences"] if not is_separated(d)]
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
    return words


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
