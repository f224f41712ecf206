"""Trains the bundled diagram model: `python -m benchmarks.training.train_diagram_writer`.

A small Llama learns to answer requests with diagrams: every epoch has 700 pairs of its own, drawn
from a seed. What was saved is then asked 200 requests that it never saw, and the report beside the
weights says how often the format was kept and the nodes asked for were there.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from rich.progress import Progress

from diagrams.parse import parse
from diagrams.requests.diagram_requests import PREFIX, SUFFIX, Pair, make_pairs
from model_registry.backends.backend import GenerationSettings, conversation
from model_registry.backends.transformers_local import answer_batch
from model_registry.bundled.bundled_template import CHAT_TEMPLATE
from model_registry.bundled.bundled_training import CHAT, pad_right, warmup_cosine
from model_registry.bundled.tokenizer import END, PAD, ROLES
from model_registry.bundled.train_bundled import new_model, save
from model_registry.catalog import catalog_path, read_catalog
from model_registry.prompting.tokenization import EncodedRow, check_rows, encode_row, end_token_id
from model_registry.weights.loading import BUNDLED, LoadedModel, load

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

NAME = "diagram-1m"
REPORT = "report.json"
PAIRS, EPOCHS = 700, 60
BATCH, LEARNING_RATE, WARMUP = 8, 3e-3, 60
SEED = 20261121
HELD_OUT, HELD_OUT_SEED = 200, 7
MAX_NEW_TOKENS = 900
#: What BPE may not merge across: a number with its comma, a word in quotes, both colours. So a
#: count stays a token of its own, and what is always the same is one token.
PIECES = (
    r'"[a-z ]+", \(\d+, \d+, \d+\), \(\d+, \d+, \d+\), \['
    r'|"[a-z ]+", |\[+\d+, |\d+, |\d+\]+,?\n?|\d+|\]+,?\n?| ?[^\s\d"\[\]]+|\s+|["\[\]]'
)


@dataclass(frozen=True, slots=True)
class Kept:
    """How many replies kept the format, and how many nodes were as asked."""

    asked: int
    format_kept: int
    complete: int
    nodes_as_asked: int
    different: int  # replies that no other one is the same as

    def line(self) -> str:
        return (
            f"format kept {self.format_kept}/{self.asked}, complete {self.complete}, "
            f"nodes as asked {self.nodes_as_asked}, different {self.different}"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the model, save it, and report its measured skill."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training.train_diagram_writer")
    parser.add_argument("--out", type=Path, default=BUNDLED / NAME)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args(arguments)
    started = time.process_time()
    make(options.out, options.epochs)
    seconds = time.process_time() - started
    found = assess(load_from(options.out), held_out_pairs())
    report = {
        "processor_seconds": round(seconds),  # of one core: torch is given no second one
        "epochs": options.epochs,
        "held_out": asdict(found),
    }
    (options.out / REPORT).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(found.line(), f"({seconds:.0f} processor seconds of training)")


def make(out: Path, epochs: int) -> None:
    """Train from nothing and save."""
    candidate = next(c for c in read_catalog(catalog_path("diagram")) if c.name == NAME)
    tokenizer = train_tokenizer(make_pairs(2 * PAIRS, SEED), candidate.architecture["vocab_size"])
    model = new_model(candidate, tokenizer, SEED)
    with Progress() as bar:
        task = bar.add_task(NAME, total=epochs * -(-PAIRS // BATCH))
        train(model, tokenizer, epochs, lambda loss: bar.update(task, advance=1))
    model.generation_config.max_new_tokens = MAX_NEW_TOKENS
    save(model, tokenizer, out)


def train_tokenizer(pairs: Sequence[Pair], vocab_size: int) -> PreTrainedTokenizerBase:
    """A byte-level BPE whose pieces are a diagram's fields; prefix and suffix are a token each."""
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
        trainers,
    )
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.NFC()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - 2,
        special_tokens=[PAD, END, *ROLES],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [text for pair in pairs for text in (pair.request.text, pair.target.as_text())]
    bpe.train_from_iterator(texts, trainer)
    bpe.add_tokens([AddedToken(text, normalized=False) for text in (PREFIX, SUFFIX)])
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=PAD,
        eos_token=END,
        extra_special_tokens=list(ROLES),
        chat_template=CHAT_TEMPLATE,
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )


def train(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    epochs: int,
    on_step: Callable[[float], None] = lambda loss: None,
) -> None:
    """AdamW with a cosine schedule; other pairs in every epoch, never a held-out request."""
    import torch

    steps = epochs * -(-PAIRS // BATCH)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.05, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: warmup_cosine(step, WARMUP, steps)
    )
    kept_apart = {pair.request.text for pair in held_out_pairs()}
    model.train()
    for epoch in range(epochs):
        for batch in _batches(tokenizer, epoch, kept_apart):
            input_ids, labels = pad_right(batch, tokenizer.pad_token_id)
            loss = model(input_ids=input_ids, labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            on_step(loss.item())
    model.eval()


def _batches(
    tokenizer: PreTrainedTokenizerBase, epoch: int, kept_apart: set[str]
) -> Iterator[list[EncodedRow]]:
    """The epoch's rows, rows of a length together, the batches in a random order."""
    pairs = make_pairs(PAIRS + HELD_OUT, SEED + 1 + epoch)
    used = [pair for pair in pairs if pair.request.text not in kept_apart][:PAIRS]
    rows = [encode_row(CHAT, tokenizer, p.request.prompt, p.target.as_text()) for p in used]
    check_rows(rows, end_token_id(CHAT, tokenizer))
    rows.sort(key=lambda row: len(row.input_ids))
    batches = [rows[at : at + BATCH] for at in range(0, len(rows), BATCH)]
    Random(SEED + epoch).shuffle(batches)
    return iter(batches)


def held_out_pairs() -> list[Pair]:
    """Requests that the model is never trained on."""
    return make_pairs(HELD_OUT, HELD_OUT_SEED)


def load_from(folder: Path) -> LoadedModel:
    """The model as saved in a folder."""
    candidate = next(c for c in read_catalog(catalog_path("diagram")) if c.name == NAME)
    return load(replace(candidate, path=str(folder)), source="path")


def assess(loaded: LoadedModel, pairs: Sequence[Pair], temperature: float = 0.0) -> Kept:
    """Ask every request once and count the replies that keep the format."""
    settings = GenerationSettings(max_new_tokens=MAX_NEW_TOKENS, temperature=temperature, seed=SEED)
    replies = [
        answer.text
        for answer in answer_batch(
            loaded, [conversation(pair.request.prompt) for pair in pairs], settings
        )
    ]
    parsed = [parse(r, p.request.prompt) for r, p in zip(replies, pairs, strict=True)]
    return Kept(
        asked=len(pairs),
        format_kept=sum(found.format_kept for found in parsed),
        complete=sum(found.complete for found in parsed),
        nodes_as_asked=sum(
            len(found.diagram.nodes) == pair.request.nodes
            for found, pair in zip(parsed, pairs, strict=True)
        ),
        different=len(set(replies)),
    )


if __name__ == "__main__":
    main()
