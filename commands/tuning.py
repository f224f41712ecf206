"""Commands for the chosen model: tune, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.tune import tune_candidate
from commands.shared.console import out
from commands.shared.options import Base, Device, Dtype, Epochs, MaxLength, Rank, TooLong, Weights
from commands.shared.user_registry import registry
from model_registry.files.output import check_file
from model_registry.language import text
from model_registry.weights.export import export as merge
from model_registry.weights.gguf import convert, find_converter
from model_registry.weights.quantization import check_available
from rows.reading import read_data

MOST_CALIBRATED = 256  # rows; more of them change the rounding little


def tune(
    name: str,
    data: Annotated[Path, typer.Option(help=text("Rows to learn.", "학습할 데이터."))],
    out_dir: Annotated[Path, typer.Option("--out", help=text("For the adapter.", "어댑터 폴더."))],
    rank: Rank = 16,
    epochs: Epochs = 3,
    weights: Weights = "auto",
    device: Device = "auto",
    dtype: Dtype = "auto",
    max_length: MaxLength = None,
    too_long: TooLong = "refuse",
) -> None:
    """Tune with LoRA over all rows; the same command goes on after a kill."""
    done = tune_candidate(
        name, data, out_dir, registry(), rank=rank, epochs=epochs, weights=weights,
        device=device, console=out,
        dtype=dtype, max_length=max_length, too_long=too_long or "refuse",
    )  # fmt: skip
    out.print(
        text(
            f'Tuned: {done}\n  ohlora ask {done} "…"\n  ohlora export {done} --out MODEL',
            f'튜닝 완료: {done}\n  ohlora ask {done} "…"\n  ohlora export {done} --out MODEL',
        ),
        highlight=False,
        soft_wrap=True,
    )


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    out_dir: Annotated[Path, typer.Option("--out", help=text("For the model.", "모델 폴더."))],
    quantization: Annotated[
        str | None,
        typer.Option(help=text("int8, nf4 or gptq: write it quantised.",
                               "int8, nf4, gptq: 양자화해서 씁니다."),),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help=text("Rows that gptq is calibrated on.", "gptq 보정에 쓸 데이터.")),
    ] = None,
    weights: Weights = "auto",
    dtype: Dtype = "auto",
    base: Base = None,
    gguf: Annotated[
        Path | None,
        typer.Option(help=text("Write this GGUF file too.", "이 GGUF 파일도 씁니다.")),
    ] = None,
) -> None:  # fmt: skip
    """Write a whole model that transformers, vLLM and others load."""
    if quantization is not None:
        check_available(quantization)
    if gguf is not None:
        find_converter()
        check_file(gguf, "--gguf")
    if quantization == "gptq" and data is None:
        raise typer.BadParameter("gptq needs --data, rows to calibrate on")
    rows = [] if data is None else read_data(data).of("train")[:MOST_CALIBRATED]
    texts = [f"{row.prompt} {row.reply}" for row in rows]
    done = merge(
        folder, out_dir, registry(), source=weights, method=quantization, calibration=texts,
        dtype=dtype, base_folder=base,
    )  # fmt: skip
    out.print(str(done), soft_wrap=True)
    if gguf is not None:
        out.print(str(convert(done, gguf)), soft_wrap=True)
