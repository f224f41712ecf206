from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import pytest

from evaluators.evaluator import AllReplies, EachReply, EachText, Evaluator
from evaluators.evaluator_registry import judge_replies, load_evaluators
from model_registry.errors import BadFile, DuplicateName
from model_registry.plugins import PluginWarning
from model_registry.records import Reply, Score
from tests.support.replies import ROOT, a_reply

PLUGIN = """
from evaluators.evaluator import EachText
from model_registry.hookspecs import hookimpl
from model_registry.records import Score

@hookimpl
def register_evaluators(register):
    register(EachText("{name}", lambda text: Score(float(len(text)))))
"""


@pytest.fixture
def plugin(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "my_plugin.py"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_every_built_in_is_an_evaluator_with_a_direction() -> None:
    found = load_evaluators(entry_points=False)
    assert {"empty", "hangul_share", "foreign_script", "repetition", "chrf"} <= set(found)
    for name, evaluator in found.items():
        assert isinstance(evaluator, Evaluator)
        assert evaluator.name == name
        assert evaluator.better in ("high", "low", "neither")


def test_a_plugin_file_brings_its_evaluator(plugin) -> None:
    found = load_evaluators([plugin(PLUGIN.format(name="characters"))], entry_points=False)
    rows, seconds = judge_replies([found["characters"]], [a_reply("안녕")])
    assert rows[0].value == 2
    assert seconds["characters"] >= 0


def test_two_evaluators_of_one_name_are_refused(plugin) -> None:
    with pytest.raises(DuplicateName, match="Two evaluators are called empty"):
        load_evaluators([plugin(PLUGIN.format(name="empty"))], entry_points=False)


def test_a_plugin_file_that_does_not_import_names_its_line(plugin) -> None:
    with pytest.raises(BadFile, match=r"my_plugin\.py:2"):
        load_evaluators([plugin("\nimport no_such_module\n")], entry_points=False)


def test_a_plugin_whose_hook_raises_costs_only_itself(plugin) -> None:
    broken = PLUGIN.format(name="x").replace("register(Each", "raise RuntimeError('oh'); (Each")
    with pytest.warns(PluginWarning, match="my_plugin"):
        found = load_evaluators([plugin(broken)], entry_points=False)
    assert "empty" in found


def test_an_evaluator_that_raises_costs_only_its_own_score() -> None:
    def check(text: str) -> Score:
        if "불" in text:
            raise ValueError("can't read this")
        return Score(1.0)

    replies = [a_reply("좋아"), a_reply("불이야")]
    rows, _ = judge_replies([EachText("fragile", check), EachText("sound", len_score)], replies)
    assert [row.value for row in rows] == [1.0, 2.0, None, 3.0]
    assert "ValueError: can't read this" in rows[2].reason


def len_score(text: str) -> Score:
    return Score(float(len(text)))


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ([Score(float("nan"))], "no finite number"),
        ([Score("high")], "no number"),  # type: ignore[arg-type]
        ([0.5], "not a Score"),
        ([], "0 scores for 1"),
    ],
)
def test_what_is_no_score_becomes_none_with_the_reason(given: list, reason: str) -> None:
    rows, _ = judge_replies([AllReplies("odd", lambda replies: given)], [a_reply("안녕")])
    assert rows[0].value is None
    assert reason in rows[0].reason


def test_a_set_is_one_candidates_one_pass() -> None:
    seen: list[int] = []

    def check(replies: Sequence[Reply]) -> list[Score]:
        seen.append(len(replies))
        return [Score(0.0)] * len(replies)

    replies = [
        a_reply("가", pass_="greedy"),
        a_reply("나", pass_="sample 1"),
        a_reply("다", pass_="greedy", tuned=16),
        a_reply("라", pass_="greedy"),
        a_reply("마", case="other"),
    ]
    judge_replies([AllReplies("set", check)], replies)
    assert sorted(seen) == [1, 1, 1, 2]
    seen.clear()
    judge_replies([AllReplies("set", check, scope="case")], replies)
    assert sorted(seen) == [1, 1, 3]


def test_rows_come_back_in_the_order_of_the_replies() -> None:
    replies = [a_reply(str(i), prompt=str(i), pass_=f"sample {i % 3}") for i in range(9)]
    number = EachReply("number", lambda reply: Score(float(reply.reply)))
    rows, _ = judge_replies({"number": number}, replies)
    assert [row.value for row in rows] == list(range(9))
    assert [row.prompt for row in rows] == [str(i) for i in range(9)]


def test_loading_the_built_ins_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_evaluators(entry_points=False)


def test_the_evaluators_are_there_without_loading_what_only_some_need() -> None:
    heavy = "torch transformers sacrebleu scipy pandas matplotlib gradio kiwipiepy"
    program = (
        "import sys; from evaluators.evaluator_registry import load_evaluators; load_evaluators(); "
        f"print([name for name in {heavy.split()!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
