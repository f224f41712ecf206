"""Parses a cell: a number with its unit, or why there is none.

A cell is read right or not at all: what could be meant in two ways is refused.
"""

from __future__ import annotations

import math
import re
import tomllib
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from evaluators.tables.cell_units import Unit, unit_called
from model_registry.errors import OhloraError
from model_registry.language import Both
from model_registry.records import GRADES
from model_registry.statuses import SAID_IN_TABLES, STATUSES

GRADE = Unit("grade", 1.0, "grade")


@dataclass(frozen=True, slots=True)
class Amount:
    """A number as it stands, and its unit; None for a bare number."""

    value: float
    unit: Unit | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """No value. `reason` is a code: a case's status, "out_of_memory", "not_given" and so on."""

    reason: str


class Unreadable(OhloraError):
    """The cell is neither a number nor a missing value; the message says what is wrong."""


class NotFinite(Unreadable):
    """The cell is NaN or infinite, which can't be decided by."""


_TABLE = Path(__file__).with_name("missing_values.toml")
_MISSING = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
#: Why there is no value, by the cell that says so.
_REASONS = {cell: reason for reason, known in _MISSING.items() for cell in known["cells"]}
_REASONS |= {status: status for status in STATUSES if status not in ("ok", *_REASONS)}
#: How longer cells begin that say why.
_BEGINNINGS = {
    why: re.compile(known["begins"]) for why, known in _MISSING.items() if "begins" in known
}
#: (English, Korean) of the reasons that say that nothing was tried, or nothing is known.
_NO_FAILURE = {why: (known["en"], known["ko"]) for why, known in _MISSING.items() if "en" in known}


def is_failure(reason: str) -> bool:
    """Whether the candidate failed where the value was to be measured."""
    return reason not in _NO_FAILURE


def missing_words(reason: str) -> tuple[str, str]:
    """The reason of a missing value as text, in English and Korean."""
    status = STATUSES.get(reason)
    return (status.en, status.ko) if status else (SAID_IN_TABLES | _NO_FAILURE)[reason]


_NUMBER = r"(?=[+-]?\.?\d)[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+|(?<=\d)\.)?(?:[eE][+-]?\d+)?"
_PLUS_MINUS = r"(?:±|\+/-|\+-|\\pm)"
_UNIT = r"[^\W\d_]+(?:/[^\W\d_]+)?|%|[$₩€]"
_AMOUNT = re.compile(
    rf"(?P<before>[$₩€])?\s*(?P<number>{_NUMBER})\s*(?P<unit>{_UNIT})?"
    rf"(?:\s*{_PLUS_MINUS}\s*{_NUMBER}\s*(?P<after>{_UNIT})?"  # what stands behind ± is spread
    rf"|\s*\(\s*{_PLUS_MINUS}?\s*{_NUMBER}\s*(?:{_UNIT})?\s*\)"
    rf"|\s*\[\s*{_NUMBER}\s*[,;]\s*{_NUMBER}\s*\])?"
)
_LENGTH = re.compile(
    r"(?:(\d+)\s*(?:h|hr|hours?|시간))?\s*(?:(\d+)\s*(?:m|mins?|minutes?|분))?"
    r"\s*(?:(\d+(?:\.\d+)?)\s*(?:s|secs?|seconds?|초))?",
    re.I,
)
_CLOCK = re.compile(r"(\d+):([0-5]\d):([0-5]\d(?:\.\d+)?)")
_TIMES_TEN = re.compile(r"\s*[x×*·]\s*10\s*\^\s*\{?([+-]?\d+)\}?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+\b")


def read_cell(cell: str) -> Amount | Missing:
    """The amount of a cell, or why it has none.

    Raises:
        Unreadable: it is no number, not finite, or could be meant in two ways.
    """
    text = _plain(cell)
    if reason := _reason(text.lower()):
        return Missing(reason)
    if text in GRADES:
        return Amount(float(GRADES[text]), GRADE)
    amount = _length(text) or _amount(text)
    if not math.isfinite(amount.value):
        raise NotFinite("is no finite number", "유한한 수가 아닙니다")
    return amount


def missing_reason(cell: str) -> str | None:
    """The reason that a cell gives for its missing value; None for any other cell."""
    try:
        found = read_cell(cell)
    except Unreadable:
        return None
    return found.reason if isinstance(found, Missing) else None


def _reason(text: str) -> str | None:
    """Why there is no value, where the cell says so; "OOM (24 GB)" says it too."""
    exact = _REASONS.get(text)
    return exact or next((why for why, begins in _BEGINNINGS.items() if begins.match(text)), None)


def _plain(cell: str) -> str:
    """One spelling of digits, signs and blanks; emphasis and formula marks left out."""
    if any(unicodedata.category(c) == "No" for c in cell):  # NFKC would make 103 of 10³
        raise Unreadable(
            "holds a raised or circled digit: write 1e3 for 10³",
            "위 첨자나 원 숫자가 있습니다. 10³은 1e3으로 적으세요",
        )
    text = unicodedata.normalize("NFKC", cell.replace("…", "..."))
    text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    text = re.sub(r"[\u2212\u2012\ufe63](?=\s*[\d.])", "-", text)
    text = " ".join(text.split())
    for mark in ("**", "__", "`", "$"):
        if len(text) > 2 * len(mark) and text.startswith(mark) and text.endswith(mark):
            text = text.removeprefix(mark).removesuffix(mark).strip()
    return _TIMES_TEN.sub(r"e\1", text)


def _length(text: str) -> Amount | None:
    """A length of time of several parts: 1h 20m, 2분 30초, 01:02:03."""
    seconds = unit_called("s")
    clock = _CLOCK.fullmatch(text)
    found = clock or _LENGTH.fullmatch(text)
    if not found or sum(part is not None for part in found.groups()) < 2:
        return None
    hours, minutes, rest = (float(part or 0) for part in found.groups())
    return Amount(hours * 3600 + minutes * 60 + rest, seconds)


def _amount(text: str) -> Amount:
    found = _AMOUNT.fullmatch(text)
    if not found and re.match(r"[+-]?(?:nan|inf(?:inity)?\b|∞)", text, re.I):
        raise NotFinite("is no finite number", "유한한 수가 아닙니다")
    if not found:
        raise Unreadable(*_what_is_wrong(text))
    spellings = [s for s in (found["before"], found["unit"], found["after"]) if s]
    units = {unit_called(spelling) for spelling in spellings}
    if None in units:
        named = " ".join(spellings)
        raise Unreadable(
            f"has the unit {named}, which is not known here", f"모르는 단위 {named}이(가) 있습니다"
        )
    if len(units) > 1:
        raise Unreadable(
            f"has two units, {' and '.join(spellings)}", f"단위가 둘입니다({', '.join(spellings)})"
        )
    return Amount(float(found["number"].replace(",", "")), units.pop() if units else None)


def _what_is_wrong(text: str) -> Both:
    if _DECIMAL_COMMA.search(text):
        return (
            "has a comma that parts no thousands: write a point before decimals",
            "천 단위가 아닌 쉼표가 있습니다. 소수점은 점으로 적으세요",
        )
    if text[:1] in "<>≤≥~≈":
        return (
            "is a bound or an estimate: write the measured number",
            "한계나 어림값입니다. 측정한 수를 적으세요",
        )
    return (
        "is no number, grade, or sign that there is none (-, N/A, OOM)",
        "숫자도 등급도, 값이 없다는 표시(-, N/A, OOM)도 아닙니다",
    )
