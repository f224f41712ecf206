"""Finds rows that ask what other rows ask: exactly, normalised, or nearly.

A prompt that a model was tuned on says nothing of what the model learned, and a valid row that is
also a train row says nothing of what it will meet. Near ones are found by an exact set-similarity
join (prefix filtering, Chaudhuri et al. 2006): two prompts as similar as asked for must share one
of their few rarest character 3-grams.
"""

from __future__ import annotations

import heapq
import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

from rows.encoding import nfc
from rows.row import Row

SIMILAR = 0.8  # share of common character 3-grams from which two prompts ask the same
MOST_APART = 16  # 3-grams that only one of the two has: questions on one long text are apart
SHORTEST = 6  # letters; shorter prompts must be equal
LONGEST = 10_000  # characters that are compared of a prompt
#: 3-grams that so many of the prompts hold are a form that they are all written in, and say
#: nothing of what is asked; below `FORM_FROM` prompts there is no telling.
FORM_SHARE, FORM_FROM = 0.1, 50

_NOT_SAID = re.compile(r"[\W_]+")
_NUMBERS = re.compile(r"\d+")


def normalised(text: str) -> str:
    """A text without what makes no other question of it: marks, blanks, emoji, case."""
    text = nfc(text)
    # A prompt of signs alone is all that it has.
    return _NOT_SAID.sub("", text).casefold() or text.strip()


#: What Korean ends a question or a request with: it makes no other question of it.
_ENDING = re.compile(
    r"(?:이야|야|이니|니|인가요|인가|나요|가요|입니까|습니까|니까|이에요|예요|에요|여요|이죠|이지|지요|죠|지"
    r"|일까요|일까|까요|까|냐|해주세요|해줘요|해줘|해줄래요|해줄래|주세요|주십시오|줘요|줘|줄래요|줄래|주라"
    r"|하세요|하나요|하니|합니까|해요|해|세요|래요|래|어요|아요|어|아|요)$"
)
_PARTICLE = re.compile(r"(?<=[가-힣])(?:은|는|이|가|을|를)$")


def without_endings(text: str) -> str:
    """A text as `normalised`, also without particles and the ending of its last word: 반말 and
    존댓말 ask the same (수도는 어디야, 수도가 어디인가요)."""
    words = [word for word in re.split(r"[\W_]+", nfc(text).casefold()) if word]
    if not words:
        return text.strip()
    last = _ENDING.sub("", words[-1])
    whole = "".join([*(_PARTICLE.sub("", word) for word in words[:-1]), _PARTICLE.sub("", last)])
    return whole or normalised(text)


def _context(row: Row) -> str:
    """The earlier turns: the same words after other ones ask something else."""
    return "\0".join(normalised(t["content"]) for t in row.before if t["role"] != "system")


def matching_rows(rows: Sequence[Row], others: Sequence[Row]) -> list[int | None]:
    """For each of `rows` the place in `others` of one that asks the same, or None.

    Two rows ask the same where their earlier turns are equal and their prompts say the same
    (`without_endings`), or hold the same numbers and at least `SIMILAR` of their 3-grams in common.
    """
    mine, theirs = ([(_context(row), normalised(row.prompt)) for row in g] for g in (rows, others))
    spoken, heard = (
        [(_context(row), without_endings(row.prompt)) for row in g] for g in (rows, others)
    )
    equal = {key: place for place, key in reversed(list(enumerate(heard)))}
    found = [equal.get(key) for key in spoken]
    near = _NearIndex(theirs)
    return [
        place if place is not None else near.find(key)
        for place, key in zip(found, mine, strict=True)
    ]


class _NearIndex:
    """Prompts by their rarest 3-grams."""

    def __init__(self, keys: Sequence[tuple[str, str]]) -> None:
        texts = [text for _, text in keys]
        self.counts = Counter(gram for text in texts for gram in _grams(text))
        bound = FORM_SHARE * len(texts) if len(texts) >= FORM_FROM else math.inf
        self.form = {gram for gram, count in self.counts.items() if count > bound}
        self.grams = [self._said(text) for text in texts]
        self.same = [(context, _NUMBERS.findall(text)) for context, text in keys]
        self.index: dict[str, list[int]] = defaultdict(list)
        for place, grams in enumerate(self.grams):
            for gram in self._rarest(grams):
                self.index[gram].append(place)

    def _said(self, text: str) -> set[str]:
        return _grams(text) - self.form if len(text) >= SHORTEST else set()

    def _rarest(self, grams: set[str]) -> list[str]:
        """So many that another set without any of them can't be similar enough."""
        many = min(len(grams) - math.ceil(SIMILAR * len(grams)), MOST_APART) + 1
        rarest = heapq.nsmallest(many, ((self.counts[gram], gram) for gram in grams))
        return [gram for _, gram in rarest]

    def find(self, key: tuple[str, str]) -> int | None:
        """The first prompt that asks nearly the same."""
        context, text = key
        grams, same = self._said(text), (context, _NUMBERS.findall(text))
        candidates = {place for gram in self._rarest(grams) for place in self.index.get(gram, ())}
        for place in sorted(candidates):
            if self.same[place] == same and _similar(grams, self.grams[place]):
                return place
        return None


def _similar(one: set[str], other: set[str]) -> bool:
    if abs(len(one) - len(other)) > MOST_APART:  # at once, before any set is made
        return False
    common = len(one & other)
    apart = len(one) + len(other) - 2 * common
    return apart <= MOST_APART and common >= SIMILAR * (common + apart)


def _grams(text: str) -> set[str]:
    text = text[:LONGEST]
    return {text[i : i + 3] for i in range(max(1, len(text) - 2))}


def split_overlapping(rows: Sequence[Row], others: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """`rows` that ask nothing that `others` ask, and those that do."""
    found = matching_rows(rows, others)
    keep = [row for row, twin in zip(rows, found, strict=True) if twin is None]
    return keep, [row for row, twin in zip(rows, found, strict=True) if twin is not None]


def repeated(rows: Sequence[Row]) -> list[Row]:
    """Rows that repeat an earlier row's conversation and reply in the same split."""
    seen: set[tuple[str, ...]] = set()
    again = []
    for row in rows:
        key = (row.split, _context(row), normalised(row.prompt), normalised(row.reply))
        if key in seen:
            again.append(row)
        seen.add(key)
    return again
