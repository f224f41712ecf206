from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from diagrams.parse import asks_for_size, parse
from diagrams.requests.diagram_requests import held_out, make_pairs, write_pairs
from diagrams.requests.request_reading import read_request
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


def test_what_a_generated_request_states_is_what_its_diagram_has():
    for pair in make_pairs(300, seed=4):
        asked = read_request(pair.request.prompt)
        assert (asked.nodes, asked.layers) == (pair.request.nodes, pair.target.layers)
        assert asked.edges in (None, len(pair.target.edges))
        assert all(read_request(said).layers == asked.layers for said in asked.wordings)


@pytest.mark.parametrize(
    ("request_text", "layers"),
    [
        ("입력 노드 3개, 은닉층 2개(각 4개), 출력 노드 2개인 신경망을 그려 줘", (3, 4, 4, 2)),
        ("입력층 3개, 은닉층 5개와 4개, 출력층 2개", (3, 5, 4, 2)),
        ("입력 노드가 3개이고 은닉층이 2개이며 각각 노드가 5개, 출력은 2개", (3, 5, 5, 2)),
        ("두 개의 은닉층에 각각 4개, 입력 두 개, 출력 한 개", (2, 4, 4, 1)),
        ("노드 4개인 은닉층 2개, 입력 3개, 출력 2개", (3, 4, 4, 2)),
        ("3-5-4-2 신경망", (3, 5, 4, 2)),
        ("합성곱층 2개와 밀집층 1개인 CNN, 풀링 없음", (1, 1, 1, 1)),
        ("데이터 수집 → 전처리 → 학습 → 평가", (1, 1, 1, 1)),
        ("5단계 순서도", (1, 1, 1, 1, 1)),
        ("로그인, 장바구니, 결제, 완료 순서로 순서도를 그려 줘", (1, 1, 1, 1)),
        ("로그인하고 고르고 장바구니에 담고 결제하는 순서도", (1, 1, 1, 1)),
        ("로그인한 다음 고른 후 장바구니에 담은 뒤 결제하는 흐름도", (1, 1, 1, 1)),
        ("순서도: 로그인, 장바구니, 결제, 완료", (1, 1, 1, 1)),
        ("Flow chart: log in, fill the cart, pay, done", (1, 1, 1, 1)),
        ("3 inputs, two hidden layers of 5, 2 outputs", (3, 5, 5, 2)),
        (
            "It has 4 nodes in the input layer, 6 nodes in each of 2 hidden layers and 1 node in "
            "the output layer",
            (4, 6, 6, 1),
        ),
        (
            "A deep learning model with 2 input nodes, 4 and 6 nodes in each of the 2 hidden "
            "layers, and 1 node in the output layer",
            (2, 4, 6, 1),
        ),
    ],
)
def test_layers_are_read_in_many_wordings_of_both_languages(request_text, layers):
    asked = read_request(request_text)
    assert asked.layers == layers and asked.nodes == sum(layers)
    assert asked.wordings and all(read_request(s).layers == layers for s in asked.wordings)


@pytest.mark.parametrize(
    ("request_text", "nodes", "layer_count", "edges"),
    [
        ("노드 5개", 5, None, None),
        ("노드 다섯 개, 은닉층 두 개", 5, 4, None),
        ("노드 6개와 화살표 9개", 6, None, 9),
        ("3 circles and two squares", 5, None, None),
        ("five nodes and 4 arrows", 5, None, 4),
        ("입력 3개, 은닉층이 2개, 출력 1개", None, 4, None),
    ],
)
def test_what_is_only_counted_is_read_too(request_text, nodes, layer_count, edges):
    asked = read_request(request_text)
    assert (asked.nodes, asked.layer_count, asked.edges) == (nodes, layer_count, edges)


@pytest.mark.parametrize(
    "request_text",
    ["a process that reads 3 files and writes 2", "고양이 그려 줘", "A family tree", ""],
)
def test_nothing_is_read_where_nothing_is_stated(request_text):
    asked = read_request(request_text)
    assert not asked.can_be_checked and not asked.wordings


def test_a_form_that_the_model_never_learnt_is_not_put_in_its_words():
    assert read_request("A tree with six nodes").nodes == 6
    assert read_request("A tree with six nodes").wordings == ()


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
