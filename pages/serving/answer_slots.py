"""Limits how many answers one visitor may have under way at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from evaluators.grading.submission import InvalidRequest

#: A page waits for its answer before it asks again; the second is for an answer that was stopped
#: and is still ending.
MOST_EACH = 2


class AnswerSlots:
    """Counts the answers under way by visitor; one more than allowed is refused at once, so that
    what a single visitor heaps up in the queue is gone from it in no time."""

    def __init__(self) -> None:
        self._under_way: Counter[str] = Counter()
        self._latest: dict[str, object] = {}
        self._lock = threading.Lock()

    @property
    def visitors(self) -> int:
        """How many visitors are being answered, however many answers each has under way."""
        return len(self._under_way)

    @contextmanager
    def held_by(self, visitor: str) -> Iterator[None]:
        """Hold one of this visitor's slots.

        Raises:
            InvalidRequest: as many as are allowed are under way.
        """
        with self._lock:
            if self._under_way[visitor] >= MOST_EACH:
                raise InvalidRequest(
                    "Your last question is still being answered. Ask again when it is done.",
                    "앞선 질문에 아직 답하고 있어요. 끝난 뒤에 다시 보내 주세요.",
                )
            self._under_way[visitor] += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way[visitor] -= 1
                if not self._under_way[visitor]:
                    del self._under_way[visitor]

    @contextmanager
    def latest(self, visit: str) -> Iterator[Callable[[], bool]]:
        """Whether an answer is still the latest that began in this visit's conversation: an earlier
        one that another client than the page lets run on has to end. No visit is none's."""
        mine = object()
        self._latest[visit] = mine
        try:
            yield lambda: not visit or self._latest.get(visit) is mine
        finally:
            with self._lock:
                if self._latest.get(visit) is mine:
                    del self._latest[visit]
