"""Engines by their names, and what is said where Ray is not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.engines import make_engine
from benchmarks.engines.local import LocalEngine
from benchmarks.engines.replaying import ReplayEngine
from model_registry.errors import OhloraError, UnknownName

ROOT = Path(__file__).resolve().parents[3]


def test_the_local_engine_is_the_default() -> None:
    assert isinstance(make_engine(), LocalEngine)
    assert isinstance(make_engine("replay"), ReplayEngine)


def test_without_ray_its_engine_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "benchmarks.engines.ray", raising=False)
    with pytest.raises(OhloraError, match=r'pip install -e "\.\[ray\]"'):
        make_engine("ray")


def test_a_run_of_one_machine_never_imports_ray() -> None:
    asked = (
        "import sys; from benchmarks.engines import make_engine; import commands.runs\n"
        "make_engine('local'); import benchmarks.engines.ray_task, benchmarks.run.progress_table\n"
        "print('ray' in sys.modules, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False"], done.stderr


def test_an_engine_that_is_none_is_refused_with_the_near_one() -> None:
    with pytest.raises(UnknownName, match="Did you mean local"):
        make_engine("lokal")
