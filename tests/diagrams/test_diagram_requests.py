from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from diagrams.parse import asks_for_size, parse
from diagrams.requests.diagram_requests import asked_nodes, held_out, make_pairs, write_pairs
from diagrams.scoring.geometry import geometric_score, measure
from diagrams.training.labelled_diagrams import (
    DEGRADATIONS,
    degrade,
    labelled_readable,
    make_labelled,
)
from rows.reading import read_data


def test_700_pairs_are_280_networks_and_420_flow_charts_that_all_differ():
    pairs = make_pairs(700, seed=1)
    kinds = Counter(pair.request.kind for pair in pairs)
    assert kinds["dense"] + kinds["cnn"] == 280 and kinds["flow"] == 420
    assert min(kinds.values()) > 50
    assert len({pair.request.text for pair in pairs}) == 700


def test_one_seed_gives_the_same_pairs_and_another_gives_others():
    assert make_pairs(20, seed=1) == make_pairs(20, seed=1)
    assert make_pairs(20, seed=1) != make_pairs(20, seed=2)


def test_held_out_requests_are_none_of_the_known_ones():
    known = make_pairs(700, seed=1)
    texts = {pair.request.text for pair in known}
    new = held_out(200, seed=2, known=known)
    assert len(new) == 200 and not any(pair.request.text in texts for pair in new)


def test_a_target_has_the_nodes_asked_for_and_keeps_the_format():
    for pair in make_pairs(100, seed=3):
        parsed = parse(pair.target.as_text(), pair.request.prompt)
        assert parsed.format_kept and parsed.complete and parsed.problems == []
        assert parsed.diagram == pair.target
        assert len(parsed.diagram.nodes) == pair.request.nodes


def test_requests_come_in_english_and_korean():
    texts = [pair.request.text for pair in make_pairs(100, seed=3)]
    korean = sum(any("가" <= letter <= "힣" for letter in text) for text in texts)
    assert 10 < korean < 50


def test_the_prompt_asks_for_the_form_of_ten_fields():
    assert asks_for_size(make_pairs(1, seed=1)[0].request.prompt)


def test_the_nodes_of_a_dense_network_are_read_from_its_request():
    pairs = [pair for pair in make_pairs(300, seed=4) if pair.request.kind == "dense"]
    assert all(asked_nodes(pair.request.prompt) == pair.request.nodes for pair in pairs)


@pytest.mark.parametrize(
    ("request_text", "nodes"),
    [
        (
            "A deep learning model with 2 input nodes, 4 and 6 nodes in each of the 2 hidden "
            "layers, and 1 node in the output layer",
            13,
        ),
        ("a process that reads 3 files and writes 2", None),
        ("", None),
    ],
)
def test_only_a_request_that_names_its_layers_tells_how_many_nodes(request_text, nodes):
    assert asked_nodes(request_text) == nodes


def test_a_good_example_has_the_full_score_and_no_fault_to_count():
    draw_from = Random(1)
    for _ in range(80):
        example = labelled_readable(draw_from)
        found = measure(example.diagram)
        assert example.score == 5.0 and found.overlaps == 0 and found.outside == 0
        assert geometric_score(found) >= 4.0


def test_a_spoilt_example_scores_less_says_why_and_shows_it():
    draw_from = Random(2)
    for _ in range(80):
        example = degrade(labelled_readable(draw_from).diagram, draw_from)
        assert 0 <= example.score < 5 and set(example.faults) <= set(DEGRADATIONS)
        assert geometric_score(measure(example.diagram)) < 5.0


def test_every_way_to_spoil_is_among_the_examples_beside_good_ones():
    examples = make_labelled(200, seed=3)
    seen = Counter(fault for example in examples for fault in example.faults)
    assert set(seen) == set(DEGRADATIONS)
    assert 50 < sum(not example.faults for example in examples) < 110


def test_written_pairs_are_read_as_training_data_with_a_held_out_part(tmp_path):
    write_pairs(tmp_path / "pairs.jsonl", train=30, test=10)
    rows = read_data(tmp_path / "pairs.jsonl")
    assert len(rows.of("train")) == 30 and len(rows.of("test")) == 10
    assert not {row.prompt for row in rows.of("train")} & {row.prompt for row in rows.of("test")}
