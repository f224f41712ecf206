"""Units of measurement in cells: dimension and size in the base unit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: `kind` is its dimension; units of one kind convert by their `size`."""

    kind: str
    size: float
    symbol: str


# fmt: off
def _named() -> dict[str, Unit]:
    """Every spelling, in lower case but where case parts M (million) from m (minute)."""
    spelt: dict[str, tuple[str, float, str]] = {
        "%": ("share", 1.0, "% percent pct 퍼센트 프로"),
        "ns": ("time", 1e-9, "ns"),
        "us": ("time", 1e-6, "us µs μs"),
        "ms": ("time", 1e-3, "ms msec millisecond milliseconds 밀리초"),
        "s": ("time", 1.0, "s sec secs second seconds 초"),
        "min": ("time", 60.0, "m min mins minute minutes 분"),
        "h": ("time", 3600.0, "h hr hrs hour hours 시간"),
        "bytes": ("memory", 1.0, "byte bytes 바이트"),
        "tokens/s": (
            "rate",
            1.0,
            "tok/s toks/s token/s tokens/s t/s tok/sec tokens/sec tps 토큰/초",
        ),
        "it/s": ("steps", 1.0, "it/s its/s iter/s steps/s step/s"),
        "x": ("times", 1.0, "x 배"),
        "$": ("dollar", 1.0, "$ usd 달러"),
        "₩": ("won", 1.0, "₩ 원 krw won"),
        "€": ("euro", 1.0, "€ eur"),
        "Wh": ("energy", 1.0, "wh"),
        "kWh": ("energy", 1e3, "kwh"),
        "W": ("power", 1.0, "w watt watts"),
        "점": ("points", 1.0, "점 pt pts point points"),
        "개": ("count", 1.0, "개 회 번"),
        "K": ("number", 1e3, "K k"),
        "M": ("number", 1e6, "M"),
        "B": ("number", 1e9, "B"),
    }
    for power, letter in enumerate("KMGT", start=1):
        spelt[f"{letter}B"] = ("memory", 1000.0**power, f"{letter.lower()}b")
        spelt[f"{letter}iB"] = ("memory", 1024.0**power, f"{letter.lower()}ib")
    spelt["GB"] = ("memory", 1e9, "gb gigabyte gigabytes 기가 기가바이트")
    spelt["MB"] = ("memory", 1e6, "mb megabyte megabytes 메가 메가바이트")
    return {
        spelling: Unit(kind, size, symbol)
        for symbol, (kind, size, spellings) in spelt.items()
        for spelling in spellings.split()
    }


# fmt: on
UNITS = _named()
_CASED = ("M", "K", "B", "m", "k")  # one letter, which means another thing in the other case


def unit_called(spelling: str) -> Unit | None:
    """The unit of a spelling, None where there is none: "MB", "Mb" and "mb" are one."""
    spelling = "".join(spelling.split())
    return UNITS.get(spelling) if spelling in _CASED else UNITS.get(spelling.lower())
