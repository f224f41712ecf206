from __future__ import annotations

import math
import random
import unicodedata
from collections import Counter

import numpy as np
import pytest

from evaluators.checks.fluency import MODEL, ORDER, KeyIndex, load_model, plain, well_formed
from evaluators.training.train_fluency import (
    DISCOUNT,
    VOCABULARY,
    _counts,
    held_out,
    scrambled,
    sources,
    train,
)
from tests.support.replies import a_reply

# Written for this test; the model has not seen them.
SOUND = [
    "어제 산 빵이 생각보다 맛있어서 동생이랑 반씩 나눠 먹었어.",
    "버스를 놓쳐서 한참을 기다렸는데 다행히 늦지는 않았어요.",
    "이번 여름에는 가족들과 함께 시골 할머니 댁에 다녀올 생각이에요.",
    "회의가 길어져서 점심을 못 먹었더니 배가 너무 고프네요.",
]
GARBLED = [
    "너음에 감정이 빠르게 달러되지는 컨더링 피체트 낟.",
    "닫 박을 열고 맛있에서 시장되며 측척을 움직임되게 관점 규함.",
    "잽잽하고 버정을 다려습 메모르 성공화 하실 규제에를 회답.",
    "온몸 담아 저를 이랑한 것는 그리를 바티카 속도에가 됩니.",
]


def test_sound_korean_is_better_formed_than_garbled_korean() -> None:
    scores = [score.value or 0 for score in well_formed([a_reply(t) for t in SOUND + GARBLED])]
    assert min(scores[: len(SOUND)]) > max(scores[len(SOUND) :])
    assert np.mean(scores[: len(SOUND)]) > 0.5 > np.mean(scores[len(SOUND) :])


def test_every_normal_form_scores_alike() -> None:
    forms = [unicodedata.normalize(form, SOUND[0]) for form in ("NFC", "NFD", "NFKC")]
    assert len({score.value for score in well_formed([a_reply(text) for text in forms])}) == 1


@pytest.mark.parametrize("reply", ["", "😊", "Hello, how are you?", "응", "123"])
def test_with_hardly_any_korean_nothing_is_judged(reply: str) -> None:
    assert well_formed([a_reply(reply)])[0].value is None


def test_a_reply_scores_the_same_alone_and_among_others() -> None:
    together = well_formed([a_reply(text) for text in SOUND])
    assert [well_formed([a_reply(text)])[0] for text in SOUND] == together


def test_the_table_gives_the_kneser_ney_formula() -> None:
    texts = ["가나다 가나 다가", "나가 다나"]
    counts = _counts(texts)
    asked = " 나가나"
    expected = np.mean([math.log(_probability(asked[: i + 1], counts)) for i in range(1, 4)])
    given = train(texts).mean_log_probabilities([asked])[0]
    assert given == pytest.approx(expected, rel=1e-5)


def _probability(gram: str, counts: list[Counter[str]]) -> float:
    """Written out by its definition, slowly."""
    if not gram:
        return 1 / VOCABULARY
    gram = gram[-ORDER:]
    table = counts[len(gram) - 1]
    after = {g: count for g, count in table.items() if g[:-1] == gram[:-1]}
    shorter = _probability(gram[1:], counts)
    if not after:
        return shorter
    kept = max(table[gram] - DISCOUNT, 0.0)
    return (kept + DISCOUNT * len(after) * shorter) / sum(after.values())


def test_the_probabilities_of_what_may_follow_sum_to_one() -> None:
    counts = _counts(SOUND)
    for context in ("", "어", "요.", " 가족"):
        follows = sum(_probability(context + c, counts) for c in counts[0])
        unseen = _probability(context + "뷁", counts)
        assert follows + unseen * (VOCABULARY - len(counts[0])) == pytest.approx(1)


def test_the_index_finds_every_key_and_no_other() -> None:
    keys = np.unique(np.random.default_rng(0).integers(0, 2**48, 5_000, dtype=np.uint64))
    index = KeyIndex(keys)
    known, places = index.find(keys)
    assert known.all()
    np.testing.assert_array_equal(places, np.arange(len(keys)))
    others = np.setdiff1d(np.arange(2**20, 2**20 + 5_000, dtype=np.uint64), keys)
    assert not index.find(others)[0].any()


def test_scrambling_keeps_a_text_korean_and_changes_it() -> None:
    chance = random.Random(0)
    texts = {scrambled(SOUND[1], SOUND[0].split(), chance) for _ in range(9)}
    assert len(texts) > 3
    assert all(plain(text).strip() for text in texts)


def test_the_shipped_model_is_the_one_that_our_texts_make() -> None:
    made = train([text for lines in sources().values() for text in lines])
    shipped = load_model()
    assert made.alphabet == shipped.alphabet, (
        "the texts in datasets/ changed: run python -m evaluators.training.train_fluency"
    )
    for order in range(ORDER):
        np.testing.assert_array_equal(made.keys[order], shipped.keys[order])
        np.testing.assert_allclose(made.seen[order], shipped.seen[order], atol=0.01)


def test_the_shipped_model_is_small() -> None:
    assert MODEL.stat().st_size < 600_000


@pytest.mark.slow
def test_held_out_registers_are_told_from_their_scrambled_selves() -> None:
    parts = list(held_out(sources()))
    for (sound, _), (wrong, _) in zip(parts[::2], parts[1::2], strict=True):
        assert (sound[:, None] > wrong[None]).mean() > 0.65
