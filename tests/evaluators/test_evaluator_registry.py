"""An evaluator of our own is one file: nothing lists it a second time."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from evaluators import checks
from evaluators.evaluator import Evaluator, ScopedEvaluator
from evaluators.evaluator_docs import BEGIN, END, page_with_entries
from evaluators.evaluator_registry import (
    built_in_evaluators,
    built_in_modules,
    evaluator_words,
    judge_replies,
    load_evaluators,
)
from model_registry.records import Reply, Score

SHOUTING = '''
"""Counts exclamation marks."""

from evaluators.evaluator import EachText
from model_registry.records import Score


def shouting(reply: str) -> Score:
    """How many exclamation marks a reply has.

    Range: 0 and up.
    """
    return Score(float(reply.count("!")))


SHOUTING = EachText("shouting", shouting, "low", label_en="shouts", label_ko="외침")
'''


@pytest.fixture
def one_file_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The folder of checks with one file more in it."""
    (tmp_path / "shouting.py").write_text(SHOUTING, encoding="utf-8")
    monkeypatch.setattr(checks, "__path__", [*checks.__path__, str(tmp_path)])
    caches = (built_in_modules, built_in_evaluators)
    for kept in caches:
        kept.cache_clear()
    yield
    for kept in caches:
        kept.cache_clear()
    sys.modules.pop("evaluators.checks.shouting", None)


@pytest.mark.usefixtures("one_file_more")
def test_one_file_is_an_evaluator_with_a_column_a_name_in_reports_and_an_entry_in_the_docs(
    monkeypatch,
):
    found = load_evaluators(entry_points=False)
    assert list(found)[-1] == "shouting"
    reply = Reply("c", "m", "q", "와! 정말!", "greedy", None, 3, "stop")
    rows, _ = judge_replies({"shouting": found["shouting"]}, [reply])
    assert [row.value for row in rows] == [2.0]
    assert evaluator_words("shouting") == "shouts"
    monkeypatch.setenv("OHLORA_LANG", "ko")
    assert evaluator_words("shouting") == "외침"
    assert "### shouting" in page_with_entries(f"{BEGIN}\n{END}")


def test_the_columns_of_our_own_evaluators_keep_their_order():
    names = list(load_evaluators(entry_points=False))
    assert names[:4] == ["quality", "quality_exam", "quality_chat", "empty"]
    assert names[-1] == "diagram_readability"


@pytest.mark.parametrize("name", built_in_evaluators())
def test_each_evaluator_of_ours_has_a_name_for_people_in_both_languages(name):
    made = built_in_evaluators()[name]
    assert made.label_en and made.label_ko
    assert isinstance(made, Evaluator)


def test_an_evaluator_that_says_no_scope_sees_one_pass_at_a_time():
    seen: list[int] = []

    class Plain:
        name, better = "plain", "high"

        def judge(self, replies):
            seen.append(len(replies))
            return [Score(1.0)] * len(replies)

    class Whole(Plain):
        name, scope = "whole", "case"

    passes = [Reply("c", "m", "q", "답", each, None, 1, "stop") for each in ("greedy", "sample 1")]
    judge_replies([Plain()], passes)
    assert seen == [1, 1] and not isinstance(Plain(), ScopedEvaluator)
    judge_replies([Whole()], passes)
    assert seen[2:] == [2] and isinstance(Whole(), ScopedEvaluator)
