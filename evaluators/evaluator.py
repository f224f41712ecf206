"""The Evaluator protocol: judges replies and gives one Score for each, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from model_registry.records import Reply, Score


@runtime_checkable
class Evaluator(Protocol):
    """Judges replies. Pure: no model call, no file, no clock, the same scores every time.

    One that has the attribute `scope` besides is a `ScopedEvaluator`.
    """

    @property
    def name(self) -> str:
        """A short name, unique among evaluators, such as "hangul_share"."""

    @property
    def better(self) -> str:
        """ "high", "low" or "neither": which values are the better ones."""

    def judge(self, replies: Sequence[Reply]) -> Sequence[Score]:
        """One Score for each reply, in order; Score(None, reason) where it can't judge."""


@runtime_checkable
class ScopedEvaluator(Evaluator, Protocol):
    """An evaluator that says which replies it sees together."""

    @property
    def scope(self) -> str:
        """ "pass", as of those that don't say: replies of one case, one pass and one tuning state;
        "case": all passes of the case."""


@dataclass(frozen=True, slots=True)
class EachText:
    """An evaluator made of a pure function of one reply's text: the simplest kind."""

    name: str
    check: Callable[[str], Score]
    better: str = "high"
    label_en: str = ""  # its name for people; one without is shown by its `name`
    label_ko: str = ""

    def judge(self, replies: Sequence[Reply]) -> list[Score]:
        return [self.check(reply.reply) for reply in replies]


@dataclass(frozen=True, slots=True)
class EachReply:
    """An evaluator made of a pure function of one reply with its prompt."""

    name: str
    check: Callable[[Reply], Score]
    better: str = "high"
    label_en: str = ""
    label_ko: str = ""

    def judge(self, replies: Sequence[Reply]) -> list[Score]:
        return [self.check(reply) for reply in replies]


@dataclass(frozen=True, slots=True)
class AllReplies:
    """An evaluator made of a pure function that needs all replies of one candidate."""

    name: str
    check: Callable[[Sequence[Reply]], Sequence[Score]]
    better: str = "high"
    scope: str = "pass"  # or "case", to see all passes of a case together
    label_en: str = ""
    label_ko: str = ""

    def judge(self, replies: Sequence[Reply]) -> Sequence[Score]:
        return self.check(replies)


@dataclass(frozen=True, slots=True)
class Composite:
    """An evaluator made of the scores of others: a pure function of their columns.

    `combine` gets, by name, one score a reply of each part. Where the parts judge the same replies
    anyway, `judge_replies` hands their scores over instead of having them made twice.
    """

    name: str
    parts: tuple[Evaluator, ...]
    combine: Callable[[Sequence[Reply], Mapping[str, Sequence[Score]]], Sequence[Score]]
    better: str = "high"
    label_en: str = ""
    label_ko: str = ""
    version: int = 1  # counts up when the formula or a part changes: scores of before don't compare

    def judge(self, replies: Sequence[Reply]) -> Sequence[Score]:
        return self.combine(replies, {part.name: part.judge(replies) for part in self.parts})


#: The kinds that are made of a function.
Made = EachText | EachReply | AllReplies | Composite
