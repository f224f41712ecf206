"""What can't work in a tune, found out without weights: before anything is fetched or loaded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from benchmarks.study.tuning_settings import TuningSettings, step_counts
from benchmarks.workloads.optimisation import attend
from benchmarks.workloads.packing import check_packs
from model_registry.architectures.architecture import shrunk
from model_registry.architectures.model_config import build_config
from model_registry.errors import OhloraError
from model_registry.memory.fit import Work
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
        more = "--max-steps" if settings.max_steps == steps else "--epochs"
        raise OhloraError(
            f"The warm-up takes {settings.warmup_steps} steps and the tune has {steps}: its "
            f"learning rate would never be reached. Use a smaller --warmup-steps or more {more}.",
            f"워밍업이 {settings.warmup_steps}스텝인데 튜닝은 {steps}스텝뿐이라 학습률에 이르지 "
            f"못합니다. --warmup-steps를 줄이거나 {more} 값을 늘리세요.",
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
    """Refuse what a model of this architecture can't do: layers, rank, attention, packed rows.

    Raises:
        OhloraError: it names what to change.
    """
    model = model_without_weights(values)
    if model is None:
        return
    _check_names(settings.lora_targets, layer_names(model))
    packs = settings.batch_size if settings.packing else 0
    _check_abilities(model, values, rank, settings.attention, packs)


def check_work(values: Mapping[str, object], work: Work) -> None:
    """As `check_model`, without the layers, of a tune that is predicted; quick where it is usual.

    Raises:
        OhloraError: the same.
    """
    if work.kind not in ("lora", "full", "orpo"):
        return
    rank = None if work.kind == "full" else work.rank
    width = values.get("hidden_size")
    if rank and isinstance(width, int) and rank <= width:  # some layer is as wide at both ends
        rank = None
    packs = work.batch if work.packed else 0
    if not rank and not packs and work.attention == "auto":
        return
    if problem := _problem(json.dumps(dict(values)), rank, work.attention, packs):
        raise problem


def check_elsewhere(values: Mapping[str, object], work: Work) -> None:
    """As `check_work`, for another machine, where flash attention may be installed.

    Raises:
        OhloraError: the same.
    """
    flash = work.attention == "flash_attention_2"
    check_work(values, replace(work, attention="auto") if flash else work)


def check_works(
    tunes: Iterable[tuple[Mapping[str, object], Work]],
    check: Callable[[Mapping[str, object], Work], None],
) -> None:
    """Refuse tunes of which `check` refuses every one; each is an architecture and its work.

    Raises:
        OhloraError: what is wrong with the first of them.
    """
    refused = []
    for values, work in tunes:
        try:
            check(values, work)
        except OhloraError as error:
            refused.append(error)
        else:
            return
    if refused:
        raise refused[0]


@cache
def _problem(architecture: str, rank: int | None, attention: str, packs: int) -> OhloraError | None:
    values = json.loads(architecture)
    model = model_without_weights(values)
    if model is None:
        return None
    try:
        _check_abilities(model, values, rank, attention, packs)
    except OhloraError as error:
        return error
    return None


def _check_abilities(
    model: PreTrainedModel,
    values: Mapping[str, object],
    rank: int | None,
    attention: str,
    packs: int,
) -> None:
    """Refuse a rank, an attention, or so many packed rows in a batch (0: none are packed)."""
    if rank is not None:
        check_rank(model, rank)
    if attention != "auto":
        attend(model, attention)
    small = _small(values, attention) if packs else None
    if small is not None:  # the model itself is asked again when it is loaded
        check_packs(small, packs)


def _small(values: Mapping[str, object], attention: str) -> PreTrainedModel | None:
    """A small model of the architecture; None where it can't be built."""
    import torch
    from transformers import AutoModelForCausalLM

    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            config = build_config(shrunk(dict(values), None))
            model = AutoModelForCausalLM.from_config(
                config, dtype=torch.float32, trust_remote_code=False
            )
        if attention != "auto":
            model.set_attn_implementation(attention)
    except Exception:  # noqa: BLE001 - as for `model_without_weights`
        return None
    made: PreTrainedModel = model
    return made


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
