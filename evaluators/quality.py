"""The composite score `quality`: a sum of named merits, less what grave faults take away.

Merits go from 0 to 1, and 1 is the good end of each. How much each one weighs depends on the
profile: `exam` for tasks and questions of knowledge, learnt from replies that a judge had graded;
`chat` for talk, weighed by hand. Grave faults, which the learnt sum has seen too few of, multiply.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from evaluators.checks.completion import CONTINUES_PROMPT, LENGTH, STOPPED_BY_ITSELF
from evaluators.checks.duplicates import NEAR_DUPLICATE
from evaluators.checks.fluency import WELL_FORMED
from evaluators.checks.korean import EMPTY, FOREIGN_WORDS, KOREAN_PROSE
from evaluators.checks.markup import LAYOUT_OF_REPLY, MARKUP
from evaluators.checks.politeness import manner
from evaluators.checks.relevance import ECHO, RELEVANCE, TAKES_UP
from evaluators.checks.repetition import LOOP, REPETITION, SAID_AGAIN, VOCABULARY
from evaluators.checks.text_integrity import BROKEN_TEXT
from evaluators.evaluator import Composite, Evaluator
from evaluators.korean_text import normal
from evaluators.learnt_weights import learnt_weights
from evaluators.prompt_register import asks_for_an_account, register_of, wants_korean
from model_registry.hookspecs import hookimpl
from model_registry.records import Reply, Score

#: What takes away up to this share of the value, and why. Same in both profiles.
FAULTS: Mapping[str, float] = {
    "empty": 1.0,  # nothing was said: nothing can be good about it
    "loop": 0.8,  # the same piece again and again is noise after the first time
    "broken": 0.8,  # unreadable characters
    "scrambled": 0.7,  # syllables by chance: far less like Korean than any judged reply
    "thin": 0.7,  # a task that asks for an account of something, and got a word or a refusal
    "echo": 0.6,  # the question said again answers nothing
    "leak": 0.3,  # wrote its own special tokens, or the next turn of the dialogue
    "duplicate": 0.3,  # said to other prompts too: it was not meant for this one
    "cut": 0.12,  # breaks off; the length limit is the test's doing as much as the model's
    "continues": 0.05,  # goes on with the prompt's sentence; what follows may still fit
}
#: The merits of a chat reply and their shares of it, which add up to 1. No judge's grades stand
#: behind these: each is a choice with its reason.
CHAT: Mapping[str, float] = {
    "topic": 0.34,  # answers this message and not another one; nothing matters more in talk
    "length": 0.2,  # "응." gives nothing to talk about; enough at two sentences
    "spoken": 0.14,  # said to somebody, in whole sentences: no list of words, no -다 of articles
    "feeling": 0.1,  # shows feeling, wishes or asks back: talk is no report
    "korean": 0.08,  # a remark in another language is read past; a whole reply lacks spoken too
    "plain": 0.04,  # a chat window shows no markup, though people read past it
    "natural": 0.03,  # our model takes rare words for scrambled, so no more; see "scrambled"
    "level": 0.03,  # 반말 or 존댓말, not both in one breath
    "native": 0.02,  # no foreign words in place of Korean ones
    "fresh": 0.02,  # few words come twice in a short message
}
ENOUGH_LENGTH = {"exam": 600, "chat": 60}  # characters from which longer is no longer better
FULL_REPETITION = 0.6  # repeated 6-grams from which a reply is all repetition
#: Repeated 6-grams from which a reply begins to be a loop, and at which it is one: lists and
#: derivations repeat themselves, messages have no reason to.
LOOPING = {"exam": (0.4, 0.8), "chat": (0.0, FULL_REPETITION)}
BROKEN_TIMES = 5  # one broken character in five spoils the whole
SOUND = 0.5  # well-formedness from which nothing is unnatural
FITTING = 0.7  # relevance from which nothing is off topic
#: Log-odds of well-formedness from which a reply begins to be scrambled, and at which it is: four
#: in 1,302 judged replies lie below the first, common syllables drawn by chance below the second.
SCRAMBLED = (-5.4, -6.4)
WORTH_NAMING = 0.03  # what something takes away, from which the reason names it
UNKNOWN = 0.5  # a merit that can't be judged
#: Marks, laughter, tears and pictures, and endings of wonder, of wishes and of questions.
FEELING = re.compile(
    "[!?~！？♡♥]|[ㅋㅎㅠㅜ]{2}|[\u2600-\u27bf\U0001f300-\U0001faff]"
    "|(?:네요?|구나|군요?|겠다|겠[네어]요?|세요|[까래]요?|자|줘|[할을]게요?)(?=[.\\s]|$)"
)

LEAK = re.compile(
    r"<\|\w{1,30}\|>|</?s>|\[/?INST\]|^(?:#{1,3} ?)?(?:User|Human|Assistant|사용자) ?:", re.M
)
ACCOUNT_LENGTH = 100  # characters from which such a reply is not thin


def quality(replies: Sequence[Reply], scores: Mapping[str, Sequence[Score]]) -> list[Score]:
    """How good a Korean reader would find the reply, by what can be seen without knowing the facts.

    Range: 0 to 1; high is better. 0 for an empty reply; None where the reply was not made.
    Source: `quality_chat` where the prompt is a short message, `quality_exam` where it sets a task;
    `prompt_register.register_of` is the rule. The reason names what costs most.
    Limits: it does not know whether what is said is true, kind or clever; the two profiles have
    different scales, so compare replies to the same prompts.
    """
    return _scores(replies, scores, None)


def quality_exam(replies: Sequence[Reply], scores: Mapping[str, Sequence[Score]]) -> list[Score]:
    """The chance that a judge gives the reply at least its median grade, 8 of 10.

    Range: 0 to 1; high is better, and 0.5 is an even chance. None where the reply was not made.
    Source: a sum of merits whose weights were learnt from 1,302 Korean replies of 31 models with
    the grades of a GPT-4 judge; grave faults multiply what is left.
    Limits: the judge likes a reply that is laid out and rich in words, and so does this; a wrong
    answer in good Korean passes.
    """
    return _scores(replies, scores, "exam")


def quality_chat(replies: Sequence[Reply], scores: Mapping[str, Sequence[Score]]) -> list[Score]:
    """How much is right with the reply as a message in a chat.

    Range: 0 to 1; high is better, and 0.5 is half of the merits. None where it was not made.
    Source: merits weighed by hand with their reasons (`quality.CHAT`); grave faults multiply what
    is left.
    Limits: no judged chat stands behind the weights; whether the reply is kind, it can't see.
    """
    return _scores(replies, scores, "chat")


def _scores(
    replies: Sequence[Reply], scores: Mapping[str, Sequence[Score]], profile: str | None
) -> list[Score]:
    columns = {name: [score.value for score in column] for name, column in scores.items()}
    return [
        _score(reply, {n: column[i] for n, column in columns.items()}, profile)
        for i, reply in enumerate(replies)
    ]


def _score(reply: Reply, values: Mapping[str, float | None], profile: str | None) -> Score:
    if reply.finish_reason == "error":
        return Score(None, "the reply was not made")
    if values["empty"]:
        return Score(0.0, "empty 1.00")
    chosen = profile or register_of(reply.prompt)
    has = merits(reply, values, chosen)
    value, costs = (_exam if chosen == "exam" else _chat)(has)
    for name, fault in faults(reply, values, chosen).items():
        costs[name] = value * FAULTS[name] * fault
        value *= 1 - FAULTS[name] * fault
    worst = sorted(((cost, name) for name, cost in costs.items()), reverse=True)[:3]
    named = (f"{name} {cost:.2f}" for cost, name in worst if cost >= WORTH_NAMING)
    return Score(value, ", ".join(named))


def _exam(merits: Mapping[str, float]) -> tuple[float, dict[str, float]]:
    """The chance, and by how much it would rise if one merit were whole."""
    learnt = learnt_weights()
    grade = learnt.grade(merits)
    value = learnt.chance(grade)
    return value, {
        name: learnt.chance(grade + weight * (1 - merits[name])) - value
        for name, weight in learnt.weights.items()
    }


def _chat(merits: Mapping[str, float]) -> tuple[float, dict[str, float]]:
    costs = {name: weight * (1 - merits[name]) for name, weight in CHAT.items()}
    return 1 - sum(costs.values()), costs


def merits(reply: Reply, values: Mapping[str, float | None], profile: str) -> dict[str, float]:
    """Each merit of a reply, 0 to 1, from the values of the parts."""

    def known(name: str, otherwise: float) -> float:
        value = values[name]
        return otherwise if value is None else value

    korean = wants_korean(reply.prompt)
    length = math.log1p(known("length", 0.0)) / math.log1p(ENOUGH_LENGTH[profile])
    shared = {
        "length": min(1.0, length),
        "korean": known("korean_prose", 0.0) if korean else 1.0,
        "native": 1 - known("foreign_words", 0.0) if korean else 1.0,
        "fresh": 1 - known("said_again", 1.0),
    }
    if profile == "chat":
        spoken, level = manner(reply.reply)
        return shared | {
            "topic": min(1.0, known("relevance", FITTING * UNKNOWN) / FITTING),
            "natural": min(1.0, known("well_formed", SOUND * UNKNOWN) / SOUND),
            "plain": 1 - known("markup", 0.0),
            "level": level,
            "spoken": spoken if korean else 1.0,
            "feeling": float(bool(FEELING.search(normal(reply.reply)))),
        }
    return shared | {
        "topic": known("takes_up", UNKNOWN),
        "vocabulary": known("vocabulary", 0.0),
        "new": 1 - min(1.0, known("repetition", 0.0) / FULL_REPETITION),
        "layout": known("layout", 0.0),
        "complete": known("stopped_by_itself", 0.0),
    }


def faults(reply: Reply, values: Mapping[str, float | None], profile: str) -> dict[str, float]:
    """Each grave fault of a reply, 0 to 1; 0 where it can't be judged."""
    stopped = values["stopped_by_itself"]
    first, full = LOOPING[profile]
    repeated = ((values["repetition"] or 0.0) - first) / (full - first)
    return {
        "loop": min(1.0, max(values["loop"] or 0.0, repeated)),
        "scrambled": _scrambled(values["well_formed"]),
        "broken": min(1.0, BROKEN_TIMES * (values["broken_text"] or 0.0)),
        "thin": _thin(reply, values) if profile == "exam" else 0.0,
        "echo": values["echo"] or 0.0,
        "leak": float(bool(LEAK.search(normal(reply.reply)))),
        "duplicate": values["near_duplicate"] or 0.0,
        "cut": 0.0 if stopped is None else 1 - stopped,
        "continues": values["continues_prompt"] or 0.0,
    }


def _thin(reply: Reply, values: Mapping[str, float | None]) -> float:
    if not asks_for_an_account(reply.prompt):
        return 0.0
    return max(0.0, 1 - math.log1p(values["length"] or 0.0) / math.log1p(ACCOUNT_LENGTH))


def _scrambled(well_formed: float | None) -> float:
    if well_formed is None:
        return 0.0
    odds = math.log(max(well_formed, 1e-9) / max(1 - well_formed, 1e-9))
    first, full = SCRAMBLED
    return min(1.0, max(0.0, (first - odds) / (first - full)))


#: Counts up with every change of a value: a run that goes on is judged anew by the present one.
#: 2: two profiles, and weights that were learnt.
VERSION = 2
SHARED_PARTS: tuple[Evaluator, ...] = (
    EMPTY,
    LOOP,
    BROKEN_TEXT,
    ECHO,
    NEAR_DUPLICATE,
    STOPPED_BY_ITSELF,
    CONTINUES_PROMPT,
    LENGTH,
    KOREAN_PROSE,
    FOREIGN_WORDS,
    SAID_AGAIN,
    REPETITION,
    WELL_FORMED,
)
EXAM_PARTS: tuple[Evaluator, ...] = (TAKES_UP, VOCABULARY, LAYOUT_OF_REPLY)
CHAT_PARTS: tuple[Evaluator, ...] = (RELEVANCE, MARKUP)

QUALITY = Composite(
    "quality",
    (*SHARED_PARTS, *EXAM_PARTS, *CHAT_PARTS),
    quality,
    label_en="quality",
    label_ko="품질",
    version=VERSION,
)
QUALITY_EXAM = Composite(
    "quality_exam",
    (*SHARED_PARTS, *EXAM_PARTS),
    quality_exam,
    label_en="quality (exam)",
    label_ko="품질 (과제형)",
    version=VERSION,
)
QUALITY_CHAT = Composite(
    "quality_chat",
    (*SHARED_PARTS, *CHAT_PARTS),
    quality_chat,
    label_en="quality (chat)",
    label_ko="품질 (대화형)",
    version=VERSION,
)

BY_PROMPT = "prompt"  # the profile that each prompt calls for
#: `quality` by the register that is declared for a study's prompts.
BY_REGISTER: Mapping[str, Composite] = {
    BY_PROMPT: QUALITY,
    "chat": replace(QUALITY_CHAT, name=QUALITY.name),
    "exam": replace(QUALITY_EXAM, name=QUALITY.name),
}
REGISTERS = tuple(BY_REGISTER)


@hookimpl
def register_evaluators(register: Callable[[Evaluator], None]) -> None:
    """Offer the composite, and its two profiles."""
    register(QUALITY)
    register(QUALITY_EXAM)
    register(QUALITY_CHAT)
