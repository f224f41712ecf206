"""Groups identical replies of a screen into one card, so that a text is graded once."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Card:
    """One text to grade; its grade counts for each reply with this text."""

    text: str
    places: tuple[int, ...]  # of these replies among all of the screen


def cards_of(texts: Sequence[str]) -> list[Card]:
    """The cards of a screen in the order of their first replies.

    `texts` are the replies as people see them, with names hidden: two that differ in a hidden
    name only look alike, and nobody could grade them apart.
    """
    alike: dict[str, list[int]] = defaultdict(list)
    for place, text in enumerate(texts):
        alike[unicodedata.normalize("NFC", text).strip()].append(place)
    return [Card(texts[places[0]], tuple(places)) for places in alike.values()]
