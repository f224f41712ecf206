"""Before and after: each variant beside the first, and no decision where none was asked for."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from benchmarks.report.evidence import Evidence
from benchmarks.report.html import to_html
from benchmarks.report.markdown import to_markdown
from benchmarks.report.tables.main_table import main_table
from benchmarks.report.tables.table_cells import fixed
from benchmarks.report.tables.variant_tables import headline, variants_table
from benchmarks.report.terminal_tables import run_table
from benchmarks.results.folder import RunFolder
from tests.support.report_fixtures import make_before_and_after, make_run


@pytest.fixture(scope="module")
def evidence(tmp_path_factory) -> Evidence:
    return Evidence.read(make_before_and_after(tmp_path_factory.mktemp("run")))


def lines_of(evidence: Evidence) -> list[dict[str, str]]:
    table = variants_table(evidence)
    assert table is not None
    heads = [column.head for column in table.columns]
    return [dict(zip(heads, (c.text for c in row), strict=True)) for row in table.rows]


def test_each_variant_is_told_as_a_share_of_the_first(evidence):
    after = next(row for row in lines_of(evidence) if row["Variant"] == "after")
    assert after["Tuning time of the first"] == "0.25"
    assert after["Tuning peak of the first"] == "0.25"
    assert after["Tuning time a step (s)"] == "4"


def test_the_note_says_that_steps_are_equal_only_where_no_patience_ends_them(evidence):
    run = evidence.run
    patient = replace(run.head, contract={**run.head.contract, "patience": 2})
    notes = [
        str(variants_table(each).note).replace("\n", " ")
        for each in (evidence, replace(evidence, run=replace(run, head=patient)))
    ]
    assert ["number of steps" in note for note in notes] == [True, False]


def test_variants_stand_in_the_order_of_the_study(evidence):
    assert [row["Variant"] for row in lines_of(evidence)] == [
        "before", "after", "before", "after in 4 bit",
    ]  # fmt: skip


def test_the_headline_says_how_many_times_as_fast(evidence):
    assert "4.00 times as fast" in headline(evidence)[0]
    assert (
        f"{fixed(2000, 0)} MB where it takes {fixed(8000, 0)} MB (0.25 of it)"
        in headline(evidence)[0]
    )


def test_out_of_memory_before_is_a_result_and_no_ratio(tmp_path):
    evidence = Evidence.read(make_before_and_after(tmp_path, first="oom_training"))
    assert f"before ends as oom_training; after runs ({fixed(2000, 0)} MB)" in headline(evidence)[0]
    before, after = lines_of(evidence)[:2]
    assert before["Tuning time all steps (s)"] == "oom_training"
    assert after["Tuning time of the first"] == "—"


def test_a_study_without_criteria_has_no_rank_and_chooses_nothing(evidence):
    heads = {column.head for column in main_table(evidence).columns}
    assert not heads & {"Rank", "Score", "Wins", "Quality before"}
    page = to_html(evidence, [])
    assert "What was found" in page
    assert "Chosen" not in page
    assert "Chosen" not in to_markdown(evidence, [])


def test_what_the_table_of_variants_tells_is_not_told_twice(evidence):
    assert [column.head for column in main_table(evidence).columns[:2]] == ["Candidate", "Size"]
    assert not any("Tuning" in column.head for column in main_table(evidence).columns)


def test_a_variant_that_is_not_asked_of_a_candidate_has_no_line(evidence):
    assert ("beta-1.3b", "after in 4 bit") not in {
        (row["Candidate"], row["Variant"]) for row in lines_of(evidence)
    }


def test_in_a_terminal_of_eighty_columns_no_figure_is_cut(evidence):
    console = Console(file=io.StringIO(), width=80, no_color=True)
    console.print(run_table(evidence))
    shown = console.file.getvalue()
    assert "…" not in shown
    line = next(line for line in shown.splitlines() if "after in 4 bit" in line)
    assert line.split()[-6:] == ["4", "0.25", *fixed(2000, 0).split(), "0.25", "2"]


def test_a_study_of_ranks_has_no_variants(tmp_path):
    evidence = Evidence.read(make_run(tmp_path, candidates=("beta-1.3b",)))
    assert variants_table(evidence) is None
    assert headline(evidence) == []


def with_a_fallback(run: RunFolder, name: str) -> Evidence:
    """The same run, had its study tried a quantised case where the plain one does not run."""
    head = json.loads(run.head_path.read_text(encoding="utf-8"))
    fallback = f"{name}/inference/quantization=gptq"
    head["cases"].append(fallback)
    head["instead_of"] = {fallback: f"{name}/inference"}
    run.head_path.write_text(json.dumps(head), encoding="utf-8")
    return Evidence.read(run)


def test_a_quantised_try_that_is_not_needed_is_not_missing(tmp_path):
    evidence = with_a_fallback(make_run(tmp_path, candidates=("beta-1.3b",)), "beta-1.3b")
    assert evidence.run.unfinished == ()


def test_a_quantised_try_that_is_needed_is_missing_until_it_is_done(tmp_path):
    run = make_run(tmp_path, candidates=("beta-1.3b",))
    failed = run.path / "results.jsonl"
    failed.write_text(failed.read_text().replace('"status": "ok"', '"status": "oom_load"'))
    unfinished = with_a_fallback(run, "beta-1.3b").run.unfinished
    assert [case.id for case in unfinished] == ["beta-1.3b/inference/quantization=gptq"]
