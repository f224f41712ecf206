"""Writes docs/gpu.md from a campaign's figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from model_registry.files.json_values import JsonDict

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "gpu.md"
RAW = ROOT / "docs" / "gpu_campaign.json"

Figures = JsonDict
_YES = {True: "yes", False: "no"}

_INTRODUCTION = """# On a graphics card · 그래픽 카드에서 잰 값

    python -m benchmarks.selfchecks.gpu_campaign --minutes 9 --out DIR

measures on any CUDA machine what this page tells, with random weights at full size and without a
network, the most telling first; the same command goes on where it stopped. This page is written
from [gpu_campaign.json](gpu_campaign.json) by `--minutes 0 --page`, so that every number in it
was measured. Predictions are those of `ohlora fit` on a machine that has measured nothing.
"""


def write(figures: Figures, page: Path = PAGE, raw: Path = RAW) -> Path:
    """Write the page, and beside it the figures that it is written from."""
    raw.write_text(compact(figures), encoding="utf-8")
    page.write_text(text(figures), encoding="utf-8")
    return page


def compact(figures: Figures) -> str:
    """The figures as JSON, an item and a pair a line."""
    environment, notes, errors = (
        json.dumps(part, ensure_ascii=False)
        for part in (
            figures["environment"], figures.get("notes", []), figures["fit"]["errors"],
        )
    )  # fmt: skip
    pairs, items = _list(figures["fit"]["pairs"]), _list(figures["items"])
    return (
        f'{{\n"environment": {environment},\n"notes": {notes},\n'
        f'"fit": {{"errors": {errors},\n"pairs": {pairs}}},\n"items": {items}\n}}\n'
    )


def _list(rows: Sequence[object]) -> str:
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]"


def text(figures: Figures) -> str:
    """The whole page. A section whose items were not done says so."""
    found = {row["item"]: row for row in figures["items"]}
    parts = [_INTRODUCTION, _machine(figures["environment"])]
    parts += [f"{note}\n" for note in figures.get("notes", [])]
    for title, section in SECTIONS:
        body = section(found, figures)
        parts.append(f"## {title}\n\n{body or 'Not measured in this campaign.'}\n")
    return "\n".join(parts)


def _machine(environment: Figures) -> str:
    machine, versions = environment["machine"], environment["versions"]
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    missing = ", ".join(environment["missing"]) or "nothing"
    precision = environment["dtypes"]
    bf16 = "emulates bf16" if environment["bf16_emulated"] else (
        "computes in bf16 itself" if machine["native_bf16"] else "has no bf16")  # fmt: skip
    return (
        f"Measured on: {machine['name']}, {_gib(machine['memory_bytes'])} GiB, driver "
        f"{machine.get('driver') or '–'}, {machine['cores']} cores; {named}. Not installed: "
        f"{missing}. It {bf16}: `auto` is {precision['auto']}, `half` is {precision['half']}.\n"
    )


def _fit(found: Figures, figures: Figures) -> str:
    errors = figures["fit"]["errors"]
    rows = [
        [phase, f"{e['count']}", f"{e['median_percent']:.2f} %", f"{e['worst_percent']:.2f} %",
         f"{e['lowest_percent']:+.2f} %", e["worst_item"].removeprefix("fit/")]
        for phase, e in errors.items() if e is not None
    ]  # fmt: skip
    if not rows:
        return ""
    pairs = [pair for pair in figures["fit"]["pairs"] if pair["phase"] != "load"]
    each = [
        [pair["item"].removeprefix("fit/"), pair["phase"], _mib(pair["predicted_bytes"]),
         _mib(pair["measured_bytes"]), _mib(pair["reserved_bytes"]),
         f"{pair['error_percent']:+.2f} %"]
        for pair in pairs
    ]  # fmt: skip
    head = ["phase", "figures", "median error", "worst", "furthest below", "worst case"]
    cases = ["case", "phase", "predicted", "measured", "reserved", "error"]
    return (
        f"{_table(head, rows)}\n\nIn MiB: `torch.cuda.max_memory_allocated` is what is predicted; "
        "what the allocator reserved for it is told beside. Four rows a step; the last number of a "
        f"case is its tokens a row.\n\n{_table(cases, each)}"
    )


def _peers(found: Figures, figures: Figures) -> str:
    done = {name: row["found"] for name, row in _of("peers", found) if row["status"] == "ok"}
    sides = {n.partition("/")[2]: f for n, f in done.items() if "step_seconds" in f}
    ours = sides.get("ours")
    if ours is None:
        return ""
    rows = [
        [name, f"{1000 * side['step_seconds']:.1f}", _mib(side["allocated_bytes"]),
         _mib(side["reserved_bytes"]), f"{ours['step_seconds'] / side['step_seconds']:.2f}",
         _ratio(ours["allocated_bytes"], side["allocated_bytes"]), f"{side['loss_last']:.3f}"]
        for name, side in sides.items()
    ]  # fmt: skip
    head = [
        "loop", "ms a step", "peak MiB", "reserved MiB", "our time ÷", "our peak ÷", "last loss",
    ]  # fmt: skip
    missing = [
        f"{name.partition('/')[2]} ({', '.join(f['missing'])} is missing)"
        for name, f in done.items() if "missing" in f
    ]  # fmt: skip
    left = f"\n\nNot done: {'; '.join(missing)}." if missing else ""
    return (
        "A Llama of 0.5 B parameters with 262,144 tokens, 4 rows of 512 tokens, all of them "
        "labelled, LoRA of rank 16, no checkpointing, the same rows in the same order and "
        f"precision; memory in MiB.\n\n{_table(head, rows)}{left}"
    )


def _starts(found: Figures, figures: Figures) -> str:
    rows = []
    for name, row in _of("start", found):
        f = row["found"]
        initialised = _YES.get(f.get("initialised_before"), "–")
        seconds = [_seconds(f.get(key)) for key in ("start_seconds", "first_product_seconds")]
        rows.append([name.partition("/")[2], row["status"], initialised, *seconds])
    starts: dict[str, list[float]] = {}
    for row in found.values():
        figures_of = row["found"].get("figures") or {}
        if figures_of.get("start_seconds") is not None:
            method = str(figures_of["start_method"])
            starts.setdefault(method, []).append(figures_of["start_seconds"])
    told = "; ".join(
        f"{len(s)} cases by {method}, {sorted(s)[len(s) // 2]:.2f} s in the median"
        for method, s in starts.items()
    )
    head = ["worker", "ended", "CUDA was initialised", "seconds to start", "first product"]
    return f"{_table(head, rows)}\n\nCases: {told}." if rows else ""


def _accounts(found: Figures, figures: Figures) -> str:
    row = found.get("accounts/driver", {"found": {}})["found"]
    rows = [
        [name, _mib(a.get("allocated_bytes")), _mib(a.get("reserved_bytes")),
         _mib(a.get("process_bytes")), _mib(a.get("context_bytes")), _mib(a.get("card_used_bytes"))]
        for name, a in row.get("steps", {}).items()
    ]  # fmt: skip
    if not rows:
        return ""
    kept = found.get("accounts/libraries", {"found": {}})["found"].get("kept_bytes", {})
    steps = ", ".join(f"{_mib(count)} after {name}" for name, count in kept.items())
    head = ["", "allocated", "reserved", "driver's figure", "beyond reserved", "whole card"]
    return (
        f"In MiB, around 1 GiB that is held.\n\n{_table(head, rows)}\n\nWhat libraries keep in "
        f"torch's allocator, in MiB: {steps}."
    )


def _windows(found: Figures, figures: Figures) -> str:
    rows = []
    for name, row in _of("windows", found):
        peaks = row["found"].get("peaks")
        if peaks:
            moments = ", ".join(f"{moment} {_mib(count)}" for moment, count in peaks.items())
            rows.append([name.partition("/")[2], _mib(row["found"]["resident"]), moments])
    return _table(["case", "resident", "highest, by moment of a step"], rows) if rows else ""


def _limits(found: Figures, figures: Figures) -> str:
    rows = [
        [name.partition("/")[2], row["status"], row["found"].get("stage") or "–"]
        for name, row in _of("limit", found)
    ]
    told = _table(["wanted status", "status", "phase"], rows) if rows else ""
    context = found.get("full card/context", {"found": {}})["found"].get("cases", {})
    kept = [
        [name, _YES.get(case["recognised"], "–"), _YES.get(case["works_after"], "–"),
         case["said"] or "nothing"]
        for name, case in context.items()
    ]  # fmt: skip
    if kept:
        head = ["out of memory", "known as that", "the process works after it", "it said"]
        told += f"\n\n{_table(head, kept)}"
    full = found.get("full card/cases", {"found": {}})["found"].get("statuses", {})
    more = [[name, status, stage or "–"] for name, (status, stage, _) in full.items()]
    if not more:
        return told
    return (
        f"{told}\n\nOn a card that another process fills but for so much:\n\n"
        f"{_table(['left', 'status', 'phase'], more)}"
    )


def _products(found: Figures) -> str:
    """What was measured of the card's precisions, in one sentence."""
    row = found.get("precision/products", {"found": {}})["found"]
    speeds = row.get("operations_per_second")
    if not speeds:
        return ""
    each = ", ".join(f"{name} {speed / 1e12:.2f}" for name, speed in speeds.items())
    emulated = {True: "emulated", False: "its own"}.get(row["emulated_bf16"], "not asked")
    return f"\n\nA matrix product, in 10¹² operations a second: {each}; its bf16 is {emulated}."


def _speeds(found: Figures, figures: Figures) -> str:
    rows = [
        [name, row["status"], _seconds(_step_seconds(row)), _peak(row)]
        for group in ("precision", "before and after")
        for name, row in _of(group, found)
        if "phase_seconds" in row["found"]
    ]
    head = ["case", "status", "seconds a step", "peak MiB"]
    return f"{_table(head, rows)}{_products(found)}" if rows else ""


def _replies(found: Figures, figures: Figures) -> str:
    rows = [
        [name.partition("/")[2], f"{f['replies']}", f"{f['tokens']}",
         _seconds(f["single_seconds"]), _seconds(f["batch_seconds"]), f"{f['ratio']:.1f}",
         f"{f['differing']}"]
        for name, row in _of("replies", found) if "ratio" in (f := row["found"])
    ]  # fmt: skip
    head = ["model", "replies", "tokens", "one by one", "in a batch", "times as fast", "differ"]
    return _table(head, rows) if rows else ""


def _commands(found: Figures, figures: Figures) -> str:
    rows = [
        [name.partition("/")[2], f"{f['tune']['exit_status']}", f"{f['ask']['exit_status']}",
         str(f["dtype"])]
        for name, row in _of("commands", found) if "tune" in (f := row["found"])
    ]  # fmt: skip
    return _table(["model", "`tune` ended with", "`ask`", "tuned in"], rows) if rows else ""


SECTIONS: tuple[tuple[str, Callable[[Figures, Figures], str]], ...] = (
    ("Predicted and measured memory", _fit),
    ("A step beside others", _peers),
    ("The moments of a step", _windows),
    ("Precisions, and before and after lightweighting", _speeds),
    ("Replies", _replies),
    ("What the commands load", _commands),
    ("Memory that runs out", _limits),
    ("Starting a case", _starts),
    ("Accounts", _accounts),
)


def _of(group: str, found: Figures) -> Iterable[tuple[str, Any]]:
    return [(name, row) for name, row in found.items() if name.partition("/")[0] == group]


def _step_seconds(row: Figures) -> float | None:
    seconds, steps = (
        row["found"].get("phase_seconds", {}).get("training"),
        row["found"].get("steps"),
    )
    return seconds / steps if seconds and steps else None


def _peak(row: Figures) -> str:
    peak = row["found"].get("peaks", {}).get("training") or {}
    return _mib(peak.get("allocated_bytes") or peak.get("process_bytes"))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _ratio(one: int | None, other: int | None) -> str:
    return f"{one / other:.2f}" if one and other else "–"


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f} s"


def _mib(count: int | None) -> str:
    return "–" if count is None else f"{count / 2**20:,.0f}"


def _gib(count: int | None) -> str:
    return "–" if count is None else f"{count / 2**30:.1f}"
