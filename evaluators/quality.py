"""The composite score `quality`: how good a Korean reader would find a reply, from its faults.

A reply starts at 1. Each fault, 0 to 1, takes away up to its weight of what is left: one grave
fault sinks a reply, small ones add up, and a fault that can't be judged takes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from evaluators.checks.completion import CONTINUES_PROMPT, STOPPED_BY_ITSELF
from evaluators.checks.duplicates import NEAR_DUPLICATE
from evaluators.checks.fluency import WELL_FORMED
from evaluators.checks.korean import EMPTY, FOREIGN_SCRIPT
from evaluators.checks.markup import MARKUP
from evaluators.checks.politeness import mixed_levels
from evaluators.checks.relevance import ECHO, RELEVANCE
from evaluators.checks.repetition import LOOP, REPETITION
from evaluators.checks.text_integrity import BROKEN_TEXT
from evaluators.evaluator import Composite, Evaluator
from evaluators.korean_text import count_letters, normal
from model_registry.hookspecs import hookimpl
from model_registry.records import Reply, Score

#: The most that each fault takes away, and why. The only place where quality is weighed.
WEIGHTS: Mapping[str, float] = {
    "empty": 1.0,  # nothing was said: nothing can be good about it
    "foreign": 0.85,  # a Korean who asked in Korean can't use it, though it may be meant well
    "loop": 0.8,  # the same piece again and again is noise after the first time
    "broken": 0.8,  # unreadable characters
    "unnatural": 0.5,  # scrambled Korean; half only, since rare words look scrambled to our model
    "echo": 0.6,  # the question said again answers nothing
    "off_topic": 0.6,  # answers something else; topics are guessed from words, so no more
    "markup": 0.35,  # a person reads past it, code less so
    "thin": 0.4,  # "응." answers, but gives nothing to talk about
    "duplicate": 0.3,  # said to other prompts too: it was not meant for this one
    "continues": 0.15,  # odd to read, though what follows may still fit
    "cut": 0.12,  # the length limit is the test's doing as much as the model's
    "impolite": 0.1,  # 반말 and 존댓말 in one breath
}
WORTH_NAMING = 0.05  # what a fault takes away, from which the reason names it
BROKEN_TIMES = 5  # one broken character in five spoils the whole
FULL_REPETITION = 0.6  # repeated 6-grams from which a reply is all repetition
SOUND = 0.5  # well-formedness from which nothing is unnatural
FITTING = 0.7  # relevance from which nothing is off topic
THIN_LETTERS = 6  # a reply of fewer letters is thin


def quality(replies: Sequence[Reply], scores: Mapping[str, Sequence[Score]]) -> list[Score]:
    """How good a Korean reader would find the reply, judged by the faults that can be seen.

    Range: 0 to 1; high is better. 0 for an empty reply; None where the reply was not made.
    Source: 1 less its faults (empty, foreign language, loops, broken characters, unnatural Korean,
    off topic, echo, markup, thin, said before, going on with the
    prompt, cut off, mixed politeness), each by its weight in
    `quality.WEIGHTS`; the scores of other evaluators say how grave each fault is. The reason names
    the gravest.
    Limits: it does not know whether what is said is true, kind or clever. Weights were set by hand
    with the reasons beside them and looked at on two candidates' published replies only.
    """
    return [
        _score(reply, {name: column[index].value for name, column in scores.items()})
        for index, reply in enumerate(replies)
    ]


def _score(reply: Reply, values: Mapping[str, float | None]) -> Score:
    if reply.finish_reason == "error":
        return Score(None, "the reply was not made")
    left, costs = 1.0, []
    for name, fault in faults(reply, values).items():
        cost = WEIGHTS[name] * fault
        left *= 1 - cost
        if cost >= WORTH_NAMING:
            costs.append((cost, name))
    return Score(left, ", ".join(f"{name} {cost:.2f}" for cost, name in sorted(costs)[:-4:-1]))


def faults(reply: Reply, values: Mapping[str, float | None]) -> dict[str, float]:
    """Each fault of a reply, 0 to 1, from the values of the parts; 0 where it can't be judged."""
    if values["empty"]:
        return {"empty": 1.0}
    repeated = (values["repetition"] or 0.0) / FULL_REPETITION
    letters = count_letters(normal(reply.reply))
    return {
        "foreign": values["foreign_script"] or 0.0,
        "loop": min(1.0, max(values["loop"] or 0.0, repeated)),
        "broken": min(1.0, BROKEN_TIMES * (values["broken_text"] or 0.0)),
        "unnatural": _shortfall(values["well_formed"], SOUND),
        "off_topic": _shortfall(values["relevance"], FITTING),
        "echo": values["echo"] or 0.0,
        "markup": values["markup"] or 0.0,
        "thin": max(0.0, 1 - letters / THIN_LETTERS),
        "duplicate": values["near_duplicate"] or 0.0,
        "continues": values["continues_prompt"] or 0.0,
        "cut": _shortfall(values["stopped_by_itself"], 1.0),
        "impolite": 2 * mixed_levels(reply.reply),
    }


def _shortfall(value: float | None, enough: float) -> float:
    """How far the value is from enough, as a share: 0 from there on, and where it is unknown."""
    return 0.0 if value is None else max(0.0, 1 - value / enough)


QUALITY = Composite(
    "quality",
    (
        EMPTY,
        FOREIGN_SCRIPT,
        LOOP,
        REPETITION,
        BROKEN_TEXT,
        WELL_FORMED,
        RELEVANCE,
        ECHO,
        MARKUP,
        NEAR_DUPLICATE,
        CONTINUES_PROMPT,
        STOPPED_BY_ITSELF,
    ),
    quality,
    label_en="quality",
    label_ko="품질",
)


@hookimpl
def register_evaluators(register: Callable[[Evaluator], None]) -> None:
    """Offer the composite."""
    register(QUALITY)
