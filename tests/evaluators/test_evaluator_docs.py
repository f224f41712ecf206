"""The pages say what the code does."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest

import evaluators.evaluator_hooks
import model_registry.hookspecs
from evaluators.evaluator_docs import PAGE, describe, page_with_entries
from evaluators.evaluator_registry import judge_replies, load_evaluators
from evaluators.learnt_weights import LEARNT, learnt_weights
from evaluators.quality import CHAT, FAULTS
from model_registry.plugins import HOOK_NAMES
from model_registry.registry import Registry
from tests.support.replies import ROOT, a_reply

PLUGINS = ROOT / "docs" / "plugins.md"
BUILT_INS = load_evaluators(entry_points=False)


def blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S)


@pytest.mark.parametrize("name", BUILT_INS)
def test_every_evaluator_says_its_meaning_range_source_and_limits(name: str) -> None:
    entry = describe(BUILT_INS[name])
    assert all((entry.meaning, entry.range, entry.source, entry.limits))


def test_the_page_repeats_what_the_evaluators_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_with_entries(page), "run python -m evaluators.evaluator_docs"


def test_the_page_gives_the_weights_that_quality_uses() -> None:
    rows = re.findall(r"^\| (\w+) \| (\d\.\d\d) \|", PAGE.read_text(encoding="utf-8"), flags=re.M)
    told = [(name, float(weight)) for name, weight in rows]
    learnt = [(n, round(w, 2)) for n, w in learnt_weights().weights.items()]
    assert sorted(told) == sorted([*CHAT.items(), *FAULTS.items(), *learnt])


def test_the_page_gives_the_figures_that_training_wrote() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for held_out, figures in json.loads(LEARNT.read_text("utf-8"))["exam"]["figures"].items():
        models, replies = figures["models"], figures["replies"]
        row = "{:.3f} | {:.2f} to {:.2f} | {:.3f} | {:.2f} to {:.2f} |".format(*models, *replies)
        assert row in page, held_out


@pytest.mark.parametrize("hook", HOOK_NAMES)
def test_the_page_names_every_hook_with_its_arguments(hook: str) -> None:
    specs = (model_registry.hookspecs, evaluators.evaluator_hooks)
    function = next(getattr(module, hook) for module in specs if hasattr(module, hook))
    arguments = ", ".join(inspect.signature(function).parameters)
    assert f"### {hook}({arguments})" in PLUGINS.read_text(encoding="utf-8")
    called = re.search(r"call (register\(.*?\))", inspect.getdoc(function) or "")
    assert called is not None
    assert f"Call `{called[1]}`" in PLUGINS.read_text(encoding="utf-8")


def test_the_tutorials_plugin_works_and_is_under_30_lines(tmp_path: Path) -> None:
    first = blocks(PLUGINS)[0]
    assert first.count("\n") < 30
    path = tmp_path / "my_plugin.py"
    path.write_text(first, encoding="utf-8")
    found = load_evaluators([path], entry_points=False)
    replies = [a_reply("너는 어때?"), a_reply("좋아."), a_reply("")]
    rows, _ = judge_replies([found["asks_back"]], replies)
    assert [row.value for row in rows] == [1, 0, None]


def test_the_other_examples_of_the_page_work(tmp_path: Path) -> None:
    files = []
    for number, block in enumerate(blocks(PLUGINS)[1:]):
        files.append(tmp_path / f"example_{number}.py")
        files[-1].write_text(block, encoding="utf-8")
    registry = Registry(files)
    assert registry.candidate("my-model").path == "models/my-model"
    parrot = registry.backend("parrot")(
        registry.candidate("my-model"), weights="path", device="cpu"
    )
    assert parrot.reply([{"role": "user", "content": "안녕"}], None).text == "안녕"


def test_the_page_of_plugins_names_files_that_there_are_for_changes_to_the_house() -> None:
    section = PLUGINS.read_text(encoding="utf-8").partition("## Changing Oh-LoRA itself")[2]
    rows = [line for line in section.splitlines() if line.startswith("| a")]
    named = set(re.findall(r"`((?:[a-z_]+/)+[a-z_.]*|ohlora_cli\.py)`", section))
    assert len(rows) >= 10 and len(named) >= 10
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
