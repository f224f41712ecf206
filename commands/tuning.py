"""Commands for the chosen model: tune, export."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.tune_candidate import TooLarge, tune_candidate
from benchmarks.tune_state import STATE
from commands.shared.console import out
from commands.shared.option_class import argument, option
from commands.shared.options import (
    TURNS,
    Base,
    CureName,
    Device,
    Dtype,
    MemoryLimit,
    Model,
    Rank,
    Weights,
)
from commands.shared.pasted_command import with_options
from commands.shared.stopping import exit_status, stopped_by_signals
from commands.shared.tuning_options import Epochs, TuningOptions
from commands.shared.user_registry import registry
from model_registry.errors import OhloraError
from model_registry.files.output import check_file
from model_registry.language import text
from model_registry.memory.fit_report import card_budget
from model_registry.selection import parse_bytes
from model_registry.weights.export import export as merge
from model_registry.weights.gguf import convert, find_converter
from model_registry.weights.quantization import check_available
from rows.reading import read_data

MOST_CALIBRATED = 256  # rows; more of them change the rounding little


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneOptions(TuningOptions):
    """What `ohlora tune` is asked for."""

    name: Model
    data: Annotated[Path, option("Rows to learn.", "학습할 데이터.")]
    out_dir: Annotated[Path, option("For the adapter.", "어댑터 폴더.", "--out")]
    rank: Rank = 16
    epochs: Epochs = 3
    weights: Weights = "auto"
    device: Device = "auto"
    dtype: Dtype = "auto"
    turns: Annotated[str, TURNS] = "every"
    fit: Annotated[
        str | None,
        option(
            "Take the fastest settings that fit: 12GB, T4.",
            "이 메모리에 맞는 가장 빠른 설정을 고릅니다: 12GB, T4.",
        ),
    ] = None
    memory_limit: MemoryLimit = None
    base: Base = None
    cure: CureName = None


def tune(options: TuneOptions) -> None:
    """Tune with LoRA over all rows; the same command goes on after a kill."""
    try:
        with stopped_by_signals():
            done = _tuned(options)
    except KeyboardInterrupt as stopped:
        _tell_how_to_go_on(options.out_dir)
        raise typer.Exit(exit_status(stopped)) from None
    except TooLarge as error:
        raise OhloraError(
            f"{error} {_what_fits(error)}", f"{error.korean} {_what_fits(error)}"
        ) from error
    print(
        text(
            f'Tuned: {done}\n  ohlora ask {done} "…"\n  ohlora export {done} --out MODEL',
            f'튜닝 완료: {done}\n  ohlora ask {done} "…"\n  ohlora export {done} --out MODEL',
        )
    )


def _tell_how_to_go_on(folder: Path) -> None:
    """What a stopped tune has kept; the words of its own command, where it has kept anything."""
    stopped = text("Stopped.", "멈췄습니다.")
    if not (folder / STATE).exists():
        print(text(f"{stopped} No epoch was finished.", f"{stopped} 끝난 에폭이 없습니다."))
        return
    again = with_options("")
    print(
        text(
            f"{stopped} Its finished epochs are kept. To go on:\n  {again}",
            f"{stopped} 끝난 에폭은 저장했습니다. 이어서 하려면:\n  {again}",
        )
    )


def _tuned(options: TuneOptions) -> Path:
    return tune_candidate(
        options.name, options.data, options.out_dir, registry(), console=out,
        rank=options.rank, weights=options.weights,
        device=options.device, dtype=options.dtype,
        base=options.base, cure=options.cure, turns=options.turns,
        quantization=options.quantization or "none",
        budget_bytes=card_budget(options.fit).bytes if options.fit else None,
        memory_limit=parse_bytes(options.memory_limit) if options.memory_limit else None,
        command=partial(with_options, without=["--fit"]),
        **options.given(),
    )  # fmt: skip


def _what_fits(error: TooLarge) -> str:
    """The smallest change that helps, as the command to paste."""
    if error.change is None:
        return text(
            "No change of batch, checkpointing or quantisation is known to fit: use a smaller "
            "--max-length, another model or more memory.",
            "배치, 체크포인팅, 양자화를 바꿔도 맞지 않습니다. --max-length를 줄이거나 더 작은 "
            "모델이나 더 많은 메모리를 쓰세요.",
        )
    needed = f"{error.change.predicted_bytes / 2**30:.2f} GiB"
    other = "" if error.out is None else f" --out {shlex.quote(str(error.out))}"
    command = with_options(error.change.words + other)
    return text(
        f"The smallest change that fits ({needed} predicted): {command}",
        f"맞는 가장 작은 변경(예상 {needed}): {command}",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What `ohlora export` is asked for."""

    folder: Annotated[Path, argument("Folder of a tune.", "튜닝 결과 폴더.", metavar="DIR")]
    out_dir: Annotated[Path, option("For the model.", "모델 폴더.", "--out")]
    quantization: Annotated[
        str | None,
        option("int8, nf4 or gptq: write it quantised.", "int8, nf4, gptq: 양자화해서 씁니다."),
    ] = None
    data: Annotated[
        Path | None, option("Rows that gptq is calibrated on.", "gptq 보정에 쓸 데이터.")
    ] = None
    weights: Weights = "auto"
    dtype: Dtype = "auto"
    base: Base = None
    gguf: Annotated[Path | None, option("Write this GGUF file too.", "이 GGUF 파일도 씁니다.")] = (
        None
    )


def export(options: ExportOptions) -> None:
    """Write a whole model that transformers, vLLM and others load."""
    if options.quantization is not None:
        check_available(options.quantization)
    if options.gguf is not None:
        find_converter()
        check_file(options.gguf, "--gguf")
    if options.quantization == "gptq" and options.data is None:
        raise typer.BadParameter(
            text(
                "gptq needs --data, rows to calibrate on",
                "gptq에는 보정에 쓸 데이터가 필요합니다. --data로 지정하세요",
            )
        )
    rows = [] if options.data is None else read_data(options.data).of("train")[:MOST_CALIBRATED]
    texts = [f"{row.prompt} {row.reply}" for row in rows]
    done = merge(
        options.folder, options.out_dir, registry(), source=options.weights,
        method=options.quantization, calibration=texts, dtype=options.dtype,
        base_folder=options.base,
    )  # fmt: skip
    out.print(str(done), soft_wrap=True)
    if options.gguf is not None:
        out.print(str(convert(done, options.gguf)), soft_wrap=True)
