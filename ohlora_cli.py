"""The command line `ohlora`: reads what was asked, calls the house, prints what came of it.

Heavy modules are imported inside the commands that need them: `ohlora --help` and
`ohlora candidates` never load torch.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from model_registry.errors import OhloraError
from model_registry.language import text
from model_registry.plugins import PluginWarning

if TYPE_CHECKING:
    from benchmarks.plan import Options, Plan
    from model_registry.candidate import Candidate
    from model_registry.registry import Registry
    from model_registry.selection import Selection

app = typer.Typer(
    name="ohlora",
    help=text(
        "Choose the small Korean language model to fine-tune, with evidence.",
        "파인튜닝할 작은 한국어 모델을 근거를 가지고 고릅니다.",
    ),
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help is there in half the time
    pretty_exceptions_enable=False,
    add_completion=False,
)
out = Console()
err = Console(stderr=True)
plugin_files: list[Path] = []

Json = Annotated[
    bool,
    typer.Option("--json", help=text("Print one JSON document.", "JSON 문서 하나를 출력합니다.")),
]
CatalogName = Annotated[
    str | None,
    typer.Option(help=text("A catalog's name, or a file.", "카탈로그 이름 또는 파일.")),
]
Weights = Annotated[
    str, typer.Option(help=text("auto, hub, bundled or random.", "auto, hub, bundled 또는 random."))
]
Device = Annotated[str, typer.Option(help=text("auto, cpu or cuda.", "auto, cpu 또는 cuda."))]


@app.callback()
def _options(
    plugin: Annotated[
        list[Path] | None,
        typer.Option(
            help=text("A plugin file; may be repeated.", "플러그인 파일. 반복할 수 있습니다.")
        ),
    ] = None,
) -> None:
    plugin_files[:] = plugin or []


def _registry() -> Registry:
    from model_registry.registry import Registry

    return Registry(plugin_files)


def _print_json(document: Any) -> None:
    print(json.dumps(document, ensure_ascii=False, indent=2, default=str))


def _chosen(value: str, known: tuple[str, ...], option: str) -> str:
    if value not in known:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(known)}", param_hint=option)
    return value


# --- Who can answer ----------------------------------------------------------------------------


@app.command(help=text("List candidates by criteria.", "조건에 맞는 후보를 나열합니다."))
def candidates(
    catalog: CatalogName = None,
    license: Annotated[
        str | None, typer.Option(help=text('"free", or a licence.', '"free" 또는 라이선스 이름.'))
    ] = None,
    min_params: Annotated[
        str | None, typer.Option(help=text("At least, such as 0.25B.", "최소 크기. 예: 0.25B"))
    ] = None,
    max_params: Annotated[
        str | None, typer.Option(help=text("At most, such as 3B.", "최대 크기. 예: 3B"))
    ] = None,
    language: Annotated[str | None, typer.Option(help=text("Such as ko.", "예: ko"))] = None,
    task: Annotated[
        str | None, typer.Option(help=text("Such as text-generation.", "예: text-generation"))
    ] = None,
    with_: Annotated[
        list[str] | None,
        typer.Option("--with", help=text("A trait it must have.", "있어야 하는 특성.")),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", help=text("A trait it must not have.", "없어야 하는 특성.")),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help=text("Show who was rejected, and why.", "탈락 이유도 표시.")
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """List candidates by criteria."""
    from model_registry.selection import Criteria, parse_count, select

    criteria = Criteria(
        license=license,
        min_params=parse_count(min_params) if min_params else None,
        max_params=parse_count(max_params) if max_params else None,
        language=language,
        task=task,
        with_traits=tuple(with_ or ()),
        without_traits=tuple(without or ()),
    )
    selection = select(_registry().candidates(catalog), criteria)
    if as_json:
        _print_json(_selection_document(selection))
        return
    _print_selection(selection, explain)


def _selection_document(selection: Selection) -> dict[str, Any]:
    return {
        "accepted": [
            {
                "name": c.name,
                "hub_id": c.hub_id,
                "parameters": c.parameters,
                "published_parameters": c.published_parameters,
                "parameters_note": c.parameters_note,
                "license": c.license.name,
                "license_free": c.license.free,
                "languages": list(c.languages),
                "traits": list(c.traits),
                "leaderboard": c.leaderboard.value if c.leaderboard else None,
                "catalog": c.catalog,
            }
            for c in selection.accepted
        ],
        "rejected": [{"name": r.candidate.name, "reason": r.reason} for r in selection.rejected],
    }


def _print_selection(selection: Selection, explain: bool) -> None:
    header = (
        text("candidate", "후보"),
        text("parameters", "파라미터"),
        text("licence", "라이선스"),
        text("free", "자유"),
        text("leaderboard", "리더보드"),
        text("traits", "특성"),
    )
    rows = [
        (
            c.name,
            c.size(),
            c.license.name,
            _free(c),
            f"{c.leaderboard.value:.2f}" if c.leaderboard else "",
            ", ".join(c.traits),
        )
        for c in selection.accepted
    ]
    _print_columns([header, *rows], right=(1, 4))
    count = len(selection.rejected)
    print(
        text(
            f"{len(selection.accepted)} accepted, {count} rejected.",
            f"{len(selection.accepted)}개 통과, {count}개 탈락.",
        )
    )
    if explain:
        for rejected in selection.rejected:
            print(f"  {rejected.candidate.name}: {rejected.reason}")
    elif count:
        print(text("`--explain` says why.", "이유는 `--explain`으로 볼 수 있습니다."))


def _print_columns(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Aligned columns, Korean taking two cells; rich's own table takes longer than all the rest."""
    from rich.cells import cell_len

    widths = [max(cell_len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = []
        for i, cell in enumerate(row):
            blank = " " * (widths[i] - cell_len(cell))
            cells.append(blank + cell if i in right else cell + blank)
        print("  ".join(cells).rstrip())


def _free(candidate: Candidate) -> str:
    if candidate.license.free == "unknown":
        return text("unknown, verify", "불명, 확인 필요")
    return candidate.license.free


@app.command(
    help=text("Ask a candidate, or a model in a folder.", "후보나 폴더의 모델에게 묻습니다.")
)
def ask(
    name: str,
    question: str,
    weights: Weights = "auto",
    device: Device = "auto",
    max_new_tokens: int = 200,
    temperature: float = 0.0,
    seed: int = 0,
) -> None:
    """Ask a candidate, a tuned adapter or a model in a folder; the reply is streamed."""
    from model_registry.backends.backend import GenerationSettings, conversation
    from model_registry.backends.opening import open_backend

    _chosen(device, ("auto", "cpu", "cuda"), "--device")
    backend = open_backend(name, _registry(), weights=weights, device=device)
    settings = GenerationSettings(max_new_tokens, temperature, seed=seed)
    try:
        for piece in backend.stream(conversation(question), settings):
            print(piece, end="", flush=True)
        print()
    finally:
        backend.close()


@app.command(help=text("List the plugins that are loaded.", "불러온 플러그인을 나열합니다."))
def plugins(as_json: Json = False) -> None:
    """List what is loaded and from where."""
    from evaluators.registry import evaluator_manager
    from model_registry.plugins import offered
    from model_registry.registry import registry_manager

    registry, evaluators = registry_manager(plugin_files), evaluator_manager(plugin_files)
    rows = [
        *offered(registry, "register_candidates"),
        *offered(registry, "register_backends"),
        *offered(evaluators, "register_evaluators"),
    ]
    if as_json:
        _print_json({"plugins": rows})
        return
    for row in rows:
        names = row["problem"] or ", ".join(row["names"]) or text("nothing", "없음")
        out.print(f"[bold]{escape(row['plugin'])}[/]  {row['offers']}: {escape(names)}")


# --- What it costs -----------------------------------------------------------------------------


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
    from benchmarks import study

    if template:
        print(study.template(), end="")
        return
    for name in study.study_names():
        each = study.read_study(study.study_path(name))
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
    only: Annotated[
        list[str] | None, typer.Option(help=text("Only this candidate.", "이 후보만."))
    ] = None,
    weights: Weights = "auto",
    scale: Annotated[
        str, typer.Option(help=text("Of random weights: tiny or full.", "무작위 가중치의 크기."))
    ] = "full",
    data: Annotated[
        Path | None, typer.Option(help=text("Rows of your own.", "직접 준비한 데이터."))
    ] = None,
    ranks: Annotated[
        str | None, typer.Option(help=text("Such as 16,32,64.", "예: 16,32,64"))
    ] = None,
    device: Device = "auto",
    memory_limit: Annotated[
        str | None, typer.Option(help=text("For each case: 12GB.", "케이스마다. 예: 12GB"))
    ] = None,
    time_limit: Annotated[
        str | None, typer.Option(help=text("For each case: 10m.", "케이스마다. 예: 10m"))
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(help=text("A run to tell again.", "다시 재생할 실행 결과 폴더.")),
    ] = None,
    engine: Annotated[str, typer.Option(help=text("local or ray.", "local 또는 ray."))] = "local",
    ray_address: Annotated[
        str | None, typer.Option(help=text("Of a Ray cluster: host:6379.", "Ray 클러스터 주소."))
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help=text("Download without asking.", "묻지 않고 받기."))
    ] = False,
) -> None:
    """Measure all cases of a study, judge the replies, decide, report."""
    from benchmarks import plan
    from benchmarks import study as studies_module
    from benchmarks.run_folder import RunFolder

    the_study = studies_module.read_study(studies_module.study_path(study))
    folder = RunFolder(out_dir or _new_folder(the_study.name))
    options = _run_options(
        weights, scale, device, data, only, ranks, memory_limit, time_limit, replay
    )
    _chosen(engine, ("local", "ray"), "--engine")
    the_plan = plan.make_plan(the_study, _registry(), options, folder.path)
    _announce(the_plan, folder.path)
    if the_plan.download_bytes and not yes:
        _confirm_download()
    _run_and_tell(the_plan, folder, resume, engine, ray_address)


def _run_options(
    weights: str,
    scale: str,
    device: str,
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
    from model_registry.weights import SOURCES

    return Options(
        weights=_chosen(weights, SOURCES, "--weights"),
        scale=_chosen(scale, ("tiny", "full"), "--scale"),
        device=_chosen(device, ("auto", "cpu", "cuda"), "--device"),
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
    if any(rank < 1 for rank in ranks):
        raise typer.BadParameter("ranks are whole numbers such as 16,32,64", param_hint="--ranks")
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
        (text("cases", "케이스"), str(len(plan.cases))),
        (text("weights", "가중치"), contract.weights),
        (text("machine", "장비"), f"{contract.machine} ({contract.device}, {contract.dtype})"),
        (text("download", "다운로드"), _download_words(plan)),
        (text("results", "결과"), str(path)),
    ]
    for label, value in rows:
        out.print(f"  {label}: {escape(value)}", highlight=False)
    for note in plan.notes:
        out.print(f"  [yellow]•[/] {escape(note)}", highlight=False)


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
    plan: Plan, folder: Any, resume: bool, engine_name: str, ray_address: str | None
) -> None:
    from benchmarks import run as runner
    from benchmarks.engines import make_engine
    from benchmarks.progress import RunProgress

    try:
        with RunProgress(out) as watcher:
            engine = make_engine(engine_name, ray_address)
            results = runner.run_plan(plan, folder, engine, watcher, resume=resume)
        with out.status(text("judging the replies", "답변을 채점하는 중")):
            runner.judge_run(folder, plugin_files)
    except KeyboardInterrupt:
        err.print(
            text(
                "Stopped. What is finished is kept: the same command with --resume goes on.",
                "멈췄습니다. 끝난 것은 남아 있습니다: 같은 명령에 --resume을 더하면 이어갑니다.",
            )
        )
        raise typer.Exit(130) from None
    _tell_decision(folder)
    failed = [result for result in results if not result.ok]
    if failed:
        words = ", ".join(f"{result.case}: {result.status}" for result in failed)
        out.print(
            text(
                f"{len(failed)} of {len(results)} cases failed and are rows: {words}",
                f"{len(results)}개 중 {len(failed)}개 케이스가 실패했고 행으로 남았습니다: {words}",
            ),
            style="yellow",
            highlight=False,
        )


def _tell_decision(folder: Any) -> None:
    """The table, chosen and reserve, and where the report is."""
    from benchmarks.report.terminal import decision_table
    from benchmarks.report.writing import write_report

    from benchmarks.decision import RunRecords, decide

    with out.status(text("deciding and writing the report", "결정하고 보고서를 쓰는 중")):
        decision = decide(folder)
        paths = write_report(folder)
    out.print(decision_table(RunRecords.read(folder), decision))
    ranking = decision.ranking
    none = text("none", "없음")
    out.print(f"[bold green]{text('chosen', '선택')}: {escape(ranking.chosen or none)}[/]")
    out.print(f"{text('reserve', '예비')}: {escape(ranking.reserve or none)}")
    out.print(escape(ranking.reason), highlight=False)
    out.print(f"{text('report', '보고서')}: {paths.html}", highlight=False, soft_wrap=True)


@app.command(help=text("Tune the chosen one for good.", "고른 모델을 제대로 튜닝합니다."))
def tune(
    name: str,
    data: Annotated[Path, typer.Option(help=text("Rows to learn.", "학습할 데이터."))],
    out_dir: Annotated[Path, typer.Option("--out", help=text("For the adapter.", "어댑터 폴더."))],
    rank: int = 16,
    epochs: int = 3,
    weights: Weights = "auto",
    device: Device = "auto",
) -> None:
    """Tune with LoRA over all rows; the same command goes on after a kill."""
    from benchmarks.tune import tune_candidate

    if rank < 1 or epochs < 1:
        raise typer.BadParameter("rank and epochs are whole numbers above 0")
    done = tune_candidate(
        name, data, out_dir, _registry(), rank=rank, epochs=epochs, weights=weights,
        device=device, console=out,
    )  # fmt: skip
    out.print(
        text(
            f'Tuned: {done}\n  ohlora ask {done} "…"\n  ohlora export {done} --out MODEL',
            f'튜닝 완료: {done}\n  ohlora ask {done} "…"\n  ohlora export {done} --out MODEL',
        ),
        highlight=False,
        soft_wrap=True,
    )


@app.command(help=text("Merge a tuned adapter into a model.", "튜닝한 어댑터를 모델에 합칩니다."))
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    out_dir: Annotated[Path, typer.Option("--out", help=text("For the model.", "모델 폴더."))],
    weights: Weights = "auto",
) -> None:
    """Write a whole model that transformers, vLLM and others load."""
    from model_registry.tuned import export as merge

    out.print(str(merge(folder, out_dir, _registry(), source=weights)), soft_wrap=True)


# --- How good it is ----------------------------------------------------------------------------


@app.command(help=text("Score any CSV of replies.", "답변이 담긴 CSV를 채점합니다."))
def score(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv")],
    prompt_column: str = "prompt",
    reply_column: str = "reply",
    reference_column: str | None = None,
    as_json: Json = False,
) -> None:
    """Score the replies of a table with all evaluators."""
    from evaluators.csv_scoring import score_csv
    from evaluators.registry import load_evaluators

    document = score_csv(
        file, prompt_column, reply_column, reference_column, load_evaluators(plugin_files)
    )
    if as_json:
        _print_json(document)
        return
    means = [
        (name, "—" if mean is None else f"{mean:.3f}") for name, mean in document["mean"].items()
    ]
    _print_columns([(text("evaluator", "평가"), text("mean", "평균")), *means], right=(1,))
    print(text(f"{len(document['rows'])} replies.", f"답변 {len(document['rows'])}개."))


@app.command(help=text("Decide on a run or a table.", "실행 결과나 표로 결정합니다."))
def decide(
    run_dir: Annotated[Path | None, typer.Argument(metavar="RUN")] = None,
    table: Annotated[
        Path | None, typer.Option(help=text("A CSV of criteria.", "기준이 담긴 CSV."))
    ] = None,
    ignore_license: Annotated[bool, typer.Option("--ignore-license")] = False,
    as_json: Json = False,
) -> None:
    """Decide by the study's criteria."""
    if (run_dir is None) == (table is None):
        raise typer.BadParameter(text("give a RUN or --table FILE", "RUN 또는 --table FILE 하나"))
    from benchmarks import decision as deciding
    from benchmarks.report.terminal import decision_table
    from benchmarks.run_folder import RunFolder

    if table is not None:
        decision = deciding.decide_table(table, ignore_license=ignore_license)
        records = None
    else:
        assert run_dir is not None
        decision = deciding.decide(RunFolder(run_dir), ignore_license=ignore_license)
        records = deciding.RunRecords.read(RunFolder(run_dir))
    if as_json:
        _print_json(decision.to_json())
        return
    if records is not None:
        out.print(decision_table(records, decision))
    out.print(escape(decision.ranking.reason), highlight=False)


@app.command(help=text("Write the report of a run.", "실행 결과의 보고서를 씁니다."))
def report(run_dir: Annotated[Path, typer.Argument(metavar="RUN")]) -> None:
    """Write HTML, Markdown and CSV from a run folder."""
    from benchmarks.report.writing import write_report

    from benchmarks.run_folder import RunFolder

    out.print(str(write_report(RunFolder(run_dir)).html), soft_wrap=True)


# --- Start -------------------------------------------------------------------------------------


def main() -> NoReturn:
    """Run the command line: 0 done, 1 the user must act, 2 wrong usage; never a traceback."""
    warnings.showwarning = _show_warning
    try:
        app()
    except OhloraError as error:
        err.print(f"[red]{text('error', '오류')}:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output, `head` for one, has gone
        sys.stderr.close()
        sys.exit(0)
    sys.exit(0)


def _show_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Ours in one line; those of libraries speak to programmers, not to who runs the tool."""
    if issubclass(category, PluginWarning):
        err.print(f"[yellow]{text('warning', '주의')}:[/] {escape(str(message))}", soft_wrap=True)


if __name__ == "__main__":
    main()
