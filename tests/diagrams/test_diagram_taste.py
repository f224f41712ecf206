from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from diagrams.diagram import SHAPES, Diagram
from diagrams.parse import parse
from diagrams.requests.diagram_requests import flow_pair
from diagrams.scoring.recommend import recommend
from diagrams.scoring.taste import (
    FEWEST,
    LEAST_RELEVANCE,
    cold_start,
    latent,
    nearest_mean,
    predicted_taste,
    relevance,
)
from diagrams.training.taste_trial import with_and_without_taste
from model_registry.errors import OhloraError
from tests.support.diagram_fixtures import REPLY, diagram, node

BLUE, GREEN = (176, 200, 240), (176, 224, 192)


def chain(fill: tuple[int, int, int], count: int) -> Diagram:
    step = 900 // count
    nodes = [node(n, 80 + step * n, 300, n + 1, fill=fill) for n in range(count - 1)]
    return diagram(*nodes, node(count - 1, 80 + step * (count - 1), 300, fill=fill))


def test_the_nearest_decide_and_the_same_diagram_decides_almost_alone():
    known = np.array([[0.0, 0.0], [1.0, 0.0], [9.0, 9.0]])
    given = np.array([5.0, 3.0, 0.0])
    found = nearest_mean(known, given, np.array([[0.0, 0.0], [0.5, 0.0], [9.0, 8.0]]), neighbours=2)
    assert found[0] == pytest.approx(5.0, abs=0.01)
    assert found[1] == pytest.approx(4.0)
    assert found[2] < 1.0


def test_the_mean_stays_between_the_scores_that_were_given():
    rng = np.random.default_rng(1)
    given = rng.uniform(1, 4, size=12)
    found = nearest_mean(rng.normal(size=(12, 5)), given, rng.normal(size=(30, 5)))
    assert given.min() <= found.min() and found.max() <= given.max()


def test_a_cold_start_is_said_and_gives_no_taste():
    scored = [(chain(BLUE, 4), 5.0)] * (FEWEST - 1)
    assert "2 of at least 3" in (cold_start(scored) or "")
    assert predicted_taste([chain(GREEN, 4)], scored) is None
    assert cold_start([*scored, (chain(BLUE, 5), 4.0)]) is None


def test_a_score_outside_0_to_5_is_refused():
    with pytest.raises(OhloraError, match="0 to 5"):
        predicted_taste([chain(BLUE, 4)], [(chain(BLUE, 4), 7.0)] * 3)


def test_a_user_who_likes_blue_is_predicted_to_like_blue():
    scored = [(chain(BLUE, n), 5.0) for n in (3, 5, 7)] + [
        (chain(GREEN, n), 0.0) for n in (3, 5, 7)
    ]
    blue, green = predicted_taste([chain(BLUE, 6), chain(GREEN, 6)], scored) or [0.0, 0.0]
    assert blue > green + 1


def test_the_same_picture_has_the_same_latent():
    one, same, other = latent([chain(BLUE, 4), chain(BLUE, 4), chain(GREEN, 7)])
    assert (one == same).all() and not np.allclose(one, other)


def test_the_best_are_recommended_best_first():
    tidy, heap = chain(BLUE, 4), diagram(*(node(n, 480 + 9 * n, 300, n + 1) for n in range(8)))
    ranking = recommend([heap, tidy], keep=2)
    assert [found.place for found in ranking.best] == [1, 0]
    assert ranking.best[0].final > ranking.best[1].final
    assert ranking.best[0].taste is None and "alone" in ranking.notes[-1]


def test_the_final_score_is_the_weighted_mean():
    scored = [(chain(BLUE, n), 5.0) for n in (3, 5, 7)]
    (found,) = recommend([chain(GREEN, 4)], 1, scored, readability_weight=0.25).best
    assert found.taste is not None
    assert found.final == pytest.approx(0.25 * found.readability + 0.75 * found.taste, abs=1e-3)


def test_a_repeated_diagram_is_left_out_and_said():
    same = parse(REPLY).diagram
    ranking = recommend([same, chain(BLUE, 4), parse(REPLY).diagram, diagram()], keep=4)
    assert sorted(found.place for found in ranking.best) == [0, 1]
    assert ranking.left_out == {2: "the same as number 1", 3: "no node was found"}
    assert "2 of 4" in ranking.notes[0]


def test_a_diagram_too_large_to_draw_is_left_out_with_the_reason():
    ranking = recommend([chain(BLUE, 4), diagram(node(1, 1, 1, width=1e9))], keep=2)
    assert "width" in ranking.left_out[1]


def test_nothing_to_recommend_is_an_empty_ranking():
    assert recommend([], keep=3).best == []


@pytest.mark.parametrize(("keep", "weight"), [(0, 0.5), (1, -0.1), (1, 1.5)])
def test_numbers_out_of_range_are_refused(keep, weight):
    with pytest.raises(OhloraError):
        recommend([chain(BLUE, 4)], keep, readability_weight=weight)


@pytest.mark.slow
def test_with_taste_more_of_the_liked_style_is_recommended():
    trial = with_and_without_taste(users=50, seed=1)
    assert trial.gain_low > 0.4


def test_a_number_that_the_scores_follow_weighs_more_than_one_they_do_not():
    rng = np.random.default_rng(1)
    known = rng.normal(size=(20, 3))
    given = 2.5 + known[:, 1]
    found = relevance(known, given)
    assert found[1] == pytest.approx(1 + LEAST_RELEVANCE)
    assert found[[0, 2]].max() < 0.4


def test_with_scores_that_are_all_the_same_every_number_weighs_the_same():
    known = np.random.default_rng(1).normal(size=(5, 4))
    assert (relevance(known, np.full(5, 3.0)) == LEAST_RELEVANCE).all()
    assert (relevance(np.ones((5, 4)), np.arange(5.0)) == LEAST_RELEVANCE).all()


def test_three_scores_are_too_few_to_trust_a_number_that_follows_them_roughly():
    known, given = np.array([[0.0], [1.0], [0.5]]), np.array([0.0, 3.0, 5.0])
    assert np.corrcoef(known[:, 0], given)[0, 1] > 0.5
    assert relevance(known, given)[0] == pytest.approx(LEAST_RELEVANCE)


def test_a_shape_that_a_user_likes_is_found_whatever_the_layout():
    def flow(shape: str, draw: Random) -> Diagram:
        made = flow_pair(draw).target
        return Diagram(tuple(replace(each, shape=shape) for each in made.nodes))

    draw = Random(3)
    scored = [(flow(shape, draw), 5.0 * (shape == "circle")) for shape in SHAPES * 5]
    offered = [flow(shape, draw) for shape in SHAPES * 3]
    predicted = predicted_taste(offered, scored) or []
    circles = [
        value for value, shape in zip(predicted, SHAPES * 3, strict=True) if shape == "circle"
    ]
    assert sorted(predicted)[-3:] == sorted(circles)
