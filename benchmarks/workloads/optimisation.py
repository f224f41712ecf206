"""Optimiser, learning-rate schedule, NaN losses; the options are in study/tuning_settings.py."""

from __future__ import annotations

import importlib.util
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from benchmarks.study.tuning_settings import TuningSettings
from benchmarks.workloads.answer_loss import Batch, answer_loss
from benchmarks.workloads.packing import check_packs
from model_registry.architectures.fused_kernels import fuse
from model_registry.errors import LoadError, NotFinite, OhloraError
from model_registry.weights.finite import check_finite

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

#: bitsandbytes' classes.
_OF_BITSANDBYTES = {
    "adamw_8bit": "AdamW8bit",
    "paged_adamw": "PagedAdamW32bit",
    "paged_adamw_8bit": "PagedAdamW8bit",
}


class NanLoss(NotFinite):
    """The loss became NaN or infinite, so that further steps would only spoil the weights."""


def make_optimiser(
    parameters: Sequence[torch.nn.Parameter], settings: TuningSettings, rate: float
) -> torch.optim.Optimizer:
    """AdamW without weight decay: torch's, or one of bitsandbytes'.

    Raises:
        LoadError: "unsupported_device", where bitsandbytes is not installed.
    """
    import torch

    name = settings.optimizer
    if name == "adamw":
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=0.0)
    check_optimizer(name)
    import bitsandbytes

    made: torch.optim.Optimizer = getattr(bitsandbytes.optim, _OF_BITSANDBYTES[name])(
        parameters, lr=rate, weight_decay=0.0
    )
    return made


def check_optimizer(name: str) -> None:
    """Whether an optimiser works here, asked before a model is loaded.

    Raises:
        LoadError: "unsupported_device".
    """
    if name == "adamw":
        return
    if importlib.util.find_spec("bitsandbytes") is None:
        raise LoadError(
            "unsupported_device",
            f'{name} needs bitsandbytes, which is not installed: pip install -e ".[quant]".',
            f'{name}에는 bitsandbytes가 필요합니다: pip install -e ".[quant]".',
        )


def rate_share(done: int, steps: int, settings: TuningSettings) -> float:
    """What the learning rate of the step after `done` ones is of the highest.

    The schedules of transformers' `get_scheduler` of the same names, with their warm-up.
    """
    warm_up = settings.warmup_steps
    if done < warm_up:
        return done / warm_up
    progress = (done - warm_up) / max(1, steps - warm_up)
    if settings.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * progress))
    return 1.0 if settings.schedule == "constant" else max(0.0, 1 - progress)


def steps_of(batches: Sequence[Batch], per_epoch: int, together: int) -> list[list[Batch]]:
    """Batches grouped to steps: `together` of them each, the last of an epoch what is left."""
    return [
        list(batches[start : min(start + together, epoch + per_epoch)])
        for epoch in range(0, len(batches), per_epoch)
        for start in range(epoch, min(epoch + per_epoch, len(batches)), together)
    ]


def accumulate(model: PreTrainedModel, batches: Sequence[Batch]) -> torch.Tensor:
    """Gradients of the mean loss over all labelled tokens of a step's batches; that loss.

    A batch counts by its labelled tokens, so that a step of many batches is that of one large one.
    """
    if len(batches) == 1:
        loss = answer_loss(model, batches[0])
        loss.backward()
        return loss.detach()
    labelled = sum(len(batch.positions) for batch in batches)
    parts = []
    for batch in batches:
        part = answer_loss(model, batch) * (len(batch.positions) / labelled)
        part.backward()
        parts.append(part.detach())
    total: torch.Tensor = sum(parts[1:], parts[0])
    return total


class Stepper:
    """Takes the steps of a tune without waiting for the device: losses stay there until read.

    Nothing is learnt of a step whose loss or gradient is no number, nor of any after it: their
    gradients count as zero, so that the weights are still numbers when the losses are read. The
    loss of such a step is read as NaN.
    """

    def __init__(self, model: PreTrainedModel, settings: TuningSettings, rate: float) -> None:
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimiser = make_optimiser(self.parameters, settings, rate)
        self._model, self._max_norm = model, settings.max_grad_norm
        self._losses: list[torch.Tensor] = []
        self._failed: torch.Tensor | None = None

    def take(self, together: Sequence[Batch], rate: float) -> None:
        """One step on the mean loss of these batches, at this learning rate."""
        import torch

        for group in self.optimiser.param_groups:
            group["lr"] = rate
        loss = accumulate(self._model, together)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self._max_norm)
        failed = ~(loss.isfinite() & norm.isfinite())
        self._failed = failed if self._failed is None else self._failed | failed
        if loss.device.type != "cpu" or bool(self._failed):  # a CPU has nothing to wait for
            for parameter in self.parameters:
                if parameter.grad is not None:
                    parameter.grad.masked_fill_(self._failed, 0.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self._losses.append(loss.masked_fill(failed, math.nan))

    def read(self) -> list[float]:
        """The losses of the steps since it was last asked, each before its step's update."""
        import torch

        losses: list[float] = torch.stack(self._losses).tolist() if self._losses else []
        self._losses.clear()
        return losses


def check_losses(
    model: PreTrainedModel, losses: Sequence[float], rate: float, before: int = 0
) -> None:
    """Look through losses that were read, those of the steps after `before`.

    Raises:
        NanLoss: one is no number.
    """
    for step, loss in enumerate(losses, start=before + 1):
        if not math.isfinite(loss):
            raise nan_loss(model, loss, step, rate)


def nan_loss(model: PreTrainedModel, value: float, step: int, rate: float) -> NanLoss:
    """The error for a loss that is no number, with its cause: the weights, or the steps."""
    english = f"the loss is {value} at step {step} (learning rate {rate:g})"
    korean = f"{step}번째 스텝의 손실이 {value}입니다(학습률 {rate:g})"
    try:
        check_finite(model)
    except NotFinite as error:
        if step == 1:
            return NanLoss(f"{english}: {error}", f"{korean}: {error.korean}")
    return NanLoss(
        f"{english}: try a smaller learning rate, or --dtype bfloat16 or float32",
        f"{korean}: 학습률을 낮추거나 --dtype bfloat16 또는 float32를 써 보세요",
    )


def is_patience_over(losses: Sequence[float], patience: int) -> bool:
    """Whether so many epochs in a row brought no valid loss below the lowest before them."""
    return 0 < patience < len(losses) and min(losses[-patience:]) >= min(losses[:-patience])


def no_valid_rows(where: str) -> OhloraError:
    """The error for a patience without rows that it could watch."""
    return OhloraError(
        f"--patience waits for a lower validation loss, and {where} has no valid rows: add "
        "some (a column split), or leave it out.",
        f"--patience는 검증 손실을 봅니다. {where}에는 검증(valid) 행이 없습니다. "
        "split 열로 추가하거나 --patience를 빼세요.",
    )


class EarlyStopping:
    """Keeps what was learnt by the epoch with the lowest valid loss: in a file, for memory is
    measured. With a patience of 0 nothing is ended, kept or brought back."""

    def __init__(self, parameters: Sequence[torch.nn.Parameter], patience: int) -> None:
        self._parameters, self._patience = parameters, patience
        self._losses: list[float] = []
        self.best_step = 0  # the last of the best epoch; 0 before there is one
        self._folder = tempfile.TemporaryDirectory()

    @property
    def _best(self) -> Path:
        return Path(self._folder.name) / "best.safetensors"

    def is_over(self, loss: float, step: int) -> bool:
        """Whether the tune ends with the epoch that has this valid loss and ends with this step."""
        from safetensors.torch import save_file

        if not self._losses or loss < min(self._losses):
            kept = {str(n): p.detach().contiguous() for n, p in enumerate(self._parameters)}
            save_file(kept, self._best)
            self.best_step = step
        self._losses.append(loss)
        return is_patience_over(self._losses, self._patience)

    def __enter__(self) -> EarlyStopping:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: object, __: TracebackType | None
    ) -> None:
        if kind is None and self._losses:
            self._bring_back()
        self._folder.cleanup()

    def _bring_back(self) -> None:
        import torch
        from safetensors import safe_open

        with torch.no_grad(), safe_open(self._best, framework="pt") as kept:
            for number, parameter in enumerate(self._parameters):
                parameter.copy_(kept.get_tensor(str(number)))


def prepare(model: PreTrainedModel, settings: TuningSettings) -> None:
    """Set attention and checkpointing, before LoRA is put in.

    Raises:
        OhloraError: the model can't do what is asked for.
    """
    if settings.attention != "auto":
        attend(model, settings.attention)
    if settings.packing:
        check_packs(model, settings.batch_size)
    fuse(model, settings.fused_kernels)
    if not settings.gradient_checkpointing:
        return
    if not model.supports_gradient_checkpointing:
        kind = model.config.model_type
        raise OhloraError(
            f"A model of type {kind} can't be checkpointed: leave --gradient-checkpointing "
            "out, or use a smaller --batch-size.",
            f"{kind} 모델은 그래디언트 체크포인팅을 지원하지 않습니다. "
            "--gradient-checkpointing을 빼거나 --batch-size를 줄이세요.",
        )
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


def attend(model: PreTrainedModel, name: str) -> None:
    """Set the implementation of attention.

    Raises:
        OhloraError: the model can't use it here.
    """
    try:
        model.set_attn_implementation(name)
    except (ValueError, ImportError) as error:
        kind = model.config.model_type
        others = [each for each in ("sdpa", "eager", "auto") if each != name]
        listed = " or ".join([", ".join(others[:-1]), others[-1]])
        raise OhloraError(
            f"A model of type {kind} can't use the attention {name} here. Use --attention "
            f"{listed}.",
            f"{kind} 모델은 여기서 어텐션 {name}을(를) 쓸 수 없습니다. --attention에 "
            f"{', '.join(others)} 가운데 하나를 쓰세요.",
        ) from error
