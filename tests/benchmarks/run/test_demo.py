"""What `make demo` does: a whole selection over the bundled models, and studies at tiny size."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.results.decision import decide
from benchmarks.results.folder import RunFolder
from benchmarks.results.run import Run

ROOT = Path(__file__).resolve().parents[3]
MIB = 2**20

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]


def ohlora(*arguments: str | Path) -> str:
    """The output of a command that must succeed."""
    environment = os.environ | {"LANG": "C.UTF-8", "OHLORA_LANG": "en", "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-m", "ohlora_cli", *map(str, arguments)],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=2900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "run"
    printed = ohlora("run", "korean-small", "--weights", "bundled", "--out", out)
    return RunFolder(out), printed


def test_one_command_goes_from_measuring_to_the_report(demo):
    folder, printed = demo
    assert {result.status for result in folder.results()} == {"ok"}
    assert len(folder.results()) == 12  # three models: answering, and tuning at three ranks
    chosen = decide(Run.read(folder)).ranking.chosen
    assert f"chosen: {chosen}" in printed
    for name in ("report.html", "report.md", "llm_report.csv"):
        assert (folder.path / "report" / name).stat().st_size > 300


def test_the_memory_of_each_bundled_case_was_predicted_within_64_mib(demo):
    fits = [
        (r.case, name, fit) for r in demo[0].results() for name, fit in r.figures["fit"].items()
    ]
    # loading and the work itself of each case, and a run's replies for grading
    assert len(fits) == 27
    for case, phase, fit in fits:
        error = fit["predicted_bytes"] - fit["measured_bytes"]
        assert abs(error) <= 64 * MIB, f"{case} {phase}: {error / MIB:.0f} MiB"


def test_lightweighting_compares_before_and_after_and_chooses_nothing(tmp_path):
    out = tmp_path / "run"
    shrunk = ("--weights", "random", "--scale", "tiny", "--device", "cpu")
    printed = ohlora("run", "lightweighting", *shrunk, "--only", "opt-350m", "--out", out)
    assert "nothing is chosen" in printed
    assert "after in fp32 takes" in printed
    page = (out / "report" / "report.html").read_text(encoding="utf-8")
    assert "times as fast" in page
    assert {result.status for result in RunFolder(out).results()} == {"ok"}
    assert {loss.case.split("/")[-1] for loss in RunFolder(out).losses()} == {
        "before", "after", "after in fp32",
    }  # fmt: skip
