"""Log probabilities of labels without a tensor of tokens times vocabulary.

For a vocabulary of 256,000 the logits of 2,048 tokens take 2 GB, and plain cross entropy holds
three such tensors. Here the hidden states of the labelled positions of all rows are gathered, and
output head and softmax go over them in chunks, one chunk's logits alive at a time. A frozen head's
gradient is finished chunk by chunk in the forward pass: the log probability of a position depends
on that position's hidden state alone, so that the backward pass only multiplies. A head that is
trained is recomputed in the backward pass.

What comes after the matrix (a soft cap, a scale, a LoRA on the head) is left to the model's own
forward, run with the decoder's output put in its place. Where that does not give the plain
logits on a small input, `head_of` says None and the plain form is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPast

from model_registry.architectures.architecture import shrunk
from model_registry.architectures.head_chunks import chunk_rows

#: How a decoder is found in its language model, the ways tried first to last.
WAYS: Mapping[str, Callable[[PreTrainedModel], torch.nn.Module]] = {
    "get_decoder": lambda causal: causal.get_decoder(),
    "base_model": lambda causal: causal.base_model,
}


class OtherHead(Exception):
    """The model's forward does not take its logits from the decoder that was found."""


class _Decoded(BaseModelOutputWithPast):
    """A decoder's output that has every field: states and router logits are None."""

    def __getattr__(self, name: str) -> None:
        return None


@dataclass(frozen=True, eq=False)
class Head:
    """The two halves of a causal language model: tokens to hidden states, those to logits."""

    causal: PreTrainedModel
    decoder: torch.nn.Module
    chunk: int  # positions whose logits are alive at a time

    def hidden(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Last hidden states, (rows, tokens, hidden); positions are given for packed rows."""
        more = {} if position_ids is None else {"position_ids": position_ids}
        decoded = self.decoder(
            input_ids=input_ids, attention_mask=attention_mask, use_cache=False, **more
        )
        hidden: torch.Tensor = decoded[0]
        return hidden

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits (positions, vocabulary) of hidden states (positions, hidden).

        Raises:
            OtherHead: the model did not ask its decoder.
        """
        asked = []

        def put_in(*_: object, **__: object) -> _Decoded:
            asked.append(True)
            return _Decoded(last_hidden_state=hidden[None])

        # An attribute of the instance goes before the class's method.
        self.decoder.__dict__["forward"] = put_in
        try:
            ids = torch.zeros(1, hidden.shape[0], dtype=torch.long, device=hidden.device)
            logits = self.causal(input_ids=ids, use_cache=False).logits
        finally:
            del self.decoder.__dict__["forward"]
        if not asked:
            raise OtherHead
        return torch.squeeze(logits, 0)

    def trained(self) -> list[torch.nn.Parameter]:
        """What is trained outside the decoder, and a trained head that is tied to the embedding."""
        inside = {id(parameter) for parameter in self.decoder.parameters()}
        matrix = self.causal.get_output_embeddings()
        heads = [] if matrix is None else list(matrix.parameters())
        outside = [p for p in self.causal.parameters() if id(p) not in inside]
        return list({id(p): p for p in [*heads, *outside] if p.requires_grad}.values())


_WAYS: WeakKeyDictionary[torch.nn.Module, str | None] = WeakKeyDictionary()


def head_of(model: PreTrainedModel) -> Head | None:
    """The model's halves, proven on a small input; None where they do not give its own logits.

    Proven once a model; what peft puts into it later changes nothing of where the halves meet.
    """
    causal = causal_of(model)
    if causal not in _WAYS:
        _WAYS[causal] = next((way for way in WAYS if _is_exact(split(causal, way))), None)
    way = _WAYS[causal]
    return None if way is None else split(causal, way)


@cache
def way_of(model_type: str) -> str | None:
    """The way that is proven for a model type, on a small model of it with random weights.

    What a trace goes by, whose tensors have no values to prove anything with.
    """
    # only a trace needs a model to be made
    from model_registry.architectures.model_config import build_config
    from model_registry.weights.random_weights import random_model

    # A type's own padding token may lie beyond so small a vocabulary.
    config = build_config(shrunk({"model_type": model_type, "pad_token_id": 0}, 64))
    causal = random_model(config, "cpu", torch.float32, 0)
    return None if head_of(causal) is None else _WAYS[causal]


def causal_of(model: PreTrainedModel) -> PreTrainedModel:
    """The language model itself, without peft's wrapping."""
    from peft import PeftModel

    return model.get_base_model() if isinstance(model, PeftModel) else model


def split(causal: PreTrainedModel, way: str, chunk: int | None = None) -> Head:
    """The halves by one of the ways, with the usual chunk or another."""
    vocabulary = causal.config.get_text_config().vocab_size
    return Head(causal, WAYS[way](causal), chunk or chunk_rows(vocabulary))


def _is_exact(head: Head) -> bool:
    """Whether both halves together give the logits of the whole, on two short rows."""
    causal, training = head.causal, head.causal.training
    if head.decoder is causal:
        return False
    device = next(causal.parameters()).device
    vocabulary = causal.config.get_text_config().vocab_size
    ids = torch.arange(3, 15, device=device).view(2, 6) % vocabulary
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0
    causal.eval()
    try:
        with torch.no_grad():
            plain = causal(input_ids=ids, attention_mask=mask, use_cache=False).logits
            ours = _two_steps(head, ids, mask)
    finally:
        causal.train(training)
    return ours is not None and _alike(plain, ours, mask.bool())


def _two_steps(head: Head, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor | None:
    """Logits by way of the halves; None where the model is not made of them."""
    try:
        return head.logits(head.hidden(ids, mask).flatten(0, 1))
    except (OtherHead, TypeError, ValueError, AttributeError):
        return None


def _alike(plain: torch.Tensor, ours: torch.Tensor, seen: torch.Tensor) -> bool:
    if plain.numel() != ours.numel():
        return False
    rounding = 1e-5 if plain.dtype == torch.float32 else 2e-2
    wanted, found = plain[seen].float(), ours.view_as(plain)[seen].float()
    most = rounding * max(float(wanted.abs().max()), 1e-3)
    return float((wanted - found).abs().max()) <= most


def log_probabilities(head: Head, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Log probability of each target, in float32, shape (positions,).

    Args:
        head: the model's halves.
        hidden: hidden states of the positions that tell the targets, (positions, hidden).
        targets: token ids, (positions,).
    """
    pairs = list(zip(hidden.split(head.chunk), targets.split(head.chunk), strict=True))
    if not torch.is_grad_enabled():
        return _joined([_picked(head, *pair) for pair in pairs], hidden)
    if head.trained():
        return _joined(
            [checkpoint(_picked, head, *pair, use_reentrant=False) for pair in pairs], hidden
        )
    found: torch.Tensor = _FrozenHead.apply(hidden, targets, head)  # type: ignore[no-untyped-call]
    return found


def _joined(parts: Sequence[torch.Tensor], hidden: torch.Tensor) -> torch.Tensor:
    return torch.cat(list(parts)) if parts else hidden.new_zeros(0, dtype=torch.float32)


def _picked(head: Head, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Log probabilities of one chunk's targets, plain."""
    scores = torch.log_softmax(head.logits(hidden).float(), -1)
    return scores.gather(-1, targets[:, None])[:, 0]


def _picked_with_slope(
    head: Head, hidden: torch.Tensor, targets: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """One chunk's log probabilities and their gradient by its hidden states.

    A function of its own, so that a chunk's logits are gone before the next one's are made.
    """
    with torch.enable_grad():
        logits = head.logits(hidden.requires_grad_())
    scores = torch.log_softmax(logits.detach().float(), -1)
    choice = targets[:, None]
    picked = scores.gather(-1, choice)[:, 0]
    slope = scores.exp_().neg_()
    slope.scatter_add_(-1, choice, torch.ones_like(choice, dtype=slope.dtype))
    return picked, torch.autograd.grad(logits, hidden, slope.to(logits.dtype))[0]


class _FrozenHead(torch.autograd.Function):
    """One pass over the chunks gives values and gradients: d log p(t) = (onehot(t) - p) d logits.

    Keeps one gradient as large as the hidden states; the logits are gone when the pass ends.
    """

    @staticmethod
    def forward(
        context: Any, hidden: torch.Tensor, targets: torch.Tensor, head: Head
    ) -> torch.Tensor:
        picked = torch.empty(targets.shape, dtype=torch.float32, device=hidden.device)
        gradient = torch.empty_like(hidden) if hidden.requires_grad else None
        for start in range(0, len(targets), head.chunk):
            part = slice(start, start + head.chunk)
            chunk = hidden[part].detach()
            if gradient is None:
                picked[part] = _picked(head, chunk, targets[part])
            else:
                picked[part], gradient[part] = _picked_with_slope(head, chunk, targets[part])
        context.save_for_backward(*([] if gradient is None else [gradient]))
        return picked

    @staticmethod
    def backward(context: Any, outer: torch.Tensor) -> tuple[torch.Tensor | None, None, None]:
        if not context.saved_tensors:
            return None, None, None
        (gradient,) = context.saved_tensors
        return gradient * outer[:, None].to(gradient.dtype), None, None
