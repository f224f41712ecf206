"""A plugin with a candidate that draws slowly, one diagram after another: the seed says how many
nodes, 4, 5, 6 and so on.

While the file that `OHLORA_TEST_HOLD` names is there, it finishes two and stops amid the third.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from model_registry.backends.backend import Answer, BackendFactory, GenerationSettings
from model_registry.candidate import Candidate, License
from model_registry.hookspecs import hookimpl

SECONDS = 0.12  # a node


def is_held() -> bool:
    path = os.environ.get("OHLORA_TEST_HOLD")
    return bool(path) and Path(path).exists()


class Painter:
    """Draws a chain of nodes, a node at a time."""

    def stream(
        self, messages: Sequence[dict[str, str]], settings: GenerationSettings
    ) -> Generator[str, None, Answer]:
        count, written = 4 + settings.seed % 5, ""
        for number in range(1, count + 1):
            time.sleep(SECONDS)
            while settings.seed >= 2 and number > 2 and is_held():
                time.sleep(SECONDS)
                yield ""  # where the page can stop it
            onward = [number + 1] if number < count else []
            node = (
                f"{'[' if number == 1 else ''}[{number}, {900 * number // count}, 300, "
                f'"circle", 60, 60, "solid arrow", (208, 224, 248), (0, 0, 0), {onward}]'
                f"{',' if onward else ']'}\n"
            )
            written += node
            yield node
        return Answer(written.strip(), count, "stop")

    def reply(self, messages: Sequence[dict[str, str]], settings: GenerationSettings) -> Answer:
        return Answer("".join(self.stream(messages, settings)), 1, "stop")

    def close(self) -> None:
        """Nothing is held."""


@hookimpl
def register_backends(register: Callable[[str, BackendFactory], None]) -> None:
    register("painter", lambda candidate, *, weights, device: Painter())


@hookimpl
def register_candidates(register: Callable[[Candidate], None]) -> None:
    free = License("Apache-2.0", "yes", "LICENSE")
    register(Candidate("화가", free, parameters=1_000, languages=("ko",), backend="painter"))
