from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from diagrams.documents import draw_document, parse_document, recommend_document, score_document
from diagrams.parse import parse
from diagrams.requests.diagram_requests import prompt_for
from diagrams.source_texts import Source, read_scored, read_sources
from evaluators.checks import diagram_reply
from evaluators.checks.diagram_reply import asks_for_diagram
from evaluators.evaluator_registry import OwnFile, judge_replies
from model_registry.errors import BadFile, OhloraError, UnknownName
from model_registry.language import read_by
from model_registry.records import Reply
from tests.support.diagram_fixtures import REPLY

PROMPT = "Represent below as a Python list. 1 input node … [node No., shape, width, …]"
HUGE = '[1, 100, 200, "circle", 1000000000, 60, "solid line", (1, 2, 3), (4, 5, 6), []]'
REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference" / "diagrams"


def table(path: Path, **columns: list[str]) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


def test_files_are_read_whole_and_tables_row_by_row(tmp_path):
    whole = tmp_path / "reply.txt"
    whole.write_text(REPLY, encoding="utf-8")
    assert [source.reply for source in read_sources([whole])] == [REPLY]
    rows = table(tmp_path / "t.csv", q=["one", ""], a=[REPLY, "no"])
    assert read_sources([rows], "a", "q") == [
        Source(f"{rows}:1", REPLY, "one"),
        Source(f"{rows}:2", "no", None),
    ]


def test_a_missing_file_and_a_missing_column_are_named(tmp_path):
    with pytest.raises(BadFile, match="can't be read"):
        read_sources([tmp_path / "none.txt"])
    rows = table(tmp_path / "t.csv", reply=[REPLY])
    with pytest.raises(UnknownName, match="Did you mean reply"):
        read_sources([rows], "replies")


def test_the_score_document_has_a_row_for_every_source():
    sources = [Source("a", REPLY), Source("b", "I can't."), Source("c", HUGE)]
    document = score_document(sources)
    good, nothing, huge = document["rows"]
    assert list(good) == [
        "source", "format_kept", "complete", "nodes", "geometry", "readability", "faithfulness",
        "problems",
    ]  # fmt: skip
    assert good["format_kept"] and good["nodes"] == 4 and good["geometry"]["score"] == 5.0
    assert 0 <= good["readability"] <= 5
    assert nothing["readability"] is nothing["geometry"] is None
    assert nothing["problems"] == ["no node was found"]
    assert huge["geometry"] is None and "1,000,000,000 px" in huge["problems"][-1]
    assert (document["format_kept"], document["of"]) == (1, 3)
    json.dumps(document)


def test_the_parse_document_holds_the_nodes_and_what_was_left_out():
    cut = REPLY + "\n[9, 100, 'circle', 5]"
    (row,) = parse_document([Source("a", cut)])["rows"]
    assert len(row["nodes"]) == 4 and row["nodes"][0]["targets"] == (2, 3)
    assert row["left_out"][0]["line"] == 5 and "circle" in row["left_out"][0]["text"]


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<svg")])
def test_pictures_are_written_one_a_source(tmp_path, kind, start):
    sources = [Source("a/x.txt", REPLY), Source("b/x.txt", REPLY), Source("c.csv:3", "nothing")]
    rows = draw_document(sources, tmp_path / "out", kind)["rows"]
    files = [Path(row["file"]) for row in rows if row["file"]]
    assert len(set(files)) == 2 and all(file.read_bytes().startswith(start) for file in files)
    assert rows[2]["file"] is None and rows[2]["problems"] == ["no node was found"]


def test_a_node_of_a_thousand_million_pixels_is_refused_by_name(tmp_path):
    with pytest.raises(OhloraError, match="Node 1 has a width of 1,000,000,000 px"):
        draw_document([Source("a", HUGE)], tmp_path)


def test_an_unknown_kind_of_picture_is_refused(tmp_path):
    with pytest.raises(OhloraError, match="png or svg"):
        draw_document([Source("a", REPLY)], tmp_path, "gif")


def test_the_recommend_document_names_the_best_and_what_is_repeated():
    document = recommend_document([Source("a", REPLY), Source("b", REPLY), Source("c", "no")], 2)
    assert [found["source"] for found in document["best"]] == ["a"]
    assert {out["source"] for out in document["left_out"]} == {"b", "c"}
    assert document["weights"] == {"readability": 0.5, "taste": 0.5}
    assert document["best"][0]["taste"] is None and document["notes"]


def test_what_is_wrong_is_said_in_both_languages_and_files_keep_one(tmp_path):
    source = Source("가.txt", '[1, 100, "네모", 3]')
    for korean in (False, True):
        with read_by(korean), pytest.raises(OhloraError) as refused:
            draw_document([source], tmp_path)
        assert "가.txt: no node was found" in str(refused.value)
        assert "가.txt: 노드가 없습니다" in refused.value.korean
        with read_by(korean):
            (row,) = parse_document([source])["rows"]
        assert row["problems"] == ["line 1 left out: 네모 is no Y", "no node was found"]
    with read_by(korean=True):
        assert parse(source.reply).problems[0] == "1번째 줄 제외: Y이(가) 아닙니다: 네모"


def test_scored_diagrams_are_read_and_a_bad_row_is_named(tmp_path):
    good = table(tmp_path / "good.csv", diagram=[REPLY] * 3, score=["5", "0", "2.5"])
    assert [score for _, score in read_scored(good)] == [5.0, 0.0, 2.5]
    bad = table(tmp_path / "bad.csv", diagram=[REPLY, REPLY], score=["5", "many"])
    with pytest.raises(BadFile, match=r"bad\.csv:6"):
        read_scored(bad)


def judged(reply: str, prompt: str = PROMPT, **fields: object) -> dict[str, float | None]:
    found = OwnFile(diagram_reply).made
    record = Reply("c", "m", prompt, reply, "greedy", None, None, "stop", **fields)  # type: ignore[arg-type]
    rows, _ = judge_replies(found, [record])
    return {row.evaluator: row.value for row in rows}


def test_a_reply_with_a_diagram_gets_all_its_scores():
    scores = judged(REPLY, reference=REPLY)
    assert scores["diagram_format_kept"] == scores["diagram_nodes_as_asked"] == 1.0
    assert scores["diagram_as_asked"] == 1.0
    assert scores["diagram_geometry"] == 5.0
    assert 0 <= (scores["diagram_readability"] or -1) <= 5


def test_a_reply_without_a_diagram_fails_the_format_and_has_no_readability():
    scores = judged("I can't draw.", reference=REPLY)
    assert scores["diagram_format_kept"] == scores["diagram_nodes_as_asked"] == 0.0
    assert scores["diagram_geometry"] is scores["diagram_readability"] is None


def test_a_reference_that_is_no_diagram_asks_for_none_and_the_prompt_counts():
    assert judged(REPLY, reference="no diagram")["diagram_as_asked"] is None
    prompt = prompt_for("A chain of 4 nodes")
    assert judged(REPLY, prompt, reference="no diagram") == judged(REPLY, prompt)
    assert judged(REPLY, prompt)["diagram_nodes_as_asked"] == 1.0


def test_a_prompt_that_asks_for_no_diagram_is_not_judged():
    assert set(judged(REPLY, prompt="오늘 뭐 먹었어?").values()) == {None}
    assert not asks_for_diagram("Write a list of names")


def test_a_reply_that_was_not_made_is_not_judged():
    record = Reply("c", "m", PROMPT, "", "greedy", None, None, "error")
    found = OwnFile(diagram_reply).made
    assert {score.value for e in found for score in e.judge([record])} == {None}


@pytest.mark.parametrize(
    ("model", "published"),
    [("coder-1.3b-instruct", 13), ("coder-1.3b-base", 2), ("llm-7b-base", 0)],
)
def test_the_format_is_kept_as_often_as_was_published(model, published):
    path = REFERENCE / f"llm_report_deepseek-{model}.csv"
    if not path.exists():
        pytest.skip("the reference replies are not here")
    rows = parse_document(read_sources([path], "test_resp"))["rows"]
    assert len(rows) == 20
    assert abs(sum(row["format_kept"] for row in rows) - published) <= 1


def test_a_table_of_replies_is_never_read_as_one_text(tmp_path) -> None:
    path = tmp_path / "replies.csv"
    path.write_text("질문,답변\n그려 줘,[A] -> [B]\n또,[C] -> [D]\n")
    assert [source.reply for source in read_sources([path])] == ["[A] -> [B]", "[C] -> [D]"]
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UnknownName, match="There are: a, b"):
        read_sources([path])
