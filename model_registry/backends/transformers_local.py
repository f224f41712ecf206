"""Backend for a model in this process, by transformers' `generate`.

The same functions make the replies of the page, of the benchmarks and of the report, so that
nobody measures one thing and grades another.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from queue import Queue
from typing import TYPE_CHECKING

from model_registry.backends.backend import Answer, GenerationSettings
from model_registry.backends.fair_lock import FairLock
from model_registry.backends.local_answer import (
    encode_for_answer,
    failed_answer,
    to_answer,
    with_prompt_problems,
    within_context,
)
from model_registry.backends.local_generation import RECURRENT, TokenClock, generate_ids
from model_registry.backends.remote.failures import AskError
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


def answer_batch(
    loaded: LoadedModel,
    conversations: Sequence[Sequence[Message]],
    settings: GenerationSettings,
    *,
    batch_size: int = 32,
) -> list[Answer]:
    """Answers to many prompts in batches, in order; greedily the same tokens as one by one.

    Recurrent models get one prompt at a time, see RECURRENT, as do prompts whose answers may not
    fit into the context; one that is too long gets an empty answer that says so. Times are left
    out: they would be the batch's.
    """
    prompts = [encode_for_answer(loaded, messages) for messages in conversations]
    answers: dict[int, Answer] = {}
    given: dict[int, GenerationSettings] = {}
    for index, prompt in enumerate(prompts):
        try:
            given[index] = within_context(loaded, prompt, settings)
        except AskError as error:
            answers[index] = failed_answer(error)
    whole = [index for index, one in given.items() if one == settings]
    batches = [
        [whole[i] for i in batch]
        for batch in _batches(loaded, [prompts[i].ids for i in whole], batch_size)
    ]
    batches += [[index] for index in given if given[index] != settings]
    for number, batch in enumerate(batches):
        # Each batch draws from a seed of its own, or all would repeat the first one's draws.
        how = replace(given[batch[0]], seed=settings.seed + 7919 * number)
        made = generate_ids(loaded, [prompts[i].ids for i in batch], how)
        for index, new in zip(batch, made, strict=True):
            answer = to_answer(loaded, new, thinks=prompts[index].thinks)
            answers[index] = with_prompt_problems(answer, prompts[index], settings, given[index])
    return [answers[index] for index in range(len(prompts))]


def _batches(
    loaded: LoadedModel, encoded: Sequence[Sequence[int]], size: int
) -> Iterator[list[int]]:
    """Indices of prompts, by length, so that little is padded."""
    order = sorted(range(len(encoded)), key=lambda i: (len(encoded[i]), i))
    if loaded.model.config.model_type in RECURRENT:
        size = 1
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _device_of(loaded: LoadedModel) -> str:
    return str(next(loaded.model.parameters()).device.type)


class TransformersBackend:
    """A local model as a backend. Streams take turns step by step; `reply` is never interrupted."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded = loaded
        self._turns = FairLock()

    @classmethod
    def load(
        cls, candidate: Candidate, *, weights: str, device: str, dtype: str = "auto"
    ) -> TransformersBackend:
        """Load a candidate's weights; see `model_registry.weights.loading.load`."""
        return cls(load(candidate, source=weights, device=device, dtype=dtype))

    def reply(self, messages: Sequence[Message], settings: GenerationSettings) -> Answer:
        with self._turns.taken():
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
            if self._turns.due:
                draws = torch.get_rng_state()  # the others draw too: each goes on where it was
                self._turns.pass_on()
                torch.set_rng_state(draws)
            return torch.full((input_ids.shape[0],), halt.is_set(), device=input_ids.device)

        try:
            with self._turns.taken():
                generate_ids(self.loaded, [ids], settings, callbacks=[halted], streamer=Streamer())
        except BaseException as error:  # noqa: BLE001 - handed to the reader, who raises it
            pieces.put(error)
        pieces.put(None)

    def close(self) -> None:
        self.loaded.model = None  # type: ignore[assignment]  # nobody asks it again
