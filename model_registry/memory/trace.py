"""The memory of a training step or a prefill, as coefficients: traced once an architecture.

The model is built from its configuration on the meta device and its very forward, backward and
optimiser code runs on tensors without data (`live_tensors.py`). What that gives at a few small
sizes is linear in known quantities, so a handful of traces tell the memory of any batch, length,
rank and depth: `trace_architecture` solves for those coefficients and `fit.py` only multiplies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from model_registry.architectures.chunked_head import way_of
from model_registry.architectures.model_config import build_config
from model_registry.errors import LoadError, first_line
from model_registry.files.json_values import JsonDict, JsonObject
from model_registry.memory.steps import Inference, Shape, Training

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: Depths that are traced: what the second has more than the first is what two layers take.
DEPTHS = (2, 4)
#: What model types call the number of their layers.
_DEPTH_NAMES = frozenset({"num_hidden_layers", "num_layers", "n_layer", "n_layers"})
#: Kinds of layers that hold other things than attention does: such a model is traced where
#: every kind has its share.
_OTHER_LAYERS = frozenset({"linear_attention", "conv", "mamba", "recurrent"})

#: Layers that work in chunks of 64 tokens and pad the last one: what they take is a straight line
#: at whole chunks only, from two on (what one chunk needs is views of what is there).
_IN_CHUNKS, _CHUNK = "linear_attention", 64

#: Where `Shape.features` has length², times rows.
_SQUARES = 3

#: Model types that loop over tokens in Python: followed at a quarter of the length, in minutes.
_RECURRENT = frozenset({"rwkv"})

#: Enough sizes to solve for every feature; large enough that the same moment is the peak in all,
#: and none of one row, whose views need no copies.
TRAINED_AT = (
    Shape(2, 32, 16, 16), Shape(4, 32, 16, 16), Shape(4, 64, 16, 16), Shape(4, 64, 48, 16),
    Shape(2, 96, 24, 16), Shape(4, 64, 32, 48), Shape(2, 48, 32, 64),
)  # fmt: skip
ANSWERED_AT = (
    Shape(1, 32), Shape(1, 64), Shape(4, 32), Shape(1, 128), Shape(8, 48), Shape(2, 96),
)  # fmt: skip


def skeleton(values: Mapping[str, object]) -> dict[str, int]:
    """What of an architecture needs no trace, counted on the meta device.

    Returns:
        parameters, linear_parameters (what quantisation shrinks), largest_linear, linear_outputs
        (rows of those matrices), buffer_bytes, layers, hidden, vocabulary.
    """
    model = on_meta(values, torch.float32)
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


def on_meta(values: Mapping[str, object], dtype: torch.dtype) -> PreTrainedModel:
    """The architecture's language model on the meta device: shapes without memory.

    Raises:
        LoadError: "unsupported_architecture".
    """
    from transformers import AutoModelForCausalLM

    try:
        with torch.device("meta"):
            model: PreTrainedModel = AutoModelForCausalLM.from_config(
                build_config(values), dtype=dtype, trust_remote_code=False
            )
    except ValueError as error:
        kind = values["model_type"]
        raise LoadError(
            "unsupported_architecture",
            f"transformers can't build a language model of type {kind}.",
            f"transformers가 {kind} 언어 모델을 만들지 못합니다.",
        ) from error
    model.tie_weights()
    return model


def at_depth(values: JsonObject, layers: int) -> JsonDict:
    """The same architecture with fewer layers."""
    values = dict(values)
    for name in _DEPTH_NAMES & values.keys():
        values[name] = layers
    if "attention_types" in values:  # gpt_neo: [[pattern, times], …] must give as many layers
        pattern = values["attention_types"][0][0]
        values["attention_types"] = [[pattern, layers // len(pattern)]]
    if values.get("layer_types"):
        values["layer_types"] = values["layer_types"][:layers]
    return values


def depths_of(values: JsonObject) -> tuple[int, int]:
    """The two depths at which an architecture is traced.

    Where its kinds of layers repeat, one and two rounds of them; else half its own depth and all.
    """
    kinds = _kinds_of_layers(values)
    if not set(kinds) & _OTHER_LAYERS:
        return DEPTHS
    layers = len(kinds)
    for period in range(1, layers // 2 + 1):
        if all(kind == kinds[i % period] for i, kind in enumerate(kinds)):
            return period, 2 * period
    return layers // 2, layers


def _kinds_of_layers(values: JsonObject) -> list[str]:
    """The kind of each layer, where a model type has several."""
    return list(build_config(values).to_dict().get("layer_types") or ())


def trace_architecture(
    values: Mapping[str, object],
    kind: str,
    *,
    dtype: str = "float32",
    device: str = "cpu",
    targets: str | Sequence[str] = "all-linear",
    dropout: float = 0.05,
    dora: bool = False,
) -> dict[str, dict[str, list[float]]]:
    """Coefficients of the memory that one kind of work takes beyond what stays resident.

    Args:
        values: the architecture, as a catalog holds it.
        kind: "inference", "lora", "full" or "orpo". ORPO is close to "lora" with twice the rows.
        dtype: of the base model.
        device: "cpu", or "cuda" for a card's ways of working.
        targets: of LoRA.
        dropout: of LoRA.
        dora: whether LoRA tunes magnitude and direction apart.

    Returns:
        For each window of the work, the coefficients of `Shape.features`, "fixed" and
        "per_layer", in bytes beyond what was resident when the step began; "trained" and
        "moments" are the tuned weights and the optimiser's state, which are resident; "masked" and
        "dropout" are what windows hold less without (`optional_parts`). "chunked" is
        there where the loss is made in chunks of positions, whose logits were followed in one.

    Raises:
        LoadError: "unsupported_architecture", where the code can't run on tensors without data.
    """
    kept = getattr(torch, dtype)
    way = way_of(values["model_type"])
    work = (
        Inference() if kind == "inference" else Training(kind, device, targets, dropout, way, dora)
    )
    shapes = sizes_of(values, kind)
    depths = depths_of(values)
    try:
        rows = {
            depth: [work.trace(on_meta(at_depth(values, depth), kept), s) for s in shapes]
            for depth in depths
        }
    except LoadError:
        raise
    except Exception as error:
        said, model_type = first_line(error), values["model_type"]
        raise LoadError(
            "unsupported_architecture",
            f"{kind} of {model_type} can't be followed: {said}",
            f"{model_type}의 {kind}을(를) 추적할 수 없습니다: {said}",
        ) from error
    features = np.array([shape.features() for shape in shapes], dtype=float)
    found = {
        window: _by_depth(features, {d: [row[window] for row in rows[d]] for d in depths})
        for window in rows[depths[0]][0]
    }
    if isinstance(work, Training):
        found |= optional_parts(values, work, kept, found, shapes[2])
    return found if kind == "inference" or way is None else {**found, "chunked": {}}


def sizes_of(values: Mapping[str, object], kind: str) -> list[Shape]:
    """The sizes at which a kind of work is followed."""
    shapes = list(ANSWERED_AT if kind == "inference" else TRAINED_AT)
    if _IN_CHUNKS in _kinds_of_layers(values):
        shapes = [replace(s, length=-(-4 * s.length // _CHUNK) * _CHUNK) for s in shapes]
    if kind == "full":  # no rank to solve for; one that never varies would share the constant
        shapes = [replace(shape, rank=0) for shape in shapes[:5]]
    if values.get("model_type") in _RECURRENT:
        shapes = [replace(s, length=s.length // 4, kept=max(2, s.kept // 4)) for s in shapes]
    return shapes


def optional_parts(
    values: Mapping[str, object],
    work: Training,
    dtype: torch.dtype,
    found: Mapping[str, Mapping[str, Sequence[float]]],
    shape: Shape,
) -> dict[str, dict[str, list[float]]]:
    """What LoRA's dropout and a padded batch's mask add to each token of a tune, in bytes.

    One more step without each tells it. Dropout keeps its noise and an output for each layer,
    where layers that read the same would share it; with a mask, transformers repeats keys and
    values for grouped queries. The mask's own copies, length² of them, are not among it.

    Args:
        values: the architecture.
        work: as it was followed, with both.
        dtype: of the base model.
        found: its coefficients.
        shape: the size of the step.

    Returns:
        "masked" and, for LoRA, "dropout", with coefficients of tokens alone.
    """
    without = {"masked": replace(work, masked=False)}
    if work.kind != "full":
        without["dropout"] = replace(work, dropout=0.0)
    depths = depths_of(values)
    window = "head" if "head" in found else "loss"
    sizes = {name: list(shape.features()) for name in without}
    if found["loss"]["per_layer"][_SQUARES] <= 1.01 * dtype.itemsize:  # no scores, but masks
        sizes["masked"][_SQUARES] = 0
    parts = {}
    for name, other in without.items():
        few, many = (
            _at(found[window], depth, sizes[name])
            - other.trace(on_meta(at_depth(values, depth), dtype), shape)[window]
            for depth in depths
        )
        each = (many - few) / (depths[1] - depths[0])
        tokens = shape.batch * shape.length
        parts[name] = {
            "fixed": _of_tokens((few - depths[0] * each) / tokens),
            "per_layer": _of_tokens(each / tokens),
        }
    return parts


def _at(row: Mapping[str, Sequence[float]], depth: int, sizes: Sequence[float]) -> float:
    """What coefficients say of a size at a depth."""
    pairs = zip(row["fixed"], row["per_layer"], sizes, strict=True)
    return sum((fixed + depth * each) * size for fixed, each, size in pairs)


def _of_tokens(each: float) -> list[float]:
    """Coefficients of `Shape.features`, of which tokens alone count."""
    return [0.0, 0.0, round(each, 4), 0.0, 0.0, 0.0, 0.0]


def _by_depth(features: np.ndarray, peaks: Mapping[int, list[int]]) -> dict[str, list[float]]:
    """Split a window's peaks into what each layer adds and what is there without any."""
    depths = tuple(peaks)
    few, many = (_solve(features, peaks[depth]) for depth in depths)
    per_layer = (many - few) / (depths[1] - depths[0])
    return {
        "fixed": [round(float(c), 4) for c in few - depths[0] * per_layer],
        "per_layer": [round(float(c), 4) for c in per_layer],
    }


def _solve(features: np.ndarray, peaks: list[int]) -> np.ndarray:
    """Least squares with features scaled to one size; features that never vary get 0."""
    scale = np.maximum(np.abs(features).max(axis=0), 1.0)
    found: np.ndarray = np.linalg.lstsq(features / scale, np.array(peaks, float), rcond=1e-9)[0]
    unscaled: np.ndarray = found / scale
    return unscaled
