"""Measures a trained bundled model, from its saved folder, for its card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from model_registry.backends.backend import GenerationSettings, conversation
from model_registry.backends.transformers_local import answer_batch
from model_registry.bundled.bundled_training import CHAT, Row, answer_loss, pad_right
from model_registry.candidate import Candidate
from model_registry.prompting.tokenization import IGNORED, encode_row
from model_registry.weights.loading import LoadedModel, load

SAMPLE = 100  # trained prompts that are asked again
SAMPLE_SEED = 7

GREEDY = GenerationSettings(max_new_tokens=80)


@dataclass(frozen=True, slots=True)
class Assessment:
    """Figures and replies of one saved model."""

    parameters: int
    bytes: int  # of the whole folder, before its card
    loss: float  # mean over the answers' tokens, prompts as they are written
    exact: int  # of SAMPLE trained prompts, those answered word for word
    replies: tuple[tuple[str, str], ...]  # unseen prompt, reply


def assess(
    candidate: Candidate, folder: Path, rows: Sequence[Row], unseen: Sequence[str]
) -> Assessment:
    """Load a saved model as every user does, and measure it in float32.

    Args:
        candidate: the catalog's entry; its path is taken as `folder`.
        folder: where the model was saved.
        rows: what it was trained on.
        unseen: prompts that it was not trained on.
    """
    loaded = load(at(candidate, folder), source="path")
    sample = Random(SAMPLE_SEED).sample(rows, min(SAMPLE, len(rows)))
    asked = answers(loaded, [row["prompt"] for row in sample])
    return Assessment(
        parameters=sum(p.numel() for p in loaded.model.parameters()),
        bytes=sum(path.stat().st_size for path in folder.iterdir() if path.name != "README.md"),
        loss=mean_answer_loss(loaded, rows),
        exact=sum(reply == row["reply"] for reply, row in zip(asked, sample, strict=True)),
        replies=tuple(zip(unseen, answers(loaded, unseen), strict=True)),
    )


def at(candidate: Candidate, folder: Path) -> Candidate:
    """The same candidate with its weights in another folder."""
    return replace(candidate, path=str(folder))


def answers(loaded: LoadedModel, prompts: Sequence[str]) -> list[str]:
    """The greedy replies, in order."""
    conversations = [conversation(prompt) for prompt in prompts]
    return [answer.text for answer in answer_batch(loaded, conversations, GREEDY)]


def mean_answer_loss(loaded: LoadedModel, rows: Sequence[Row], batch_size: int = 64) -> float:
    """Mean cross entropy of the answers' tokens, each token counted once."""
    import torch

    encoded = [encode_row(CHAT, loaded.tokenizer, row["prompt"], row["reply"]) for row in rows]
    total, tokens = 0.0, 0
    for start in range(0, len(encoded), batch_size):
        ids, labels = pad_right(encoded[start : start + batch_size], loaded.tokenizer.pad_token_id)
        with torch.inference_mode():
            loss = answer_loss(loaded.model(input_ids=ids).logits, labels).item()
        count = int((labels != IGNORED).sum())
        total, tokens = total + loss * count, tokens + count
    return total / tokens
