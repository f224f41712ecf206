"""Latency of our remote client against a bare HTTP client on the same server.

    python -m benchmarks.selfchecks.client_overhead http://127.0.0.1:8000/v1 --model MODEL

Both send the same question in turn, over a new connection each time, and time the first text and
the end of the stream. Printed are the medians and their difference: what our client costs.
"""

from __future__ import annotations

import argparse
import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from urllib.parse import urlsplit

from model_registry.backends.backend import GenerationSettings, conversation
from model_registry.backends.openai_compatible import OpenAIBackend
from model_registry.backends.remote.endpoint import Endpoint

QUESTION = "오늘 기분 어때?"


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of one answer, from before connecting."""

    first: float
    total: float


def bare(url: str, body: dict[str, object]) -> Times:
    """One answer through the standard library, reading no more of it than it must."""
    parts = urlsplit(url)
    begin = time.perf_counter()
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    connection.request(
        "POST",
        f"{parts.path}/chat/completions",
        json.dumps(body),
        {"Content-Type": "application/json"},
    )
    response = connection.getresponse()
    first = None
    while line := response.readline():
        if first is None and line.startswith(b"data: {"):
            choices = json.loads(line[6:])["choices"]
            if choices and choices[0].get("delta", {}).get("content"):
                first = time.perf_counter() - begin
    total = time.perf_counter() - begin
    connection.close()
    return Times(first if first is not None else total, total)


def ours(backend: OpenAIBackend, settings: GenerationSettings) -> Times:
    """One answer through our client."""
    answer = backend.reply(conversation(QUESTION), settings)
    return Times(answer.first_token_seconds or 0.0, answer.seconds or 0.0)


def side_by_side(url: str, model: str, rounds: int, max_new_tokens: int) -> dict[str, Times]:
    """The median times of both, asked in turn so that both meet the same moments."""
    settings = GenerationSettings(max_new_tokens=max_new_tokens)
    backend = OpenAIBackend(Endpoint(url, model))
    body = backend.body(conversation(QUESTION), settings)
    for _ in range(3):
        ours(backend, settings)
        bare(url, body)
    found: dict[str, list[Times]] = {"ours": [], "bare": []}
    for number in range(rounds):
        turns: list[tuple[str, Callable[[], Times]]] = [
            ("ours", lambda: ours(backend, settings)),
            ("bare", lambda: bare(url, body)),
        ]
        for name, ask in turns if number % 2 else turns[::-1]:
            found[name].append(ask())
    backend.close()
    return {
        name: Times(median(t.first for t in times), median(t.total for t in times))
        for name, times in found.items()
    }


def main() -> None:
    """Print both medians and the difference in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--model", required=True)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--max-new-tokens", type=int, default=40)
    given = parser.parse_args()
    found = side_by_side(given.url, given.model, given.rounds, given.max_new_tokens)
    print(f"median of {given.rounds}, ms    first token      total")
    for name, times in found.items():
        print(f"{name:<20} {1000 * times.first:>12.2f} {1000 * times.total:>10.2f}")
    first = 1000 * (found["ours"].first - found["bare"].first)
    total = 1000 * (found["ours"].total - found["bare"].total)
    print(f"{'our client costs':<20} {first:>+12.2f} {total:>+10.2f}")


if __name__ == "__main__":
    main()
