"""Overhead of measuring: reported against bare training seconds, and a case beyond its phases.

First the seconds that a result tells for its training against a bare loop of the same tune, side
by side in one process. Then the wall time of whole cases, less all that they tell for loading and
working. Run it as `python -m benchmarks.selfchecks.case_overhead`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from statistics import median

from benchmarks.engines.local import LocalEngine
from benchmarks.run.case import Case, Task
from benchmarks.study.contract import Contract
from benchmarks.workloads import fine_tune
from benchmarks.workloads.answer_loss import answer_loss
from benchmarks.workloads.fine_tune import (
    add_lora,
    learning_rate,
    training_batches,
    warm_up,
)
from benchmarks.workloads.log import MemoryLog
from model_registry.candidate import Candidate
from model_registry.files.shipped_data import DATASETS
from model_registry.prompting.tokenization import encode_all
from model_registry.registry import Registry
from model_registry.weights.loading import load
from rows.reading import read_data

RANK = 16


def task() -> Task:
    """20 rows to tune on and 25 prompts, as the studies have them."""
    data = read_data(DATASETS / "persona")
    prompts = [row for row in data.rows if row.split == "test"]
    return Task(tuple(data.of("train")[:20]), tuple(data.of("valid")), tuple(prompts))


def reported_seconds(candidate: Candidate, contract: Contract, work: Task) -> float:
    """The training seconds of a result: the workload as it stands."""
    log = MemoryLog()
    loaded = load(candidate, source="bundled")
    fine_tune.run("case", loaded, work.train, (), (), contract, log, rank=RANK)
    return log.phases["training"].seconds


def bare_seconds(candidate: Candidate, contract: Contract, work: Task) -> float:
    """The same steps in a plain loop between two looks at the clock."""
    import torch

    loaded = load(candidate, source="bundled")
    tokenizer = loaded.tokenizer
    rows = encode_all(candidate.prompting, tokenizer, work.train)
    model = add_lora(loaded.model, RANK, contract)
    batches = training_batches(rows, contract, tokenizer.pad_token_id, "cpu")
    warm_up(model, batches[: contract.warm_up])
    parameters = [p for p in model.parameters() if p.requires_grad]
    begin = time.perf_counter()
    optimiser = torch.optim.AdamW(parameters, lr=learning_rate(loaded, contract), weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda s: 1 - s / len(batches))
    for batch in batches:
        loss = answer_loss(model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, contract.max_grad_norm)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad(set_to_none=True)
        loss.item()
    return time.perf_counter() - begin


def compare_seconds(candidate: Candidate, contract: Contract, work: Task, rounds: int) -> str:
    """Reported against bare seconds in turn, alternating which goes first."""
    told, bare = [], []
    for number in range(rounds + 1):
        first, second = (reported_seconds, bare_seconds)[:: 1 if number % 2 else -1]
        taken = {way: way(candidate, contract, work) for way in (first, second)}
        if number:  # the first round warms up
            told.append(taken[reported_seconds])
            bare.append(taken[bare_seconds])
    ratio = median(a / b for a, b in zip(told, bare, strict=True))
    return (
        f"training seconds: in the result {median(told):.3f}, bare loop {median(bare):.3f}; "
        f"ratio of medians {median(told) / median(bare):.4f}, median of ratios {ratio:.4f}, "
        f"of the fastest {min(told) / min(bare):.4f}"
    )


def extra_seconds(engine: LocalEngine, case: Case, rounds: int) -> str:
    """Wall time of a case beyond its phases: start of the worker, pipes, shutdown."""
    walls, extra = [], []
    for _ in range(rounds):
        outcome = engine.run(case)
        if not outcome.result.ok:
            return f"{case.id}: {outcome.result.status}: {outcome.result.message}"
        walls.append(outcome.wall_seconds)
        extra.append(outcome.wall_seconds - sum(outcome.result.seconds.values()))
    return f"{case.id}: wall {median(walls):.3f} s, beyond load and work {median(extra):.3f} s"


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--candidate", help="a bundled candidate; the first if left out")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    engine = LocalEngine()
    print(f"fork server up after {engine.start():.1f} s")

    import torch

    from benchmarks.engines import preload  # noqa: F401 - what a worker has imported too

    torch.set_num_threads(1)
    bundled = Registry().candidates("bundled")
    candidate = Registry().candidate(given.candidate) if given.candidate else bundled[0]
    contract, work = Contract(), task()
    print(compare_seconds(candidate, contract, work, given.rounds))
    for workload, settings in (("inference", {}), ("fine-tune", {"rank": RANK})):
        case = Case(candidate, workload, contract, work, settings)
        print(extra_seconds(engine, case, given.rounds))


if __name__ == "__main__":
    main()
