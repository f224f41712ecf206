"""Near-identical replies: to different prompts, and among the samples of one prompt.

Found by MinHash (Broder 1997) with banding, so the time is linear in the number of replies. Each
bucket keeps a few representatives that newcomers are compared with, never all of its members.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from evaluators.evaluator import AllReplies
from evaluators.korean_text import normal
from model_registry.records import Reply, Score

SIMILAR = 0.8  # share of common character 3-grams from which two replies are near-identical
SAME_QUESTION = 0.5  # prompts this similar may well get one answer
SHORTEST = 6  # letters; "응, 맞아" may answer many prompts
BANDS, ROWS = 8, 3  # a pair at 0.8 meets in some bucket with 99.7 % certainty, one at 0.3 with 20 %
LIKELY = 0.4  # share of equal hashes from which a pair is compared: five deviations below 0.8
REPRESENTATIVES = 4  # of one bucket, each for another prompt
CHUNK = 2_000  # replies hashed at once: bounds the memory

NOT_SAID = re.compile(r"[\W_]+")
_MULTIPLIERS = np.random.default_rng(20150419).integers(
    1, 2**63, size=BANDS * ROWS, dtype=np.uint64
) | np.uint64(1)

Related = Callable[[Reply, Reply], bool]


def near_duplicate(replies: Sequence[Reply]) -> list[Score]:
    """1 where a reply to a clearly different prompt is near-identical, else 0.

    Range: 0 or 1; low is better. None for replies of fewer than six letters.
    Source: Jaccard similarity of character 3-grams of at least 0.8, spaces, marks and emoji left
    out; prompts that share half of theirs ask the same and are not compared. MinHash keeps it
    linear.
    Limits: a pair at exactly 0.8 is missed three times in a thousand; paraphrases are not seen.
    """
    return _judge(replies, lambda one, other: not _same_question(one.prompt, other.prompt))


def same_samples(replies: Sequence[Reply]) -> list[Score]:
    """1 where another sample for the same prompt is near-identical, else 0.

    Range: 0 or 1; low is better. None for short replies, and where a prompt has one reply only.
    Source: as for `near_duplicate`, among the passes of one case.
    Limits: a right short answer is rightly given each time; read it beside `near_duplicate`.
    """
    samples: dict[str, int] = {}
    for reply in replies:
        samples[reply.prompt] = samples.get(reply.prompt, 0) + 1
    alone = Score(None, "the prompt has only one reply")
    if len(samples) == len(replies):
        return [alone] * len(replies)
    scores = _judge(replies, lambda one, other: one.prompt == other.prompt, by_prompt=True)
    return [
        score if samples[reply.prompt] > 1 else alone
        for reply, score in zip(replies, scores, strict=True)
    ]


def _judge(replies: Sequence[Reply], related: Related, by_prompt: bool = False) -> list[Score]:
    said = [NOT_SAID.sub("", normal(reply.reply)).lower() for reply in replies]
    judged = [index for index, text in enumerate(said) if len(text) >= SHORTEST]
    scores = [Score(None, "too short to tell")] * len(replies)
    for index in judged:
        scores[index] = Score(0.0)
    if not judged:
        return scores
    numbers: dict[str, int] = {}
    prompts = np.array([numbers.setdefault(replies[i].prompt, len(numbers)) for i in judged])
    hashes = _least_hashes([said[index] for index in judged])
    twin = np.full(len(judged), -1)
    for mine, theirs in _pairs(hashes, prompts, by_prompt, twin):
        if twin[mine] < 0:
            one, other = judged[mine], judged[theirs]
            alike = similarity(said[one], said[other]) >= SIMILAR
            if alike and related(replies[one], replies[other]):
                twin[mine] = theirs
    for mine in np.flatnonzero(twin >= 0).tolist():
        prompt = replies[judged[twin[mine]]].prompt
        scores[judged[mine]] = Score(1.0, f"as for the prompt {_short(prompt)}")
    return scores


def _pairs(
    hashes: NDArray[np.uint64], prompts: NDArray[np.int64], by_prompt: bool, twin: NDArray[np.int64]
) -> Iterator[tuple[int, int]]:
    """Pairs of positions that are likely alike, at most BANDS × REPRESENTATIVES for each."""
    for band in range(BANDS):
        value = prompts.astype(np.uint64) if by_prompt else np.zeros(len(prompts), dtype=np.uint64)
        for row in range(ROWS):
            value = value * np.uint64(0x9E3779B97F4A7C15) + hashes[:, band * ROWS + row]
        _, bucket, count = np.unique(value, return_inverse=True, return_counts=True)
        members = np.flatnonzero(count[bucket] > 1)
        kept = _representatives(bucket, prompts, by_prompt)
        for slot in range(REPRESENTATIVES):
            mine = members[twin[members] < 0]
            theirs = kept[bucket[mine], slot]
            wanted = (theirs >= 0) & (theirs != mine)
            wanted &= (prompts[mine] == prompts[theirs]) == by_prompt
            mine, theirs = mine[wanted], theirs[wanted]
            likely = (hashes[mine] == hashes[theirs]).mean(axis=1) >= LIKELY
            yield from zip(mine[likely].tolist(), theirs[likely].tolist(), strict=True)


def _representatives(
    bucket: NDArray[np.int64], prompts: NDArray[np.int64], by_prompt: bool
) -> NDArray[np.int64]:
    """(buckets, REPRESENTATIVES): the first of each prompt, or any of one prompt; -1 for none."""
    who = np.arange(len(bucket))
    if not by_prompt:
        _, who = np.unique(bucket * (prompts.max() + 1) + prompts, return_index=True)
    who = who[np.lexsort((who, bucket[who]))]
    start = np.searchsorted(bucket[who], bucket[who])
    slot = np.arange(len(who)) - start
    who, slot = who[slot < REPRESENTATIVES], slot[slot < REPRESENTATIVES]
    kept = np.full((bucket.max() + 1, REPRESENTATIVES), -1)
    kept[bucket[who], slot] = who
    return kept


def similarity(one: str, other: str) -> float:
    """The Jaccard similarity of two texts' character 3-grams, 0 to 1."""
    if one == other:
        return 1.0
    first, second = (
        {text[i : i + 3] for i in range(max(1, len(text) - 2))} for text in (one, other)
    )
    return len(first & second) / len(first | second)


def _same_question(one: str, other: str) -> bool:
    if one == other:
        return True
    first, second = (NOT_SAID.sub("", normal(prompt[:500])) for prompt in (one, other))
    return similarity(first, second) >= SAME_QUESTION


def _least_hashes(texts: list[str]) -> NDArray[np.uint64]:
    """The least value of each hash over a text's 3-grams, (texts, BANDS × ROWS).

    Two texts agree in one of them with a probability equal to their similarity.
    """
    chunks = [texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK)]
    return np.concatenate([_chunk_hashes(chunk) for chunk in chunks])


def _chunk_hashes(texts: list[str]) -> NDArray[np.uint64]:
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    grams = _three_grams(codes.astype(np.uint64))
    lengths = np.array([len(text) for text in texts])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    # The last two positions of a text would reach into the next one: they repeat its last gram.
    ends = starts + lengths
    grams[ends - 2] = grams[ends - 1] = grams[ends - 3]
    least = np.empty((len(texts), BANDS * ROWS), dtype=np.uint64)
    for number, multiplier in enumerate(_MULTIPLIERS):
        # Multiplying alone would keep the order of the low bits; the shifts mix the high ones in.
        hashed = (grams ^ (grams >> np.uint64(29))) * multiplier
        hashed ^= hashed >> np.uint64(32)
        least[:, number] = np.minimum.reduceat(hashed, starts)
    return least


def _three_grams(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A number for each three neighbouring characters; the last two positions are to be filled."""
    grams = np.zeros(len(codes), dtype=np.uint64)
    shift = np.uint64(21)  # bits that any code point fits in
    grams[:-2] = (codes[:-2] << shift << shift) ^ (codes[1:-1] << shift) ^ codes[2:]
    return grams * np.uint64(0x9E3779B97F4A7C15)


def _short(prompt: str) -> str:
    return prompt if len(prompt) <= 20 else prompt[:19] + "…"


NEAR_DUPLICATE = AllReplies(
    "near_duplicate",
    near_duplicate,
    better="low",
    label_en="near-duplicate",
    label_ko="거의 같은 답변",
)
SAME_SAMPLES = AllReplies(
    "same_samples",
    same_samples,
    better="low",
    scope="case",
    label_en="same samples",
    label_ko="같은 표본",
)
