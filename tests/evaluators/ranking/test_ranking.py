from __future__ import annotations

import json
import math

import pytest

from evaluators.ranking.criterion_table import Criterion
from evaluators.ranking.normalization import NORMALIZATIONS
from evaluators.ranking.rank_candidates import rank
from model_registry.errors import OhloraError, UnknownName

QUALITY = Criterion("quality", "quality", "품질")
COST = Criterion("cost", "cost", "비용", better="low")
SECONDS = Criterion("seconds", "seconds", "시간", better="low", group="cost")
BYTES = Criterion("bytes", "memory", "메모리", better="low", group="cost")
GRADE = Criterion("grade", "grade", "사람 평가", floor=2.0)
OPPOSED = {"a": {"quality": 1, "cost": 9}, "b": {"quality": 0, "cost": 1}}


def test_equal_weights_over_two_opposed_candidates_win_half_each() -> None:
    ranking = rank(
        [QUALITY, COST], {"a": {"quality": 1, "cost": 9}, "b": {"quality": 0, "cost": 1}}
    )
    assert [row.score for row in ranking.rows] == [0.5, 0.5]
    # With two equal weights every split is equally likely: each wins half of them.
    assert ranking.rows[0].win_share == pytest.approx(0.5, abs=0.02)


def test_the_win_share_is_the_beta_distributions() -> None:
    from scipy.stats import beta

    # Normalised: a (1, 0), b (0, 1), weights 3:1, so the first weight is Beta(1.5, 0.5).
    criteria = [Criterion("quality", "", "", weight=3), COST]
    ranking = rank(criteria, OPPOSED, draws=40_000)
    share = {row.name: row.win_share for row in ranking.rows}
    assert share["a"] == pytest.approx(beta(1.5, 0.5).sf(0.5), abs=0.01)


def test_a_criterion_of_weight_zero_is_shown_and_decides_nothing() -> None:
    criteria = [QUALITY, Criterion("cost", "cost", "비용", "low", weight=0)]
    ranking = rank(criteria, OPPOSED)
    assert ranking.chosen == "a"
    assert ranking.rows[0].win_share == 1
    assert ranking.weights == {"quality": 1, "cost": 0}


def test_a_group_counts_once() -> None:
    values = {
        "dear": {"quality": 1, "seconds": 9, "bytes": 9},
        "cheap": {"quality": 0, "seconds": 1, "bytes": 1},
    }
    ranking = rank([QUALITY, SECONDS, BYTES], values)
    assert {row.name: row.score for row in ranking.rows} == {"dear": 0.5, "cheap": 0.5}
    assert ranking.weights == {"quality": 0.5, "cost": 0.5}


def test_a_missing_value_is_left_out_and_said() -> None:
    values = {
        "a": {"quality": 3, "cost": 1},
        "b": {"quality": 2, "cost": None},
        "c": {"quality": 1, "cost": 2},
    }
    ranking = rank([QUALITY, COST], values)
    row = next(row for row in ranking.rows if row.name == "b")
    assert row.score == 0.5  # its quality alone: neither 0 nor the mean stands for its cost
    assert row.score_range == (0.25, 0.75)
    assert row.missing == ("cost",)
    assert row.note_en == "no value for cost; ranked on 1 criterion only: don't rely on it"
    assert "비용" in row.note_ko
    assert row.normalised["cost"] is None


def test_a_candidate_without_any_value_is_last_and_has_no_score() -> None:
    ranking = rank([QUALITY, COST], {"none": {}, "a": {"quality": 1}, "b": {"quality": 2}})
    last = ranking.rows[-1]
    assert (last.name, last.score, last.win_share) == ("none", None, 0)
    assert not last.on_front


def test_below_a_floor_a_candidate_is_rejected_with_the_reason() -> None:
    values = {"bad": {"grade": 1.5, "quality": 9}, "good": {"grade": 3, "quality": 1}}
    ranking = rank([QUALITY, GRADE], values)
    assert [row.name for row in ranking.rows] == ["good"]
    assert ranking.rejected[0][0] == "bad"
    assert "1.5" in ranking.rejected[0][1].words


def test_an_unknown_grade_rejects_nobody() -> None:
    ranking = rank([QUALITY, GRADE], {"a": {"quality": 1}, "b": {"quality": 2, "grade": 3}})
    assert not ranking.rejected
    assert ranking.unused == ("grade",)


def test_the_pareto_front_leaves_out_who_is_beaten_in_everything() -> None:
    values = {
        "dear": {"quality": 3, "cost": 9},
        "cheap": {"quality": 1, "cost": 1},
        "worse": {"quality": 1, "cost": 5},
        "unknown": {"quality": 2, "cost": None},
    }
    assert set(rank([QUALITY, COST], values).front) == {"dear", "cheap"}


def test_the_weight_that_flips_the_winner_is_the_closed_form() -> None:
    criteria = [Criterion("quality", "quality", "품질", weight=3), COST]
    flip = rank(criteria, OPPOSED).flip
    assert flip is not None
    # a scores the weight of quality and b that of cost: they meet at one half.
    assert (flip.name, flip.winner) == ("cost", "b") or (flip.name, flip.winner) == ("quality", "b")
    assert flip.to_share == pytest.approx(0.5)


@pytest.mark.parametrize("method", NORMALIZATIONS)
def test_past_the_flip_another_wins_and_before_it_nobody_else(method: str) -> None:
    from dataclasses import replace

    criteria = [QUALITY, COST, GRADE]
    values = {
        "a": {"quality": 5, "cost": 9, "grade": 4},
        "b": {"quality": 3, "cost": 4, "grade": None},
        "c": {"quality": 2, "cost": 2, "grade": 3},
    }
    ranking = rank(criteria, values, normalization=method)
    assert ranking.flip is not None
    name, to = ranking.flip.name, ranking.flip.to_share
    now = ranking.flip.from_share

    def winner(share: float) -> str | None:
        rest = {unit: w for unit, w in ranking.weights.items() if unit != name}
        scale = (1 - share) / sum(rest.values())
        weights = {unit: w * scale for unit, w in rest.items()} | {name: share}
        changed = [replace(c, weight=weights[c.name]) for c in criteria]
        return rank(changed, values, normalization=method).chosen

    assert winner(to + 1e-4 * math.copysign(1, to - now)) == ranking.flip.winner
    for step in (0.1, 0.5, 0.9):
        assert winner(now + step * (to - now)) == ranking.chosen


def test_a_candidate_best_in_everything_has_no_flip_and_wins_every_draw() -> None:
    ranking = rank(
        [QUALITY, COST], {"a": {"quality": 9, "cost": 1}, "b": {"quality": 1, "cost": 9}}
    )
    assert ranking.flip is None
    assert ranking.without == {}
    assert ranking.rows[0].win_share == 1
    assert "no change of a single weight" in ranking.reason_en


def test_the_criterion_without_which_another_wins_is_named() -> None:
    values = {
        "a": {"quality": 9, "cost": 5, "grade": 5},
        "b": {"quality": 1, "cost": 1, "grade": 5.0},
        "c": {"quality": 5, "cost": 9, "grade": 2},
    }
    ranking = rank([QUALITY, COST, GRADE], values)
    assert ranking.chosen == "a"
    assert ranking.without["quality"] == "b"


def test_the_bootstrap_share_is_the_share_of_resampled_prompts() -> None:
    # Two prompts: a wins on one by 1, b on the other by 2. Of the four equally likely draws, a
    # wins one (both times the first prompt), b two and both times the second: b wins three.
    samples = {"quality": {"a": {"p": 1.0, "q": 0.0}, "b": {"p": 0.0, "q": 2.0}}}
    values = {"a": {"quality": 0.5}, "b": {"quality": 1.0}}
    ranking = rank([QUALITY], values, samples=samples, draws=20_000)
    share = {row.name: row.bootstrap_share for row in ranking.rows}
    assert share["a"] == pytest.approx(0.25, abs=0.01)
    assert share["b"] == pytest.approx(0.75, abs=0.01)


def test_draws_in_which_all_are_equal_are_shared_out() -> None:
    # Both times the second prompt, one draw in four, says nothing of the two: each wins half of it.
    samples = {"quality": {"a": {"p": 1.0, "q": 0.0}, "b": {"p": 0.5, "q": 0.0}}}
    values = {"a": {"quality": 0.5}, "b": {"quality": 0.25}}
    rows = rank([QUALITY], values, samples=samples, draws=20_000).rows
    share = {row.name: row.bootstrap_share for row in rows}
    assert share["a"] == pytest.approx(7 / 8, abs=0.01)
    assert share["b"] == pytest.approx(1 / 8, abs=0.01)


def test_the_only_candidate_wins_with_whatever_prompts() -> None:
    samples = {"quality": {"a": {"p": 1.0, "q": 0.0}}}
    values = {"a": {"quality": 0.5, "cost": 1}, "unknown": {}}
    rows = rank([QUALITY, COST], values, samples=samples, draws=100).rows
    assert [row.bootstrap_share for row in rows] == [1.0, 0.0]


def test_without_samples_there_is_no_bootstrap_share() -> None:
    ranking = rank([QUALITY], {"a": {"quality": 1}, "b": {"quality": 2}})
    assert ranking.rows[0].bootstrap_share is None


def test_the_same_seed_gives_the_same_bytes() -> None:
    values = {name: {"quality": ord(name) % 3, "cost": ord(name) % 5} for name in "abcdef"}
    samples = {"quality": {n: {str(p): float((ord(n) * p) % 7) for p in range(9)} for n in "abc"}}
    first, second = (
        json.dumps(rank([QUALITY, COST], values, samples=samples, seed=5).to_json())
        for _ in range(2)
    )
    assert first == second
    other = json.dumps(rank([QUALITY, COST], values, samples=samples, seed=6).to_json())
    assert other != first


def test_chosen_and_reserve_have_their_reason_in_both_languages() -> None:
    values = {"a": {"quality": 9, "cost": 3}, "b": {"quality": 5, "cost": 1}, "c": {"quality": 1}}
    ranking = rank([QUALITY, COST], values)
    assert {ranking.chosen, ranking.reserve} == {"a", "b"}
    for sentence in (ranking.reason_en, ranking.reason_ko):
        assert "a" in sentence
        assert "b" in sentence
        assert sentence.count(". ") == 0


@pytest.mark.parametrize(
    "values", [{}, {"only": {"quality": 1}}, {"a": {"quality": 1}, "b": {"quality": 1}}]
)
def test_too_little_to_compare_is_still_a_ranking(values: dict) -> None:
    ranking = rank([QUALITY, COST], values)
    assert len(ranking.rows) == len(values)
    assert ranking.chosen == (min(values) if values else None)
    assert ranking.reason_en and ranking.reason_ko


def test_a_declaration_that_can_not_be_meant_is_refused() -> None:
    with pytest.raises(UnknownName, match="Did you mean min-max"):
        rank([QUALITY], {}, normalization="minmax")
    with pytest.raises(OhloraError, match="declared twice"):
        rank([QUALITY, QUALITY], {})
    with pytest.raises(OhloraError, match="better is"):
        rank([Criterion("x", "x", "x", better="more")], {})
    with pytest.raises(OhloraError, match="weight"):
        rank([Criterion("x", "x", "x", weight=-1)], {})
    with pytest.raises(OhloraError, match="No criterion has a weight"):
        rank([Criterion("x", "x", "x", weight=0)], {})


def test_of_equal_scores_the_one_that_wins_more_draws_stands_first() -> None:
    criteria = (Criterion("one", "one", "하나"), Criterion("two", "two", "둘"))
    values = {
        "a middling one": {"one": 0.5, "two": 0.5},
        "left": {"one": 1.0, "two": 0.0},
        "right": {"one": 0.0, "two": 1.0},
    }
    rows = rank(criteria, values, draws=500).rows
    assert {round(row.score or 0, 9) for row in rows} == {0.5}
    assert rows[-1].name == "a middling one"
    assert [row.win_share for row in rows] == sorted((r.win_share for r in rows), reverse=True)


def test_a_value_on_the_floor_is_kept_and_only_what_lacks_has_a_range() -> None:
    values = {"a": {"grade": 2.0, "cost": 3.0}, "b": {"grade": 1.9, "cost": 1.0},
              "c": {"grade": 4.0, "cost": None}}  # fmt: skip
    ranking = rank([GRADE, COST], values)
    assert [name for name, _ in ranking.rejected] == ["b"]
    limit = {"a": {"cost": 3.0}, "b": {"cost": 3.1}}
    dear = Criterion("cost", "cost", "비용", "low", floor=3.0)
    assert [name for name, _ in rank([dear], limit).rejected] == ["b"]
    ranges = {row.name: row.score_range for row in ranking.rows}
    assert ranges["a"] is None
    assert ranges["c"] is not None


def test_scores_that_differ_by_rounding_are_ordered_by_the_draws() -> None:
    """0.1 + 0.2 is not 0.3: the sum of three thirds must not rank above a whole."""
    parts = tuple(Criterion(f"part {n}", "part", "부분") for n in range(10))
    values = {
        "many": {p.name: 1.0 if n < 3 else 0.0 for n, p in enumerate(parts)},
        "few": {p.name: 0.3 for p in parts},
        "best": dict.fromkeys((p.name for p in parts), 1.0),
        "worst": dict.fromkeys((p.name for p in parts), 0.0),
    }
    rows = {row.name: row for row in rank(parts, values, draws=300).rows}
    assert rows["many"].score == pytest.approx(rows["few"].score, abs=1e-12)
    assert rows["few"].rank < rows["many"].rank  # as the names are ordered: neither wins a draw


def test_a_group_weighs_as_its_heaviest_criterion_and_is_left_out_as_a_whole() -> None:
    heavy = Criterion("seconds", "seconds", "시간", "low", weight=1, group="cost")
    light = Criterion("bytes", "memory", "메모리", "low", weight=0.25, group="cost")
    values = {
        "cheap": {"quality": 0.6, "seconds": 1, "bytes": 1},
        "good": {"quality": 1.0, "seconds": 9, "bytes": 9},
        "better named": {"quality": 1.0, "seconds": 9, "bytes": 9},
        "bad": {"quality": 0.0, "seconds": 9, "bytes": 9},
    }
    ranking = rank([QUALITY, heavy, light], values)
    assert ranking.weights == {"quality": 0.5, "cost": 0.5}
    assert ranking.chosen == "cheap"
    assert ranking.without["cost"] == "better named"  # of two that then win the first by name


def test_what_tells_nobody_apart_widens_no_range() -> None:
    values = {
        "a": {"quality": 3, "cost": 1, "grade": 4},
        "b": {"quality": 2, "cost": None, "grade": 4},
        "c": {"quality": 1, "cost": 2, "grade": 4},
    }
    ranking = rank([QUALITY, COST, GRADE], values)
    assert ranking.unused == ("grade",)
    assert {row.name: row.score_range for row in ranking.rows}["b"] == (0.25, 0.75)


def test_one_criterion_of_a_group_is_left_out_by_itself_too() -> None:
    quality = Criterion("quality", "quality", "품질", weight=0.2)
    values = {
        "quick": {"quality": 0, "seconds": 1, "bytes": 5},
        "small": {"quality": 1, "seconds": 9, "bytes": 1},
        "worst": {"quality": 0, "seconds": 9, "bytes": 9},
    }
    ranking = rank([quality, SECONDS, BYTES], values)
    assert ranking.chosen == "quick"
    assert ranking.without == {"seconds": "small", "cost": "small"}


def test_who_would_win_by_little_without_a_criterion_is_named() -> None:
    values = {
        "a": {"quality": 9, "cost": 1.5}, "b": {"quality": 1, "cost": 1.0},
        "c": {"quality": 1, "cost": 11.0},
    }  # fmt: skip
    ranking = rank([QUALITY, COST], values)
    assert ranking.chosen == "a"
    assert ranking.without == {"quality": "b"}  # 1.0 to 0.95


def test_criteria_of_a_group_share_its_weight_by_their_own() -> None:
    criteria = [SECONDS, Criterion("bytes", "memory", "메모리", "low", weight=0.25, group="cost")]
    values = {"quick": {"seconds": 1, "bytes": 9}, "small": {"seconds": 9, "bytes": 1}}
    scores = {row.name: row.score for row in rank(criteria, values).rows}
    assert scores == {"quick": pytest.approx(0.8), "small": pytest.approx(0.2)}


def test_a_group_without_weight_could_still_turn_the_ranking() -> None:
    free = [Criterion(n, n, n, "low", weight=0, group="cost") for n in ("seconds", "bytes")]
    values = {
        "dear": {"quality": 1, "seconds": 9, "bytes": 9},
        "cheap": {"quality": 0, "seconds": 1, "bytes": 1},
    }
    ranking = rank([QUALITY, *free], values)
    assert ranking.chosen == "dear"
    assert ranking.flip is not None
    assert (ranking.flip.name, ranking.flip.from_share, ranking.flip.winner) == ("cost", 0, "cheap")
    assert ranking.flip.to_share == pytest.approx(0.5)


def test_a_value_moves_by_what_its_drawn_prompts_do() -> None:
    """a leads by 6 on one prompt of three and lacks 1 on the others: it wins whenever the one is
    drawn at all, which is in 19 of 27 draws."""
    samples = {"quality": {"a": {"p": 6.0, "q": -1.0, "r": -1.0}, "b": dict.fromkeys("pqr", 0.0)}}
    values = {"a": {"quality": 4 / 3}, "b": {"quality": 0.0}}
    rows = rank([QUALITY], values, samples=samples, draws=20_000).rows
    share = {row.name: row.bootstrap_share for row in rows}
    assert share["a"] == pytest.approx(19 / 27, abs=0.012)


def test_an_infinite_value_is_a_missing_one() -> None:
    values = {"a": {"quality": math.inf}, "b": {"quality": 1}, "c": {"quality": 2}}
    ranking = rank([QUALITY, COST], values)
    assert ranking.chosen == "c"
    assert ranking.rows[-1].missing == ("quality", "cost")
