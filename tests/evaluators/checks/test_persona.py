from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluators.checks.persona import PERSONA, fact_check, persona_facts, read_facts
from model_registry.errors import BadFile
from tests.support.replies import a_reply


@pytest.fixture
def facts(tmp_path: Path):
    rows = [{"fact": "name", "question": "이름이 뭐야?", "any_of": ["별하", "별 하"]}]
    (tmp_path / "facts.json").write_text(json.dumps(rows), encoding="utf-8")
    row = {"prompt": "넌 누구니", "reply": "나는 별하야", "fact": "name"}
    (tmp_path / "test.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    return read_facts(tmp_path)


def test_a_fact_that_is_said_is_kept(facts) -> None:
    assert fact_check(a_reply("난 별하라고 해!", "이름이 뭐야"), facts).value == 1


def test_another_name_breaks_the_fact_and_the_reason_says_what_was_due(facts) -> None:
    score = fact_check(a_reply("나는 로봇이야", "넌 누구니?"), facts)
    assert score.value == 0
    assert "별하" in score.reason


def test_a_prompt_that_asks_for_nothing_is_not_judged(facts) -> None:
    assert fact_check(a_reply("별하", "오늘 춥다"), facts).value is None


def test_without_the_data_there_is_no_fact(tmp_path: Path) -> None:
    assert read_facts(tmp_path) == {}


def test_every_fact_of_our_persona_is_asked_for() -> None:
    rows = json.loads((PERSONA / "facts.json").read_text(encoding="utf-8"))
    for row in rows:
        said = a_reply(f"응, {row['any_of'][0]}!", row["question"])
        assert persona_facts(said).value == 1
        assert persona_facts(a_reply("몰라", row["question"])).value == 0


def test_facts_of_ones_own_may_hold_line_separators_and_blank_lines(tmp_path: Path) -> None:
    facts = [{"fact": "name", "question": "이름\u2028이 뭐야?", "any_of": ["별하"]}]
    (tmp_path / "facts.json").write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")
    row = {"prompt": "누구\u0085야?", "reply": "별하", "fact": "name"}
    (tmp_path / "test.jsonl").write_text(
        "\n" + json.dumps(row, ensure_ascii=False) + "\n\n", encoding="utf-8"
    )
    assert set(read_facts(tmp_path).values()) == {("별하",)}
    assert len(read_facts(tmp_path)) == 2


@pytest.mark.parametrize("text", ["[", '[{"fact": "name"}]', '[{"fact": 1, "question": "a"}]'])
def test_facts_that_are_broken_are_refused_with_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "facts.json").write_text(text, encoding="utf-8")
    with pytest.raises(BadFile, match=r"facts\.json"):
        read_facts(tmp_path)
