"""The example package: as a file, and installed by pip as a stranger's would be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from evaluators.evaluator_registry import judge_replies, load_evaluators
from model_registry.backends.backend import GenerationSettings, conversation
from model_registry.registry import Registry
from tests.support.replies import ROOT, a_reply

EXAMPLE = ROOT / "tests" / "example_plugin"
FILE = EXAMPLE / "ohlora_example.py"

ASK = """
from evaluators.evaluator_registry import load_evaluators
from model_registry.registry import Registry
print("questions_back" in load_evaluators(), Registry().candidate("parrot").license.is_free)
"""


def test_its_evaluator_judges() -> None:
    found = load_evaluators([FILE], entry_points=False)
    replies = [a_reply("뭐 해?"), a_reply("그래."), a_reply(" ")]
    rows, seconds = judge_replies([found["questions_back"]], replies)
    assert [row.value for row in rows] == [1, 0, None]
    assert set(seconds) == {"questions_back"}


def test_its_candidate_answers_through_its_backend() -> None:
    registry = Registry([FILE])
    candidate = registry.candidate("parrot")
    backend = registry.backend(candidate.backend)(candidate, weights="path", device="cpu")
    assert backend.reply(conversation("뭐 해"), GenerationSettings()).text == "뭐 해?"
    assert list(backend.stream(conversation("뭐 해"), GenerationSettings())) == ["뭐 해?"]


@pytest.mark.slow
def test_installed_as_a_package_it_is_found_by_its_entry_point(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "ohlora_example.py"):
        (source / name).write_bytes((EXAMPLE / name).read_bytes())
    subprocess.run(
        [*pip, "--no-build-isolation", "--target", str(tmp_path / "site"), str(source)], check=True
    )
    path = os.pathsep.join([str(tmp_path / "site"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["True", "True"]
