"""Replies by continuous batching against `generate` prompt by prompt: time, and equal tokens.

Both sides make the same tokens, which is checked token for token. With stopping disabled both make
the same number of them; with natural stopping each reply ends where the model ends it. The first
two are greedy; the third are the replies of a run, the greedy pass and a sampled one together.
Run it as `python -m benchmarks.selfchecks.batch_against_single`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.study.contract import Contract
from benchmarks.workloads.inference import passes
from model_registry.backends.answering_rows import reader_of
from model_registry.backends.backend import GenerationSettings, conversation
from model_registry.backends.continuous_batching import generate_continuously
from model_registry.backends.local_generation import generate_ids
from model_registry.backends.sampling import of_prompt
from model_registry.files.shipped_data import DATASETS
from model_registry.prompting.tokenization import prompt_ids
from model_registry.registry import Registry
from model_registry.weights.loading import LoadedModel, load
from rows.reading import read_data

Tokens = list[list[int]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Seconds of each round, side by side, and whether the tokens were equal."""

    stopping: str
    single_seconds: tuple[float, ...]
    batch_seconds: tuple[float, ...]
    tokens: int
    equal: bool

    @property
    def ratio(self) -> float:
        """How many times as fast the batch is: the median of the rounds' ratios."""
        pairs = zip(self.single_seconds, self.batch_seconds, strict=True)
        return median(single / batch for single, batch in pairs)


def one_by_one(
    loaded: LoadedModel, prompts: Tokens, settings: Sequence[GenerationSettings], stop: bool
) -> Tokens:
    """The model's own `generate` for each prompt, with nothing of ours around greedy ones."""
    import torch

    options: dict[str, object] = {"eos_token_id": list(loaded.end_ids) if stop else None}
    made = []
    with torch.inference_mode():
        for ids, how in zip(prompts, settings, strict=True):
            if how.temperature:
                made += generate_ids(loaded, [ids], how, stop=stop)
                continue
            output = loaded.model.generate(  # type: ignore[operator]  # of transformers' mixin
                input_ids=torch.tensor([ids]),
                attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                max_new_tokens=how.max_new_tokens,
                do_sample=False,
                pad_token_id=loaded.tokenizer.pad_token_id,
                **options,
            )
            made.append(output[0, len(ids) :].tolist())
    return made


def in_a_batch(
    loaded: LoadedModel, prompts: Tokens, settings: Sequence[GenerationSettings], stop: bool
) -> Tokens:
    """All prompts at once, as the replies of a run are made."""
    reader = reader_of(loaded.model, loaded.tokenizer.pad_token_id)
    assert reader is not None  # noqa: S101 - for mypy: bundled models have such a cache
    return generate_continuously(loaded, reader, prompts, settings, stop=stop)


def compare(
    loaded: LoadedModel,
    prompts: Tokens,
    limit: int,
    *,
    stop: bool,
    rounds: int,
    samples: int = 0,
) -> Comparison:
    """Both ways in turn, after one round of each that warms up and is compared token by token."""
    settings = [
        of_prompt(how, number)
        for how in passes(Contract(max_new_tokens=limit, samples=samples)).values()
        for number in range(len(prompts))
    ]
    asked = prompts * (1 + samples)
    single, batch = (way(loaded, asked, settings, stop) for way in (one_by_one, in_a_batch))
    seconds: dict[Callable[..., Tokens], list[float]] = {one_by_one: [], in_a_batch: []}
    for _ in range(rounds):
        for way, taken in seconds.items():
            begin = time.perf_counter()
            way(loaded, asked, settings, stop)
            taken.append(time.perf_counter() - begin)
    return Comparison(
        stopping="a run's" if samples else "natural" if stop else "disabled",
        single_seconds=tuple(seconds[one_by_one]),
        batch_seconds=tuple(seconds[in_a_batch]),
        tokens=sum(map(len, single)),
        equal=single == batch,
    )


def table(comparisons: Sequence[Comparison]) -> str:
    """One line for each kind of stopping."""
    lines = [
        f"{'stopping':10}{'tokens':>8}{'one by one s':>14}{'batch s':>10}{'ratio':>8}  same tokens"
    ]
    for c in comparisons:
        lines.append(
            f"{c.stopping:10}{c.tokens:8}{median(c.single_seconds):14.3f}"
            f"{median(c.batch_seconds):10.3f}{c.ratio:8.1f}  {'yes' if c.equal else 'NO'}"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the options, compare, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--candidate", help="a bundled candidate; all of them if left out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--new-tokens", type=int, default=80)
    given = parser.parse_args(arguments)
    import torch

    from benchmarks.engines import preload  # noqa: F401 - quiet libraries, as in a worker

    torch.set_num_threads(1)
    bundled = Registry().candidates("bundled")
    questions = read_data(DATASETS / "persona").rows
    texts = [row.prompt for row in questions if row.split == "test"][:25]
    for candidate in bundled:
        if given.candidate not in (None, candidate.name):
            continue
        loaded = load(candidate, source="bundled")
        prompts = [
            prompt_ids(candidate.prompting, loaded.tokenizer, conversation(text)) for text in texts
        ]
        print(f"{candidate.name}: {len(prompts)} prompts, at most {given.new_tokens} new tokens")
        print(
            table(
                [
                    compare(
                        loaded,
                        prompts,
                        given.new_tokens,
                        stop=stop,
                        rounds=given.rounds,
                        samples=samples,
                    )
                    for stop, samples in ((False, 0), (True, 0), (True, 1))
                ]
            )
        )


if __name__ == "__main__":
    main()
