"""Pictures of cost: peak memory and time against quality, and by LoRA rank."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from benchmarks.report.evidence import Evidence
from benchmarks.report.pictures.drawing import (
    FAINT,
    INK,
    LIMIT,
    MARKERS,
    WIDTH,
    Picture,
    colour,
    draw,
    from_zero,
    shade,
)
from benchmarks.report.pictures.point_labels import Label, place_labels
from benchmarks.report.report_texts import sentence
from benchmarks.report.tables.table_cells import megabytes
from benchmarks.results.run import TuningMethod
from model_registry.language import text
from model_registry.records import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROOM_FOR_ALL = 8  # points whose names find a place nearly anywhere
Figures = Callable[[Result], float | None]


def cost_against_quality(evidence: Evidence) -> Picture | None:
    """Peak memory and time of the tune against the quality of replies after it."""
    quality, quality_label = _quality_axis(evidence)
    if not quality or not evidence.results:
        return None
    axes_of = [
        (text("Peak memory of tuning, MB", "튜닝 최대 메모리, MB"),
         {n: megabytes(evidence.value("fine_tune_bytes", n)) for n in evidence.candidates},
         _memory_limit(evidence)),
        (text("Seconds of tuning, mean of the ranks", "튜닝 시간(랭크 평균), 초"),
         {n: evidence.value("fine_tune_seconds", n) for n in evidence.candidates}, None),
    ]  # fmt: skip

    def plot(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharey=True)
        for axes, (label, costs, limit) in zip((left, right), axes_of, strict=True):
            _scatter(axes, evidence, costs, quality)
            axes.set_xlabel(label)
            largest = max((cost for cost in costs.values() if cost is not None), default=0.0)
            if limit is not None and limit < 4 * largest:
                axes.set_xlim(0, max(limit, largest) * 1.12)
                axes.axvline(limit, color=LIMIT, linestyle=(0, (4, 3)), linewidth=1.4)
                axes.annotate(text("memory limit", "메모리 한도"), (limit, 1), (-5, -4),
                              xycoords=("data", "axes fraction"), textcoords="offset points",
                              ha="right", va="top", color=LIMIT)  # fmt: skip
        left.set_ylabel(quality_label)

    def name_points(figure: Figure) -> None:
        for axes, (_, costs, _) in zip(figure.axes, axes_of, strict=True):
            place_labels(axes, _labels(evidence, costs, quality))

    caption = sentence("cost_against_quality")
    missing = [n for n in evidence.candidates if quality.get(n) is None or axes_of[0][1][n] is None]
    shown = ", ".join(_why_missing(evidence, name) for name in missing)
    caption = caption + shown if missing else caption.split(". ")[0] + "."
    if len(quality) > ROOM_FOR_ALL:
        caption += sentence("names_left_out")
    title = text("Cost against quality", "비용과 품질")
    return draw("cost_quality", title, caption, (WIDTH, 4.3), plot, name_points)


def _quality_axis(evidence: Evidence) -> tuple[dict[str, float], str]:
    """Quality after the tune, else before it, else Hangul; nothing for random weights."""
    if evidence.run.random_weights:
        return {}, ""
    for criterion, label in (
        ("quality_tuned", text("Quality after the tune", "튜닝 후 품질")),
        ("quality", text("Quality before the tune", "튜닝 전 품질")),
        ("validation_loss", text("Fall of the validation loss", "검증 손실 감소")),
    ):
        values = {name: evidence.value(criterion, name) for name in evidence.candidates}
        found = {name: value for name, value in values.items() if value is not None}
        if found:
            return found, label
    return {}, ""


def _memory_limit(evidence: Evidence) -> float | None:
    """The limit a run was under, or the memory of its GPU, in MB."""
    limit = evidence.head.memory_limit_bytes
    if limit is None:
        cards = [r.machine for r in evidence.results if r.machine.get("device") == "cuda"]
        limit = next((card.get("memory_bytes") for card in cards), None)
    return megabytes(limit)


def _why_missing(evidence: Evidence, name: str) -> str:
    failed = next((r for r in evidence.failures if r.candidate == name), None)
    return f"{evidence.shown(name)} ({failed.status})" if failed else evidence.shown(name)


def _scatter(
    axes: Axes,
    evidence: Evidence,
    costs: dict[str, float | None],
    quality: dict[str, float],
) -> None:
    points = [
        (index, name, cost, quality[name])
        for index, name in enumerate(evidence.candidates)
        if (cost := costs.get(name)) is not None and name in quality
    ]
    if not points:
        return
    chosen = evidence.decision.ranking.chosen if evidence.decision else None
    largest = max(cost for _, _, cost, _ in points)
    for index, name, cost, value in points:
        axes.plot(cost, value, MARKERS[index % len(MARKERS)], color=colour(index), markersize=8)
        if name == chosen:
            axes.plot(cost, value, "o", color=INK, fillstyle="none", markersize=16)
    axes.set_xlim(0, largest * 1.12)
    axes.margins(y=0.16)


def _labels(
    evidence: Evidence, costs: dict[str, float | None], quality: dict[str, float]
) -> list[Label]:
    """A name for each point; where there is no room for all, those ranked best have theirs."""
    ranked = evidence.decision.ranking.rows if evidence.decision else ()
    place = {row.name: row.rank for row in ranked}
    named = [
        (place.get(name, len(evidence.candidates) + 1), Label(evidence.shown(name), cost, value))
        for name, value in quality.items()
        if (cost := costs.get(name)) is not None
    ]
    return [label for _, label in sorted(named, key=lambda each: each[0])]


def costs_by_rank(evidence: Evidence) -> Picture | None:
    """Seconds and peak memory of tuning at each rank, and of answering."""
    if not evidence.results:
        return None
    parts: list[tuple[str, Sequence[TuningMethod | None], Figures]] = []
    if evidence.run.tunes:
        parts += [
            (text("Tuning, seconds", "튜닝, 초"), evidence.run.tunes,
             lambda case: case.seconds.get("training")),
            (text("Tuning, peak MB", "튜닝 최대, MB"), evidence.run.tunes,
             lambda case: megabytes(case.peak_bytes("training"))),
        ]  # fmt: skip
    if any(case.workload == "inference" for case in evidence.results):
        prompts = evidence.head.rows.prompts
        parts += [
            (text(f"Answering {prompts} prompts, s", f"답변, 질문 {prompts}개 합계, 초"), (None,),
             lambda case: case.seconds.get("inference")),
            (text("Answering, peak MB", "답변 최대, MB"), (None,),
             lambda case: megabytes(case.peak_bytes("inference"))),
        ]  # fmt: skip
    if not parts:
        return None

    def plot(figure: Figure) -> None:
        grid = figure.subplots(1, len(parts), sharey=True, squeeze=False)[0]
        for axes, (label, tunes, figure_of) in zip(grid, parts, strict=True):
            _bars(axes, evidence, tunes, figure_of)
            axes.set_title(label)
        candidates_along_y(grid[0], evidence)
        if evidence.run.tunes:
            handles = [
                grid[0].barh(0, 0, color=shade(i, len(evidence.run.tunes)), label=tune.label)
                for i, tune in enumerate(evidence.run.tunes)
            ]
            figure.legend(handles=handles, loc="outside lower right", ncols=len(handles))

    title = text("Time and memory", "시간과 메모리")
    caption = sentence("short_bars")
    height = 1.3 + 0.26 * len(evidence.candidates) * max(2, len(evidence.run.tunes))
    return draw("costs", title, caption, (WIDTH, height), plot)


def _bars(
    axes: Axes, evidence: Evidence, tunes: Sequence[TuningMethod | None], figure_of: Figures
) -> None:
    """A bar for each candidate and way of tuning; None of these is answering."""
    height, largest = 0.78 / max(len(tunes), 2), 0.0
    words: list[tuple[float, str]] = []
    for row, name in enumerate(evidence.candidates):
        for index, tune in enumerate(tunes):
            if tune is not None and not evidence.run.asks(name, tune):
                continue
            case = evidence.run.tuning(name, tune) if tune else evidence.run.answering(name)
            place = row + (index - (len(tunes) - 1) / 2) * height
            value = figure_of(case) if case is not None and case.ok else None
            if value is None:
                words.append((place, case.status if case and not case.ok else "—"))
                continue
            colour_of_bar = shade(index if tune else 1, len(tunes))
            axes.barh(place, value, height * 0.86, color=colour_of_bar)
            largest = max(largest, value)
    from_zero(axes, largest)
    for place, status in words:
        axes.annotate(status, (0, place), (3, 0), textcoords="offset points", va="center",
                      fontsize=7, color=LIMIT if status != "—" else FAINT)  # fmt: skip
    axes.grid(axis="y", visible=False)
    axes.locator_params(axis="x", nbins=4)


def candidates_along_y(axes: Axes, evidence: Evidence) -> None:
    """One line for each candidate, the first on top."""
    axes.set_yticks(range(len(evidence.candidates)),
                    [evidence.shown(name) for name in evidence.candidates], color=INK)  # fmt: skip
    axes.set_ylim(len(evidence.candidates) - 0.45, -0.55)
