"""The best K of N diagrams, by how they look and by how far they are what was asked for.

A look is a weighted sum of readability and the user's taste; the final score is the look times
the faithfulness to the request.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from diagrams.diagram import Diagram, DiagramRefused, check_drawable
from diagrams.requests.request_reading import Asked
from diagrams.scoring.faithfulness import Faithfulness, faithfulness
from diagrams.scoring.readability import readability
from diagrams.scoring.taste import ScoredDiagram, cold_start, predicted_taste
from model_registry.errors import OhloraError
from model_registry.language import text

READABILITY_WEIGHT = 0.5  # taste has the rest


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One diagram in its rank."""

    place: int  # among the diagrams given, from 0
    final: float  # 0 to 5: the look times the faithfulness, the look alone where that is unknown
    readability: float
    taste: float | None  # None at a cold start
    faithfulness: Faithfulness


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best diagrams, best first, with notes on the ranking."""

    best: list[Recommendation]
    left_out: dict[int, str] = field(default_factory=dict)  # place → why it has no rank
    notes: tuple[str, ...] = ()


def recommend(
    diagrams: Sequence[Diagram],
    keep: int,
    scored: Sequence[ScoredDiagram] = (),
    readability_weight: float = READABILITY_WEIGHT,
    asked: Sequence[Asked] = (),
) -> Ranking:
    """The best `keep` of these diagrams.

    Without enough scored diagrams the readability decides alone, and a note says so. A diagram
    that is the same as an earlier one is left out with the reason.

    Args:
        diagrams: as parsed from the replies, in order.
        keep: how many, at least 1.
        scored: (diagram, score 0 to 5) of this user.
        readability_weight: 0 to 1; taste has the rest.
        asked: what was asked for with each; none, where it isn't known.

    Raises:
        OhloraError: a number is out of its range.
        WeightsMissing: the networks were never trained.
    """
    if keep < 1 or not 0 <= readability_weight <= 1:
        raise OhloraError(
            "Keep at least 1 diagram, with a readability weight from 0 to 1.",
            "다이어그램을 하나 이상 남기고, 가독성 비중은 0~1로 정하세요.",
        )
    left_out = _without_rank(diagrams)
    places = [place for place in range(len(diagrams)) if place not in left_out]
    shown = [diagrams[place] for place in places]
    read = readability(shown)
    liked = predicted_taste(shown, scored) if readability_weight < 1 else None
    ranked = []
    for n, place in enumerate(places):
        taste = liked[n] if liked else None
        kept = faithfulness(diagrams[place], asked[place] if asked else Asked())
        look = _look(read[n], taste, readability_weight)
        final = look if kept.value is None else look * kept.value
        taste = None if taste is None else round(taste, 4)
        ranked.append(Recommendation(place, round(final, 4), read[n], taste, kept))
    ranked.sort(key=lambda found: (-found.final, found.place))
    checked = any(one.can_be_checked for one in asked)
    return Ranking(ranked[:keep], left_out, _notes(len(diagrams), len(shown), scored, checked))


def _look(read: float, liked: float | None, readability_weight: float) -> float:
    if liked is None:
        return read
    return readability_weight * read + (1 - readability_weight) * liked


def _without_rank(diagrams: Sequence[Diagram]) -> dict[int, str]:
    """Why some have no rank: nothing to draw, too much to draw, or the same as an earlier one."""
    reasons: dict[int, str] = {}
    first: dict[Diagram, int] = {}
    for place, diagram in enumerate(diagrams):
        if not diagram.nodes:
            reasons[place] = text("no node was found", "노드가 없습니다")
        elif diagram in first:
            same = first[diagram] + 1
            reasons[place] = text(f"the same as number {same}", f"{same}번과 같습니다")
        else:
            first[diagram] = place
            try:
                check_drawable(diagram)
            except DiagramRefused as refused:
                reasons[place] = refused.shown
    return reasons


def _notes(
    given: int, different: int, scored: Sequence[ScoredDiagram], checked: bool
) -> tuple[str, ...]:
    notes = []
    if different < given:
        notes.append(
            text(
                f"{given - different} of {given} diagrams are repeated or can't be drawn.",
                f"다이어그램 {given}개 중 {given - different}개는 반복되었거나 그릴 수 없습니다.",
            )
        )
    cold = cold_start(scored)
    if cold:
        without = (
            text(
                "Readability and what was asked for decide.",
                "가독성과 요청 일치로 순위를 정합니다.",
            )
            if checked
            else text("Readability decides alone.", "가독성만으로 순위를 정합니다.")
        )
        notes.append(f"{cold} {without}")
    return tuple(notes)
