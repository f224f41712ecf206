"""Turns at a model are handed on in order, and nobody is left waiting."""

from __future__ import annotations

import threading
import time

import pytest

from model_registry.backends import fair_lock
from model_registry.backends.fair_lock import FairLock


def test_only_one_holds_the_turn_and_everybody_gets_it_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fair_lock, "SLICE", 0.0)
    line, inside, steps = FairLock(), [], []

    def work(name: str) -> None:
        with line.taken():
            for _ in range(20):
                inside.append(name)
                assert len(inside) == 1
                steps.append(name)
                time.sleep(0.001)
                inside.remove(name)
                if line.due:
                    line.pass_on()

    workers = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    with line.taken():  # until all of them wait
        for worker in workers:
            worker.start()
        while len(line._waiting) < len(workers):
            time.sleep(0.001)
    for worker in workers:
        worker.join(timeout=60)
        assert not worker.is_alive()
    assert len(steps) == 60
    assert all(len({*steps[i : i + 3]}) == 3 for i in range(0, 60, 3))


def test_a_turn_that_nobody_wants_is_never_due() -> None:
    line = FairLock()
    with line.taken():
        assert not line.due
        line.pass_on()
    with line.taken():
        pass


def test_a_turn_is_given_back_when_its_holder_fails() -> None:
    line = FairLock()
    with pytest.raises(ValueError), line.taken():
        raise ValueError
    with line.taken():
        assert True


def test_a_turn_is_due_only_after_it_has_lasted(monkeypatch: pytest.MonkeyPatch) -> None:
    line = FairLock()
    monkeypatch.setattr(fair_lock, "SLICE", 60.0)
    with line.taken():
        waiting = threading.Thread(target=lambda: line.taken().__enter__(), daemon=True)
        waiting.start()
        while not line._waiting:
            time.sleep(0.001)
        assert not line.due
        monkeypatch.setattr(fair_lock, "SLICE", 0.0)
        assert line.due
