"""The quantisation table: what it saves and costs beside plain weights, and a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.report.evidence import Evidence
from benchmarks.report.report_texts import sentence
from benchmarks.report.tables.main_table import about_replies, case_cell, name_cell, peak_megabytes
from benchmarks.report.tables.table_cells import (
    Cell,
    Column,
    Table,
    fixed,
    make_table,
    megabytes,
    missing,
)
from benchmarks.results.comparisons.quantised_pairs import (
    LEAST_SAVED,
    LEAST_SPEED,
    MOST_QUALITY_LOST,
    QuantizationComparison,
    compare,
    verdict_of,
)
from benchmarks.results.run import quantization
from benchmarks.results.setting import PLAIN
from benchmarks.workloads.workload import workload_called
from model_registry.language import text
from model_registry.records import Result
from model_registry.statuses import status_words


def verdict_words(found: QuantizationComparison) -> tuple[str, str]:
    """Whether quantisation is needed here, helps, or is not worth it; and why."""
    verdict = verdict_of(found)
    plain = verdict.code in ("does_not_run", "needed")  # their reason is a case's status
    why = ", ".join(
        status_words(code) if plain else sentence(f"because_{code}") for code in verdict.reasons
    )
    if verdict.code == "needed":
        why = f"{text('plain', '원래')}: {why}"
    return sentence(f"verdict_{verdict.code}"), why


def comparisons(evidence: Evidence) -> list[QuantizationComparison]:
    """Every quantised case of a run beside its plain partner, candidate by candidate."""
    return [compare(evidence.run, r) for r in evidence.results if quantization(r) != PLAIN]


def headline(evidence: Evidence) -> Iterator[str]:
    """One line a candidate: which quantisations of which work are needed, help, or do not."""
    lines: dict[str, dict[str, dict[str, None]]] = {}
    for found in comparisons(evidence):
        what = quantization(found.quantised)
        work = workload_called(found.quantised.workload)
        if work.tunes:
            what = text(f"{work.en} on {what}", f"{what} {work.ko}")
        by_verdict = lines.setdefault(found.quantised.candidate, {})
        by_verdict.setdefault(verdict_words(found)[0], {})[what] = None  # once, whatever the rank
    for name, by_verdict in lines.items():
        told = "; ".join(f"{word}: {', '.join(what)}" for word, what in by_verdict.items())
        yield f"{evidence.shown(name)} — {told}."


def ledger_table(evidence: Evidence) -> Table | None:
    """What quantisation saves and costs, beside the plain case of the same work."""
    found = comparisons(evidence)
    if not found:
        return None
    memory, quality = text("Peak memory", "최대 메모리"), text("Quality", "품질")
    plain, quantized = text("plain", "원래"), text("quantised", "양자화")
    columns = [
        Column(text("Candidate", "후보"), numeric=False),
        Column(text("Work", "작업"), numeric=False),
        Column(text("Weights", "가중치"), numeric=False),
        Column(text("Bytes a parameter", "파라미터당 바이트"), numeric=False),
        Column(plain, memory, "MB"),
        Column(quantized, memory, "MB"),
        Column(text("saved", "절약"), memory, "MB"),
        Column(text("Speed", "속도")),
        Column(plain, quality),
        Column(quantized, quality),
        Column(text("Verdict", "판정"), numeric=False),
    ]
    return make_table(columns, [_ledger_row(evidence, each) for each in found], _rule())


def _rule() -> str:
    saved, lost, speed = f"{LEAST_SAVED:.0%}", f"{MOST_QUALITY_LOST:g}", f"{LEAST_SPEED:g}"
    return sentence("quantisation_rule", saved=saved, lost=lost, speed=speed)


def _ledger_row(evidence: Evidence, found: QuantizationComparison) -> list[Cell]:
    plain, case, phase = found.plain, found.quantised, found.phase
    word, why = verdict_words(found)
    return [
        name_cell(evidence, case.candidate),
        Cell(_work_words(case)),
        Cell(quantization(case)),
        _proof(case),
        case_cell(plain, peak_megabytes(plain, phase)),
        replace(case_cell(case, peak_megabytes(case, phase)), under=""),
        _saved(found),
        missing("—") if found.speed is None else Cell(f"{found.speed:.2f}×", "number", found.speed),
        _quality_cell(evidence, found.quality_plain),
        _quality_cell(evidence, found.quality_quantised, found.quality_change),
        Cell(word, under=why),
    ]


def _work_words(case: Result) -> str:
    work, rank = workload_called(case.workload), case.settings.get("rank")
    return f"{work.words}, LoRA r{rank}" if work.tunes else work.words


def _proof(case: Result) -> Cell:
    """Bytes a parameter before and after, and which classes hold the weights now."""
    proof = case.figures.get("quantization")
    if not proof:
        return missing("—", text("not applied", "적용되지 않음"))
    classes = proof["modules_after"]
    quantized = {
        name.rpartition(".")[2]: n for name, n in classes.items() if name != "torch.Linear"
    }
    total = sum(classes.values())
    held = ", ".join(
        text(f"{count} of {total} {name}", f"{total}개 중 {count}개 {name}")
        for name, count in quantized.items()
    )
    before, after = proof["bytes_per_parameter_before"], proof["bytes_per_parameter_after"]
    return Cell(f"{before:.2f} → {after:.2f}", under=held)


def _saved(found: QuantizationComparison) -> Cell:
    share, saved = found.saved_share, megabytes(found.saved_bytes)
    ran = found.quantised.ok and found.plain is not None and found.plain.ok
    if share is None or saved is None or not ran:
        return missing("—")
    digits = 0 if abs(saved) >= 1000 else 1
    return Cell(fixed(saved, digits), "number", saved, under=_signed(share, "%"))


def _signed(value: float, unit: str = "") -> str:
    """A change, as a whole percentage or with two digits; zero has no sign."""
    words = f"{value:.0%}" if unit else f"{value:+.2f}"
    nothing = not float(words.rstrip("%"))
    return (words.lstrip("+-") if nothing else words).replace("-", "\u2212")


def _quality_cell(evidence: Evidence, value: float | None, change: float | None = None) -> Cell:
    if value is None:
        return about_replies(evidence, missing(text("no score", "점수 없음")))
    under = "" if change is None else _signed(change)
    return Cell(f"{value:.2f}", "number", value, under=under)
