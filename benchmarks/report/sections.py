"""The sections of a report in order, the same for every format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.report.evidence import Evidence
from benchmarks.report.report_texts import sentence
from benchmarks.report.tables.asking_tables import asked_backends, asking_table
from benchmarks.report.tables.benchmark_table import benchmark_table
from benchmarks.report.tables.detail_tables import (
    answering_table,
    criteria_table,
    evaluators_table,
    tuning_table,
)
from benchmarks.report.tables.grade_tables import grades_table, joined_table, raters_table
from benchmarks.report.tables.memory_tables import prediction_table
from benchmarks.report.tables.quantisation_ledger import ledger_table
from benchmarks.report.tables.record_tables import (
    cases_table,
    contract_table,
    licences_table,
    machine_table,
    measuring_table,
    rejected_table,
)
from benchmarks.report.tables.table_cells import Table
from model_registry.language import text
from model_registry.records import Reply

SAMPLES = 6  # prompts whose replies stand in the report


@dataclass(frozen=True, slots=True)
class Part:
    """One collapsible part of a section."""

    title: str
    table: Table | None = None
    before: str = ""
    source: str = ""
    open: bool = False
    wide: bool = False

    @property
    def is_filled(self) -> bool:
        """Whether it has anything to show."""
        return bool(self.source or (self.table and self.table.rows))


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and its parts; parts without rows are left out."""

    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A candidate's greedy reply before and after the tune; None where there is none."""

    name: str
    label: str
    before: Reply | None
    after: Reply | None


@dataclass(frozen=True, slots=True)
class Sample:
    """One prompt and all candidates' replies to it."""

    prompt: str
    rows: tuple[SampleRow, ...]


def sections(evidence: Evidence) -> list[Section]:
    """All sections of a report after the main table."""
    parts_of = {
        text("How it was decided", "결정 방법"): _deciding,
        text("Quantisation", "양자화"): _quantising,
        text("Quality and tuning", "품질과 튜닝"): _quality,
        text("Memory", "메모리"): _memory,
        text("Candidates and licences", "후보와 라이선스"): _candidates,
        text("How it was measured", "측정 방법"): _measuring,
    }
    found = [
        Section(title, tuple(part for part in parts(evidence) if part.is_filled))
        for title, parts in parts_of.items()
    ]
    return [section for section in found if section.parts]


def _deciding(evidence: Evidence) -> Iterator[Part]:
    title = text("Criteria, weights and values", "기준, 비중, 값")
    yield Part(title, criteria_table(evidence), wide=True, open=True)


def _quantising(evidence: Evidence) -> Iterator[Part]:
    if evidence.compares:  # it is what was found: it stands further up
        return
    title = text("What it saves and costs", "이득과 비용")
    yield Part(title, ledger_table(evidence), wide=True, open=True)


def _quality(evidence: Evidence) -> Iterator[Part]:
    if any(evidence.run.scores_by_candidate.values()):
        title = text("Evaluators before and after", "튜닝 전후의 평가")
        noise = text("Random weights: these scores mean nothing.", "무작위 가중치: 뜻이 없음.")
        before = noise if evidence.run.random_weights else ""
        yield Part(title, evaluators_table(evidence), before, wide=True)
    title = text("Benchmark tasks, before and after", "튜닝 전후의 벤치마크 과제")
    yield Part(title, benchmark_table(evidence), wide=True, open=True)
    yield Part(text("People's grades", "사람의 평가"), grades_table(evidence), open=True)
    title = text("Judges and the composite beside people", "자동 평가와 사람")
    yield Part(title, raters_table(evidence), wide=True)
    title = text("People's grades joined with raters'", "사람과 자동 평가를 합친 결과")
    yield Part(title, joined_table(evidence), wide=True)
    title = text("What the tune did", "튜닝의 결과")
    yield Part(title, tuning_table(evidence), wide=True)
    title = text("Speed of answering", "답변 속도")
    asked = asked_backends(evidence)
    table = asking_table(evidence) if asked else answering_table(evidence)
    yield Part(title, table, wide=True, open=asked)


def _memory(evidence: Evidence) -> Iterator[Part]:
    title = text("Predicted against measured", "예측과 측정")
    yield Part(title, prediction_table(evidence), open=True)


def _candidates(evidence: Evidence) -> Iterator[Part]:
    title = text("Licences and overrides", "라이선스와 예외")
    yield Part(title, licences_table(evidence))
    title = text("Rejected, with the reason", "제외된 후보와 이유")
    yield Part(title, rejected_table(evidence), open=True)


def _measuring(evidence: Evidence) -> Iterator[Part]:
    rows = evidence.head.rows
    weights = evidence.head.weights
    said = sentence("weights_and_rows", weights=weights, rows=rows)
    title = f"{text('Fairness contract', '공정성 계약')} {evidence.head.contract_hash}"
    yield Part(title, contract_table(evidence), said)
    yield Part(text("All cases", "모든 케이스"), cases_table(evidence), wide=True)
    yield Part(text("Method of each figure", "수치별 측정 방법"), measuring_table(evidence))
    yield Part(text("Machine and versions", "장비와 버전"), machine_table(evidence))
    yield Part(
        text("The study, as it was declared", "선언한 스터디 파일"),
        source=str(evidence.head.study_source),
    )


def samples(evidence: Evidence) -> list[Sample]:
    """The first prompts, each with the greedy replies of all candidates."""
    by_key = {(r.prompt, r.case): r for r in evidence.run.replies if r.pass_ == "greedy"}
    found = []
    for prompt in evidence.run.prompts[:SAMPLES]:
        rows = []
        for name in evidence.candidates:
            cases = [evidence.run.tuning(name, tune) for tune in evidence.run.tunes]
            tuned = [by_key.get((prompt, case.case)) for case in cases if case is not None]
            after = next((reply for reply in reversed(tuned) if reply is not None), None)
            answering = evidence.run.answering(name)
            before = by_key.get((prompt, answering.case)) if answering else None
            if before is not None or after is not None:
                rows.append(SampleRow(name, evidence.stand_in(name), before, after))
        found.append(Sample(prompt, tuple(rows)))
    return [sample for sample in found if sample.rows]


def samples_note(evidence: Evidence) -> str:
    """How many of the prompts are shown, and which replies."""
    shown, total = min(SAMPLES, len(evidence.run.prompts)), len(evidence.run.prompts)
    return sentence("samples_shown", shown=shown, total=total)
