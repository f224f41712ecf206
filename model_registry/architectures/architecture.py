"""A candidate's architecture values, as in its catalog or shrunk to a tiny model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from model_registry.architectures.cures import cured
from model_registry.candidate import Candidate
from model_registry.errors import LoadError

#: What replaces an architecture's own values at scale "tiny", wherever it has a value of that name.
_TINY: dict[str, object] = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "head_dim": 16,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 2048,
    # mixtures of experts
    "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4, "moe_num_experts": 4,
    "num_experts_per_tok": 2, "moe_k": 2, "moe_intermediate_size": 32, "n_shared_experts": 1,
    "moe_num_shared_experts": 1, "num_shared_experts": 1, "shared_expert_intermediate_size": 32,
    "n_group": 1, "topk_group": 1, "first_k_dense_replace": 1, "num_dense_layers": 1,
    "mlp_only_layers": [], "mlp_layer_types": None,
    # latent attention
    "q_lora_rank": 16, "kv_lora_rank": 16, "qk_nope_head_dim": 16, "qk_rope_head_dim": 8,
    "v_head_dim": 16,
    # windows, one kind a layer, and positions that were stretched
    "sliding_window": 64, "layer_types": None, "no_rope_layers": None, "rope_scaling": None,
    "query_pre_attn_scalar": 16,
    # recurrent ones
    "mamba_n_heads": 8, "mamba_d_head": 16, "mamba_d_ssm": 128, "mamba_d_state": 16,
    "mamba_n_groups": 1, "attention_hidden_size": 64, "context_length": 2048,
    "conv_dim": 64, "block_dim": 64, "block_ff_dim": 128,
}  # fmt: skip

#: What an architecture of a model type needs besides, whether or not it has a value of that name.
_TINY_OF: dict[str, dict[str, object]] = {
    "gemma": {"num_key_value_heads": 1},
    "gpt_neox": {"num_key_value_heads": 4},
    "opt": {"word_embed_proj_dim": 32, "ffn_dim": 128},
    "gpt_neo": {
        "num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]],
        "bos_token_id": 0, "eos_token_id": 0,
    },
    "deepseek_v2": {
        "head_dim": 8, "num_key_value_heads": 4,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    },
    "deepseek_v3": {
        "head_dim": 8, "num_key_value_heads": 4,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    },
    "lfm2": {"layer_types": ["conv", "full_attention"], "full_attn_idxs": None},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"]},
    "phi3": {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}},
    "granitemoehybrid": {"layer_types": ["mamba", "attention"]},
    "qwen3_5_text": {"layer_types": ["linear_attention", "full_attention"]},
    "qwen3_next": {"layer_types": ["linear_attention", "full_attention"]},
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 2048},
}  # fmt: skip


def architecture_values(
    candidate: Candidate, scale: str = "full", vocab_size: int | None = None
) -> dict[str, object]:
    """The architecture's values, shrunk at scale "tiny" (to `vocab_size` tokens, if given).

    Raises:
        LoadError: the catalog knows no architecture for this candidate.
    """
    if not candidate.architecture:
        status = "needs_remote_code" if candidate.needs_remote_code else "unsupported_architecture"
        note = candidate.parameters_note or "its catalog entry has no architecture"
        raise LoadError(status, f"{candidate.name} can't be built from its architecture: {note}")
    values = cured(candidate.architecture, candidate.cure)
    return values if scale == "full" else shrunk(values, vocab_size)


def shrunk(values: dict[str, object], vocab_size: int | None) -> dict[str, object]:
    """The same architecture as a model of a second; `values` are changed."""
    model_type = str(values["model_type"])
    there = {*values, *own_names(model_type)}
    values |= {name: value for name, value in _TINY.items() if name in there}
    values |= _TINY_OF.get(model_type, {})
    if vocab_size is not None:
        values["vocab_size"] = vocab_size
    return values


@cache
def own_names(model_type: str) -> frozenset[str]:
    """The values that a model type has where an architecture leaves them out."""
    from transformers import AutoConfig

    try:
        return frozenset(AutoConfig.for_model(model_type).to_dict())
    except ValueError:  # not known: `build_config` says so
        return frozenset()


def declared_architecture(candidate: Candidate) -> Mapping[str, object]:
    """What is known of a candidate's architecture without loading it: its catalog's values, or
    those of the folder it is in; empty where neither says."""
    if candidate.architecture or candidate.path is None:
        return candidate.architecture or {}
    try:
        text = Path(candidate.path, "config.json").read_text(encoding="utf-8")
        return dict(json.loads(text))
    except (OSError, ValueError):
        return {}
