"""The decision in a terminal: failures included, nothing cut in half."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from benchmarks.report.evidence import Evidence
from benchmarks.report.tables.table_cells import Cell, Column, make_table
from benchmarks.report.terminal_tables import TerminalTable, run_table
from tests.support.report_fixtures import CANDIDATES, make_run


def shown(run, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width, no_color=True)
    console.print(run_table(Evidence.read(run)))
    return console.file.getvalue()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run"))


def line_of(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if name in line)


def test_every_candidate_has_a_line_and_the_best_is_the_first(run):
    lines = shown(run).splitlines()
    head = next(place for place, line in enumerate(lines) if line.startswith("#"))
    assert len(lines[head + 1 :]) == len(CANDIDATES)
    assert lines[head + 1].split()[0] == "1"


def test_columns_that_have_no_room_follow_below_beside_the_names_again():
    columns = [
        Column("candidate", numeric=False),
        *(Column(f"instructions followed after the short tune {i}") for i in range(6)),
    ]
    row = [Cell("polyglot-ko-1.3b", "name"), *(Cell("", "number", 0.25 + i) for i in range(6))]
    console = Console(file=io.StringIO(), width=60, no_color=True)
    console.print(TerminalTable(make_table(columns, [row])))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 60
    named = [line.split() for line in lines if line.startswith("polyglot-ko-1.3b")]
    assert [figure for line in named for figure in line[1:]] == [
        "0.250", "1.25", "2.25", "3.25", "4.25", "5.25",
    ]  # fmt: skip
    assert len(named) == 2


def test_a_failed_rank_shows_its_status_where_its_seconds_would_be(run):
    assert "oom_training" in line_of(shown(run), "epsilon-1.5b")
    assert "unreachable" in line_of(shown(run), "zeta-1.0b")


def test_quality_is_shown_before_and_after(run):
    assert "0.48 → 0.66" in line_of(shown(run), "beta-1.3b")


def test_statuses_and_numbers_stay_whole_on_eighty_columns(run):
    text = shown(run, width=80)
    assert "oom_training" in text
    assert "unreachable" in text
    assert "0.48 → 0.66" in text
    assert "…" not in text


def test_random_weights_are_labelled(tmp_path):
    text = shown(make_run(tmp_path, weights="random", candidates=("beta-1.3b",)))
    assert "beta-1.3b [random weights]" in text
