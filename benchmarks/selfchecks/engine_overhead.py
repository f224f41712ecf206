"""Overhead of each engine per case, beyond the case's own work.

    python -m benchmarks.selfchecks.engine_overhead [--cases 8] [--ray-address HOST:PORT]

The same cases run by each engine. Printed are the seconds until the engine is up, until the first
case is done (which starts what later cases share), and for each further case its wall clock less
its phases: what starting, watching and carrying it over cost.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median

from benchmarks.engines import make_engine
from benchmarks.engines.engine import CaseOutcome, Engine
from benchmarks.run.case import Case, Task
from benchmarks.run.progress import Silent
from benchmarks.study.contract import Contract
from model_registry import machine
from model_registry.registry import Registry
from rows.row import Row

ROWS = tuple(Row(f"질문 {n}번이야?", "") for n in range(4))


def small_cases(count: int) -> list[Case]:
    """So many cases of a second or less of the smallest bundled model."""
    candidate = Registry().candidate("bundled-neox-0.4m")
    contract = replace(
        Contract(max_new_tokens=16, samples=0), machine=str(machine.describe("cpu")["name"])
    )
    return [
        Case(candidate, "inference", contract, Task(prompts=ROWS), {"number": number})
        for number in range(count)
    ]


def each_outcome(engine: Engine, cases: Sequence[Case]) -> Iterator[CaseOutcome]:
    """Outcomes as they come, one after the other or several at once."""
    return (outcome for _, outcome in engine.run_all(cases, Silent()))


def measure(engine: Engine, cases: Sequence[Case]) -> dict[str, float]:
    """Seconds: up, first case, wall clock of all further ones, extra of each of these."""
    up = engine.start()
    begin = time.perf_counter()
    first = list(each_outcome(engine, cases[:1]))
    warm = list(each_outcome(engine, cases[1:3]))  # the other worker of two cores starts too
    middle = time.perf_counter()
    outcomes = list(each_outcome(engine, cases[3:]))
    wall = time.perf_counter() - middle
    for outcome in (*first, *warm, *outcomes):
        if not outcome.result.ok:
            raise SystemExit(f"{outcome.result.case}: {outcome.result.message}")
    extra = [outcome.wall_seconds - sum(outcome.result.seconds.values()) for outcome in outcomes]
    return {
        "up": up,
        "first_three": middle - begin,
        "wall_per_case": wall / len(outcomes),
        "extra_per_case": median(extra),
    }


def main() -> None:
    """Print one line for each engine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=8)
    parser.add_argument("--ray-address")
    given = parser.parse_args()
    cases = small_cases(given.cases + 3)
    print("engine      up   first three   wall per further case   extra per case   (seconds)")
    for name in ("local", "ray"):
        engine = make_engine(name, given.ray_address if name == "ray" else None)
        found = measure(engine, cases)
        engine.close()
        print(
            f"{name:<8} {found['up']:>5.1f} {found['first_three']:>13.1f} "
            f"{found['wall_per_case']:>23.2f} {found['extra_per_case']:>16.2f}"
        )


if __name__ == "__main__":
    main()
