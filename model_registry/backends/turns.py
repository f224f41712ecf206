"""Turns at a model: several answers are made at once, a step each, in order of arrival.

A plain lock would let the second visitor wait until the first answer is done, and threads left
to themselves slow each other down; with turns, one step runs at a time and nobody is passed over.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """A lock that is handed on in the order in which it was asked for."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._taken = False

    @property
    def wanted(self) -> bool:
        """Whether somebody waits: whoever has the turn may then pass it on."""
        return bool(self._waiting)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the turn; waits for it first."""
        self._take()
        try:
            yield
        finally:
            self._give()

    def pass_on(self) -> None:
        """Let everybody who waits have a turn first; returns with the turn held again."""
        with self._mutex:
            if not self._waiting:
                return
            mine = self._line_up()
            self._waiting.popleft().release()
        mine.acquire()

    def _take(self) -> None:
        with self._mutex:
            if not self._taken:
                self._taken = True
                return
            mine = self._line_up()
        mine.acquire()

    def _line_up(self) -> threading.Lock:
        mine = threading.Lock()
        mine.acquire()
        self._waiting.append(mine)
        return mine

    def _give(self) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
