"""Prompt and answer of a local model: fits new tokens into the context, builds the Answer."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from model_registry.backends.backend import Answer, GenerationSettings
from model_registry.backends.remote.failures import AskError
from model_registry.prompting.chat_template import Message
from model_registry.prompting.context import EXCEEDED, FULL, context_length
from model_registry.prompting.control_tokens import readable
from model_registry.prompting.thinking import NO_ANSWER, count_closed_thinking, split_thinking
from model_registry.prompting.tokenization import SYSTEM_MOVED, Prompt, encode_prompt
from model_registry.weights.loading import LoadedModel

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def to_answer(
    loaded: LoadedModel,
    ids: list[int],
    seconds: float | None = None,
    first_token_seconds: float | None = None,
    *,
    thinks: bool = False,
    token_seconds: Sequence[float] = (),
) -> Answer:
    """An Answer from generated ids, its thinking apart. `new_tokens` counts the end token, which
    cost time too.

    Args:
        loaded: the model.
        ids: as they were generated.
        seconds: of the whole.
        first_token_seconds: until the first token.
        thinks: whether the prompt had opened a thinking block.
        token_seconds: when each token was there, where that was noted.
    """
    stopped = bool(ids) and ids[-1] in loaded.end_ids
    said = ids[:-1] if stopped else ids
    thought = split_thinking(readable(loaded.tokenizer, said), begun=thinks)
    text = thought.answer.strip()
    problems = () if stopped else ("truncated",)
    tokens = took = None
    if thought.thinking is not None:
        tokens = _thinking_tokens(loaded.tokenizer, said) if thought.ended else len(ids)
        problems = problems if text else (*problems, NO_ANSWER)
        if tokens and len(token_seconds) >= tokens:
            took = token_seconds[tokens - 1] - token_seconds[0]
    return Answer(
        text, len(ids), "stop" if stopped else "length", seconds, first_token_seconds, problems,
        None, thought.thinking, tokens, took,
    )  # fmt: skip


def _thinking_tokens(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> int:
    """How many tokens stand up to the end of the last thinking block."""
    blocks = count_closed_thinking(readable(tokenizer, ids))
    counts = range(len(ids) + 1)
    return bisect_left(
        counts, blocks, key=lambda count: count_closed_thinking(readable(tokenizer, ids[:count]))
    )


def encode_for_answer(loaded: LoadedModel, messages: Sequence[Message]) -> Prompt:
    """Encode a conversation for a loaded model to continue."""
    return encode_prompt(loaded.candidate.prompting, loaded.tokenizer, messages)


def within_context(
    loaded: LoadedModel, prompt: Prompt, settings: GenerationSettings
) -> GenerationSettings:
    """The settings with no more new tokens than the context has room for behind the prompt.

    Raises:
        AskError: the prompt alone fills it.
    """
    context = context_length(loaded.model.config)
    if context is None:
        return settings
    if len(prompt.ids) >= context:
        raise AskError(
            "error",
            f"The prompt has {len(prompt.ids):,} tokens and {loaded.candidate.name} looks back on "
            f"{context:,} at most, its answer included: shorten the prompt.",
            f"질문이 {len(prompt.ids):,}토큰입니다. {loaded.candidate.name}의 문맥 길이는 답변까지 "
            f"{context:,}토큰이니 질문을 줄이세요.",
            problem=EXCEEDED,
        )
    return replace(settings, max_new_tokens=min(settings.max_new_tokens, context - len(prompt.ids)))


def with_prompt_problems(
    answer: Answer, prompt: Prompt, asked: GenerationSettings, given: GenerationSettings
) -> Answer:
    """The answer with what was changed in its prompt or its length."""
    problems = answer.problems
    if answer.finish_reason == "length" and given.max_new_tokens < asked.max_new_tokens:
        problems += (FULL,)
    if prompt.system_moved:
        problems += (SYSTEM_MOVED,)
    return replace(answer, problems=problems)


def failed_answer(error: AskError) -> Answer:
    """The empty answer to a question that can't be asked, with the reason."""
    return Answer("", 0, "error", problems=(error.problem or error.status,))
