"""Where a candidate's values were read, on which day, and which of them nobody has verified.

A catalog names its sources once, in [sources], and each candidate says under `evidence` which of
them its values come from. What was derived from other values, or is from memory, is unverified: it
is marked wherever it is shown, and read again on the hub when the candidate is first used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

from model_registry.errors import OhloraError
from model_registry.files.json_values import JsonObject
from model_registry.language import Both, text
from model_registry.licenses.remark_words import remark_words

Standing = Literal["read", "reported", "derived", "recalled"]
STANDINGS: tuple[Standing, ...] = get_args(Standing)

_RESULT = {"name", "value", "source"}
#: Groups of a candidate's values that a source can be named for.
GROUPS = ("released", "parameters", "architecture", "license", "chat_template", "remote_code")
_GROUPS_KO = ("출시일", "파라미터", "구조", "라이선스", "채팅 템플릿", "배포자 코드")
_STANDING_KO = {"read": "직접 확인", "reported": "다른 이의 보고", "derived": "다른 값에서 계산",
                "recalled": "확인 전"}  # fmt: skip


def group_words(group: str) -> str:
    """A group of values as people read it."""
    return text(group, dict(zip(GROUPS, _GROUPS_KO, strict=True)).get(group, group))


@dataclass(frozen=True, slots=True)
class Source:
    """Where values stand, and how they were learned.

    `standing` is "read" for what was seen at the publisher or in a copy of its files, "reported"
    for what somebody else publishes, "derived" for what follows from other values, "recalled" for
    what was written from memory.
    """

    title: str
    read_on: date
    standing: Standing
    url: str = ""

    @property
    def verified(self) -> bool:
        """Whether somebody saw the value somewhere."""
        return self.standing in ("read", "reported")

    @property
    def words(self) -> str:
        """Its title as people read it."""
        return remark_words(self.title)

    @property
    def standing_words(self) -> str:
        """How its values were learned, as people read it."""
        return text(self.standing, _STANDING_KO[self.standing])

    def to_json(self) -> dict[str, object]:
        """The source as documents hold it."""
        return {
            "title": self.title,
            "read_on": str(self.read_on),
            "standing": self.standing,
            "url": self.url or None,
        }


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A published result: of which test, and where it stands. Scales differ between tests."""

    name: str
    value: float
    source: Source

    def to_json(self) -> dict[str, object]:
        """The result as documents hold it."""
        return {"name": self.name, "value": self.value, "source": self.source.to_json()}


class BadEvidence(OhloraError):
    """What a catalog says of its sources is wrong; the catalog's reader adds file and line."""


def read_sources(entries: JsonObject) -> dict[str, Source]:
    """The table [sources] of a catalog.

    Raises:
        BadEvidence: a source lacks something, or says what can't be.
    """
    return {key: _source(key, entry) for key, entry in entries.items()}


def _source(key: str, entry: JsonObject) -> Source:
    unknown = set(entry) - {"title", "read_on", "standing", "url"}
    if unknown:
        named = ", ".join(sorted(unknown))
        raise BadEvidence(f"source {key}: unknown key {named}", f"출처 {key}: 모르는 키 {named}")
    if not isinstance(entry.get("title"), str) or not isinstance(entry.get("read_on"), date):
        raise BadEvidence(
            f"source {key} needs a title and read_on, a day such as 2026-11-28",
            f"출처 {key}에는 title과 2026-11-28 같은 날인 read_on이 필요합니다",
        )
    if entry.get("standing") not in STANDINGS:
        known = ", ".join(STANDINGS)
        raise BadEvidence(
            f"source {key}: standing is one of {known}",
            f"출처 {key}: standing은 {known} 가운데 하나여야 합니다",
        )
    return Source(entry["title"], entry["read_on"], entry["standing"], str(entry.get("url", "")))


def read_evidence(
    entry: JsonObject, sources: Mapping[str, Source]
) -> tuple[dict[str, Source], tuple[Benchmark, ...]]:
    """The `evidence` and `benchmarks` of one candidate.

    Raises:
        BadEvidence: a group or a source that there is none of, or a result that is no number.
    """
    named = entry.get("evidence", {})
    for group in named:
        if group not in GROUPS:
            known = ", ".join(GROUPS)
            raise BadEvidence(
                f"evidence is for {known}, not {group}",
                f"evidence는 {known}에만 적습니다({group} 아님)",
            )
    evidence = {group: _named(source, sources) for group, source in named.items()}
    results = entry.get("benchmarks", [])
    if not isinstance(results, list) or not all(isinstance(each, dict) for each in results):
        raise BadEvidence(
            "benchmarks is a list of {name, value, source}",
            "benchmarks는 {name, value, source}의 목록이어야 합니다",
        )
    return evidence, tuple(_benchmark(each, sources) for each in results)


def _named(key: str, sources: Mapping[str, Source]) -> Source:
    if key not in sources:
        raise BadEvidence(
            f"source {key} has no [sources] entry", f"[sources]에 출처 {key}이(가) 없습니다"
        )
    return sources[key]


def _benchmark(entry: JsonObject, sources: Mapping[str, Source]) -> Benchmark:
    value = entry.get("value")
    if not isinstance(value, int | float) or isinstance(value, bool) or set(entry) != _RESULT:
        raise BadEvidence(
            "a benchmark is {name, value, source}, its value a number",
            "benchmark는 {name, value, source}이며 value는 숫자여야 합니다",
        )
    return Benchmark(str(entry["name"]), float(value), _named(entry["source"], sources))


def released_problem(value: str) -> Both | None:
    """What is wrong with a day of release; None where it is a year, a month or a day."""
    if re.fullmatch(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?", value):
        return None
    return (
        f"released is a day such as 2026-07-27, a month or a year, not {value!r}",
        f"released 값은 2026-07-27 같은 날, 달, 해여야 합니다: {value!r}",
    )
