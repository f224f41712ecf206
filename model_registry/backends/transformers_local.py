"""Backend for a model in this process: transformers' `generate`, or continuous batching.

The same functions make the replies of the page, of the benchmarks and of the report, so that
nobody measures one thing and grades another.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from queue import Queue
from typing import TYPE_CHECKING

from model_registry.backends.answering_rows import Reader, reader_of
from model_registry.backends.backend import Answer, GenerationSettings
from model_registry.backends.continuous_batching import SLOTS, generate_continuously
from model_registry.backends.fair_lock import FairLock
from model_registry.backends.local_answer import (
    encode_for_answer,
    failed_answer,
    to_answer,
    with_prompt_problems,
    within_context,
)
from model_registry.backends.local_generation import TokenClock, generate_ids
from model_registry.backends.remote.failures import AskError
from model_registry.backends.sampling import of_prompt
from model_registry.candidate import Candidate
from model_registry.prompting.chat_template import Message
from model_registry.prompting.control_tokens import readable
from model_registry.prompting.thinking import VisibleReply
from model_registry.weights.loading import LoadedModel, load

if TYPE_CHECKING:
    import torch


def answer_one(
    loaded: LoadedModel, messages: Sequence[Message], settings: GenerationSettings
) -> Answer:
    """One answer, timed: the whole and the first token.

    Raises:
        AskError: the prompt is longer than the model's context.
    """
    prompt = encode_for_answer(loaded, messages)
    given = within_context(loaded, prompt, settings)
    clock = TokenClock(_device_of(loaded))
    begin = time.perf_counter()
    new = generate_ids(loaded, [prompt.ids], given, callbacks=[clock])[0]  # ends with a host copy
    seconds = time.perf_counter() - begin
    first = clock.times[0] - begin if clock.times else None
    answer = to_answer(loaded, new, seconds, first, thinks=prompt.thinks, token_seconds=clock.times)
    return with_prompt_problems(answer, prompt, settings, given)


def answer_or_problem(
    loaded: LoadedModel, messages: Sequence[Message], settings: GenerationSettings
) -> Answer:
    """As `answer_one`; a prompt that is too long gets an empty answer that says so."""
    try:
        return answer_one(loaded, messages, settings)
    except AskError as error:
        return failed_answer(error)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a model beside others, and how its answer is made."""

    messages: Sequence[Message]
    settings: GenerationSettings


def answer_batch(
    loaded: LoadedModel,
    conversations: Sequence[Sequence[Message]],
    settings: GenerationSettings,
    *,
    slots: int = SLOTS,
) -> list[Answer]:
    """As `answer_many`, all under the same settings but for seeds of their own."""
    questions = [
        Question(messages, of_prompt(settings, number))
        for number, messages in enumerate(conversations)
    ]
    return answer_many(loaded, questions, slots=slots)


def answer_many(
    loaded: LoadedModel,
    questions: Sequence[Question],
    *,
    slots: int = SLOTS,
    ended: Callable[[int], None] = lambda count: None,
) -> list[Answer]:
    """Answers to many questions, in order, with the tokens that each would get alone.

    `batching_of` says how they are made. A question that is too long for the context gets an empty
    answer that says so. Times are left out: they would be those of all.

    Args:
        loaded: the model.
        questions: each with its own settings.
        slots: answers under way at a time.
        ended: told how many are made, now and then.
    """
    prompts = [encode_for_answer(loaded, question.messages) for question in questions]
    answers: dict[int, Answer] = {}
    given: dict[int, GenerationSettings] = {}
    for number, prompt in enumerate(prompts):
        try:
            given[number] = within_context(loaded, prompt, questions[number].settings)
        except AskError as error:
            answers[number] = failed_answer(error)
    if failed := len(answers):
        ended(failed)
    ids = [prompts[number].ids for number in given]
    made = _generated(
        loaded, ids, list(given.values()), slots, ended=lambda count: ended(failed + count)
    )
    for (number, how), new in zip(given.items(), made, strict=True):
        answer = to_answer(loaded, new, thinks=prompts[number].thinks)
        asked = questions[number].settings
        answers[number] = with_prompt_problems(answer, prompts[number], asked, how)
    return [answers[number] for number in range(len(questions))]


def batching_of(loaded: LoadedModel) -> str:
    """How many answers are made at once: "continuous", where a row that has ended gives its place
    to the next; "sorted", in batches by length, where what a model remembers of its rows can't be
    taken apart."""
    return "continuous" if _reader(loaded) else "sorted"


def _reader(loaded: LoadedModel) -> Reader | None:
    return reader_of(loaded.model, loaded.tokenizer.pad_token_id)


def _generated(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    settings: Sequence[GenerationSettings],
    slots: int,
    ended: Callable[[int], None],
) -> list[list[int]]:
    """New token ids for each prompt."""
    reader = _reader(loaded)
    if reader is not None:
        return generate_continuously(loaded, reader, prompts, settings, slots=slots, ended=ended)
    made: dict[int, list[int]] = {}
    for batch in sorted_batches(prompts, settings, slots):
        each = [settings[number] for number in batch]
        new = generate_ids(loaded, [prompts[number] for number in batch], each[0], each=each)
        made |= dict(zip(batch, new, strict=True))
        ended(len(made))
    return [made[number] for number in range(len(prompts))]


def sorted_batches(
    prompts: Sequence[Sequence[int]], settings: Sequence[GenerationSettings], size: int
) -> Iterator[list[int]]:
    """The numbers of prompts that are answered together: by length, so that little is padded, and
    under settings that differ by their seeds alone."""

    def kind(number: int) -> GenerationSettings:
        return replace(settings[number], seed=0)

    for one in dict.fromkeys(map(kind, range(len(prompts)))):
        alike = [number for number in range(len(prompts)) if kind(number) == one]
        alike.sort(key=lambda number: (len(prompts[number]), number))
        yield from ([*alike[start : start + size]] for start in range(0, len(alike), size))


def _device_of(loaded: LoadedModel) -> str:
    return str(next(loaded.model.parameters()).device.type)


class TransformersBackend:
    """A local model as a backend. Streams take turns step by step; `reply` is never interrupted."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded
        self.turns = FairLock()

    @classmethod
    def load(
        cls, candidate: Candidate, *, weights: str, device: str, dtype: str = "auto"
    ) -> TransformersBackend:
        """Load a candidate's weights; see `model_registry.weights.loading.load`."""
        return cls(load(candidate, source=weights, device=device, dtype=dtype))

    def reply(self, messages: Sequence[Message], settings: GenerationSettings) -> Answer:
        with self.turns.taken():
            return answer_one(self.loaded, messages, settings)

    def stream(
        self, messages: Sequence[Message], settings: GenerationSettings
    ) -> Generator[str, None, Answer]:
        prompt = encode_for_answer(self.loaded, messages)
        given = within_context(self.loaded, prompt, settings)
        begin = time.perf_counter()
        times: list[float] = []
        pieces: Queue[list[int] | BaseException | None] = Queue()
        halt = threading.Event()
        worker = threading.Thread(
            target=self._generate_into, args=(pieces, halt, list(prompt.ids), given), daemon=True
        )
        worker.start()
        tokens: list[int] = []
        shown = VisibleReply(prompt.thinks)
        try:
            while (piece := pieces.get()) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                tokens += piece
                times += [time.perf_counter() - begin] * len(piece)
                if not pieces.empty():
                    continue  # a slow reader gets at once what has come meanwhile
                if text := shown.more(self._text(tokens)):
                    yield text
        finally:
            halt.set()
            worker.join()
        seconds = time.perf_counter() - begin
        answer = to_answer(
            self.loaded, tokens, seconds, times[0] if times else None, thinks=prompt.thinks,
            token_seconds=times,
        )  # fmt: skip
        if text := shown.more(self._text(tokens, whole=True), last=True):
            yield text
        return with_prompt_problems(answer, prompt, settings, given)

    def _text(self, tokens: list[int], *, whole: bool = False) -> str:
        """What can be shown for certain: a syllable whose bytes are not all there yet waits."""
        said = tokens[:-1] if tokens and tokens[-1] in self.loaded.end_ids else tokens
        text = readable(self.loaded.tokenizer, said).lstrip()
        return (text if whole else text.rstrip("\ufffd")).rstrip()

    def _generate_into(
        self,
        pieces: Queue[list[int] | BaseException | None],
        halt: threading.Event,
        ids: list[int],
        settings: GenerationSettings,
    ) -> None:
        import torch

        class Streamer:
            """Hands each step's tokens on; the first call is the prompt."""

            seen_prompt = False

            def put(self, value: torch.Tensor) -> None:
                if self.seen_prompt:
                    pieces.put(value.flatten().tolist())
                self.seen_prompt = True

            def end(self) -> None:
                """Nothing to flush: tokens were handed on one by one."""

        def halted(input_ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
            if self.turns.due:
                self.turns.pass_on()
            return torch.full((input_ids.shape[0],), halt.is_set(), device=input_ids.device)

        try:
            with self.turns.taken():
                generate_ids(self.loaded, [ids], settings, callbacks=[halted], streamer=Streamer())
        except BaseException as error:  # noqa: BLE001 - handed to the reader, who raises it
            pieces.put(error)
        pieces.put(None)

    def close(self) -> None:
        self.loaded.model = None  # type: ignore[assignment]  # nobody asks it again
