"""Commands that measure: studies, run."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from commands.stopping import exit_status, stopped_by_signals
from commands.terminal import (
    CatalogName,
    Device,
    Dtype,
    MaxLength,
    TooLong,
    Weights,
    amount_of,
    choice,
    err,
    out,
    plugin_files,
    ranged,
    registry,
)
from model_registry.errors import OhloraError
from model_registry.language import text
from model_registry.machine_errors import error_words
from model_registry.ranges import RANGES, out_of_range

if TYPE_CHECKING:
    from benchmarks.plan import Options, Plan
    from model_registry.notes import Note
    from model_registry.records import Result

app = typer.Typer()


@app.command(help=text("List the studies that come with it.", "포함된 스터디를 나열합니다."))
def studies(
    template: Annotated[
        bool,
        typer.Option(
            "--template", help=text("Print one for your own.", "직접 쓸 틀을 출력합니다.")
        ),
    ] = False,
) -> None:
    """List the studies, or print a commented template."""
    from benchmarks import study_files

    if template:
        print(study_files.template(), end="")
        return
    for name in study_files.study_names():
        each = study_files.read_study(study_files.study_path(name))
        out.print(f"[bold]{name}[/]  {escape(each.title)}\n    {escape(each.summary)}")


@app.command(help=text("Measure a study and decide.", "스터디를 측정하고 결정합니다."))
def run(
    study: Annotated[
        str, typer.Argument(help=text("A name, or a TOML file.", "이름 또는 TOML 파일."))
    ],
    out_dir: Annotated[
        Path | None, typer.Option("--out", help=text("Folder of the run.", "결과 폴더."))
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help=text("Go on with a run.", "중단된 실행을 이어갑니다."))
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            help=text(
                "Go on with a run, and do again what failed by itself.",
                "실행을 이어가면서 스스로 실패한 케이스도 다시 합니다.",
            ),
        ),
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(help=text("Only this candidate.", "이 후보만."))
    ] = None,
    weights: Weights = "auto",
    scale: Annotated[
        str,
        typer.Option(
            help=text("Of random weights: tiny or full.", "무작위 가중치의 크기: tiny, full."),
            callback=choice(("tiny", "full")),
        ),
    ] = "full",
    data: Annotated[
        Path | None, typer.Option(help=text("Rows of your own.", "직접 준비한 데이터."))
    ] = None,
    ranks: Annotated[
        str | None, typer.Option(help=text("Such as 16,32,64.", "예: 16,32,64"))
    ] = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    max_length: MaxLength = None,
    too_long: TooLong = None,
    memory_limit: Annotated[
        str | None,
        typer.Option(
            help=text("For each case: 12GB.", "케이스마다. 예: 12GB"), callback=amount_of("bytes")
        ),
    ] = None,
    time_limit: Annotated[
        str | None,
        typer.Option(
            help=text("For each case: 10m.", "케이스마다. 예: 10m"), callback=amount_of("seconds")
        ),
    ] = None,
    catalog: CatalogName = None,
    replay: Annotated[
        Path | None,
        typer.Option(help=text("A run to tell again.", "다시 재생할 실행 결과 폴더.")),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            help=text("local or ray.", "local 또는 ray."), callback=choice(("local", "ray"))
        ),
    ] = "local",
    ray_address: Annotated[
        str | None, typer.Option(help=text("Of a Ray cluster: host:6379.", "Ray 클러스터 주소."))
    ] = None,
    gpu_share: Annotated[
        float,
        typer.Option(
            help=text("Of a GPU for each case (ray).", "케이스당 GPU 몫 (ray)."),
            callback=ranged("gpu_share"),
        ),
    ] = 1.0,
    ray_wait: Annotated[
        str,
        typer.Option(
            help=text("For a Ray cluster that has no room: 10m.", "자리가 없을 때 대기. 예: 10m"),
            callback=amount_of("seconds"),
        ),
    ] = "10m",
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help=text("Download without asking.", "묻지 않고 받기."))
    ] = False,
) -> None:
    """Measure all cases of a study, judge the replies, decide, report."""
    from benchmarks import plan
    from benchmarks.results.folder import RunFolder
    from benchmarks.row_lengths import within_length
    from benchmarks.study_files import read_study, study_path
    from model_registry.output import check_folder
    from model_registry.selection import parse_seconds

    the_study = read_study(study_path(study))
    if catalog is not None:
        the_study = the_study.with_catalog(catalog)
    folder = RunFolder(out_dir or _new_folder(the_study.name))
    check_folder(folder.path)
    options = _run_options(
        weights, scale, device, dtype, data, only, ranks, memory_limit, time_limit, replay
    )
    options = replace(options, max_length=max_length, too_long=too_long)
    the_plan = plan.make_plan(the_study, registry(), options, folder.path)
    _announce(the_plan, folder.path)
    if the_plan.download_bytes and not yes:
        _confirm_download()
    fitted = within_length(the_plan)
    _tell_notes(fitted.notes[len(the_plan.notes) :])
    ray = {"address": ray_address, "gpu_share": gpu_share, "wait_seconds": parse_seconds(ray_wait)}
    _run_and_tell(fitted, folder, resume, retry_failed, engine, ray)


def _run_options(
    weights: str,
    scale: str,
    device: str,
    dtype: str,
    data: Path | None,
    only: list[str] | None,
    ranks: str | None,
    memory_limit: str | None,
    time_limit: str | None,
    replay: Path | None = None,
) -> Options:
    from benchmarks.case import Limits
    from benchmarks.plan import Options
    from model_registry.selection import parse_bytes, parse_seconds

    return Options(
        weights=weights,
        scale=scale,
        device=device,
        dtype=dtype,
        data=data,
        only=tuple(only or ()),
        ranks=_ranks(ranks),
        limits=Limits(
            parse_bytes(memory_limit) if memory_limit else None,
            parse_seconds(time_limit) if time_limit else None,
        ),
        replay=replay,
    )


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
    from datetime import datetime

    return Path("reports") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"


def _announce(plan: Plan, path: Path) -> None:
    """What will be done, downloaded and needed, before anything is."""
    names = ", ".join(candidate.name for candidate in plan.candidates)
    contract = plan.contract
    out.print(f"[bold]{escape(plan.study.title)}[/]")
    rows = [
        (text("candidates", "후보"), f"{len(plan.candidates)}: {names}"),
        (text("cases", "케이스"), _cases_words(plan)),
        (text("weights", "가중치"), contract.weights),
        (text("machine", "장비"), f"{contract.machine} ({contract.device}, {contract.dtype})"),
        (text("download", "다운로드"), _download_words(plan)),
        (text("results", "결과"), str(path)),
    ]
    for label, value in rows:
        out.print(f"  {label}: {escape(value)}", highlight=False)
    _tell_notes(plan.notes)


def _tell_notes(notes: Sequence[Note]) -> None:
    for note in notes:
        out.print(f"  [yellow]•[/] {escape(note.words)}", highlight=False)


def _cases_words(plan: Plan) -> str:
    certain = sum(case.instead_of is None for case in plan.cases)
    more = len(plan.cases) - certain
    if not more:
        return str(certain)
    return text(
        f"{certain}, and one more, quantised, for each that does not run",
        f"{certain}개, 실행되지 않으면 양자화하여 하나씩 더",
    )


def _download_words(plan: Plan) -> str:
    if not plan.download_bytes:
        return text("none", "없음")
    gigabytes = plan.download_bytes / 1e9
    return text(
        f"at most {gigabytes:.1f} GB, as much disk, less what is in the hub's cache",
        f"최대 {gigabytes:.1f} GB, 디스크도 같은 만큼 (허브 캐시에 있는 것은 제외)",
    )


def _confirm_download() -> None:
    if not sys.stdin.isatty():
        raise OhloraError(
            text("This downloads weights: add --yes.", "가중치를 받습니다: --yes를 더하세요.")
        )
    if not typer.confirm(text("Download them?", "받을까요?")):
        raise typer.Exit(1)


def _run_and_tell(
    plan: Plan,
    folder: Any,
    resume: bool,
    retry_failed: bool,
    engine_name: str,
    ray: dict[str, Any],
) -> None:
    from benchmarks import run as runner
    from benchmarks.engines import make_engine
    from benchmarks.progress import RunProgress
    from benchmarks.progress_table import ProgressTable

    if all(case.candidate.backend == "replay" for case in plan.cases):
        engine_name = "replay"
    again = _command_again(folder.path)
    engine = make_engine(engine_name, **ray)
    try:
        with stopped_by_signals(), folder.kept():
            with (ProgressTable if engine_name == "ray" else RunProgress)(out) as watcher:
                results = runner.run_plan(
                    plan, folder, engine, watcher, resume=resume, retry_failed=retry_failed
                )
            with out.status(text("judging the replies", "답변을 채점하는 중")):
                runner.judge_run(folder, plugin_files)
            _tell_decision(folder)
    except KeyboardInterrupt as stopped:
        _say_how_to_go_on(text("Stopped.", "멈췄습니다."), again)
        raise typer.Exit(exit_status(stopped)) from None
    except OSError as error:
        if not folder.exists():  # nothing was begun
            raise
        _say_how_to_go_on(error_words(error), again)
        raise typer.Exit(1) from error
    finally:
        engine.close()
    _tell_failures(results, again)


def _say_how_to_go_on(what: str, again: str) -> None:
    kept = text(
        "What is finished is kept. To go on:",
        "끝난 것은 남아 있습니다. 이어가려면:",
    )
    err.print(f"{escape(what)} {kept}\n  {escape(again)}", highlight=False, soft_wrap=True)


def _command_again(path: Path, option: str = "--resume") -> str:
    """The command that goes on with this run, to be pasted."""
    given = [part for part in sys.argv[1:] if part not in ("--resume", "--retry-failed")]
    if not any(part == "--out" or part.startswith("--out=") for part in given):
        given += ["--out", str(path)]
    return shlex.join(["ohlora", *given, option])


def _tell_failures(results: Sequence[Result], again: str) -> None:
    """What failed by itself is a row; what was ended from outside is still to be done.

    Raises:
        typer.Exit: with 1, where something is to be done.
    """
    from benchmarks.results.folder import was_interrupted

    unfinished = [result for result in results if was_interrupted(result)]
    failed = [result for result in results if not result.ok and result not in unfinished]
    if failed:
        _print_yellow(
            text(
                f"failed, and rows: {len(failed)} of {len(results)} cases: {_words(failed)}",
                f"{len(results)}개 중 {len(failed)}개 케이스가 실패했고 행으로 남았습니다: "
                f"{_words(failed)}",
            ),
            text("To do them again:", "다시 하려면:"),
            again.removesuffix("--resume") + "--retry-failed",
        )
    if unfinished:
        _print_yellow(
            text(
                f"unfinished, ended from outside: {len(unfinished)} of {len(results)} cases: "
                f"{_words(unfinished)}",
                f"{len(results)}개 중 {len(unfinished)}개 케이스가 외부에서 종료되어 끝나지 "
                f"않았습니다: {_words(unfinished)}",
            ),
            text("To finish them:", "마저 하려면:"),
            again,
        )
        raise typer.Exit(1)


def _words(results: Sequence[Result]) -> str:
    return ", ".join(f"{result.case}: {result.status}" for result in results)


def _print_yellow(what: str, how: str, command: str) -> None:
    out.print(escape(what), style="yellow", highlight=False)
    out.print(f"{how}\n  {escape(command)}", highlight=False, soft_wrap=True)


def _tell_decision(folder: Any) -> None:
    """The table, chosen and reserve (or why nothing is), and where the report is."""
    from benchmarks.report.answer import answer_of
    from benchmarks.report.evidence import Evidence
    from benchmarks.report.terminal import run_table
    from benchmarks.report.writing import write_report

    with out.status(text("deciding and writing the report", "결정하고 보고서를 쓰는 중")):
        evidence = Evidence.read(folder)
        paths = write_report(folder, evidence)
    out.print(run_table(evidence))
    if evidence.decision is None:
        answer = answer_of(evidence)
        for line in (*answer.findings, answer.reason):
            out.print(escape(line), highlight=False)
    else:
        ranking, none = evidence.decision.ranking, text("none", "없음")
        out.print(f"[bold green]{text('chosen', '선택')}: {escape(ranking.chosen or none)}[/]")
        out.print(f"{text('reserve', '예비')}: {escape(ranking.reserve or none)}")
        out.print(escape(ranking.reason), highlight=False)
    out.print(f"{text('report', '보고서')}: {paths.html}", highlight=False, soft_wrap=True)
