"""The Backend protocol: answers from one candidate, local or remote."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from model_registry.language import Said
from model_registry.prompting.thinking import NO_ANSWER, split_thinking

if TYPE_CHECKING:
    from model_registry.candidate import Candidate
    from model_registry.prompting.chat_template import Message


@dataclass(frozen=True, slots=True)
class GenerationSettings:
    """How an answer is made. Temperature 0 is greedy; `top_p` then does nothing."""

    max_new_tokens: int = 80
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `finish_reason` is "stop" (by itself), "length" (cut off) or "error".

    What the model thought first is not in `text`; its tokens and seconds, which are part of those
    of the whole, are counted apart.
    """

    text: str
    new_tokens: int | None
    finish_reason: str
    seconds: float | None = None
    first_token_seconds: float | None = None
    problems: tuple[str, ...] = ()
    connect_seconds: float | None = None  # of a remote answer; part of both times above
    thinking: str | None = None  # None where it did not think
    thinking_tokens: int | None = None
    thinking_seconds: float | None = None  # from the first token until the answer began


class Backend(Protocol):
    """Answers for one candidate. Not shared between threads unless a backend says so."""

    def reply(self, messages: Sequence[Message], settings: GenerationSettings) -> Answer:
        """Answer the last of `messages` ({"role", "content"}; roles system, user, assistant)."""

    def stream(
        self, messages: Sequence[Message], settings: GenerationSettings
    ) -> Generator[str, None, Answer]:
        """Like `reply`, yielding the text piece by piece; the generator returns the Answer.

        Closing the generator stops the work.
        """

    def close(self) -> None:
        """Release what the backend holds. Safe to call twice."""


class BackendFactory(Protocol):
    """Makes a backend ready to answer; what plugins register under a name."""

    def __call__(self, candidate: Candidate, *, weights: str, device: str) -> Backend:
        """Load or connect.

        Args:
            candidate: whom to ask.
            weights: "hub", "path", "bundled" or "random"; remote backends ignore it.
            device: "cpu" or "cuda"; remote backends ignore it.

        Raises:
            LoadError: with the status that a case of this candidate gets.
        """


def nothing_missing(candidate: Candidate) -> Said:
    """Of a backend that needs no setting up."""
    return ""


@dataclass(frozen=True, slots=True)
class BackendTraits:
    """A backend's properties, declared beside its factory.

    Args:
        missing: what must be set up before a candidate can be asked, in words or in both
            languages; "" for nothing.
        gathers: whether a slow reader of its stream gets in one piece what has come meanwhile.
    """

    missing: Callable[[Candidate], Said] = nothing_missing
    gathers: bool = False


class RegisterBackend(Protocol):
    """The function that a plugin calls to offer a backend."""

    def __call__(
        self,
        name: str,
        factory: BackendFactory,
        *,
        missing: Callable[[Candidate], Said] = nothing_missing,
        gathers: bool = False,
    ) -> None:
        """Offer `factory` under a name that candidates bear as their `backend`.

        Args:
            name: unique among backends.
            factory: makes a backend for a candidate.
            missing: says what must be set up before a candidate can be asked; "" for nothing.
            gathers: see `BackendTraits`.
        """


def with_thinking_apart(answer: Answer) -> Answer:
    """The answer with any thinking moved out of its text.

    One that ended before its answer began has the problem "no_answer".
    """
    thought = split_thinking(answer.text)
    if thought.thinking is None:
        return answer
    said = thought.answer.strip()
    problems = answer.problems if said else (*answer.problems, NO_ANSWER)
    return replace(answer, text=said, thinking=thought.thinking, problems=problems)


def conversation(prompt: str, system: str | None = None) -> list[dict[str, str]]:
    """The messages of a single question."""
    messages = [{"role": "system", "content": system}] if system else []
    return [*messages, {"role": "user", "content": prompt}]


def collect_answer(pieces: Generator[str, None, Answer]) -> Answer:
    """Exhaust a stream and return the whole answer."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            answer: Answer = end.value
            return answer
