"""What a case asks of a machine, and the words for why it still waits for one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.engines.placement import ResourceRequest, resources_of, why_waiting
from benchmarks.run.case import Case, Limits, Task
from benchmarks.study.contract import Contract
from model_registry.candidate import Candidate, License

GIB = 2**30
CASE = Case(Candidate("a", License("MIT", "yes")), "inference", Contract(), Task())


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OHLORA_LANG", "en")


def test_a_case_asks_for_its_threads_its_memory_and_a_share_of_a_gpu() -> None:
    threads = float(CASE.contract.threads)
    limited = replace(CASE, limits=Limits(memory_bytes=GIB))
    assert resources_of(limited) == ResourceRequest(threads, 0.0, GIB)
    on_gpu = replace(limited, contract=replace(CASE.contract, device="cuda"))
    assert resources_of(on_gpu) == ResourceRequest(1.0, 1.0, None)
    assert resources_of(on_gpu, gpu_share=0.25).options() == {"num_cpus": 1.0, "num_gpus": 0.25}


def test_a_case_fits_only_where_all_it_needs_is_there() -> None:
    needs = ResourceRequest(2, 0.5, GIB)
    assert needs.fit({"CPU": 2, "GPU": 1, "memory": 2 * GIB})
    assert not needs.fit({"CPU": 1, "GPU": 1, "memory": 2 * GIB})
    assert not needs.fit({"CPU": 4, "memory": 2 * GIB})
    assert not needs.fit({"CPU": 4, "GPU": 1, "memory": GIB / 2})


def test_memory_that_no_machine_has_free_is_named_with_the_cure() -> None:
    machine = {"CPU": 4.0, "memory": 16.0 * GIB}
    left = {"CPU": 2.0, "memory": 3.0 * GIB}
    said = why_waiting([ResourceRequest(1, 0, 4 * GIB)], [machine], [left])
    assert said.startswith("no machine has 1 CPU, 4.0 GiB free (the freest has 2 CPU, 3.0 GiB)")
    assert "lower --memory-limit" in said


def test_of_several_that_wait_the_one_that_asks_least_is_named() -> None:
    machine = {"CPU": 4.0, "GPU": 1.0, "memory": 16.0 * GIB}
    waiting = [
        ResourceRequest(1, 1, None),
        ResourceRequest(1, 0, 8 * GIB),
        ResourceRequest(1, 0, 2 * GIB),
    ]
    assert "no machine has 1 CPU, 2.0 GiB free" in why_waiting(waiting, [machine], [{}])


def test_a_machine_that_was_lost_is_asked_after() -> None:
    """What only it had, no other will ever have."""
    left = {"CPU": 4.0, "memory": 16.0 * GIB}
    said = why_waiting([ResourceRequest(1, 1, None)], [left], [left])
    assert "no machine that is up has 1 CPU, 1 GPU: was one lost?" in said
    assert "was one lost?" in why_waiting([ResourceRequest(1, 0, None)], [], [])


def test_where_there_is_room_it_is_the_worker_that_does_not_start() -> None:
    room = {"CPU": 4.0, "memory": 16.0 * GIB}
    assert "has not started yet" in why_waiting([ResourceRequest(1, 0, None)], [room], [room])


def test_on_machines_of_one_s_own_what_is_taken_is_taken_by_a_worker_that_starts() -> None:
    room, taken = {"CPU": 1.0, "memory": 16.0 * GIB}, {"CPU": 0.0, "memory": 16.0 * GIB}
    alone = why_waiting([ResourceRequest(1, 0, None)], [room], [taken], alone=True)
    assert "has not started yet" in alone and "others" not in alone
    assert "others use the cluster" in why_waiting([ResourceRequest(1, 0, None)], [room], [taken])
