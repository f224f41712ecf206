"""A queue for tests of what is seen while it is made: nothing goes in before it is waited for."""

from __future__ import annotations

import threading
from queue import Queue
from typing import Any


class InStep(Queue[Any]):
    """Takes a piece only when its reader waits for one: a reader that the machine holds up would
    find several there, and show them as one."""

    def __init__(self) -> None:
        super().__init__()
        self._asked = threading.Semaphore(0)

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        self._asked.acquire()
        super().put(item, block, timeout)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        self._asked.release()
        return super().get(block, timeout)
