"""`ohlora tune --fit`: the fastest settings that fit are taken, and it is said why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.study.contract import Contract
from benchmarks.study.tuning_settings import step_counts
from benchmarks.tune_fit import attempts, fastest_that_fits, work_of
from benchmarks.workloads.optimisation import is_patience_over
from model_registry.errors import OhloraError
from model_registry.memory.fit import NO_CORRECTION, predict
from model_registry.memory.verdict import CARD_RESERVE
from model_registry.prompting.tokenization import IGNORED, EncodedRow
from model_registry.registry import Registry

CARD = Contract(device="cuda", dtype="bfloat16", max_length=512)
ROWS = [EncodedRow((1,) * n, (IGNORED,) * (n // 2) + (1,) * (n - n // 2)) for n in (40, 512, 500)]


@pytest.fixture(scope="module")
def architecture():
    return Registry().candidate("llama1B").architecture


def picked(architecture, budget: int, contract: Contract = CARD):
    return fastest_that_fits(
        architecture, ROWS * 4, contract, budget, rank=16, correction=NO_CORRECTION
    )


def needed(architecture, contract: Contract, quantization: str = "none") -> int:
    work = work_of(ROWS * 4, contract, 16, quantization)
    return predict(architecture, work).predicted_bytes + CARD_RESERVE


def test_with_room_enough_nothing_is_changed(architecture):
    choice = picked(architecture, 2**40)
    assert choice.taken.contract == CARD
    assert choice.too_large == ()


def test_a_smaller_batch_comes_first_and_a_step_learns_from_as_many_rows(architecture):
    half = replace(CARD, batch_size=2, gradient_accumulation=2)
    choice = picked(architecture, needed(architecture, half))
    assert choice.taken.contract == half
    assert choice.taken.words == "--batch-size 2 --gradient-accumulation 2"
    assert "--batch-size 4 would be faster" in choice.words


def test_checkpointing_comes_before_quantised_weights(architecture):
    tried = [(c.gradient_checkpointing, q) for c, q in attempts(CARD, "none")]
    assert list(dict.fromkeys(tried)) == [
        (False, "none"), (True, "none"), (False, "nf4"), (True, "nf4"),
    ]  # fmt: skip
    one = replace(CARD, batch_size=1, gradient_accumulation=4, gradient_checkpointing=True)
    assert picked(architecture, needed(architecture, one)).taken.contract == one


def test_on_a_processor_weights_are_not_quantised_by_itself():
    assert {q for _, q in attempts(replace(CARD, device="cpu"), "none")} == {"none"}


def test_what_was_set_is_never_taken_back():
    asked = replace(CARD, gradient_checkpointing=True, batch_size=6, gradient_accumulation=2)
    tried = [contract for contract, _ in attempts(asked, "nf4")]
    assert all(contract.gradient_checkpointing for contract in tried)
    assert [contract.batch_size for contract in tried] == [6, 3, 2, 1]
    assert {c.batch_size * c.gradient_accumulation for c in tried} == {12}


def test_what_fits_nowhere_is_refused_with_the_least(architecture):
    with pytest.raises(OhloraError, match=r"No setting fits into 0\.98 GiB: .*nf4.* takes least"):
        picked(architecture, 2**30 - 20 * 2**20)


def test_the_work_is_that_of_the_longest_rows():
    work = work_of(ROWS, replace(CARD, batch_size=2), 16, "none")
    assert (work.batch, work.length, work.kept) == (2, 512, 253)


def test_packs_keep_a_mask_even_one_at_a_time(architecture):
    one = replace(CARD, batch_size=1)
    packed, plain = (
        work_of(ROWS, replace(one, packing=packing), 16, "none") for packing in (True, False)
    )
    assert (packed.packed, plain.packed, packed.length) == (True, False, 512)
    masks = predict(architecture, replace(packed, kept=plain.kept)).predicted_bytes
    assert masks - predict(architecture, plain).predicted_bytes > 8 * 512**2 * 2


def test_steps_are_counted_as_they_are_made():
    contract = replace(CARD, batch_size=2, gradient_accumulation=2, epochs=3)
    assert step_counts(9, contract) == (3, 9)
    assert step_counts(9, replace(contract, max_steps=5)) == (3, 5)


@pytest.mark.parametrize(
    ("valid", "over"),
    [([], False), ([1.0], False), ([1.0, 0.9, 0.8], False), ([1.0, 0.9, 0.95, 0.9], True),
     ([1.0, 0.9, 0.95, 0.8], False)],
)  # fmt: skip
def test_patience_is_over_when_no_epoch_was_better(valid, over):
    assert is_patience_over(valid, 2) is over
    assert not is_patience_over(valid, 0)
