"""Encodes conversations as model input, and training rows as token ids and labels.

One function writes both: a training row is what the template writes for the whole conversation,
and a prompt is its beginning, up to the answer: a model is asked in the very form it is tuned in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from model_registry.errors import BadTemplate, BadTrainingRow
from model_registry.language import Both
from model_registry.prompting.chat_template import Message
from model_registry.prompting.control_tokens import unmark
from model_registry.prompting.prompt_format import (
    opens_thinking,
    prompt_format_of,
    uses_chat_template,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from model_registry.candidate import PromptPolicy

IGNORED = -100  # torch's cross entropy leaves labels of this value out
#: The note of an answer whose system text stood in the question.
SYSTEM_MOVED = "system text in the question"


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """A training row: `labels` equal `input_ids` on the answer and its end, and are IGNORED on the
    prompt and on what a template writes after the end."""

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    lengths: tuple[int, ...] = ()  # tokens of each of the rows that are packed in it


@dataclass(frozen=True, slots=True)
class Prompt:
    """A model's encoded input."""

    ids: tuple[int, ...]
    thinks: bool = False  # a thinking block is open: the reply begins inside it
    system_moved: bool = False  # the template knows no system role: its text is in the question


def resolved_policy(policy: PromptPolicy, tokenizer: PreTrainedTokenizerBase) -> PromptPolicy:
    """The policy with the kind that this tokenizer resolves to: "plain" without a template."""
    return replace(policy, kind="chat" if uses_chat_template(policy, tokenizer) else "plain")


def render(
    policy: PromptPolicy, tokenizer: PreTrainedTokenizerBase | None, messages: Sequence[Message]
) -> str:
    """The text that the model continues.

    A chat template without a system role gets the system text in front of the question. A
    tokenizer without a chat template falls back to the plain form: `uses_chat_template` tells.

    Raises:
        BadTemplate: the template refuses the conversation, or can't be used at all.
    """
    form = prompt_format_of(policy, tokenizer)
    return unmark(form.prompt(form.messages(messages)))


def encode_prompt(
    policy: PromptPolicy, tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]
) -> Prompt:
    """The rendered prompt's tokens, with the special ones that its form needs.

    Raises:
        BadTemplate: as `render`.
    """
    form = prompt_format_of(policy, tokenizer)
    text = form.prompt(form.messages(messages))
    moved = form.moves_system(messages)
    return Prompt(tuple(form.encode(text)), opens_thinking(text), moved)


def prompt_ids(
    policy: PromptPolicy, tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]
) -> list[int]:
    """Token ids of the rendered prompt."""
    return list(encode_prompt(policy, tokenizer, messages).ids)


def end_token_id(policy: PromptPolicy, tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that ends an answer: the one that the template writes behind it, else end of text.

    Raises:
        BadTrainingRow: the tokenizer has no end token, so a tuned model could never stop.
        BadTemplate: the template can't be used.
    """
    end = prompt_format_of(policy, tokenizer).end
    if end is None:
        raise BadTrainingRow(
            "The tokenizer has no end token, so a model tuned with it would never stop. "
            "Set eos_token in its tokenizer_config.json.",
            "토크나이저에 종료 토큰이 없어 튜닝한 모델이 멈추지 않습니다. "
            "tokenizer_config.json에 eos_token을 적으세요.",
        )
    return int(end)


def end_token_ids(
    policy: PromptPolicy, tokenizer: PreTrainedTokenizerBase, configured: int | Sequence[int] | None
) -> tuple[int, ...]:
    """Every token at which an answer ends: the template's, end of text, and those that the
    generation configuration lists.

    Raises:
        BadTrainingRow: there is no end token.
    """
    ids = {end_token_id(policy, tokenizer)}
    ids.update([configured] if isinstance(configured, int) else configured or [])
    if tokenizer.eos_token_id is not None:
        ids.add(int(tokenizer.eos_token_id))
    return tuple(sorted(ids))


def around_answer(
    policy: PromptPolicy, tokenizer: PreTrainedTokenizerBase, question: str
) -> tuple[str, str]:
    """The text before the answer to a question, and the text behind it."""
    form = prompt_format_of(policy, tokenizer)
    messages = form.messages([{"role": "user", "content": question}])
    around = form.around(messages)
    return unmark(form.prompt(messages)), around[1] if around else ""


def encode_row(
    policy: PromptPolicy,
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[Message] | str,
    reply: str,
) -> EncodedRow:
    """Encode one training row: the rendered conversation with its reply.

    The prompt, which is exactly `prompt_ids` of the conversation, carries no labels; the answer
    and its end token do. Behind a template that writes no end token the tokenizer's own is put.

    Args:
        policy: how prompts are written.
        tokenizer: of the model.
        messages: the conversation, or its only question.
        reply: the answer to learn.

    Raises:
        BadTrainingRow: no prompt is the beginning of this row, or there is no end token.
        BadTemplate: the template refuses the conversation.
    """
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    form = prompt_format_of(policy, tokenizer)
    *asked, answered = form.messages([*messages, {"role": "assistant", "content": reply}])
    prompt, rest = form.row(asked, answered["content"])
    before, whole = form.encode(prompt), form.encode(prompt + rest)
    kept = whole[: len(before)] == before  # else a token would span prompt and answer
    behind = whole[len(before) :] if kept else form.encode(rest, within=True)
    end = end_token_id(policy, tokenizer)
    if end not in behind:
        behind.append(end)
    ended = behind.index(end) + 1
    labels = [*[IGNORED] * len(before), *behind[:ended], *[IGNORED] * (len(behind) - ended)]
    return EncodedRow(input_ids=(*before, *behind), labels=tuple(labels))


class TrainableRow(Protocol):
    """A row of a data set: a conversation, and the reply that a model should learn."""

    @property
    def messages(self) -> Sequence[Message]: ...

    @property
    def reply(self) -> str: ...


def encode_all(
    policy: PromptPolicy,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[TrainableRow],
    names: Sequence[Both] = (),
) -> list[EncodedRow]:
    """All rows as `encode_row` writes them. `names` is what messages call them.

    Raises:
        BadTrainingRow: with the name of the row, else its number, counted from 1.
    """
    encoded = []
    for name, row in zip(names or _numbered(len(rows)), rows, strict=True):
        try:
            encoded.append(encode_row(policy, tokenizer, row.messages, row.reply))
        except (BadTrainingRow, BadTemplate) as error:
            raise BadTrainingRow(f"{name[0]}: {error}", f"{name[1]}: {error.korean}") from error
    return encoded


def row_name(number: int, split: str, english: str = "", korean: str = "") -> Both:
    """A row by its number, with what says more of it in each language."""
    if split == "train":
        return f"Training row {number}{english}", f"학습 행 {number}번{korean}"
    return f"Valid row {number}{english}", f"검증 행 {number}번{korean}"


def _numbered(count: int) -> list[Both]:
    return [row_name(number, "train") for number in range(1, count + 1)]


def moves_system(
    policy: PromptPolicy, tokenizer: PreTrainedTokenizerBase, rows: Iterable[TrainableRow]
) -> bool:
    """Whether any of these conversations has a system text that has to stand in its question."""
    form = prompt_format_of(policy, tokenizer)
    return any(form.moves_system(row.messages) for row in rows)


def check_rows(
    rows: Sequence[EncodedRow],
    end_id: int,
    max_length: int | None = None,
    names: Sequence[Both] = (),
) -> None:
    """Refuse rows that would teach something wrong, by their names or else numbers from 1.

    Raises:
        BadTrainingRow: a row has no labelled answer, no labelled end token, labels that differ
            from its tokens, or is longer than `max_length`.
    """
    for name, row in zip(names or _numbered(len(rows)), rows, strict=True):
        labelled = [(i, label) for i, label in enumerate(row.labels) if label != IGNORED]
        if len(labelled) < 2:
            raise BadTrainingRow(
                f"{name[0]} has no answer to learn from.", f"{name[1]}에 학습할 답변이 없습니다."
            )
        if any(row.input_ids[i] != label for i, label in labelled):
            raise BadTrainingRow(
                f"{name[0]} has labels that are not its own tokens.",
                f"{name[1]}의 레이블이 자기 토큰과 다릅니다.",
            )
        if labelled[-1][1] != end_id:
            raise BadTrainingRow(
                f"{name[0]} does not end in the end token ({end_id}) with a label: "
                "a model tuned on it would never stop.",
                f"{name[1]}이(가) 레이블 있는 종료 토큰({end_id})으로 끝나지 않습니다. 이대로 "
                "튜닝한 모델은 멈추지 않습니다.",
            )
        if max_length is not None and len(row.input_ids) > max_length:
            raise BadTrainingRow(
                f"{name[0]} has {len(row.input_ids)} tokens, more than {max_length}. "
                "Shorten it or raise max_length.",
                f"{name[1]}은(는) {len(row.input_ids)}토큰으로 {max_length}보다 깁니다. 줄이거나 "
                "max_length를 늘리세요.",
            )
