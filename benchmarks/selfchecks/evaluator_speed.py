"""Speed of the evaluators: `python -m benchmarks.selfchecks.evaluator_speed`.

Replies of 100 characters are drawn from our own small talk with a fixed seed. Evaluators that
compare with a reference are timed apart. One core: numpy's threads are held at one.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Sequence

from evaluators.evaluator import Evaluator
from evaluators.evaluator_registry import judge_replies, load_evaluators
from model_registry.files.shipped_data import DATASETS
from model_registry.records import Reply

CHARACTERS = 100
COUNTS = (100, 1_000, 10_000, 100_000)
REFERENCE = ("chrf", "rouge_l")
OPTIONAL = ("kiwi_well_formed",)  # kiwipiepy's
TEXTS = DATASETS / "small_talk" / "train.jsonl"


def replies_of(count: int, characters: int = CHARACTERS, seed: int = 0) -> list[Reply]:
    """So many replies of so many characters, each of sentences drawn anew, to distinct prompts."""
    lines = TEXTS.read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line]
    chance = random.Random(seed)
    return [_reply(number, rows, chance, characters) for number in range(count)]


def _reply(number: int, rows: list[dict[str, str]], chance: random.Random, size: int) -> Reply:
    text = ""
    while len(text) < size:
        text += chance.choice(rows)["reply"] + " "
    asked = chance.choice(rows)
    return Reply(
        case="speed",
        candidate="speed",
        prompt=f"{asked['prompt']} {number}",
        reply=text[:size],
        pass_="greedy",
        tuned=None,
        new_tokens=None,
        finish_reason="length",
        reference=asked["reply"],
    )


def measure(
    evaluators: dict[str, Evaluator], replies: Sequence[Reply]
) -> tuple[float, float, dict[str, float]]:
    """Seconds by the clock and of the processor for all together, and by the clock for each.

    On a busy machine the first holds the waiting too; on an idle one they are the same.
    """
    started, worked = time.perf_counter(), time.process_time()
    _, each = judge_replies(evaluators, replies)
    return time.perf_counter() - started, time.process_time() - worked, each


def main(counts: Sequence[int] = COUNTS) -> None:
    """Print the rates, all evaluators together and one by one."""
    everything = load_evaluators(entry_points=False)
    fast = {n: e for n, e in everything.items() if n not in REFERENCE + OPTIONAL}
    apart = {n: everything[n] for n in REFERENCE}
    measure(everything, replies_of(10))  # loads the tables
    print(f"{len(fast)} evaluators without a reference, replies of {CHARACTERS} characters")
    each: dict[str, float] = {}
    for count in counts:
        replies = replies_of(count)
        seconds, worked, each = measure(fast, replies)
        print(
            f"{count:>8,} replies {seconds:8.2f} s {count / seconds:10,.0f} a second"
            f" | processor {worked:8.2f} s {count / worked:10,.0f} a second"
        )
    print(f"\nmicroseconds a reply, of {counts[-1]:,}")
    for name, seconds in sorted(each.items(), key=lambda item: -item[1]):
        print(f"  {name:<20}{seconds / counts[-1] * 1e6:8.1f}")
    replies = replies_of(min(1_000, counts[-1]))
    _, _, each = measure(apart, replies)
    print(f"\nreference metrics, microseconds a reply, of {len(replies):,}")
    for name, seconds in each.items():
        print(f"  {name:<20}{seconds / len(replies) * 1e6:8.1f}")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=list(COUNTS))
    main(parser.parse_args().counts)
