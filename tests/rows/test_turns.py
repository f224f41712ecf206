"""Of a conversation every answer is learned, or the last alone, as it is declared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.study.study_files import parse_study
from model_registry.errors import BadFile, UnknownName
from rows.reading import read_data

TURNS = [
    {"role": "system", "content": "짧게."},
    {"role": "user", "content": "안녕?"},
    {"role": "assistant", "content": "네!"},
    {"role": "user", "content": "뭐 해?"},
    {"role": "assistant", "content": "쉬어."},
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    one = [{"role": "user", "content": "하나?"}, {"role": "assistant", "content": "응."}]
    lines = [{"messages": TURNS}, {"messages": TURNS}, {"messages": one}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_every_answer_is_learned_unless_something_else_is_declared(file: Path) -> None:
    assert [row.reply for row in read_data(file).rows] == ["네!", "쉬어.", "네!", "쉬어.", "응."]


def test_last_keeps_the_last_answer_of_each_conversation_and_counts_the_others(file: Path) -> None:
    rows = read_data(file, "last")
    assert [row.reply for row in rows.rows] == ["쉬어.", "쉬어.", "응."]
    assert rows.rows[0].before == tuple(TURNS[:3])
    (out,) = rows.left_out
    assert (out.reason, out.count, out.lines) == ("earlier_turn", 2, (1, 2))
    assert rows.hash() != read_data(file).hash()


def test_another_word_names_the_two_that_there_are(file: Path) -> None:
    with pytest.raises(UnknownName, match="last"):
        read_data(file, "lst")


def test_a_study_may_declare_it() -> None:
    study = 'name = "x"\n[candidates]\n[data]\nturns = "last"\n'
    assert parse_study(study, Path("x.toml")).data.turns == "last"
    with pytest.raises(BadFile, match=r"x\.toml:4: turns must be one of every, last"):
        parse_study(study.replace('"last"', '"first"'), Path("x.toml"))


def test_data_shows_what_is_learned_with_the_labelled_part_marked(file: Path, ohlora) -> None:
    _, out, _ = ohlora("data", file, "--turns", "last", "--candidates", "bundled-llama-2.5m")
    assert "2 train answers before the last one of their conversation" in out
    assert "⟦쉬어.<|end|>⟧" in out
    assert "네!<|end|>" in out
    assert "tokens/100 characters" in out


def test_the_document_has_lengths_end_token_and_rendered_rows(file: Path, ohlora) -> None:
    _, out, _ = ohlora("data", file, "--candidates", "bundled-llama-2.5m", "--max-length", "16",
                       "--json")  # fmt: skip
    document = json.loads(out)
    (counted,) = document["candidates"]
    assert counted["end_token"] == "<|end|>"
    assert counted["too_long"] >= 1
    assert document["rendered"]["name"] == "bundled-llama-2.5m"
    assert document["rendered"]["rows"][0]["labelled"] == "네!<|end|>"
