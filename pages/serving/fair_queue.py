"""A fair queue of answers: visitors take turns, unread results are bounded.

First come, first served would let whoever sends most have most. A page in a browser opens the
stream of its results as it asks; a flood seldom does, and answers that nobody reads can wait.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from gradio.queueing import Event, EventQueue, Queue
from gradio.server_messages import ProcessCompletedMessage
from gradio.utils import LRUCache

#: Requests of one visit that may wait or run at once; a page in a browser has one or two.
MOST_OF_A_VISIT = 6
#: The same for all visits from one address, which a classroom may share; the line holds 64.
MOST_OF_AN_ADDRESS = 48
#: Requests that wait and whose results nobody has begun to read. Reading begins a moment after
#: asking, so that people who ask at the same time have a few of them.
MOST_UNREAD = 16
#: How many of those are worked on at once, whoever sent them.
UNREAD_AT_ONCE = 2
#: Seconds until what nobody reads is given up, and its results are forgotten.
PATIENCE = 20.0
#: Seconds that an unknown visitor's request is held while there are too many of those.
A_MOMENT = 0.25


class FairQueue(Queue):
    """Gradio's queue with fair turns between visitors."""

    def __init__(self, **given: object) -> None:
        super().__init__(**given)  # type: ignore[arg-type]  # what Blocks.queue gives its own
        # Nobody looks at Gradio's own statistics, which it makes anew from all requests so far.
        self.ANALYTICS_MAX_EVENTS = 1
        self._reading: Counter[str] = Counter()
        self._idle_since: dict[str, float] = {}
        self._forget_at = 0.0
        self._known: LRUCache[str, bool] = LRUCache(10_000)

    @contextmanager
    def read(self, whose: str, *, request: bool) -> Iterator[None]:
        """While results are being read: those of a visit, or of one `request` by its id."""
        self._reading[whose] += 1
        self._known[whose] = True
        try:
            yield
        finally:
            self._reading[whose] -= 1
            if not self._reading[whose]:
                del self._reading[whose]
                if request and whose in self.pending_event_ids_session:
                    self._let_go(whose)

    def _let_go(self, whose: str) -> None:
        """Drop what Gradio keeps of a request that named no visit: it is a visit of its own, which
        nobody can come back to. Of two thousand such, it would hold hundreds of MB."""
        self.pending_event_ids_session.pop(whose, None)
        self.pending_messages_per_session.pop(whose, None)
        if self.server_app is not None:
            self.server_app.state_holder.session_data.pop(whose, None)
            self.server_app.state_holder.time_last_used.pop(whose, None)
            blocks = self.server_app.get_blocks()
            blocks.pending_streams.pop(whose, None)
            blocks.pending_diff_streams.pop(whose, None)

    def takes(self, visit: str | None, address: str) -> bool:
        """Whether one more request may be queued. Those that name no visit count as one."""
        theirs = [event for event in self._there() if _address(event) == address]
        if visit:
            same = sum(event.session_hash == visit for event in theirs)
            return same < MOST_OF_A_VISIT and len(theirs) < MOST_OF_AN_ADDRESS
        return len(self._unread(theirs)) < MOST_UNREAD

    async def slow_down(self, visit: str | None) -> None:
        """Let a visit that never read anything wait a moment while much is unread, so that asking
        costs a flood time as well. Who has read an answer before is not held up."""
        if visit not in self._known and len(self._unread(self._waiting())) >= MOST_UNREAD:
            await asyncio.sleep(A_MOMENT)

    async def make_room(self) -> None:
        """Give up what nobody has read for long, or what is too much of it, and forget results
        that nobody came for. Refusing the next one instead would refuse everybody."""
        now = time.monotonic()
        waiting = sorted(self._unread(self._waiting()), key=lambda event: event.enqueue_time)
        late = [e for e in self._unread(self._there()) if now - e.enqueue_time > PATIENCE]
        for event in dict.fromkeys([*late, *waiting[:-MOST_UNREAD]]):
            told = {"error": "Nobody read the results of this request."}
            self.send_message(event, ProcessCompletedMessage(output=told, success=False))
            await self.clean_events(event_id=event._id)
        if now > self._forget_at:
            self._forget_at = now + PATIENCE / 4
            self._forget(now)

    def _forget(self, now: float) -> None:
        busy = {event.session_hash for event in self._there()}
        idle = [
            visit
            for visit, ids in self.pending_event_ids_session.items()
            if visit not in busy and not any(self._reading[one] for one in (visit, *ids))
        ]
        self._idle_since = {visit: self._idle_since.get(visit, now) for visit in idle}
        for visit, since in self._idle_since.items():
            if now - since > PATIENCE:
                if visit in self.pending_event_ids_session.get(visit, ()):
                    self._let_go(visit)
                self.pending_event_ids_session.pop(visit, None)
                self.pending_messages_per_session.pop(visit, None)

    def get_events(self) -> tuple[list[Event], bool, str] | None:
        """The next request to work on; none of ours is done in batches."""
        for name, waiting in self.event_queue_per_concurrency_id.items():
            limit = waiting.concurrency_limit
            free = limit is None or waiting.current_concurrency < limit
            if waiting.queue and free and (event := self._next(waiting)):
                waiting.queue.remove(event)
                return [event], False, name
        return None

    def _next(self, waiting: EventQueue) -> Event | None:
        """Whoever has least under way comes first; of equals, who came first."""
        running = [
            event for event in self._running() if event.concurrency_id == waiting.concurrency_id
        ]
        addresses = Counter(map(_address, running))
        visits = Counter(event.session_hash for event in running)
        full = len(self._unread(running)) >= UNREAD_AT_ONCE
        return min(
            (event for event in waiting.queue if not (full and self._is_unread(event))),
            key=lambda e: (self._is_unread(e), addresses[_address(e)], visits[e.session_hash]),
            default=None,
        )

    def _is_unread(self, event: Event) -> bool:
        return event.session_hash not in self._reading and event._id not in self._reading

    def _running(self) -> list[Event]:
        return [event for job in self.active_jobs if job for event in job if event.alive]

    def _waiting(self) -> list[Event]:
        lines = self.event_queue_per_concurrency_id.values()
        return [event for line in lines for event in line.queue]

    def _there(self) -> list[Event]:
        return self._waiting() + self._running()

    def _unread(self, events: list[Event]) -> list[Event]:
        return [event for event in events if self._is_unread(event)]


def _address(event: Event) -> str:
    return event.request.client.host if event.request.client else ""
