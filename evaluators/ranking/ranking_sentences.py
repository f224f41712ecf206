"""Explains a ranking in sentences, in English and Korean.

Korean sentences keep names in front of a colon or a dash: which particle follows a Latin name
depends on how it is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isclose
from typing import TYPE_CHECKING

from model_registry.messages.notes import Note

if TYPE_CHECKING:
    from evaluators.ranking.criterion_table import Criterion
    from evaluators.ranking.ranking_result import RankedRow
    from evaluators.ranking.robustness import WeightChange

#: Names of groups for people; a group that is not here is shown by its own name.
GROUPS = {
    "cost": ("cost", "비용"),
    "quality": ("automatic quality", "자동 품질"),
    "tunability": ("tunability", "튜닝 적합성"),
    "grades": ("human grades", "사람 평가"),
}
FEW = 2  # a candidate with fewer values than this is ranked on too little to be trusted


def rejection(criterion: Criterion, value: float) -> Note:
    """Why a floor rejects a candidate."""
    return Note(
        "below_limit" if criterion.better == "high" else "above_limit",
        {
            "criterion": criterion.name,
            "label_en": criterion.label_en,
            "label_ko": criterion.label_ko,
            "value": value,
            "limit": criterion.floor,
        },
    )


def failure(criteria: Sequence[Criterion], failed: Mapping[str, str]) -> Note:
    """Why a candidate is rejected that failed in these columns: the first one's reason."""
    code = next(iter(failed.values()))
    columns = [column for column, why in failed.items() if why == code]
    labels = {criterion.name: criterion for criterion in criteria}
    found = [labels.get(column) for column in columns]
    english = [
        each.label_en if each else column for each, column in zip(found, columns, strict=True)
    ]
    korean = [
        each.label_ko if each else column for each, column in zip(found, columns, strict=True)
    ]
    values = {"label_en": ", ".join(english), "label_ko": ", ".join(korean)}
    return Note("failed_in", {"criteria": columns, "status": code, **values})


def lacking_note(
    criteria: Sequence[Criterion], missing: Sequence[str], *, enough: bool = True
) -> tuple[str, str]:
    """Which criteria a row lacks, and how its score was computed without them."""
    if not missing:
        return "", ""
    lacking = [criterion for criterion in criteria if criterion.name in missing]
    english = "no value for " + ", ".join(c.label_en for c in lacking)
    korean = "값 없음: " + ", ".join(c.label_ko for c in lacking)
    present = len(criteria) - len(lacking)
    if not present:
        return english + "; not scored", korean + " (점수 없음)"
    if not enough:
        return (
            english + "; values for less than half of the weight: not ranked",
            korean + " (값이 있는 기준의 비중이 절반 미만이라 순위를 매기지 않음)",
        )
    if present < FEW:
        return (
            english + f"; ranked on {present} criterion only: don't rely on it",
            korean + f" (기준 {present}개만으로 매긴 순위이므로 믿기 어려움)",
        )
    return english + "; the others count instead", korean + " (나머지 기준으로만 계산)"


def reason_sentences(
    criteria: Sequence[Criterion],
    rows: Sequence[RankedRow],
    flip: WeightChange | None,
    without: Mapping[str, str],
) -> tuple[str, str]:
    """Why the first row is chosen and the second the reserve, in one sentence each."""
    ranked = [row for row in rows if row.score is not None]
    if not ranked:
        return "No candidate is left to choose.", "고를 후보가 남지 않았습니다."
    if len(ranked) == 1:
        name = ranked[0].name
        return f"{name} is the only candidate left.", f"{name} — 남은 후보가 이것뿐입니다."
    first, second = ranked[0], ranked[1]
    if (equal := _equal(ranked)) is not None:
        return equal
    led_en, led_ko = _led_by(criteria, ranked)
    fragile_en, fragile_ko = _fragility(criteria, flip, without)
    english = (
        f"{first.name} scores {first.score:.2f}, {second.name} (the reserve) {second.score:.2f}: "
        f"the first {led_en}; it wins {first.win_share:.0%} of the weight draws, {fragile_en}."
    )
    korean = (
        f"{first.name} — 종합 점수 {first.score:.2f}, 예비 {second.name} {second.score:.2f} "
        f"({led_ko}); 가중치를 무작위로 바꿔도 {first.win_share:.0%}에서 1위이고, {fragile_ko}."
    )
    return english, korean


def _equal(ranked: Sequence[RankedRow]) -> tuple[str, str] | None:
    """That the first ones have one score, where they have."""
    first = ranked[0]
    same = [row.name for row in ranked if isclose(row.score or 0, first.score or 0, abs_tol=1e-9)]
    if len(same) == 1:
        return None
    named = ", ".join(same)
    return (
        f"{named} are equal: each scores {first.score:.2f}. Their order says nothing of which is "
        "better.",
        f"{named} — 종합 점수가 {first.score:.2f}(으)로 모두 같습니다. 순서는 우열을 뜻하지 "
        "않습니다.",
    )


def _led_by(criteria: Sequence[Criterion], rows: Sequence[RankedRow]) -> tuple[str, str]:
    """In which criteria and groups the first row is the best of all."""
    led = []
    for unit in dict.fromkeys(criterion.unit for criterion in criteria):
        own, *others = (_unit_value(criteria, unit, row) for row in rows)
        known = [value for value in others if value is not None]
        if own is not None and known and own > max(known):
            led.append(unit_label(criteria, unit))
    if not led:
        return "leads in nothing alone", "단독으로 앞서는 기준은 없음"
    return (
        "leads in " + ", ".join(english for english, _ in led),
        "앞선 기준: " + ", ".join(korean for _, korean in led),
    )


def _unit_value(criteria: Sequence[Criterion], unit: str, row: RankedRow) -> float | None:
    """The row's normalised value of a group or criterion, over what it has of it."""
    present = [
        (value, criterion.weight or 1.0)
        for criterion in criteria
        if criterion.unit == unit and (value := row.normalised[criterion.name]) is not None
    ]
    total = sum(weight for _, weight in present)
    return sum(value * weight for value, weight in present) / total if present else None


def _fragility(
    criteria: Sequence[Criterion], flip: WeightChange | None, without: Mapping[str, str]
) -> tuple[str, str]:
    if flip is not None:
        english, korean = unit_label(criteria, flip.name)
        return (
            f"and {flip.winner} would win if the weight of {english} went "
            f"from {flip.from_share:.0%} to {flip.to_share:.0%}",
            f"{korean} 비중이 {flip.from_share:.0%}에서 {flip.to_share:.0%}로 바뀌면 "
            f"1위가 {flip.winner}로 바뀝니다",
        )
    if without:
        name, winner = next(iter(without.items()))
        english, korean = unit_label(criteria, name)
        return (
            f"and {winner} would win without {english}",
            f"{korean} 기준을 빼면 1위가 {winner}로 바뀝니다",
        )
    return (
        "and no change of a single weight would make another win",
        "어느 한 비중을 바꿔도 1위는 그대로입니다",
    )


def unit_label(criteria: Sequence[Criterion], name: str) -> tuple[str, str]:
    """What people call a criterion or a group."""
    for criterion in criteria:
        if criterion.name == name:
            return criterion.label_en, criterion.label_ko
    return GROUPS.get(name, (name, name))
