"""Ranks candidates by criteria, with win shares and what would change the winner.

Pure: numbers in, a `Ranking` out, the same bytes for the same seed. A missing value is missing:
the candidate's score is the weighted mean over what it has, and its row says what it lacks. Who has
values for less than half of the weight gets no score. Who failed where a value was to be measured
is rejected: counting the others instead would make a failure an advantage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from evaluators.ranking.criterion_table import (
    Criterion,
    Samples,
    Table,
    Values,
    build_table,
    check_criteria,
    into_units,
    normalise_all,
    number,
    unit_weights,
)
from evaluators.ranking.normalization import Array
from evaluators.ranking.ranking_result import RankedRow, Ranking
from evaluators.ranking.ranking_sentences import failure, lacking_note, reason_sentences, rejection
from evaluators.ranking.robustness import (
    bootstrap_means,
    pareto_front,
    smallest_weight_change,
    weight_draw_shares,
    weighted_mean,
    win_shares,
)
from model_registry.messages.notes import Note

DRAWS = 10_000
Failures = Mapping[str, Mapping[str, str]]  # candidate → column → status, or code of a cell
NOBODY_FAILED: Failures = {}


def rank(
    criteria: Sequence[Criterion],
    values: Values,
    *,
    normalization: str = "min-max",
    draws: int = DRAWS,
    seed: int = 0,
    samples: Samples | None = None,
    failed: Failures = NOBODY_FAILED,
) -> Ranking:
    """Rank the candidates of `values` by the declared criteria.

    `samples` holds, for criteria that are means over prompts, the value of each prompt: prompts
    are then drawn anew (the same ones for all candidates) to give each row's `bootstrap_share`.
    `failed` says why a value is missing where the candidate failed: code by candidate and column.

    Raises:
        OhloraError: the criteria are no valid declaration.
        UnknownName: there is no such normalisation.
    """
    check_criteria(criteria, normalization)
    out = _failures(criteria, values, failed)
    kept, below = _above_floors(criteria, {n: row for n, row in values.items() if n not in out})
    rejected = (*out.items(), *below)
    table = build_table(criteria, kept, normalization)
    scores = _scores(table)
    shares = weight_draw_shares(table.units, table.weights, draws, seed) if kept else np.zeros(0)
    if _nothing_tells_apart(table):
        shares = win_shares(scores[None])
    boot = _bootstrap_shares(table, samples, normalization, draws, seed)
    rows = _rows(table, scores, shares, boot)
    return _ranking(table, rows, rejected, normalization, draws, seed)


def _failures(criteria: Sequence[Criterion], values: Values, failed: Failures) -> dict[str, Note]:
    """Why candidates are rejected that failed in what decides; weight 0 decides nothing."""
    idle = {criterion.name for criterion in criteria if not criterion.weight}
    found = {}
    for name in values:
        why = {column: code for column, code in failed.get(name, {}).items() if column not in idle}
        if why:
            found[name] = failure(criteria, why)
    return found


def _above_floors(
    criteria: Sequence[Criterion], values: Values
) -> tuple[dict[str, Mapping[str, float | None]], tuple[tuple[str, Note], ...]]:
    """Candidates that no floor rejects (a missing value rejects nobody), and the others."""
    kept, rejected = dict(values), []
    for name, row in values.items():
        for criterion in criteria:
            value, floor = row.get(criterion.name), criterion.floor
            if value is None or floor is None:
                continue
            if (value < floor) if criterion.better == "high" else (value > floor):
                rejected.append((name, rejection(criterion, value)))
                kept.pop(name, None)
                break
    return kept, tuple(rejected)


def _nothing_tells_apart(table: Table) -> bool:
    return bool(np.isnan(table.units[table.weights > 0]).all())


def _scores(table: Table) -> Array:
    """Scores (C,). Where nothing tells the candidates apart, all that have a value are best."""
    if _nothing_tells_apart(table):
        return np.where(np.isnan(table.raw).all(axis=0) | ~table.enough, np.nan, 1.0)
    return weighted_mean(table.units, table.weights)


def _bootstrap_shares(
    table: Table, samples: Samples | None, method: str, draws: int, seed: int
) -> Array | None:
    """How often each candidate wins when the prompts are drawn anew; None without samples."""
    sampled = [k for k, c in enumerate(table.criteria) if samples and samples.get(c.name)]
    if not sampled or not table.names or samples is None:
        return None
    by_criterion = [samples[table.criteria[k].name] for k in sampled]
    prompts = sorted({p for by in by_criterion for row in by.values() for p in row})
    cube = np.array(
        [
            [[number(by.get(n, {}).get(p)) for p in prompts] for n in table.names]
            for by in by_criterion
        ]
    )
    present = ~np.isnan(cube)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(present, cube, 0.0).sum(axis=-1) / present.sum(axis=-1)
    # A criterion need not be the plain mean of its samples: what is drawn is how far it moves.
    moved = bootstrap_means(cube, draws, seed) - means
    raw = np.repeat(table.raw[None], draws, axis=0)
    raw[:, sampled] += np.where(np.isnan(moved), 0.0, moved)
    units = into_units(table.criteria, normalise_all(table.criteria, raw, method))
    scores = np.where(table.enough, weighted_mean(units, table.weights), np.nan)
    # A draw that tells nobody apart is shared by all that are ranked, as the scores are.
    equal = np.isnan(scores).all(axis=-1, keepdims=True) & ~np.isnan(_scores(table))
    return win_shares(np.where(equal, 1.0, scores))


def _rows(table: Table, scores: Array, shares: Array, boot: Array | None) -> tuple[RankedRow, ...]:
    sign = np.array([1.0 if c.better == "high" else -1.0 for c in table.criteria])[:, None]
    front = pareto_front(table.raw * sign)
    worst, best = _with_missing_as(table, 0.0), _with_missing_as(table, 1.0)

    def order(index: int) -> tuple[bool, float, float, str]:
        score = scores[index]
        known = not np.isnan(score)
        # Rounded, so that scores that differ by rounding errors only are tied.
        return (
            not known,
            -round(float(score), 12) if known else 0.0,
            -float(shares[index]),
            table.names[index],
        )

    rows = []
    for place, index in enumerate(sorted(range(len(table.names)), key=order), start=1):
        raw = _by_criterion(table, table.raw[:, index])
        missing = tuple(name for name, value in raw.items() if value is None)
        note_en, note_ko = lacking_note(table.criteria, missing, enough=bool(table.enough[index]))
        known = not np.isnan(scores[index])
        rows.append(
            RankedRow(
                rank=place,
                name=table.names[index],
                score=float(scores[index]) if known else None,
                score_range=(float(worst[index]), float(best[index]))
                if missing and known
                else None,
                win_share=float(shares[index]),
                bootstrap_share=None if boot is None else float(boot[index]),
                on_front=front[index],
                values=raw,
                normalised=_by_criterion(table, table.normalised[:, index]),
                missing=missing,
                note_en=note_en,
                note_ko=note_ko,
            )
        )
    return tuple(rows)


def _with_missing_as(table: Table, end: float) -> Array:
    """Scores (C,) if every missing value were this, in the criteria that tell anybody apart."""
    used = ~np.isnan(table.normalised).all(axis=1, keepdims=True)
    filled = np.where(np.isnan(table.normalised) & used, end, table.normalised)
    return weighted_mean(into_units(table.criteria, filled), table.weights)


def _by_criterion(table: Table, column: Array) -> dict[str, float | None]:
    return {
        criterion.name: None if np.isnan(value) else float(value)
        for criterion, value in zip(table.criteria, column, strict=True)
    }


def _ranking(
    table: Table,
    rows: tuple[RankedRow, ...],
    rejected: tuple[tuple[str, Note], ...],
    normalization: str,
    draws: int,
    seed: int,
) -> Ranking:
    ranked = [row for row in rows if row.score is not None]
    chosen = ranked[0] if ranked else None
    reserve = ranked[1] if len(ranked) > 1 else None
    flip = None
    if len(ranked) > 1 and not _nothing_tells_apart(table):
        flip = smallest_weight_change(
            table.units, table.weights, table.unit_names, table.names, ranked[0].name
        )
    without = _without_each(table, chosen.name) if chosen else {}
    reason_en, reason_ko = reason_sentences(table.criteria, rows, flip, without)
    total = table.weights.sum()
    return Ranking(
        normalization=normalization,
        weights={u: float(w / total) for u, w in zip(table.unit_names, table.weights, strict=True)},
        rows=rows,
        rejected=rejected,
        chosen=chosen.name if chosen else None,
        reserve=reserve.name if reserve else None,
        reason_en=reason_en,
        reason_ko=reason_ko,
        flip=flip,
        without=without,
        unused=tuple(
            criterion.name
            for criterion, row in zip(table.criteria, table.normalised, strict=True)
            if np.isnan(row).all()
        ),
        draws=draws,
        seed=seed,
    )


def _without_each(table: Table, chosen: str) -> dict[str, str]:
    """Who wins when one criterion or group is left out, where that is somebody else."""
    winners: dict[str, str] = {}
    left_out = dict.fromkeys([c.name for c in table.criteria] + list(table.unit_names))
    for name in left_out:
        kept = [k for k, c in enumerate(table.criteria) if name not in (c.name, c.unit)]
        criteria = [table.criteria[k] for k in kept]
        if not any(criterion.weight for criterion in criteria):
            continue
        units = into_units(criteria, table.normalised[kept])
        scores = weighted_mean(units, unit_weights(criteria))
        if np.isnan(scores).all():
            continue
        best = {table.names[i] for i in np.flatnonzero(scores >= np.nanmax(scores) - 1e-12)}
        if chosen not in best:
            winners[name] = min(best)
    return winners
