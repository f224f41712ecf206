"""How far a diagram is what was asked for, alone and as a part of the final score."""

from __future__ import annotations

from dataclasses import replace

import pytest

from diagrams.diagram import Diagram
from diagrams.documents import recommend_document, score_document
from diagrams.requests.diagram_layout import Layer, Style, all_to_all, readable
from diagrams.requests.request_reading import Asked, read_request
from diagrams.scoring.faithfulness import faithfulness
from diagrams.scoring.recommend import recommend
from diagrams.source_texts import Source, read_sources
from model_registry.language import read_by
from tests.support.diagram_fixtures import diagram, node

REQUEST = "3 inputs, hidden layers of 5 and 4, 2 outputs"
ASKED = read_request(REQUEST)


def network(*widths: int) -> Diagram:
    layers = [Layer(width) for width in widths]
    return readable(layers, all_to_all(layers), Style())


def test_what_is_as_asked_counts_in_full_and_says_what_was_counted():
    found = faithfulness(network(3, 5, 4, 2), ASKED)
    assert found.value == 1.0
    assert found.told() == "as asked: 14 nodes, 4 layers, 43 lines"


def test_a_node_too_many_is_told_and_halves_the_score():
    found = faithfulness(network(3, 5, 4, 3), ASKED)
    assert "15 nodes, 14 asked" in found.told()
    assert 0.4 < found.value < 0.5
    with read_by(korean=True):
        assert "노드 15 (요청 14)" in found.told()


def test_the_further_away_the_less():
    values = [faithfulness(network(3, 5, 4, last), ASKED).value for last in (2, 3, 5, 9)]
    assert values == sorted(values, reverse=True) and len(set(values)) == 4


def test_layers_in_another_order_are_not_as_asked():
    found = faithfulness(network(3, 4, 5, 2), ASKED)
    assert found.value < 1 and found.told().startswith("3-4-5-2 nodes by layer, 3-5-4-2 asked")


def test_nodes_on_a_circle_have_no_layers():
    turning = diagram(node(1, 100, 100, 2), node(2, 300, 100, 1))
    assert turning.layers == ()
    assert faithfulness(turning, Asked(layer_count=2)).value == 0.0


def test_what_can_not_be_checked_has_no_faithfulness_and_says_so():
    found = faithfulness(network(1, 2, 1), read_request("A family tree"))
    assert found.value is None and "can't be checked" in found.told()


def test_a_plain_diagram_of_the_right_size_ranks_above_a_pretty_one_of_another():
    pretty, right = network(3, 5, 4, 3), network(3, 5, 4, 2)
    first, second, *others = right.nodes
    plain = diagram(first, replace(second, y=second.y + 30), *others)
    by_looks = recommend([pretty, plain], 2)
    assert [found.place for found in by_looks.best] == [0, 1]
    as_asked = recommend([pretty, plain], 2, asked=[ASKED, ASKED])
    assert [found.place for found in as_asked.best] == [1, 0]
    best, other = as_asked.best
    assert best.final == best.readability
    assert other.final == pytest.approx(other.readability * other.faithfulness.value, abs=1e-3)


def test_the_commands_take_the_request_from_a_column_or_the_option():
    reply = network(3, 5, 4, 3).as_text()
    sources = [
        Source("a", reply, "3 inputs, hidden layers of 5 and 4, 2 outputs"),
        Source("b", reply),
    ]
    asked, unknown = score_document(sources)["rows"]
    assert asked["faithfulness"]["parts"][0] == {"part": "nodes", "found": 15, "asked": 14}
    assert unknown["faithfulness"] == {"value": None, "parts": []}
    (best,) = recommend_document(sources[:1])["best"]
    assert best["final"] < 2.5 < best["readability"]


@pytest.mark.parametrize("request_text", ["A tree with five nodes", "빨간 노드 5개", "원 5개"])
def test_right_counts_leave_open_what_nobody_checks_and_wrong_ones_do_not(request_text):
    asked = read_request(request_text)
    right, wrong = (faithfulness(network(1, last, 1), asked) for last in (3, 4))
    assert right.value is None and "5 nodes; whether its form" in right.told()
    assert wrong.value < 0.5 and wrong.told() == "6 nodes, 5 asked"


def test_words_that_only_look_like_a_form_are_none():
    assert not read_request("Start: 5 nodes for clustering the street").more


def test_a_request_for_all_files_is_the_prompt_of_those_without_one(tmp_path):
    (tmp_path / "a.txt").write_text(network(1, 3, 1).as_text())
    (source,) = read_sources([tmp_path / "a.txt"], request="노드 5개")
    assert source.asked.nodes == 5
    (row,) = score_document([source])["rows"]
    assert row["faithfulness"]["value"] == 1.0
