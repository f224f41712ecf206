"""The result of a ranking: a row per candidate, the chosen one, what would change it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from evaluators.ranking.robustness import WeightChange
from model_registry.language import text
from model_registry.messages.notes import Note


@dataclass(frozen=True, slots=True)
class RankedRow:
    """One candidate's place. `normalised` and `values` are by criterion, None where missing.

    `score_range` is what the score would be if everything missing were the worst, or the best.
    """

    rank: int
    name: str
    score: float | None
    score_range: tuple[float, float] | None
    win_share: float
    bootstrap_share: float | None
    on_front: bool
    values: dict[str, float | None]
    normalised: dict[str, float | None]
    missing: tuple[str, ...]
    note_en: str
    note_ko: str

    @property
    def note(self) -> str:
        return text(self.note_en, self.note_ko)


@dataclass(frozen=True, slots=True)
class Ranking:
    """The decision and how fragile it is.

    `weights` are the declared shares by unit; `unused` are criteria in which nobody differs;
    `without` names the winner when that criterion or group is left out, where it changes;
    `flip` is the least change of a single weight that changes it.
    """

    normalization: str
    weights: dict[str, float]
    rows: tuple[RankedRow, ...]
    rejected: tuple[tuple[str, Note], ...]
    chosen: str | None
    reserve: str | None
    reason_en: str
    reason_ko: str
    flip: WeightChange | None
    without: dict[str, str]
    unused: tuple[str, ...]
    draws: int
    seed: int

    @property
    def reason(self) -> str:
        return text(self.reason_en, self.reason_ko)

    @property
    def front(self) -> tuple[str, ...]:
        """The names on the Pareto front, in order of rank."""
        return tuple(row.name for row in self.rows if row.on_front)

    def to_json(self) -> dict[str, object]:
        """The whole ranking as JSON values."""
        return asdict(self) | {"front": list(self.front)}
