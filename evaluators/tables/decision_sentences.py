"""Explains the decisions on a table in sentences, the fragile points first."""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose

from evaluators.ranking.ranking_sentences import unit_label
from evaluators.ranking.robustness import WeightChange
from evaluators.tables.cell_values import missing_words
from evaluators.tables.decision_table import DecisionTable, TableDecision, all_decisions
from model_registry.language import text

Decisions = Mapping[str, TableDecision]  # by normalisation


def sensitivity_text(table: DecisionTable) -> str:
    """Shares with and without the licence filter under all normalisations, and what flips them.

    The first line of each part says whether the winner hangs on the normalisation.
    """
    parts = []
    if table.assumed:
        parts.append(
            text(
                "No declaration beside the table; assumed:", "표 옆에 선언이 없어 다음과 같이 가정:"
            )
            + "".join(f"\n  {line}" for line in table.assumed)
        )
    parts += _reading_lines(table)
    for filtered, decisions in all_decisions(table).items():
        title = (
            text("With the licence filter", "라이선스 조건 적용")
            if filtered
            else text("Without the licence filter", "라이선스 조건 없이")
        )
        parts.append(
            "\n".join([title, "  " + winner_sentence(decisions), *_lines(table, decisions)])
        )
    return "\n\n".join(parts)


#: (English, Korean), by the code of why a column is no criterion.
DROPPED_WORDS = {
    "left_out": ("left out as asked", "지정에 따라 제외"),
    "licence": ("the licence, a condition of its own", "라이선스 조건"),
    "describes": ("it describes the candidate", "후보를 설명하는 열"),
    "empty": ("it holds no value", "값이 없음"),
    "no_numbers": ("it holds no numbers", "숫자가 아님"),
}


def _reading_lines(table: DecisionTable) -> list[str]:
    """Columns that are no criteria, and cells without a value, each with the reason."""
    parts = []
    if table.dropped:
        title = text("Columns that do not decide:", "결정에 쓰지 않은 열:")
        lines = [f"{name} ({text(*DROPPED_WORDS[why])})" for name, why in table.dropped.items()]
        parts.append("\n  ".join([title, *lines]))
    if table.missing:
        title = text("No value:", "값 없음:")
        lines = [f"{n}, {c}: {text(*missing_words(why))}" for n, c, why in table.missing]
        parts.append("\n  ".join([title, *lines]))
    return parts


def winner_sentence(decisions: Decisions) -> str:
    """Whether the choice is the same under every normalisation."""
    chosen = {method: one.ranking.chosen for method, one in decisions.items()}
    winners = set(chosen.values())
    if winners == {None}:
        return text("Nobody is left to choose.", "고를 후보가 남지 않았습니다.")
    if len(winners) == 1:
        (winner,) = winners
        return text(
            f"The choice is {winner} under all {len(chosen)} normalisations.",
            f"정규화 방법 {len(chosen)}가지 모두에서 선택은 {winner}.",
        )
    named = ", ".join(f"{method} → {winner}" for method, winner in chosen.items())
    return text(
        f"The choice hangs on the normalisation: {named}.",
        f"정규화 방법에 따라 선택이 달라집니다: {named}.",
    )


def _lines(table: DecisionTable, decisions: Decisions) -> list[str]:
    """A row a candidate: score and share of the weight draws under each normalisation."""
    names = [row.name for row in next(iter(decisions.values())).ranking.rows]
    width = max((len(name) for name in names), default=0)
    lines = ["  " + " " * width + "".join(f"{method:>20}" for method in decisions)]
    for name in names:
        cells = []
        for one in decisions.values():
            row = next(row for row in one.ranking.rows if row.name == name)
            score = "—" if row.score is None else f"{row.score:.3f}"
            cells.append(f"{score} ({row.win_share:.1%})".rjust(20))
        lines.append(f"  {name:<{width}}" + "".join(cells))
    for method, one in decisions.items():
        lines.append(f"  {method}: {_flip_words(table, one.ranking.flip)}")
        lines += [
            f"    {_without_words(table, name, winner)}"
            for name, winner in one.ranking.without.items()
        ]
    rejected = next(iter(decisions.values())).rejected
    lines += [
        text(f"  rejected: {name} ({why.words})", f"  제외: {name} ({why.words})")
        for name, why in rejected
    ]
    return lines


def _flip_words(table: DecisionTable, flip: WeightChange | None) -> str:
    if flip is None:
        return text(
            "no change of a single weight makes another win",
            "어느 한 비중을 바꿔도 1위는 그대로",
        )
    english, korean = unit_label(table.criteria, flip.name)
    if isclose(flip.from_share, flip.to_share, abs_tol=1e-9):
        return text(f"the first are equal: any change of the weight of {english} tells them apart",
                    f"1위가 동점: {korean} 비중을 조금만 바꿔도 갈림")  # fmt: skip
    shares = f"{flip.from_share:.1%} → {flip.to_share:.1%}"
    return text(f"{flip.winner} wins at weight of {english} {shares}",
                f"{korean} 비중 {shares}에서 1위는 {flip.winner}")  # fmt: skip


def _without_words(table: DecisionTable, name: str, winner: str) -> str:
    english, korean = unit_label(table.criteria, name)
    return text(f"without {english}: {winner}", f"{korean} 없이: {winner}")
