"""Predicted against measured memory."""

from __future__ import annotations

from benchmarks.report.evidence import Evidence
from benchmarks.report.tables.main_table import case_cell, peak_megabytes
from benchmarks.report.tables.table_cells import Cell, Column, Table, make_table, megabytes
from benchmarks.results.case_figures import prediction_error
from benchmarks.workloads.workload import workload_called
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
        phase = workload_called(case.workload).main_phase
        error = prediction_error(case, phase)
        rows.append(
            [
                Cell(case.case, under=evidence.stand_in(case.candidate)),
                Cell("", "number", megabytes(case.predicted_bytes)),
                case_cell(case, peak_megabytes(case, phase)),
                Cell(f"{error:+.1%}", "number", error)
                if error is not None
                else case_cell(case, None),
            ]
        )
    return make_table(columns, rows)
