"""The table of a sweep shows what runs where, what waits and why, and a line for what ended."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from benchmarks.run.case import Case, Task
from benchmarks.run.progress_table import SHOWN, ProgressTable
from benchmarks.study.contract import Contract
from model_registry.candidate import Candidate, License


def case(name: str) -> Case:
    return Case(Candidate(name, License("MIT", "yes")), "inference", Contract(), Task())


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ProgressTable:
    monkeypatch.setenv("OHLORA_LANG", "en")
    return ProgressTable(Console(record=True, width=100, force_terminal=False, quiet=False))


def shown(table: ProgressTable) -> str:
    console = Console(record=True, width=100, file=None, quiet=False)
    with console.capture() as caught:
        console.print(table.table())
    return caught.get()


def written(table: ProgressTable) -> str:
    return table.console.export_text()


def planned(table: ProgressTable, *names: str) -> list[Case]:
    cases = [case(name) for name in names]
    table.begin(len(cases), 0)
    table.planned(cases)
    return cases


def tell(table: ProgressTable, which: Case, *events: tuple[Any, ...], where: str = "a:1") -> None:
    for event in events:
        table.case_event(which.id, where, event)


def test_those_that_run_come_first_with_machine_phase_and_step(table: ProgressTable) -> None:
    _, two = planned(table, "one", "two")
    tell(table, two, ("began",), ("stage", "training"), ("progress", 3, 50), where="gpu-box:77")
    lines = shown(table).splitlines()
    assert lines[0].strip() == "0 of 2 done, 1 running, 1 waiting"
    assert "two/inference" in lines[2] and "one/inference" in lines[3]
    assert "gpu-box:77" in lines[2] and "tuning · 3/50" in lines[2] and "running" in lines[2]
    assert "waiting" in lines[3]


def test_a_new_phase_forgets_the_steps_of_the_last_one(table: ProgressTable) -> None:
    (one,) = planned(table, "one")
    tell(table, one, ("began",), ("stage", "training"), ("progress", 50, 50), ("stage", "replies"))
    assert "50/50" not in shown(table) and "answering in batches" in shown(table)


def test_an_end_is_a_line_with_its_time_and_place_and_a_failure_says_how(
    table: ProgressTable,
) -> None:
    one, two = planned(table, "one", "two")
    tell(table, one, ("began",), where="box:1")
    table.case_ends(one.result("ok"), 1.25)
    table.case_ends(two.result("oom_training", message="held too much"), 3.0)
    ended = written(table).splitlines()
    assert ended[0] == "✓ 1/2 one/inference  1.2 s  box:1"
    assert ended[1].startswith("✗ 2/2 two/inference  3.0 s  oom_training: ")
    assert "2 of 2 done, 0 running, 0 waiting" in shown(table)


def test_a_case_that_another_worker_began_again_is_marked(table: ProgressTable) -> None:
    (one,) = planned(table, "one")
    tell(table, one, ("began",), ("stage", "training"), where="lost:1")
    tell(table, one, ("began",), where="other:2")
    assert "other:2" in shown(table) and "tuning" not in shown(table)
    table.case_ends(one.result("ok"), 1.0)
    assert "other:2 (again)" in written(table)


def test_what_is_heard_after_an_end_does_not_start_a_case_again(table: ProgressTable) -> None:
    (one,) = planned(table, "one")
    tell(table, one, ("began",))
    table.case_ends(one.result("ok"), 1.0)
    tell(table, one, ("stage", "replies"), ("began",))
    assert "0 running" in shown(table) and table.rows[one.id].state == "done"


def test_a_sign_of_life_changes_nothing(table: ProgressTable) -> None:
    (one,) = planned(table, "one")
    tell(table, one, ("began",), ("stage", "training"))
    before = shown(table)
    tell(table, one, ("alive",))
    assert shown(table) == before


def test_why_nothing_happens_is_written_once_for_each_reason(table: ProgressTable) -> None:
    planned(table, "one")
    for why in ("no room", "no room", "", "no room [of 4]"):
        table.waiting(why)
    assert written(table).splitlines() == ["waiting: no room", "waiting: no room [of 4]"]


def test_a_long_sweep_shows_some_and_counts_the_rest(table: ProgressTable) -> None:
    planned(table, *(f"m{number}" for number in range(SHOWN + 7)))
    assert "and 7 more" in shown(table)


def test_names_that_look_like_markup_are_shown_as_they_are(table: ProgressTable) -> None:
    (one,) = planned(table, "[bold]x")
    tell(table, one, ("began",), where="[red]box:1")
    assert "[bold]x/inference" in shown(table) and "[red]box:1" in shown(table)
    table.case_ends(one.result("ok"), 1.0)
    assert "[bold]x/inference" in written(table)


def test_a_resumed_sweep_goes_on_counting_and_more_cases_widen_it(table: ProgressTable) -> None:
    table.begin(5, 3)
    one, two, extra = (case(name) for name in ("one", "two", "extra"))
    table.planned([one, two])
    table.case_ends(one.result("ok"), 1.0)
    table.case_ends(two.result("oom_load"), 1.0)
    table.more(1)
    table.planned([extra])
    table.case_ends(extra.result("ok"), 1.0)
    assert [line[2:5] for line in written(table).splitlines()] == ["4/5", "5/5", "6/6"]


def test_where_output_is_no_terminal_only_lines_are_written(table: ProgressTable) -> None:
    with table:
        (one,) = planned(table, "one")
        tell(table, one, ("began",), ("stage", "load"))
        table.case_ends(one.result("ok"), 1.0)
    assert written(table).splitlines()[0].startswith("✓ 1/1 one/inference")
    assert "running" not in written(table)
