"""Figures of a GPU campaign: predicted against measured, and each group's own.

Predictions are made when this is asked, so that a mended prediction is judged on what was measured
before. What a machine that has measured nothing is told, is what counts here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import median

from benchmarks.run.case import Case
from benchmarks.run.prediction import works
from benchmarks.selfchecks.campaign.items import Item, Row
from model_registry.errors import LoadError
from model_registry.files.json_values import JsonDict
from model_registry.memory.correction import correction_for
from model_registry.memory.fit import is_quick, predict
from model_registry.records import Result, from_json

_NOWHERE = Path("no-cases-measured-here")


def figures(
    rows: Mapping[str, Row], items: Mapping[str, Item], *, trace: bool = False
) -> dict[str, object]:
    """One JSON document: the machine, predicted against measured with its errors, and all rows.

    `trace` follows architectures that are not in the table, for seconds to minutes each.
    """
    capability = rows["environment"].found["machine"].get("capability")
    pairs = [
        pair
        for name, row in rows.items()
        if name in items and isinstance(case := items[name].work, Case)
        for pair in compared(row, case, capability, trace=trace)
    ]
    return {
        "environment": rows["environment"].found,
        "fit": {"pairs": pairs, "errors": errors(pairs)},
        "items": [asdict(row) for row in rows.values()],
    }


def compared(
    row: Row, case: Case, capability: str | None = None, *, trace: bool = False
) -> list[JsonDict]:
    """Predicted and measured bytes of each phase of a case that went well.

    Shrunk weights are left out: nobody is told anything of them.
    """
    if row.status != "ok" or case.contract.scale == "tiny":
        return []
    found = []
    figures = row.found["figures"]
    result = from_json(Result, asdict(case.result("ok")) | {"peaks": row.found["peaks"]})
    correction = correction_for("", case.contract.device, _NOWHERE)
    for phase, work in works(case, figures, capability).items():
        peak = row.found["peaks"].get(phase)
        measured = None if peak is None else result.peak_bytes(phase)
        architecture = case.candidate.architecture
        if measured is None or not (trace or is_quick(architecture, work)):
            continue
        try:
            estimate = predict(architecture, work, correction)
        except LoadError:
            continue
        found.append(
            {
                "item": row.item,
                "phase": phase,
                "kind": work.kind,
                "quantization": work.quantization,
                "length": work.length if phase != "load" else None,
                "predicted_bytes": estimate.predicted_bytes,
                "measured_bytes": measured,
                "reserved_bytes": peak["reserved_bytes"],
                "error_percent": round(100 * (estimate.predicted_bytes / measured - 1), 2),
                "moment": estimate.moment,
                "terms": dict(estimate.terms),
            }
        )
    return found


def errors(pairs: list[JsonDict]) -> dict[str, object]:
    """Median and worst error, of all and by phase; None where nothing was compared."""
    found: dict[str, object] = {"all": _spread(pairs)}
    for phase in ("load", "inference", "replies", "training"):
        found[phase] = _spread([pair for pair in pairs if pair["phase"] == phase])
    return found


def _spread(pairs: list[JsonDict]) -> dict[str, object] | None:
    if not pairs:
        return None
    sizes = [abs(pair["error_percent"]) for pair in pairs]
    worst = max(pairs, key=lambda pair: abs(pair["error_percent"]))
    return {
        "count": len(pairs),
        "median_percent": round(median(sizes), 2),
        "worst_percent": max(sizes),
        "worst_item": worst["item"],
        "lowest_percent": min(pair["error_percent"] for pair in pairs),
    }
