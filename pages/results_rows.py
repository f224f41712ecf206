"""What the Results tab shows of a run: rows for its tables and points for its pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from model_registry.errors import OhloraError
from model_registry.records import Result, ScoreRow, read_rows

Rows = list[dict[str, Any]]


def decision_rows(folder: Path, summary: Mapping[str, Any]) -> Rows:
    """Every candidate of a run: its place, its grades, its quality and its cost.

    A candidate that failed or is out has its row too, with the reason; unknown is None.
    """
    results = read_rows(folder / "results.jsonl", Result)
    scores = read_rows(folder / "scores.jsonl", ScoreRow)
    grades = {row["candidate"]: row for row in summary["means"]}
    ranking, out = _decision(folder)
    names = [*ranking, *out, *(r.candidate for r in results), *(s.candidate for s in scores)]
    names += [name for name in grades if " (r=" not in name]
    rows = []
    for name in dict.fromkeys(names):
        mine = [r for r in results if r.candidate == name]
        tuned = [row for label, row in grades.items() if label.startswith(f"{name} (r=")]
        rows.append(
            {
                "candidate": name,
                **ranking.get(name, {}),
                "grade": _grade(grades.get(name)),
                "grade_tuned": _grade(tuned[0]) if tuned else None,
                "quality": _quality([s for s in scores if s.candidate == name]),
                "inference_s": _mean(_seconds(mine, "inference", "inference")),
                "inference_mb": _megabytes(mine, "inference", "inference"),
                "tuning_s": _mean(_seconds(mine, "fine-tune", "training")),
                "tuning_mb": _megabytes(mine, "fine-tune", "training"),
                "remark": out.get(name) or _failures(mine),
                "muted": name in out,
            }
        )
    return rows


def _decision(folder: Path) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Place, score and share of wins by name, and who is out for which reason."""
    from benchmarks.results.decision import decide
    from benchmarks.results.folder import RunFolder
    from benchmarks.results.run import Run

    if not (folder / "run.json").exists():
        return {}, {}
    try:
        document = decide(Run.read(RunFolder(folder))).to_json()
    except OhloraError:
        return {}, {}  # a run in the making: its figures are shown without a ranking
    ranking = {
        row["name"]: {"place": place, "score": row["score"], "win_share": row.get("win_share")}
        for place, row in enumerate(document["ranking"], start=1)
    }
    return ranking, {row["name"]: row["reason"] for row in document["rejected"]}


def _grade(row: Mapping[str, Any] | None) -> str | None:
    """A mean grade with its interval, as people read it."""
    if row is None:
        return None
    if row["low"] is None:
        return f"{row['mean']:.2f}"
    return f"{row['mean']:.2f} ({row['low']:.2f}–{row['high']:.2f})"


def _quality(rows: Iterable[ScoreRow]) -> float | None:
    """The mean of the evaluator "quality" before tuning, where there is one."""
    return _mean([r.value for r in rows if r.evaluator == "quality" and r.tuned is None])


def _seconds(results: Iterable[Result], workload: str, phase: str) -> list[float | None]:
    return [r.seconds.get(phase) for r in results if r.workload == workload and r.ok]


def _megabytes(results: Iterable[Result], workload: str, phase: str) -> float | None:
    peaks = [r.peak_bytes(phase) for r in results if r.workload == workload]
    known = [peak / 2**20 for peak in peaks if peak is not None]
    return max(known) if known else None


def _failures(results: Iterable[Result]) -> str:
    return "; ".join(f"{r.workload}: {r.status}" for r in results if not r.ok)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def cost_and_quality(rows: Rows, summary: Mapping[str, Any]) -> Rows:
    """Points for the picture: seconds to answer against the mean grade, else the quality."""
    grades = {row["candidate"]: row["mean"] for row in summary["means"]}
    points = []
    for row in rows:
        good = grades.get(row["candidate"]) if grades else row["quality"]
        if good is not None and row["inference_s"] is not None:
            name, seconds = row["candidate"], row["inference_s"]
            points.append({"candidate": name, "seconds": seconds, "good": good})
    return points


def distribution_bars(summary: Mapping[str, Any]) -> Rows:
    """For each candidate how often it got each grade, from best to worst."""
    counts: dict[str, list[int]] = defaultdict(list)
    for row in summary["distribution"]:
        counts[row["candidate"]].append(row["count"])
    order = [row["candidate"] for row in summary["means"]]
    return [{"candidate": name, "counts": counts[name]} for name in order]


def difference_rows(summary: Mapping[str, Any]) -> Rows:
    """Every pair, the nearest ones first: those are where more grades would help."""
    rows = [
        {
            "pair": f"{d['a']} > {d['b']}" if d["mean"] else f"{d['a']} = {d['b']}",
            "difference": d["mean"],
            "interval": None if d["low"] is None else f"{d['low']:+.2f} … {d['high']:+.2f}",
            "p": d["p_holm"],
            "prompts": d["prompts"],
            "more": d["more"],
            "more_note": d["reason"],
            "remark": d["reason"],
        }
        for d in summary["differences"]
    ]
    return sorted(rows, key=lambda row: abs(row["difference"]))


def strength_rows(summary: Mapping[str, Any]) -> Rows:
    """Strengths from grades, with those from votes beside them."""
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
                "remark": (row or vote or {}).get("note"),
            }
        )
    return rows


def _record(row: Mapping[str, Any] | None) -> str | None:
    return f"{row['wins']} – {row['ties']} – {row['losses']}" if row else None
