"""`ohlora doctor`: checks this machine or a model before loading, or explains an error message."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from benchmarks.study.row_lengths import longest_row
from commands.shared.console import err, out, print_json
from commands.shared.option_class import argument, option
from commands.shared.options import CatalogName, CureName, Gpu, Json, ranged
from commands.shared.user_registry import registry
from model_registry.candidate import Candidate
from model_registry.doctor import Finding, examine, examine_folder
from model_registry.errors import LoadError, UnknownName
from model_registry.language import text
from model_registry.messages.diagnoses import diagnose
from model_registry.messages.path_errors import existing_path, names_a_path, nothing_there
from model_registry.naming.candidate_check import verdict_of, verdict_words
from model_registry.naming.load_check import LoadVerdict
from model_registry.naming.resolve import find_candidate
from model_registry.weights.folder_check import is_model


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorOptions:
    """What `ohlora doctor` is asked for."""

    message: Annotated[
        str | None,
        argument(
            "A model (org/model, a folder), or an error's text.",
            "모델(org/model, 폴더) 또는 오류 메시지.",
            metavar="[NAME|MESSAGE]",
        ),
    ] = None
    catalog: CatalogName = None
    gpu: Gpu = None
    length: Annotated[
        int | None, option("Tokens a row.", "한 행의 토큰 수.", callback=ranged("length"))
    ] = None
    data: Annotated[
        Path | None, option("Rows whose longest is the length.", "가장 긴 행을 길이로 쓸 데이터.")
    ] = None
    cure: CureName = None
    as_json: Json = False


def doctor(options: DoctorOptions) -> None:
    """Say what is missing here, what a message means, or whether a model will load and why not."""
    said = options.message
    if said is None:
        _print_findings(examine(), options.as_json)
    elif (there := existing_path(said)) is not None:
        _look_at_folder(said, there, options)
    elif (candidate := _named_in(said, options)) is not None:
        _print_verdict(_verdict(candidate, options), options.as_json)
    else:
        _explain(said, options.as_json)


def _explain(message: str, as_json: bool) -> None:
    found = diagnose(message)
    if not found and len(message.split()) == 1 and names_a_path(message):
        raise nothing_there(message)
    if as_json:
        rows = [{"name": d.name, "cause": d.cause, "cure": d.cure} for d in found]
        print_json({"message": message, "diagnoses": rows})
        return
    if not found:
        out.print(text("Nothing known about this message.", "알려진 메시지가 아닙니다."))
    for diagnosis in found:
        out.print(f"{escape(diagnosis.cause)}\n  → {escape(diagnosis.cure)}", highlight=False)


def _named_in(message: str, options: DoctorOptions) -> Candidate | None:
    """The candidate that a message of one word names, unless it is a known error's."""
    page = message.startswith(("http://", "https://"))
    if len(message.split()) != 1 or diagnose(message) or (names_a_path(message) and not page):
        return None
    return _named(message, options)


def _named(name: str, options: DoctorOptions) -> Candidate | None:
    """The candidate of this name; None where it is none, so that it may be a message."""
    try:
        return find_candidate(name, registry(), options.catalog, cure=options.cure)
    except UnknownName:
        return None


def _look_at_folder(name: str, there: Path, options: DoctorOptions) -> None:
    """What is wrong with a folder's files, and, where it holds a whole model, whether it loads."""
    findings = examine_folder(there)
    verdict = None
    if is_model(there) and all(finding.ok is not False for finding in findings):
        candidate = _named(name, options)
        verdict = None if candidate is None else _verdict(candidate, options)
    if options.as_json:
        rows = [finding.to_json() for finding in findings]
        print_json({"findings": rows, "load": verdict.to_json() if verdict else None})
    else:
        _print_findings(findings, False)
        if verdict:
            _print_looked(verdict)
    if any(f.ok is False for f in findings) or (verdict and not verdict.loads):
        raise typer.Exit(1)


def _verdict(candidate: Candidate, options: DoctorOptions) -> LoadVerdict:
    longest = None if options.data is None else _longest(candidate, options.data)
    return verdict_of(candidate, gpu=options.gpu, length=longest or options.length)


def _longest(candidate: Candidate, data: Path) -> int | None:
    """Tokens of the longest row; None, which is told, where the tokenizer is out of reach."""
    try:
        return longest_row(candidate, data)
    except LoadError as error:
        if error.status != "unreachable":
            raise
        said = text(
            f"The rows' tokens are not counted: {error.shown}",
            f"데이터의 토큰 수를 세지 못했습니다. {error.shown}",
        )
        err.print(escape(said), style="yellow", highlight=False, soft_wrap=True)
        return None


def _print_verdict(verdict: LoadVerdict, as_json: bool) -> None:
    if as_json:
        print_json(verdict.to_json())
    else:
        _print_looked(verdict)
    if not verdict.loads:
        raise typer.Exit(1)


_MARKS = {True: "[green]✓[/]", False: "[red]✗[/]", None: " "}


def _print_looked(verdict: LoadVerdict) -> None:
    """One line for each thing looked at, and last what it comes to."""
    for each in verdict.looked:
        out.print(
            f"{_MARKS[each.ok]} {each.label}: {escape(each.note.words)}",
            highlight=False,
            soft_wrap=True,
        )
    said = f"{verdict.name}: {verdict_words(verdict)}"
    out.print(f"[bold]{escape(said)}[/]", highlight=False, soft_wrap=True)


def _print_findings(findings: list[Finding], as_json: bool) -> None:
    if as_json:
        print_json({"findings": [finding.to_json() for finding in findings]})
        return
    for finding in findings:
        out.print(f"{_MARKS[finding.ok]} {finding.name}: {escape(finding.value)}", highlight=False)
        if finding.cure:
            out.print(f"    {escape(finding.cure)}", highlight=False)
