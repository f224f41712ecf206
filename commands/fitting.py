"""Commands for the machine: does a candidate fit, and is anything wrong here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import typer
from rich.markup import escape

from commands.shared.console import out, print_columns, print_json
from commands.shared.options import CatalogName, Dtype, Json, ranged
from commands.shared.user_registry import registry
from model_registry.doctor import Finding, diagnose, examine, examine_folder
from model_registry.language import text
from model_registry.machine import pick_dtype
from model_registry.memory.correction import correction_for
from model_registry.memory.fit import NO_CORRECTION
from model_registry.memory.fit_report import (
    FitRow,
    card_budget,
    columns,
    document,
    fit_rows,
    machine_budget,
)
from model_registry.messages.path_errors import existing_path, names_a_path, nothing_there
from model_registry.weights.adapter import find_candidate

#: Columns of the table; the JSON has every row.
_SHOWN = {"load", "inference", "inference nf4", "lora r16", "lora r32", "lora r64",
          "lora r16 nf4", "full", "orpo r16"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """What `ohlora fit` is asked for."""

    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...")] = None
    catalog: CatalogName = None
    gpu: Annotated[
        str | None,
        typer.Option(help=text("12GB or T4; this machine else.", "12GB, T4 등. 없으면 이 장비.")),
    ] = None
    batch: Annotated[
        int, typer.Option(help=text("Rows a step.", "한 단계의 행 수."), callback=ranged("batch"))
    ] = 4
    length: Annotated[
        int, typer.Option(help=text("Tokens a row.", "한 행의 토큰 수."), callback=ranged("length"))
    ] = 128
    dtype: Dtype = "auto"
    trace: Annotated[
        bool,
        typer.Option(
            "--trace",
            help=text("Follow what is not in the table.", "표에 없는 구조를 지금 추적합니다."),
        ),
    ] = False
    as_json: Json = False


def fit(options: FitOptions) -> None:
    """Predict the memory to load, answer and tune, against a card or this machine."""
    known = registry()
    if options.names:
        chosen = [find_candidate(name, known, options.catalog) for name in options.names]
    else:
        chosen = [c for c in known.candidates(options.catalog) if c.backend == "transformers"]
    budget = card_budget(options.gpu) if options.gpu else machine_budget()
    if options.dtype != "auto":
        budget = replace(budget, dtype=pick_dtype(budget.device, options.dtype))
    correction = NO_CORRECTION if options.gpu else correction_for(budget.name, budget.device)
    rows = fit_rows(
        chosen,
        budget,
        batch=options.batch,
        length=options.length,
        correction=correction,
        trace=options.trace,
    )
    if options.as_json:
        print_json(document(budget, rows, correction))
        return
    _print_table(rows)
    size = f"{budget.name}: {budget.bytes / 2**30:.1f} GiB, {budget.dtype}"
    rows_of, tokens = options.batch, options.length
    out.print(
        text(
            f"{size}; tuning with batch {rows_of} and {tokens} tokens a row.",
            f"{size}. 튜닝은 배치 {rows_of}, 한 행 {tokens}토큰 기준입니다.",
        ),
        highlight=False,
    )
    if correction.source:
        out.print(correction.source, highlight=False)
    _print_changes(rows)


def _print_table(rows: Sequence[FitRow]) -> None:
    table = columns(rows, text("candidate (GiB)", "후보 (GiB)"))
    kept = [i for i, name in enumerate(table[0]) if i == 0 or name in _SHOWN]
    print_columns([[line[i] for i in kept] for line in table], right=range(1, len(kept)))


def _print_changes(rows: Sequence[FitRow]) -> None:
    """Why something is not known, and the smallest change with which a tune would fit."""
    for row in rows:
        if row.work.quantization != "none":
            continue
        if row.reason and row.work.kind in ("load", "lora"):
            out.print(f"  {escape(row.name)} {row.work.kind}: {escape(row.reason)}")
        elif row.smallest_change and (row.work.kind, row.work.rank) == ("lora", 16):
            out.print(f"  {escape(row.name)} lora r16 → {escape(row.smallest_change)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorOptions:
    """What `ohlora doctor` is asked for."""

    message: Annotated[
        str | None,
        typer.Argument(
            help=text("An error's text, or a model's folder.", "오류 메시지 또는 모델 폴더.")
        ),
    ] = None
    as_json: Json = False


def doctor(options: DoctorOptions) -> None:
    """Say what is missing here, what a message means, or whether a model's folder is whole."""
    if options.message is None:
        _print_findings(examine(), options.as_json)
    elif (folder := existing_path(options.message)) is not None:
        findings = examine_folder(folder)
        _print_findings(findings, options.as_json)
        if any(finding.ok is False for finding in findings):
            raise typer.Exit(1)
    else:
        _explain(options.message, options.as_json)


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


def _print_findings(findings: list[Finding], as_json: bool) -> None:
    if as_json:
        print_json({"findings": [finding.to_json() for finding in findings]})
        return
    for finding in findings:
        mark = {True: "[green]✓[/]", False: "[red]✗[/]", None: " "}[finding.ok]
        out.print(f"{mark} {finding.name}: {escape(finding.value)}", highlight=False)
        if finding.cure:
            out.print(f"    {escape(finding.cure)}", highlight=False)
