"""Checks that a tokenizer belongs to its model: its ids fit the embedding."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from model_registry.candidate import Candidate
from model_registry.errors import LoadError, OhloraError, first_line
from model_registry.files.json_values import JsonObject
from model_registry.prompting.tokenization import end_token_id, prompt_ids, render

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SAMPLE = "가 a 1"
MOST_GROWTH = 1 << 16  # times that a normaliser may lengthen a text


def check_tokens(
    candidate: Candidate, tokenizer: PreTrainedTokenizerBase, config: Mapping[str, object]
) -> None:
    """Refuse a tokenizer that does not belong to its model, or would take all memory.

    A few tokens that no text contains may lie beyond the embedding, as Gemma 3's picture token
    does; what is written for text, and the template around it, may not.

    Args:
        candidate: for the message, and for the form that it is asked in.
        tokenizer: as transformers loaded it.
        config: the values of config.json.

    Raises:
        LoadError: "error", naming the token or what fails.
    """
    _check_growth(candidate, tokenizer)
    rows = _rows(config)
    if rows is not None and tokenizer.vocab_size > rows:
        raise LoadError.of(
            "tokens_beyond_rows", name=candidate.name, tokens=tokenizer.vocab_size, rows=rows
        )
    text, written = _written(candidate, tokenizer)
    if not _asks(candidate, tokenizer):
        raise LoadError.of("template_drops_question", name=candidate.name)
    if not set(text) - {tokenizer.unk_token_id}:
        raise LoadError.of("tokenizer_knows_no_text", name=candidate.name)
    if rows is not None and (beyond := max(written)) >= rows:
        raise LoadError.of(
            "template_token_beyond_rows",
            name=candidate.name,
            beyond=beyond,
            token=tokenizer.convert_ids_to_tokens(beyond),
            rows=rows,
        )


def _rows(config: Mapping[str, object]) -> int | None:
    """How many tokens the embedding has; None where the configuration does not say."""
    inner = config.get("text_config")
    rows = config.get("vocab_size") or (inner.get("vocab_size") if isinstance(inner, dict) else 0)
    return rows if isinstance(rows, int) and rows else None


def _asks(candidate: Candidate, tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether a question comes out of the template; one that refuses to be asked says so itself."""
    question = [{"role": "user", "content": "가나다라"}]
    return "가나다라" in render(candidate.prompting, tokenizer, question)


def _written(
    candidate: Candidate, tokenizer: PreTrainedTokenizerBase
) -> tuple[Sequence[int], Sequence[int]]:
    """The tokens of a short text, and those of a question with it and of the answer's end."""
    question = [{"role": "user", "content": _SAMPLE}]
    try:
        text = tokenizer(_SAMPLE, add_special_tokens=False)["input_ids"]
        asked = prompt_ids(candidate.prompting, tokenizer, question)
        return text, [*asked, end_token_id(candidate.prompting, tokenizer)]
    except BaseException as error:  # a pattern without end is a PanicException of Rust's
        if isinstance(error, KeyboardInterrupt | SystemExit | OhloraError):
            raise
        raise LoadError.of(
            "tokenizer_fails", name=candidate.name, reason=first_line(error)
        ) from error


def _check_growth(candidate: Candidate, tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse replacements of replacements that would make terabytes of one letter."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    for part in ("normalizer", "pre_tokenizer"):
        step = getattr(backend, part, None)
        if step is not None and expansion_factor(json.loads(step.__getstate__())) > MOST_GROWTH:
            raise LoadError.of(
                "tokenizer_lengthens_text", name=candidate.name, part=part, most_growth=MOST_GROWTH
            )


def expansion_factor(step: JsonObject) -> float:
    """How many times as long a text can become in a step of a tokenizer, as its JSON describes it.

    A pattern may match between any two letters, so that each gets the replacement beside it.
    """
    inner = step.get("normalizers") or step.get("pretokenizers")
    if isinstance(inner, list):
        return math.prod(expansion_factor(each) for each in inner)
    content = step.get("content")
    if step.get("type") != "Replace" or not content:
        return 1.0
    literal = (step.get("pattern") or {}).get("String")
    return max(1.0, len(content) / len(literal)) if literal else 1.0 + len(content)
