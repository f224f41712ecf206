"""The scripts that compare: both sides do the same work, and a difference would be seen."""

from __future__ import annotations

import multiprocessing
import threading

import pytest

from benchmarks.selfchecks import batch_against_single, step_against_trl
from benchmarks.selfchecks.step_against_trl import Taken, TurnTaker
from model_registry.records import Peak
from model_registry.weights.loading import LoadedModel, load
from tests.support.tiny_models import tiny_candidate

PROMPTS = [[5, 6, 7], [8, 9], [5, 9, 8, 7, 6]]


@pytest.fixture(scope="module")
def loaded(tiny_model) -> LoadedModel:
    return load(tiny_candidate(tiny_model))


@pytest.mark.parametrize("stop", [True, False])
def test_batch_and_single_make_the_same_tokens(loaded, stop):
    comparison = batch_against_single.compare(loaded, PROMPTS, 6, stop=stop, rounds=1)
    assert comparison.equal
    assert comparison.ratio > 0
    assert stop or comparison.tokens == 18


def test_tokens_that_differ_are_shouted(loaded, monkeypatch):
    whole = batch_against_single.in_a_batch

    def wrong(loaded, prompts, limit, stop):
        made = whole(loaded, prompts, limit, stop)
        made[1][-1] += 1
        return made

    monkeypatch.setattr(batch_against_single, "in_a_batch", wrong)
    comparison = batch_against_single.compare(loaded, PROMPTS, 6, stop=False, rounds=1)
    assert not comparison.equal
    assert batch_against_single.table([comparison]).endswith("NO")


def test_two_sides_take_turns():
    ours, theirs = multiprocessing.Pipe()
    turns = TurnTaker(theirs, steps=2)
    done: list[int] = []

    def work():
        turns.wait()
        for step in range(4):
            done.append(step)
            turns.step_is_done()

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    for turn in (1, 2):
        ours.send("go")
        assert ours.recv() >= 0
        assert len(done) == 2 * turn
    ours.send("end")
    worker.join(timeout=60)
    assert not worker.is_alive()


def test_the_table_has_both_ratios():
    def side(milliseconds: float, mebibytes: int) -> Taken:
        peak = Peak(None, None, mebibytes * 2**20, None, "VmHWM")
        return Taken((milliseconds / 1000,) * 3, peak, 100 * 2**20)

    table = step_against_trl.table({"ours": side(600, 900), "TRL": side(800, 1100)})
    assert table.splitlines()[3].split() == ["ratio", "0.750", "0.818", "0.800"]
