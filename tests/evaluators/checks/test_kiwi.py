from __future__ import annotations

import importlib.util

import pytest

from evaluators.checks.kiwi import KIWI_WELL_FORMED, kiwi_well_formed
from evaluators.evaluator_registry import load_evaluators

INSTALLED = importlib.util.find_spec("kiwipiepy") is not None


def test_it_is_offered_only_where_its_library_is_installed() -> None:
    assert (KIWI_WELL_FORMED.name in load_evaluators(entry_points=False)) == INSTALLED


def test_quality_does_not_hang_on_it() -> None:
    from evaluators.quality import QUALITY

    assert KIWI_WELL_FORMED not in QUALITY.parts


def test_too_little_korean_is_not_judged_and_loads_nothing() -> None:
    assert kiwi_well_formed("I am fine").value is None


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="kiwipiepy is not installed")
def test_sound_korean_is_above_garbled_korean() -> None:
    sound = kiwi_well_formed("어제 산 빵이 맛있어서 동생이랑 나눠 먹었어.").value or 0
    garbled = kiwi_well_formed("너음에 감정이 빠르게 달러되지는 컨더링 피체트 낟.").value or 1
    assert sound > 0.5 > garbled
