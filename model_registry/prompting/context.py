"""A model's context length, and problems of prompts that exceed it.

A prompt that fills the context is refused before anything is generated; where only the answer might
not fit, it gets what is left. Beyond its context a model answers noise, or its table of positions
ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from model_registry.language import text

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

#: As configurations name it, the one that counts first.
_NAMES = (
    "max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len", "seq_length",
    "n_ctx",
)  # fmt: skip
EXCEEDED = "context_exceeded"  # the problem of a reply that was never begun
FULL = "context_full"  # of one that was cut where the context ended


def context_length(config: PreTrainedConfig) -> int | None:
    """The most tokens of prompt and answer together; None for models that read without end."""
    if getattr(config, "model_type", "") == "rwkv":
        return None  # its state has one size, however much was read
    inner = config.get_text_config() if hasattr(config, "get_text_config") else config
    return _first(getattr(inner, name, None) for name in _NAMES)


def context_of(architecture: Mapping[str, object]) -> int | None:
    """As `context_length`, from an architecture's values alone; None where they have none."""
    if architecture.get("model_type") == "rwkv":
        return None
    inner = architecture.get("text_config")
    values = inner if isinstance(inner, Mapping) else architecture
    return _first(values.get(name) for name in _NAMES)


def looks_back(name: str, context: int) -> str:
    """Says that a candidate's context limits the rows that it is tuned on."""
    return text(
        f"{name} looks back on {context} tokens: no row may have more.",
        f"{name}의 문맥 길이는 {context}토큰입니다. 더 긴 행은 쓸 수 없습니다.",
    )


def _first(values: Iterable[object]) -> int | None:
    return next((v for v in values if isinstance(v, int) and v > 0), None)
