"""`llm_report.csv`: one row per candidate, failed ones included, for a spreadsheet.

Columns:
    name                 the candidate
    hub_id               where its weights come from; empty where there is no hub id
    weights              hub, path, bundled or random: whose figures these are
    works                yes, no, or not run: whether it answered at all, plain or quantised
    status               the status of the case these figures are from (ok, oom_load, timeout …)
    memory_mb            the most memory held while answering, in MB of 2^20 bytes
    response_seconds     mean seconds of one reply
    tokens_per_100_characters   tokens for 100 characters of the training rows that hold Hangul
    quantization         none, int8, nf4 or gptq: how the weights were held in that case
    quantization_needed  no (it runs plain), yes (it runs only quantised), or unknown
    prompt               the test prompt: the first one asked
    reply                its greedy reply, before any tuning
    reply_status         stop (it ended by itself), length (cut off at the limit), or empty
    reply_problems       such as truncated; bad format, where a format was asked for and not kept
    format_kept          how many of the replies kept an asked-for format: 13 of 20
    error                exception and first line, where it failed

What is unknown is an empty cell. The file has a byte order mark, for Excel.
"""

from __future__ import annotations

import csv
import io

from benchmarks.report.evidence import Evidence
from benchmarks.report.tables.table_cells import megabytes
from benchmarks.results.case_figures import summary_of_scores
from benchmarks.results.comparisons.quantised_pairs import quantization_needed
from benchmarks.results.run import quantization
from evaluators.grading.grade_export import formula_safe
from model_registry.records import Reply, Result

COLUMNS = (
    "name", "hub_id", "weights", "works", "status", "memory_mb", "response_seconds",
    "tokens_per_100_characters", "quantization", "quantization_needed", "prompt", "reply",
    "reply_status", "reply_problems", "format_kept", "error",
)  # fmt: skip


def to_csv(evidence: Evidence) -> bytes:
    """The file's bytes."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for name in evidence.candidates:
        writer.writerow({key: _cell(value) for key, value in _row(evidence, name).items()})
    return out.getvalue().encode("utf-8-sig", errors="replace")


def _cell(value: object) -> object:
    if value is None:
        return ""
    return formula_safe(value) if isinstance(value, str) else value


def _row(evidence: Evidence, name: str) -> dict[str, object]:
    case = evidence.run.answering(name)
    memory = megabytes(case.peak_bytes("inference")) if case and case.ok else None
    seconds = case.figures.get("seconds_per_prompt") if case and case.ok else None
    reply = _first_reply(evidence, name, case)
    return {
        "name": name,
        "hub_id": evidence.candidates[name].hub_id,
        "weights": (case and case.weights) or evidence.head.weights,
        "works": "not run" if case is None else "yes" if case.ok else "no",
        "status": case.status if case else None,
        "memory_mb": None if memory is None else round(memory, 1),
        "response_seconds": None if seconds is None else round(seconds, 4),
        "tokens_per_100_characters": evidence.value("tokens_per_100_characters", name),
        "quantization": quantization(case) if case else None,
        "quantization_needed": quantization_needed(evidence.run, name),
        "prompt": reply.prompt if reply else None,
        "reply": reply.reply if reply else None,
        "reply_status": reply.finish_reason if reply else None,
        "reply_problems": ", ".join(_problems(evidence, reply)) if reply else None,
        "format_kept": _format_kept(evidence, name),
        "error": case.message if case and not case.ok else None,
    }


def _first_reply(evidence: Evidence, name: str, case: Result | None) -> Reply | None:
    mine = [r for r in evidence.run.replies if case is not None and r.case == case.case]
    first = evidence.run.prompts[0] if evidence.run.prompts else None
    return next((r for r in mine if r.prompt == first and r.pass_ == "greedy"), None)


FORMAT = "diagram_format_kept"  # the evaluator that knows of an asked-for format


def _problems(evidence: Evidence, reply: Reply) -> list[str]:
    """The reply's own problems, and whether it broke the format that it was told to have."""
    broken = any(
        row.evaluator == FORMAT
        and row.value == 0
        and (row.case, row.prompt, row.pass_) == (reply.case, reply.prompt, reply.pass_)
        for row in evidence.run.scores_by_candidate.get(reply.candidate, [])
    )
    return [*reply.problems, *(["bad format"] if broken else [])]


def _format_kept(evidence: Evidence, name: str) -> str | None:
    found = summary_of_scores(evidence.scores(FORMAT, name))
    return f"{found.above_zero} of {found.count}" if found else None
