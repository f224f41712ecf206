"""Follows every allocation of a real training step or prefill, on tensors without data.

The model is built from its configuration on the meta device and then given fake tensors, which
have shapes and storages but no memory. The very forward, backward and optimiser code runs on
them, and a dispatch mode adds up the storages that are alive. What that gives at a few small sizes
is linear in known quantities, so a handful of traces tell the memory of any batch, length, rank
and depth: `trace_architecture` solves for those coefficients and `fit.py` only multiplies.

Attention is followed as the fused kernels do it, which keep no scores: tensors without data would
be given the slow way, which keeps length² of them a head. Two things of a graphics card are
imitated, because fake CUDA tensors need a CUDA build: dropout keeps one byte a value there instead
of a whole value, and the optimiser works on all tensors at once.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from model_registry.errors import LoadError
from model_registry.weights import build_config

#: Depths that are traced: what the second has more than the first is what two layers take.
DEPTHS = (2, 4)


#: Model types that loop over tokens in Python: followed at a quarter of the length, in minutes.
_RECURRENT = frozenset({"rwkv"})


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


#: Enough sizes to solve for every feature; large enough that the same moment is the peak in all.
TRAINED_AT = (
    Shape(1, 32, 16, 16), Shape(4, 32, 16, 16), Shape(4, 64, 16, 16), Shape(4, 64, 48, 16),
    Shape(2, 96, 24, 16), Shape(4, 64, 32, 48), Shape(2, 48, 32, 64),
)  # fmt: skip
ANSWERED_AT = (
    Shape(1, 32), Shape(1, 64), Shape(4, 32), Shape(1, 128), Shape(8, 48), Shape(2, 96),
)  # fmt: skip


class _Tracker(TorchDispatchMode):
    """Adds up the storages that are alive; `window` names where the present peak belongs."""

    def __init__(self) -> None:
        super().__init__()
        self.live = 0
        self.sizes: dict[int, int] = {}
        self.window = ""
        self.peaks: dict[str, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._grouped_mm.default:
            out = _grouped_product(*args[:2])
        else:
            out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self.see(leaf)
        return out

    def see(self, tensor: torch.Tensor) -> None:
        """Count a tensor's storage once, until it is gone."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self.sizes:
            return
        self.sizes[key] = storage.nbytes()
        self.live += self.sizes[key]
        weakref.finalize(storage, self._gone, key)
        if self.live > self.peaks.get(self.window, -1):
            self.peaks[self.window] = self.live

    def _gone(self, key: int) -> None:
        self.live -= self.sizes.pop(key, 0)

    def enter(self, window: str) -> None:
        """From now on peaks belong to this window."""
        self.window = window
        self.peaks[window] = max(self.live, self.peaks.get(window, 0))


def _grouped_product(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The shape of a product with stacked experts; torch's own shape rule wants bf16 only."""
    if one.dim() == 2 and other.dim() == 3:
        return one.new_empty(one.shape[0], other.shape[-1])
    raise LoadError("unsupported_architecture", "Tuning fused experts can't be followed.")


def skeleton(values: Mapping[str, Any]) -> dict[str, int]:
    """What of an architecture needs no trace, counted on the meta device.

    Returns:
        parameters, linear_parameters (what quantisation shrinks), largest_linear, linear_outputs
        (rows of those matrices), buffer_bytes, layers, hidden, vocabulary.
    """
    model = _on_meta(values, torch.float32)
    head = model.get_output_embeddings()
    linears = [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m is not head]
    config = model.config.get_text_config()
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "linear_parameters": sum(m.weight.numel() for m in linears),
        "linear_outputs": sum(m.out_features for m in linears),
        "linear_inputs": sum(m.in_features for m in linears),
        "largest_linear": max((m.weight.numel() for m in linears), default=0),
        "buffer_bytes": sum(b.numel() * b.element_size() for b in model.buffers()),
        "layers": config.num_hidden_layers,
        "hidden": config.hidden_size,
        "vocabulary": config.vocab_size,
    }


def _on_meta(values: Mapping[str, Any], dtype: torch.dtype) -> Any:
    from transformers import AutoModelForCausalLM

    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(build_config(values), dtype=dtype)
    except ValueError as error:
        kind = values["model_type"]
        raise LoadError(
            "unsupported_architecture", f"transformers can't build a language model of type {kind}."
        ) from error
    model.tie_weights()
    return model


def at_depth(values: Mapping[str, Any], layers: int) -> dict[str, Any]:
    """The same architecture with fewer layers."""
    values = dict(values)
    if "num_layers" in values:
        values["num_layers"] = layers
    if "num_hidden_layers" in values:
        values["num_hidden_layers"] = layers
    if "attention_types" in values:  # gpt_neo: [[pattern, times], …] must give as many layers
        pattern = values["attention_types"][0][0]
        values["attention_types"] = [[pattern, layers // len(pattern)]]
    return values


def trace_architecture(
    values: Mapping[str, Any],
    kind: str,
    *,
    dtype: str = "float32",
    device: str = "cpu",
    targets: str | Sequence[str] = "all-linear",
    dropout: float = 0.05,
) -> dict[str, dict[str, list[float]]]:
    """Coefficients of the memory that one kind of work takes beyond what stays resident.

    Args:
        values: the architecture, as a catalog holds it.
        kind: "inference", "lora", "full" or "orpo". ORPO is close to "lora" with twice the rows.
        dtype: of the base model.
        device: "cpu", or "cuda" for a card's ways of working.
        targets: of LoRA.
        dropout: of LoRA.

    Returns:
        For each window of the work, the coefficients of `Shape.features`, "fixed" and
        "per_layer", in bytes beyond what was resident when the step began; "trained" and
        "moments" are the tuned weights and the optimiser's state, which are resident.

    Raises:
        LoadError: "unsupported_architecture", where the code can't run on tensors without data.
    """
    kept = getattr(torch, dtype)
    work = _Training(kind, device, targets, dropout) if kind != "inference" else _Inference()
    shapes: Sequence[Shape] = ANSWERED_AT if kind == "inference" else TRAINED_AT
    if kind == "full":  # no rank to solve for; one that never varies would share the constant
        shapes = [replace(shape, rank=0) for shape in shapes[:5]]
    if values.get("model_type") in _RECURRENT:
        shapes = [replace(s, length=s.length // 4, kept=max(2, s.kept // 4)) for s in shapes]
    try:
        rows = {
            depth: [work.trace(_on_meta(at_depth(values, depth), kept), s) for s in shapes]
            for depth in DEPTHS
        }
    except LoadError:
        raise
    except Exception as error:
        line = (str(error).splitlines() or [""])[0]
        raise LoadError(
            "unsupported_architecture",
            f"{kind} of {values['model_type']} can't be followed: {type(error).__name__}: {line}",
        ) from error
    features = np.array([shape.features() for shape in shapes], dtype=float)
    return {
        window: _by_depth(features, {d: [row[window] for row in rows[d]] for d in DEPTHS})
        for window in rows[DEPTHS[0]][0]
    }


def _by_depth(features: np.ndarray, peaks: Mapping[int, list[int]]) -> dict[str, list[float]]:
    """Split a window's peaks into what each layer adds and what is there without any."""
    few, many = (_solve(features, peaks[depth]) for depth in DEPTHS)
    per_layer = (many - few) / (DEPTHS[1] - DEPTHS[0])
    return {
        "fixed": [round(float(c), 4) for c in few - DEPTHS[0] * per_layer],
        "per_layer": [round(float(c), 4) for c in per_layer],
    }


def _solve(features: np.ndarray, peaks: list[int]) -> np.ndarray:
    """Least squares with features scaled to one size; features that never vary get 0."""
    scale = np.maximum(np.abs(features).max(axis=0), 1.0)
    return np.linalg.lstsq(features / scale, np.array(peaks, float), rcond=1e-9)[0] / scale


class _Inference:
    """A prefill and one decoded token, as `generate` does them."""

    def trace(self, model: Any, shape: Shape) -> dict[str, int]:
        with _traced(model.eval()) as tracker, torch.inference_mode():
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


def _cache_and_last(output: Any) -> tuple[dict[str, Any], torch.Tensor]:
    """What the next token needs: keys and values, or a recurrent state; and the last logits."""
    name = "past_key_values" if getattr(output, "past_key_values", None) is not None else "state"
    return {name: output[name]}, output.logits[:, -1, :].clone()


@dataclass(frozen=True, slots=True)
class _Training:
    """A second optimiser step: the first one's moments are resident then."""

    kind: str
    device: str
    targets: str | Sequence[str]
    dropout: float

    def trace(self, model: Any, shape: Shape) -> dict[str, int]:
        model = model.train() if self.kind == "full" else self._with_lora(model, shape.rank)
        on_card = self.device == "cuda"
        with _traced(model) as tracker, _card_dropout(on_card):
            trained = [p for p in model.parameters() if p.requires_grad]
            optimiser = torch.optim.AdamW(trained, lr=1e-4, weight_decay=0.0, foreach=on_card)
            self._step(model, shape, trained, optimiser, tracker)
            tracker.peaks.clear()
            resident = tracker.live
            self._step(model, shape, trained, optimiser, tracker)
            windows = {w: peak - resident for w, peak in tracker.peaks.items() if w != "middle"}
            weights = sum(p.numel() * p.element_size() for p in trained)
        return windows | {"trained": weights, "moments": 2 * weights}

    def _with_lora(self, model: Any, rank: int) -> Any:
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            r=rank,
            lora_alpha=16,
            lora_dropout=self.dropout,
            target_modules=self.targets if isinstance(self.targets, str) else list(self.targets),
            task_type="CAUSAL_LM",
        )
        return get_peft_model(model, config).train()

    def _step(
        self, model: Any, shape: Shape, trained: list[Any], optimiser: Any, tracker: _Tracker
    ) -> None:
        rows = 2 * shape.batch if self.kind == "orpo" else shape.batch
        ids = torch.zeros(rows, shape.length, dtype=torch.long)
        mask = torch.ones_like(ids)
        mask[0, -1] = 0  # rows differ in length: without a mask, keys would not be repeated
        tracker.enter("loss")
        with _marks(model, tracker):
            loss = self._loss(model, ids, mask, shape)
        loss.backward()
        tracker.enter("step")
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    def _loss(
        self, model: Any, ids: torch.Tensor, mask: torch.Tensor, shape: Shape
    ) -> torch.Tensor:
        """The workloads' own losses, on every kept position."""
        keeps = _keeps_logits(model)
        options = {"logits_to_keep": shape.kept} if keeps else {}
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False, **options).logits
        if not keeps:
            logits = logits[:, shape.length - shape.kept :]
        labels = ids[:, shape.length - shape.kept + 1 :]
        if self.kind == "orpo":
            return _odds_ratio_loss(logits[:, :-1], labels)
        return torch.nn.functional.cross_entropy(
            logits[:, :-1].flatten(0, 1).float(), labels.flatten(), ignore_index=-100
        )


def _odds_ratio_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """ORPO: the chosen half's likelihood, and the log odds of chosen over rejected."""
    logps = logits.float().log_softmax(-1).gather(-1, labels[..., None])[..., 0].mean(-1)
    chosen, rejected = logps.chunk(2)
    odds = (chosen - rejected) - (
        torch.log1p(-torch.exp(chosen)) - torch.log1p(-torch.exp(rejected))
    )
    return -chosen.mean() - 0.1 * torch.nn.functional.logsigmoid(odds).mean()


@contextmanager
def _marks(model: Any, tracker: _Tracker) -> Iterator[None]:
    """Let the backward pass say where it is: head, last layer, middle, first layer, embedding.

    Between the last layer and the first, memory runs along a straight line, so that the peak is
    at one of its ends. A window holds one moment only: the larger of two moments is not linear in
    what they are linear in.
    """
    layers = _decoder_layers(model)

    def when_grad(window: str) -> Callable[..., None]:
        def hook(module: Any, args: Any, output: Any = None) -> None:
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


def _decoder_layers(model: Any) -> Any:
    """The stack of layers: the first list of modules that is as long as the model is deep."""
    depth = model.config.get_text_config().num_hidden_layers
    for module in model.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == depth:
            return module
    raise LoadError("unsupported_architecture", "The stack of layers was not found.")


def _keeps_logits(model: Any) -> bool:
    import inspect

    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return "logits_to_keep" in inspect.signature(base.forward).parameters


@contextmanager
def _traced(model: Any) -> Iterator[_Tracker]:
    """Give the model fake tensors and count from there; the weights are counted already."""
    mode, tracker = FakeTensorMode(), _Tracker()
    _make_fake(model, mode)
    with mode, tracker, _fused_attention():
        for tensor in (*model.parameters(), *model.buffers()):
            tracker.see(tensor)
        yield tracker


def _make_fake(model: Any, mode: FakeTensorMode) -> None:
    """Replace meta tensors by fake ones of the same shape; tied weights stay tied."""
    made: dict[int, Any] = {}

    def fake(tensor: torch.Tensor) -> Any:
        if id(tensor) not in made:
            with mode:
                empty = torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype)
            if isinstance(tensor, torch.nn.Parameter):
                empty = torch.nn.Parameter(empty, requires_grad=tensor.requires_grad)
            made[id(tensor)] = empty
        return made[id(tensor)]

    for module in list(model.modules()):
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None:
                    tensors[name] = fake(tensor)


class _FusedAttention(torch.autograd.Function):
    """What the fused kernels hold: inputs, output, one number a query and head, and the mask."""

    @staticmethod
    def forward(
        context: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        mask: torch.Tensor | None,
    ) -> torch.Tensor:
        out = torch.empty_like(query)
        sums = query.new_empty(query.shape[:-1], dtype=torch.float32)
        added = [] if mask is None else [mask.to(query.dtype)]  # one copy a layer
        context.save_for_backward(query, key, value, out, sums, *added)
        return out

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return (*(torch.empty_like(tensor) for tensor in context.saved_tensors[:3]), None)


@contextmanager
def _fused_attention() -> Iterator[None]:
    plain = torch.nn.functional.scaled_dot_product_attention

    def attend(
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attn_mask: torch.Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        **options: Any,
    ) -> Any:
        if query.dim() != 4 or query.shape[-1] != value.shape[-1] or dropout_p:
            return plain(query, key, value, attn_mask, dropout_p, is_causal, **options)
        return _FusedAttention.apply(query, key, value, attn_mask)

    with patch("torch.nn.functional.scaled_dot_product_attention", attend):
        yield


class _ByteMaskDropout(torch.autograd.Function):
    """Dropout as a card does it: a mask of one byte a value is kept, not a whole value."""

    @staticmethod
    def forward(context: Any, values: torch.Tensor) -> torch.Tensor:
        context.save_for_backward(torch.empty_like(values, dtype=torch.bool))
        return torch.empty_like(values)

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:
        (mask,) = context.saved_tensors
        return gradient * mask


@contextmanager
def _card_dropout(on_card: bool) -> Iterator[None]:
    if not on_card:
        yield
        return

    def dropout(
        input: torch.Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Any:
        return _ByteMaskDropout.apply(input) if training and p > 0 else input

    with patch("torch.nn.functional.dropout", dropout):
        yield
