"""Liger's fused kernels for norms, rotary positions and the MLP: an option, never needed.

The loss stays the one made in chunks here, which needs no logits of all positions either.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING

from model_registry.errors import LoadError, OhloraError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_MODULE = "liger_kernel.transformers.monkey_patch"


def check_fused_kernels(name: str, device: str) -> None:
    """Whether fused kernels work here, asked before a model is loaded.

    Raises:
        LoadError: "unsupported_device".
    """
    if name == "none":
        return
    if importlib.util.find_spec("liger_kernel") is None:
        raise LoadError.of("liger_not_installed")
    if device != "cuda":
        raise LoadError.of("liger_needs_card")


def fuse(model: PreTrainedModel, name: str) -> None:
    """Put the kernels into a model, before LoRA is put in.

    Raises:
        LoadError: they do not work here.
        OhloraError: there are none for this type of model.
    """
    if name == "none":
        return
    check_fused_kernels(name, model.device.type)
    kernels = importlib.import_module(_MODULE)
    kind = model.config.model_type
    if kind not in kernels.MODEL_TYPE_TO_APPLY_LIGER_FN:
        raise OhloraError(
            f"Liger has no kernels for a model of type {kind}: leave --fused-kernels out.",
            f"Liger에 {kind} 모델용 커널이 없습니다. --fused-kernels를 빼세요.",
        )
    kernels._apply_liger_kernel_to_instance(
        model=model, cross_entropy=False, fused_linear_cross_entropy=False
    )
