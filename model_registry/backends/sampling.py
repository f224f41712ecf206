"""Draws tokens from logits: the likeliest, or by temperature and top-p from a seed's numbers.

Each answer has a row of numbers of its own, made from its seed before it begins: what it draws
hangs on nothing else, neither on the answers made beside it nor on the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from model_registry.backends.backend import GenerationSettings

if TYPE_CHECKING:
    import torch

_APART = 7919  # between the seeds of prompts that are asked together: more than a run has passes


def of_prompt(settings: GenerationSettings, number: int) -> GenerationSettings:
    """The settings for the prompt of this number among those asked together: a seed of its own."""
    return replace(settings, seed=settings.seed + _APART * number)


@dataclass(frozen=True, slots=True)
class Draws:
    """How one answer's tokens are drawn: `numbers` holds one in [0, 1) for each of them."""

    temperature: float
    top_p: float
    numbers: Sequence[float] = ()

    @classmethod
    def under(cls, settings: GenerationSettings) -> Draws:
        """Those of an answer under these settings."""
        import torch

        if settings.temperature <= 0:
            return cls(0.0, 1.0)
        generator = torch.Generator().manual_seed(settings.seed)
        numbers = torch.rand(settings.max_new_tokens, generator=generator, dtype=torch.float64)
        return cls(settings.temperature, settings.top_p, numbers.tolist())


def pick(logits: torch.Tensor, draws: Sequence[Draws], steps: Sequence[int]) -> torch.Tensor:
    """The next token of each row, (rows,).

    Args:
        logits: (rows, vocabulary).
        draws: how each row's are drawn.
        steps: how many tokens each row has already.
    """
    import torch

    best = logits.argmax(-1)
    drawn = [row for row, how in enumerate(draws) if how.temperature > 0]
    if not drawn:
        return best
    rows = torch.tensor(drawn, device=logits.device)
    values = [(draws[r].temperature, draws[r].top_p, draws[r].numbers[steps[r]]) for r in drawn]
    heat, share, number = torch.tensor(values, device=logits.device).unsqueeze(-1).unbind(1)
    chances, order = torch.softmax(logits[rows].float() / heat, -1).sort(descending=True)
    before = chances.cumsum(-1) - chances
    before[:, 0] = 0.0  # the likeliest is always left
    reached = torch.where((before < share) | (before == 0), chances, 0.0).cumsum(-1)
    place = (reached <= number * reached[:, -1:]).sum(-1, keepdim=True)
    last = (reached < reached[:, -1:]).sum(-1, keepdim=True)  # a number near 1 is rounded to it
    best[rows] = order.gather(-1, place.minimum(last)).squeeze(-1)
    return best


class DrawnLogits:
    """A logits processor for `generate`, which then takes the likeliest: what we have drawn."""

    def __init__(self, draws: Sequence[Draws]) -> None:
        self._draws, self._done = draws, 0

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        import torch

        chosen = pick(scores, self._draws, [self._done] * len(self._draws))
        self._done += 1
        return torch.full_like(scores, -torch.inf).scatter(-1, chosen.unsqueeze(-1), 0.0)
