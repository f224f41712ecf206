"""Several answers of one model, each seen while it grows: made together where they can be."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from queue import Queue

from model_registry.backends.answering_rows import reader_of
from model_registry.backends.backend import Answer, Backend
from model_registry.backends.continuous_batching import generate_continuously
from model_registry.backends.local_answer import encode_for_answer, to_answer, within_context
from model_registry.backends.transformers_local import Question, TransformersBackend, batching_of

EVERY = 0.2  # seconds from one look at the answers to the next

Enough = Callable[[str], bool]  # whether a text is all that is wanted: its answer ends there


@dataclass(frozen=True, slots=True)
class PartialAnswer:
    """An answer so far."""

    text: str = ""
    ended: bool = False


Growing = Generator[list[PartialAnswer], None, None]  # closing it stops the work


def partial_answers(backend: Backend, questions: Sequence[Question], enough: Enough) -> Growing:
    """All answers so far, again and again until all have ended.

    Raises:
        AskError: a prompt is longer than the model's context.
    """
    if isinstance(backend, TransformersBackend) and batching_of(backend.loaded) == "continuous":
        return _together(backend, questions, enough)
    return _in_turn(backend, questions, enough)


def text_so_far(pieces: Generator[str, None, Answer]) -> Iterator[str]:
    """The answer, longer with each piece. What was shown of it may turn out to be thinking, so that
    the last one counts."""
    shown = ""
    while True:
        try:
            shown += next(pieces)
        except StopIteration as end:
            # A borrowed GPU hands no value on.
            if end.value is not None and end.value.text != shown.strip():
                yield end.value.text
            return
        yield shown


def _in_turn(backend: Backend, questions: Sequence[Question], enough: Enough) -> Growing:
    made = [PartialAnswer()] * len(questions)
    looked = time.monotonic()
    for number, question in enumerate(questions):
        with closing(backend.stream(question.messages, question.settings)) as pieces:
            for so_far in text_so_far(pieces):
                made[number] = PartialAnswer(so_far)
                if time.monotonic() - looked < EVERY:
                    continue
                if enough(made[number].text):
                    break
                yield list(made)
                looked = time.monotonic()
        made[number] = PartialAnswer(made[number].text, ended=True)
        yield list(made)


def _together(
    backend: TransformersBackend, questions: Sequence[Question], enough: Enough
) -> Growing:
    """By continuous batching in a thread; whoever else asks this model has turns in between."""
    work = _Together(backend, questions, enough)
    thread = threading.Thread(target=work.run, daemon=True)
    thread.start()
    try:
        while (told := work.told.get()) is not None:
            if isinstance(told, BaseException):
                raise told
            if work.told.empty() or all(one.ended for one in told):
                yield told  # a slow reader gets the newest
    finally:
        work.halted = True
        thread.join()


class _Together:
    """Answers that are made at the same time; `told` has what they are so far, None at the end."""

    def __init__(
        self, backend: TransformersBackend, questions: Sequence[Question], enough: Enough
    ) -> None:
        self.told: Queue[list[PartialAnswer] | BaseException | None] = Queue()
        self.halted = False
        self._backend, self._enough = backend, enough
        loaded = backend.loaded
        self._prompts = [encode_for_answer(loaded, question.messages) for question in questions]
        self._settings = [
            within_context(loaded, prompt, question.settings)
            for prompt, question in zip(self._prompts, questions, strict=True)
        ]
        self._cut: set[int] = set()
        self._looked = time.monotonic()

    def run(self) -> None:
        """Make all answers."""
        loaded = self._backend.loaded
        reader = reader_of(loaded.model, loaded.tokenizer.pad_token_id)
        try:
            if reader is None:
                raise TypeError("the rows of this model can't be taken apart")
            ids = [prompt.ids for prompt in self._prompts]
            with self._backend.turns.taken():
                if self.halted:  # while others had their turns
                    ids = []
                made = generate_continuously(
                    loaded, reader, ids, self._settings, each_step=self._step
                )
            self.told.put([self._so_far(n, tokens, ended=True) for n, tokens in enumerate(made)])
        except BaseException as error:  # noqa: BLE001 - handed to the reader, who raises it
            self.told.put(error)
        self.told.put(None)

    def _step(self, made: Mapping[int, Sequence[int]]) -> Collection[int]:
        if self.halted:
            return range(len(self._prompts))
        if self._backend.turns.due:
            self._backend.turns.pass_on()
        if time.monotonic() - self._looked < EVERY:
            return ()
        found = [self._so_far(n, made.get(n, ())) for n in range(len(self._prompts))]
        cut = {n for n, one in enumerate(found) if not one.ended and self._enough(one.text)}
        self._cut |= cut
        self.told.put(
            [PartialAnswer(one.text, one.ended or n in cut) for n, one in enumerate(found)]
        )
        self._looked = time.monotonic()
        return cut

    def _so_far(self, number: int, tokens: Sequence[int], *, ended: bool = False) -> PartialAnswer:
        loaded, limit = self._backend.loaded, self._settings[number].max_new_tokens
        ended = ended or number in self._cut or len(tokens) >= limit
        ended = ended or (bool(tokens) and tokens[-1] in loaded.end_ids)
        answer = to_answer(loaded, list(tokens), thinks=self._prompts[number].thinks)
        return PartialAnswer(answer.text, ended)
