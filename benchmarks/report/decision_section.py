"""The first section of a report: chosen, reserve, why, and what would change the decision."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isclose

from benchmarks.report.evidence import Evidence
from benchmarks.report.report_texts import sentence
from benchmarks.report.tables import quantisation_ledger, variant_tables
from benchmarks.report.tables.main_table import parameters
from benchmarks.report.tables.table_cells import MIB, decimals, fixed, share_text
from benchmarks.results.criteria import CRITERIA
from benchmarks.results.decision import Decision, winners_by_normalization
from benchmarks.results.stand_ins import stand_in
from benchmarks.results.uses import licence_account
from evaluators.ranking.ranking_sentences import unit_label
from model_registry.language import text
from model_registry.messages.notes import all_words

#: Criteria that are told of the chosen one, whatever the study declares.
COSTS = ("fine_tune_seconds", "fine_tune_bytes", "inference_seconds", "inference_bytes")
SHARES = 5  # candidates whose share of the weight draws is shown beside the answer


@dataclass(frozen=True, slots=True)
class Answer:
    """The decision for readers. `shares` are (candidate, share of wins, as text), most wins first.

    `findings` are what a study that chooses nothing found out.
    """

    chosen: str | None
    reserve: str | None
    chosen_label: str
    reserve_label: str
    reason: str
    shares: tuple[tuple[str, float, str], ...]
    fragility: tuple[str, ...]
    findings: tuple[str, ...] = ()
    figures: tuple[tuple[str, str], ...] = ()  # of the chosen one: label, value with its unit


def answer_of(evidence: Evidence) -> Answer:
    """The decision of a run for readers; where there is none, the reason."""
    if evidence.decision is None:
        found = (*quantisation_ledger.headline(evidence), *variant_tables.headline(evidence))
        return Answer(None, None, "", "", evidence.problem, (), (), found)
    ranking = evidence.decision.ranking
    rows = [row for row in ranking.rows if row.score is not None]
    label = stand_in(evidence.head.weights)
    shares = sorted(rows, key=lambda row: -row.win_share)[:SHARES]
    return Answer(
        chosen=ranking.chosen,
        reserve=ranking.reserve,
        chosen_label=evidence.stand_in(ranking.chosen) if ranking.chosen else "",
        reserve_label=evidence.stand_in(ranking.reserve) if ranking.reserve else "",
        reason=f"[{label}] {ranking.reason}" if label else ranking.reason,
        shares=tuple((row.name, row.win_share, share_text(row.win_share)) for row in shares),
        fragility=tuple(_fragility(evidence, evidence.decision)) if ranking.chosen else (),
        figures=tuple(_figures(evidence, ranking.chosen)) if ranking.chosen else (),
    )


def _figures(evidence: Evidence, name: str) -> Iterator[tuple[str, str]]:
    """What the chosen one costs and gives, as far as it was measured."""
    yield text("parameters", "파라미터"), parameters(evidence.candidates[name].parameters).text
    for criterion in COSTS:
        value, figure = evidence.value(criterion, name), CRITERIA[criterion]
        if value is not None:
            value, unit = (value / MIB, "MB") if figure.unit == "bytes" else (value, figure.unit)
            yield figure.label, f"{fixed(value, decimals([value]))} {unit}"
    before, after = (evidence.value(c, name) for c in ("quality", "quality_tuned"))
    if not evidence.run.random_weights and (before is not None or after is not None):
        shown = ("—" if value is None else f"{value:.2f}" for value in (before, after))
        yield text("quality before → after", "품질 전 → 후"), " → ".join(shown)


def _fragility(evidence: Evidence, decision: Decision) -> Iterator[str]:
    """One line for each thing that the answer hangs on; the normalisation first."""
    yield _by_normalization(decision)
    if evidence.unfiltered and evidence.unfiltered != decision.ranking.chosen:
        yield sentence("without_licence_filter", evidence=evidence)
    if len(evidence.run.candidates) > 1:
        yield from licence_account(evidence.run, decision)
    yield from _by_weights(decision)
    yield from _by_prompts(decision)
    front = ", ".join(decision.ranking.front)
    yield sentence("pareto_front", front=front)
    if decision.left_out:
        left_out = all_words(reason for _, reason in decision.left_out)
        yield text(f"Not weighed: {left_out}.", f"계산하지 않은 기준: {left_out}.")


def _by_normalization(decision: Decision) -> str:
    winners = winners_by_normalization(decision)
    others = {n: w for n, w in winners.items() if w != decision.ranking.chosen}
    if not others:
        return text(
            f"The winner is the same under all normalisations ({', '.join(winners)}).",
            f"어떤 정규화를 써도 1위가 같습니다 ({', '.join(winners)}).",
        )
    told = ", ".join(f"{name}: {winner}" for name, winner in others.items())
    return sentence("hangs_on_normalisation", decision=decision, told=told)


def _by_weights(decision: Decision) -> Iterator[str]:
    ranking, criteria = decision.ranking, decision.plan.criteria
    flip = ranking.flip
    tied = flip is not None and isclose(flip.from_share, flip.to_share, abs_tol=1e-9)
    if flip is not None and flip.winner != ranking.chosen and not tied:
        english, korean = unit_label(criteria, flip.name)
        yield sentence("another_weight", flip=flip, english=english, korean=korean)
    for name, winner in ranking.without.items():
        english, korean = unit_label(criteria, name)
        yield text(f"Without {english} {winner} would win.", f"{korean} 기준을 빼면 1위: {winner}.")


def _by_prompts(decision: Decision) -> Iterator[str]:
    first = next((row for row in decision.ranking.rows if row.score is not None), None)
    if first is not None and first.bootstrap_share is not None:
        share = share_text(first.bootstrap_share)
        yield sentence("prompts_drawn_anew", first=first, share=share)
