"""Counts parameters from architecture values, on the meta device."""

from __future__ import annotations

from collections.abc import Mapping

from model_registry.architectures.model_config import build_config
from model_registry.errors import LoadError


def count_parameters(architecture: Mapping[str, object]) -> int:
    """The parameters of the causal language model with these values; tied weights count once.

    Buffers (rotary frequencies, causal masks) are no parameters and are not counted.

    Args:
        architecture: `model_type` and the values of its configuration, as a catalog holds them.

    Raises:
        LoadError: "unsupported_architecture", where transformers has no such language model.
    """
    import torch
    from transformers import AutoModelForCausalLM

    if "model_type" not in architecture:
        raise LoadError.of("no_model_type")
    config = build_config(architecture)
    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except ValueError as error:
        raise LoadError.of("not_buildable", model_type=config.model_type) from error
    # Several names of one tensor are one parameter: `parameters()` yields each tensor once.
    return sum(parameter.numel() for parameter in model.parameters())
