"""A fine-tuning step of ours against TRL's SFTTrainer: time and peak memory.

Both do the same: the same random model of about 110 M parameters, the same rows in the same order
and batches, LoRA of the same rank, fp32, no checkpointing, every step's loss kept. Each runs in a
process of its own, so that its peak is its own, and they take turns, so that both meet the same
machine. Run it as `python -m benchmarks.selfchecks.step_against_trl`; with `--wide`, the model has
74 M parameters and a vocabulary of 262,144, and the rows 512 tokens, all of them labelled.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.run.measure import measured, resident_bytes
from benchmarks.selfchecks.campaign.step_peers import Side, StepClock, ours, trl
from benchmarks.study.contract import Contract
from benchmarks.workloads.answer_loss import Batch
from benchmarks.workloads.fine_tune import add_lora, training_batches
from model_registry.candidate import Candidate, License
from model_registry.files.shipped_data import DATASETS
from model_registry.memory.allocator import give_back_what_is_freed
from model_registry.prompting.tokenization import EncodedRow, encode_all
from model_registry.records import Peak
from model_registry.weights.loading import load
from rows.reading import read_data

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_LLAMA_110M = {
    "model_type": "llama", "vocab_size": 32000, "hidden_size": 768, "intermediate_size": 2048,
    "num_hidden_layers": 12, "num_attention_heads": 12, "num_key_value_heads": 12,
    "max_position_embeddings": 2048, "tie_word_embeddings": True,
}  # fmt: skip
_LLAMA_WIDE: dict[str, object] = {
    "model_type": "llama", "vocab_size": 262144, "hidden_size": 256, "intermediate_size": 768,
    "num_hidden_layers": 8, "num_attention_heads": 4, "num_key_value_heads": 4,
    "max_position_embeddings": 2048, "tie_word_embeddings": True,
}  # fmt: skip
_ROWS = 20
_WIDE_VOCABULARY, _WIDE_TOKENS = 262144, 512


@dataclass(frozen=True, slots=True)
class Job:
    """What both sides are asked to do."""

    rank: int
    steps: int
    contract: Contract
    wide: bool = False  # a large vocabulary and long rows


@dataclass(frozen=True, slots=True)
class Taken:
    """What one side took: seconds a step in each turn, and its memory while training."""

    step_seconds: tuple[float, ...]
    peak: Peak
    libraries_bytes: int  # held before the model was loaded

    @property
    def own_bytes(self) -> int:
        """Model and training, without Python and the libraries."""
        return (self.peak.process_bytes or 0) - self.libraries_bytes


class TurnTaker:
    """Counts steps and hands over to the other side after each turn of `steps` steps."""

    def __init__(self, pipe: Connection, steps: int) -> None:
        self.pipe, self.steps, self.done = pipe, steps, 0
        self.began = 0.0

    def wait(self) -> None:
        """Until it is our turn."""
        self.pipe.recv()
        self.began = time.perf_counter()

    def step_is_done(self) -> None:
        """Say how long a full turn took and wait for the next."""
        self.done += 1
        if self.done % self.steps == 0:
            self.pipe.send((time.perf_counter() - self.began) / self.steps)
            self.wait()


class _TurnClock(StepClock):
    """Takes turns where a side tells that a step is done."""

    turns: TurnTaker

    def tick(self) -> None:
        self.turns.step_is_done()


def prepare(job: Job) -> tuple[PreTrainedModel, list[Batch]]:
    """The model with LoRA and its batches: the same on both sides."""
    import torch

    torch.set_num_threads(job.contract.threads)
    values = _LLAMA_WIDE if job.wide else _LLAMA_110M
    candidate = Candidate("llama", License("none", "yes"), architecture=values)
    loaded = load(candidate, source="random", seed=job.contract.seed)
    train = read_data(DATASETS / "persona").of("train")[:_ROWS]
    rows = (
        _wide_rows(job.contract.seed)
        if job.wide
        else encode_all(candidate.prompting, loaded.tokenizer, train)
    )
    pad_id = loaded.tokenizer.pad_token_id
    batches = training_batches(rows, job.contract, pad_id, "cpu")[: job.steps]
    return add_lora(loaded.model, job.rank, job.contract), batches


def _wide_rows(seed: int) -> list[EncodedRow]:
    """Rows of 512 random tokens out of all the vocabulary, each of them learned."""
    import random

    numbers = random.Random(seed)
    rows = []
    for _ in range(_ROWS):
        ids = tuple(numbers.randrange(10, _WIDE_VOCABULARY) for _ in range(_WIDE_TOKENS))
        rows.append(EncodedRow(ids, ids))
    return rows


SIDES: dict[str, Side] = {"ours": ours, "TRL": trl}


def _side_main(name: str, job: Job, turn_steps: int, pipe: Connection) -> None:
    import contextlib
    import io
    import warnings

    warnings.simplefilter("ignore", FutureWarning)  # of the libraries to each other
    from benchmarks.engines import preload  # noqa: F401 - the same libraries as in a worker

    if name == "TRL":
        import datasets
        import trl.trainer.sft_trainer  # noqa: F401

        datasets.disable_progress_bars()  # type: ignore[attr-defined]
    libraries = resident_bytes() or 0
    # The trainer prints every step's loss as a dict: a terminal full of them is not what was asked.
    with measured("cpu") as measurement, contextlib.redirect_stdout(io.StringIO()):
        if name == "ours":
            give_back_what_is_freed()  # before anything is loaded, as in a worker
        model, batches = prepare(job)
        clock = _TurnClock()
        clock.turns = TurnTaker(pipe, turn_steps)
        clock.turns.wait()
        SIDES[name](job.contract, model, batches, clock)
    pipe.send((measurement.peak, libraries))


def compare(job: Job, turns: int) -> dict[str, Taken]:
    """Both sides in turns; the first turn warms up and is not counted."""
    context = multiprocessing.get_context("spawn")
    turn_steps = job.steps // (turns + 1)
    pipes: dict[str, Connection] = {}
    processes = []
    for name in SIDES:
        ours, theirs = context.Pipe()
        process = context.Process(target=_side_main, args=(name, job, turn_steps, theirs))
        process.start()
        theirs.close()
        pipes[name] = ours
        processes.append(process)
    seconds: dict[str, list[float]] = {name: [] for name in SIDES}
    for pipe in pipes.values():
        pipe.send("go")
        pipe.recv()  # the warm-up turn, which also waits until the model is there
    for _ in range(turns):
        for name, pipe in pipes.items():
            pipe.send("go")
            seconds[name].append(pipe.recv())
    sides = {}
    for name, pipe in pipes.items():
        pipe.send("end")
        peak, libraries = pipe.recv()
        sides[name] = Taken(tuple(seconds[name]), peak, libraries)
    for process in processes:
        process.join()
    return sides


def table(sides: dict[str, Taken]) -> str:
    """The figures of both sides and the ratios."""
    ours, trl = sides["ours"], sides["TRL"]
    by_turn = [a / b for a, b in zip(ours.step_seconds, trl.step_seconds, strict=True)]
    lines = [f"{'':6}{'ms a step':>12}{'peak MiB':>12}{'without libraries':>20}"]
    for name, side in sides.items():
        lines.append(
            f"{name:6}{1000 * median(side.step_seconds):12.0f}"
            f"{(side.peak.process_bytes or 0) / 2**20:12.0f}{side.own_bytes / 2**20:20.0f}"
        )
    peaks = (ours.peak.process_bytes or 0) / (trl.peak.process_bytes or 1)
    lines.append(
        f"{'ratio':6}{median(by_turn):12.3f}{peaks:12.3f}{ours.own_bytes / trl.own_bytes:20.3f}"
    )
    spread = f"{min(by_turn):.3f} to {max(by_turn):.3f}"
    lines.append(f"time ratio by turn: {spread}; peak method: {ours.peak.method}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the options, compare, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--turns", type=int, default=5, help="turns that each side takes")
    parser.add_argument("--steps", type=int, default=5, help="steps of one turn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--wide", action="store_true", help="a vocabulary of 262,144, long rows")
    given = parser.parse_args(arguments)
    steps = (given.turns + 1) * given.steps
    contract = Contract(threads=given.threads, weights="random")
    per_epoch = -(-_ROWS // contract.batch_size)
    contract = replace(contract, epochs=-(-steps // per_epoch))
    print(table(compare(Job(given.rank, steps, contract, given.wide), given.turns)))


if __name__ == "__main__":
    main()
