"""The progress of a run on one machine: a bar that counts, and a line for each case that ended."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.run import progress
from benchmarks.run.case import Case, Task
from benchmarks.run.progress import RunProgress
from benchmarks.study.contract import Contract
from benchmarks.workloads.phases import phase_words
from model_registry.candidate import Candidate, License

ROOT = Path(progress.__file__).parents[1]


def case(name: str) -> Case:
    return Case(Candidate(name, License("MIT", "yes")), "inference", Contract(), Task())


@pytest.fixture  # type: ignore[no-redef]  # the fixture
def progress(monkeypatch: pytest.MonkeyPatch) -> RunProgress:
    monkeypatch.setenv("OHLORA_LANG", "en")
    return RunProgress(Console(record=True, width=120))


def test_each_end_is_a_line_and_the_bar_counts_it(progress: RunProgress) -> None:
    progress.begin(3, 1)
    for name, status in (("one", "ok"), ("two", "timeout")):
        progress.case_begins(case(name))
        progress.case_ends(case(name).result(status), 2.0)
    before, fine, failed = progress.console.export_text().splitlines()
    assert before == "1 of 3 cases were done before"
    assert fine == "✓ 2/3 one/inference  2.0 s"
    assert failed.startswith("✗ 3/3 two/inference  2.0 s  timeout: ")
    bar = progress.bar.tasks[0]
    assert (bar.completed, bar.total) == (3, 3)


def test_the_second_bar_shows_the_case_its_phase_and_its_steps(progress: RunProgress) -> None:
    progress.begin(1, 0)
    progress.case_begins(case("[bold]one"))
    progress.event(("stage", "training"))
    progress.event(("progress", 7, 50))
    bar = progress.bar.tasks[1]
    assert (bar.completed, bar.total) == (7, 50)
    assert progress.bar.get_renderable() is not None
    assert bar.description.endswith(": tuning")
    progress.case_ends(case("[bold]one").result("ok"), 1.0)
    assert "[bold]one/inference" in progress.console.export_text()


def test_cases_in_place_of_failed_ones_widen_the_bar(progress: RunProgress) -> None:
    progress.begin(1, 0)
    progress.case_ends(case("one").result("oom_load"), 1.0)
    progress.more(1)
    assert progress.bar.tasks[0].total == 2


def test_a_phase_of_a_plugin_is_shown_by_its_own_name() -> None:
    assert phase_words("distilling") == "distilling"


def test_every_phase_of_a_workload_has_words_in_both_languages():
    sources = [ROOT / "run" / "worker.py", *(ROOT / "workloads").glob("*.py")]
    phases = {p for each in sources for p in re.findall(r'\.phase\("(\w+)"\)', each.read_text())}
    assert {"load", "training", "own_replies"} <= phases
    assert {phase for phase in phases if phase_words(phase) == phase} == set()
