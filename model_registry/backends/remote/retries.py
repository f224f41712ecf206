"""Retries with growing delays when a server is busy or broken."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from model_registry.backends.remote.endpoint import Endpoint
from model_registry.backends.remote.failures import ServerRefusal, error_of_refusal

LONGEST_WAIT_SECONDS = 20.0
Value = TypeVar("Value")


def with_retries(
    ask: Callable[[], Value], endpoint: Endpoint, sleep: Callable[[float], None] = time.sleep
) -> tuple[Value, int]:
    """What `ask` gives, and how many attempts that took.

    Only `Refused` is tried again, and only where it may be. Waiting doubles each time; a server
    that says how long to wait is believed up to `LONGEST_WAIT_SECONDS`.

    Raises:
        AskError: it refuses on principle, for too often or for too long.
    """
    began, attempt = time.monotonic(), 1
    while True:
        try:
            return ask(), attempt
        except ServerRefusal as refused:
            wait = refused.retry_after
            if wait is None:
                wait = endpoint.retry_seconds * 2 ** (attempt - 1)
            wait = min(wait, LONGEST_WAIT_SECONDS)
            spent = time.monotonic() - began
            over = attempt > endpoint.retries or spent + wait > endpoint.timeout
            if over or not refused.may_be_retried:
                raise error_of_refusal(refused, endpoint, attempt) from None
        sleep(wait)
        attempt += 1


def seconds_to_wait(header: str | None) -> float | None:
    """A Retry-After header in seconds; None where it is missing or a date."""
    try:
        seconds = float(header or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
