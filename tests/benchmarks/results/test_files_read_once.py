"""A report reads each file of its run once, whatever it shows of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.support.report_fixtures import make_run

ROOT = Path(__file__).resolve().parents[3]

#: The command line in an interpreter that counts every opening of a file of the run.
COUNTING = """
import json, sys
from collections import Counter
from pathlib import Path

run, counts = Path(sys.argv.pop(1)), Counter()
files = {str(path) for path in run.iterdir() if path.is_file()}

def count(event, args):
    if event == "open" and str(args[0]) in files:
        counts[Path(args[0]).name] += 1

sys.addaudithook(count)
import ohlora_cli
sys.argv[0] = "ohlora"
try:
    ohlora_cli.main()
finally:
    print(json.dumps(counts), file=sys.stderr)
"""


def openings(run: Path, *command: str) -> Counter[str]:
    done = subprocess.run(
        [sys.executable, "-c", COUNTING, str(run), *command], cwd=ROOT, capture_output=True,
        text=True, timeout=600, env={**os.environ, "OHLORA_DATA_DIR": str(run.parent / "data")},
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return Counter(json.loads(done.stderr.strip().splitlines()[-1]))


def test_a_report_opens_each_file_of_its_run_once(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run").path
    files = {path.name for path in run.iterdir() if path.suffix in (".json", ".jsonl")}
    assert {"run.json", "results.jsonl", "replies.jsonl", "scores.jsonl"} <= files
    assert openings(run, "report", str(run)) == dict.fromkeys(files, 1)


def test_a_decision_opens_each_file_of_its_run_once_too(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run").path
    assert set(openings(run, "decide", str(run), "--json").values()) == {1}
