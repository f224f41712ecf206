from __future__ import annotations

import pytest

from diagrams.diagram import MAX_NODES
from diagrams.parse import asks_for_size, parse, without_prompt
from tests.support.diagram_fixtures import REPLY

ROWS = [row.strip("[],") + "]" if row.endswith("]]]") else row for row in REPLY.split("\n")]
LINE = '[{0}, 100, 200, "circle", 60, 60, "solid arrow", (1, 2, 3), (4, 5, 6), [{1}]]'


def rows(count: int) -> str:
    return "\n".join(LINE.format(number, number + 1) for number in range(1, count + 1))


def numbers(reply: str, prompt: str | None = None) -> list[int]:
    return [node.number for node in parse(reply, prompt).diagram.nodes]


def test_a_well_written_reply_gives_its_nodes_as_they_were_written():
    parsed = parse(REPLY)
    assert parsed.format_kept and parsed.complete and parsed.problems == []
    assert parsed.diagram.as_text() == REPLY
    assert len(parsed.diagram.edges) == 4


def test_three_whole_nodes_keep_the_format_and_two_do_not():
    assert parse(rows(3)).format_kept
    assert not parse(rows(2)).format_kept


def test_the_same_node_three_times_is_one_node():
    parsed = parse("\n".join([LINE.format(1, 2)] * 3))
    assert parsed.whole_nodes == 1 and not parsed.format_kept
    assert "node 1 was there already" in parsed.problems[0]


@pytest.mark.parametrize(
    "written",
    [
        "model = [\n{}\n]",
        "1: {}",
        "Here's the list you asked for:\n```python\n{}\n```\nIt's done.",
        "nodes.append({})",
        "# the nodes, [as asked]\n{}",
        "[  # my diagram\n{}]",
    ],
)
def test_what_stands_around_the_nodes_does_not_matter(written):
    parsed = parse(written.format(rows(3)))
    assert parsed.format_kept and len(parsed.diagram.nodes) == 3


@pytest.mark.parametrize(
    ("written", "rewritten"),
    [
        ("[1, 100, 200", "['1', \"100\", `200`"),
        ("[1, ", '["Node 1", '),
        ("[1, ", "[node_1, "),
        ("[2]]", '["Node 2"]]'),
        ('"circle"', "circle"),
        ('"circle"', 'circle"'),
        ('"circle"', "'circle\""),
        ("60, 60", "60px, 60 px"),
        ("(1, 2, 3)", '"(1, 2, 3)"'),
        ("(1, 2, 3)", "rgb(1, 2, 3)"),
        ("(1, 2, 3)", "[1, 2, 3]"),
        ("(1, 2, 3)", "(1, 2, 3, 255)"),
        ("[2]]", '"[2]"]'),
        ("[2]]", "['2']]"),
        ("[2]]", "[2]], # the input"),
        ("[2]]", "[2], 'a label']"),
        (", ", ",\n  "),
        (", ", ","),
    ],
)
def test_how_a_value_is_written_does_not_matter(written, rewritten):
    plain = LINE.format(1, 2)
    changed = plain.replace(written, rewritten)
    assert changed != plain
    assert parse(changed).diagram == parse(plain).diagram
    assert parse(changed).whole_nodes == 1


def test_a_colour_may_be_named_and_a_short_hex_value_is_doubled():
    line = LINE.format(1, 2).replace("(1, 2, 3)", "'light blue'").replace("(4, 5, 6)", "#f0a")
    (node,) = parse(line).diagram.nodes
    assert node.fill == (173, 216, 230) and node.line_colour == (255, 0, 170)
    assert parse(line).whole_nodes == 0  # numbers were asked for


def test_brackets_left_open_cost_no_node():
    forgotten = "\n".join(LINE.format(n, 2)[:-1] for n in (1, 2, 3))
    both = "\n".join(LINE.format(n, 2)[:-2] for n in (1, 2, 3))
    assert numbers(forgotten) == numbers(both) == [1, 2, 3]
    assert numbers(forgotten + "\nThis is [a, b] what you wanted, I hope.") == [1, 2, 3]


def test_a_forgotten_bracket_before_prose_does_not_swallow_it():
    parsed = parse(rows(3)[:-1] + "\n\nThe nodes are connected, as you see.")
    assert parsed.whole_nodes == 3 and parsed.complete


@pytest.mark.parametrize("cut", [3, 20, 60])
def test_a_reply_that_was_cut_off_is_truncated_and_keeps_its_whole_nodes(cut):
    parsed = parse("[" + rows(3) + ",\n" + LINE.format(4, 5)[:cut])
    assert [node.number for node in parsed.diagram.nodes] == [1, 2, 3]
    assert not parsed.complete
    assert parsed.left_out[-1].line == 4 and parsed.left_out[-1].reason == "cut off"


def test_a_list_that_is_never_closed_is_truncated():
    assert not parse("[" + rows(3)).complete
    assert not parse("nodes = [\n" + rows(3) + ",\n").complete
    assert parse("nodes = [\n" + rows(3) + "\n]").complete
    assert parse(rows(3)).complete


@pytest.mark.parametrize(
    ("written", "rewritten", "reason"),
    [
        ('"circle", ', "", "60 is no shape"),
        ("[2]]", "2]", "2 is no list of nodes it points to"),
        (", [2]]", "]", "the list of nodes it points to is missing"),
        ("[2]]", "[None]]", "[None] is no list of nodes it points to"),
        ("(1, 2, 3)", "(1, 2)", "[1, 2] is no background colour"),
        ("(1, 2, 3)", "'nocolour'", "nocolour is no background colour"),
        ("[1, ", "['one', ", "one is no node number"),
        ("[1, ", "[1.5, ", "1.5 is no node number"),
        ("100", "left", "left is no X"),
        ('"solid arrow"', "7", "7 is no line shape"),
    ],
)
def test_a_node_with_a_wrong_field_is_left_out_with_the_reason(written, rewritten, reason):
    line = LINE.format(1, 2).replace(written, rewritten)
    parsed = parse("# nodes\n" + line)
    assert parsed.diagram.nodes == () and not parsed.format_kept
    assert [(out.line, out.reason) for out in parsed.left_out] == [(2, reason)]


def test_an_unknown_shape_is_drawn_as_a_rectangle_and_said():
    line = LINE.format(1, 2).replace("circle", "hexagon").replace("solid arrow", "wavy")
    parsed = parse(line)
    assert parsed.whole_nodes == 1
    assert parsed.diagram.nodes[0].shape == "rectangle"
    assert parsed.diagram.nodes[0].line == "solid line"
    assert len(parsed.problems) == 2


@pytest.mark.parametrize(
    ("word", "shape"),
    [
        ("Rectangle", "rectangle"),
        ("rounded-rectangle", "round rectangle"),
        ("round_rectangle", "round rectangle"),
        ("ellipse", "circle"),
        ("둥근 사각형", "round rectangle"),
        ("원", "circle"),
    ],
)
def test_a_shape_may_have_other_names(word, shape):
    assert parse(LINE.format(1, 2).replace("circle", word)).diagram.nodes[0].shape == shape


def test_the_older_form_without_sizes_is_drawn_but_keeps_the_format_only_where_asked_for():
    older = rows(3).replace("60, 60, ", "")
    assert len(parse(older).diagram.nodes) == 3
    assert not parse(older).format_kept
    prompt = "Draw it. Each node: [node No., X position, Y position, shape, line shape, colours]"
    assert parse(older, prompt).format_kept
    assert not parse(rows(3), prompt).format_kept


def test_only_a_prompt_that_names_the_fields_without_a_width_asks_for_the_older_form():
    assert asks_for_size(None) and asks_for_size("Draw four nodes")
    assert asks_for_size("[node No., shape, width, height]")
    assert not asks_for_size("[node No., X, Y, shape]")


def test_the_prompt_before_the_answer_is_no_answer():
    prompt = "Continue:\n" + rows(3) + "\nas a [node, width] list."
    assert parse(prompt).format_kept
    assert not parse(prompt, prompt).format_kept
    assert numbers("  " + prompt.replace("\n", " ") + "\n" + LINE.format(7, 8), prompt) == [7]


def test_a_reply_that_only_starts_like_the_prompt_is_left_as_it_is():
    assert without_prompt("Draw this. [1]", "Draw that.") == "Draw this. [1]"
    assert without_prompt("anything", None) == without_prompt("anything", "  ") == "anything"


@pytest.mark.parametrize("reply", ["", "   ", "I can't draw.", "[1, 2, 3]", "x = [[4, 6], [6, 1]]"])
def test_a_reply_without_nodes_says_so(reply):
    parsed = parse(reply)
    assert parsed.problems == ["no node was found"] and not parsed.complete


def test_nothing_in_a_reply_is_ever_run():
    reply = LINE.format(1, "__import__('os').abort()")
    assert parse(reply).diagram.nodes == ()


def test_more_nodes_than_are_drawn_are_refused_and_not_kept_in_memory():
    parsed = parse(rows(MAX_NODES + 5))
    assert len(parsed.diagram.nodes) == MAX_NODES and parsed.too_many
    assert "refused" in parsed.problems[-1]


def test_a_number_too_long_for_a_number_is_none():
    line = LINE.format(1, 2).replace("100", "9" * 5_000)
    assert parse(line).diagram.nodes == ()
