"""What measured cases teach about this machine: kept beside the user's caches, fitted when asked.

A correction of a machine is never silent: its source says from how many cases it comes, or that
it comes from another machine.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median

from model_registry.files.json_values import JsonDict, JsonObject
from model_registry.language import text
from model_registry.memory.coefficients import cache_folder
from model_registry.memory.fit import NO_CORRECTION, Correction, Estimate

#: Fewer cases than these say nothing about a machine.
ENOUGH = 5
#: Nor do fewer than these of a kind about that kind.
OF_A_KIND = 3
#: Counts up when a case takes other memory than before, or another is predicted for it: what was
#: measured then is kept beside the prediction of then, so that it is left out. 2: the C library
#: gives back what is freed. 3: masks and dropout are counted apart.
_FORM = 3
#: The share of tunes for which the bytes that a tune adds are enough. Half would be off least, but
#: what is predicted too low ends out of memory, and what is predicted too high wastes little.
_TUNES_WITHIN = 0.6
#: Two cases tell a slope where their small pieces differ by so many bytes.
_APART = 2**24
_SHIPPED = Path(__file__).resolve().parent / "correction.json"


def measured_path() -> Path:
    """Where this user's measured cases stand."""
    return cache_folder() / "fit-measured.jsonl"


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
    row = {
        "form": _FORM, "machine": machine, "device": device, "case": case,
        "measured_bytes": measured,
    }  # fmt: skip
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
    A machine that has loaded models alone says nothing of answering or tuning: what it has not
    measured keeps the shipped figure, and the source says so.
    """
    rows, older = _rows(machine, device, path or measured_path())
    shipped = _shipped(device)
    if len(rows) < ENOUGH:
        return replace(shipped, source=_left_out(shipped.source, older)) if older else shipped
    pairs = [(_estimate(row["estimate"]), int(row["measured_bytes"])) for row in rows.values()]
    source = text(
        f"corrected by {len(pairs)} cases measured on this machine",
        f"이 장비에서 측정한 {len(pairs)}개 케이스로 보정",
    )
    unmeasured = [text(*words) for words, measured in _measured(pairs) if not measured]
    if unmeasured and shipped is not NO_CORRECTION:
        source += f"; {', '.join(unmeasured)}: {shipped.source}"
    return fitted(pairs, source, shipped)


def _left_out(source: str, older: int) -> str:
    """The source, and that cases of this machine don't count, and why."""
    said = text(
        f"{older} cases measured on this machine before are left out: an earlier version predicted "
        "or measured them in another way",
        f"이 장비에서 전에 측정한 {older}개 케이스는 뺐습니다. 이전 버전은 예측하거나 측정하는 "
        "방식이 달랐습니다",
    )
    return f"{source}{text('; ', '. ')}{said}" if source else said


def _measured(pairs: Sequence[tuple[Estimate, int]]) -> list[tuple[tuple[str, str], bool]]:
    """Which of the three quantities these cases measure: what they are called, and whether."""
    loaded = sum(estimate.moment == "load" for estimate, _ in pairs)
    tuned = sum(estimate.is_tuning for estimate, _ in pairs)
    counts = {("loading", "로드"): loaded, ("answering", "답변"): len(pairs) - tuned - loaded,
              ("tuning", "튜닝"): tuned}  # fmt: skip
    return [(words, count >= OF_A_KIND) for words, count in counts.items()]


def _rows(machine: str, device: str, path: Path) -> tuple[dict[str, JsonDict], int]:
    """This machine's cases, and how many of another form are left out."""
    rows: dict[str, JsonDict] = {}
    older: set[str] = set()
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError:
        return rows, 0
    for line in lines:
        try:
            row = json.loads(line)
            if (row["machine"], row["device"]) == (machine, device):
                if row.get("form") != _FORM:
                    older.add(str(row["case"]))
                    continue
                _estimate(row["estimate"])
                rows[str(row["case"])] = row
        except (ValueError, KeyError, TypeError):
            continue  # a torn line
    return rows, len(older - set(rows))


def _estimate(row: JsonObject) -> Estimate:
    terms = {name: int(count) for name, count in row["terms"].items()}
    return Estimate(terms, int(row["small_bytes"]), str(row["moment"]), str(row["kind"]))


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
    return Correction(
        row["overhead_bytes"],
        row["tuning_bytes"],
        row["kept_share"],
        row["orpo_bytes"],
        row["cases"],
        source,
        row["answering_bytes"],
    )


def fitted(
    pairs: Sequence[tuple[Estimate, int]], source: str = "", unmeasured: Correction = NO_CORRECTION
) -> Correction:
    """Fit the amounts that bring predictions nearest to measurements.

    Args:
        pairs: uncorrected estimates with measured bytes, of several kinds of work.
        source: said with every corrected figure.
        unmeasured: whose figure stays where too few cases of a kind were measured.

    Medians, because one case with a disturbed measurement must not move all predictions; for what a
    tune adds a little more than that. None is below zero: a process holds what its tensors take.
    """
    loaded = [m - e.predicted_bytes for e, m in pairs if e.moment == "load"]
    overhead = max(0.0, median(loaded)) if len(loaded) >= OF_A_KIND else unmeasured.overhead_bytes
    found = replace(unmeasured, overhead_bytes=round(overhead), cases=len(pairs), source=source)
    answered = [
        m - e.predicted_bytes - overhead for e, m in pairs if not e.is_tuning and e.moment != "load"
    ]
    if len(answered) >= OF_A_KIND:
        found = replace(found, answering_bytes=max(0, round(median(answered))))
    tuned = [(e, m - e.predicted_bytes - overhead) for e, m in pairs if e.is_tuning]
    points = [(e.small_bytes, more) for e, more in tuned if e.kind != "orpo"]
    if len(points) >= OF_A_KIND:
        more, share = _line(points)
        found = replace(found, tuning_bytes=max(0, round(more)), kept_share=share)
    left = [
        more - found.tuning_bytes - found.kept_share * e.small_bytes
        for e, more in tuned
        if e.kind == "orpo"
    ]
    by_trl = max(0, round(median(left))) if left else 0
    return replace(found, orpo_bytes=by_trl) if len(left) >= OF_A_KIND else found


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Constant and slope by Theil and Sen: the median of all slopes, and what covers most of the
    points (`_TUNES_WITHIN`) of what they leave.

    A slope below zero would be memory that the heap saves: none.
    """
    slopes = [
        (y2 - y1) / (x2 - x1)
        for n, (x1, y1) in enumerate(points)
        for x2, y2 in points[n + 1 :]
        if abs(x2 - x1) >= _APART
    ]
    slope = max(0.0, median(slopes)) if slopes else 0.0
    left = sorted(y - slope * x for x, y in points)
    # A measured value, not one between two: one of three that is disturbed counts for none.
    return left[int(_TUNES_WITHIN * (len(left) - 1))], slope
