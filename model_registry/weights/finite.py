"""Checks for NaN and infinity: in weights, and in logits during generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_registry.errors import NotFinite

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def check_finite(model: PreTrainedModel) -> None:
    """Check every weight for NaN and infinity, taking no memory for it.

    Raises:
        NotFinite: one holds NaN or infinity; it is named.
    """
    import torch

    for name, parameter in model.named_parameters():
        if not parameter.is_floating_point() or parameter.is_meta:
            continue
        with torch.no_grad():
            total = parameter.sum(dtype=torch.float32)  # NaN and infinity both stay in it
        if not torch.isfinite(total):
            raise NotFinite(
                f"the weights hold NaN or infinity ({name}): their file is damaged, or "
                f"{_precision(parameter)} can't hold them. Fetch them again, or use --dtype "
                "float32.",
                f"가중치에 NaN 또는 무한대가 있습니다({name}): 파일이 손상됐거나 "
                f"{_precision(parameter)}(으)로 담을 수 없는 값입니다. 다시 내려받거나 "
                "--dtype float32를 쓰세요.",
            )


def _precision(parameter: torch.Tensor) -> str:
    return str(parameter.dtype).removeprefix("torch.")


class LogitsWatch:
    """A logits processor that changes nothing and records whether any logit was NaN.

    It waits for the device at the first token, so that none is shown of a model that computes
    nothing, and then not while tokens are made; `check` does, once they are.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._seen: torch.Tensor | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        found = scores.isnan().any()
        if self._seen is None:
            self._seen = found
            self.check()
        self._seen = self._seen | found
        return scores

    def check(self) -> None:
        """Raise if any logit was NaN.

        Raises:
            NotFinite: a logit was NaN; the weights are named where they are the cause.
        """
        if self._seen is None or not bool(self._seen):
            return
        check_finite(self._model)
        raise NotFinite(
            "the model computes NaN instead of an answer: its precision overflows. Use --dtype "
            "bfloat16 or float32.",
            "모델의 답변 계산이 NaN이 됩니다: 정밀도가 넘칩니다. --dtype bfloat16 또는 "
            "float32를 쓰세요.",
        )
