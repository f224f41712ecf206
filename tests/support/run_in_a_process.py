"""Runs the small study in a process of its own, to be killed: `python run_in_a_process.py …`.

Arguments: the study's file, the run's folder, "quick" (an engine that makes rows up, so that a
kill falls into the writing of files) or "real" (workers), and "--resume" to go on.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.engines.engine import CaseOutcome, Engine, Watcher
from benchmarks.engines.local import LocalEngine
from benchmarks.results.folder import RunFolder
from benchmarks.run.runner import run_plan
from model_registry.records import Loss, Reply, Result
from tests.support.small_study import plan_study


class Silent(Watcher):
    """Watches without a word."""

    def begin(self, cases, done):
        print("begun", flush=True)


class QuickEngine(Engine):
    """Gives each case many long rows at once."""

    def run(self, case, listen):
        time.sleep(0.002)
        name = case.candidate.name
        replies = [
            Reply(case.id, name, f"질문 {n}", "답" * 2000, "greedy", None, 3, "stop")
            for n in range(40)
        ]
        losses = [Loss(case.id, n, 1.0 / n) for n in range(1, 30)]
        result = Result(case.id, name, case.workload, dict(case.settings), "hash", "ok")
        return CaseOutcome(result, replies, losses)


def main() -> None:
    study, out, engine, *rest = sys.argv[1:]
    plan = plan_study(Path(study), Path(out))
    engines = {"quick": QuickEngine, "real": LocalEngine}
    run_plan(plan, RunFolder(Path(out)), engines[engine](), Silent(), resume="--resume" in rest)
    print("done", flush=True)


if __name__ == "__main__":
    main()
