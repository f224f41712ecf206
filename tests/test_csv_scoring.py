from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluators.csv_scoring import score_csv, score_replies
from evaluators.evaluator import EachText
from evaluators.reply_table import read_replies
from model_registry.errors import BadFile, UnknownName
from model_registry.records import Score
from tests.replies import REFERENCE, a_reply

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
