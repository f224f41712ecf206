from __future__ import annotations

import numpy as np
import pytest

from diagrams.requests.diagram_layout import Layer, Style, all_to_all, layered
from diagrams.scoring.appearance import APPEARANCE_FEATURES, appearance_features, appearance_matrix
from diagrams.training.labelled_diagrams import make_labelled
from tests.support.diagram_fixtures import diagram, node

LAYERS = [Layer(2), Layer(3), Layer(1)]


def styled(**style) -> dict[str, float]:
    return appearance_features(layered(LAYERS, all_to_all(LAYERS), Style(**style)))


def differing(one: dict[str, float], other: dict[str, float]) -> set[str]:
    return {name for name in one if one[name] != pytest.approx(other[name])}


def test_a_shape_is_a_share_of_the_nodes():
    found = styled(shapes=("circle", "rectangle", "circle"))
    assert found["share: circle"] == pytest.approx(3 / 6)
    assert found["share: rectangle"] == pytest.approx(3 / 6)
    assert found["share: round rectangle"] == 0


def test_another_palette_changes_fill_colours_and_nothing_else():
    names = differing(styled(palette="blue"), styled(palette="warm"))
    assert names and all(name.startswith("fill") for name in names)


def test_another_line_changes_the_share_of_lines_and_nothing_else():
    names = differing(styled(line="solid arrow"), styled(line="dashed line"))
    assert names == {"share: solid arrow", "share: dashed line"}


def test_a_chain_that_runs_across_is_told_from_one_that_runs_down():
    chain = [Layer(1)] * 4
    across, down = (
        appearance_features(layered(chain, all_to_all(chain), Style(across=across)))
        for across in (True, False)
    )
    assert across["lines across"] == 1 and down["lines across"] == 0
    assert across["lines across to down"] == pytest.approx(1)
    assert down["lines across to down"] == pytest.approx(-1)


def test_a_diagram_of_one_node_has_looks_too():
    found = appearance_features(diagram(node(1, 500, 300)))
    assert np.isfinite(list(found.values())).all()
    assert found["nodes"] == 0 and found["lines a node"] == 0


def test_every_diagram_has_as_many_looks_all_of_them_numbers():
    found = appearance_matrix(example.diagram for example in make_labelled(40, seed=5))
    assert found.shape == (40, APPEARANCE_FEATURES) and np.isfinite(found).all()
