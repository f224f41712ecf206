"""`ohlora grades`: what people graded, out to files, back in, and how far they agree."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.terminal import Json, out, print_columns, print_json
from model_registry.language import text

if TYPE_CHECKING:
    from evaluators.grading.store.grade_store import GradeStore

app = typer.Typer(no_args_is_help=True)
RunName = Annotated[
    str | None, typer.Option("--run", help=text("Of this run only.", "이 실행의 평가만."))
]


def _store() -> GradeStore:
    from evaluators.grading.store.grade_store import GradeStore

    return GradeStore.open()


@app.command("export", help=text("Write grades to .csv or .jsonl.", "평가를 파일로 내보냅니다."))
def export_(file: Path, run: RunName = None) -> None:
    """Write all grades, revisions too."""
    from evaluators.grading.grade_export import export_grades

    count = export_grades(_store(), file, run)
    out.print(text(f"{count} grades: {file}", f"평가 {count}개: {file}"), soft_wrap=True)


@app.command("import", help=text("Add the grades of a file.", "파일의 평가를 더합니다."))
def import_(file: Path) -> None:
    """Add what the store does not have yet; importing twice adds nothing."""
    from evaluators.grading.grade_import import import_grades

    done = import_grades(_store(), file)
    out.print(done.read, highlight=False, markup=False, soft_wrap=True)
    out.print(text(f"{done.rows} read, {done.new} new", f"{done.rows}개 읽음, 새것 {done.new}개"))


@app.command(help=text("How far graders agree.", "평가자들이 얼마나 일치하는지."))
def agreement(run: RunName = None, as_json: Json = False) -> None:
    """Krippendorff's alpha with its interval, and each grader's consistency."""
    from dataclasses import asdict

    from evaluators.grading.statistics.agreement import agreement as measure
    from evaluators.grading.statistics.agreement import grader_reports
    from evaluators.grading.statistics.comparison import mean_grades

    grades = _store().grades(run)
    measured = asdict(measure(grades))
    if as_json:
        print_json(
            {
                "agreement": measured,
                "graders": [asdict(row) for row in grader_reports(grades)],
                "means": [asdict(row) for row in mean_grades(grades)],
            }
        )
        return
    print_columns(
        [(name, "—" if value is None else str(value)) for name, value in measured.items()]
    )
