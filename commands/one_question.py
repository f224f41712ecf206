"""`ohlora ask`: asks a candidate one question and streams the reply."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Annotated

from commands.shared.console import err
from commands.shared.option_class import argument
from commands.shared.options import (
    Base,
    CureName,
    Device,
    Dtype,
    Model,
    NewTokens,
    Seed,
    Temperature,
    Weights,
)
from commands.shared.user_registry import registry
from model_registry.backends.backend import Answer, GenerationSettings, conversation
from model_registry.backends.open_backend import open_backend
from model_registry.errors import OhloraError
from model_registry.language import text
from model_registry.prompting.thinking import NO_ANSWER
from rows.encoding import nfc


@dataclass(frozen=True, slots=True, kw_only=True)
class AskOptions:
    """What `ohlora ask` is asked for."""

    name: Model
    question: Annotated[str, argument("What to ask.", "물어볼 내용.")]
    weights: Weights = "auto"
    device: Device = "auto"
    dtype: Dtype = "auto"
    base: Base = None
    cure: CureName = None
    max_new_tokens: NewTokens = 200
    temperature: Temperature = 0.0
    seed: Seed = 0


def ask(options: AskOptions) -> None:
    """Ask a candidate, a tuned adapter or a model in a folder; the reply is streamed."""
    if not options.question.strip():
        raise OhloraError("The question is empty.", "질문이 비어 있습니다.")
    backend = open_backend(
        options.name,
        registry(),
        weights=options.weights,
        device=options.device,
        dtype=options.dtype,
        base_folder=options.base,
        cure=options.cure,
    )
    settings = GenerationSettings(options.max_new_tokens, options.temperature, seed=options.seed)
    try:
        answer = _printed(backend.stream(conversation(nfc(options.question)), settings))
        if note := _said_of(answer):
            err.print(note, highlight=False, soft_wrap=True)
    finally:
        backend.close()


def _printed(pieces: Generator[str, None, Answer]) -> Answer:
    """The answer, printed as it comes."""
    shown = ""
    while True:
        try:
            piece = next(pieces)
        except StopIteration as end:
            answer: Answer = end.value
            break
        shown += piece
        print(piece, end="", flush=True)
    if answer.text not in shown:  # what was shown turned out to be thinking
        print(f"\n\n{answer.text}", end="")
    print()
    return answer


def _said_of(answer: Answer) -> str:
    """What has to be said of an answer that is none."""
    if NO_ANSWER not in answer.problems:
        return ""
    thought = answer.thinking_tokens or answer.new_tokens or 0
    return text(
        f"No answer: it was still thinking after {thought} tokens. Raise --max-new-tokens.",
        f"답변이 없습니다. {thought}토큰 동안 생각만 했습니다. --max-new-tokens를 늘려 보세요.",
    )
