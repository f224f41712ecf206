"""A plugin as strangers write them: an evaluator, a candidate and the backend behind it."""

from __future__ import annotations

from datetime import date

from evaluators.evaluator import EachText
from model_registry.backends.backend import Answer
from model_registry.candidate import Candidate, License
from model_registry.hookspecs import hookimpl
from model_registry.records import Score


def questions_back(reply: str) -> Score:
    """1 where the reply asks something back, else 0.

    Range: 0 or 1; high is better. None for an empty reply.
    Source: a question mark.
    Limits: a question without its mark is not seen.
    """
    if not reply.strip():
        return Score(None, "the reply is empty")
    return Score(float("?" in reply))


class Parrot:
    """Answers every question by asking it back."""

    def reply(self, messages, settings):
        return Answer(f"{messages[-1]['content']}?", new_tokens=None, finish_reason="stop")

    def stream(self, messages, settings):
        answer = self.reply(messages, settings)
        yield answer.text
        return answer

    def close(self):
        pass


@hookimpl
def register_evaluators(register):
    register(EachText("questions_back", questions_back))


@hookimpl
def register_candidates(register):
    licence = License("Apache-2.0", "yes", source="its own code", read_on=date(2026, 4, 1))
    register(Candidate("parrot", licence, backend="parrot", languages=("ko",), catalog="example"))


@hookimpl
def register_backends(register):
    register("parrot", lambda candidate, *, weights, device: Parrot())
