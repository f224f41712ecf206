"""What measured cases teach about this machine: kept beside the user's caches, fitted when asked.

A correction of a machine is never silent: its source says from how many cases it comes, or that
it comes from another machine.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from model_registry.files.json_values import JsonDict, JsonObject
from model_registry.language import text
from model_registry.memory.fit import NO_CORRECTION, Correction, Estimate

#: Fewer cases than these say nothing about a machine.
ENOUGH = 5
#: Nor do fewer than these of a kind about that kind.
OF_A_KIND = 3
_SHIPPED = Path(__file__).resolve().parent / "correction.json"


def measured_path() -> Path:
    """Where this user's measured cases stand."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "ohlora" / "fit-measured.jsonl"


def remember(
    machine: str,
    device: str,
    case: str,
    estimate: Estimate,
    measured: int,
    path: Path | None = None,
) -> None:
    """Store one uncorrected estimate with its measurement; without a cache, nothing.

    Args:
        machine: its name, as every result carries it.
        device: "cpu" or "cuda".
        case: what was measured; a later row of the same case replaces the earlier.
        estimate: without any correction.
        measured: bytes.
        path: another file, for tests.
    """
    row = {"machine": machine, "device": device, "case": case, "measured_bytes": measured}
    path = path or measured_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row | {"estimate": asdict(estimate)}) + "\n")
    except OSError:
        return


def correction_for(machine: str, device: str, path: Path | None = None) -> Correction:
    """The correction of this machine, else the one that comes with the project for such a device.

    A graphics card's allocator gives what is asked for, so that there only measured cases correct.
    A machine that has measured answering alone says nothing of tuning: what it has not measured
    keeps the shipped figure, and the source says so.
    """
    rows = _rows(machine, device, path or measured_path())
    shipped = _shipped(device)
    if len(rows) < ENOUGH:
        return shipped
    pairs = [(_estimate(row["estimate"]), int(row["measured_bytes"])) for row in rows.values()]
    source = text(
        f"corrected by {len(pairs)} cases measured on this machine",
        f"이 장비에서 측정한 {len(pairs)}개 케이스로 보정",
    )
    unmeasured = [text(*words) for words, measured in _measured(pairs) if not measured]
    if unmeasured and shipped is not NO_CORRECTION:
        source += f"; {', '.join(unmeasured)}: {shipped.source}"
    return fitted(pairs, source, shipped)


def _measured(pairs: Sequence[tuple[Estimate, int]]) -> list[tuple[tuple[str, str], bool]]:
    """Which of the two quantities these cases measure: what they are called, and whether."""
    tuned = sum(is_tuning(estimate) and estimate.scratch_bytes > 0 for estimate, _ in pairs)
    plain = sum(not is_tuning(estimate) for estimate, _ in pairs)
    return [(("answering", "답변"), plain >= OF_A_KIND), (("tuning", "튜닝"), tuned >= OF_A_KIND)]


def is_tuning(estimate: Estimate) -> bool:
    """Whether an estimate is of a tune, whose scratch memory the factor multiplies."""
    return "optimiser" in estimate.terms


def _rows(machine: str, device: str, path: Path) -> dict[str, JsonDict]:
    rows: dict[str, JsonDict] = {}
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError:
        return rows
    for line in lines:
        try:
            row = json.loads(line)
            if (row["machine"], row["device"]) == (machine, device):
                _estimate(row["estimate"])
                rows[str(row["case"])] = row
        except (ValueError, KeyError, TypeError):
            continue  # a torn line, or one of another version
    return rows


def _estimate(row: JsonObject) -> Estimate:
    terms = {name: int(count) for name, count in row["terms"].items()}
    return Estimate(terms, int(row["scratch_bytes"]), str(row["moment"]))


def _shipped(device: str) -> Correction:
    try:
        rows = json.loads(_SHIPPED.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return NO_CORRECTION
    if device not in rows:
        return NO_CORRECTION
    row = rows[device]
    source = text(
        f"corrected by {row['cases']} cases measured on another machine ({row['machine']})",
        f"다른 장비({row['machine']})에서 측정한 {row['cases']}개 케이스로 보정",
    )
    return Correction(row["overhead_bytes"], row["scratch_factor"], row["cases"], source)


def fitted(
    pairs: Sequence[tuple[Estimate, int]], source: str = "", unmeasured: Correction = NO_CORRECTION
) -> Correction:
    """Fit the overhead and factor that bring predictions nearest to measurements.

    Args:
        pairs: uncorrected estimates with measured bytes, of several kinds of work.
        source: said with every corrected figure.
        unmeasured: whose figure stays where too few cases of a kind were measured.

    Medians, because one case with a disturbed measurement must not move all predictions.
    """
    plain = [m - e.predicted_bytes for e, m in pairs if not is_tuning(e)]
    overhead = _median(plain) if len(plain) >= OF_A_KIND else unmeasured.overhead_bytes
    factors = []
    for estimate, measured in pairs:
        if is_tuning(estimate) and estimate.scratch_bytes:
            more = measured - overhead - estimate.predicted_bytes
            factors.append(1 + more / estimate.scratch_bytes)
    enough = len(factors) >= OF_A_KIND
    factor = max(0.5, _median(factors)) if enough else unmeasured.scratch_factor
    return Correction(round(overhead), factor, len(pairs), source)


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return (ordered[middle] + ordered[~middle]) / 2
