"""Generates token ids with transformers' `generate`, under our settings alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from model_registry import cuda
from model_registry.backends.backend import GenerationSettings
from model_registry.backends.sampling import DrawnLogits, Draws
from model_registry.weights.finite import LogitsWatch
from model_registry.weights.loading import LoadedModel

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


@dataclass(slots=True)
class TokenClock:
    """A stopping criterion that never stops: it records when each step's tokens were there."""

    device: str
    times: list[float] = field(default_factory=list)

    def __call__(self, input_ids: torch.Tensor, scores: object, **_: object) -> torch.Tensor:
        import torch

        if self.device == "cuda" and not self.times:
            cuda.synchronise()  # only for the first token: it is the one that is reported
        self.times.append(time.perf_counter())
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)


def generate_ids(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    settings: GenerationSettings,
    *,
    each: Sequence[GenerationSettings] = (),
    stop: bool = True,
    callbacks: Sequence[object] = (),
    streamer: object = None,
) -> list[list[int]]:
    """New token ids for each prompt of one batch, without the end token's padding.

    Args:
        loaded: the model.
        prompts: token ids, left-padded here to one length.
        settings: sampling draws from `settings.seed`, whatever was drawn before.
        each: the settings of each prompt, where their seeds differ and nothing else.
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
    draws = [Draws.under(one) for one in each or [settings] * len(prompts)]
    with torch.inference_mode(), _without_own_settings(loaded.model):
        output = _generated(
            loaded.model,
            draws,
            input_ids=torch.tensor(padded, device=device),
            attention_mask=torch.tensor(mask, device=device),
            stopping_criteria=list(callbacks),
            streamer=streamer,
            pad_token_id=pad,
            max_new_tokens=settings.max_new_tokens,
            eos_token_id=list(loaded.end_ids) if stop else None,
            do_sample=False,  # what is drawn is the likeliest of `DrawnLogits`
        )
    return [_trim(row[width:].tolist(), loaded.end_ids if stop else ()) for row in output]


def _generated(model: PreTrainedModel, draws: Sequence[Draws], **options: object) -> torch.Tensor:
    """What `generate` gives.

    Raises:
        NotFinite: a logit was NaN, which would be an answer of nothing.
    """
    watch = LogitsWatch(model)
    drawn = [DrawnLogits(draws)] if any(one.temperature for one in draws) else []
    output: torch.Tensor = model.generate(  # type: ignore[operator]  # of transformers' mixin
        logits_processor=[watch, *drawn], **options
    )
    watch.check()
    return output


@contextmanager
def _without_own_settings(model: PreTrainedModel) -> Iterator[None]:
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


def _trim(ids: list[int], end_ids: Sequence[int]) -> list[int]:
    """Up to and including the first end token."""
    for position, token in enumerate(ids):
        if token in end_ids:
            return ids[: position + 1]
    return ids
