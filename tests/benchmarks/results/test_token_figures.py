"""Tokens for 100 characters: one figure in every table, from the head of the run alone."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from rich.console import Console

from benchmarks.report.evidence import Evidence
from benchmarks.report.llm_report import to_csv
from benchmarks.report.tables.main_table import main_table
from benchmarks.report.tables.table_cells import Cell
from benchmarks.report.terminal_tables import run_table
from benchmarks.results.criteria import value_of
from benchmarks.results.decision import decide
from benchmarks.results.folder import RunFolder, head_of
from benchmarks.results.run import Run
from benchmarks.results.run_head import RunHead
from benchmarks.results.shown_rows import decision_rows
from benchmarks.study.row_lengths import within_length
from model_registry.messages.notes import Note
from tests.support.report_fixtures import make_run
from tests.support.small_study import plan_study, write_study

TOKENS = {"beta-1.3b": 63.2, "한국-모델-0.5b": 41.0}
FIGURE = "tokens_per_100_characters"
CRITERION = f"""
[[decision.criteria]]
name = "{FIGURE}"
label_en = "tokens for 100 characters"
label_ko = "100자당 토큰"
better = "low"
weight = 1.0
"""


def a_run(folder: Path, *, criterion: str = "") -> RunFolder:
    """A run whose head holds the figures of two candidates; the others' were not counted."""
    run = make_run(folder)
    head = json.loads(run.head_path.read_text(encoding="utf-8"))
    rows = [row | {FIGURE: TOKENS.get(row["name"])} for row in head["candidates"]]
    changed = head | {"candidates": rows, "study_source": head["study_source"] + criterion}
    run.head_path.write_text(json.dumps(changed, ensure_ascii=False), encoding="utf-8")
    return run


def in_report(run: RunFolder) -> dict[str, Cell]:
    """The column's cells of the report's main table by candidate."""
    table = main_table(Evidence.read(run))
    place = [column.head for column in table.columns].index("Tokens per 100")
    return {row[1].text: row[place] for row in table.rows}


def in_csv(run: RunFolder) -> dict[str, str]:
    text = to_csv(Evidence.read(run)).decode("utf-8-sig")
    return {row["name"]: row[FIGURE] for row in csv.DictReader(io.StringIO(text))}


def in_terminal(run: RunFolder) -> str:
    console = Console(file=io.StringIO(), width=160, no_color=True)
    console.print(run_table(Evidence.read(run)))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_report_csv_page_and_decision_show_one_figure_and_the_least_is_the_best(tmp_path) -> None:
    run = a_run(tmp_path)
    cells, records = in_report(run), Run.read(run)
    page = {row["candidate"]: row["tokens"] for row in decision_rows(records, decide(records))}
    for name, tokens in TOKENS.items():
        assert cells[name].value == float(in_csv(run)[name]) == page[name] == tokens
        assert value_of(FIGURE, name, records) == tokens
    assert [name for name, cell in cells.items() if cell.best] == ["한국-모델-0.5b"]


def test_who_was_not_counted_has_a_dash_and_an_empty_cell_and_no_zero(tmp_path) -> None:
    run = a_run(tmp_path)
    cell = in_report(run)["alpha-2.6b"]
    assert (cell.text, cell.kind, in_csv(run)["alpha-2.6b"]) == ("—", "missing", "")
    assert value_of(FIGURE, "alpha-2.6b", Run.read(run)) is None


def test_an_older_run_that_only_noted_the_figures_has_the_column_too(tmp_path) -> None:
    note = Note("tokens_per_100", {"tokens": TOKENS}).to_json()
    cells = in_report(make_run(tmp_path / "noted", notes=["a sentence", note]))
    assert cells["beta-1.3b"].text == "63.2"
    cells = in_report(make_run(tmp_path / "never counted"))
    assert {cell.text for cell in cells.values()} == {"—"}


def test_a_study_may_weigh_it_and_its_terminal_table_then_has_it(tmp_path) -> None:
    weighed = a_run(tmp_path / "weighed", criterion=CRITERION)
    values = {row.name: row.values.get(FIGURE) for row in decide(Run.read(weighed)).ranking.rows}
    assert values["beta-1.3b"] == 63.2
    assert "tok/100" in in_terminal(weighed) and "63.2" in in_terminal(weighed)
    assert "tok/100" not in in_terminal(a_run(tmp_path / "not weighed"))


def test_the_head_of_a_run_keeps_what_its_plan_counted(tmp_path, tiny_model) -> None:
    plan = plan_study(write_study(tmp_path, tiny_model), tmp_path / "out")
    fitted = within_length(plan)
    kept = RunHead.from_json(json.loads(json.dumps(head_of(fitted).to_json()))).candidates
    assert set(fitted.tokens_per_100) == {"one", "two"}
    assert {row.name: row.tokens_per_100_characters for row in kept} == fitted.tokens_per_100
