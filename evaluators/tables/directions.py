"""Direction of a column (higher or lower is better), by its name; None where it does not say.

A name is read as people read it: its head comes last ("accuracy_loss" is a loss), before a
preposition ("time to first token" is a time) and before "per" ("seconds per token" are seconds).
What no table here knows is not guessed: the user is asked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

from evaluators.tables.column_words import korean_head, singular, words_of


def _table(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: More of it is better.
_HIGH = _table(
    "accuracy acc quality score points bleu chrf rouge meteor bertscore comet f1 em auc auroc"
    " map mrr ndcg precision recall grade rating elo reward win wins wr success pass correct"
    " correctness hit agreement similarity relevance relevancy fluency coherence consistency"
    " helpfulness harmlessness faithfulness politeness readability safety leaderboard benchmark"
    " mmlu kmmlu kobest hellaswag haerae logickor ifeval gsm8k humaneval mbpp arc boolq copa"
    " sentineg klue mtbench spearman pearson kappa usefulness naturalness satisfaction upvotes"
    " likes 정확도 정확률 정답률 정답 점수 품질 등급 평점 평가 만족도 유창성 유사도 일치도"
    " 일치율 성공률 성공 승률 승리 재현율 정밀도 선호도 관련성 일관성 자연스러움 신뢰도 성능"
    " 합격률 통과율 적중률 리더보드 가독성 공손함"
)
#: More of it is better, and it is what a second gives: a unit of time does not deny it.
_RATE = _table(
    "throughput bandwidth tps qps rps fps speed velocity speedup 속도 처리량 처리율 대역폭"
)
#: Less of it is better.
_LOW = _table(
    "loss perplexity ppl wer cer ter mer error err mistake nll bpb bpc mse rmse mae mape brier"
    " ece fail failure failed crash timeout hallucination toxicity repetition truncation"
    " degradation drop regression penalty broken oom violation forgetting entropy 손실 오류"
    " 오류율 오차 오답 오답률 에러 실패 실패율 환각 환각률 반복률 독성 퍼플렉시티 혼잡도 저하"
)
#: Less of it is better, and it is paid for.
_COST = _table(
    "time latency duration delay elapsed ttft tpot itl wait runtime wallclock memory mem vram"
    " ram rss cost price fee energy power electricity emission carbon co2 overhead footprint"
    " usage consumption 시간 지연 지연시간 소요시간 대기 메모리 램 비용 가격 요금 단가 전력"
    " 전력량 에너지 사용량 소비량 점유율"
)
#: Units, which tell where nothing else does.
_UNITS = _table(
    "s sec secs second ms msec millisecond us ns minute mins hour hr hrs mb gb kb tb mib gib"
    " kib tib byte gigabyte megabyte dollar usd krw won eur $ ₩ € watt joule wh kwh 초 밀리초 분"
    " 바이트 기가 기가바이트 메가바이트 원 달러"
)
#: What is made of something: less cost, more of anything else is none of theirs.
_BETTER_BY = _table(
    "efficiency saving savings saved reduction improvement gain 효율 효율성 절감 절감률 절감량"
    " 감소 감소율 감소량 향상 향상률 향상도 개선 개선율 개선도 절약"
)
#: Work that is done: much of it in a second is good, much of a second for it is not.
_WORK = _table(
    "token tok t sample sequence request req query step iteration iter it word char character"
    " sentence example item image prompt reply row 토큰 글자 문장 요청 단어 샘플 단계 질문 답변"
    " 건"
)
_TIMES = _table("s sec second minute min mins hour hr ms 초 분 시간")
#: Words that turn or blur what stands beside them: none of ours to read.
_BLURS = _table(
    "no non not free without anti un less inverse inverted negative neg complexity limit budget"
    " target threshold std stdev stddev sd variance var deviation stderr se ci delta diff"
    " difference change weight correlation 제한 한도 예산 목표 편차 표준편차 분산 변화 변화량"
    " 차이 복잡도"
)
_GENERIC = _table("score points grade rating 점수 등급 평점")
_PREPOSITIONS = _table("to of for in at with on under by from until before after vs")
_COUNTS = _table(
    "number num count amount rate ratio share percent percentage total value 수 개수 횟수 비율"
    " 율 률 값 치 량 총합 합계 평균"
)
_ARROWS = {"↓": "low", "▼": "low", "⬇": "low", "↑": "high", "▲": "high", "⬆": "high"}
_SAID = {
    "low": re.compile(r"\blow(?:er)?\s*(?:is|=)?\s*better|낮을수록|작을수록|적을수록", re.I),
    "high": re.compile(r"\bhigh(?:er)?\s*(?:is|=)?\s*better|높을수록|클수록|많을수록", re.I),
}
_KNOWN = _HIGH | _RATE | _LOW | _COST | _UNITS | _BETTER_BY | _WORK | _BLURS | _COUNTS
_KOREAN = frozenset(word for word in _KNOWN if re.match("[가-힣]", word))
_DENIES = ("무", "비", "불", "미")  # before a Korean noun: 무오류


def direction_of(name: str, unit: str = "") -> str | None:
    """ "high" or "low": which values of a column of this name are the better ones.

    Args:
        name: of the column.
        unit: that its cells carry, which tells where the name does not.

    Returns:
        None where nothing known tells it, or two things tell it differently.
    """
    said = _said(name)
    if said is not None:
        return said
    return _of_words(column_words(name) + column_words(unit))


def column_words(name: str) -> list[str]:
    """The words of a column's name in the forms that these tables know."""
    return _resolved(words_of(name, _KNOWN))


def is_cost(name: str, unit: str = "") -> bool:
    """Whether a column is a cost: time, memory, money, energy."""
    return direction_of(name, unit) == "low" and bool(
        set(column_words(name) + column_words(unit)) & (_COST | _UNITS)
    )


def rate_of_work(words: Sequence[str]) -> bool:
    """Whether the words name work done a second, such as tokens per second."""
    joined = " ".join(w for w in words if w not in _COUNTS)
    work = "|".join(re.escape(word) for word in sorted(_WORK, key=len, reverse=True))
    forwards = rf"\b(?:{work})\b(?: (?:per|/))? (?:s|sec|second|초)\b"
    found = re.search(rf"{forwards}|\b초 당(?: \S+)?? (?:{work})\b", joined)
    return bool(found) and "first" not in words


def _said(name: str) -> str | None:
    """What the name says outright, by an arrow or in words."""
    name = unicodedata.normalize("NFC", name)
    found = {way for arrow, way in _ARROWS.items() if arrow in name}
    found |= {way for way, pattern in _SAID.items() if pattern.search(name)}
    return found.pop() if len(found) == 1 else None


def _resolved(words: Sequence[str]) -> list[str]:
    """Known forms of the words; a denied Korean noun becomes a word that blurs."""
    found: list[str] = []
    for word in words:
        if not re.match("[가-힣]", word):
            found.append(singular(word, _KNOWN))
            continue
        if word.endswith("당") and korean_head(word[:-1], _KOREAN)[0]:  # 초당 토큰: tokens a second
            found += [korean_head(word[:-1], _KOREAN)[0], "당"]
            continue
        head, before = korean_head(word, _KOREAN)
        if not head:
            found.append(word)
        elif before.endswith(_DENIES) and head in _LOW:
            found.append("not")
        else:
            found += [*_resolved([before] if before else []), head]
    return found


def _of_words(words: list[str]) -> str | None:
    if "당" in words:
        place = words.index("당")
        return _a_per_b(words[place + 1 :], words[:place][-1:])
    for i, word in enumerate(words[1:], start=1):
        a, b = words[:i], words[i + 1 :]
        if word == "per" or (word == "/" and b and b[0] in _WORK | _UNITS | _TIMES):
            return _a_per_b(a, b)
        if word in _PREPOSITIONS:
            return _of_words(b) if all(w in _COUNTS for w in a) else _head(a)
    return _head(words)


def _a_per_b(a: Sequence[str], b: Sequence[str]) -> str | None:
    """Which way "tokens per second", "seconds per token" or "score per dollar" is better."""
    a = [word for word in a if word not in _COUNTS]
    if any(word in _HIGH | _RATE | _LOW | _COST | _BETTER_BY for word in a):
        return _head(a)
    if any(word in _WORK for word in a[-1:]):
        return "high" if any(word in _TIMES | _UNITS | _COST for word in b[:1]) else None
    return "low" if any(word in _UNITS | _TIMES for word in a) else None


def _head(words: Sequence[str]) -> str | None:
    """What the last telling word says, where nothing beside it denies it."""
    if _BLURS.intersection(words):
        return None
    strong = [w for w in words if w in _HIGH | _RATE | _LOW | _COST | _BETTER_BY]
    units = [w for w in words if w in _UNITS]
    if not strong:
        return _of_units(words, units)
    last = strong[-1]
    if last in _BETTER_BY:
        return "high"
    if last in _COST | _LOW:
        return "high" if {"win", "loss"} <= set(strong) else "low"
    if last in _GENERIC and len(strong) > 1:
        return _generic(strong[:-1])
    if units and last in _RATE:
        return "high" if set(words) & _WORK else "low" if set(units) & _TIMES else "high"
    return None if units and last in _HIGH and units[-1] != "%" else "high"


def _generic(before: Sequence[str]) -> str | None:
    """What a "score" of something is: that of a fault counts the fault; of a cost, who knows."""
    kinds = {"low" if w in _LOW else "high" if w in _HIGH | _RATE else "?" for w in before}
    return kinds.pop() if len(kinds) == 1 and "?" not in kinds else None


def _of_units(words: Sequence[str], units: Sequence[str]) -> str | None:
    """Seconds and gigabytes are paid for; tokens_s and tok_sec are tokens a second."""
    if not units:
        rate = len(words) > 1 and words[-1] in ("rate", "ratio") and words[-2] in _WORK
        return "high" if rate and words[-1] == "rate" else None
    pairs = list(pairwise(words))
    if any(a in _WORK and b in ("s", "sec", "초") for a, b in pairs):
        return None if "first" in words or "time" in words else "high"
    return "low"
