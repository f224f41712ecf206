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
        raise LoadError(
            "error",
            f"{candidate.name}: its tokenizer has {tokenizer.vocab_size:,} tokens, its embedding "
            f"{rows:,} rows. They don't belong together.",
            f"{candidate.name}: 토크나이저는 토큰이 {tokenizer.vocab_size:,}개인데 임베딩은 "
            f"{rows:,}행입니다. 서로 다른 모델의 파일입니다.",
        )
    text, written = _written(candidate, tokenizer)
    if not _asks(candidate, tokenizer):
        raise LoadError(
            "error",
            f"{candidate.name}: its chat template leaves out what the user asks. Mend "
            "chat_template.jinja (or chat_template in tokenizer_config.json) in its folder.",
            f"{candidate.name}: 채팅 템플릿이 사용자의 질문을 빠뜨립니다. 폴더의 "
            "chat_template.jinja(또는 tokenizer_config.json의 chat_template)를 고치세요.",
        )
    if not set(text) - {tokenizer.unk_token_id}:
        raise LoadError(
            "error",
            f"{candidate.name}: its tokenizer knows no text: its files are empty or of another "
            "kind. Copy them from the model that it was made from.",
            f"{candidate.name}의 토크나이저가 글자를 모릅니다. 파일이 비었거나 다른 종류입니다. "
            "원래 모델의 파일을 복사하세요.",
        )
    if rows is not None and (beyond := max(written)) >= rows:
        raise LoadError(
            "error",
            f"{candidate.name}: its template writes the token {beyond} "
            f"({tokenizer.convert_ids_to_tokens(beyond)!r}), its embedding has {rows:,} rows. "
            "They don't belong together.",
            f"{candidate.name}: 템플릿이 토큰 {beyond}"
            f"({tokenizer.convert_ids_to_tokens(beyond)!r})을(를) 쓰지만 임베딩은 {rows:,}행입니다."
            " 서로 다른 모델의 파일입니다.",
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
        raise LoadError(
            "error",
            f"{candidate.name}: its tokenizer or chat template fails: {first_line(error)}",
            f"{candidate.name}: 토크나이저나 채팅 템플릿이 실패합니다: {first_line(error)}",
        ) from error


def _check_growth(candidate: Candidate, tokenizer: PreTrainedTokenizerBase) -> None:
    """Refuse replacements of replacements that would make terabytes of one letter."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    for part in ("normalizer", "pre_tokenizer"):
        step = getattr(backend, part, None)
        if step is not None and expansion_factor(json.loads(step.__getstate__())) > MOST_GROWTH:
            raise LoadError(
                "error",
                f"{candidate.name}: its tokenizer's {part} makes a text more than "
                f"{MOST_GROWTH:,} times as long. Is it broken?",
                f"{candidate.name}: 토크나이저의 {part}이(가) 글을 {MOST_GROWTH:,}배 넘게 "
                "늘립니다. 파일이 손상되었는지 확인하세요.",
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
