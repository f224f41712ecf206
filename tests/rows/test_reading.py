"""Training rows are read by column name, whatever wrote the file; what is left out is counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_registry.errors import BadFile
from model_registry.files.shipped_data import DATASETS
from rows.reading import read_data, read_folder, read_rows
from rows.row import LeftOut, Row, Rows

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT.parent / "shared" / "reference" / "OhLoRA_fine_tuning.csv"

FORM = """,data_type,input_data,output_data,output_message,memory
0,train,뭐 해?,[상태: 심심] 그냥 있어!,그냥 있어!,[상태: 심심]
1,train,"따옴표, 쉼표","여러
줄 답변",여러 줄 답변,
2,valid,잘 잤어?,,,
3,valid,밥 먹었어?,,,
"""


def write(folder: Path, text: str, name: str = "rows.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def test_the_csv_form_is_read_by_name_and_empty_answers_are_counted(tmp_path):
    rows = read_rows(write(tmp_path, FORM))
    assert rows.left_out == (LeftOut("no_answer", 2, "valid", (5, 6)),)
    assert rows.of("valid") == []
    assert [row.prompt for row in rows.of("train")] == ["뭐 해?", "따옴표, 쉼표"]
    assert rows.of("train")[1].reply == "여러\n줄 답변"
    assert [row.split for row in rows.rows] == ["train", "train", "valid", "valid"]


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference data is not here")
def test_the_real_fine_tuning_file_is_read_with_its_empty_valid_rows_counted():
    rows = read_rows(REFERENCE)
    assert len(rows.of("train")) == 200
    assert rows.of("valid") == []
    (out,) = rows.left_out
    assert (out.reason, out.count, out.split) == ("no_answer", 50, "valid")


def test_columns_may_stand_in_any_order_and_have_other_names(tmp_path):
    rows = read_rows(write(tmp_path, "reply,note,prompt\n안녕!,x,안녕?\n"))
    assert rows.rows == (Row("안녕?", "안녕!", "train"),)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_every_usual_encoding_gives_the_same_rows(tmp_path, encoding):
    path = write(tmp_path, "prompt,reply\n똠방각하?,펲시콜라!\n", encoding=encoding)
    assert read_rows(path).rows == (Row("똠방각하?", "펲시콜라!"),)


def test_bytes_that_are_no_text_are_refused_with_the_cure(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"prompt,reply\n\xff\xfe\x00\x81,x\n")
    with pytest.raises(BadFile, match="neither UTF-8 nor cp949; save it as UTF-8"):
        read_rows(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadFile, match=r"nowhere\.csv: can't be read \(No such file"):
        read_rows(tmp_path / "nowhere.csv")


def test_a_file_without_a_question_column_tells_what_it_has(tmp_path):
    path = write(tmp_path, "title,text\na,b\n")
    with pytest.raises(BadFile, match=r"rows\.csv:1: no question column.*there are title, text"):
        read_rows(path)


def test_a_row_without_a_question_is_named_by_its_line(tmp_path):
    path = write(tmp_path, 'prompt,reply\n안녕,"두\n줄"\n,답변만\n')
    with pytest.raises(BadFile, match=r"rows\.csv:4: no text in prompt"):
        read_rows(path)


@pytest.mark.parametrize("text", ["", "prompt,reply\n", "\n\n"])
def test_a_file_without_rows_is_refused(tmp_path, text):
    with pytest.raises(BadFile, match="holds no rows"):
        read_rows(write(tmp_path, text))


def test_an_unclosed_quote_does_not_swallow_the_file_silently(tmp_path):
    path = write(tmp_path, 'prompt,reply\n"안녕,답\n잘 가,응\n')
    with pytest.raises(BadFile, match=r"rows\.csv:\d: not a CSV"):
        read_rows(path)


def test_json_lines_are_read_and_further_keys_are_passed_over(tmp_path):
    text = '{"prompt": "이름?", "reply": "별이", "note": 3}\n\n{"prompt": "응?", "reply": "응"}\n'
    rows = read_rows(write(tmp_path, text, "rows.jsonl"))
    assert rows.rows == (Row("이름?", "별이"), Row("응?", "응"))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"prompt": "a", ', "not JSON"),
        ('["a", "b"]', "not an object"),
        ('{"prompt": "a", "reply": 3}', "reply must be text, not 3"),
        ('{"prompt": " ", "reply": "b"}', "no text in prompt"),
    ],
)
def test_a_broken_line_is_named_by_file_and_line(tmp_path, line, problem):
    path = write(tmp_path, '{"prompt": "가", "reply": "나"}\n' + line + "\n", "rows.jsonl")
    with pytest.raises(BadFile, match=rf"rows\.jsonl:2: {problem}"):
        read_rows(path)


def test_turns_are_paired_and_what_pairs_with_none_is_counted(tmp_path):
    turns = [
        {"role": "assistant", "content": "먼저 말함"},
        {"role": "user", "content": "힘들어"},
        {"role": "user", "content": "정말로"},
        {"role": "therapist", "content": "들려줘요"},
        {"role": "user", "content": "끝"},
    ]
    path = write(tmp_path, json.dumps(turns, ensure_ascii=False), "turns.json")
    rows = read_rows(path)
    assert rows.rows == (Row("정말로", "들려줘요"),)
    assert {out.reason: out.count for out in rows.left_out} == {
        "unanswered_turn": 2,
        "unasked_turn": 1,
    }


@pytest.mark.parametrize("text", ['{"role": "user"}', '[{"role": "user"}]', '[["user", "x"]]'])
def test_json_that_is_no_list_of_turns_is_refused(tmp_path, text):
    with pytest.raises(BadFile, match="not a JSON list"):
        read_rows(write(tmp_path, text, "turns.json"))


def test_broken_json_is_named_by_its_line(tmp_path):
    with pytest.raises(BadFile, match=r"turns\.json:2: not JSON"):
        read_rows(write(tmp_path, '[\n{"role" "user"}]', "turns.json"))


def test_a_folder_of_splits_is_one(tmp_path):
    for split in ("train", "valid", "test"):
        write(tmp_path, f'{{"prompt": "{split}?", "reply": "네"}}\n', f"{split}.jsonl")
    rows = read_data(tmp_path)
    assert [(row.prompt, row.split) for row in rows.rows] == [
        ("train?", "train"), ("valid?", "valid"), ("test?", "test"),
    ]  # fmt: skip


def test_a_folder_without_training_rows_is_refused(tmp_path):
    with pytest.raises(BadFile, match=r"train\.jsonl"):
        read_folder(tmp_path)


def test_other_rows_have_another_hash(tmp_path):
    one = read_rows(write(tmp_path, "prompt,reply\n가,나\n"))
    same = read_rows(write(tmp_path, "reply,prompt\n나,가\n", "same.csv"))
    other = read_rows(write(tmp_path, "prompt,reply\n가나,\n", "other.csv"))
    assert one.hash() == same.hash() != other.hash()


@pytest.mark.skipif(not (DATASETS / "persona").is_dir(), reason="no persona data")
def test_the_persona_rows_tuned_on_held_out_and_asked_are_disjoint():
    data = read_data(DATASETS / "persona")
    train = {row.prompt for row in data.rows if row.split == "train"}
    valid = {row.prompt for row in data.rows if row.split == "valid"}
    asked = {row.prompt for row in data.rows if row.split == "test"}
    assert len(asked) == 25
    assert not train & valid and not train & asked and not valid & asked


def test_a_row_is_a_conversation_that_its_reply_ends() -> None:
    system = {"role": "system", "content": "짧게 답해."}
    row = Row("안녕?", "안녕!", before=(system,))
    assert row.messages == [system, {"role": "user", "content": "안녕?"}]
    assert Rows((row,)).hash() != Rows((Row("안녕?", "안녕!"),)).hash()
