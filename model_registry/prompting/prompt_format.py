"""A tokenizer's prompt format: its chat template, or a plain format."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypedDict
from weakref import WeakKeyDictionary

from model_registry.errors import BadTemplate, BadTrainingRow
from model_registry.prompting.chat_template import ChatTemplate, Message, template_of
from model_registry.prompting.control_tokens import (
    THINK_TAGS,
    clean,
    control_tokens,
    encode,
    encode_within,
    mark,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from model_registry.candidate import PromptPolicy

#: Stands for an answer where a template is asked what it writes around one.
_ANSWER = "가나다라 마바사"


class _Known(TypedDict, total=False):
    """What was found out about a tokenizer and its template, which takes long with some."""

    end: int | None
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PromptFormat:
    """One tokenizer's way of writing conversations, under one policy. Texts are marked, see
    `control_tokens`."""

    policy: PromptPolicy
    tokenizer: PreTrainedTokenizerBase
    template: ChatTemplate | None
    tokens: tuple[str, ...]
    known: _Known  # what was found out about the tokenizer as it is, see `prompt_format_of`

    def messages(self, messages: Sequence[Message]) -> list[dict[str, str]]:
        """The messages ready to render: clean, marked, without unknown roles."""
        ready = [self._ready(message) for message in messages]
        return _question_first(ready) if self.moves_system(messages) else ready

    def _ready(self, message: Message) -> dict[str, str]:
        tokens = self.tokens
        if message["role"] == "assistant":  # its thinking is the template's to take apart
            tokens = tuple(token for token in tokens if token not in THINK_TAGS)
        return {"role": message["role"], "content": mark(clean(message["content"]), tokens)}

    def moves_system(self, messages: Sequence[Message]) -> bool:
        """Whether system texts have to be put before the questions behind them."""
        roles = tuple(message["role"] for message in messages)
        asked = roles[:-1] if roles[-1:] == ("assistant",) else roles  # a row, or its prompt
        if self.template is None or "system" not in asked:
            return False
        return not _keeps_system(self.template, asked)

    def opened(self, messages: Sequence[Message]) -> str:
        """The conversation rendered up to where the answer begins."""
        if self.template is None:
            return _render_plain(self.policy.form, messages)
        return self._render(self.template, messages, add_generation_prompt=True)

    def whole(self, messages: Sequence[Message], reply: str) -> str | None:
        """The conversation rendered with its answer; None where the template can't."""
        if self.template is None:
            return _render_plain(self.policy.form, messages) + reply
        try:
            return self._render(self.template, [*messages, {"role": "assistant", "content": reply}])
        except BadTemplate as error:
            if error.problem != "refused":
                raise
            return None

    def around(self, messages: Sequence[Message]) -> tuple[str, str] | None:
        """The text before an answer to a conversation, and the text behind it."""
        before, found, behind = (self.whole(messages, _ANSWER) or "").rpartition(_ANSWER)
        return (before, behind) if found else None

    def _render(
        self, template: ChatTemplate, messages: Sequence[Message], **variables: object
    ) -> str:
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
        """A training row's prompt, and the rest that the template writes for it.

        Raises:
            BadTrainingRow: no prompt is the beginning of this row.
        """
        prompt, whole = self.prompt(messages), self.whole(messages, reply)
        if whole is None:
            return prompt, reply
        if whole.startswith(prompt):
            return prompt, whole[len(prompt) :]
        if opens_thinking(prompt) and (shut := self._shut(messages, prompt, reply, whole)):
            return prompt, shut
        thinks, thinks_ko = "something", "일부를"
        if THINK_TAGS[1] in reply:
            thinks, thinks_ko = f"a {THINK_TAGS[0]} block", f"{THINK_TAGS[0]} 블록을"
        raise BadTrainingRow(
            f"The chat template writes {thinks} of this answer before it, so that no prompt is the "
            'beginning of the row. Take it out, or set thinking = "on" in the contract.',
            f"채팅 템플릿이 이 답변의 {thinks_ko} 답변 앞에 쓰므로, 질문이 행의 시작이 되지 "
            '않습니다. 그 부분을 빼거나 계약에서 thinking = "on"으로 두세요.',
        )

    def _shut(self, messages: Sequence[Message], prompt: str, reply: str, whole: str) -> str | None:
        """What comes behind a prompt that opens a thinking block, where the template leaves the
        block out of an answered turn (R1), or its beginning (V3.1); None where it does neither."""
        before, behind = self.around(messages) or ("", "")
        unopened = prompt.rstrip().removesuffix(THINK_TAGS[0])
        closes = before == unopened + THINK_TAGS[1]
        if not before or not (closes or prompt.startswith(before)):
            return None
        if THINK_TAGS[1] in reply:
            return reply.rpartition(THINK_TAGS[0])[2].lstrip("\n") + behind
        rest = whole[len(unopened) :]
        return rest if closes else f"\n{THINK_TAGS[1]}\n\n{whole[len(before) :]}"

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


_KNOWN: WeakKeyDictionary[object, dict[Hashable, _Known]] = WeakKeyDictionary()


def prompt_format_of(
    policy: PromptPolicy, tokenizer: PreTrainedTokenizerBase | None
) -> PromptFormat:
    """The prompt format of a tokenizer, cached for as long as the tokenizer stays as it is: some
    have thousands of added tokens."""
    if tokenizer is None:
        return PromptFormat(policy, None, None, (), {})  # type: ignore[arg-type]  # the plain form needs none
    template = template_of(tokenizer) if uses_chat_template(policy, tokenizer) else None
    key = (policy, template, len(tokenizer), tokenizer.eos_token)
    known = _KNOWN.setdefault(tokenizer, {}).setdefault(key, {})
    if "tokens" not in known:
        known["tokens"] = control_tokens(tokenizer, template.text if template else policy.form)
    return PromptFormat(policy, tokenizer, template, known["tokens"], known)


def uses_chat_template(policy: PromptPolicy, tokenizer: PreTrainedTokenizerBase | None) -> bool:
    """Whether prompts of this policy go through the tokenizer's chat template."""
    return policy.kind == "chat" and bool(getattr(tokenizer, "chat_template", None))


def _render_plain(form: str, messages: Sequence[Message]) -> str:
    """Turns one after the other in the declared form, the last one open."""
    text = "".join(f"{m['content']}\n\n" for m in messages if m["role"] == "system")
    for message in messages:
        if message["role"] == "user":
            text += form.replace("{prompt}", message["content"])
        elif message["role"] == "assistant":
            text += message["content"] + "\n"
    return text


@lru_cache(maxsize=256)
def _keeps_system(template: ChatTemplate, roles: tuple[str, ...]) -> bool:
    """Whether the system texts of a conversation of these roles come out of the template, asked and
    answered: some refuse the role, some lose it behind a question, some once an answer is there."""
    asked = [{"role": role, "content": f"{_ANSWER} {n}."} for n, role in enumerate(roles)]
    texts = [message["content"] for message in asked if message["role"] == "system"]
    try:
        opened = template.render(asked, add_generation_prompt=True)
    except BadTemplate as error:
        if error.problem not in ("refused", "broken"):
            raise
        return False
    try:
        answered = template.render([*asked, {"role": "assistant", "content": "?"}])
    except BadTemplate as error:
        if error.problem != "refused":
            raise
        answered = opened  # it writes no answers
    return all(text in opened and text in answered for text in texts)


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


def opens_thinking(prompt: str) -> bool:
    """Whether a prompt ends inside a thinking block."""
    return prompt.rstrip().endswith(THINK_TAGS[0])
