"""The recurrent states of RWKV in continuous batching, one for each sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


class RecurrentReader:
    """Begins rows of RWKV, whose state runs through padding: a call's are equally long."""

    even = True

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model

    def read(self, prompts: Sequence[Sequence[int]]) -> tuple[RecurrentRows, torch.Tensor]:
        import torch

        device = next(self.model.parameters()).device
        ids = torch.tensor([list(prompt) for prompt in prompts], device=device)
        output = self.model(input_ids=ids, use_cache=True)
        return RecurrentRows(self.model, output.state), output.logits[:, -1]


class RecurrentRows:
    """Rows of RWKV: five states, each (rows, hidden, layers)."""

    at_once = 1

    def __init__(self, model: PreTrainedModel, states: list[torch.Tensor]) -> None:
        self._model, self._states = model, states

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        given = [_LastToken(state) for state in self._states[:2]] + self._states[2:]
        output = self._model(input_ids=tokens, state=given, use_cache=True)
        logits: torch.Tensor = output.logits
        return logits

    def drop(self, tokens: int) -> None:
        """There is never one to drop: a step reads one."""

    def join(self, others: RecurrentRows) -> None:
        import torch

        pairs = zip(self._states, others._states, strict=True)
        self._states = [torch.cat(pair) for pair in pairs]

    def keep(self, rows: Sequence[int]) -> None:
        import torch

        index = torch.tensor(rows, device=self._states[0].device)
        self._states = [state.index_select(0, index) for state in self._states]


class _LastToken:
    """RWKV's memory of the token before, given as a column of each row.

    transformers mixes (rows, 1, hidden) with (rows, hidden) where it decodes: broadcast, that is
    every row with every other one.
    """

    def __init__(self, states: torch.Tensor) -> None:
        self._states = states

    def __getitem__(self, index: Any) -> torch.Tensor:
        return self._states[index].unsqueeze(1)

    def __setitem__(self, index: Any, value: torch.Tensor) -> None:
        self._states[index] = value
