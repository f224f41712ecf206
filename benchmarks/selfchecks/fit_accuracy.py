"""Accuracy of `ohlora fit`: predicted against measured memory, on the cells of the grid.

`python -m benchmarks.selfchecks.fit_accuracy` reads docs/fit_grid.jsonl (see `fit_grid.py`), fits
the correction and writes it, the tables of docs/fit.md and their picture. A figure is judged by a
correction fitted without its architecture, and again without its length. With `--clean` it fits
nothing: the shipped correction judges docs/fit_clean.jsonl. What is not in the table of traces is
followed first, which takes minutes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median

from benchmarks.report.pictures.drawing import FAINT, LIMIT, MARKERS, SERIES, draw
from benchmarks.run.prediction import works
from benchmarks.selfchecks.fit_grid import (
    CLEAN_ARCHITECTURES,
    CLEAN_RAW,
    RAW,
    Cell,
    case_of,
    cells,
    clean_cells,
    measured,
)
from model_registry.memory.correction import correction_for, fitted
from model_registry.memory.fit import NO_CORRECTION, Correction, Estimate, Work, predict
from model_registry.registry import Registry

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "fit.md"
PICTURE = ROOT / "docs" / "images" / "fit.png"
RANKS = (16, 32, 64)
#: What led to a mend is no longer clean.
_MENDED = {"falcon", "gpt_bigcode"}
_CLEAN_GROUPS: dict[str, Collection[str]] = {
    "clean": CLEAN_ARCHITECTURES.keys() - _MENDED,
    "no longer clean, after the mends that they led to": _MENDED,
}


@dataclass(frozen=True, slots=True)
class Pair:
    """One predicted phase of one cell, without correction, and its measured bytes."""

    cell: Cell
    what: str
    work: Work
    plain: Estimate
    measured: int

    def error(self, correction: Correction) -> float:
        """Percent of what was measured; below zero where too little was predicted."""
        predicted = predict(self.cell.values, self.work, correction).predicted_bytes
        return 100 * (predicted / self.measured - 1)


def pairs_of(todo: Sequence[Cell], raw: Path = RAW) -> list[Pair]:
    """What was measured, beside the work it was."""
    return [pair for cell in todo for pair in _pairs_of(cell, raw)]


def _pairs_of(cell: Cell, raw: Path) -> Iterator[Pair]:
    result = measured(raw).get(cell.name)
    if result is None or not result.ok:
        return
    for phase, any_rows in works(case_of(cell), result.figures).items():
        work = replace(
            any_rows, padded=cell.way == "orpo"
        )  # the others' rows are cut to one length
        peak = result.peak_bytes(phase)
        # Every cell loads; those that answer say it once for each architecture.
        if peak is not None and (phase != "load" or cell.way == "inference"):
            what = "load" if phase == "load" else cell.way
            yield Pair(cell, what, work, predict(cell.values, work), peak)


def correction_of(pairs: Sequence[Pair]) -> Correction:
    """Fitted to these pairs."""
    return fitted([(pair.plain, pair.measured) for pair in pairs])


def _architecture(pair: Pair) -> object:
    return pair.cell.architecture


def _length(pair: Pair) -> object:
    return pair.cell.length


#: What is left out of the fit, by its name in the table; the last leaves out whatever has either.
LEFT_OUT: dict[str, tuple[Callable[[Pair], object], ...]] = {
    "its architecture": (_architecture,),
    "its length": (_length,),
    "its architecture and its length": (_architecture, _length),
}


def errors(pairs: Sequence[Pair], *levels: Callable[[Pair], object]) -> list[float]:
    """Each pair's error, by a correction fitted without any pair that shares a level with it."""

    @cache
    def correction_without(left_out: tuple[object, ...]) -> Correction:
        return correction_of(
            [
                pair
                for pair in pairs
                if all(level(pair) != out for level, out in zip(levels, left_out, strict=True))
            ]
        )

    return [
        pair.error(correction_without(tuple(level(pair) for level in levels))) for pair in pairs
    ]


def summary(pairs: Sequence[Pair]) -> str:
    """Median, worst and lowest errors, for each way of leaving out, in Markdown."""
    lines = [
        "| fitted without | figures | median | worst | most too low |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, levels in LEFT_OUT.items():
        lines.append(f"| {name} | {_spread(errors(pairs, *levels))} |")
    uncorrected = [pair.error(NO_CORRECTION) for pair in pairs]
    return "\n".join([*lines, f"| everything (no correction) | {_spread(uncorrected)} |"])


def _spread(found: Sequence[float]) -> str:
    sizes = [abs(error) for error in found]
    lowest = min([*found, 0.0])
    return f"{len(found)} | {median(sizes):.1f} % | {max(sizes):.1f} % | {lowest:.1f} %"


def by_level(pairs: Sequence[Pair]) -> str:
    """The errors of each way, architecture and length, all held out by architecture and length."""
    found = errors(pairs, _architecture, _length)
    lines = [
        "| | figures | median | worst | most too low |",
        "|---|---:|---:|---:|---:|",
    ]
    for level in (lambda pair: pair.what, _architecture, lambda pair: f"{pair.cell.length} tokens"):
        for each in sorted({str(level(pair)) for pair in pairs}, key=_in_order):
            ours = [e for pair, e in zip(pairs, found, strict=True) if str(level(pair)) == each]
            lines.append(f"| {each} | {_spread(ours)} |")
    return "\n".join(lines)


def clean_table(correction: Correction) -> str:
    """Each figure of the clean cells beside its prediction, and a line a group, in Markdown."""
    lines = [
        "| cell | phase | measured (MiB) | predicted (MiB) | error |",
        "|---|---|---:|---:|---:|",
    ]
    pairs = pairs_of(clean_cells(), CLEAN_RAW)
    for pair in pairs:
        error = pair.error(correction)
        mib = pair.measured / 2**20
        told = f"{mib:,.0f} | {mib * (1 + error / 100):,.0f} | {error:+.1f} %"
        lines.append(f"| {pair.cell.name} | {pair.what} | {told} |")
    for name, result in measured(CLEAN_RAW).items():
        if not result.ok:
            lines.append(f"| {name} | {result.status} | | | |")
    heads = ["| | figures | median | worst | most too low |", "|---|---:|---:|---:|---:|"]
    for title, names in _CLEAN_GROUPS.items():
        ours = [pair.error(correction) for pair in pairs if pair.cell.architecture in names]
        heads.append(f"| {title} | {_spread(ours)} |")
    return "\n".join([*heads, "", *lines])


def _in_order(level: str) -> tuple[int, str]:
    number = level.split(" ")[0]
    return (int(number) if number.isdecimal() else 0, level)


def picture(pairs: Sequence[Pair]) -> bytes:
    """Predicted against measured, a colour and a marker for each way, as PNG."""
    from matplotlib.figure import Figure

    found = errors(pairs, _architecture, _length)
    ways = list(dict.fromkeys(pair.what for pair in pairs))

    def plot(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for number, way in enumerate(ways):
            ours = [(p, e) for p, e in zip(pairs, found, strict=True) if p.what == way]
            style = {"color": SERIES[number], "marker": MARKERS[number], "s": 18, "label": way}
            mib = [pair.measured / 2**20 for pair, _ in ours]
            told = [m * (1 + error / 100) for m, (_, error) in zip(mib, ours, strict=True)]
            left.scatter(mib, told, **style)
            right.scatter(mib, [error for _, error in ours], **style)
        most = max(pair.measured for pair in pairs) / 2**20
        left.plot([0, most], [0, most], color=FAINT, linewidth=0.8)
        left.set(xlabel="measured (MiB)", ylabel="predicted (MiB)")
        for edge in (-5, 10):
            right.axhline(edge, color=LIMIT, linewidth=0.8)
        right.axhline(0, color=FAINT, linewidth=0.8)
        right.set(xlabel="measured (MiB)", ylabel="error (%), architecture and length left out")
        left.legend()

    return draw("fit", "Predicted against measured", "", (9.6, 4.2), plot).png


#: Published on a Colab T4, in MB still allocated after the run: rank 16, 32, 64 and answering.
PUBLISHED = {
    "gemma-2-2b-it": (5249, 5553, 5969, 4987),
    "koquality-polyglot-1.3b": (2593, 2629, 2715, 2541),
    "gemma-ko-v01": (5021, 5246, 5694, 4780),
    "polyglot-ko-1.3b": (2593, 2629, 2715, 2541),
    "llama1B": (2503, 2632, 2894, 2358),
    "KoAlpaca-KoRWKV-1.5B": (3083, 3245, 3572, 2905),
    "FinguAI-Chat-v1": (1009, 1096, 1269, 906),
}


def published_table() -> str:
    """Predictions beside the published figures of the seven, in Markdown."""
    lines = [
        "| candidate | r16 | r32 | r64 | answering | published r16 / r32 / r64 / answering |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, published in PUBLISHED.items():
        values = Registry().candidate(name).architecture
        tuned = Work(kind="lora", batch=4, length=64, kept=32)
        asked = [replace(tuned, rank=rank) for rank in RANKS]
        asked.append(Work(kind="inference", length=80, new_tokens=40))
        figures = [f"{predict(values, work).predicted_bytes / 2**20:,.0f}" for work in asked]
        given = " / ".join(f"{figure:,}" for figure in published)
        lines.append(f"| {name} | {' | '.join(figures)} | {given} |")
    return "\n".join(lines)


def write_table(text: str, page: Path, name: str) -> None:
    """Put a table between its marks in a page."""
    begin, end = f"<!-- {name}: generated -->", f"<!-- {name}: end -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def write_correction(found: Correction, name: object) -> None:
    """Keep what was fitted as the default for machines that have measured nothing."""
    row = {
        "machine": name,
        "cases": found.cases,
        "overhead_bytes": found.overhead_bytes,
        "answering_bytes": found.answering_bytes,
        "tuning_bytes": found.tuning_bytes,
        "kept_share": round(found.kept_share, 3),
        "orpo_bytes": found.orpo_bytes,
    }
    path = ROOT / "model_registry" / "memory" / "correction.json"
    path.write_text(json.dumps({"cpu": row}, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Judge the grid, or what was never fitted on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clean", action="store_true", help="what was never fitted on, alone")
    if not parser.parse_args().clean:
        _judge_grid()
        return
    text = clean_table(correction_for("", "cpu"))  # of no machine's own cases: as it is shipped
    write_table(text, PAGE, "clean")
    print(text)


def _judge_grid() -> None:
    """Judge, and write the tables, the picture and the correction."""
    pairs = pairs_of(cells())
    facts = next(result.machine for result in measured().values() if result.machine)
    found = correction_of(pairs)
    write_correction(found, facts.get("name"))
    failed = sum(not result.ok for result in measured().values())
    words = (
        f"Measured on: {facts.get('name')}, {facts.get('cores')} cores, CPU, fp32, one thread; "
        f"{len(measured())} cells, {failed} of them without a figure. The correction fitted on all "
        f"of them: {found.overhead_bytes / 2**20:.0f} MiB for the process, "
        f"{found.answering_bytes / 2**20:.0f} MiB more for one that answers and "
        f"{found.tuning_bytes / 2**20:.0f} MiB more for one that tunes, "
        f"{found.orpo_bytes / 2**20:.0f} MiB beside where TRL does it, and "
        f"{found.kept_share:.2f} of what lies in pieces smaller than 1 MiB."
    )
    shown = "![Predicted against measured](images/fit.png)"
    text = "\n\n".join([words, summary(pairs), shown, by_level(pairs)])
    PICTURE.write_bytes(picture(pairs))
    write_table(text, PAGE, "accuracy")
    write_table(published_table(), PAGE, "published")
    print(text)


if __name__ == "__main__":
    main()
