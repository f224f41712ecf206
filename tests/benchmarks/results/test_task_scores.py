"""Figures of benchmark tasks: intervals over clusters, what a tune changed, and the decision."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date
from math import sqrt
from pathlib import Path

import pytest

from benchmarks.report.evidence import Evidence
from benchmarks.report.tables.benchmark_table import benchmark_table
from benchmarks.results.comparisons.task_scores import (
    cluster_mean,
    task_change,
    task_estimate,
    task_ranks,
    task_value,
    tasks_of,
)
from benchmarks.results.criteria import failure_of, samples_of, value_of
from benchmarks.results.run import Run
from benchmarks.results.run_head import CandidateRow, PlannedCase, RunHead
from benchmarks.results.setting import Setting
from benchmarks.study.participants import leaderboard_notes
from benchmarks.study.study_files import read_study, study_path
from model_registry.candidate import Leaderboard
from model_registry.errors import OhloraError
from model_registry.records import Result, TaskSample
from model_registry.registry import Registry

DOCUMENTS = 12


def a_result(
    name: str, task: str, rank: int | None, value: float | None, status: str, **more: str
) -> Result:
    settings = more | ({"task": task} if rank is None else {"rank": rank, "task": task})
    figures = {"metric": "acc,none", "value": value, "documents": DOCUMENTS} if value else {}
    case = f"{name}/benchmark/{Setting.of(settings).id}"
    return Result(case, name, "benchmark", settings, "hash", status, figures=figures)


def samples_for(result: Result, scores: list[float], shift: int = 0) -> list[TaskSample]:
    return [
        TaskSample(result.case, result.candidate, str(result.settings["task"]), n + shift,
                   f"hash {n + shift}", f"cluster {n // 3}", {"acc,none": score})
        for n, score in enumerate(scores)
    ]  # fmt: skip


BEFORE = [1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0]
AFTER = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0]


@pytest.fixture
def run() -> Run:
    before = a_result("one", "own", None, 9 / 12, "ok")
    after = a_result("one", "own", 8, 4 / 12, "ok")
    failed = a_result("two", "own", None, None, "unreachable")
    results = (before, after, failed)
    cases = tuple(
        PlannedCase(each.candidate, "benchmark", Setting.of(each.settings)) for each in results
    )
    head = RunHead("s", {"en": "s", "ko": "s"}, "", "path", {"task_limit": 12}, "hash",
                   (CandidateRow("one"), CandidateRow("two")), cases)  # fmt: skip
    samples = (*samples_for(before, BEFORE), *samples_for(after, AFTER))
    return Run(Path(), head, results, samples=samples)


def test_forgetting_is_after_minus_before_on_the_same_documents(run):
    assert (tasks_of(run), task_ranks(run)) == (("own",), (8,))
    change = task_change(run, "one", "own", 8)
    assert change.mean == pytest.approx(-5 / 12)
    assert (change.documents, change.clusters) == (12, 4)
    assert change.low < change.mean < change.high
    assert task_change(run, "two", "own", 8) is None


def test_documents_that_were_asked_once_only_are_in_no_difference(run):
    before, after = run.results[0], run.results[1]
    shifted = (*samples_for(before, BEFORE), *samples_for(after, AFTER[:6], shift=6))
    change = task_change(replace(run, samples=shifted), "one", "own", 8)
    assert change.documents == 6


def test_a_figure_that_is_no_mean_over_documents_has_no_interval(run):
    assert task_estimate(run, "one", "own").mean == pytest.approx(9 / 12)
    other = replace(run.results[0], figures={**run.results[0].figures, "value": 0.6})
    assert task_estimate(replace(run, results=(other, *run.results[1:])), "one", "own") is None


def test_a_change_is_the_same_figure_in_the_report_and_as_a_criterion(run):
    """Of a group that weighs its members alike both are the difference of its values."""
    change = task_change(run, "one", "own", 8)
    assert change.mean == pytest.approx(value_of("task:own_change", "one", run))
    before, after, failed = run.results
    alike = replace(before, figures={**before.figures, "value": 0.5})
    grouped = replace(run, results=(alike, after, failed))
    assert value_of("task:own_change", "one", grouped) == pytest.approx(4 / 12 - 0.5)
    assert task_change(grouped, "one", "own", 8) is None
    cell = benchmark_table(Evidence(grouped, None)).rows[0][-1]
    assert (cell.text, cell.under) == ("-0.1667", "")


def test_what_is_forgotten_follows_which_end_of_the_metric_is_the_good_one(run):
    def noted(*higher: bool | None) -> str:
        results = [
            replace(each, figures={"task": f"t{n}", "higher_is_better": up})
            for n, (each, up) in enumerate(zip(run.results, higher, strict=False))
        ]
        return benchmark_table(Evidence(replace(run, results=tuple(results)), None)).note

    assert "below 0 is forgotten." in noted(True, True)
    assert "above 0 is forgotten." in noted(False, False)
    assert "Where lower is better, one above 0 is: t1." in noted(True, False)
    assert "forgotten" not in noted(None, None)


def test_documents_of_their_own_give_the_usual_standard_error():
    values = [0.0, 1.0, 1.0, 0.0, 1.0]
    found = cluster_mean(values, [str(n) for n in range(5)])
    error = sqrt(sum((x - 0.6) ** 2 for x in values) / 4 / 5)
    assert (found.high - found.mean) / error == pytest.approx(2.776, abs=1e-3)  # t, 4 degrees
    assert cluster_mean(values, ["a", "a", "b", "b", "b"]).low is None  # two clusters say nothing


def test_intervals_over_clusters_cover_the_truth_where_plain_ones_do_not():
    rng, covered, plain = random.Random(0), 0, 0
    for _ in range(300):
        values, clusters = [], []
        for cluster in range(25):
            shared = rng.gauss(0, 1)
            values += [shared + rng.gauss(0, 0.3) for _ in range(5)]
            clusters += [str(cluster)] * 5
        found = cluster_mean(values, clusters)
        covered += found.low <= 0 <= found.high
        alone = cluster_mean(values, [str(n) for n in range(len(values))])
        plain += alone.low <= 0 <= alone.high
    assert 0.91 <= covered / 300 <= 0.985
    assert plain / 300 < 0.75


def test_a_task_decides_before_the_tune_after_it_and_by_what_it_changed(run):
    assert value_of("task:own", "one", run) == pytest.approx(9 / 12)
    assert value_of("task:own_tuned", "one", run) == pytest.approx(4 / 12)
    assert value_of("task:own_change", "one", run) == pytest.approx(-5 / 12)
    assert value_of("task:own", "two", run) is None
    assert failure_of("task:own", "two", run) == "unreachable"
    assert samples_of({"one": {"task:own": 0.5}}, run) == {}
    with pytest.raises(OhloraError, match=r"No task of this run is called owl\. There are: own"):
        value_of("task:owl", "one", run)
    random_weights = replace(run, head=replace(run.head, weights="random"))
    assert value_of("task:own", "one", random_weights) is None


def test_the_table_has_a_row_for_every_candidate_and_task(run):
    table = benchmark_table(Evidence(run, None))
    cells = [[(cell.text, cell.under) for cell in row[4:]] for row in table.rows]
    assert [text for text, _ in cells[0]] == ["0.7500", "0.3333", "-0.4167"]
    assert all(under for _, under in cells[0])
    assert cells[1][0][0] == "unreachable" or "reached" in cells[1][0][0]
    assert "first 12 documents" in table.note


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"quantization": "nf4"}, {"quantization": "nf4"}, ["nf4", "nf4"]),
        ({}, {"quantization": "nf4"}, ["plain weights", "nf4"]),
        ({}, {}, ["", ""]),
    ],
)
def test_the_table_says_on_which_weights_a_task_was_asked(run, before, after, said):
    results = (a_result("one", "own", None, 0.5, "ok", **before),
               a_result("one", "own", 8, 0.4, "ok", **after))  # fmt: skip
    table = benchmark_table(Evidence(replace(run, results=results), None))
    assert [cell.under for cell in table.rows[0][4:6]] == said


def test_a_run_that_asked_plain_bases_first_shows_what_was_asked_like_its_tune(run):
    results = (a_result("one", "own", None, 0.5, "ok"),
               a_result("one", "own", None, 0.25, "ok", quantization="nf4"))  # fmt: skip
    assert task_value(replace(run, results=results), "one", "own") == 0.25


def test_a_leaderboard_of_more_than_a_year_ago_is_warned_of_where_it_is_weighed():
    study = read_study(study_path("korean-small"))
    board = Leaderboard("Some board", 40.0, date(2025, 4, 19))
    candidate = replace(Registry().candidates("korean-small")[0], leaderboard=board)
    notes = leaderboard_notes(study, [candidate], date(2026, 4, 20))
    assert [note.code for note in notes] == ["leaderboard_old"]
    assert "Some board" in notes[0].words and "2025-04-19" in notes[0].words
    assert leaderboard_notes(study, [candidate], date(2026, 4, 1)) == []
    others = read_study(study_path("korean-2026"))  # weighs none
    assert leaderboard_notes(others, [candidate], date(2030, 1, 1)) == []
