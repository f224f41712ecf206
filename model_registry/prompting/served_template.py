"""The chat template written into an export, so that servers ask as the model was tuned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from model_registry.candidate import PromptPolicy
from model_registry.errors import OhloraError
from model_registry.prompting.chat_template import template_of
from model_registry.prompting.prompt_format import uses_chat_template
from model_registry.prompting.tokenization import around_answer, render

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def served_template(policy: PromptPolicy, tokenizer: PreTrainedTokenizerBase) -> str:
    """The chat template that asks, by itself, as this policy does.

    The plain form becomes one. A template that would let the model think where the policy does not
    (or the other way round) is told so at its beginning; who serves it may still say otherwise. One
    that does not listen (DeepSeek-R1's) has its prompts opened behind it instead.

    Raises:
        OhloraError: nothing helps.
    """
    template = template_of(tokenizer) if uses_chat_template(policy, tokenizer) else None
    if template is None:
        return plain_template(policy.form)
    asked = [{"role": "user", "content": "가나다라"}]
    wanted = render(policy, tokenizer, asked)
    value = "true" if policy.thinking == "on" else "false"
    told = "".join(
        f"{{%- if {name} is not defined %}}{{%- set {name} = {value} %}}{{%- endif %}}"
        for name in ("enable_thinking", "thinking")
    )
    opening = wanted.removeprefix(template.render(asked))
    opened = (
        "{%- set opens = add_generation_prompt %}{%- set add_generation_prompt = false %}"
        f"{template.text.removesuffix(chr(10))}{{% if opens %}}{{{{ {opening!r} }}}}{{% endif %}}"
    )
    for tried in (template.text, told + template.text, opened):
        if replace(template, text=tried).render(asked, add_generation_prompt=True) == wanted:
            return tried
    raise OhloraError(
        "The model's chat template can't be made to ask in the form it was tuned in: tune it with "
        'thinking = "template".',
        "이 모델의 채팅 템플릿으로는 튜닝한 형식대로 물을 수 없습니다. thinking = "
        '"template"으로 튜닝하세요.',
    )


def plain_template(form: str) -> str:
    """A chat template (Jinja) that writes what `PromptPolicy` of kind "plain" writes."""
    before, _, after = form.partition("{prompt}")
    return (
        "{% for m in messages %}"
        "{% if m['role'] == 'user' %}"
        f"{{{{ {before!r} + m['content'] + {after!r} }}}}"
        "{% elif m['role'] == 'system' %}{{ m['content'] + '\\n\\n' }}"
        "{% else %}{{ m['content'] }}{% if not loop.last %}{{ '\\n' }}{% endif %}{% endif %}"
        "{% endfor %}"
    )


def response_template(tokenizer: PreTrainedTokenizerBase) -> dict[str, object]:
    """Where an answer begins and ends in this tokenizer's chat template, for servers.

    Without it `transformers serve` takes every model of Qwen's family for one that writes ChatML,
    and hands out the prompt with the answer.
    """
    question = "가나다라"
    before, behind = around_answer(PromptPolicy(), tokenizer, question)
    begin = before.rpartition(question)[2]
    end = behind.rstrip("\n") or str(tokenizer.eos_token)
    content = {"content": "text", "close": end}
    return {
        "defaults": {"role": "assistant"},
        "start_anchor": begin,
        "fields": {"content": content},
    }
