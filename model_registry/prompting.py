"""How a prompt becomes a model's input, and a training row its tokens and labels.

One policy serves answering and tuning, so that a model is tuned on the very form it is asked in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_registry.errors import BadTrainingRow

if TYPE_CHECKING:
    from model_registry.candidate import PromptPolicy

IGNORED = -100  # torch's cross entropy leaves labels of this value out
Message = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """A training row: `labels` equal `input_ids` on the answer and IGNORED on the prompt."""

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]


def render(policy: PromptPolicy, tokenizer: Any, messages: Sequence[Message]) -> str:
    """The text that the model continues.

    A chat template without a system role gets the system text in front of the first question. A
    tokenizer without a chat template falls back to the plain form: `uses_chat_template` tells.
    """
    if not uses_chat_template(policy, tokenizer):
        return _render_plain(policy.form, messages)
    try:
        return _apply_template(tokenizer, messages)
    except Exception:
        if messages[0]["role"] != "system" or len(messages) < 2:
            raise
        first = {"role": "user", "content": f"{messages[0]['content']}\n\n{messages[1]['content']}"}
        return _apply_template(tokenizer, [first, *messages[2:]])


def uses_chat_template(policy: PromptPolicy, tokenizer: Any) -> bool:
    """Whether prompts of this policy go through the tokenizer's chat template."""
    return policy.kind == "chat" and bool(getattr(tokenizer, "chat_template", None))


def _apply_template(tokenizer: Any, messages: Sequence[Message]) -> str:
    rendered = tokenizer.apply_chat_template(
        [dict(m) for m in messages], add_generation_prompt=True, tokenize=False
    )
    return str(rendered)


def _render_plain(form: str, messages: Sequence[Message]) -> str:
    """Turns one after the other in the declared form, the last one open."""
    text = "".join(f"{m['content']}\n\n" for m in messages if m["role"] == "system")
    for message in messages:
        if message["role"] == "user":
            text += form.replace("{prompt}", message["content"])
        elif message["role"] == "assistant":
            text += message["content"] + "\n"
    return text


def prompt_ids(policy: PromptPolicy, tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Token ids of the rendered prompt, with the special tokens that its form needs."""
    text = render(policy, tokenizer, messages)
    # A chat template writes its own begin token; a second one would shift the model's input.
    special = not uses_chat_template(policy, tokenizer)
    ids = list(tokenizer(text, add_special_tokens=special)["input_ids"])
    if special and ids and ids[-1] == tokenizer.eos_token_id:
        ids.pop()  # some tokenizers close every text; an open prompt must stay open
    return ids


def end_token_id(policy: PromptPolicy, tokenizer: Any) -> int:
    """The token that ends an answer: the template's own turn end, else the end of text.

    Raises:
        BadTrainingRow: the tokenizer has no end token, so a tuned model could never stop.
    """
    if uses_chat_template(policy, tokenizer):
        closing = _after_answer(tokenizer)
        specials = set(tokenizer.all_special_ids)
        for token in tokenizer(closing, add_special_tokens=False)["input_ids"]:
            if token in specials:
                return int(token)
    if tokenizer.eos_token_id is None:
        raise BadTrainingRow(
            "The tokenizer has no end token, so a model tuned with it would never stop. "
            "Set eos_token in its tokenizer_config.json."
        )
    return int(tokenizer.eos_token_id)


def _after_answer(tokenizer: Any) -> str:
    """What the chat template writes behind an answer."""
    marker = "가나다라"
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": marker}]
    return str(tokenizer.apply_chat_template(turns, tokenize=False)).rpartition(marker)[2]


def encode_row(policy: PromptPolicy, tokenizer: Any, prompt: str, reply: str) -> EncodedRow:
    """One training row: prompt, answer, end token; only the last two carry labels."""
    before = prompt_ids(policy, tokenizer, [{"role": "user", "content": prompt}])
    answer = list(tokenizer(reply, add_special_tokens=False)["input_ids"])
    answer.append(end_token_id(policy, tokenizer))
    return EncodedRow(input_ids=(*before, *answer), labels=(*[IGNORED] * len(before), *answer))


def check_rows(rows: Sequence[EncodedRow], end_id: int, max_length: int | None = None) -> None:
    """Refuse rows that would teach something wrong. Rows are numbered from 1.

    Raises:
        BadTrainingRow: a row has no labelled answer, no labelled end token, labels that differ
            from its tokens, or is longer than `max_length`.
    """
    for number, row in enumerate(rows, start=1):
        labelled = [(i, label) for i, label in enumerate(row.labels) if label != IGNORED]
        if len(labelled) < 2:
            raise BadTrainingRow(f"Training row {number} has no answer to learn from.")
        if any(row.input_ids[i] != label for i, label in labelled):
            raise BadTrainingRow(f"Training row {number} has labels that are not its own tokens.")
        if row.labels[-1] != end_id:
            raise BadTrainingRow(
                f"Training row {number} does not end in the end token ({end_id}) with a label: "
                "a model tuned on it would never stop."
            )
        if max_length is not None and len(row.input_ids) > max_length:
            raise BadTrainingRow(
                f"Training row {number} has {len(row.input_ids)} tokens, more than {max_length}. "
                "Shorten it or raise max_length."
            )
