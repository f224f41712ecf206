"""Predicted against measured memory."""

from __future__ import annotations

from benchmarks.prediction import MAIN_PHASE
from benchmarks.report.cells import Cell, Column, Table, make_table, megabytes
from benchmarks.report.evidence import Evidence
from benchmarks.report.main_table import case_cell
from model_registry.language import text


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
        measured = case.peak_bytes(MAIN_PHASE.get(case.workload, case.workload))
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
