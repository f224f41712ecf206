"""The tables of grades: people's, raters beside them, both joined."""

from __future__ import annotations

from benchmarks.report.evidence import Evidence
from benchmarks.report.report_texts import grade_words, sentence
from benchmarks.report.tables.table_cells import Cell, Column, Table, make_table, missing
from benchmarks.results.rater_rows import joined_rows, length_sentences, rater_rows
from evaluators.grading.statistics.comparison import mean_grades
from model_registry.language import text


def grades_table(evidence: Evidence) -> Table | None:
    """People's mean grades, before and after the tune apart, with their intervals."""
    rows = mean_grades(evidence.run.grades)
    if not rows:
        return None
    columns = [
        Column(text("Candidate", "후보"), numeric=False),
        Column(text("Mean grade", "평균 등급"), better="high"),
        Column(text("95 % interval", "95% 구간")),
        Column(text("Prompts", "질문")),
        Column(text("Grades", "평가 수")),
    ]
    few = missing(text("too few prompts", "질문이 너무 적음"))
    cells = [
        [
            Cell(row.candidate, "name"),
            Cell(grade_words(row.mean), "number", row.mean),
            few
            if row.low is None or row.high is None
            else Cell(f"{row.low:.2f}–{row.high:.2f}", "number", row.low),
            Cell(str(row.prompts), "number", row.prompts),
            Cell(str(row.grades), "number", row.grades),
        ]
        for row in rows
    ]
    return make_table(columns, cells)


def raters_table(evidence: Evidence) -> Table | None:
    """Whether judges and the composite may stand beside people, and why not."""
    if not evidence.run.grades:
        return None
    columns = [
        Column(text("Rater", "자동 평가"), numeric=False),
        Column(text("Beside people", "사람과 비교"), numeric=False),
        Column(text("Agreement (alpha, 95 %)", "일치도(알파, 95%)"), numeric=False),
        Column(text("Rank correlation (95 %)", "순위 상관(95%)"), numeric=False),
        Column(text("Replies both graded", "함께 평가한 답변")),
    ]
    cells = [
        [
            Cell(str(row["rater"]), "name"),
            Cell(str(row["verdict"])),
            Cell(str(row["alpha"] or "—")),
            Cell(str(row["spearman"] or "—")),
            Cell(str(row["replies"]), "number", row["replies"]),
        ]
        for row in rater_rows(evidence.graded.evidence)
    ]
    note = sentence("annotator_test")
    return make_table(columns, cells, note)


def joined_table(evidence: Evidence) -> Table | None:
    """Means and differences of people's grades with raters' (PPI++), and at equal length."""
    if not evidence.run.grades:
        return None
    columns = [
        Column(text("Candidate or pair", "후보 또는 쌍"), numeric=False),
        Column(text("With raters", "자동 평가와 함께")),
        Column(text("95 % interval", "95% 구간")),
        Column(text("Narrower than people alone", "사람만일 때보다 좁아짐")),
        Column(text("At equal length", "길이가 같다면")),
    ]
    none = Cell("—")
    cells = []
    for row in joined_rows(evidence.graded.evidence):
        adjusted = row.get("adjusted")
        cells.append(
            [
                Cell(str(row["candidate"]), "name"),
                Cell(f"{row['mean']:.2f}", "number", row["mean"]),
                Cell(str(row["interval"])) if row["interval"] else none,
                Cell(f"{row['saved']:.0f} %", "number", row["saved"], note=row["remark"] or ""),
                none if adjusted is None else Cell(f"{adjusted:.2f}", "number", adjusted),
            ]
        )
    said = [*length_sentences(evidence.graded.evidence), evidence.graded.plan().stop.note.words]
    return make_table(columns, cells, " ".join(said))
