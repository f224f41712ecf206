"""`ohlora data`, `ask` and `tune` say what they understood of a user's rows, in the terminal."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

import ohlora_cli

ROWS = (
    "구분,지시,입력,출력\ntrain,번역해 줘.,Hello,안녕\ntrain,번역해 줘.,Hello,안녕\n"
    "valid,새것이야?,,네\nvalid,답이 없어?,,\n"
)


def ohlora(*arguments: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(ohlora_cli.app, list(map(str, arguments)))
    return done.exit_code, done.output + ("" if done.exception is None else repr(done.exception))


def test_data_says_all_that_was_understood_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(ROWS.encode("cp949"))
    status, printed = ohlora("data", path, "--json")
    found = json.loads(printed)
    assert status == 0
    (file,) = found["files"]
    assert (file["format"], file["encoding"], file["delimiter"]) == ("csv", "cp949", ",")
    assert file["columns"] == {
        "question": "지시", "answer": "출력", "input": "입력", "split": "구분",
    }  # fmt: skip
    assert found["splits"] == {"train": 2, "valid": 2}
    assert found["left_out"] == [
        {"reason": "no_answer", "count": 1, "split": "valid", "lines": [5], "detail": ""}
    ]
    assert found["duplicates"] == {"count": 1, "lines": [3]}
    assert found["examples"][0]["messages"][0]["content"] == "번역해 줘.\n\nHello"


def test_data_says_it_in_words_too(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(ROWS, encoding="utf-8")
    status, printed = ohlora("data", path)
    assert status == 0
    for words in ("rows.csv", "comma", "answer=출력", "train 2, valid 2",
                  "1 valid row without an answer", "1 rows stand there before"):  # fmt: skip
        assert words in printed


def test_an_empty_question_is_refused_before_anything_is_loaded() -> None:
    status, printed = ohlora("ask", "no-such-model", "  ")
    assert status != 0
    assert "The question is empty" in printed
