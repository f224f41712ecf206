"""Memory told beside memory: predicted against measured, plain against quantised."""

from __future__ import annotations

from benchmarks.report.cells import Cell, Column, Table, make_table, megabytes
from benchmarks.report.evidence import Evidence
from benchmarks.report.main_table import case_cell, peak_megabytes
from benchmarks.run_records import quantization
from model_registry.language import text
from model_registry.records import Result


def prediction_table(evidence: Evidence) -> Table | None:
    """Predicted against measured memory, where cases were predicted."""
    cases = [case for case in evidence.results if case.predicted_bytes is not None]
    if not cases:
        return None
    columns = [
        Column(text("Case", "케이스"), numeric=False, mono=True),
        Column(text("Predicted", "예측"), unit="MB"),
        Column(text("Measured", "측정"), unit="MB"),
        Column(text("Error", "오차")),
    ]
    rows = []
    for case in cases:
        measured = case.peak_bytes("training" if case.workload == "fine-tune" else case.workload)
        predicted = float(case.predicted_bytes or 0)
        error = None if not measured else predicted / measured - 1
        rows.append(
            [
                Cell(case.case, under=evidence.stand_in(case.candidate)),
                Cell("", "number", megabytes(predicted)),
                case_cell(case, megabytes(measured)),
                Cell(f"{error:+.1%}", "number", error)
                if case.ok and error is not None
                else case_cell(case, None),
            ]
        )
    return make_table(columns, rows)


def ledger_table(evidence: Evidence) -> Table | None:
    """What quantisation saves and costs, beside the plain case of the same work."""
    cases = [case for case in evidence.results if quantization(case) != "none"]
    if not cases:
        return None
    columns = [
        Column(text("Case", "케이스"), numeric=False, mono=True),
        Column(text("Weights", "가중치"), numeric=False),
        Column(text("Plain", "원래"), text("Peak memory", "최대 메모리"), "MB"),
        Column(text("quantised", "양자화"), text("Peak memory", "최대 메모리"), "MB"),
        Column(text("Plain", "원래"), text("Time", "시간"), "s"),
        Column(text("quantised", "양자화"), text("Time", "시간"), "s"),
        Column(text("Verdict", "판정"), numeric=False),
    ]
    rows = [_ledger_row(evidence, case) for case in cases]
    return make_table(columns, rows)


def _ledger_row(evidence: Evidence, case: Result) -> list[Cell]:
    phase = "training" if case.workload == "fine-tune" else case.workload
    settings = {k: v for k, v in case.settings.items() if k != "quantization"}
    plain = next(
        (
            other
            for other in evidence.records.of(case.candidate, case.workload)
            if quantization(other) == "none"
            and {k: v for k, v in other.settings.items() if k != "quantization"} == settings
        ),
        None,
    )
    return [
        Cell(case.case, under=evidence.stand_in(case.candidate)),
        Cell(quantization(case)),
        case_cell(plain, peak_megabytes(plain, phase)),
        case_cell(case, peak_megabytes(case, phase)),
        case_cell(plain, plain.seconds.get(phase) if plain else None),
        case_cell(case, case.seconds.get(phase)),
        Cell(verdict(plain, case, phase)),
    ]


def verdict(plain: Result | None, quantised: Result, phase: str) -> str:
    """Whether quantisation is needed here, helps, or is not worth it."""
    if not quantised.ok:
        return text("does not run", "실행되지 않음")
    if plain is None:
        return text("plain was not tried", "원래 모델은 시도 안 함")
    if not plain.ok:
        return text("needed", "필요함")
    less, more = quantised.peak_bytes(phase), plain.peak_bytes(phase)
    if less is None or more is None:
        return text("memory not measured", "메모리 측정 안 됨")
    if less < more:
        return text("helps", "도움이 됨")
    return text("not worth it here", "여기서는 이득 없음")
