"""How a conversation becomes a model's input, and a training row its tokens and labels.

One function writes both: a training row is what the template writes for the whole conversation,
and a prompt is its beginning, up to the answer: a model is asked in the very form it is tuned in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakKeyDictionary

from model_registry.chat_template import ChatTemplate, Message, template_of
from model_registry.control_tokens import (
    THINK_TAGS,
    clean,
    control_tokens,
    encode,
    encode_within,
    mark,
    unmark,
)
from model_registry.errors import BadTemplate, BadTrainingRow

if TYPE_CHECKING:
    from model_registry.candidate import PromptPolicy

IGNORED = -100  # torch's cross entropy leaves labels of this value out
#: Stands for an answer where a template is asked what it writes around one.
_ANSWER = "가나다라 마바사"
#: The note of an answer whose system text stood in the question.
SYSTEM_MOVED = "system text in the question"


@dataclass(frozen=True, slots=True)
class EncodedRow:
    """A training row: `labels` equal `input_ids` on the answer and its end, and are IGNORED on the
    prompt and on what a template writes after the end."""

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is given to continue."""

    ids: tuple[int, ...]
    thinks: bool = False  # a thinking block is open: the reply begins inside it
    system_moved: bool = False  # the template knows no system role: its text is in the question


@dataclass(frozen=True, slots=True)
class _Form:
    """One tokenizer's way of writing conversations, under one policy. Texts are marked, see
    `control_tokens`."""

    policy: PromptPolicy
    tokenizer: Any
    template: ChatTemplate | None
    tokens: tuple[str, ...]
    known: dict[str, Any]  # what was found out about the tokenizer as it is, see `_form`

    def messages(self, messages: Sequence[Message]) -> list[dict[str, str]]:
        """The messages as they are rendered: clean, marked, without a role that is not known."""
        ready = [self._ready(message) for message in messages]
        return _question_first(ready) if self.moves_system(messages) else ready

    def _ready(self, message: Message) -> dict[str, str]:
        tokens = self.tokens
        if message["role"] == "assistant":  # its thinking is the template's to take apart
            tokens = tuple(token for token in tokens if token not in THINK_TAGS)
        return {"role": message["role"], "content": mark(clean(message["content"]), tokens)}

    def moves_system(self, messages: Sequence[Message]) -> bool:
        """Whether a system text has to be put before the question."""
        has = any(message["role"] == "system" for message in messages)
        return has and self.template is not None and not _knows_system(self.template)

    def opened(self, messages: Sequence[Message]) -> str:
        """The conversation, open for an answer, as the template opens it."""
        if self.template is None:
            return _render_plain(self.policy.form, messages)
        return self._render(self.template, messages, add_generation_prompt=True)

    def whole(self, messages: Sequence[Message], reply: str) -> str | None:
        """The conversation with its answer; None where the template can't write answers."""
        if self.template is None:
            return _render_plain(self.policy.form, messages) + reply
        try:
            return self._render(self.template, [*messages, {"role": "assistant", "content": reply}])
        except BadTemplate as error:
            if error.problem != "refused":
                raise
            return None

    def around(self, messages: Sequence[Message]) -> tuple[str, str] | None:
        """What stands before an answer to a conversation, and what behind it."""
        before, found, behind = (self.whole(messages, _ANSWER) or "").rpartition(_ANSWER)
        return (before, behind) if found else None

    def _render(self, template: ChatTemplate, messages: Sequence[Message], **variables: Any) -> str:
        if self.policy.thinking != "template":
            on = self.policy.thinking == "on"
            variables |= {"enable_thinking": on, "thinking": on}  # what Qwen and DeepSeek read
        return template.render(messages, **variables)

    def prompt(self, messages: Sequence[Message]) -> str:
        """The beginning of what `whole` writes, up to the answer.

        Where the model is not to think, a block that the template writes empty before an answer
        belongs to it (Qwen3), and one that the template only opens in prompts is left out (R1).
        """
        opened = self.opened(messages)
        around = self.around(messages) if self.policy.thinking == "off" else None
        if around is None:
            return opened
        blank = around[0].startswith(opened) and not around[0][len(opened) :].strip()
        return opened if blank else around[0]

    def row(self, messages: Sequence[Message], reply: str) -> tuple[str, str]:
        """A training row's prompt, and the rest of what the template writes for it.

        Raises:
            BadTrainingRow: no prompt is the beginning of this row.
        """
        prompt, whole = self.prompt(messages), self.whole(messages, reply)
        if whole is None:
            return prompt, reply
        if whole.startswith(prompt):
            return prompt, whole[len(prompt) :]
        around = self.around(messages)
        before, behind = around or ("", "")
        if before and prompt.startswith(before) and _opens_thinking(prompt):
            # The template leaves out of an answered turn the block that it opens in a prompt.
            if THINK_TAGS[1] in reply:
                return prompt, reply.rpartition(THINK_TAGS[0])[2].lstrip("\n") + behind
            return prompt, f"\n{THINK_TAGS[1]}\n\n{whole[len(before) :]}"
        thinks = f"a {THINK_TAGS[0]} block" if THINK_TAGS[1] in reply else "something"
        raise BadTrainingRow(
            f"The chat template writes {thinks} of this answer before it, so that no prompt is the "
            'beginning of the row. Take it out, or set thinking = "on" in the contract.'
        )

    def encode(self, text: str, *, within: bool = False) -> list[int]:
        """Token ids of a text from its beginning, or of one that goes on. A chat template writes
        its own begin token; a second one would shift the model's input."""
        special = self.template is None and not within
        return encode(self.tokenizer, text, self.tokens, special=special, within=within)

    @property
    def end(self) -> int | None:
        """The token that ends an answer: see `end_token_id`."""
        if "end" not in self.known:
            self.known["end"] = None if self.template is None else self._written_end()
        found = self.known["end"]
        return self.tokenizer.eos_token_id if found is None else int(found)

    def _written_end(self) -> int | None:
        """The first token behind an answer that is no text of the vocabulary; one that only looks
        like none, where nothing else is there."""
        around = self.around([{"role": "user", "content": "?"}])
        behind = around[1].strip() if around else ""
        ids = encode_within(self.tokenizer, behind) if behind else []
        added = self.tokenizer.added_tokens_decoder.items()
        known = {number for number, token in added if not token.content.isspace()}
        known.update(self.tokenizer.all_special_ids)
        alone = len(ids) == 1 and behind[0] in "<["
        return next((number for number in ids if number in known or alone), None)


_KNOWN: WeakKeyDictionary[Any, dict[tuple[Any, ...], dict[str, Any]]] = WeakKeyDictionary()


def _form(policy: PromptPolicy, tokenizer: Any) -> _Form:
    """The form of a tokenizer. What takes long to find out (some have thousands of added tokens) is
    kept for as long as the tokenizer stays as it is."""
    template = template_of(tokenizer) if uses_chat_template(policy, tokenizer) else None
    if tokenizer is None:
        return _Form(policy, None, None, (), {})
    key = (policy, template, len(tokenizer), tokenizer.eos_token)
    known = _KNOWN.setdefault(tokenizer, {}).setdefault(key, {})
    if "tokens" not in known:
        known["tokens"] = control_tokens(tokenizer, template.text if template else policy.form)
    return _Form(policy, tokenizer, template, known["tokens"], known)


def uses_chat_template(policy: PromptPolicy, tokenizer: Any) -> bool:
    """Whether prompts of this policy go through the tokenizer's chat template."""
    return policy.kind == "chat" and bool(getattr(tokenizer, "chat_template", None))


def settled(policy: PromptPolicy, tokenizer: Any) -> PromptPolicy:
    """The policy with the kind that this tokenizer comes to: "plain" where it has no template."""
    return replace(policy, kind="chat" if uses_chat_template(policy, tokenizer) else "plain")


def _render_plain(form: str, messages: Sequence[Message]) -> str:
    """Turns one after the other in the declared form, the last one open."""
    text = "".join(f"{m['content']}\n\n" for m in messages if m["role"] == "system")
    for message in messages:
        if message["role"] == "user":
            text += form.replace("{prompt}", message["content"])
        elif message["role"] == "assistant":
            text += message["content"] + "\n"
    return text


@lru_cache(maxsize=64)
def _knows_system(template: ChatTemplate) -> bool:
    """Whether a system text comes out of the template: some refuse the role, some lose its text."""
    asked = [{"role": "system", "content": _ANSWER}, {"role": "user", "content": "?"}]
    try:
        return _ANSWER in template.render(asked, add_generation_prompt=True)
    except BadTemplate as error:
        if error.problem not in ("refused", "broken"):
            raise
        return False


def _question_first(messages: Sequence[Message]) -> list[dict[str, str]]:
    """System texts put before the question that follows them."""
    moved: list[dict[str, str]] = []
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "system":
            waiting.append(message["content"])
            continue
        if waiting and message["role"] == "user":
            message = {"role": "user", "content": "\n\n".join([*waiting, message["content"]])}
            waiting = []
        moved.append(dict(message))
    return moved if not waiting else [*moved, {"role": "user", "content": "\n\n".join(waiting)}]


def _opens_thinking(prompt: str) -> bool:
    return prompt.rstrip().endswith(THINK_TAGS[0])


def render(policy: PromptPolicy, tokenizer: Any, messages: Sequence[Message]) -> str:
    """The text that the model continues.

    A chat template without a system role gets the system text in front of the question. A
    tokenizer without a chat template falls back to the plain form: `uses_chat_template` tells.

    Raises:
        BadTemplate: the template refuses the conversation, or can't be used at all.
    """
    form = _form(policy, tokenizer)
    return unmark(form.prompt(form.messages(messages)))


def encode_prompt(policy: PromptPolicy, tokenizer: Any, messages: Sequence[Message]) -> Prompt:
    """The rendered prompt's tokens, with the special ones that its form needs.

    Raises:
        BadTemplate: as `render`.
    """
    form = _form(policy, tokenizer)
    text = form.prompt(form.messages(messages))
    moved = form.moves_system(messages)
    return Prompt(tuple(form.encode(text)), _opens_thinking(text), moved)


def prompt_ids(policy: PromptPolicy, tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """Token ids of the rendered prompt."""
    return list(encode_prompt(policy, tokenizer, messages).ids)


def end_token_id(policy: PromptPolicy, tokenizer: Any) -> int:
    """The token that ends an answer: the one that the template writes behind it, else end of text.

    Raises:
        BadTrainingRow: the tokenizer has no end token, so a tuned model could never stop.
        BadTemplate: the template can't be used.
    """
    end = _form(policy, tokenizer).end
    if end is None:
        raise BadTrainingRow(
            "The tokenizer has no end token, so a model tuned with it would never stop. "
            "Set eos_token in its tokenizer_config.json."
        )
    return int(end)


def end_token_ids(
    policy: PromptPolicy, tokenizer: Any, configured: int | Sequence[int] | None
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


def around_answer(policy: PromptPolicy, tokenizer: Any, question: str) -> tuple[str, str]:
    """What is written before the answer to a question, and what behind it."""
    form = _form(policy, tokenizer)
    messages = form.messages([{"role": "user", "content": question}])
    around = form.around(messages)
    return unmark(form.prompt(messages)), around[1] if around else ""


def encode_row(
    policy: PromptPolicy, tokenizer: Any, messages: Sequence[Message] | str, reply: str
) -> EncodedRow:
    """One training row: what the template writes for the conversation and its reply.

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
    form = _form(policy, tokenizer)
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


class Learned(Protocol):
    """A row of a data set: a conversation, and the reply that a model should learn."""

    @property
    def messages(self) -> Sequence[Message]: ...

    @property
    def reply(self) -> str: ...


def encode_all(
    policy: PromptPolicy, tokenizer: Any, rows: Sequence[Learned], names: Sequence[str] = ()
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
            raise BadTrainingRow(f"{name}: {error}") from error
    return encoded


def _numbered(count: int) -> list[str]:
    return [f"Training row {number}" for number in range(1, count + 1)]


def check_rows(
    rows: Sequence[EncodedRow],
    end_id: int,
    max_length: int | None = None,
    names: Sequence[str] = (),
) -> None:
    """Refuse rows that would teach something wrong, by their names or else numbers from 1.

    Raises:
        BadTrainingRow: a row has no labelled answer, no labelled end token, labels that differ
            from its tokens, or is longer than `max_length`.
    """
    for name, row in zip(names or _numbered(len(rows)), rows, strict=True):
        labelled = [(i, label) for i, label in enumerate(row.labels) if label != IGNORED]
        if len(labelled) < 2:
            raise BadTrainingRow(f"{name} has no answer to learn from.")
        if any(row.input_ids[i] != label for i, label in labelled):
            raise BadTrainingRow(f"{name} has labels that are not its own tokens.")
        if labelled[-1][1] != end_id:
            raise BadTrainingRow(
                f"{name} does not end in the end token ({end_id}) with a label: "
                "a model tuned on it would never stop."
            )
        if max_length is not None and len(row.input_ids) > max_length:
            raise BadTrainingRow(
                f"{name} has {len(row.input_ids)} tokens, more than {max_length}. "
                "Shorten it or raise max_length."
            )
