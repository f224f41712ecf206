"""Tables of record: failures, licences, rejected candidates, the contract and the machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.report.evidence import Evidence
from benchmarks.report.report_texts import sentence
from benchmarks.report.tables.main_table import name_cell
from benchmarks.report.tables.table_cells import (
    Cell,
    Column,
    Table,
    make_table,
    megabytes,
    missing,
    number,
)
from benchmarks.results.run_head import CandidateRow
from benchmarks.workloads.workload import workload_called
from model_registry.language import text
from model_registry.licenses.remark_words import remark_words
from model_registry.messages.notes import all_words
from model_registry.selection import Override
from model_registry.statuses import status_called


def failures_table(evidence: Evidence) -> Table:
    """Every case that failed: how, where, and what would help."""
    columns = [
        Column(text("Case", "케이스"), numeric=False, mono=True),
        Column(text("Status", "상태"), numeric=False),
        Column(text("Stage", "단계"), numeric=False),
        Column(text("Message", "메시지"), numeric=False, mono=True),
        Column(text("What would help", "해결 방법"), numeric=False),
    ]
    rows = [
        [
            Cell(case.case, under=evidence.stand_in(case.candidate)),
            Cell(case.status, "failed", under=status_called(case.status).words),
            Cell(case.stage or "—"),
            Cell(case.shown or text("nothing was said", "메시지 없음")),
            Cell(case.cure.words if case.cure else status_called(case.status).cure),
        ]
        for case in evidence.failures
    ]
    return make_table(columns, rows)


def cases_table(evidence: Evidence) -> Table:
    """Every case of the run as it ended, whatever its workload and settings."""
    columns = [
        Column(text("Case", "케이스"), numeric=False, mono=True),
        Column(text("Status", "상태"), numeric=False),
        Column(text("Loading", "불러오기"), unit="s"),
        Column(text("Work", "작업"), unit="s"),
        Column(text("Peak", "최대 메모리"), unit="MB"),
        Column(text("Steps", "스텝")),
        Column(text("Tokens", "토큰")),
    ]
    rows = []
    for case in evidence.results:
        phase = workload_called(case.workload).main_phase
        figures = (case.seconds.get("load"), case.seconds.get(phase),
                   megabytes(case.peak_bytes(phase)), case.steps, case.tokens)  # fmt: skip
        status = Cell(case.status) if case.ok else Cell(case.status, "failed")
        cells = (number(value, missing("—")) for value in figures)
        rows.append([Cell(case.case, under=evidence.stand_in(case.candidate)), status, *cells])
    return make_table(columns, rows)


def licences_table(evidence: Evidence) -> Table:
    """Each candidate's licence, and who accepted one that is not free."""
    words = {
        "yes": text("free", "자유"),
        "no": text("not free", "자유 아님"),
        "conditional": text("conditional", "조건부"),
        "unknown": text("unknown, verify", "모름, 확인 필요"),
    }
    overrides = {entry.candidate: entry for entry in evidence.head.overrides}
    columns = [
        Column(text("Candidate", "후보"), numeric=False),
        Column(text("Licence", "라이선스"), numeric=False),
        Column(text("Free?", "자유 여부"), numeric=False),
        Column(text("Read where", "확인한 곳"), numeric=False),
        Column(text("Override", "예외"), numeric=False),
    ]
    rows = [
        [
            Cell(name, "name", under=row.hub_id or evidence.stand_in(name)),
            Cell(row.license),
            Cell(words.get(row.license_free, row.license_free)),
            _licence_source(row),
            _override(overrides.get(name)),
        ]
        for name, row in evidence.candidates.items()
    ]
    return make_table(columns, rows)


def _licence_source(row: CandidateRow) -> Cell:
    if not row.license_source:
        return missing(text("not recorded", "기록 없음"))
    return Cell(row.license_source, under=row.license_read_on or "")


def _override(entry: Override | None) -> Cell:
    if entry is None:
        return missing("—")
    by = text("decided by", "결정한 사람")
    return Cell(entry.reason, under=f"{by}: {entry.decided_by}")


def rejected_table(evidence: Evidence) -> Table:
    """Candidates that the study refused, and those of the run that can't be chosen, with why."""
    columns = [
        Column(text("Candidate", "후보"), numeric=False),
        Column(text("Refused", "제외 시점"), numeric=False),
        Column(text("Reason", "이유"), numeric=False),
    ]
    before, after = text("before the run", "실행 전"), text("by the decision", "결정에서")
    rows = [
        [Cell(each.name, "name"), Cell(before), Cell(all_words(each.reasons))]
        for each in evidence.head.rejected
    ]
    rows += [
        [name_cell(evidence, name), Cell(after), Cell(reason.words)]
        for name, reason in evidence.rejected.items()
    ]
    return make_table(columns, rows)


def contract_table(evidence: Evidence) -> Table:
    """Every field of the fairness contract, and what the study varies on purpose."""
    columns = [
        Column(text("Field", "항목"), numeric=False, mono=True),
        Column(text("Value", "값"), numeric=False, mono=True),
    ]
    fields = [(name, remark_words(str(value))) for name, value in evidence.head.contract.items()]
    fields.append(("varies", ", ".join(evidence.head.varies)))
    note = sentence("contract_hash")
    return make_table(columns, [[Cell(name), Cell(value)] for name, value in fields], note)


def measuring_table(evidence: Evidence) -> Table:
    """How each figure was measured: by phase, with the method that the results name."""
    methods: dict[str, dict[str, int]] = {}
    for result in evidence.results:
        for phase, peak in result.peaks.items():
            counts = methods.setdefault(phase, {})
            counts[peak.method] = counts.get(peak.method, 0) + 1
    columns = [
        Column(text("Phase", "단계"), numeric=False, mono=True),
        Column(text("Peak memory by", "최대 메모리 측정 방법"), numeric=False),
        Column(text("Cases", "케이스")),
    ]
    rows = [
        [Cell(phase), Cell(remark_words(method)), Cell(str(count), "number", count)]
        for phase, counts in methods.items()
        for method, count in counts.items()
    ]
    return make_table(columns, rows, sentence("how_measured"))


def machine_table(evidence: Evidence) -> Table:
    """The machines and versions behind the results; several where a run moved."""
    seen: dict[str, tuple[Mapping[str, object], Mapping[str, str]]] = {}
    for result in evidence.results:
        if result.machine or result.versions:
            lasting = {k: v for k, v in result.machine.items() if k != "available_bytes"}
            seen.setdefault(f"{lasting} {result.versions}", (lasting, result.versions))
    columns = [
        Column(text("What", "항목"), numeric=False, mono=True),
        Column(text("Value", "값"), numeric=False),
    ]
    rows = []
    for machine, versions in seen.values():
        for name, value in {**machine, **versions}.items():
            if value is not None:
                rows.append([Cell(name), Cell(_fact(name, value))])
    return make_table(columns, rows)


def _fact(name: str, value: Any) -> str:
    if name.endswith("_bytes"):
        return f"{value / 2**30:.1f} GB"
    if isinstance(value, bool):
        return text("yes", "예") if value else text("no", "아니요")
    return str(value)
