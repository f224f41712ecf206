"""ORPO: what it refuses, and that it learns to prefer."""

from __future__ import annotations

import pytest

from benchmarks.study.contract import Contract
from benchmarks.workloads import preference
from benchmarks.workloads.log import MemoryLog
from benchmarks.workloads.preference import Preference, from_replies
from model_registry.architectures import chunked_head
from model_registry.errors import BadTrainingRow
from model_registry.weights.loading import LoadedModel, load
from rows.row import Row
from tests.support.tiny_models import tiny_candidate

CONTRACT = Contract(epochs=6, batch_size=2, max_new_tokens=4, learning_rate=2e-2)
PAIRS = [Preference(f"물음 {n}", "그래 좋아", "아니 싫어") for n in range(4)]


@pytest.fixture
def loaded(tiny_model) -> LoadedModel:
    return load(tiny_candidate(tiny_model))


def test_a_reply_that_is_the_target_or_empty_makes_no_pair():
    rows = [Row("a", "one"), Row("b", "two"), Row("c", "three")]
    assert from_replies(rows, ["one ", "", "tree"]) == [Preference("c", "three", "tree")]


def test_no_pairs_are_refused(loaded):
    with pytest.raises(BadTrainingRow, match="no pair"):
        preference.run("case", loaded, [], [], CONTRACT, MemoryLog(), rank=4)


def test_a_side_that_is_too_long_is_refused_before_anything_is_trained(loaded):
    long = [Preference("q", "a", "b" * 600)]
    with pytest.raises(BadTrainingRow, match="more than 512"):
        preference.run("case", loaded, long, [], CONTRACT, MemoryLog(), rank=4)


@pytest.mark.slow
def test_orpo_makes_the_chosen_side_likelier_than_before(loaded, tmp_path, capfd):
    pytest.importorskip("trl")
    log, before = MemoryLog(), margin(loaded)
    outcome = preference.run(
        "case", loaded, PAIRS, [Row("물음 9", "")], CONTRACT, log, rank=4, keep=tmp_path
    )
    assert outcome.steps == 12 == len(log.losses)
    assert outcome.figures["loss_last"] < outcome.figures["loss_first"]
    assert outcome.figures["lora_dropout"] == 0.0 < CONTRACT.lora_dropout  # TRL turns it off
    assert {"warm_up", "training"} <= set(log.phases)
    assert log.replies and log.replies[0].tuned == 4
    assert capfd.readouterr().out == ""  # a JSON document may be written there
    assert (tmp_path / "adapter_model.safetensors").exists()
    assert margin(loaded) > before + 0.05


@pytest.mark.slow
def test_orpo_without_all_logits_learns_as_it_does_with_them(tiny_model, monkeypatch):
    pytest.importorskip("trl")
    curves = []
    for proof in (chunked_head.head_of, lambda model: None):
        monkeypatch.setattr(chunked_head, "head_of", proof)
        log = MemoryLog()
        loaded = load(tiny_candidate(tiny_model))
        preference.run("case", loaded, PAIRS, [], CONTRACT, log, rank=4)
        curves.append([loss.loss for loss in log.losses])
    assert curves[0] == pytest.approx(curves[1], rel=1e-4)
    assert curves[0] != curves[1]  # or one way was taken twice


def margin(loaded: LoadedModel) -> float:
    return likelihood(loaded, "그래 좋아") - likelihood(loaded, "아니 싫어")


def likelihood(loaded: LoadedModel, answer: str) -> float:
    """Mean log-probability of an answer's tokens."""
    from benchmarks.workloads.answer_loss import validation_loss
    from model_registry.prompting.tokenization import encode_row

    row = encode_row(loaded.candidate.prompting, loaded.tokenizer, "물음 1", answer)
    return -(validation_loss(loaded.model, [row], CONTRACT) or 0.0)
