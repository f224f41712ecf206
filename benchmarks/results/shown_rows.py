"""Rows and points that the Results tab shows of a run.

Every figure is one of `benchmarks.results`: the report and the decision show the same.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping

from benchmarks.results.criteria import value_of
from benchmarks.results.decision import Decision
from benchmarks.results.run import Run, setting_of
from evaluators.grading.statistics.reason_words import reason_words
from model_registry.files.json_values import JsonDict, JsonObject
from model_registry.messages.notes import Note
from model_registry.records import Result

Rows = list[JsonDict]

MB = 2**20

#: Holm's corrected p below this separates two candidates.
SIGNIFICANT = 0.05

#: So many times the prompts asked already can still be asked.
FEASIBLE = 4

#: Columns that are criteria: key of a row → name of the criterion.
FIGURES = {
    "quality": "quality",
    "quality_tuned": "quality_tuned",
    "reply_s": "inference_seconds",
    "inference_s": "inference_seconds_total",
    "inference_mb": "inference_bytes",
    "tokens": "tokens_per_100_characters",
    "tuning_s": "fine_tune_seconds",
    "tuning_mb": "fine_tune_bytes",
}


def decision_rows(run: Run, decision: Decision | None) -> Rows:
    """Every candidate of a run: its place, its grades, its quality and its cost.

    A candidate that failed or is out has its row too, with the reason; unknown is None.
    """
    places = _places(decision)
    reasons = decision.reasons if decision else {}
    names = [*places, *reasons, *run.by_candidate, *run.scores_by_candidate, *run.mean_grades]
    return [
        {
            "candidate": name,
            **places.get(name, {}),
            "grade": _interval(run, name),
            "grade_mean": value_of("human_grade", name, run),
            **{key: _shown(criterion, name, run) for key, criterion in FIGURES.items()},
            "remark": _remark(reasons.get(name), run, name),
            "muted": name in reasons,
        }
        for name in dict.fromkeys(names)
    ]


def _places(decision: Decision | None) -> dict[str, dict[str, object]]:
    """Place, score and share of wins by name, as the report has them."""
    rows = decision.ranking.rows if decision else ()
    return {
        row.name: {"place": None, "score": None, "win_share": None}
        if row.score is None
        else {"place": row.rank, "score": row.score, "win_share": row.win_share}
        for row in rows
    }


def _remark(reason: Note | None, run: Run, name: str) -> str:
    """Why a candidate is rejected, and which of its cases failed where that is the reason."""
    if reason is None or reason.code == "failed_in":
        said = [reason.words] if reason else []
        return "; ".join(filter(None, [*said, _failures(run, name)]))
    return reason.words


def _shown(criterion: str, name: str, run: Run) -> float | None:
    """A criterion's value; bytes as MB of 2^20."""
    value = value_of(criterion, name, run)
    return value / MB if value is not None and criterion.endswith("_bytes") else value


def _interval(run: Run, name: str) -> str | None:
    """A candidate's mean grade with its interval, as people read it."""
    found = run.mean_grades.get(name)
    if found is None or value_of("human_grade", name, run) is None:
        return None
    return f"{found.mean:.2f}{_between(found.low, found.high)}"


def _between(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" ({low:.2f}–{high:.2f})"


def _failures(run: Run, name: str) -> str:
    cases = run.by_candidate.get(name, [])
    return "; ".join(f"{_work(case)}: {case.status}" for case in cases if not case.ok)


def _work(case: Result) -> str:
    return " ".join(filter(None, (case.workload, setting_of(case).label)))


def grade_rows(summary: JsonObject) -> Rows:
    """Mean grades, before the tune and after it at each rank in rows of their own."""
    return [
        {
            "candidate": row["candidate"],
            "grade": row["mean"],
            "interval": _between(row["low"], row["high"]).strip(" ()") or None,
            "prompts": row["prompts"],
            "grades": row["grades"],
        }
        for row in summary["means"]
    ]


def cost_and_quality(rows: Rows) -> Rows:
    """Points for the picture: seconds of a reply against the mean grade, else the quality."""
    graded = any(row["grade_mean"] is not None for row in rows)
    return list(_points(rows, "grade_mean" if graded else "quality"))


def _points(rows: Rows, good: str) -> Iterator[dict[str, object]]:
    for row in rows:
        if row[good] is not None and row["reply_s"] is not None:
            yield {"candidate": row["candidate"], "seconds": row["reply_s"], "good": row[good]}


def distribution_bars(summary: JsonObject) -> Rows:
    """For each candidate how often it got each grade, from best to worst."""
    counts: dict[str, list[int]] = defaultdict(list)
    for row in summary["distribution"]:
        counts[row["candidate"]].append(row["count"])
    order = [row["candidate"] for row in summary["means"]]
    return [{"candidate": name, "counts": counts[name]} for name in order]


def difference_rows(summary: JsonObject) -> Rows:
    """Every pair: first those that decide, of which one is the best graded so far.

    Of each kind those come first that the fewest more prompts would separate, and those last that
    no feasible number would. Pairs that decide nothing are `folded`.
    """
    best = summary["means"][0]["candidate"] if summary["means"] else ""
    pairs = sorted(summary["differences"], key=lambda pair: _urgency(pair, best))
    return [
        {
            "pair": f"{d['a']} > {d['b']}" if d["mean"] else f"{d['a']} = {d['b']}",
            "difference": d["mean"],
            "interval": None if d["low"] is None else f"{d['low']:+.2f} … {d['high']:+.2f}",
            "p": d["p_holm"],
            "prompts": d["prompts"],
            "more": d["more"],
            "more_note": reason_words(d["reason"]),
            "folded": best not in (d["a"], d["b"]),
        }
        for d in pairs
    ]


def _urgency(pair: JsonObject, best: str) -> tuple[bool, bool, bool, float]:
    more = math.inf if pair["more"] is None else pair["more"]
    return best not in (pair["a"], pair["b"]), not _is_open(pair), is_separated(pair), more


def is_separated(pair: JsonObject) -> bool:
    """Whether a difference is significant after Holm's correction."""
    return pair["p_holm"] is not None and bool(pair["p_holm"] < SIGNIFICANT)


def _is_open(pair: JsonObject) -> bool:
    """Whether a pair is not separated and could be, with at most as many prompts again."""
    return (
        not is_separated(pair)
        and pair["more"] is not None
        and pair["more"] <= pair["prompts"] * FEASIBLE
    )


def rating_rows(summary: JsonObject) -> Rows:
    """Bradley–Terry ratings from grades, with those from votes beside them."""
    votes = {row["candidate"]: row for row in summary["votes"]["strengths"]}
    grades = {row["candidate"]: row for row in summary["strengths"]}
    rows = []
    for name in [*grades, *(name for name in votes if name not in grades)]:
        row, vote = grades.get(name), votes.get(name)
        rows.append(
            {
                "candidate": name,
                "chance": 100 * row["chance"] if row else None,
                "record": _record(row),
                "vote_chance": 100 * vote["chance"] if vote else None,
                "vote_record": _record(vote),
                "remark": reason_words((row or vote or {}).get("note") or ""),
            }
        )
    return rows


def _record(row: Mapping[str, object] | None) -> str | None:
    return f"{row['wins']} – {row['ties']} – {row['losses']}" if row else None
