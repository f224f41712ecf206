"""`--use` on the command line: who passes, under which clause, what must be shown."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

Ohlora = Callable[..., tuple[int, str, str]]


def test_candidates_say_for_a_use_who_may_take_part_and_under_which_clause(ohlora: Ohlora) -> None:
    status, printed, _ = ohlora(
        "candidates", "--catalog", "korean-2026", "--language", "ko", "--use", "api", "--explain"
    )
    assert status == 0
    assert "kanana-2-3b-instruct: Kanana Open License does not allow this use" in printed
    assert "Llama 3.2 Community License: with conditions" in printed
    assert "Built with Llama" in printed


def test_unverified_values_are_marked_and_said_to_be(ohlora: Ohlora) -> None:
    _, printed, _ = ohlora("candidates", "--catalog", "korean-2026", "--explain")
    assert "not verified: read again on the hub at first use" in printed
    assert "566 M*" in printed
    assert "KoMT-Bench 6.54 (2026-11-28)" in printed
    assert "README of kakao/kanana at 186d0d4 (read, 2026-11-28)" in printed


def test_the_document_holds_the_clauses_the_sources_and_the_results(ohlora: Ohlora) -> None:
    _, printed, _ = ohlora(
        "candidates", "--catalog", "korean-2026", "--use", "own-service", "--json"
    )
    document = json.loads(printed)
    assert document["use"] == "own-service"
    row = next(r for r in document["accepted"] if r["name"] == "kanana-2-3b-instruct")
    assert row["license_uses"]["uses"]["api"]["answer"] == "no"
    assert row["unverified"] == ["parameters", "architecture"]
    assert row["evidence"]["license"]["read_on"] == "2026-11-28"
    assert {b["name"] for b in row["benchmarks"]} == {
        "KMMLU (CoT)", "KoMT-Bench", "IFEval", "KoSimpleQA",
    }  # fmt: skip


@pytest.mark.parametrize("command", [("candidates",), ("run", "korean-2026"), ("decide", "x")])
def test_an_unknown_use_names_the_near_one(command: tuple[str, ...], ohlora: Ohlora) -> None:
    status, _, printed = ohlora(*command, "--use", "on-devise")
    assert status == 2
    assert "Did you mean on-device?" in printed
