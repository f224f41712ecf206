from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from evaluators.csv_scoring import score_csv, score_replies
from evaluators.evaluator import EachText
from evaluators.tables.reply_table import read_reply_table
from model_registry.errors import BadFile, UnknownName
from model_registry.records import Score
from rows.row import Row
from tests.support.replies import REFERENCE, a_reply, read_replies

TABLE = "번호,prompt,reply,정답\n1,안녕,반가워요! 오늘 어땠어요?,반가워요\n2,뭐 해?,,쉬고 있어요\n"


@pytest.fixture
def file(tmp_path: Path):
    def write(raw: bytes) -> Path:
        path = tmp_path / "replies.csv"
        path.write_bytes(raw)
        return path

    return write


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16"])
def test_korean_is_read_in_every_usual_encoding(file, encoding: str) -> None:
    replies = read_replies(file(TABLE.encode(encoding)), reference_column="정답")
    assert [reply.reply for reply in replies] == ["반가워요! 오늘 어땠어요?", ""]
    assert replies[1].reference == "쉬고 있어요"


@pytest.mark.parametrize(
    ("written", "read"),
    [("utf-8", "latin-1"), ("utf-8", "cp1252"), ("utf-8", "cp949"), ("cp949", "latin-1")],
)
def test_mojibake_is_refused(file, written: str, read: str) -> None:
    garbled = TABLE.encode(written).decode(read, errors="replace")
    with pytest.raises(BadFile, match=r"broken.*Save it again"):
        read_replies(file(garbled.encode("utf-8")))


def test_a_single_character_that_a_model_broke_is_not_mojibake(file) -> None:
    table = TABLE.replace("반가워요!", "반가워요\ufffd").encode()
    assert read_replies(file(table))[0].reply.startswith("반가워요\ufffd")


def test_sound_texts_of_other_languages_are_not_mojibake(file) -> None:
    table = "prompt,reply\n안녕,Où êtes-vous né à Orléans?\n뭐,今天天气很好我们去公园\n"
    assert len(read_replies(file(table.encode()))) == 2


def test_a_missing_column_is_named_with_the_columns_there_are(file) -> None:
    with pytest.raises(UnknownName, match=r"answer.*prompt, reply"):
        read_replies(file(b"prompt,reply\na,b\n"), reply_column="answer")


@pytest.mark.parametrize(
    ("raw", "message"), [(b"", "is empty"), (b"prompt,reply\na,\xff\xfe\xff\n", "neither UTF-8")]
)
def test_what_is_no_table_is_refused(file, raw: bytes, message: str) -> None:
    with pytest.raises(BadFile, match=message):
        read_replies(file(raw))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"missing\.csv"):
        read_replies(tmp_path / "missing.csv")


def test_tabs_and_quoted_line_breaks_are_read(file) -> None:
    replies = read_replies(file('prompt\treply\n안녕\t"한 줄\n두 줄"\n'.encode()))
    assert replies[0].reply == "한 줄\n두 줄"


def test_the_document_has_rows_with_scores_and_means_of_what_is_there(file) -> None:
    document = score_csv(file(TABLE.encode()), reference_column="정답")
    assert json.loads(json.dumps(document)) == document
    first, second = document["rows"]
    assert first["scores"]["empty"] == {"value": 0.0, "reason": ""}
    assert second["scores"]["hangul_share"]["value"] is None
    assert document["mean"]["empty"] == 0.5
    assert document["mean"]["hangul_share"] == 1.0
    assert {"prompt", "reply", "quality", "scores"} <= set(first)


def test_a_mean_of_nothing_is_none() -> None:
    nothing = EachText("nothing", lambda text: Score(None, "can't tell"))
    document = score_replies([a_reply("안녕")], {"nothing": nothing})
    assert document["mean"] == {"quality": None, "nothing": None}


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference files are not here")
def test_the_real_reply_files_are_read() -> None:
    for path in (REFERENCE / "replies").glob("*.csv"):
        assert len(read_replies(path, reply_column="answer")) == 25


POOLED = (
    "모델,질문,답변\n"
    "하나,안녕?,반가워요! 잘 지냈어요?\n둘,안녕?,hello there my friend\n"
    "하나,뭐 해?,책을 읽고 있어요.\n둘,뭐 해?,책을 읽고 있어요.\n"
)
WIDE = (
    "번호,질문,하나,둘,점수\n"
    "1,안녕?,반가워요! 잘 지냈어요?,hello there my friend,3\n"
    "2,뭐 해?,책을 읽고 있어요.,책을 읽고 있어요.,4\n"
)
ALONE = {
    "하나": "prompt,reply\n안녕?,반가워요! 잘 지냈어요?\n뭐 해?,책을 읽고 있어요.\n",
    "둘": "prompt,reply\n안녕?,hello there my friend\n뭐 해?,책을 읽고 있어요.\n",
}


@pytest.mark.parametrize(
    ("table", "named"),
    [
        (POOLED, {}),
        (POOLED.replace("모델", "누가"), {"model_column": "누가"}),
        (WIDE, {}),
        (WIDE, {"reply_column": ["하나", "둘"]}),
        (WIDE.replace("하나,둘", "reply_하나,reply_둘"), {}),
        (WIDE.replace("하나,둘", "하나 답변,둘 답변"), {}),
    ],
    ids=["model column", "named", "wide", "wide, named", "wide, prefix", "wide, suffix"],
)
def test_each_model_of_one_file_is_scored_as_if_alone(file, table: str, named: dict) -> None:
    document = score_csv(file(table.encode()), **named)
    assert list(document["models"]) == ["하나", "둘"]
    for model, own in ALONE.items():
        alone = score_csv(file(own.encode()))
        assert alone["models"] == {}
        assert document["models"][model] == {"replies": 2, "mean": alone["mean"]}


def test_one_model_of_a_wide_file_can_be_named(file) -> None:
    document = score_csv(file(WIDE.encode()), reply_column="둘")
    assert document["mean"] == score_csv(file(ALONE["둘"].encode()))["mean"]
    assert document["read"]["columns"] == {"prompt": ["질문"], "reply": ["둘"]}
    assert "하나" in document["read"]["unused_columns"]


def test_a_reply_of_nobody_among_named_models_is_refused_with_its_line(file) -> None:
    with pytest.raises(BadFile, match=r"\.csv:5: no model in 모델"):
        read_replies(file(POOLED.replace("둘,뭐 해?", ",뭐 해?").encode()))


def test_right_answers_and_descriptions_are_no_models(file) -> None:
    table = "id,질문,정답,category,모델가,모델나\n1,안녕?,네,인사,안녕!,안녕하세요.\n"
    assert list(score_csv(file(table.encode()))["models"]) == ["모델가", "모델나"]


def test_a_quote_that_is_not_closed_swallows_no_replies(file) -> None:
    table = 'prompt,reply\n안녕,"반가워\n뭐 해?,쉬어\n'
    with pytest.raises(BadFile, match=r"\.csv:2: not a CSV.*quote"):
        read_replies(file(table.encode()))


def test_an_empty_prompt_is_named_by_its_line(file) -> None:
    with pytest.raises(BadFile, match=r"\.csv:3: no text in prompt"):
        read_replies(file("prompt,reply\n안녕,응\n ,응\n".encode()))


def test_texts_typed_on_a_mac_are_the_same_texts(file) -> None:
    plain = read_replies(file(TABLE.encode()))
    assert read_replies(file(unicodedata.normalize("NFD", TABLE).encode())) == plain


@pytest.mark.parametrize("name", ["replies.jsonl", "replies.json"])
def test_replies_in_json_are_scored_like_those_in_a_csv(tmp_path: Path, name: str) -> None:
    rows = [{"prompt": "안\u2028녕", "reply": "반가워"}, {"prompt": "뭐 해?", "reply": None}]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    text = "\n".join(lines) if name.endswith("l") else "[" + ",".join(lines) + "]"
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert [r.prompt for r in read_replies(tmp_path / name)] == ["안\u2028녕", "뭐 해?"]


def test_prompts_that_were_tuned_on_are_marked_and_taken_out_of_a_mean(file) -> None:
    document = score_csv(file(ALONE["둘"].encode()), tuned_on=[Row("안녕??", "반가워요.")])
    assert [row["tuned_on"] for row in document["rows"]] == [True, False]
    assert document["tuned_on"]["prompts"] == 1
    assert document["tuned_on"]["mean_without"]["quality"] == document["rows"][1]["quality"]


@pytest.mark.parametrize(
    "column",
    ["latency\n1.2s\n0.9s", "점수\n85점\n90점", "memory\n3 GB\nOOM", "when\n2024-01-02\n2024-01-03",
     "correct\nTRUE\nFALSE", "winner\ngemma\nqwen", "spread\n3±1\n4±1", "similarity\n71 %\n60 %"],
)  # fmt: skip
def test_a_column_beside_the_replies_of_several_models_is_no_model(tmp_path, column: str) -> None:
    name, one, two = column.split("\n")
    path = tmp_path / "wide.csv"
    path.write_text(f"prompt,gemma,qwen,{name}\n가?,그래요,좋아요,{one}\n나?,아니요,싫어요,{two}\n")
    table = read_reply_table(path)
    assert (table.models, table.unused) == (("gemma", "qwen"), [name])


def test_what_is_measured_of_replies_is_none_and_an_empty_model_stays(tmp_path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text("prompt,reply_a,reply_b,reply_c,reply_length,reply_a_tokens\n가?,네,,3,1,2\n")
    assert read_reply_table(path).models == ("a", "b", "c")


def test_a_column_named_twice_is_one_model_s(tmp_path) -> None:
    path = tmp_path / "replies.csv"
    path.write_text("prompt,reply\n가?,네\n")
    assert len(read_reply_table(path, reply_columns=["reply", "reply"]).replies) == 1


def test_a_line_that_lacks_its_reply_is_refused_and_not_judged_as_empty(tmp_path) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_text('{"prompt": "가?", "reply": "네"}\n{"prompt": "나?", "answer": "응"}\n')
    with pytest.raises(BadFile, match=r"replies\.jsonl:2: no reply stands here"):
        read_reply_table(path)


def test_what_a_spreadsheet_broke_is_refused_and_sheets_not_read_are_named(tmp_path) -> None:
    openpyxl = pytest.importorskip("openpyxl")

    def book(*sheets: list[tuple[str, ...]]) -> Path:
        made = openpyxl.Workbook()
        for number, rows in enumerate(sheets):
            sheet = made.active if number == 0 else made.create_sheet(f"s{number}")
            for row in rows:
                sheet.append(row)
        made.save(tmp_path / "replies.xlsx")
        return tmp_path / "replies.xlsx"

    head = ("prompt", "reply")
    with pytest.raises(BadFile, match=r"xlsx:3: =A2 was never computed"):
        read_reply_table(book([head, ("가?", "네"), ("나?", "=A2")]))
    with pytest.raises(BadFile, match=r"xlsx:2: a spreadsheet left its error #NAME\?"):
        read_reply_table(book([head, ("가?", "#NAME?")]))
    table = read_reply_table(book([("설명",)], [head, ("가?", "네")], [head, ("나?", "응")]))
    assert [reply.reply for reply in table.replies] == ["네"]
    assert "not read: replies.xlsx[Sheet], replies.xlsx[s2]" in table.words()
