"""Learning the weights of `quality_exam`, on grades made up by a rule."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from evaluators.training.train_quality import (
    LEAST,
    Judged,
    agreements,
    cross_validated,
    fit,
    fit_curve,
    held_out,
    read_judged,
)

MODELS, PROMPTS = 9, 8


@pytest.fixture
def judged() -> Judged:
    """Grades of a sum in which `a` weighs 6, `b` nothing and `against` less than nothing."""
    chance = np.random.default_rng(0)
    merits = chance.random((MODELS * PROMPTS, 4))
    grades = 6 * merits[:, 0] - 3 * merits[:, 2] + chance.normal(0, 0.3, len(merits))
    models = np.repeat([f"m{n}" for n in range(MODELS)], PROMPTS)
    prompts = np.tile([f"p{n}" for n in range(PROMPTS)], MODELS)
    names = ("a", "b", "against", "length")
    return Judged(names, merits, np.ones(len(merits)), grades, models, prompts)


def everything(judged: Judged) -> np.ndarray:
    return np.ones(len(judged.grades), dtype=bool)


def test_a_merit_weighs_what_the_grades_say_and_never_less_than_nothing(judged: Judged) -> None:
    learnt = fit(judged, everything(judged), 1.0)
    assert learnt.weights["a"] == pytest.approx(6, abs=0.6)
    assert learnt.weights["against"] == 0
    assert learnt.weights["b"] == pytest.approx(0, abs=0.6)
    assert learnt.weights["length"] >= LEAST["length"]


def test_the_curve_is_one_half_where_good_and_bad_grades_are_as_frequent() -> None:
    sums = np.linspace(0, 10, 2_001)
    good = np.random.default_rng(1).random(2_001) < 1 / (1 + np.exp(-(sums - 6) / 1.5))
    middle, spread = fit_curve(sums, good)
    assert middle == pytest.approx(6, abs=0.3) and spread == pytest.approx(1.5, abs=0.3)


@pytest.mark.parametrize("folds", [None, 3])
def test_every_group_is_held_out_once_and_whole(judged: Judged, folds: int | None) -> None:
    masks = list(held_out(judged.models, folds))
    assert len(masks) == (folds or MODELS)
    assert (np.sum(masks, axis=0) == 1).all()
    for mask in masks:
        assert not set(judged.models[mask]) & set(judged.models[~mask])


def test_what_was_learnt_carries_over_to_models_left_out(judged: Judged, monkeypatch) -> None:
    monkeypatch.setattr("evaluators.training.train_quality.DRAWS", 50)
    values, fits = cross_validated(judged, "models")
    assert len(fits) == MODELS
    found = agreements(judged, values)
    assert found["replies"][0] > 0.8
    assert found["replies"][1] <= found["replies"][0] <= found["replies"][2]


def test_a_file_is_read_without_its_models_and_prompts_being_seen(tmp_path) -> None:
    def written(prefix: str) -> Judged:
        path = tmp_path / f"{prefix}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            out = csv.writer(file)
            out.writerow(["model", "prompt_id", "prompt", "reply", "judge_score"])
            for model in "ab":
                out.writerow(
                    [prefix + model, 1, "사과를 설명하시오.", f"사과는 과일이다 {model}.", 7]
                )
                out.writerow([prefix + model, 2, "배를 설명하시오.", "", 0])
        return read_judged(path)

    one, other = written("x"), written("y")
    assert (one.merits == other.merits).all() and (one.left == other.left).all()
    assert one.left[1] == 0 < one.left[0] < 1
    assert set(one.models) != set(other.models)
