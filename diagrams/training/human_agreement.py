"""Agreement of each readability score with a person's scores.

`python -m diagrams.training.human_agreement SCORES.csv`

The file has the columns `diagram_text`, `human_score_0_to_5`, and, where they are known, `prompt`
and `source`. It is only ever tested on: nothing is trained or chosen by it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diagrams.parse import parse
from diagrams.scoring.geometry import geometric_score, measure
from diagrams.scoring.readability import BOTH, COUNTED, SEEN, readability_way, seen
from model_registry.errors import BadFile, OhloraError
from rows.table import read_table

DRAWS, SEED = 2_000, 0

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Agreement:
    """One way to readability against a person's scores of some rows.

    `rank` is Spearman's correlation with its 95 % bootstrap interval; None where every score is
    the same.
    """

    rows: int
    error: float
    squared_error: float
    rank: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class HumanScores:
    """Diagrams that a person scored: each way's score of them, the person's, and their source."""

    ways: Mapping[str, Array]
    given: Array
    sources: tuple[str, ...]

    def of(self, source: str | None) -> NDArray[np.bool_]:
        """Which rows come from a source; all, where it is None."""
        return np.array([source is None or each == source for each in self.sources])

    def agreement(self, way: str, source: str | None = None) -> Agreement:
        """How far one way agrees on the rows of a source."""
        chosen = self.of(source)
        made, given = self.ways[way][chosen], self.given[chosen]
        wrong = made - given
        errors = float(np.abs(wrong).mean()), float((wrong**2).mean())
        return Agreement(len(given), *errors, _rank(made, given))

    def best_constant(self, source: str | None = None) -> tuple[float, float]:
        """The one score for all that errs least, and its error."""
        given = self.given[self.of(source)]
        constant = float(np.median(given))
        return constant, float(np.abs(given - constant).mean())


def _rank(made: Array, given: Array) -> tuple[float, float, float] | None:
    from scipy.stats import spearmanr

    if not np.ptp(made) or not np.ptp(given):
        return None
    generator = np.random.default_rng(SEED)
    drawn = []
    for _ in range(DRAWS):
        rows = generator.integers(0, len(given), len(given))
        if np.ptp(made[rows]) and np.ptp(given[rows]):
            drawn.append(spearmanr(made[rows], given[rows])[0])
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(spearmanr(made, given)[0]), float(low), float(high)


def read_scores(path: Path) -> HumanScores:
    """Score every diagram of a file in every way.

    Raises:
        BadFile: it can't be read, lacks a column, or a score is no number.
    """
    rows = _rows(path)
    given = [_score(path, line, row) for line, row in enumerate(rows, start=2)]
    diagrams = [parse(row["diagram_text"] or "", row.get("prompt") or "").diagram for row in rows]
    looked = np.array(seen(diagrams))
    counted = np.array([geometric_score(measure(diagram)) for diagram in diagrams])
    ways = {SEEN: looked, COUNTED: counted, BOTH: (looked + counted) / 2}
    return HumanScores(ways, np.array(given), tuple(row.get("source") or "" for row in rows))


def _rows(path: Path) -> list[dict[str, str]]:
    table = read_table(path)
    for column in ("diagram_text", "human_score_0_to_5"):
        if column not in table.columns:
            raise BadFile(
                path, 1, f"needs rows with a column {column}", f"{column} 열이 있는 행이 필요합니다"
            )
    return [dict(record.cells) for record in table.records]


def _score(path: Path, line: int, row: Mapping[str, str]) -> float:
    try:
        score = float(row["human_score_0_to_5"])
    except (TypeError, ValueError):
        score = float("nan")
    if not 0 <= score <= 5:
        said = row["human_score_0_to_5"]
        raise BadFile(
            path,
            None,
            f"row {line}: a score is a number from 0 to 5, not {said!r}",
            f"{line}번째 행: 점수는 0~5의 수여야 합니다: {said!r}",
        )
    return score


def table(scores: HumanScores) -> str:
    """All figures in Markdown, by way and source."""
    chosen = readability_way()
    lines = [
        "| way | rows | mean absolute error | squared | rank correlation (95 %) |",
        "|---|---|---:|---:|---|",
    ]
    sources: Sequence[str | None] = [None, *dict.fromkeys(scores.sources)]
    for way in scores.ways:
        name = f"**{way}** (the readability)" if way == chosen else way
        for source in sources:
            found = scores.agreement(way, source)
            rank = "—" if found.rank is None else "{:.2f} ({:.2f} to {:.2f})".format(*found.rank)
            rows = f"{found.rows} {source or 'all'}"
            lines.append(
                f"| {name} | {rows} | {found.error:.3f} | {found.squared_error:.3f} | {rank} |"
            )
    for source in sources:
        constant, error = scores.best_constant(source)
        lines.append(f"| a {constant:g} for each | {source or 'all'} | {error:.3f} | | |")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    """Print the figures of one file."""
    if len(arguments) != 1:
        sys.exit("usage: python -m diagrams.training.human_agreement SCORES.csv")
    try:
        print(table(read_scores(Path(arguments[0]))))
    except OhloraError as error:
        sys.exit(f"error: {error.shown}")


if __name__ == "__main__":
    main(sys.argv[1:])
