"""Every record of a file becomes a row or is counted as left out, with its reason and line."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from rows.reading import read_rows
from rows.reading_report import document, read_notes
from rows.row import Rows

USER = {"role": "user", "content": "안녕?"}
ANSWER = {"role": "assistant", "content": "반가워!"}
CHATML = "<|im_start|>user\n안녕?<|im_end|>\n<|im_start|>assistant\n반가워!<|im_end|>\n"

#: A record, and what becomes of it: "" for a row, else the reason why it is left out.
RECORDS: list[tuple[Any, str]] = [
    ({"instruction": "번역", "input": "Hello", "output": "안녕"}, ""),
    ({"messages": [USER, ANSWER]}, ""),
    ([USER, ANSWER], ""),
    ({"messages": json.dumps([USER, ANSWER])}, ""),
    ({"conversations": [{"from": "human", "value": "안녕?"}, {"from": "gpt", "value": "응"}]}, ""),
    ({"prompt": "안녕?", "completion": "반가워!"}, ""),
    ({"Prompt": "안녕?", "Reply": "반가워!"}, ""),
    ({"질문": "안녕?", "답변": "반가워!"}, ""),
    ({"question": "안녕?", "response": "반가워!"}, ""),
    ({"text": CHATML}, ""),
    ({"prompt": [USER], "completion": [ANSWER]}, ""),
    ({"question": "안녕?", "answer": None}, "no_answer"),
    ({"instruction": "안녕?"}, "no_answer"),
    ({"messages": [USER]}, "no_answer"),
    ({"messages": []}, "nothing_to_learn"),
    ({"messages": [{"role": "system", "content": "짧게"}]}, "nothing_to_learn"),
    ({"messages": [USER, {**ANSWER, "weight": 0}]}, "nothing_to_learn"),
    ({"messages": [ANSWER]}, "unasked_turn"),
    ({"messages": [USER, {"role": "assistant", "tool_calls": [1]}]}, "tool_turn"),
    ({"messages": None}, "blank_row"),
    ({"instruction": " ", "output": ""}, "blank_row"),
    ({}, "blank_row"),
    ({"title": "가", "body": "나"}, "unknown_form"),
    ({"rejected": "가"}, "unknown_form"),
    ({"split": "fold7", "prompt": "가", "reply": "나"}, "unknown_split"),
    ({"split": "train", "prompt": "가", "reply": "나"}, ""),
]  # fmt: skip


def read(folder: Path, records: list[Any], name: str = "rows.jsonl") -> Rows:
    path = folder / name
    text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    path.write_text(json.dumps(records, ensure_ascii=False) if name.endswith(".json") else text)
    return read_rows(path)


def accounted(rows: Rows) -> dict[int, str]:
    """What became of each line."""
    found = {row.line: "" for row in rows.rows if row.reply and row.line}
    return found | {line: out.reason for out in rows.left_out for line in out.lines}


@pytest.mark.parametrize("step", range(len(RECORDS)))
def test_a_record_of_any_form_is_read_or_left_out_beside_any_other(tmp_path, step: int) -> None:
    mixed = [RECORDS[0], RECORDS[1], RECORDS[-1], RECORDS[step], RECORDS[(step * 7 + 3) % 26]]
    rows = read(tmp_path, [record for record, _ in mixed])
    assert accounted(rows) == {line: why for line, (_, why) in enumerate(mixed, start=1)}


def test_all_forms_in_one_file_are_counted_whole(tmp_path) -> None:
    rows = read(tmp_path, [record for record, _ in RECORDS])
    learned = [row for row in rows.rows if row.reply]
    assert len(learned) + sum(out.count for out in rows.left_out) == len(RECORDS)
    assert accounted(rows) == {line: why for line, (_, why) in enumerate(RECORDS, start=1)}


def test_the_order_of_the_forms_changes_nothing(tmp_path) -> None:
    some = [RECORDS[place][0] for place in (0, 1, 4, 7)]
    for order in permutations(some):
        assert len(read(tmp_path, list(order)).of("train")) == len(some)


def test_a_json_list_of_several_forms_is_read_as_lines_are(tmp_path) -> None:
    records = [record for record, why in RECORDS if why == "" and not isinstance(record, list)]
    assert len(read(tmp_path, records, "rows.json").of("train")) == len(records)


def test_a_table_that_was_joined_of_two_forms_gives_both(tmp_path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("prompt,completion,질문,답변\n가,나,,\n,,다,라\n")
    rows = read_rows(path)
    assert [(row.prompt, row.reply) for row in rows.rows] == [("가", "나"), ("다", "라")]


def test_an_empty_answer_is_not_taken_from_another_column(tmp_path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("question,answer,response\n가,나,모델 답\n다,,모델 답\n")
    rows = read_rows(path)
    assert [row.reply for row in rows.rows] == ["나", ""]
    assert rows.sources[0].unused == ("response",)


def test_two_columns_of_splits_each_name_those_of_their_records(tmp_path) -> None:
    rows = read(tmp_path, [
        {"data_type": "train", "prompt": "가", "reply": "나"},
        {"split": "dev", "prompt": "다", "reply": "라"},
    ])  # fmt: skip
    assert rows.counts() == {"train": 1, "valid": 1}


def test_lists_of_a_document_that_are_not_read_are_named(tmp_path) -> None:
    path = tmp_path / "rows.json"
    row = {"prompt": "가", "reply": "나"}
    path.write_text(json.dumps({"train": [row], "extra": [row, row], "tags": ["a"]}))
    assert read_rows(path).ignored == ("rows.json[extra]",)


def test_the_columns_of_all_forms_are_told(tmp_path, monkeypatch) -> None:
    rows = read(tmp_path, [RECORDS[0][0], RECORDS[1][0], RECORDS[5][0], RECORDS[22][0]])
    (file,) = document(rows)["files"]
    assert file["columns"] == {
        "question": "instruction+prompt", "answer": "output+completion", "input": "input",
        "conversation": "messages",
    }  # fmt: skip
    said = "\n".join(note.words for note in read_notes(rows))
    assert "left out: 1 train row of no known form, with title, body (line 4)" in said
    monkeypatch.setenv("OHLORA_LANG", "ko")
    assert "알 수 없는 형식" in "\n".join(note.words for note in read_notes(rows))
