"""What can't work in a tune, found out without weights: before anything is fetched or loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from benchmarks.study.tuning_settings import TuningSettings, step_counts
from benchmarks.workloads.optimisation import attend
from model_registry.errors import OhloraError
from model_registry.weights.lora import check_rank, layer_names, named_layers, no_such_layers

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def check_settings(
    settings: TuningSettings, *, quantization: str, device: str, rows: int | None = None
) -> None:
    """Refuse settings that don't go together.

    Args:
        settings: of the tune.
        quantization: of its base.
        device: where it is done, cpu or cuda.
        rows: that a tune learns, None where they are not known yet.

    Raises:
        OhloraError: it names what to change.
    """
    if settings.dora and quantization == "int8" and device == "cpu":
        raise OhloraError(
            "DoRA can't tune int8 weights on a processor: peft loses their scales there. Use "
            "--quantization nf4, or leave --dora out.",
            "프로세서에서는 int8 가중치를 DoRA로 튜닝할 수 없습니다(peft가 스케일을 잃습니다). "
            "--quantization nf4를 쓰거나 --dora를 빼세요.",
        )
    steps = settings.max_steps if rows is None else step_counts(rows, settings)[1]
    if steps:
        check_warm_up(settings, steps)


def check_warm_up(settings: TuningSettings, steps: int) -> None:
    """Refuse a warm-up after which no step is left: the learning rate would never be reached.

    Raises:
        OhloraError: with the number of steps.
    """
    if settings.warmup_steps and settings.warmup_steps >= steps:
        raise OhloraError(
            f"The warm-up takes {settings.warmup_steps} steps and the tune has {steps}: its "
            "learning rate would never be reached. Use a smaller --warmup-steps or more "
            "--epochs.",
            f"워밍업이 {settings.warmup_steps}스텝인데 튜닝은 {steps}스텝뿐이라 학습률에 이르지 "
            "못합니다. --warmup-steps를 줄이거나 --epochs를 늘리세요.",
        )


def check_layers(architectures: Iterable[Mapping[str, object]], targets: str) -> None:
    """Refuse names of layers that none of these architectures has.

    Raises:
        LoadError: with the names that there are.
    """
    if not named_layers(targets):
        return
    known: set[str] = set()
    for values in architectures:
        model = model_without_weights(values)
        if model is None:
            return
        known |= layer_names(model)
    _check_names(targets, known)


def _check_names(targets: str, known: set[str]) -> None:
    if unknown := [name for name in named_layers(targets) if name not in known]:
        raise no_such_layers(unknown, known)


def check_model(values: Mapping[str, object], settings: TuningSettings, rank: int) -> None:
    """Refuse what a model of this architecture can't do: layers, rank, attention.

    Raises:
        OhloraError: it names what to change.
    """
    model = model_without_weights(values)
    if model is None:
        return
    _check_names(settings.lora_targets, layer_names(model))
    check_rank(model, rank)
    if settings.attention != "auto":
        attend(model, settings.attention)


def model_without_weights(values: Mapping[str, object]) -> PreTrainedModel | None:
    """The model on the meta device; None where it can't be built so: loading it will say why."""
    import torch

    # It imports torch, which no plan of a run without named layers needs.
    from model_registry.memory.trace import on_meta

    if not values:
        return None
    try:
        return on_meta(values, torch.float32)
    except Exception:  # noqa: BLE001 - any class of any architecture may say no in its own way
        return None
