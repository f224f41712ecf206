"""What nobody verified is read again on the hub at first use, and what differs is said."""

from __future__ import annotations

from datetime import date

import pytest

from model_registry.errors import LoadError
from model_registry.naming import catalog_verification as module
from model_registry.naming.catalog_verification import compared, read_again
from model_registry.naming.model_facts import Card, ModelFacts
from model_registry.registry import Registry
from model_registry.weights.weight_files import Tensor

HCX = Registry().candidate("HyperCLOVAX-SEED-Text-Instruct-0.5B")


def facts(**changes: object) -> ModelFacts:
    config = dict(HCX.architecture) | changes
    return ModelFacts(
        name=str(HCX.hub_id),
        config=config,
        tensors={"all": Tensor("BF16", (HCX.parameters or 0,))},
        card=Card(license="hyperclovax-seed"),
        hub_id=HCX.hub_id,
        commit="0123456789abcdef",
        read_on="2026-11-28",
    )


def test_what_the_hub_confirms_is_verified_from_then_on() -> None:
    read, notes = compared(HCX, facts())
    assert not notes
    assert HCX.unverified and not read.unverified
    source = read.evidence["architecture"]
    assert source.standing == "read"
    assert source.read_on == date(2026, 11, 28)
    assert "at 0123456" in source.title


def test_a_value_that_differs_is_said_and_the_hub_s_counts() -> None:
    read, (note,) = compared(HCX, facts(max_position_embeddings=8192))
    assert read.architecture["max_position_embeddings"] == 8192
    assert "the hub says max_position_embeddings 8192, the catalog said 4096" in note.english


def test_another_licence_on_the_hub_takes_the_place_of_the_catalog_s() -> None:
    from dataclasses import replace

    read, notes = compared(HCX, replace(facts(), card=Card(license="apache-2.0")))
    assert read.license.name != HCX.license.name
    assert [n.values["what"] for n in notes] == ["license"]


def test_values_of_the_text_model_inside_a_model_that_sees_are_found() -> None:
    from dataclasses import replace

    inner = {"text_config": dict(HCX.architecture) | {"num_hidden_layers": 30}}
    read, notes = compared(HCX, replace(facts(), config=inner))
    assert read.architecture["num_hidden_layers"] == 30
    assert len(notes) == 1


def test_who_can_not_be_read_stays_unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> ModelFacts:
        raise LoadError("unreachable", "no hub", "허브 없음")

    monkeypatch.setattr(module, "facts_of", refuse)
    assert read_again([HCX]) == ((HCX,), [])
