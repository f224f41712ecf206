"""Messages of `ohlora run`: the plan, failures, how to resume, the decision."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.markup import escape

from benchmarks.report.decision_section import answer_of
from benchmarks.report.evidence import Evidence
from benchmarks.report.terminal_tables import run_table
from benchmarks.report.write_report import write_report
from benchmarks.results.decision import Decision
from benchmarks.results.folder import RunFolder, was_interrupted
from benchmarks.results.run import Run
from benchmarks.results.stand_ins import banner
from benchmarks.results.uses import licence_account
from benchmarks.study.plan import Plan
from commands.shared.console import err, out
from model_registry.errors import OhloraError
from model_registry.hub import cached_folder, network_is_up
from model_registry.language import text
from model_registry.messages.notes import Note
from model_registry.records import Result


def announce(plan: Plan, path: Path) -> None:
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
    tell_notes(plan.notes)


def tell_notes(notes: Sequence[Note]) -> None:
    """What a reader of the results must know, a line each."""
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


def confirm_download() -> None:
    """Ask before weights are fetched.

    Raises:
        OhloraError: nobody can be asked.
        typer.Exit: the answer is no.
    """
    if not sys.stdin.isatty():
        raise OhloraError(
            "This downloads weights: add --yes.",
            "가중치를 내려받아야 합니다. 계속하려면 --yes를 붙이세요.",
        )
    if not typer.confirm(text("Download them?", "내려받을까요?")):
        raise typer.Exit(1)


def say_how_to_go_on(what: str, again: str) -> None:
    """Why a run ended early, and the command that goes on with it."""
    kept = text(
        "What is finished is kept. To go on:",
        "끝난 것은 남아 있습니다. 이어가려면:",
    )
    err.print(f"{escape(what)} {kept}\n  {escape(again)}", highlight=False, soft_wrap=True)


def command_again(path: Path) -> str:
    """The command that goes on with this run, to be pasted."""
    given = [part for part in sys.argv[1:] if part not in ("--resume", "--retry-failed")]
    if not any(part == "--out" or part.startswith("--out=") for part in given):
        given += ["--out", str(path)]
    return shlex.join(["ohlora", *given, "--resume"])


def tell_failures(results: Sequence[Result], again: str) -> None:
    """Print what failed, and what was ended from outside and is still to be done.

    Raises:
        typer.Exit: with 1, where something is to be done or no case succeeded.
    """
    unfinished = [result for result in results if was_interrupted(result)]
    failed = [result for result in results if not result.ok and result not in unfinished]
    if failed:
        if len(failed) == len(results):
            out.print(f"[red]{escape(_nothing_succeeded(failed))}[/]", highlight=False)
        _print_yellow(
            text(
                f"failed, and rows: {len(failed)} of {len(results)} cases: {case_words(failed)}",
                f"{len(results)}개 중 {len(failed)}개 케이스가 실패했고 행으로 남았습니다: "
                f"{case_words(failed)}",
            ),
            text("To do them again:", "다시 하려면:"),
            again.removesuffix("--resume") + "--retry-failed",
        )
    if unfinished:
        _print_yellow(
            text(
                f"unfinished, ended from outside: {len(unfinished)} of {len(results)} cases: "
                f"{case_words(unfinished)}",
                f"{len(results)}개 중 {len(unfinished)}개 케이스가 외부에서 종료되어 끝나지 "
                f"않았습니다: {case_words(unfinished)}",
            ),
            text("To finish them:", "마저 하려면:"),
            again,
        )
    if unfinished or len(failed) == len(results):
        raise typer.Exit(1)


def check_hub(plan: Plan) -> None:
    """Refuse what can only fail: the hub can't be reached, and everything would come from it.

    Raises:
        OhloraError: nothing of it is in the hub's cache, either.
    """
    if plan.contract.weights != "hub" or not plan.candidates:
        return
    local = (c.path or c.backend != "transformers" or cached_folder(c) for c in plan.candidates)
    if not any(local) and not network_is_up():
        raise OhloraError(*_HUB_NOT_REACHED)


_NAMED = 3  # failed cases of one status; the report has them all
_HUB_NOT_REACHED = (
    "The hub can't be reached: check the network (and unset HF_HUB_OFFLINE), or take "
    "--weights bundled, which needs none.",
    "허브에 연결할 수 없습니다. 네트워크를 확인하고 HF_HUB_OFFLINE을 해제하거나, 네트워크가 "
    "필요 없는 --weights bundled를 쓰세요.",
)


def _nothing_succeeded(failed: Sequence[Result]) -> str:
    """Why, where all failed alike; else of the first."""
    first = failed[0]
    why = first.shown or first.status
    if {result.status for result in failed} == {"unreachable"} and not network_is_up():
        why = text(*_HUB_NOT_REACHED)
    return text(f"No case succeeded. {why}", f"성공한 케이스가 없습니다. {why}")


def case_words(results: Sequence[Result]) -> str:
    """The cases by status, with the first one's reason; of many the first ones are named."""
    return "; ".join(_of_status(s, results) for s in dict.fromkeys(r.status for r in results))


def _of_status(status: str, results: Sequence[Result]) -> str:
    cases = [result for result in results if result.status == status]
    names = ", ".join(result.case for result in cases[:_NAMED])
    if (more := len(cases) - _NAMED) > 0:
        names += text(f" and {more} more", f" 외 {more}개")
    reason = cases[0].shown
    return f"{status}: {names}" + (f" ({reason})" if reason else "")


def _print_yellow(what: str, how: str, command: str) -> None:
    out.print(escape(what), style="yellow", highlight=False)
    out.print(f"{how}\n  {escape(command)}", highlight=False, soft_wrap=True)


def tell_decision(folder: RunFolder) -> None:
    """The answer, what its use changes where one was asked for, and where the report is."""
    with out.status(text("deciding and writing the report", "결정하고 보고서를 쓰는 중")):
        evidence = Evidence.read(folder)
        paths = write_report(folder, evidence)
    tell_answer(evidence)
    if evidence.decision is not None and evidence.decision.use is not None:
        tell_licences(evidence.run, evidence.decision)
    out.print(f"{text('report', '보고서')}: {paths.html}", highlight=False, soft_wrap=True)


def tell_answer(evidence: Evidence) -> None:
    """The table, chosen and reserve (or why nothing is), and a warning where weights stand in."""
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
    if (warning := banner(evidence.head)) is not None:
        out.print(f"[yellow]{escape('. '.join(warning))}[/]", highlight=False)


def tell_licences(run: Run, decision: Decision) -> None:
    """Under which use the decision holds, on what conditions, and what another would change."""
    for line in licence_account(run, decision):
        out.print(escape(line), highlight=False, soft_wrap=True)
