"""How a model is tuned, as options: the same for `ohlora run`, `ohlora tune` and `ohlora fit`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated

import typer
from typer.models import OptionInfo

from benchmarks.study.contract import lora_targets
from benchmarks.study.tuning_settings import (
    ATTENTIONS,
    FUSED_KERNELS,
    OPTIMIZERS,
    ROW_ORDERS,
    SCHEDULES,
    TOO_LONG,
)
from commands.shared.option_class import option
from commands.shared.options import choice, ranged
from model_registry.files.json_values import JsonDict
from model_registry.language import text


def _number(name: str, english: str, korean: str) -> OptionInfo:
    return option(english, korean, callback=ranged(name))


def _one_of(known: tuple[str, ...], english: str, korean: str) -> OptionInfo:
    listed = ", ".join(known)
    return option(f"{english}: {listed}.", f"{korean}: {listed}.", callback=choice(known))


def _names_layers(value: str | None) -> str | None:
    """A check of LoRA's targets: at least one name."""
    if value is not None and not lora_targets(value):
        raise typer.BadParameter(
            text(
                "it names no layer: all-linear, or q_proj,v_proj",
                "레이어가 없습니다. all-linear나 q_proj,v_proj처럼 적으세요",
            )
        )
    return value


Epochs = Annotated[int | None, _number("epochs", "Times over all rows.", "전체 행을 도는 횟수.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningOptions:
    """What may be said of a tune; None is what the study or the defaults say."""

    epochs: Epochs = None
    max_length: Annotated[
        int | None,
        _number("max_length", "Tokens that a training row may have.", "학습 행의 최대 토큰 수."),
    ] = None
    too_long: Annotated[
        str | None,
        _one_of(
            TOO_LONG,
            "Longer rows (cut takes the answer's end off)",
            "더 긴 행의 처리(cut은 답변 끝을 자름)",
        ),
    ] = None
    quantization: Annotated[
        str | None, _one_of(("int8", "nf4"), "Of the base", "베이스 모델의 양자화")
    ] = None
    batch_size: Annotated[
        int | None, _number("batch_size", "Rows in memory at a time.", "한 번에 올리는 행 수.")
    ] = None
    gradient_accumulation: Annotated[
        int | None, _number("gradient_accumulation", "Batches a step.", "스텝마다 모으는 배치 수.")
    ] = None
    gradient_checkpointing: Annotated[
        bool | None,
        option(
            "Keep each layer's input only: less memory, a third more time.",
            "각 층의 입력만 보관합니다. 메모리가 줄고 시간이 3분의 1쯤 늘어납니다.",
        ),
    ] = None
    learning_rate: Annotated[
        float | None,
        _number(
            "learning_rate",
            "For candidates that declare none.",
            "후보가 정하지 않았을 때의 학습률.",
        ),
    ] = None
    schedule: Annotated[str | None, _one_of(SCHEDULES, "Of the learning rate", "학습률 일정")] = (
        None
    )
    warmup_steps: Annotated[
        int | None,
        _number("warmup_steps", "Steps up to the learning rate.", "학습률까지 올리는 스텝 수."),
    ] = None
    max_steps: Annotated[
        int | None, _number("max_steps", "End after so many steps.", "이만큼의 스텝 뒤에 끝냅니다.")
    ] = None
    patience: Annotated[
        int | None,
        _number(
            "patience",
            "End after so many epochs without a lower validation loss.",
            "검증 손실이 이만큼의 에폭 동안 낮아지지 않으면 끝냅니다.",
        ),
    ] = None
    optimizer: Annotated[
        str | None,
        _one_of(
            OPTIMIZERS, "The others are bitsandbytes'", "adamw 외에는 bitsandbytes의 옵티마이저"
        ),
    ] = None
    row_order: Annotated[
        str | None,
        _one_of(
            ROW_ORDERS,
            "By length is faster on mixed rows, and takes other steps",
            "length는 길이가 비슷한 행끼리 묶어 빠르지만 스텝이 달라집니다",
        ),
    ] = None
    attention: Annotated[
        str | None, _one_of(ATTENTIONS, "Implementation of attention", "어텐션 구현")
    ] = None
    packing: Annotated[
        bool | None,
        option(
            "Several rows in one of up to --max-length tokens: fewer steps.",
            "여러 행을 --max-length까지 한 행으로 묶습니다. 스텝 수가 줄어듭니다.",
        ),
    ] = None
    fused_kernels: Annotated[
        str | None, _one_of(FUSED_KERNELS, "Of Liger, on a card", "그래픽카드에서 쓰는 Liger 커널")
    ] = None
    lora_targets: Annotated[
        str | None,
        option(
            "Layers: all-linear, or q_proj,v_proj.",
            "LoRA를 붙일 층: all-linear, q_proj,v_proj",
            callback=_names_layers,
        ),
    ] = None
    lora_alpha: Annotated[int | None, _number("lora_alpha", "Of LoRA.", "LoRA의 alpha.")] = None
    lora_dropout: Annotated[
        float | None, _number("lora_dropout", "Of LoRA.", "LoRA의 dropout.")
    ] = None
    rslora: Annotated[
        bool | None, option("Scale by alpha / sqrt(rank).", "alpha / sqrt(rank)로 스케일합니다.")
    ] = None
    dora: Annotated[
        bool | None, option("Tune magnitude and direction apart.", "크기와 방향을 따로 튜닝합니다.")
    ] = None
    tune_seed: Annotated[
        int | None,
        option(
            "Of the order, dropout and adapter.",
            "순서, dropout, 어댑터의 시드(seed).",
            callback=ranged("seed"),
        ),
    ] = None

    def given(self) -> JsonDict:
        """What was said, by the names of `TuningSettings`; quantisation stands beside them."""
        said = {field.name: getattr(self, field.name) for field in fields(TuningOptions)}
        said["seed"] = said.pop("tune_seed")
        del said["quantization"]
        return {name: value for name, value in said.items() if value is not None}
