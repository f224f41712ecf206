"""What a study says about thinking reaches every model that it asks or tunes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.run.case import Case
from benchmarks.run.worker import _open
from benchmarks.study.contract import Contract
from benchmarks.study.study_files import parse_study
from model_registry.errors import BadFile
from tests.support.tiny_models import tiny_candidate

STUDY = 'name = "s"\n[candidates]\ncatalog = "bundled"\n[contract]\nthinking = "{}"\n'


def test_thinking_is_off_unless_a_study_says_otherwise_and_part_of_what_must_be_equal():
    assert Contract().thinking == "off"
    assert Contract().hash != Contract(thinking="on").hash


@pytest.mark.parametrize("how", ["off", "on", "template"])
def test_a_study_may_say_how_models_think(how):
    assert parse_study(STUDY.format(how), Path("s.toml")).policy["thinking"] == how


def test_another_word_is_refused_with_those_there_are():
    with pytest.raises(BadFile, match=r"s\.toml:5: thinking must be one of off, on, template"):
        parse_study(STUDY.format("maybe"), Path("s.toml"))


def test_a_worker_loads_the_model_with_the_contracts_thinking(tiny_model):
    contract = Contract(thinking="on", weights="path")
    case = Case(tiny_candidate(tiny_model), "inference", contract)
    assert _open(case).candidate.prompting.thinking == "on"
    assert case.candidate.prompting.thinking == "off"
