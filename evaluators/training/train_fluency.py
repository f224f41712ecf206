"""Trains the fluency model on our own text: `python -m evaluators.training.train_fluency`.

Everything is counted, nothing is drawn but the scrambled texts, with a fixed seed: the same texts
give the same file.
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluators.checks.fluency import MODEL, ORDER, NGramModel, plain
from model_registry.files.shipped_data import DATASETS
from rows.table import read_table

DISCOUNT = 0.75  # taken from every count for what was never seen
VOCABULARY = 2_500  # syllables that written Korean makes use of: what an unseen one shares
WORDS = "words"  # the one list of words; everything else holds sentences
SENTENCES = 3  # of one source, joined to what a reply is long
SEED = 20260401


def sources(folder: Path = DATASETS) -> dict[str, list[str]]:
    """Our own Korean texts by where they stand; rows kept for validation and tests are left out."""
    texts: dict[str, list[str]] = {}
    for path in sorted(folder.glob("plain_korean/*.txt")):
        lines = path.read_text(encoding="utf-8").split("\n")
        texts[path.stem] = (
            [word for line in lines for word in line.split()]
            if (path.stem == WORDS)
            else [line for line in lines if line.strip()]
        )
    for path in (folder / "persona/train.jsonl", folder / "small_talk/train.jsonl"):
        cells = [record.cells for record in read_table(path).records]
        texts[path.parent.name] = [row[side] for row in cells for side in ("prompt", "reply")]
    turns = json.loads((folder / "counselling/counselling.json").read_text(encoding="utf-8"))
    texts["counselling"] = [turn["content"] for turn in turns]
    return texts


def train(texts: Sequence[str]) -> NGramModel:
    """Interpolated Kneser–Ney smoothing (Kneser and Ney 1995). Uncalibrated: middle 0, spread 1.

    The longest n-grams count how often they stand there, shorter ones in how many places: what
    is frequent only behind one character is no likely beginning elsewhere.
    """
    tables = _counts(texts)
    total = [Counter[str]() for _ in range(ORDER)]
    kinds = [Counter[str]() for _ in range(ORDER)]
    for order, table in enumerate(tables):
        for gram, count in table.items():
            total[order][gram[:-1]] += count
            kinds[order][gram[:-1]] += 1
    probability: dict[str, float] = {}
    for order, table in enumerate(tables):
        for gram, count in table.items():
            shorter = probability[gram[1:]] if order else 1 / VOCABULARY
            context = gram[:-1]
            kept = count - DISCOUNT + DISCOUNT * kinds[order][context] * shorter
            probability[gram] = kept / total[order][context]

    def left_over(context: str) -> float:
        order = len(context)
        if order >= ORDER or not total[order][context]:
            return 0.0
        return math.log(DISCOUNT * kinds[order][context] / total[order][context])

    return _model([sorted(table) for table in tables], probability, left_over)


def _counts(texts: Sequence[str]) -> list[Counter[str]]:
    """How often each n-gram stands in the texts; below the longest, behind how many characters."""
    tables = [Counter[str]() for _ in range(ORDER)]
    for text in map(plain, texts):
        for end in range(1, len(text)):
            for order in range(min(ORDER, end + 1)):
                tables[order][text[end - order : end + 1]] += 1
    for order in range(ORDER - 1):
        behind = Counter(gram[1:] for gram in tables[order + 1])
        # What stands at the very beginning of texts only has nothing before it.
        tables[order] = Counter({gram: behind[gram] or 1 for gram in tables[order]})
    return tables


def _model(
    grams: list[list[str]], probability: dict[str, float], left_over: Callable[[str], float]
) -> NGramModel:
    alphabet = "".join(grams[0])
    code = {character: number for number, character in enumerate(alphabet, start=1)}

    def key(gram: str) -> int:
        value = 0
        for character in gram:
            value = value << 12 | code[character]
        return value

    def column(of: Callable[[str], float], table: list[str]) -> NDArray[np.float32]:
        return np.array([of(gram) for gram in table], dtype=np.float32)

    return NGramModel(
        alphabet=alphabet,
        keys=tuple(np.array([key(gram) for gram in table], dtype=np.uint64) for table in grams),
        seen=tuple(column(lambda gram: math.log(probability[gram]), table) for table in grams),
        backoff=tuple(column(left_over, table) for table in grams),
        unknown=math.log(1 / VOCABULARY) + left_over(""),
        middle=0.0,
        spread=1.0,
    )


def scrambled(text: str, others: Sequence[str], chance: random.Random) -> str:
    """The text as no Korean would write it, in one of three ways."""
    words = text.split()
    way = chance.randrange(3)
    if way == 0:
        chance.shuffle(words)
        return " ".join(words)
    if way == 1:  # half of the words end like another word
        return " ".join(
            word[: max(1, len(word) // 2)] + other[len(other) // 2 :]
            if chance.random() < 0.5
            else word
            for word, other in ((word, chance.choice(others)) for word in words)
        )
    return "".join(  # one syllable in eight is another one
        chance.choice(chance.choice(others))
        if character != " " and chance.random() < 0.125
        else character
        for character in text
    )


def held_out(texts: dict[str, list[str]]) -> Iterator[tuple[NDArray[np.float64], int]]:
    """Each source as a model sees it that has not learnt it: sound (1) and scrambled (0)."""
    chance = random.Random(SEED)
    for name in texts:
        if name == WORDS:
            continue
        model = train([text for other in texts if other != name for text in texts[other]])
        lines = texts[name]
        replies = [" ".join(lines[i : i + SENTENCES]) for i in range(0, len(lines), SENTENCES)]
        words = [word for line in lines for word in line.split()]
        yield model.mean_log_probabilities([plain(text) for text in replies]), 1
        wrong = [plain(scrambled(text, words, chance)) for text in replies]
        yield model.mean_log_probabilities(wrong), 0


def calibrate(texts: dict[str, list[str]]) -> tuple[float, float, float]:
    """The middle and spread of the logistic curve, and how often it orders a pair rightly.

    Fitted by Newton's method, each source weighing the same, sound and scrambled too.
    """
    parts = [(values, label) for values, label in held_out(texts) if len(values)]
    x = np.concatenate([values for values, _ in parts])
    y = np.concatenate([np.full(len(values), float(label)) for values, label in parts])
    weight = np.concatenate([np.full(len(values), 1 / len(values)) for values, _ in parts])
    design = np.stack([np.ones_like(x), x], axis=1)
    curve = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ curve))
        gradient = design.T @ (weight * (p - y))
        curve -= np.linalg.solve((design.T * (weight * p * (1 - p))) @ design, gradient)
    sound, wrong = x[y == 1], x[y == 0]
    right = float((sound[:, None] > wrong[None]).mean())
    return float(-curve[0] / curve[1]), float(1 / curve[1]), right


def save(model: NGramModel, middle: float, spread: float, path: Path = MODEL) -> None:
    """Write the table; keys as differences and values in half precision, which zip well."""
    columns: dict[str, NDArray[np.generic]] = {
        "alphabet": np.array(model.alphabet),
        "unknown": np.array(model.unknown),
        "middle": np.array(round(middle, 4)),
        "spread": np.array(round(spread, 4)),
    }
    for order in range(ORDER):
        columns[f"keys{order}"] = np.diff(model.keys[order], prepend=np.uint64(0))
        columns[f"seen{order}"] = model.seen[order].astype(np.float16)
        columns[f"backoff{order}"] = model.backoff[order].astype(np.float16)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, allow_pickle=False, **columns)


def main() -> None:
    """Train, calibrate, save, and print the results."""
    texts = sources()
    model = train([text for lines in texts.values() for text in lines])
    middle, spread, right = calibrate(texts)
    save(model, middle, spread)
    print(f"{sum(map(len, texts.values()))} texts, {sum(map(len, model.keys))} n-grams")
    print(
        f"middle {middle:.3f}, spread {spread:.3f}; a sound text beats a scrambled one: {right:.1%}"
    )
    print(f"{MODEL} {MODEL.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
