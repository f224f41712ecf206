"""The main table: a row for every candidate, a status for every failure."""

from __future__ import annotations

import json

import pytest

from benchmarks.report.evidence import Evidence
from benchmarks.report.tables.main_table import main_table, parameters, size
from benchmarks.report.tables.record_tables import cases_table
from benchmarks.report.tables.table_cells import Cell, Table
from benchmarks.results.run_head import CandidateRow
from model_registry.records import Result, ScoreRow, append_rows, to_json
from tests.support.report_fixtures import CANDIDATES, make_run


@pytest.fixture(scope="module")
def evidence(tmp_path_factory) -> Evidence:
    return Evidence.read(make_run(tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="module")
def table(evidence) -> Table:
    return main_table(evidence)


def row_of(table: Table, name: str) -> dict[str, Cell]:
    """The cells of a candidate by the head of their column."""
    heads = [column.head for column in table.columns]
    found = next(row for row in table.rows if row[1].text == name)
    return dict(zip(heads, found, strict=True))


def test_every_candidate_is_a_row_and_the_winner_is_the_first(table, evidence):
    assert {row[1].text for row in table.rows} == set(CANDIDATES)
    assert table.rows[0][1].text == evidence.decision.ranking.chosen
    assert table.rows[0][0].text == "1"


def test_it_has_the_columns_of_the_published_table(table):
    heads = [column.head for column in table.columns]
    assert heads == [
        "Rank", "Candidate", "Size", "Leaderboard", "Tokens per 100",
        "Tuning time r16 (s)", "Tuning time r32 (s)", "Tuning time r64 (s)",
        "Tuning peak r16 (MB)", "Tuning peak r32 (MB)", "Tuning peak r64 (MB)",
        "Answering 3 prompts (s)", "Answering peak (MB)",
        "Quality before", "Quality after", "Grade", "Score", "Wins",
    ]  # fmt: skip


def test_figures_come_from_the_results(table):
    beta = row_of(table, "beta-1.3b")
    assert beta["Tuning time r16 (s)"].text == "23.7"
    assert beta["Tuning peak r16 (MB)"].value == pytest.approx(2593, abs=0.01)
    assert beta["Answering 3 prompts (s)"].text == "66.8"
    assert (beta["Quality before"].text, beta["Quality after"].text) == ("0.48", "0.66")


def test_a_size_that_could_not_be_counted_is_the_published_one_and_says_so():
    cell = size(CandidateRow("a", published_parameters=16_400_000_000))
    assert (cell.text, cell.under) == ("16.40 B", "published")
    assert size(CandidateRow("a", parameters=5, published_parameters=7)).text == "5"
    assert size(CandidateRow("a")).kind == "missing"


def test_a_failed_case_shows_its_status_and_why(table):
    cell = row_of(table, "epsilon-1.5b")["Tuning time r64 (s)"]
    assert (cell.text, cell.kind) == ("oom_training", "failed")
    assert "CUDA out of memory" in cell.note
    assert row_of(table, "epsilon-1.5b")["Tuning time r32 (s)"].kind == "number"


def test_what_is_judged_after_a_tune_that_failed_is_its_status(tmp_path):
    source = make_run(tmp_path / "a", candidates=()).head().study_source
    declared = '\n[[decision.criteria]]\nname = "charm_tuned"\n'
    names = ("beta-1.3b", "epsilon-1.5b")
    run = make_run(tmp_path / "b", candidates=names, study_source=source + declared)
    cases = [(name, f"{name}/fine-tune/rank=16") for name in names]
    run.add_scores([ScoreRow(case, n, "p", "greedy", 16, "charm", 0.5) for n, case in cases])
    table = main_table(Evidence.read(run))
    beta, epsilon = (row_of(table, name)["charm_tuned"] for name in names)
    assert (beta.value, beta.kind) == (0.5, "number")
    assert (epsilon.text, epsilon.kind) == ("out of memory while training", "failed")


def test_a_candidate_that_failed_altogether_is_a_row_of_statuses(table):
    zeta = row_of(table, "zeta-1.0b")
    assert zeta["Rank"].text == "out"
    assert [zeta[f"Tuning time r{rank} (s)"].text for rank in (16, 32, 64)] == [
        "unreachable",
        "timeout",
        "killed",
    ]
    assert zeta["Quality before"].text == "unreachable"


def test_no_cell_is_blank_and_no_failure_is_zero(table):
    for row in table.rows:
        for cell in row:
            assert cell.text.strip()
            if cell.kind in ("failed", "missing"):
                assert cell.value is None


def test_a_candidate_whose_licence_nobody_accepted_is_out_with_the_reason(table):
    gamma = row_of(table, "gamma-2.5b")
    assert gamma["Rank"].text == "out"
    assert "vendor-terms" in gamma["Rank"].note


def test_a_candidate_on_no_leaderboard_and_without_grades_says_so(table):
    assert row_of(table, "delta-1.2b")["Leaderboard"].text == "none"
    assert row_of(table, "beta-1.3b")["Grade"].text == "none"


def test_cases_that_were_not_run_yet_say_so(tmp_path):
    run = make_run(tmp_path, candidates=("beta-1.3b",))
    results = run.path / "results.jsonl"
    results.write_text(results.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    evidence = Evidence.read(run)
    beta = row_of(main_table(evidence), "beta-1.3b")
    assert beta["Tuning time r16 (s)"].text == "not run"
    assert len(evidence.run.unfinished) == 3


def test_random_weights_label_every_name_and_have_no_quality(tmp_path):
    table = main_table(Evidence.read(make_run(tmp_path, weights="random")))
    for row in table.rows:
        assert row[1].under == "random weights"
    assert row_of(table, "beta-1.3b")["Quality before"].text == "random"


def test_a_stand_in_bears_its_label(tmp_path):
    table = main_table(Evidence.read(make_run(tmp_path, weights="bundled")))
    assert {row[1].under for row in table.rows} == {"bundled stand-in"}


def test_a_model_from_a_folder_of_the_user_s_bears_no_label_beside_stand_ins(tmp_path):
    run = make_run(tmp_path, weights="bundled")
    results = run.path / "results.jsonl"
    lines = [json.loads(line) for line in results.read_text(encoding="utf-8").split("\n") if line]
    for line in lines:
        if line["candidate"] == "beta-1.3b":
            line["weights"] = "path"
    results.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    table = main_table(Evidence.read(run))
    assert not row_of(table, "beta-1.3b")["Candidate"].under
    assert row_of(table, "alpha-2.6b")["Candidate"].under == "bundled stand-in"


@pytest.mark.parametrize(
    ("count", "words"),
    [(2_614_341_888, "2.61 B"), (463_987_712, "464 M"), (50_000, "50 k"), (12, "12"),
     (None, "unknown")],
)  # fmt: skip
def test_parameters_are_written_for_people(count, words):
    assert parameters(count).text == words


def test_other_ways_of_tuning_have_columns_of_their_own(tmp_path):
    run = make_run(tmp_path, candidates=("beta-1.3b",))
    tuned = next(result for result in run.results() if result.workload == "fine-tune")
    full = {"case": "beta-1.3b/fine-tune/method=full", "settings": {"method": "full"}}
    orpo = {"case": "beta-1.3b/preference", "workload": "preference", "settings": {},
            "status": "oom_training", "message": "OutOfMemoryError: no memory"}  # fmt: skip
    row = to_json(tuned) | {"peaks": tuned.peaks}
    append_rows(run.path / "results.jsonl", [Result(**row | full), Result(**row | orpo)])
    evidence = Evidence.read(run)
    assert [tune.label for tune in evidence.run.tunes] == [
        "full",
        "r16",
        "r32",
        "r64",
        "preference",
    ]
    beta = row_of(main_table(evidence), "beta-1.3b")
    assert beta["Tuning time full (s)"].text == "23.7"
    assert beta["Tuning time preference (s)"].text == "oom_training"
    assert len(cases_table(evidence).rows) == 6
