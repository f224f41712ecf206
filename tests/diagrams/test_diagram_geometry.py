from __future__ import annotations

import pytest

from diagrams.diagram import DiagramRefused
from diagrams.parse import parse
from diagrams.requests.diagram_requests import make_pairs
from diagrams.scoring.geometry import geometric_score, measure
from tests.support.diagram_fixtures import REPLY, diagram, node


def test_a_tidy_diagram_has_no_fault_and_the_full_score():
    found = measure(parse(REPLY).diagram)
    assert (found.nodes, found.edges, found.crossings, found.overlaps) == (4, 4, 0, 0)
    assert found.parts == 1 and found.aligned_share == 1.0
    assert geometric_score(found) == 5.0


def test_two_nodes_on_one_spot_overlap_and_touching_ones_do_not():
    assert measure(diagram(node(1, 300, 300), node(2, 310, 310))).overlaps == 1
    assert measure(diagram(node(1, 300, 300), node(2, 360, 300))).overlaps == 0


def test_a_node_over_the_border_is_outside():
    found = measure(diagram(node(1, 10, 300), node(2, 300, 300), node(3, 300, 2_000)))
    assert found.outside == 2 and found.outside_share == pytest.approx(2 / 3)


def test_a_line_through_a_node_is_counted_once_and_its_own_ends_are_not():
    found = measure(diagram(node(1, 100, 300, 3), node(2, 500, 300), node(3, 900, 300)))
    assert found.edges_through_nodes == 1
    above = measure(diagram(node(1, 100, 300, 3), node(2, 500, 100), node(3, 900, 300)))
    assert above.edges_through_nodes == 0


def test_two_lines_that_cross_are_one_crossing():
    crossed = diagram(
        node(1, 100, 100, 4), node(2, 100, 500, 3), node(3, 900, 100), node(4, 900, 500)
    )
    found = measure(crossed)
    assert found.crossings == found.avoidable_crossings == 1


def test_lines_that_start_at_one_node_do_not_cross():
    fan = diagram(node(1, 100, 300, 2, 3), node(2, 900, 100), node(3, 900, 500))
    assert measure(fan).crossings == 0


def test_crossings_between_layers_joined_all_to_all_can_not_be_avoided():
    full = diagram(
        node(1, 100, 100, 3, 4), node(2, 100, 500, 3, 4), node(3, 900, 100), node(4, 900, 500)
    )
    found = measure(full)
    assert (found.crossings, found.avoidable_crossings) == (1, 0)
    assert geometric_score(found) == 5.0


def test_lines_to_nowhere_and_to_themselves_are_counted():
    found = measure(diagram(node(1, 100, 300, 1, 7), node(2, 500, 300)))
    assert (found.dangling_edges, found.self_edges, found.edges) == (1, 1, 0)
    assert found.isolated == 2 and found.parts == 2


def test_a_line_hidden_between_overlapping_nodes_is_counted():
    assert measure(diagram(node(1, 300, 300, 2), node(2, 330, 300))).hidden_edges == 1


def test_a_diagram_without_nodes_has_the_score_zero_and_unknown_shares():
    found = measure(diagram())
    assert geometric_score(found) == 0.0
    assert found.overlapping_share is None and found.size_spread is None


def test_sizes_that_differ_are_spread():
    even = diagram(node(1, 100, 300, 2), node(2, 500, 300))
    uneven = diagram(node(1, 100, 300, 2), node(2, 500, 300, width=200.0, height=200.0))
    assert measure(even).size_spread == 0.0
    assert measure(uneven).size_spread > 0.5


@pytest.mark.parametrize(
    "worse",
    [
        diagram(node(1, 100, 300, 2), node(2, 110, 300, 3), node(3, 900, 300)),
        diagram(node(1, 100, 300, 2), node(2, 500, 590, 3), node(3, 900, 300)),
        diagram(node(1, 100, 300, 3), node(2, 500, 300, 3), node(3, 900, 300)),
        diagram(node(1, 100, 300, 2), node(2, 500, 300, 9), node(3, 900, 300)),
        diagram(node(1, 100, 300), node(2, 500, 300), node(3, 900, 300)),
    ],
)
def test_every_fault_costs_some_of_the_score(worse):
    tidy = diagram(node(1, 100, 300, 2), node(2, 500, 300, 3), node(3, 900, 300))
    assert geometric_score(measure(worse)) < geometric_score(measure(tidy)) == 5.0


def test_the_targets_of_requests_are_tidy():
    for pair in make_pairs(60, seed=8):
        found = measure(pair.target)
        assert (found.overlaps, found.outside, found.edges_through_nodes) == (0, 0, 0)


def test_what_is_too_large_to_draw_is_not_measured():
    with pytest.raises(DiagramRefused, match="width"):
        measure(diagram(node(1, 100, 300, width=1e9)))
