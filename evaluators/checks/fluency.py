"""Fluency: does a reply read like Korean, by an n-gram model of our own text?

The model is a table: character n-grams up to four, with Kneser–Ney probabilities.
`python -m evaluators.training.train_fluency` makes it from the texts in datasets/.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluators.evaluator import AllReplies
from evaluators.korean_text import normal
from model_registry.records import Reply, Score

MODEL = Path(__file__).parent / "data" / "fluency.npz"
ORDER = 4  # characters of an n-gram; a code takes 12 bits of a 64-bit key
CODE_BITS = np.uint64(12)
READ_CHARACTERS = 1_000  # of a reply: enough to tell, and it bounds the time
FEWEST = 4  # syllables: below that there is nothing to judge
CHUNK = 1_000  # replies judged at once: bounds the memory

LONG_JAMO = re.compile("([ㄱ-ㅎㅏ-ㅣ])\\1+")
NOT_KOREAN = re.compile("[^가-힣ㄱ-ㅣ.!?, ]+")
STOPS = re.compile("[.!?][.!?, ]*")
SPACES = re.compile(" {2,}")
SYLLABLES = re.compile("[가-힣]")


def plain(text: str) -> str:
    """What the model reads: Hangul, commas and full stops, between single spaces.

    Latin words, numbers, emoji and markup are left out: other evaluators judge those.
    """
    text = LONG_JAMO.sub(r"\1\1", normal(text[:READ_CHARACTERS]).strip())
    # A line that ends without a mark ends a sentence all the same.
    text = STOPS.sub(". ", NOT_KOREAN.sub(" ", text.replace("\n", ".")))
    return f" {SPACES.sub(' ', text).strip().removeprefix('. ')} "


class KeyIndex:
    """Finds the positions of many keys at once: an open-addressing hash table in arrays.

    A binary search would miss the cache at each of its steps; this looks once or twice.
    """

    EMPTY = np.uint64(2**64 - 1)
    MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

    def __init__(self, keys: NDArray[np.uint64]) -> None:
        bits = max(4, int(len(keys) * 3).bit_length())
        self._shift = np.uint64(64 - bits)
        self._mask = np.uint64(2**bits - 1)
        self._keys = np.full(2**bits, self.EMPTY)
        self._places = np.zeros(2**bits, dtype=np.int64)
        left, slots = np.arange(len(keys)), self._slots(keys)
        while len(left):
            free = self._keys[slots] == self.EMPTY
            _, first = np.unique(np.where(free, slots, self.EMPTY), return_index=True)
            first = first[free[first]]  # one newcomer for each free slot
            self._keys[slots[first]] = keys[left[first]]
            self._places[slots[first]] = left[first]
            rest = np.ones(len(left), dtype=bool)
            rest[first] = False
            left, slots = left[rest], (slots[rest] + np.uint64(1)) & self._mask

    def find(self, keys: NDArray[np.uint64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Which of the keys are known, and their positions (any position for the others)."""
        slots = self._slots(keys)
        there = self._keys[slots]
        wrong = np.flatnonzero((there != keys) & (there != self.EMPTY))
        while len(wrong):
            slots[wrong] = (slots[wrong] + np.uint64(1)) & self._mask
            there = self._keys[slots[wrong]]
            wrong = wrong[(there != keys[wrong]) & (there != self.EMPTY)]
        return self._keys[slots] == keys, self._places[slots]

    def _slots(self, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
        return (keys * self.MULTIPLIER) >> self._shift


@dataclass(frozen=True, slots=True)
class NGramModel:
    """Log probabilities of known n-grams and, by context, what an unknown one costs.

    `seen[n]` and `backoff[n]` belong to `keys[n]`, which `index[n]` finds. `middle` and `spread`
    turn a mean log probability into a value: 0.5 at the middle.
    """

    alphabet: str
    keys: tuple[NDArray[np.uint64], ...]
    seen: tuple[NDArray[np.float32], ...]
    backoff: tuple[NDArray[np.float32], ...]
    unknown: float
    middle: float
    spread: float
    index: tuple[KeyIndex, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", tuple(map(KeyIndex, self.keys)))

    def mean_log_probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """The mean log probability of each text's characters, given the three before each."""
        lengths = np.array([len(text) for text in texts])
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        codes = self._codes("".join(texts))
        within = np.arange(len(codes)) - np.repeat(starts, lengths)
        known, place = self.index[0].find(codes)
        total = np.where(known, self.seen[0][place], self.unknown).astype(np.float64)
        key = codes
        for order in range(1, ORDER):
            # The context is the n-gram that ended one character before: found a round ago.
            context = np.where(np.roll(known, 1), self.backoff[order - 1][np.roll(place, 1)], 0.0)
            longer = np.roll(key, 1)
            key = (longer << CODE_BITS) | codes
            known, place = self.index[order].find(key)
            fits = within >= order
            total = np.where(fits, np.where(known, self.seen[order][place], context + total), total)
        total[starts] = 0.0  # the space before the first word is given
        sums: NDArray[np.float64] = np.add.reduceat(total, starts)
        means: NDArray[np.float64] = sums / np.maximum(lengths - 1, 1)
        return means

    def _codes(self, text: str) -> NDArray[np.uint64]:
        table = _code_table(self.alphabet)
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        return table[np.minimum(points, len(table) - 1)]


@cache
def _code_table(alphabet: str) -> NDArray[np.uint64]:
    """The code of each character by its code point; 0 for those never seen."""
    table = np.zeros(ord(max(alphabet)) + 2, dtype=np.uint64)
    table[[ord(character) for character in alphabet]] = np.arange(1, len(alphabet) + 1)
    return table


@cache
def load_model(path: Path = MODEL) -> NGramModel:
    """The model that comes with the package."""
    with np.load(path, allow_pickle=False) as file:
        return NGramModel(
            alphabet=str(file["alphabet"]),
            keys=tuple(np.cumsum(file[f"keys{n}"]).astype(np.uint64) for n in range(ORDER)),
            seen=tuple(file[f"seen{n}"].astype(np.float32) for n in range(ORDER)),
            backoff=tuple(file[f"backoff{n}"].astype(np.float32) for n in range(ORDER)),
            unknown=float(file["unknown"]),
            middle=float(file["middle"]),
            spread=float(file["spread"]),
        )


def well_formed(replies: Sequence[Reply]) -> list[Score]:
    """How much the Korean of the reply reads like Korean and not like scrambled Korean.

    Range: 0 to 1; high is better. None for fewer than four Hangul syllables.
    Source: mean log probability of the characters under an n-gram model of our own text, mapped so
    that held-out sound text and the same text with shuffled words, swapped endings or strange
    syllables fall on either side of 0.5.
    Limits: it knows everyday language; rare words and technical prose lower it. Whether a sentence
    makes sense, it can't see, and models trained on the same text please it. The first 1,000
    characters count; Latin words are passed over.
    """
    model = load_model()
    scores: list[Score] = []
    for start in range(0, len(replies), CHUNK):
        texts = [plain(reply.reply) for reply in replies[start : start + CHUNK]]
        values = np.atleast_1d(model.mean_log_probabilities(texts))
        shares = 1 / (1 + np.exp(-(values - model.middle) / model.spread))
        for text, share in zip(texts, shares.tolist(), strict=True):
            enough = len(SYLLABLES.findall(text)) >= FEWEST
            scores.append(Score(share) if enough else Score(None, "too little Korean to judge"))
    return scores


WELL_FORMED = AllReplies("well_formed", well_formed, label_en="well-formed", label_ko="자연스러움")
