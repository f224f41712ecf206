"""What runs on the machine where Ray places a case; no Ray is needed to run it here."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.engines import ray_task
from benchmarks.engines.engine import CaseOutcome
from benchmarks.engines.ray_task import EventBoard, case_here, do_case, with_its_machine
from benchmarks.run.case import Case, Task
from benchmarks.study.contract import Contract
from model_registry.registry import Registry

CONTRACT = Contract(machine="this CPU")


@pytest.fixture
def case() -> Case:
    return Case(
        Registry().candidate("bundled-neox-0.4m"), "fine-tune", CONTRACT, Task(), {"rank": 2}
    )


class Remote:
    """A board as Ray's handle on one: each call is `.pin.remote(…)`."""

    def __init__(self) -> None:
        self.board = EventBoard()

    @property
    def pin(self) -> Remote:
        return self

    def remote(self, *told: Any) -> None:
        self.board.pin(*told)


class Slow:
    """An engine that waits until somebody else has spoken."""

    def __init__(self, spoken: threading.Event) -> None:
        self.spoken = spoken

    def start(self, device: str) -> float:
        return 0.0

    def run(self, case: Case, listen: Any) -> CaseOutcome:
        listen(("stage", "training"))
        assert self.spoken.wait(120)
        Path(str(case.keep), "adapter").mkdir()
        Path(str(case.keep), "adapter", "weights").write_bytes(b"made there")
        return CaseOutcome(case.result("ok", machine={"name": "another CPU"}))


def test_a_case_tells_its_beginning_its_phases_and_now_and_then_that_it_lives(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken = threading.Event()
    board = Remote()
    pin = board.board.pin

    def note(case: str, where: str, event: tuple[Any, ...]) -> None:
        pin(case, where, event)
        if event == ("alive",):
            spoken.set()

    monkeypatch.setattr(board.board, "pin", note)
    monkeypatch.setattr(ray_task, "_engine", Slow(spoken))
    monkeypatch.setattr(ray_task, "SIGN_OF_LIFE_SECONDS", 0.01)
    outcome, files = do_case(replace(case, keep="/run/adapters"), board)
    told = [event for _, _, event in board.board.take()]
    phases = [event for event in told if event != ("alive",)]  # which comes when it comes
    assert phases == [("began",), ("stage", "imports"), ("stage", "training")]
    assert ("alive",) in told and board.board.take() == []
    assert files == {"adapter/weights": b"made there"}
    assert outcome.result.contract == replace(CONTRACT, machine="another CPU").hash


def test_bundled_weights_are_found_where_the_other_machine_has_them(case: Case) -> None:
    elsewhere = replace(case.candidate, path=f"/elsewhere/{Path(str(case.candidate.path)).name}")
    there = case_here(replace(case, candidate=elsewhere, keep="/run/adapters"), "/tmp/made")
    assert there.candidate.path == case.candidate.path and there.keep == "/tmp/made"


def test_a_model_of_the_user_s_own_keeps_its_path(case: Case) -> None:
    own = replace(case.candidate, path="/models/bundled-neox-0.4m", traits=())
    assert case_here(replace(case, candidate=own), "/tmp/made").candidate.path == own.path


def test_a_result_of_another_kind_of_machine_does_not_compare(case: Case) -> None:
    result = case.result("ok", machine={"name": "this CPU"})
    assert with_its_machine(case, result) is result
    other = with_its_machine(case, replace(result, machine={"name": "another CPU"}))
    assert other.contract == replace(CONTRACT, machine="another CPU").hash != CONTRACT.hash
    assert other.policy["machine"] == "another CPU"
