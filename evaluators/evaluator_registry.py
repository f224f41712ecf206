"""Registers evaluators (built-in and plugins) and judges replies with them."""

from __future__ import annotations

import importlib
import math
import pkgutil
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType

import pluggy

from evaluators import checks, evaluator_hooks, quality
from evaluators.evaluator import Composite, EachReply, EachText, Evaluator, Made, ScopedEvaluator
from evaluators.time_limit import TookTooLong, at_most, patience
from model_registry.errors import DuplicateName
from model_registry.hookspecs import hookimpl
from model_registry.language import text
from model_registry.plugins import call_each, plugin_manager, third_party_code
from model_registry.prompting.thinking import split_thinking
from model_registry.records import Reply, Score, ScoreRow, reply_hash

#: Files of `checks` whose columns come first, in this order; those of others follow by name.
_FIRST = (
    "korean",
    "text_integrity",
    "markup",
    "repetition",
    "completion",
    "duplicates",
    "fluency",
    "kiwi",
    "relevance",
    "politeness",
    "persona",
    "instructions",
    "reference",
    "diagram_reply",
)


class OwnFile:
    """One of our files as a plugin: it offers every evaluator that the file makes."""

    def __init__(self, module: ModuleType) -> None:
        self.__name__ = module.__name__
        self.made = tuple(one for one in vars(module).values() if isinstance(one, Made))

    @hookimpl
    def register_evaluators(self, register: Callable[[Evaluator], None]) -> None:
        """Offer the evaluators of this file."""
        for made in self.made:
            register(made)


@cache
def built_in_modules() -> tuple[ModuleType, ...]:
    """Our own plugins, in the order of their columns: the composite and every file of `checks`."""
    found = {module.name for module in pkgutil.iter_modules(checks.__path__)}
    names = [*(n for n in _FIRST if n in found), *sorted(found - set(_FIRST))]
    return (quality, *(importlib.import_module(f"{checks.__name__}.{name}") for name in names))


@cache
def built_in_evaluators() -> dict[str, Made]:
    """Our own evaluators by name, those included that need an extra that is not installed."""
    return {
        made.name: made
        for module in built_in_modules()
        for made in vars(module).values()
        if isinstance(made, Made)
    }


def evaluator_words(name: str) -> str:
    """An evaluator's name for people; a third-party one's without its underscores."""
    evaluator = built_in_evaluators().get(name)
    if evaluator is None or not evaluator.label_en:
        return text(name.replace("_", " "), name)
    return text(evaluator.label_en, evaluator.label_ko)


def evaluator_manager(
    plugin_files: Iterable[Path | str] = (), *, entry_points: bool = True
) -> pluggy.PluginManager:
    """A plugin manager for evaluators: built-ins, installed plugins, files.

    A file of ours that has a hook of its own says itself what it offers.
    """
    ours = [m if "register_evaluators" in vars(m) else OwnFile(m) for m in built_in_modules()]
    return plugin_manager([evaluator_hooks], ours, plugin_files, entry_points=entry_points)


def load_evaluators(
    plugin_files: Iterable[Path | str] = (), *, entry_points: bool = True
) -> dict[str, Evaluator]:
    """All evaluators by name: built-in ones, those of installed packages and of these files.

    Raises:
        BadFile: a file named by the user is missing or does not import.
        DuplicateName: two evaluators have one name.
    """
    manager = evaluator_manager(plugin_files, entry_points=entry_points)
    found: dict[str, Evaluator] = {}

    def register(evaluator: Evaluator) -> None:
        if evaluator.name in found:
            raise DuplicateName(
                f"Two evaluators are called {evaluator.name}: give one of them another name.",
                f"{evaluator.name}이라는 평가 도구가 둘입니다. 하나의 이름을 바꾸세요.",
            )
        found[evaluator.name] = evaluator

    call_each(manager, "register_evaluators", register)
    return found


def judge_replies(
    evaluators: Mapping[str, Evaluator] | Iterable[Evaluator], replies: Sequence[Reply]
) -> tuple[list[ScoreRow], dict[str, float]]:
    """The scores of all replies by all evaluators, and the seconds that each evaluator took.

    Rows come reply by reply, in the order given. An evaluator of a set sees the replies of one
    case, tuning state and pass (or all passes, if its scope is "case") and no others. One that
    raises costs its own scores: None, with what it raised as the reason. Nobody sees what a model
    thought before it answered.
    """
    chosen = list(evaluators.values() if isinstance(evaluators, Mapping) else evaluators)
    answers = [replace(reply, reply=split_thinking(reply.reply).answer) for reply in replies]
    columns: dict[str, list[Score]] = {}
    seconds: dict[str, float] = {}
    # Composites last: they are made of the columns of others.
    for evaluator in sorted(chosen, key=lambda one: isinstance(one, Composite)):
        started = time.perf_counter()
        columns[evaluator.name] = _column(evaluator, answers, chosen, columns)
        seconds[evaluator.name] = time.perf_counter() - started
    rows = [
        ScoreRow(
            case=reply.case,
            candidate=reply.candidate,
            prompt=reply.prompt,
            pass_=reply.pass_,
            tuned=reply.tuned,
            evaluator=evaluator.name,
            value=columns[evaluator.name][index].value,
            reason=columns[evaluator.name][index].reason,
            reply_hash=said,
            version=version_of(evaluator),
        )
        for index, reply in enumerate(replies)
        for said in (reply_hash(reply.reply),)
        for evaluator in chosen
    ]
    return rows, {evaluator.name: seconds[evaluator.name] for evaluator in chosen}


def version_of(evaluator: Evaluator) -> int:
    """The version of what it computes; only a composite's changes."""
    return evaluator.version if isinstance(evaluator, Composite) else 1


def _column(
    evaluator: Evaluator,
    replies: Sequence[Reply],
    chosen: Sequence[Evaluator],
    columns: Mapping[str, list[Score]],
) -> list[Score]:
    """The evaluator's scores of all replies; a composite takes what its parts have judged."""
    if not isinstance(evaluator, Composite):
        return _judge_all(evaluator, replies)
    parts = {
        part.name: columns[part.name] if part in chosen else _judge_all(part, replies)
        for part in evaluator.parts
    }
    try:
        with third_party_code(), at_most(patience(len(replies))):
            scores = list(evaluator.combine(replies, parts))
    except (Exception, SystemExit, TookTooLong) as error:  # noqa: BLE001 - whatever third-party code raises
        return [_failed(error)] * len(replies)
    return _one_each(scores, replies)


def _judge_all(evaluator: Evaluator, replies: Sequence[Reply]) -> list[Score]:
    """The evaluator's scores in the order of the replies, group by group."""
    whole_case = isinstance(evaluator, ScopedEvaluator) and evaluator.scope == "case"
    groups: dict[Hashable, list[int]] = {}
    for index, reply in enumerate(replies):
        key = (reply.case, reply.candidate, reply.tuned, None if whole_case else reply.pass_)
        groups.setdefault(key, []).append(index)
    scores: list[Score] = [Score(None)] * len(replies)
    for indexes in groups.values():
        judged = _judge_group(evaluator, [replies[index] for index in indexes])
        for index, score in zip(indexes, judged, strict=True):
            scores[index] = score
    return scores


def _judge_group(evaluator: Evaluator, replies: list[Reply]) -> list[Score]:
    try:
        with third_party_code(), at_most(patience(len(replies))):
            scores = list(evaluator.judge(replies))
    except TookTooLong as error:
        return [_failed(error)] * len(replies)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever third-party code raises
        if isinstance(evaluator, EachReply | EachText) and len(replies) > 1:
            # One reply that it stumbles over need not cost the others their scores.
            return [_judge_group(evaluator, [reply])[0] for reply in replies]
        return [_failed(error)] * len(replies)
    return _one_each(scores, replies)


def _failed(error: BaseException) -> Score:
    reason = f"the evaluator failed: {type(error).__name__}: {error}"
    return Score(None, reason.strip()[:300])


def _one_each(scores: Sequence[object], replies: Sequence[Reply]) -> list[Score]:
    if len(scores) != len(replies):
        reason = f"the evaluator gave {len(scores)} scores for {len(replies)} replies"
        return [Score(None, reason)] * len(replies)
    return [_checked(score) for score in scores]


def _checked(score: object) -> Score:
    """The score, or None with the reason where it is no score or not a number."""
    if not isinstance(score, Score):
        return Score(None, f"the evaluator gave a {type(score).__name__}, not a Score")
    if score.value is None or (type(score.value) is float and math.isfinite(score.value)):
        return score
    try:
        value = float(score.value)
    except (TypeError, ValueError):
        return Score(None, f"the evaluator gave {score.value!r}, which is no number")
    if not math.isfinite(value):
        return Score(None, f"the evaluator gave {value}, which is no finite number")
    return score
