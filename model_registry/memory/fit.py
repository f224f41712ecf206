"""Whether a candidate fits: the memory to load, answer and tune, before anything is downloaded.

The counts come from the architecture alone. What a step holds beyond weights, adapter and
optimiser was traced once on tensors without data (`trace.py`) and is linear in batch,
length, rank and depth; here it is only multiplied, so that a candidate takes microseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from model_registry.architectures.head_chunks import chunk_rows
from model_registry.errors import LoadError, UnknownName
from model_registry.memory.allocator import MAPPED_FROM
from model_registry.memory.coefficients import coefficients_of, is_known, skeleton_of

KINDS = ("load", "inference", "lora", "full", "orpo")

#: Bytes of one weight that quantisation shrinks, with its scales: nf4 in blocks of 64 with scales
#: quantised again, int8 (an fp32 scale a row on top), GPTQ in groups of 128 with zero points.
_QUANTIZED = {"int8": 1.0, "nf4": 0.5 + 1 / 64 + 4 / (64 * 256), "gptq": 0.5 + 2.5 / 128}
#: Bytes of one moment in 8 bits, with its share of its block's scale.
_MOMENT_8BIT = 1 + 4 / 256
#: Of what a layer keeps, about so much is as wide as its hidden states or less.
_AS_WIDE_AS_HIDDEN = 0.6
#: Pieces of a layer as wide as its keys: those and values as they come, and keys being turned.
_KEY_PIECES = 4
_ITEMSIZE = {"float32": 4, "bfloat16": 2, "float16": 2}


#: What torch gives cuBLAS to work in, for each thread that multiplies on a card, by the card's
#: capability; it stays allocated. Its default in torch's `CUDABlas`: 8 MiB and 128 KiB, 32 MiB on
#: Hopper, where it was measured.
_WORKSPACE = {"9.0": 32 * 2**20}
_WORKSPACE_OF_OTHERS = 8 * 2**20 + 128 * 2**10


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of work and its size. `length` counts prompt and answer together."""

    kind: str = "inference"
    batch: int = 1
    length: int = 128
    new_tokens: int = 80  # of `length`, for inference
    kept: int | None = None  # positions with logits in training; None is all
    rank: int | None = None
    quantization: str = "none"
    dtype: str = "bfloat16"
    device: str = "cuda"
    capability: str | None = None  # of the card, such as "9.0"; None is any older one
    targets: str | tuple[str, ...] = "all-linear"
    checkpointing: bool = False
    dora: bool = False  # of LoRA
    optimizer: str = "adamw"  # or one of bitsandbytes'
    padded: bool = True  # rows of a batch differ in length, so that each layer keeps a mask
    dropout: bool = True  # of LoRA
    packed: bool = False  # several rows in one, kept apart by a mask whatever the batch
    accumulation: int = 1  # batches a step; gradients of the earlier ones wait for the last one's
    attention: str = "auto"


@dataclass(frozen=True, slots=True)
class Correction:
    """What a process takes beyond its tensors, fitted to measured cases.

    Some sums are there however large the model is: `overhead_bytes` in any process that loads
    (modules and the code of libraries), and on top `answering_bytes` in one that answers,
    `tuning_bytes` in one that tunes, and `orpo_bytes` beside those where TRL does it. `kept_share`
    is what the C library's heap holds in vain, of the pieces that lie in it
    (`Estimate.small_bytes`); larger ones it gives back.
    """

    overhead_bytes: int = 0
    tuning_bytes: int = 0
    kept_share: float = 0.0
    orpo_bytes: int = 0
    cases: int = 0
    source: str = ""
    answering_bytes: int = 0


NO_CORRECTION = Correction()


@dataclass(frozen=True, slots=True)
class Estimate:
    """Predicted peak in bytes, and what it is made of."""

    terms: Mapping[str, int]
    small_bytes: int  # activations of a step in pieces that a C library's heap holds
    moment: str  # of the peak: load, prefill, decode, or a window of steps.py
    kind: str = ""  # of work

    @property
    def predicted_bytes(self) -> int:
        return sum(self.terms.values())

    @property
    def is_tuning(self) -> bool:
        """Whether it is of a tune."""
        return "optimiser" in self.terms


def predict(
    architecture: Mapping[str, object], work: Work, correction: Correction = NO_CORRECTION
) -> Estimate:
    """The peak of one kind of work on a model of this architecture.

    Raises:
        LoadError: "unsupported_architecture", where nothing could be counted or traced.
    """
    if work.kind not in KINDS:
        raise UnknownName("kind of work", work.kind, KINDS)
    counts = skeleton_of(architecture)
    resident = {"weights": weight_bytes(counts, work)}
    if work.kind == "load":
        # A layer's masks of positions² are made anew: the last one's own is not written yet, when
        # what it is made from and what is made are there.
        making = 2 * counts["buffer_bytes"] // counts["layers"]
        estimate = Estimate({**resident, "activations": making}, 0, "load")
    elif work.kind == "inference":
        estimate = _answering(architecture, counts, work, resident)
    else:
        estimate = _training(architecture, counts, work, resident)
    return _corrected(_with_libraries(replace(estimate, kind=work.kind), work), correction)


def _with_libraries(estimate: Estimate, work: Work) -> Estimate:
    """On a card, with the workspaces of the thread that goes forward and of the one that goes
    backward; nothing is multiplied to load."""
    if work.device != "cuda" or work.kind == "load":
        return estimate
    threads = 1 if work.kind == "inference" else 2
    each = _WORKSPACE.get(work.capability or "", _WORKSPACE_OF_OTHERS)
    return replace(estimate, terms={**estimate.terms, "libraries": threads * each})


def is_quick(architecture: Mapping[str, object], work: Work) -> bool:
    """Whether `predict` answers at once; it has to trace first, for seconds, where not."""
    kind = {"load": None, "orpo": "lora"}.get(work.kind, work.kind)
    return is_known(
        architecture, kind,
        dtype=work.dtype, device=work.device, targets=work.targets, dora=work.dora,
    )  # fmt: skip


def weight_bytes(counts: Mapping[str, int], work: Work) -> int:
    """Weights and buffers as they lie in memory."""
    itemsize = _ITEMSIZE[work.dtype]
    if work.quantization == "none":
        return counts["parameters"] * itemsize + counts["buffer_bytes"]
    if work.quantization not in _QUANTIZED:
        raise UnknownName("quantisation", work.quantization, _QUANTIZED)
    shrunk = counts["linear_parameters"]
    quantized = shrunk * _QUANTIZED[work.quantization]
    if work.quantization == "int8":
        quantized += 4 * counts["linear_outputs"]
    rest = (counts["parameters"] - shrunk) * itemsize
    return round(quantized + rest) + counts["buffer_bytes"]


def features(batch: int, length: int, kept: float, rank: int) -> tuple[float, ...]:
    """What memory is linear in, as `steps.Shape.features`."""
    tokens = batch * length
    return (1, batch, tokens, tokens * length, batch * kept, rank, rank * tokens)


#: Moments at which all layers still keep what they need.
_ALL_KEPT = ("loss", "head", "last layer")
#: What stands beside the windows in a trace.
_NO_WINDOWS = ("trained", "moments", "chunked", "masked", "dropout")

_CONSTANT, _ROWS, _TOKENS, _SQUARES, _LOGITS, _RANK, _RANK_TOKENS = range(7)


def _parts(
    row: Mapping[str, Sequence[float]], layers: float, quantities: Sequence[float]
) -> list[float]:
    """What each feature brings, at a depth."""
    return [
        (fixed + layers * each) * quantity
        for fixed, each, quantity in zip(row["fixed"], row["per_layer"], quantities, strict=True)
    ]


def _answering(
    architecture: Mapping[str, object],
    counts: Mapping[str, int],
    work: Work,
    resident: dict[str, int],
) -> Estimate:
    traces = coefficients_of(architecture, "inference", dtype=work.dtype, device=work.device)
    prompt = max(1, work.length - work.new_tokens)
    layers = counts["layers"]

    def total(window: str, length: int) -> float:
        return sum(_parts(traces[window], layers, features(work.batch, length, 1, 0)))

    moments = {"prefill": total("prefill", prompt), "decode": total("decode", work.length)}
    moment = max(moments, key=lambda name: moments[name])
    # The trace keeps one row of logits with the cache; `kept` less them is the cache.
    row = work.batch * counts["vocabulary"] * _ITEMSIZE[work.dtype]
    kept = total("kept", work.length if moment == "decode" else prompt)
    held = min(moments[moment], max(0.0, kept - row))
    terms = resident | {"kv_cache": round(held), "activations": round(moments[moment] - held)}
    return Estimate(terms | _unpacked(counts, work), 0, moment)


def _training(
    architecture: Mapping[str, object],
    counts: Mapping[str, int],
    work: Work,
    resident: dict[str, int],
) -> Estimate:
    batch, kept, kind = work.batch, work.kept or work.length, work.kind
    if work.attention == "eager":
        raise LoadError(
            "unsupported_architecture",
            "eager attention keeps scores of length times length, which nothing here counts",
            "eager 어텐션은 길이의 제곱만큼 점수를 남기며, 그 메모리는 예측하지 않습니다",
        )
    if kind == "orpo":  # chosen and rejected rows go through in one batch, every position counts
        batch, kept, kind = 2 * batch, work.length, "lora"
    traces = coefficients_of(
        architecture, kind,
        dtype=work.dtype, device=work.device, targets=work.targets, dora=work.dora,
    )  # fmt: skip
    rank = (work.rank or 16) if kind == "lora" else 0
    alive = _alive_logits(counts, batch * kept) if "chunked" in traces else batch * kept
    sizes = features(batch, work.length, alive / batch, rank)
    alike = (batch == 1 or not work.padded) and not work.packed
    alike = alike and not _is_local(architecture, work.length)
    if alike and _only_masks(traces, _ITEMSIZE[work.dtype]):
        sizes = (*sizes[:_SQUARES], 0, *sizes[_SQUARES + 1 :])
    absent = [traces[name] for name in _absent(work, alike) if name in traces]
    waiting = _waiting_bytes(counts, work, batch * kept - alive)
    if kind == "full" and alive < batch * kept:  # a chunk's gradient of the head joins the others'
        waiting += counts["vocabulary"] * counts["hidden"] * _ITEMSIZE[work.dtype]
    trained = round(sum(_parts(traces["trained"], counts["layers"], sizes)))
    moments = round(sum(_parts(traces["moments"], counts["layers"], sizes)))
    itemsize = 4 if kind == "lora" else _ITEMSIZE[work.dtype]  # peft keeps adapters in float32
    resident = resident | {
        "adapter": trained if kind == "lora" else 0,
        "optimiser": moments_bytes(moments, trained // itemsize, work),
    }
    rows = {
        name: _less(name, row, absent)
        for name, row in traces.items()
        if name not in (*_NO_WINDOWS, *_without_temporaries(work))
    }
    held = dict.fromkeys(_ALL_KEPT, waiting)
    if "chunked" in traces and work.kind != "orpo":  # all hidden states, until the chunks are done
        held["loss"] = held["head"] = waiting + _width(counts, work) * batch * work.length
    forward = rows.get("loss", next(iter(rows.values())))
    windows = {
        name: _window(name, row, counts, work, sizes, forward["fixed"][_TOKENS])
        for name, row in rows.items()
    }
    for name, more in held.items():
        if name in windows:
            windows[name]["activations"] += more
    if work.accumulation > 1:
        windows = {name: _with_gradients(held, trained) for name, held in windows.items()}
    moment = max(windows, key=lambda name: sum(windows[name].values()))
    small = _small_bytes(forward, counts, work, sizes, _key_width(architecture))
    return Estimate(resident | windows[moment] | _unpacked(counts, work), small, moment)


def _absent(work: Work, alike: bool) -> list[str]:
    """What was traced and is not there: a mask's and dropout's part of every token.

    TRL takes dropout out of what it tunes by ORPO.
    """
    named = {"masked": alike, "dropout": work.kind == "orpo" or not work.dropout}
    return [name for name, is_absent in named.items() if is_absent]


def _is_local(architecture: Mapping[str, object], length: int) -> bool:
    """Whether layers see a window only, which takes a mask even of rows of one length."""
    window = architecture.get("sliding_window")
    return isinstance(window, int) and length >= window


def _less(
    name: str, row: Mapping[str, Sequence[float]], absent: Sequence[Mapping[str, Sequence[float]]]
) -> dict[str, list[float]]:
    """A window's coefficients without what is absent: of all layers until the backward pass of
    the first one, where only its own are left."""
    found = {key: list(values) for key, values in row.items()}
    for part in absent:
        if name in _ALL_KEPT:
            found["fixed"][_TOKENS] -= part["fixed"][_TOKENS]
            found["per_layer"][_TOKENS] -= part["per_layer"][_TOKENS]
        elif name == "first layer":
            found["fixed"][_TOKENS] -= part["per_layer"][_TOKENS]
    return found


def _only_masks(traces: Mapping[str, Mapping[str, Sequence[float]]], itemsize: int) -> bool:
    """Whether all that grows with length² is a layer's copy of the mask, which rows of one length
    do without; models that keep their scores hold more of it."""
    return all(row["per_layer"][_SQUARES] <= 1.01 * itemsize for row in traces.values() if row)


def _small_bytes(
    row: Mapping[str, Sequence[float]],
    counts: Mapping[str, int],
    work: Work,
    sizes: Sequence[float],
    key_width: int,
) -> int:
    """What of all layers' activations goes through the C library's heap.

    With checkpointing, too, though one layer's are alive at a time: the gradients that stay lie
    between a layer's pieces, so that the next layer's find no room among them.
    """
    parts = _parts(row, counts["layers"], sizes)
    each = sizes[_TOKENS] * _ITEMSIZE[work.dtype]  # of a piece that is one number wide
    share = _small_share(counts, round(each))
    thin = parts[_RANK_TOKENS] if each * (work.rank or 16) < MAPPED_FROM else 0.0
    if not share and each * key_width < MAPPED_FROM:
        thin += _KEY_PIECES * counts["layers"] * each * key_width
    return max(0, round(share * parts[_TOKENS] + thin))


def _key_width(architecture: Mapping[str, object]) -> int:
    """Numbers in a token's keys, where heads share them; 0 where that is not said."""
    heads, width = architecture.get("num_key_value_heads"), architecture.get("head_dim")
    return heads * width if isinstance(heads, int) and isinstance(width, int) else 0


def _small_share(counts: Mapping[str, int], width_bytes: int) -> float:
    """The share of a step's activations in pieces that are not mapped each by itself.

    Pieces are as wide as the hidden states, which a layer keeps more of, or as its widest matrix.

    Args:
        counts: of the architecture.
        width_bytes: of a piece that is one number wide.
    """
    hidden = counts["hidden"]
    if width_bytes * hidden >= MAPPED_FROM:
        return 0.0
    widest = counts["largest_linear"] // hidden
    return 1.0 if width_bytes * widest < MAPPED_FROM else _AS_WIDE_AS_HIDDEN


def moments_bytes(moments: int, trained: int, work: Work) -> int:
    """The optimiser's state that lies in the memory that is counted.

    bitsandbytes keeps 8-bit moments in blocks of 256 with an fp32 scale each, and 32-bit ones
    whatever the precision of what is tuned. Paged ones lie in memory that the driver moves between
    the card and the machine: a card that is full has none of them.

    Args:
        moments: bytes of torch's AdamW.
        trained: how many numbers are tuned.
        work: its optimiser and device.
    """
    if work.optimizer == "adamw":
        return moments
    if work.optimizer.startswith("paged") and work.device == "cuda":
        return 0
    each = _MOMENT_8BIT if work.optimizer.endswith("8bit") else 4.0
    return round(2 * each * trained)


def _without_temporaries(work: Work) -> tuple[str, ...]:
    """The moment of the step, which bitsandbytes makes in place."""
    return () if work.optimizer == "adamw" else ("step",)


def _with_gradients(held: Mapping[str, int], trained: int) -> dict[str, int]:
    """A moment of a later batch of a step: all gradients are there from the start."""
    return {**held, "gradients": max(held["gradients"], trained)}


def _alive_logits(counts: Mapping[str, int], positions: int) -> int:
    """Positions whose logits are alive at a time: a chunk of them."""
    return min(positions, chunk_rows(counts["vocabulary"]))


def _width(counts: Mapping[str, int], work: Work) -> int:
    """Bytes of one token's hidden state."""
    return counts["hidden"] * _ITEMSIZE[work.dtype]


def _waiting_bytes(counts: Mapping[str, int], work: Work, positions: int) -> int:
    """What positions beyond the chunk at hand hold: a hidden state and its gradient each."""
    return 2 * positions * _width(counts, work)


def _window(
    name: str,
    row: Mapping[str, Sequence[float]],
    counts: Mapping[str, int],
    work: Work,
    sizes: Sequence[float],
    loss_fixed: float,
) -> dict[str, int]:
    """What one moment holds beyond the resident, by what it is."""
    layers: float = counts["layers"]
    kept_inputs = 0.0
    checkpointed = work.checkpointing and name in _ALL_KEPT
    parts = _parts(row, layers, sizes)
    if checkpointed:
        # Each layer keeps its input only; one layer at a time holds all of its own again.
        alone = 1 if name == "last layer" else 0
        kept_inputs = layers * sizes[_TOKENS] * _width(counts, work)
        constant = parts[_CONSTANT]
        parts = _parts(row, alone, sizes)
        # The first layer of an untouched model keeps less than the others, as no gradient goes
        # beyond it: the trace's fixed part lacks that, and no layer lacks its input here.
        kept_inputs += sizes[_TOKENS] * max(0.0, _width(counts, work) - loss_fixed)
        if not work.dora:  # whose constants are unpacked weights that a layer keeps, too
            parts[_CONSTANT] = constant
    gradients = parts[_CONSTANT] + parts[_RANK]
    logits = max(0.0, parts[_LOGITS])
    scratch = sum(parts) - gradients - logits + kept_inputs
    if gradients < 0:  # a rounding of the fit, no memory
        gradients, scratch = 0.0, scratch + gradients
    return {
        "gradients": round(gradients),
        "logits": round(logits),
        "activations": max(0, round(scratch)),
    }


def _unpacked(counts: Mapping[str, int], work: Work) -> dict[str, int]:
    """Quantised weights are unpacked one matrix at a time, to be multiplied with."""
    if work.quantization == "none":
        return {}
    if work.dora and work.dtype == "float32" and not work.checkpointing:
        # The trace had them as they are; quantised, DoRA keeps each layer's unpacked.
        return {"unpacked": counts["linear_parameters"] * 4}
    return {"unpacked": counts["largest_linear"] * _ITEMSIZE[work.dtype]}


def _corrected(estimate: Estimate, correction: Correction) -> Estimate:
    if correction is NO_CORRECTION:
        return estimate
    more = 0
    if estimate.kind == "inference":
        more = correction.answering_bytes
    if estimate.is_tuning:
        more = correction.tuning_bytes + round(correction.kept_share * estimate.small_bytes)
        more += correction.orpo_bytes if estimate.kind == "orpo" else 0
    return replace(estimate, terms={**estimate.terms, "machine": correction.overhead_bytes + more})
