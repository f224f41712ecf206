"""Trains the bundled candidates: `python -m model_registry.bundled.train_bundled`.

For each: a tokenizer and a model trained on datasets/small_talk/train.jsonl, saved as any other
model is, measured from what was saved, and described by a card. What each is stands in
catalogs/bundled.toml, how each is trained below. The same seed gives the same weights on the
same machine.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from model_registry.architectures.model_config import build_config
from model_registry.bundled.assessment import Assessment, assess
from model_registry.bundled.bundled_training import Row, TrainingPlan, train
from model_registry.bundled.card import write_card
from model_registry.bundled.tokenizer import train_tokenizer
from model_registry.candidate import Candidate
from model_registry.catalog import catalog_path, read_catalog
from model_registry.errors import BadFile, UnknownName
from model_registry.files.shipped_data import DATASETS
from model_registry.weights.loading import BUNDLED

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SMALL_TALK = DATASETS / "small_talk"

#: Clearly different in strength on purpose: a selection must have something to find.
PLANS = {
    "bundled-llama-2.5m": TrainingPlan(epochs=40, learning_rate=2.5e-3),
    "bundled-qwen2-1m": TrainingPlan(epochs=30, learning_rate=4e-3),
    "bundled-neox-0.4m": TrainingPlan(epochs=16, learning_rate=4e-3),
}

QUICK_ROWS = 32  # --quick tries the way, not the result


@dataclass(frozen=True, slots=True)
class SmallTalk:
    """What the models are trained on, and the prompts that they never saw."""

    rows: tuple[Row, ...]
    unseen: tuple[str, ...]


def main(arguments: Sequence[str] | None = None) -> None:
    """Make all bundled candidates, or those that are named."""
    parser = argparse.ArgumentParser(prog="python -m model_registry.bundled.train_bundled")
    parser.add_argument("--out", type=Path, default=BUNDLED, help="where the folders are made")
    parser.add_argument("--only", action="append", metavar="NAME", help="make only this one")
    parser.add_argument("--quick", action="store_true", help="one epoch of a few rows, to try it")
    options = parser.parse_args(arguments)
    hide_other_bars()
    try:
        chosen = choose(options.only)
    except UnknownName as error:
        parser.error(str(error))
    talk, plans = read_small_talk(), PLANS
    if options.quick:
        talk = replace(talk, rows=talk.rows[:QUICK_ROWS])
        plans = {name: replace(plan, epochs=1) for name, plan in PLANS.items()}
    console = Console()
    with _progress(console) as progress:
        tasks = {c.name: progress.add_task(c.name, total=None, start=False) for c in chosen}
        for candidate in chosen:
            plan, task = plans[candidate.name], tasks[candidate.name]
            progress.update(task, total=plan.steps(len(talk.rows)))
            progress.start_task(task)
            begin = time.perf_counter()
            found = make(candidate, plan, talk, options.out / candidate.name, progress, task)
            _tell(console, candidate, found, time.perf_counter() - begin)


def hide_other_bars() -> None:
    """Hide transformers' own progress bars, one for each file."""
    from transformers.utils import logging

    logging.disable_progress_bar()


def choose(names: Sequence[str] | None) -> list[Candidate]:
    """The bundled candidates of these names, all without names.

    Raises:
        UnknownName: nothing bundled is called so.
    """
    by_name = {c.name: c for c in read_catalog(catalog_path("bundled"))}
    for name in names or ():
        if name not in by_name:
            raise UnknownName("bundled candidate", name, by_name)
    return [by_name[name] for name in names or by_name]


def read_small_talk(folder: Path = SMALL_TALK) -> SmallTalk:
    """The base text and the unseen prompts.

    Raises:
        BadFile: with the line that can't be read.
    """
    rows = _read_rows(folder / "train.jsonl", {"prompt", "reply"})
    unseen = _read_rows(folder / "unseen.jsonl", {"prompt"})
    return SmallTalk(tuple(rows), tuple(row["prompt"] for row in unseen))


def _read_rows(path: Path, keys: set[str]) -> list[Row]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not line:
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise BadFile(
                path, number, f"is no JSON ({error.msg})", f"JSON이 아닙니다({error.msg})"
            ) from error
        if set(row) != keys or not all(isinstance(value, str) for value in row.values()):
            raise BadFile(
                path,
                number,
                f"must have the texts {', '.join(sorted(keys))}",
                f"{', '.join(sorted(keys))} 글이 있어야 합니다",
            )
        rows.append(row)
    return rows


def make(
    candidate: Candidate,
    plan: TrainingPlan,
    talk: SmallTalk,
    folder: Path,
    progress: Progress,
    task: TaskID,
) -> Assessment:
    """Train one candidate, save it, and measure the saved model."""
    tokenizer = train_tokenizer(spoken(talk.rows), candidate.architecture["vocab_size"])
    model = new_model(candidate, tokenizer, plan.seed)
    learner = as_loaded(tokenizer, model, folder)
    train(model, learner, talk.rows, plan, lambda loss: progress.advance(task))
    save(model, tokenizer, folder)
    found = assess(candidate, folder, talk.rows, talk.unseen)
    card = write_card(candidate, plan, found, len(talk.rows))
    (folder / "README.md").write_text(card, encoding="utf-8")
    return found


def spoken(rows: Sequence[Row]) -> list[str]:
    """The rows' texts as the chat template writes them: prompts begin with a space."""
    return [text for row in rows for text in (f" {row['prompt']}", row["reply"])]


def new_model(
    candidate: Candidate, tokenizer: PreTrainedTokenizerBase, seed: int
) -> PreTrainedModel:
    """The candidate's architecture with fresh weights, told which tokens end and pad."""
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig

    # One thread: the sums, and so the weights, then don't depend on how many cores are free, and
    # models of this size gain little from a second.
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    ids = {
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    model: PreTrainedModel = AutoModelForCausalLM.from_config(
        build_config({**candidate.architecture, **ids}), trust_remote_code=False
    )
    model.generation_config = GenerationConfig(max_new_tokens=80, do_sample=False, **ids)
    return model


def as_loaded(
    tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, folder: Path
) -> PreTrainedTokenizerBase:
    """The tokenizer as users will load it from the folder, where its class may be another.

    transformers reads Qwen2's tokenizers with a class of their own, which splits text its own way;
    the model must be trained on that split.
    """
    from transformers import AutoTokenizer

    model.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    return loaded


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write float16 safetensors, configuration and tokenizer, readable for everybody."""
    import torch

    model.to(torch.float16)  # type: ignore[arg-type]  # wrapped untyped
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for path in folder.iterdir():
        path.chmod(0o644)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:<20}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
    )


def _tell(console: Console, candidate: Candidate, found: Assessment, seconds: float) -> None:
    console.print(
        f"{candidate.name}: {found.parameters:,} parameters, {found.bytes / 1e6:.2f} MB, "
        f"loss {found.loss:.3f}, {found.exact} exact, {seconds:.0f} s"
    )


if __name__ == "__main__":
    main()
