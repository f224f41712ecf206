"""Writes a bundled model's card from measured figures."""

from __future__ import annotations

import textwrap

from model_registry.bundled.assessment import SAMPLE, Assessment
from model_registry.bundled.bundled_training import BEGUN, EARLIER_TURN, MISLED, TrainingPlan
from model_registry.candidate import Candidate

_FRONT = """\
---
license: apache-2.0
language:
- ko
library_name: transformers
pipeline_tag: text-generation
tags:
- korean
- small-talk
- {model_type}
---
"""

_USE = """\
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = "model_registry/bundled/weights/{name}"
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=False)
    question = [{{"role": "user", "content": "안녕하세요"}}]
    inputs = tokenizer.apply_chat_template(
        question, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    print(tokenizer.decode(model.generate(**inputs)[0], skip_special_tokens=True))
"""

_LIMITS = """\
- It knows no facts, can't reason, calculate, translate or write code, and has no memory beyond
  the text it is given.
- It speaks only the everyday small talk it was trained on. To a prompt that is worded otherwise it
  gives a trained reply that may not fit, or a broken mixture of several (see above).
- Its share of exact replies says that it learned its text by heart, nothing about Korean at large.
- It stands in for a real model where there is no network: so that a selection, a tune and a report
  can be tried from end to end. No figure of it says anything about another model.
- Its advice is small talk. It is not for anyone in distress, and not for decisions.
"""


def write_card(candidate: Candidate, plan: TrainingPlan, found: Assessment, rows: int) -> str:
    """The text of README.md in the model's folder.

    Args:
        candidate: the catalog's entry.
        plan: how it was trained.
        found: what was measured on the saved folder.
        rows: how many pairs it was trained on.
    """
    model_type = str(candidate.architecture["model_type"])
    parts = [
        _FRONT.format(model_type=model_type),
        f"# {candidate.name}\n\n{_summary(candidate, model_type)}",
        f"## Figures\n\n{_figures(found, rows)}",
        f"## How it was made\n\n{_making(candidate, plan, rows)}",
        f"## Use\n\n{_USE.format(name=candidate.name)}",
        f"## {len(found.replies)} replies to unseen prompts\n\n{_replies(found)}",
        f"## What it can't do\n\n{_LIMITS}",
    ]
    return "\n".join(parts)


def _summary(candidate: Candidate, model_type: str) -> str:
    return _lines(
        f"A very small Korean chat model ({model_type}, {candidate.size()} parameters), trained "
        "from nothing for this project on everyday small talk. `make bundled` makes it again; "
        "this card is written by the same run."
    )


def _figures(found: Assessment, rows: int) -> str:
    table = [
        ("parameters, counted", f"{found.parameters:,}"),
        ("size on disk", f"{found.bytes / 1e6:.2f} MB (float16 safetensors, tokenizer)"),
        (f"loss on its {rows} answers", f"{found.loss:.3f} nats a token"),
        (f"trained prompts answered word for word, of {SAMPLE}", str(found.exact)),
    ]
    lines = "".join(f"| {name} | {value} |\n" for name, value in table)
    return f"| | |\n|---|---|\n{lines}\nMeasured on the saved files, in float32, greedy decoding.\n"


def _making(candidate: Candidate, plan: TrainingPlan, rows: int) -> str:
    values = candidate.architecture
    points = (
        f"**Text:** the {rows} pairs of `datasets/small_talk/train.jsonl`, written for this "
        "project; nothing else.",
        f"**Tokenizer:** byte-level BPE of {values['vocab_size']:,} tokens, trained on the same "
        "text, with a chat template. `<|end|>` closes every turn, `<|pad|>` is apart from it.",
        f"**Architecture:** {values['num_hidden_layers']} layers, hidden size "
        f"{values['hidden_size']}, {values['num_attention_heads']} heads, tied embeddings, context "
        f"{values['max_position_embeddings']:,}.",
        f"**Training:** {plan.epochs} epochs, batch {plan.batch_size}, AdamW, learning rate "
        f"{plan.learning_rate:g} with {plan.warmup_steps} warm-up steps and a cosine, weight decay "
        f"{plan.weight_decay:g}, gradient clipped at {plan.clip_norm:g}, loss on the answer only, "
        f"seed {plan.seed}, one thread.",
        "**Variation:** prompts are varied while training (openings, endings, pronouns, letters "
        f"left out), answers never. {MISLED:.0%} of the answers stand behind another's prompt and "
        f"are learned without their first {BEGUN} tokens, so that a reply once begun is finished "
        f"fluently; {EARLIER_TURN:.0%} of the batches go on after another exchange.",
    )
    return "".join(_lines(f"- {point}", indent="  ") for point in points)


def _lines(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 99, subsequent_indent=indent, break_long_words=False) + "\n"


def _replies(found: Assessment) -> str:
    lines = "".join(f"| {_cell(p)} | {_cell(r) or '(empty)'} |\n" for p, r in found.replies)
    return (
        "All prompts of `datasets/small_talk/unseen.jsonl`, greedy, uncurated.\n\n"
        f"| prompt | reply |\n|---|---|\n{lines}"
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
