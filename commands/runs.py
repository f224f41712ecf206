"""`ohlora run`: runs all cases of a study, judges the replies, decides, reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.engines import make_engine
from benchmarks.engines.engine import Engine
from benchmarks.results.folder import RunFolder
from benchmarks.run import runner
from benchmarks.run.case import Limits
from benchmarks.run.progress import RunProgress
from benchmarks.run.progress_table import ProgressTable
from benchmarks.study.plan import Options, Plan
from benchmarks.study.planning import make_plan
from benchmarks.study.row_lengths import within_length
from benchmarks.study.study_files import read_study, study_path
from commands.run_messages import (
    announce,
    check_hub,
    command_again,
    confirm_download,
    say_how_to_go_on,
    tell_decision,
    tell_failures,
    tell_notes,
)
from commands.shared.console import out, plugin_files
from commands.shared.option_class import argument, option
from commands.shared.options import (
    TURNS,
    CatalogName,
    CureName,
    Device,
    Dtype,
    Use,
    Weights,
    amount_of,
    choice,
    ranged,
)
from commands.shared.stopping import exit_status, stopped_by_signals
from commands.shared.task_options import TaskOptions
from commands.shared.user_registry import registry
from model_registry.files.names import names_in
from model_registry.files.output import check_folder
from model_registry.files.ranges import RANGES, out_of_range
from model_registry.language import text
from model_registry.messages.machine_errors import error_words
from model_registry.selection import parse_bytes, parse_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(TaskOptions):
    """What `ohlora run` is asked for."""

    study: Annotated[str, argument("A name, or a TOML file.", "이름 또는 TOML 파일.")]
    out_dir: Annotated[Path | None, option("Folder of the run.", "결과 폴더.", "--out")] = None
    resume: Annotated[
        bool, option("Go on with a run.", "중단된 실행을 이어갑니다.", "--resume")
    ] = False
    retry_failed: Annotated[
        bool,
        option(
            "Go on with a run, and do again what failed by itself.",
            "실행을 이어가면서 스스로 실패한 케이스도 다시 합니다.",
            "--retry-failed",
        ),
    ] = False
    only: Annotated[
        list[str] | None, option("Only this candidate.", "지정한 후보만 실행합니다.")
    ] = None
    candidates: Annotated[
        str | None,
        option(
            "Who takes part, with commas: names, folders, org/model[@revision], URLs.",
            "참가할 후보(쉼표로 구분): 이름, 폴더, org/model[@revision], URL.",
        ),
    ] = None
    cure: CureName = None
    weights: Weights = "auto"
    scale: Annotated[
        str,
        option(
            "Of random weights: tiny or full.",
            "무작위 가중치의 크기: tiny, full.",
            callback=choice(("tiny", "full")),
        ),
    ] = "full"
    data: Annotated[Path | None, option("Rows of your own.", "직접 준비한 데이터.")] = None
    ranks: Annotated[str | None, option("Such as 16,32,64.", "예: 16,32,64")] = None
    device: Device = "auto"
    dtype: Dtype = "auto"
    turns: Annotated[str | None, TURNS] = None
    memory_limit: Annotated[
        str | None,
        option("For each case: 12GB.", "케이스마다. 예: 12GB", callback=amount_of("bytes")),
    ] = None
    time_limit: Annotated[
        str | None,
        option("For each case: 10m.", "케이스마다. 예: 10m", callback=amount_of("seconds")),
    ] = None
    catalog: CatalogName = None
    use: Use = None
    replay: Annotated[
        Path | None, option("A run to tell again.", "다시 재생할 실행 결과 폴더.")
    ] = None
    engine: Annotated[
        str, option("local or ray.", "local 또는 ray.", callback=choice(("local", "ray")))
    ] = "local"
    ray_address: Annotated[
        str | None, option("Of a Ray cluster: host:6379.", "Ray 클러스터 주소.")
    ] = None
    gpu_share: Annotated[
        float,
        option(
            "Of a GPU for each case (ray).", "케이스당 GPU 몫 (ray).", callback=ranged("gpu_share")
        ),
    ] = 1.0
    ray_wait: Annotated[
        str,
        option(
            "For a Ray cluster that has no room: 10m.",
            "자리가 없을 때 대기. 예: 10m",
            callback=amount_of("seconds"),
        ),
    ] = "10m"
    yes: Annotated[
        bool, option("Download without asking.", "묻지 않고 내려받습니다.", "--yes", "-y")
    ] = False

    def for_plan(self) -> Options:
        """What the plan is made by; amounts and ranks are read."""
        return Options(
            weights=self.weights,
            scale=self.scale,
            device=self.device,
            dtype=self.dtype,
            data=self.data,
            only=tuple(self.only or ()),
            candidates=names_in(self.candidates),
            cure=self.cure,
            ranks=_ranks(self.ranks),
            limits=Limits(
                parse_bytes(self.memory_limit) if self.memory_limit else None,
                parse_seconds(self.time_limit) if self.time_limit else None,
            ),
            replay=self.replay,
            tasks=names_in(self.tasks),
            tasks_folder=self.tasks_folder,
            turns=self.turns,
            tuning=self.policy(),
            quantization=self.quantization or "none",
        )

    def engine_for(self, plan: Plan) -> tuple[str, Engine]:
        """The engine's name and the engine: a study that only replays needs no workers."""
        replays = all(case.candidate.backend == "replay" for case in plan.cases)
        name = "replay" if replays else self.engine
        wait = parse_seconds(self.ray_wait)
        return name, make_engine(
            name, address=self.ray_address, gpu_share=self.gpu_share, wait_seconds=wait
        )


def run(options: RunOptions) -> None:
    """Measure all cases of a study, judge the replies, decide, report."""
    study = read_study(study_path(options.study))
    if options.catalog is not None or names_in(options.candidates):
        study = study.with_catalog(options.catalog or study.catalog)
    if options.use is not None:
        study = study.for_use(options.use)
    folder = RunFolder(options.out_dir or _new_folder(study.name))
    check_folder(folder.path)
    asked = options.for_plan()
    plan = make_plan(study, registry(), asked, folder.path)
    announce(plan, folder.path)
    if options.engine == "local" and not folder.exists():
        check_hub(plan)
    if plan.download_bytes and not options.yes:
        confirm_download()
    fitted = within_length(plan)
    tell_notes(fitted.notes[len(plan.notes) :])
    _run_and_tell(fitted, folder, options)


def _ranks(value: str | None) -> tuple[int, ...]:
    try:
        ranks = tuple(int(part) for part in value.split(",")) if value else ()
    except ValueError:
        ranks = (0,)
    if any(out_of_range("rank", rank) for rank in ranks):
        most = f"{int(RANGES['rank'].most):,}"
        raise typer.BadParameter(
            text(
                f"ranks are whole numbers from 1 to {most}, such as 16,32,64, not {value}",
                f"1부터 {most}까지의 정수를 16,32,64처럼 적으세요: {value}",
            ),
            param_hint="--ranks",
        )
    return ranks


def _new_folder(name: str) -> Path:
    return Path("reports") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"


def _run_and_tell(plan: Plan, folder: RunFolder, options: RunOptions) -> None:
    again = command_again(folder.path)
    name, engine = options.engine_for(plan)
    try:
        with stopped_by_signals(), folder.kept():
            with (ProgressTable if name == "ray" else RunProgress)(out) as watcher:
                results = runner.run_plan(
                    plan,
                    folder,
                    engine,
                    watcher,
                    resume=options.resume,
                    retry_failed=options.retry_failed,
                )
            with out.status(text("judging the replies", "답변을 채점하는 중")):
                runner.judge_run(folder, plugin_files)
            tell_decision(folder)
    except KeyboardInterrupt as stopped:
        say_how_to_go_on(text("Stopped.", "멈췄습니다."), again)
        raise typer.Exit(exit_status(stopped)) from None
    except OSError as error:
        if not folder.exists():  # nothing was begun
            raise
        say_how_to_go_on(error_words(error), again)
        raise typer.Exit(1) from error
    finally:
        engine.close()
    tell_failures(results, again)
