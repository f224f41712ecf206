"""Finds what a chat template can do by rendering it, without tokenizer or weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from model_registry.errors import BadTemplate
from model_registry.files.json_values import JsonObject
from model_registry.prompting.chat_template import ChatTemplate
from model_registry.prompting.thinking import split_thinking

_SYSTEM, _QUESTION, _ANSWER = "가나다 체계", "라마바 질문", "사아자 답변"
_TOKENS = ("bos_token", "eos_token", "pad_token", "unk_token")


@dataclass(frozen=True, slots=True)
class TemplateFacts:
    """What a template does.

    `system`: "kept", "moved" (refused or left out: its text has to go into the question).
    `thinking`: "switch" where `enable_thinking` changes what it writes, "always" where a prompt
    opens a thinking block whatever is said, else "none".
    `end`: what it writes behind an answer; "" where nothing.
    `problem`: why it can't be used; "" where it can.
    """

    system: Literal["kept", "moved"] = "moved"
    thinking: Literal["switch", "always", "none"] = "none"
    end: str = ""
    problem: str = ""


def template_facts(text: str, tokenizer_config: JsonObject) -> TemplateFacts:
    """Render a template a few times and see.

    Args:
        text: of the template.
        tokenizer_config: for the special tokens that it may write.
    """
    template = ChatTemplate(text, _named_tokens(tokenizer_config))
    question = {"role": "user", "content": _QUESTION}
    try:
        asked = template.render([question], add_generation_prompt=True)
    except BadTemplate as error:
        return TemplateFacts(problem=error.problem)
    if _QUESTION not in asked:
        return TemplateFacts(problem="broken")
    return TemplateFacts(_system(template), _thinking(template, question), _end(template, question))


def _system(template: ChatTemplate) -> Literal["kept", "moved"]:
    messages = [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": _QUESTION}]
    try:
        written = template.render(messages, add_generation_prompt=True)
    except BadTemplate:
        return "moved"
    return "kept" if _SYSTEM in written else "moved"


def _thinking(
    template: ChatTemplate, question: Mapping[str, str]
) -> Literal["switch", "always", "none"]:
    def prompt(on: bool) -> str:
        said = {"enable_thinking": on, "thinking": on}
        return template.render([question], add_generation_prompt=True, **said)

    try:
        on, off = prompt(True), prompt(False)
    except BadTemplate:
        return "none"
    if on != off:
        return "switch"
    return "none" if split_thinking(on).ended else "always"


def _end(template: ChatTemplate, question: Mapping[str, str]) -> str:
    """What stands behind the answer of a conversation that ends with one."""
    try:
        whole = template.render([question, {"role": "assistant", "content": _ANSWER}])
    except BadTemplate:
        return ""
    return whole.rpartition(_ANSWER)[2].strip() if _ANSWER in whole else ""


def _named_tokens(config: JsonObject) -> tuple[tuple[str, str], ...]:
    found = []
    for name in _TOKENS:
        said = config.get(name)
        content = said.get("content") if isinstance(said, Mapping) else said
        if isinstance(content, str):
            found.append((name, content))
    return tuple(found)
