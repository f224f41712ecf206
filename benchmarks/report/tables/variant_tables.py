"""Table of variants: each one's cost and effect beside the study's first one."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.report.evidence import Evidence
from benchmarks.report.report_texts import sentence
from benchmarks.report.tables.main_table import case_cell, name_cell, peak_megabytes
from benchmarks.report.tables.table_cells import (
    Cell,
    Column,
    Table,
    fixed,
    make_table,
    megabytes,
    missing,
)
from benchmarks.results.case_figures import share_of, step_seconds, training_seconds
from benchmarks.results.run import TuningMethod
from model_registry.language import text
from model_registry.records import Result

PHASE = "training"


def variants_of(evidence: Evidence, name: str) -> list[TuningMethod]:
    """A candidate's variants as the study orders them: the first is what others compare with."""
    run = evidence.run
    return [tune for tune in run.tunes if tune.is_variant and run.asks(name, tune)]


def variants_table(evidence: Evidence) -> Table | None:
    """Each variant's cost, how many times less than the first one's, and what the tune did."""
    if not any(variants_of(evidence, name) for name in evidence.candidates):
        return None
    time, memory = text("Tuning time", "튜닝 시간"), text("Tuning peak", "튜닝 최대 메모리")
    loss, valid = text("Training loss", "학습 손실"), text("Validation loss", "검증 손실")
    columns = [
        Column(text("Candidate", "후보"), numeric=False, key="candidate"),
        Column(text("Variant", "변형"), numeric=False, key="variant"),
        Column(text("all steps", "전체"), time, "s"),
        Column(text("a step", "스텝당"), time, "s", key="step_seconds"),
        Column(text("of the first", "첫 변형 대비"), time, key="time_share"),
        Column(text("held", "사용량"), memory, "MB", key="peak"),
        Column(text("of the first", "첫 변형 대비"), memory, key="memory_share"),
        Column(text("first", "처음"), loss),
        Column(text("last", "끝"), loss, key="last_loss"),
        Column(text("before", "튜닝 전"), valid),
        Column(text("after", "튜닝 후"), valid),
    ]
    rows = [
        [name_cell(evidence, name), Cell(tune.label), *_cells(evidence, name, tune)]
        for name in evidence.candidates
        for tune in variants_of(evidence, name)
    ]
    ends_early = evidence.run.head.contract.get("patience")
    note = sentence("first_variant_with_patience" if ends_early else "first_variant")
    return make_table(columns, rows, note)


def _cells(evidence: Evidence, name: str, tune: TuningMethod) -> list[Cell]:
    case = evidence.run.tuning(name, tune)
    first = evidence.run.tuning(name, variants_of(evidence, name)[0])
    figures = case.figures if case and case.ok else {}
    seconds = training_seconds(case)
    losses = ("loss_first", "loss_last", "validation_loss_before", "validation_loss_after")
    return [
        case_cell(case, seconds),
        case_cell(case, step_seconds(case)),
        _share(case, first, seconds, training_seconds(first)),
        case_cell(case, peak_megabytes(case, PHASE)),
        _share(case, first, peak_megabytes(case, PHASE), peak_megabytes(first, PHASE)),
        *(case_cell(case, figures.get(loss)) for loss in losses),
    ]


def _share(
    case: Result | None, first: Result | None, mine: float | None, firsts: float | None
) -> Cell:
    """0.27 (3.7 times less), or why there is none."""
    if case is None or not case.ok:
        return case_cell(case, None)
    if first is None or not first.ok:
        status = first.status if first else text("not run", "미실행")
        return missing("—", text(f"the first variant: {status}", f"첫 변형: {status}"))
    share = share_of(mine, firsts)
    if share is None:
        return missing(text("not measured", "측정 안 됨"))
    return Cell(f"{share:.2f}", "number", share)


def headline(evidence: Evidence) -> list[str]:
    """One sentence for each variant but the first, comparing it with the first."""
    return [
        line
        for name in evidence.candidates
        for line in _sentences(evidence, name, variants_of(evidence, name))
    ]


def _sentences(evidence: Evidence, name: str, variants: list[TuningMethod]) -> Iterator[str]:
    if len(variants) < 2:
        return
    first, shown = evidence.run.tuning(name, variants[0]), evidence.shown(name)
    for tune in variants[1:]:
        case = evidence.run.tuning(name, tune)
        if case is None:
            continue
        if not case.ok:
            yield f"{shown}, {tune.label}: {case.status}."
        elif first is not None and not first.ok:
            peak = megabytes(case.peak_bytes(PHASE))
            held = f" ({fixed(peak, 0)} MB)" if peak is not None else ""
            yield text(
                f"{shown}: {variants[0].label} ends as {first.status}; {tune.label} runs{held}.",
                f"{shown}: {variants[0].label}은(는) {first.status}, {tune.label}은(는) "
                f"실행됩니다{held}.",
            )
        else:
            yield from _ratios(shown, variants[0].label, first, tune.label, case)


def _ratios(
    shown: str, first_label: str, first: Result | None, label: str, case: Result
) -> Iterator[str]:
    seconds, firsts = training_seconds(case), training_seconds(first)
    peak, first_peak = case.peak_bytes(PHASE), first.peak_bytes(PHASE) if first else None
    if not seconds or not firsts or not peak or not first_peak:
        return
    faster, share = share_of(firsts, seconds), share_of(peak, first_peak)
    held, first_held = (fixed(megabytes(size), 0) for size in (peak, first_peak))
    yield text(
        f"{shown}: {label} takes {seconds:,.1f} s where {first_label} takes {firsts:,.1f} s "
        f"({faster:.2f} times as fast), and {held} MB where it takes {first_held} MB "
        f"({share:.2f} of it).",
        f"{shown}: {label} {seconds:,.1f}초, {first_label} {firsts:,.1f}초(속도 {faster:.2f}배). "
        f"최대 메모리 {held} MB, {first_label} {first_held} MB({share:.2f}배).",
    )
