"""Several answers at once, each seen while it grows."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from typing import Any
from unittest.mock import Mock

import pytest

from model_registry.backends import partial_answers as module
from model_registry.backends.backend import Answer, GenerationSettings, conversation
from model_registry.backends.continuous_batching import generate_continuously
from model_registry.backends.partial_answers import PartialAnswer, partial_answers
from model_registry.backends.transformers_local import Question, TransformersBackend, answer_one
from model_registry.weights.loading import load
from tests.model_registry.backends.in_step import InStep
from tests.support.tiny_models import tiny_candidate

QUESTIONS = [
    Question(conversation(said), GenerationSettings(30, 0.8, 0.95, seed))
    for seed, said in enumerate(("안녕?", "뭐 해?", "주말에 뭐 하지?"))
]


@pytest.fixture(scope="module")
def backend(tiny_model) -> TransformersBackend:
    return TransformersBackend(load(tiny_candidate(tiny_model)))


@pytest.fixture(autouse=True)
def looks_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY", 0.0)


class InTurn:
    """A backend that can't answer together."""

    closed = 0

    def reply(self, messages, settings) -> Answer:
        raise AssertionError("only streamed")

    def stream(self, messages, settings) -> Generator[str, None, Answer]:
        try:
            yield from ("[[1, 2", "]", "]]", " and so on")
        finally:
            self.closed += 1
        return Answer("", None, "stop")

    def close(self) -> None:
        """Nothing is held."""


def test_what_turns_out_to_have_been_thinking_is_no_part_of_an_answer():
    class Thinks(InTurn):
        def stream(self, messages, settings) -> Generator[str, None, Answer]:
            yield from ("a plan\n", "[[1, 2]]")
            return Answer("[[1, 2]]", None, "stop", thinking="a plan")

    *_, last = partial_answers(Thinks(), QUESTIONS[:1], lambda text: False)
    assert last == [PartialAnswer("[[1, 2]]", ended=True)]


def test_made_together_they_end_as_they_would_alone(backend, monkeypatch):
    monkeypatch.setattr(module, "Queue", InStep)
    *growing, last = partial_answers(backend, QUESTIONS, lambda text: False)
    alone = [answer_one(backend.loaded, q.messages, q.settings).text for q in QUESTIONS]
    assert last == [PartialAnswer(text, ended=True) for text in alone]
    assert any(not all(one.ended for one in seen) for seen in growing)


def test_one_that_has_all_that_is_wanted_ends_there(backend):
    whole = list(partial_answers(backend, QUESTIONS, lambda text: False))[-1]
    cut = list(partial_answers(backend, QUESTIONS, lambda text: len(text) > 4))[-1]
    assert all(one.ended for one in cut)
    assert all(long.text.startswith(short.text) for short, long in zip(cut, whole, strict=True))
    assert sum(len(one.text) for one in cut) < sum(len(one.text) for one in whole)


def test_closing_stops_the_work_and_the_model_is_free(backend, monkeypatch):
    made: list[list[int]] = []

    def kept(*given: Any, **named: Any) -> list[list[int]]:
        made.extend(generate_continuously(*given, **named))
        return made

    step = module._Together._step

    def told(work: module._Together, answers: Mapping[int, Sequence[int]]) -> object:
        ended = step(work, answers)
        while not work.halted:  # or they might be made before the reader's turn comes
            time.sleep(0.001)
        return ended

    monkeypatch.setattr(module._Together, "_step", told)
    monkeypatch.setattr(module, "generate_continuously", kept)
    endless = [Question(q.messages, GenerationSettings(400, 0.8, 0.95, 1)) for q in QUESTIONS]
    work = partial_answers(backend, endless, lambda text: False)
    next(work)
    work.close()
    assert 0 < max(map(len, made)) < 20
    with backend.turns.taken():
        """It is free: else this would never be reached."""


def test_what_was_closed_before_its_turn_reads_no_prompt(backend, monkeypatch):
    work = module._Together(backend, QUESTIONS, lambda text: False)
    read: list[object] = []
    monkeypatch.setattr(module, "reader_of", lambda *_: Mock(read=read.append))
    work.halted = True
    work.run()
    assert read == [] and work.told.get() == []


def test_an_error_reaches_the_reader(backend, monkeypatch):
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("out of paper")

    monkeypatch.setattr(module, "generate_continuously", fails)
    with pytest.raises(RuntimeError, match="out of paper"):
        list(partial_answers(backend, QUESTIONS, lambda text: False))


def test_a_backend_that_answers_one_by_one_shows_each_when_it_is_there():
    backend = InTurn()
    seen = list(partial_answers(backend, QUESTIONS[:2], lambda text: text.endswith("]]]")))
    ended = [[one.ended for one in each] for each in seen]
    assert [True, False] in ended and ended[-1] == [True, True]
    assert seen[-1][0].text == "[[1, 2]]]" and backend.closed == 2
