"""How far a diagram has what its request states: nodes, layers and lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TypedDict

from diagrams.diagram import Diagram
from diagrams.requests.request_reading import Asked
from model_registry.language import text

#: What a count that is not as asked has at most; the further away, the less.
MOST_IF_WRONG = 0.5


class CountedPart(TypedDict):
    """One count: `part` is nodes, layers, layer_count or edges."""

    part: str
    found: int | list[int]
    asked: int | list[int]


class FaithfulnessDocument(TypedDict):
    """A faithfulness in JSON; `value` is null where nothing could be checked."""

    value: float | None
    parts: list[CountedPart]


@dataclass(frozen=True, slots=True)
class Part:
    """What was counted in one respect, beside what was asked for. A list is one number a layer."""

    name: str
    found: tuple[int, ...]
    asked: tuple[int, ...]

    @property
    def value(self) -> float:
        """1 where it is as asked, else at most MOST_IF_WRONG, less in line with the difference."""
        if self.found == self.asked:
            return 1.0
        pairs = zip_longest(self.found, self.asked, fillvalue=0)
        away = sum(abs(found - asked) for found, asked in pairs) / max(1, sum(self.asked))
        return MOST_IF_WRONG * max(0.0, 1 - away)

    def told(self) -> str:
        """Such as "15 nodes, 14 asked"."""
        found, asked = ("-".join(map(str, counts)) or "0" for counts in (self.found, self.asked))
        noun, korean = _NOUNS[self.name]
        if self.found == self.asked:
            return text(f"{found} {noun}", f"{korean} {found}")
        return text(f"{found} {noun}, {asked} asked", f"{korean} {found} (요청 {asked})")


_NOUNS = {
    "nodes": ("nodes", "노드"),
    "layers": ("nodes by layer", "층별 노드"),
    "layer_count": ("layers", "층"),
    "edges": ("lines", "선"),
}


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """The parts that the request states, each counted."""

    parts: tuple[Part, ...]
    more: bool = False  # what nobody checks is asked for too

    @property
    def value(self) -> float | None:
        """0 to 1: that of the worst part.

        None where the request states nothing to count, and where all counts are right but it states
        more than that.
        """
        worst = min((part.value for part in self.parts), default=None)
        return None if worst == 1.0 and self.more else worst

    def told(self) -> str:
        """What is not as asked; where all is, what was counted."""
        if not self.parts:
            return text("can't be checked against the request", "요청과 맞는지 확인할 수 없음")
        wrong = [part.told() for part in self.parts if part.found != part.asked]
        if wrong:
            return " · ".join(wrong)
        counted = ", ".join(part.told() for part in self.parts if part.name != "layers")
        if self.more:
            return text(
                f"{counted}; whether its form and looks are as asked can't be checked",
                f"{counted} · 모양과 색이 요청과 맞는지 확인할 수 없음",
            )
        return text(f"as asked: {counted}", f"요청대로: {counted}")

    def as_json(self) -> FaithfulnessDocument:
        """For a JSON document."""
        parts: list[CountedPart] = [
            {"part": part.name, "found": _plain(part.found, part.name),
             "asked": _plain(part.asked, part.name)}
            for part in self.parts
        ]  # fmt: skip
        return {"value": None if self.value is None else round(self.value, 4), "parts": parts}


def _plain(counts: Sequence[int], name: str) -> int | list[int]:
    return list(counts) if name == "layers" else counts[0]


def faithfulness(diagram: Diagram, asked: Asked) -> Faithfulness:
    """Count in a diagram what was asked for; each line between two nodes counts once."""
    layers = diagram.layers
    counted = (
        ("nodes", (len(diagram.nodes),), _one(asked.nodes)),
        ("layers", layers, asked.layers),
        ("layer_count", (len(layers),), _one(asked.layer_count)),
        ("edges", (len(set(diagram.links)),), _one(asked.edges)),
    )
    parts = tuple(Part(name, found, wanted) for name, found, wanted in counted if wanted)
    return Faithfulness(parts, asked.more)


def _one(count: int | None) -> tuple[int, ...]:
    return () if count is None else (count,)
