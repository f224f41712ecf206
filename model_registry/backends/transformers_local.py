"""Answers from a model in this process, through transformers' own `generate`.

The same functions make the replies of the page, of the benchmarks and of the report, so that
nobody measures one thing and grades another.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Queue
from typing import TYPE_CHECKING, Any

from model_registry.backends.backend import Answer, GenerationSettings
from model_registry.backends.turns import Turns
from model_registry.candidate import Candidate
from model_registry.prompting import Message, prompt_ids
from model_registry.weights import LoadedModel, load

if TYPE_CHECKING:
    import torch

#: Model types that answer one prompt at a time: their state runs through padding, and RWKV's
#: decoding in transformers mixes the prompts of a batch even where they are equally long.
RECURRENT = frozenset({"rwkv"})


@dataclass(slots=True)
class TokenClock:
    """A stopping criterion that never stops: it notes when each step's tokens were there."""

    device: str
    times: list[float] = field(default_factory=list)

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        import torch

        if self.device == "cuda" and not self.times:
            torch.cuda.synchronize()  # only for the first token: it is the one that is reported
        self.times.append(time.perf_counter())
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)


def generate_ids(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    settings: GenerationSettings,
    *,
    stop: bool = True,
    callbacks: Sequence[Any] = (),
    streamer: Any = None,
) -> list[list[int]]:
    """New token ids for each prompt of one batch, without the end token's padding.

    Args:
        loaded: the model.
        prompts: token ids, left-padded here to one length.
        settings: sampling draws from `settings.seed`, whatever was drawn before.
        stop: False goes on past end tokens to the limit, which only benchmarks want.
        callbacks: stopping criteria for `generate`.
        streamer: for a batch of one.
    """
    import torch

    device = next(loaded.model.parameters()).device
    width = max(len(ids) for ids in prompts)
    pad = loaded.tokenizer.pad_token_id
    padded = [[pad] * (width - len(ids)) + list(ids) for ids in prompts]
    mask = [[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts]
    with (
        torch.inference_mode(),
        torch.random.fork_rng(enabled=settings.temperature > 0),
        _without_own_settings(loaded.model),
    ):
        if settings.temperature > 0:
            torch.manual_seed(settings.seed)
        output = loaded.model.generate(
            input_ids=torch.tensor(padded, device=device),
            attention_mask=torch.tensor(mask, device=device),
            stopping_criteria=list(callbacks),
            streamer=streamer,
            pad_token_id=pad,
            **_options(loaded, settings, stop),
        )
    return [_trim(row[width:].tolist(), loaded.end_ids if stop else ()) for row in output]


@contextmanager
def _without_own_settings(model: Any) -> Iterator[None]:
    """Set aside what the model's publisher set for sampling: no candidate may be asked otherwise.

    `generate` fills in whatever is not said from there: penalties, forbidden n-grams, top-k.
    """
    from transformers import GenerationConfig

    own = model.generation_config
    model.generation_config = GenerationConfig()
    try:
        yield
    finally:
        model.generation_config = own


def _options(loaded: LoadedModel, settings: GenerationSettings, stop: bool) -> dict[str, Any]:
    options: dict[str, Any] = {
        "max_new_tokens": settings.max_new_tokens,
        "eos_token_id": list(loaded.end_ids) if stop else None,
        "do_sample": settings.temperature > 0,
    }
    if settings.temperature > 0:
        options |= {"temperature": settings.temperature, "top_p": settings.top_p, "top_k": 0}
    return options


def _trim(ids: list[int], end_ids: Sequence[int]) -> list[int]:
    """Up to and including the first end token."""
    for position, token in enumerate(ids):
        if token in end_ids:
            return ids[: position + 1]
    return ids


def to_answer(
    loaded: LoadedModel,
    ids: list[int],
    seconds: float | None = None,
    first_token_seconds: float | None = None,
) -> Answer:
    """An Answer from generated ids. `new_tokens` counts the end token, which cost time too."""
    stopped = bool(ids) and ids[-1] in loaded.end_ids
    text = loaded.tokenizer.decode(ids, skip_special_tokens=True)
    problems = () if stopped else ("truncated",)
    reason = "stop" if stopped else "length"
    return Answer(text.strip(), len(ids), reason, seconds, first_token_seconds, problems)


def answer_one(
    loaded: LoadedModel, messages: Sequence[Message], settings: GenerationSettings
) -> Answer:
    """One answer, timed: the whole and the first token."""
    ids = prompt_ids(loaded.candidate.prompting, loaded.tokenizer, messages)
    clock = TokenClock(_device_of(loaded))
    begin = time.perf_counter()
    new = generate_ids(loaded, [ids], settings, callbacks=[clock])[0]  # ends with a host copy
    seconds = time.perf_counter() - begin
    return to_answer(loaded, new, seconds, clock.times[0] - begin if clock.times else None)


def answer_batch(
    loaded: LoadedModel,
    conversations: Sequence[Sequence[Message]],
    settings: GenerationSettings,
    *,
    batch_size: int = 32,
) -> list[Answer]:
    """Answers to many prompts in batches, in order; greedily the same tokens as one by one.

    Recurrent models get one prompt at a time, see RECURRENT. Times are left out: they would be
    the batch's.
    """
    policy, tokenizer = loaded.candidate.prompting, loaded.tokenizer
    encoded = [prompt_ids(policy, tokenizer, messages) for messages in conversations]
    answers: list[Answer | None] = [None] * len(encoded)
    for number, batch in enumerate(_batches(loaded, encoded, batch_size)):
        # Each batch draws from a seed of its own, or all would repeat the first one's draws.
        drawn = _with_seed(settings, settings.seed + 7919 * number)
        for index, new in zip(
            batch, generate_ids(loaded, [encoded[i] for i in batch], drawn), strict=True
        ):
            answers[index] = to_answer(loaded, new)
    return [answer for answer in answers if answer is not None]


def _with_seed(settings: GenerationSettings, seed: int) -> GenerationSettings:
    return GenerationSettings(settings.max_new_tokens, settings.temperature, settings.top_p, seed)


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
        self._turns = Turns()

    @classmethod
    def load(
        cls, candidate: Candidate, *, weights: str, device: str, dtype: str = "auto"
    ) -> TransformersBackend:
        """Load a candidate's weights; see `model_registry.weights.load`."""
        return cls(load(candidate, source=weights, device=device, dtype=dtype))

    def reply(self, messages: Sequence[Message], settings: GenerationSettings) -> Answer:
        with self._turns.taken():
            return answer_one(self.loaded, messages, settings)

    def stream(
        self, messages: Sequence[Message], settings: GenerationSettings
    ) -> Generator[str, None, Answer]:
        ids = prompt_ids(self.loaded.candidate.prompting, self.loaded.tokenizer, messages)
        begin = time.perf_counter()
        first: float | None = None
        pieces: Queue[list[int] | BaseException | None] = Queue()
        halt = threading.Event()
        worker = threading.Thread(
            target=self._generate_into, args=(pieces, halt, ids, settings), daemon=True
        )
        worker.start()
        tokens: list[int] = []
        shown = ""
        try:
            while (piece := pieces.get()) is not None:
                if isinstance(piece, BaseException):
                    raise piece
                first = first if first is not None else time.perf_counter() - begin
                tokens += piece
                if not pieces.empty():
                    continue  # a slow reader gets at once what has come meanwhile
                text = self._text(tokens)
                if len(text) > len(shown):
                    yield text[len(shown) :]
                    shown = text
        finally:
            halt.set()
            worker.join()
        answer = to_answer(self.loaded, tokens, time.perf_counter() - begin, first)
        if len(answer.text) > len(shown.strip()):
            yield answer.text[len(shown.strip()) :]
        return answer

    def _text(self, tokens: list[int]) -> str:
        """What can be shown for certain: a syllable whose bytes are not all there yet waits."""
        text = str(self.loaded.tokenizer.decode(tokens, skip_special_tokens=True)).lstrip()
        return text.rstrip("\ufffd").rstrip()

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

        def halted(input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
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
        self.loaded.model = None
