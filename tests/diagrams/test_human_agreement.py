"""A person's scores are read, compared with every way to readability, and never trained on."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from diagrams.scoring.readability import BOTH, COUNTED, SEEN, readability_way
from diagrams.training.human_agreement import main, read_scores, table
from model_registry.errors import BadFile
from tests.support.diagram_fixtures import REPLY

SCORES = Path(__file__).resolve().parents[3] / "shared/reference/diagrams/human_scores.csv"


def written(path: Path, *rows: tuple[str, str, str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("source", "diagram_text", "human_score_0_to_5"), *rows])
    return path


@pytest.fixture
def scores(tmp_path):
    return read_scores(
        written(
            tmp_path / "s.csv", ("made", REPLY, "4"), ("made", "no diagram", "0"), ("b", REPLY, "5")
        )
    )


def test_every_way_is_compared_over_all_rows_and_by_source(scores):
    assert set(scores.ways) == {SEEN, COUNTED, BOTH}
    assert scores.agreement(COUNTED).rows == 3
    assert scores.agreement(COUNTED, "made").rows == 2
    assert scores.ways[BOTH] == pytest.approx((scores.ways[SEEN] + scores.ways[COUNTED]) / 2)
    assert "(the readability)" in table(scores)


def test_what_is_no_diagram_is_scored_0_and_not_left_out(scores):
    assert scores.ways[COUNTED][1] == scores.ways[SEEN][1] == 0


def test_where_every_score_is_the_same_there_is_no_rank(scores):
    assert scores.agreement(COUNTED, "b").rank is None
    assert scores.best_constant("b") == (5.0, 0.0)


@pytest.mark.parametrize("score", ["", "six", "7", "nan"])
def test_a_score_that_is_none_is_named_with_its_row(score, tmp_path):
    path = written(tmp_path / "s.csv", ("a", REPLY, "3"), ("a", REPLY, score))
    with pytest.raises(BadFile, match="row 3"):
        read_scores(path)


def test_a_file_without_the_columns_ends_in_one_clear_error(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(SystemExit, match="diagram_text"):
        main([str(path)])


@pytest.mark.skipif(not SCORES.exists(), reason="the reference data is not here")
def test_a_person_s_scores_are_met_within_three_quarters_of_a_point():
    scores = read_scores(SCORES)
    found = scores.agreement(readability_way())
    assert found.rows == 167
    assert found.error <= 0.75
    generated = next(source for source in dict.fromkeys(scores.sources) if source != "dataset")
    rank = scores.agreement(readability_way(), generated).rank
    assert rank is not None and rank[1] > 0
