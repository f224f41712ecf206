from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from diagrams.scoring.geometry import geometric_score, measure
from diagrams.scoring.networks import AutoEncoder, ReadabilityNetwork, load, save, scores
from diagrams.scoring.pixel_arrays import colours, darkness, stack_darkness
from diagrams.scoring.readability import WEIGHTS, WeightsMissing, readability, seen
from diagrams.training import network_training, train_networks
from diagrams.training.labelled_diagrams import make_labelled
from diagrams.training.network_training import (
    TRIES,
    TrainingCollapsed,
    is_constant,
    remembers,
    train_autoencoder,
    train_ensemble,
    train_judge,
    until_sound,
)
from tests.support.diagram_fixtures import diagram, node


def test_a_picture_is_dark_where_the_diagram_is_and_light_elsewhere():
    seen = darkness(diagram(node(1, 500, 300, fill=(0, 0, 0))))
    assert seen.shape == (1, 150, 250) and seen.dtype == np.uint8
    assert seen[0, 75, 125] > 250 and seen[0, 10, 10] == 0
    assert colours(diagram(node(1, 500, 300))).shape == (3, 60, 100)


def test_a_thin_line_can_still_be_seen():
    seen = darkness(diagram(node(1, 50, 300, 2), node(2, 950, 300)))
    assert seen[0, 74:76, 120].max() > 40 and seen[0, 60, 120] == 0


def test_saved_networks_say_the_same_after_loading(tmp_path):
    pixels = stack_darkness([diagram(node(1, 500, 300))])
    torch.manual_seed(1)
    judge = ReadabilityNetwork()
    save([judge, ReadabilityNetwork()], tmp_path / "judges.safetensors")
    found = load(ReadabilityNetwork, tmp_path / "judges.safetensors")
    assert len(found) == 2
    assert scores(found[0], pixels) == pytest.approx(scores(judge, pixels), abs=0.02)


def test_predictions_that_hardly_vary_are_a_collapse():
    labels = np.array([0.0, 5.0, 2.0, 4.0])
    assert is_constant(np.full(4, 2.5), labels)
    assert is_constant(np.array([2.5, 2.6, 2.5, 2.4]), labels)
    assert is_constant(np.array([1.0, np.nan, 4.0, 2.0]), labels)
    assert not is_constant(np.array([1.0, 4.5, 2.0, 4.0]), labels)


def test_a_collapsed_training_is_made_again_with_another_seed():
    seeds: list[int] = []

    def train(seed: int) -> ReadabilityNetwork:
        seeds.append(seed)
        return ReadabilityNetwork()

    network, collapsed = until_sound(train, lambda network: len(seeds) == 3, seed=7)
    assert isinstance(network, ReadabilityNetwork) and collapsed == 2
    assert len(set(seeds)) == 3 and seeds[0] == 7


def test_a_training_that_always_collapses_ends_in_a_clear_error():
    with pytest.raises(TrainingCollapsed, match="seeds"):
        until_sound(lambda seed: ReadabilityNetwork(), lambda network: False, seed=1)
    assert TRIES == 5


def test_an_auto_encoder_that_gives_the_same_for_everything_is_noticed():
    pixels = np.stack([colours(example.diagram) for example in make_labelled(24, seed=1)])
    constant = AutoEncoder()
    for parameter in constant.parameters():
        parameter.data.zero_()
    assert not remembers(constant, pixels)
    network, _ = train_autoencoder(pixels, epochs=60, seed=1)
    assert remembers(network, pixels)


@pytest.mark.slow
def test_judges_learn_what_can_be_seen_and_each_fold_is_judged_unseen():
    rng = np.random.default_rng(1)
    labels = rng.choice([0.5, 4.5], size=64)
    pixels = rng.integers(0, 90, size=(64, 1, 150, 250), dtype=np.uint8)
    pixels[labels > 2] += 120  # the good ones are dark: anything that looks can tell
    found = train_ensemble(pixels, labels, epochs=40, seed=1, folds=2)
    assert len(found.judges) == 2 and set(found.folds) == {0, 1}
    assert found.held_out.min() >= 0 and found.held_out.max() <= 5
    assert np.corrcoef(found.held_out, labels)[0, 1] > 0.7


def test_the_judges_of_an_ensemble_go_on_from_the_first_and_leave_it_as_it_is():
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 255, size=(8, 1, 150, 250), dtype=np.uint8)
    labels = np.linspace(0.0, 5.0, 8)
    torch.manual_seed(1)
    first = ReadabilityNetwork()
    before = scores(first, pixels)
    judge = train_judge(pixels, labels, epochs=1, seed=1, start=first)
    assert (scores(first, pixels) == before).all()
    assert not np.allclose(scores(judge, pixels), before)


def test_the_same_seed_gives_the_same_judge():
    pixels = np.random.default_rng(3).integers(0, 255, size=(8, 1, 150, 250), dtype=np.uint8)
    labels = np.linspace(0.0, 5.0, 8)
    one, same, other = (train_judge(pixels, labels, epochs=1, seed=seed) for seed in (1, 1, 2))
    assert (scores(one, pixels) == scores(same, pixels)).all()
    assert (scores(one, pixels) != scores(other, pixels)).any()


def test_the_recipe_writes_both_kinds_of_weights_and_its_report(tmp_path, monkeypatch):
    little = {"FIRST_EXAMPLES": 32, "FIRST_EPOCHS": 1, "EXAMPLES": 32, "EPOCHS": 1, "FOLDS": 2}
    for name, value in {**little, "REMEMBERED": 8, "MEMORY_EPOCHS": 1}.items():
        monkeypatch.setattr(train_networks, name, value)
    # So little training gives networks that have not learned anything yet.
    monkeypatch.setattr(network_training, "is_constant", lambda predicted, labels: False)
    monkeypatch.setattr(network_training, "remembers", lambda network, pixels: True)
    report = train_networks.make(tmp_path)
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"readability.safetensors", "taste.safetensors", "report.json"}
    assert set(report["cross_validation"]) == {"judges", "geometry", "mean of both", "constant"}
    assert 0 <= readability([diagram(node(1, 500, 300))], tmp_path)[0] <= 5


def test_missing_weights_are_an_error_that_names_the_cure(tmp_path):
    with pytest.raises(WeightsMissing, match="make diagram-models"):
        readability([diagram(node(1, 500, 300))], tmp_path / "none")


def test_the_shipped_weights_are_small_and_tell_a_tidy_diagram_from_a_heap():
    assert sum(path.stat().st_size for path in WEIGHTS.glob("*.safetensors")) <= 8_000_000
    tidy = diagram(*(node(n, 100 + 200 * n, 300, n + 1) for n in range(4)), node(4, 900, 300))
    heap = diagram(*(node(n, 480 + 12 * n, 300 + 9 * n, (n + 3) % 9) for n in range(9)))
    tidy_score, bad = readability([tidy, heap])
    assert tidy_score > 4 and bad < 2.5


@pytest.mark.parametrize("best", ["judges", "geometry", "mean of both"])
def test_readability_is_what_cross_validation_found_best(tmp_path, best):
    for path in WEIGHTS.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    ways = ("judges", "geometry", "mean of both")
    report = {way: {"of_spoilt": 0.1 if way == best else 0.9} for way in ways}
    (tmp_path / "report.json").write_text(json.dumps({"cross_validation": report}))
    spoilt = diagram(*(node(n, 480 + 12 * n, 300, n + 1) for n in range(6)), node(6, 900, 300))
    looked, counted = seen([spoilt], tmp_path)[0], geometric_score(measure(spoilt))
    expected = {"judges": looked, "geometry": counted, "mean of both": (looked + counted) / 2}
    assert readability([spoilt], tmp_path) == pytest.approx([expected[best]], abs=1e-3)


def test_a_diagram_without_nodes_is_not_readable_at_all():
    assert readability([diagram()]) == [0.0]
