"""Pictures of learning: loss curves, and every evaluator's mean before and after the tune."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from benchmarks.report.evidence import Evidence
from benchmarks.report.pictures.cost_pictures import candidates_along_y
from benchmarks.report.pictures.drawing import FAINT, LIMIT, WIDTH, Picture, colour, draw, shade
from benchmarks.report.report_texts import sentence
from benchmarks.report.tables.detail_tables import QUALITY, directions, evaluators_of
from benchmarks.results.case_figures import Means, mean_before_and_after, mean_scores, spread_of
from evaluators.evaluator_registry import evaluator_words
from model_registry.language import text

PANELS = 8  # evaluators in the picture; the table has all


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def loss_curves(evidence: Evidence) -> Picture | None:
    """The loss of every tune, candidate by candidate, with the valid rows' loss at both ends."""
    if not evidence.run.losses:
        return None
    names = list(evidence.candidates)
    columns = min(4, len(names))
    lines = math.ceil(len(names) / columns)
    by_case: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for loss in evidence.run.losses:
        by_case.setdefault((loss.case, loss.split), []).append((loss.step, loss.loss))

    def plot(figure: Figure) -> None:
        grid = list(figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).flat)
        for axes, name in zip(grid, names, strict=False):
            _losses_of(axes, evidence, name, by_case)
        for axes in grid[len(names) :]:
            axes.set_visible(False)
        figure.supxlabel(text("step", "스텝"), color=FAINT, fontsize=9)
        figure.supylabel(text("loss on the answer", "답변의 손실"), color=FAINT, fontsize=9)
        handles = [
            grid[0].plot([], [], color=shade(i, len(evidence.run.tunes)), label=tune.label)[0]
            for i, tune in enumerate(evidence.run.tunes)
        ]
        handles += grid[0].plot([], [], "o:", color=FAINT, markersize=4, linewidth=1,
                                      label=text("valid rows", "검증 행"))  # fmt: skip
        figure.legend(handles=handles, loc="outside upper right", ncols=len(handles))

    title = text("Loss curves", "손실 곡선")
    caption = sentence("loss_curves")
    return draw("losses", title, caption, (WIDTH, 0.8 + 2.2 * lines), plot)


def _losses_of(
    axes: Axes,
    evidence: Evidence,
    name: str,
    by_case: dict[tuple[str, str], list[tuple[int, float]]],
) -> None:
    axes.set_title(evidence.shown(name), fontsize=9)
    statuses = []
    for index, tune in enumerate(evidence.run.tunes):
        if not evidence.run.asks(name, tune):
            continue
        case = evidence.run.tuning(name, tune)
        line_colour = shade(index, len(evidence.run.tunes))
        if case is None or not case.ok:
            statuses.append(f"{tune.label}: {case.status if case else text('not run', '미실행')}")
        if case is None:
            continue
        for split, style in (("train", "-"), ("valid", "o:")):
            points = sorted(by_case.get((case.case, split), []))
            if points:
                axes.plot(*zip(*points, strict=True), style, color=line_colour, markersize=4,
                          linewidth=1.6 if split == "train" else 1)  # fmt: skip
    if statuses and axes.lines:
        axes.set_title(", ".join(statuses), fontsize=7, color=LIMIT, loc="right")
    elif statuses:
        axes.text(0.5, 0.5, "\n".join(statuses), transform=axes.transAxes, ha="center",
                  va="center", color=LIMIT, fontsize=8, linespacing=1.6)  # fmt: skip
    axes.set_ylim(bottom=0)


def before_and_after(evidence: Evidence) -> Picture | None:
    """Each evaluator's mean before the tune (hollow) and after it (filled)."""
    better = directions()
    means = {n: mean_scores(evidence.run.compared_scores(n)) for n in evidence.candidates}
    names = [n for n in evaluators_of(evidence) if better.get(n) != "neither"]
    names = _most_telling(names, list(means.values()))
    if not names or evidence.run.random_weights:
        return None
    columns = min(4, len(names))
    lines = math.ceil(len(names) / columns)
    wanted = {
        "high": text("high is better", "높을수록 좋음"),
        "low": text("low is better", "낮을수록 좋음"),
        "neither": "",
    }

    failed = {case.candidate: case.status for case in reversed(evidence.failures)}

    def plot(figure: Figure) -> None:
        grid = figure.subplots(lines, columns, sharey=True, squeeze=False)
        for axes, evaluator in zip(grid.flat, names, strict=False):
            for row, name in enumerate(evidence.candidates):
                _change(axes, row, evaluator, means[name], failed.get(name, ""))
            axes.set_title(evaluator_words(evaluator), fontsize=9)
            axes.set_title(wanted[better.get(evaluator, "neither")], fontsize=7, color=FAINT,
                           loc="right")  # fmt: skip
            axes.set_xlim(-0.06, 1.06)
            axes.set_xticks([0, 0.5, 1])
            axes.grid(axis="y", visible=False)
        for axes in grid.flat[len(names) :]:
            axes.set_visible(False)
        for row in grid:
            candidates_along_y(row[0], evidence)

    title = text("Replies before and after the tune", "튜닝 전후의 답변")
    caption = text(
        "Hollow before, filled after (mean of the ranks). Shown: what differs most."
        f"{' The first is the composite.' if names[0] == QUALITY else ''}",
        "빈 점은 튜닝 전, 찬 점은 튜닝 후(랭크 평균)입니다. 차이가 큰 평가만 그렸습니다."
        f"{' 첫 칸은 종합 품질입니다.' if names[0] == QUALITY else ''}",
    )
    height = 0.5 + lines * (0.75 + 0.27 * len(evidence.candidates))
    return draw("before_after", title, caption, (WIDTH, height), plot)


def _most_telling(names: list[str], means: list[Means]) -> list[str]:
    """The evaluators whose means differ most, in their own order, the composite first."""

    spreads = {name: spread_of(name, means) for name in names}

    def order(name: str) -> tuple[bool, float]:
        spread = spreads[name]
        return name != QUALITY, 1.0 if spread is None else -spread

    kept = sorted(names, key=order)[:PANELS]
    return [name for name in names if name in kept and spreads[name] is not None]


def _change(axes: Axes, row: int, evaluator: str, means: Means, why: str) -> None:
    before, tuned = mean_before_and_after(means, evaluator)
    if before is not None and tuned is not None:
        axes.plot([before, tuned], [row, row], color=colour(row), linewidth=1.4, alpha=0.55)
    if before is not None:
        axes.plot(before, row, "o", color=colour(row), fillstyle="none", markersize=6.5)
    if tuned is not None:
        axes.plot(tuned, row, "o", color=colour(row), markersize=6.5)
    if before is None and tuned is None:
        axes.annotate(why or "—", (0, row), va="center", fontsize=7,
                      color=LIMIT if why else FAINT)  # fmt: skip
