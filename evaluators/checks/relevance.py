"""Relevance: does a reply speak of what its prompt speaks of, by shared words and topics?"""

from __future__ import annotations

import itertools
import math
import re
import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from evaluators.evaluator import EachReply
from evaluators.korean_text import HANGUL, SYLLABLES, normal
from model_registry.records import Reply, Score

TOPICS = Path(__file__).parent / "data" / "topics.toml"
LONGEST_STEM = 4
SHORTEST_ECHO = 4
READ_CHARACTERS = 1_000  # of a reply: what it is about shows early

WORD = re.compile(f"[A-Za-z]{{2,}}|[{HANGUL}]+")
KEY_WORD = re.compile(f"[a-z][a-z+#]+|[0-9]+(?:[.][0-9]+)?|[{SYLLABLES}]{{2,}}")
READ_PROMPT = 2_000  # characters of a prompt: longer ones are passages to read
ENOUGH_WORDS = 12  # of the prompt's words: who takes up so many speaks of what it speaks of
#: The name that a prompt calls: 로라야, 별하야; it is not what the prompt is about.
CALL = re.compile(r"^\s*[가-힣]{1,4}[야아][,!~\s]+(?=\S)")
#: Topics whose reply words stand in replies about anything: on no topic, they speak for none.
GENERAL_TOPICS = frozenset(("doing", "self", "day", "greeting"))
#: A logistic model of five features. The weights are rounded from a fit that told the replies of
#: our own small talk from replies to other prompts; a shared word counts less than that fit gave
#: it, since base models like to say the prompt again.
BIAS = -0.2
SHARED, ON_TOPIC, OFF_TOPIC, DENSITY, SILENT = 2.5, 1.0, -1.5, 2.0, -1.0
LONG = 10  # words after which a reply that never touches the topic is surely off it


def relevance(reply: Reply) -> Score:
    """How likely the reply was meant for this prompt and not for another one.

    Range: 0 to 1; high is better. None where the reply has no Korean words, or where the prompt
    opens no topic that we know and has no word that could come back.
    Source: words of the prompt that come back, and words of the topics that the prompt opens
    (data/topics.toml, ours), weighed by a logistic model fitted to our own small talk.
    Limits: everyday topics only; a fitting reply in unforeseen words scores low, a list of topical
    words high. Replies in another language share no words with the prompt.
    """
    features = relevance_features(reply.prompt, reply.reply)
    if isinstance(features, str):
        return Score(None, features)
    weights = (SHARED, ON_TOPIC, OFF_TOPIC, DENSITY, SILENT)
    total = BIAS + sum(w * x for w, x in zip(weights, features, strict=True))
    return Score(1 / (1 + math.exp(-total)))


def relevance_features(prompt: str, reply: str) -> tuple[float, float, float, float, float] | str:
    """What the model weighs, or the reason why nothing can be said.

    The share of the prompt's words that come back; the words on its topics, saturating; the share
    of topical words that are on other topics; the share of all words that are on its topics; and
    how long the reply is, if nothing in it is on topic.
    """
    asked = WORD.findall(CALL.sub("", normal(prompt[:READ_CHARACTERS])))
    said = WORD.findall(normal(reply[:READ_CHARACTERS]))
    if not any(word >= "\u1100" for word in said):
        return "the reply has no Korean words"
    opened = {topic for word in _with_joined(asked) for topic in _topics(word, "prompt")}
    stems = {word[:2] for word in asked if len(word) > 1 and word[:2] not in _words().empty}
    if not opened and not stems:
        return "the prompt names no topic"
    starts = {word[:2] for word in said}
    shared = len(stems & starts) / len(stems) if stems else 0.0
    found = [topics for word in _with_joined(said) if (topics := _topics(word, "reply"))]
    on = sum(not opened.isdisjoint(topics) for topics in found)
    off = sum(opened.isdisjoint(topics) and not topics <= GENERAL_TOPICS for topics in found)
    silent = min(len(said), LONG) / LONG if not on and not shared else 0.0
    return shared, 1 - 0.65**on, off / (on + off + 1), on / (len(said) + 3), silent


def _with_joined(words: list[str]) -> list[str]:
    """The words, and short neighbours written together: 뭐 해 is 뭐해 too."""
    pairs = itertools.pairwise(words)
    return words + [one + two for one, two in pairs if len(one) + len(two) <= LONGEST_STEM]


@dataclass(frozen=True, slots=True)
class _Words:
    """What stands in topics.toml: topics by stem, for prompts and replies, and two lists."""

    topics: dict[str, dict[str, frozenset[str]]]
    particles: frozenset[str]
    empty: frozenset[str]


@cache
def _words() -> _Words:
    file = tomllib.loads(TOPICS.read_text(encoding="utf-8"))
    tables: dict[str, dict[str, set[str]]] = {"prompt": {}, "reply": {}}
    for topic, lists in file["topics"].items():
        for side in tables:
            for stem in f"{lists.get('both', '')} {lists.get(side, '')}".split():
                tables[side].setdefault(stem, set()).add(topic)
    return _Words(
        topics={
            side: {stem: frozenset(topics) for stem, topics in table.items()}
            for side, table in tables.items()
        },
        particles=frozenset(file["particles"].split()),
        empty=frozenset(file["empty_words"].split()),
    )


@lru_cache(maxsize=50_000)
def _topics(word: str, side: str) -> frozenset[str]:
    """The topics of the longest stem that the word begins with."""
    table = _words().topics[side]
    for end in range(min(len(word), LONGEST_STEM), 0, -1):
        topics = table.get(word[:end])
        if topics and (end > 1 or len(word) == 1 or word[1:] in _words().particles):
            return topics
    return frozenset()


def takes_up(reply: Reply) -> Score:
    """The share of the prompt's words that the reply takes up.

    Range: 0 to 1; high is better. None where the prompt has no word of two letters. Twelve words
    of a longer prompt are enough for 1.
    Source: words by their first two syllables, and Latin words and numbers whole.
    Limits: a reply in other words takes up nothing, and the prompt said again everything: `echo`
    sees that.
    """
    asked = _starts(normal(reply.prompt[:READ_PROMPT]))
    if not asked:
        return Score(None, "the prompt has no word")
    shared = len(asked & _starts(normal(reply.reply)))
    return Score(min(1.0, shared / min(len(asked), ENOUGH_WORDS)))


def _starts(text: str) -> set[str]:
    return {word if word < "\u1100" else word[:2] for word in KEY_WORD.findall(text.lower())}


def echo(reply: Reply) -> Score:
    """The share of the reply that repeats its prompt word for word.

    Range: 0 to 1; low is better. None for an empty reply, and for prompts of fewer than four
    letters.
    Source: our own definition: the prompt's letters, counted inside the letters of the reply.
    Limits: taking up the question in a sentence of one's own is no echo, and is not seen as one.
    """
    asked, said = ("".join(WORD.findall(normal(text))) for text in (reply.prompt, reply.reply))
    if not said:
        return Score(None, "the reply is empty")
    if len(asked) < SHORTEST_ECHO:
        return Score(None, "the prompt is too short to be told apart")
    return Score(said.count(asked) * len(asked) / len(said))


RELEVANCE = EachReply("relevance", relevance, label_en="relevance", label_ko="관련성")
TAKES_UP = EachReply(
    "takes_up", takes_up, label_en="takes up the prompt", label_ko="질문 낱말 사용"
)
ECHO = EachReply("echo", echo, better="low", label_en="echoes the prompt", label_ko="질문 되풀이")
