"""The inference and training steps whose memory is traced: the second optimiser step of a tune.

They are the workloads' own steps, written so that a tracker sees which moment a peak belongs to.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from unittest.mock import patch

import torch

from model_registry.architectures.chunked_head import causal_of, log_probabilities, split
from model_registry.errors import LoadError
from model_registry.memory.live_tensors import Tracker, card_dropout, traced
from model_registry.weights.lora import lora_dropout, lora_targets

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel
    from transformers.utils import ModelOutput


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of one traced step: rows, tokens a row, of which logits are made for `kept`."""

    batch: int
    length: int
    kept: int = 1
    rank: int = 0

    def features(self) -> tuple[int, ...]:
        """The quantities that memory is linear in; `fit.features` gives the same."""
        tokens = self.batch * self.length
        return (
            1, self.batch, tokens, tokens * self.length, self.batch * self.kept, self.rank,
            self.rank * tokens,
        )  # fmt: skip


class Inference:
    """A prefill and one decoded token, as `generate` does them."""

    def trace(self, model: PreTrainedModel, shape: Shape) -> dict[str, int]:
        with traced(model.eval()) as tracker, torch.inference_mode():
            resident = tracker.live
            ids = torch.zeros(shape.batch, shape.length, dtype=torch.long)
            mask = torch.ones_like(ids)
            tracker.enter("prefill")
            options = {"logits_to_keep": 1} if _keeps_logits(model) else {}
            # Dropped as soon as it is read: names of it would keep the whole output alive.
            cache, last = _cache_and_last(
                model(input_ids=ids, attention_mask=mask, use_cache=True, **options)
            )
            last.float().argmax(-1)
            tracker.enter("kept")
            tracker.peaks["kept"] = tracker.live
            tracker.enter("decode")
            mask = torch.ones(shape.batch, shape.length + 1, dtype=torch.long)
            ids = torch.zeros(shape.batch, 1, dtype=torch.long)
            model(input_ids=ids, attention_mask=mask, use_cache=True, **cache)
            windows = {w: tracker.peaks[w] - resident for w in ("prefill", "kept", "decode")}
        return windows


def _cache_and_last(output: ModelOutput) -> tuple[dict[str, object], torch.Tensor]:
    """What the next token needs: keys and values, or a recurrent state; and the last logits."""
    name = "past_key_values" if getattr(output, "past_key_values", None) is not None else "state"
    return {name: output[name]}, output["logits"][:, -1, :].clone()


@dataclass(frozen=True, slots=True)
class Training:
    """An optimiser step after an earlier one, whose moments are resident."""

    kind: str
    device: str
    targets: str | Sequence[str]
    dropout: float
    way: str | None = None  # to the model's two halves, where its loss is made in chunks
    dora: bool = False
    masked: bool = True  # rows differ in length: with a mask, keys are repeated for grouped queries

    def trace(self, model: PreTrainedModel, shape: Shape) -> dict[str, int]:
        model = model.train() if self.kind == "full" else self._with_lora(model, shape.rank)
        on_card = self.device == "cuda"
        with traced(model) as tracker, card_dropout(on_card):
            trained = [p for p in model.parameters() if p.requires_grad]
            optimiser = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.0, foreach=on_card)
            _make_moments(trained, optimiser)
            tracker.peaks.clear()
            resident = tracker.live
            self._step(model, shape, trained, optimiser, tracker)
            windows = {w: peak - resident for w, peak in tracker.peaks.items() if w != "middle"}
            weights = sum(p.numel() * p.element_size() for p in trained)
        return windows | {"trained": weights, "moments": 2 * weights}

    def _with_lora(self, model: PreTrainedModel, rank: int) -> PreTrainedModel:
        from peft import LoraConfig, get_peft_model

        names = self.targets if isinstance(self.targets, str) else ",".join(self.targets)
        targets = lora_targets(model, names)
        config = LoraConfig(
            r=rank,
            lora_alpha=16,
            lora_dropout=lora_dropout(model, names, self.dropout),
            target_modules=targets.modules,
            target_parameters=targets.parameters or None,
            use_dora=self.dora,
            task_type="CAUSAL_LM",
        )
        return get_peft_model(model, config).train()  # type: ignore[return-value]  # wraps one

    def _step(
        self,
        model: PreTrainedModel,
        shape: Shape,
        trained: list[nn.Parameter],
        optimiser: torch.optim.Optimizer,
        tracker: Tracker,
    ) -> None:
        rows = 2 * shape.batch if self.kind == "orpo" else shape.batch
        ids = torch.zeros(rows, shape.length, dtype=torch.long)
        mask = torch.ones_like(ids)
        if self.masked:
            mask[0, -1] = 0
        tracker.enter("loss")
        with marks(model, tracker), _no_mask_where(not self.masked):
            loss = self._loss(model, ids, mask, shape)
        loss.backward()
        tracker.enter("step")
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    def _loss(
        self, model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor, shape: Shape
    ) -> torch.Tensor:
        """The workloads' own losses, on every kept position: all in one chunk, or plain."""
        targets = ids[:, shape.length - shape.kept + 1 :]
        if self.way is None:
            told = _log_probabilities(_kept_logits(model, ids, mask, shape)[:, :-1], targets)
        else:
            head = split(causal_of(model), self.way, chunk=targets.numel())
            places = torch.arange(targets.numel())
            hidden = head.hidden(ids, mask).flatten(0, 1).index_select(0, places)
            told = log_probabilities(head, hidden, targets.flatten()).view_as(targets)
        return _odds_ratio_loss(told) if self.kind == "orpo" else -told.mean()


@contextmanager
def _no_mask_where(rows_are_alike: bool) -> Iterator[None]:
    """transformers makes no mask for rows of one length; tensors without data can't tell it so."""
    if not rows_are_alike:
        yield
        return
    with patch("transformers.masking_utils._ignore_causal_mask_sdpa", return_value=True):
        yield


def _make_moments(trained: list[nn.Parameter], optimiser: torch.optim.Optimizer) -> None:
    """What an earlier step leaves: a step on any gradients, for half of a whole one's time."""
    for parameter in trained:
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)


def _kept_logits(
    model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor, shape: Shape
) -> torch.Tensor:
    keeps = _keeps_logits(model)
    options = {"logits_to_keep": shape.kept} if keeps else {}
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False, **options).logits
    kept: torch.Tensor = logits if keeps else logits[:, shape.length - shape.kept :]
    return kept


def _log_probabilities(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1).float(), labels.flatten(), ignore_index=-100, reduction="none"
    )
    return -losses.view_as(labels)


def _odds_ratio_loss(told: torch.Tensor) -> torch.Tensor:
    """ORPO: the chosen half's likelihood, and the log odds of chosen over rejected."""
    chosen, rejected = told.mean(-1).chunk(2)
    odds = (chosen - rejected) - (
        torch.log1p(-torch.exp(chosen)) - torch.log1p(-torch.exp(rejected))
    )
    return -chosen.mean() - 0.1 * torch.nn.functional.logsigmoid(odds).mean()


class Marked(Protocol):
    """Who is told which moment a step is in."""

    def enter(self, window: str) -> None:
        """From now on it is this one."""


@contextmanager
def marks(model: PreTrainedModel, tracker: Marked) -> Iterator[None]:
    """Let the backward pass say where it is: head, last layer, middle, first layer, embedding.

    Between the last layer and the first, memory runs along a straight line, so that the peak is
    at one of its ends. A window holds one moment only: the larger of two moments is not linear in
    what they are linear in.
    """
    layers = _decoder_layers(model)

    def when_grad(window: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: object, output: object = None) -> None:
            seen = args if output is None else output
            hidden = seen[0] if isinstance(seen, tuple) and seen else seen
            if isinstance(hidden, torch.Tensor) and hidden.requires_grad:
                hidden.register_hook(lambda gradient: tracker.enter(window))

        return hook

    handles = [
        layers[-1].register_forward_hook(when_grad("last layer")),
        layers[0].register_forward_hook(when_grad("first layer")),
        layers[0].register_forward_pre_hook(when_grad("embedding")),
    ]
    handles += [layer.register_forward_hook(when_grad("middle")) for layer in layers[1:-1] or ()]
    head = model.get_output_embeddings()
    if head is not None:
        handles.append(head.register_forward_hook(when_grad("head")))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _decoder_layers(model: PreTrainedModel) -> nn.ModuleList:
    """The stack of layers: the first list of modules that is as long as the model is deep."""
    depth = model.config.get_text_config().num_hidden_layers
    for module in model.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == depth:
            return module
    raise LoadError(
        "unsupported_architecture",
        "The stack of layers was not found.",
        "레이어 묶음을 찾지 못했습니다.",
    )


def _keeps_logits(model: PreTrainedModel) -> bool:
    return "logits_to_keep" in inspect.signature(causal_of(model).forward).parameters
