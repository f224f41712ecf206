"""Whether a licence allows a use, by the table `licenses.toml`. What nobody read is unknown.

Not legal advice: a table to sort candidates by, with the clause in a few words and where it was
read. A file holds the licence's name and the use; the words are looked up when they are shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from model_registry.errors import BadFile, UnknownName
from model_registry.files.json_values import JsonObject
from model_registry.files.toml_source import parse_toml, read_source
from model_registry.language import text

Use = str  # one of USES
Answer = Literal["yes", "no", "conditions", "unknown"]
Reading = Literal["text", "summary", "reported"]

#: What a model may be for, in words. A use is one entry here; a licence of the table that says
#: nothing of it is unknown until somebody reads it.
USE_WORDS: dict[str, tuple[str, str]] = {
    "own-service": ("a service of one's own", "자체 서비스"),
    "api": ("access sold to others (API)", "API 제공"),
    "on-premise": ("installation at a customer's", "고객사 구축"),
    "on-device": ("an app or a device", "온디바이스 탑재"),
    "research": ("research", "연구"),
    "derivative": ("tuned weights given to others", "튜닝한 가중치 배포"),
}
USES: tuple[Use, ...] = tuple(USE_WORDS)
ANSWERS: tuple[Answer, ...] = get_args(Answer)
READINGS: tuple[Reading, ...] = get_args(Reading)
TABLE = Path(__file__).resolve().parent / "licenses.toml"

_ANSWER_WORDS: dict[str, tuple[str, str]] = {
    "yes": ("yes", "가능"),
    "no": ("no", "불가"),
    "conditions": ("with conditions", "조건부"),
    "unknown": ("unknown, verify", "확인 필요"),
}
_READING_WORDS: dict[str, tuple[str, str]] = {
    "text": ("the licence was read", "라이선스 원문 확인"),
    "summary": ("the publisher's summary was read", "배포자의 요약 확인"),
    "reported": ("as others quote it: verify", "다른 이의 인용, 원문 확인 필요"),
}


@dataclass(frozen=True, slots=True)
class Clause:
    """What a licence says of one use, in a few words of ours."""

    answer: Answer
    english: str = ""
    korean: str = ""

    @property
    def allows(self) -> bool:
        """Whether the use is allowed, be it under conditions; what is unknown is not."""
        return self.answer in ("yes", "conditions")

    @property
    def both(self) -> dict[str, str]:
        """The clause in both languages, for documents."""
        return {"en": self.english, "ko": self.korean}

    def to_json(self) -> dict[str, str]:
        """The answer and the clause, as documents hold them."""
        return {"answer": self.answer, **self.both}

    @property
    def words(self) -> str:
        """The clause in the reader's language; the answer alone where nothing was read."""
        return text(self.english, self.korean) or answer_words(self.answer)


@dataclass(frozen=True, slots=True)
class Terms:
    """One licence: what it says of every use, and where that was read."""

    title: str
    names: tuple[str, ...]
    uses: Mapping[str, Clause]
    source: str
    read_on: date
    read: Reading
    attribution: Clause | None = None  # what must be shown or passed on; its answer is "conditions"

    @property
    def reading_words(self) -> str:
        """How its terms were learned, in the reader's language."""
        return text(*_READING_WORDS[self.read])


NOT_READ = Clause("unknown")


def parse_use(value: str) -> Use:
    """A use by its name, in any case.

    Raises:
        OhloraError: there is no such use.
    """
    folded = value.strip().casefold().replace("_", "-").replace(" ", "-")
    for use in USES:
        if folded == use:
            return use
    raise UnknownName("use", value, USES)


def terms_of(license_name: str) -> Terms | None:
    """The terms of a licence by any of its names; None where the table has none."""
    return _by_name().get(_folded(license_name))


def clause_of(license_name: str, use: str) -> Clause:
    """What a licence says of a use; unknown where it is not in the table."""
    terms = terms_of(license_name)
    return NOT_READ if terms is None else terms.uses.get(use, NOT_READ)


def document_of(license_name: str) -> dict[str, object] | None:
    """What the table says of a licence, as documents hold it; None where it is not in the table."""
    terms = terms_of(license_name)
    if terms is None:
        return None
    return {
        "title": terms.title,
        "uses": {use: terms.uses[use].to_json() for use in USES},
        "attribution": terms.attribution.both if terms.attribution else None,
        "source": terms.source,
        "read": terms.read,
        "read_on": str(terms.read_on),
    }


def use_words(use: str) -> str:
    """A use in the reader's language; as it is where it is no known one."""
    return text(*USE_WORDS.get(use, (use, use)))


def free_in_korean(free: str) -> str:
    """Whether a licence is free, in Korean."""
    words = {"yes": "가능", "no": "불가", "conditional": "조건부", "unknown": "확인 필요"}
    return words.get(free, free)


def answer_words(answer: str) -> str:
    """An answer in the reader's language."""
    return text(*_ANSWER_WORDS.get(answer, (answer, answer)))


@cache
def all_terms() -> tuple[Terms, ...]:
    """The table, in its order."""
    return read_terms(TABLE)


def read_terms(path: Path) -> tuple[Terms, ...]:
    """The licences of a table.

    Raises:
        BadFile: a licence lacks something, or says what can't be.
    """
    document = parse_toml(read_source(path), path)
    found = tuple(_terms(path, key, entry) for key, entry in document.items())
    seen: dict[str, str] = {}
    for terms in found:
        for name in map(_folded, terms.names):
            if seen.get(name, terms.title) != terms.title:
                raise BadFile(
                    path,
                    None,
                    f"{name} names both {seen[name]} and {terms.title}",
                    f"{name}이(가) {seen[name]}와(과) {terms.title} 둘의 이름입니다",
                )
            seen[name] = terms.title
    return found


@cache
def _by_name() -> dict[str, Terms]:
    return {_folded(name): terms for terms in all_terms() for name in (terms.title, *terms.names)}


def _folded(name: str) -> str:
    return re.sub(r"[\s_\-]+", "", name.casefold())


def _terms(path: Path, key: str, entry: object) -> Terms:
    if not isinstance(entry, Mapping):
        raise BadFile(
            path,
            None,
            f"{key} is no table: write it as [{key}]",
            f"{key}은(는) 표가 아닙니다. [{key}]로 적으세요",
        )
    try:
        said = entry["uses"]
        if unknown := set(said) - set(USES):
            wrong, known = ", ".join(unknown), ", ".join(USES)
            raise BadFile(
                path,
                None,
                f"licence {key}: no use is called {wrong}; there are {known}",
                f"라이선스 {key}: {wrong}(이)라는 용도는 없습니다. 쓸 수 있는 용도: {known}",
            )
        uses = {use: _clause(path, key, said[use]) if use in said else NOT_READ for use in USES}
        attribution = entry.get("attribution")
        terms = Terms(
            title=entry["title"],
            names=tuple(entry["names"]),
            uses=uses,
            source=entry["source"],
            read_on=entry["read_on"],
            read=entry["read"],
            attribution=attribution and Clause("conditions", attribution["en"], attribution["ko"]),
        )
    except (KeyError, TypeError) as error:
        raise BadFile(
            path,
            None,
            f"licence {key}: {error} is missing or no table",
            f"라이선스 {key}: {error}이(가) 없거나 표가 아닙니다",
        ) from error
    if terms.read not in READINGS or not isinstance(terms.read_on, date):
        raise BadFile(
            path,
            None,
            f"licence {key}: read is one of {READINGS}, read_on a date",
            f"라이선스 {key}: read는 {READINGS} 가운데 하나, read_on은 날짜여야 합니다",
        )
    return terms


def _clause(path: Path, key: str, entry: JsonObject) -> Clause:
    if entry["answer"] not in ANSWERS:
        raise BadFile(
            path,
            None,
            f"licence {key}: an answer is one of {', '.join(ANSWERS)}",
            f"라이선스 {key}: 답은 {', '.join(ANSWERS)} 가운데 하나입니다",
        )
    return Clause(entry["answer"], entry["en"], entry["ko"])
