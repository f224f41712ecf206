"""`ohlora grades`: what people graded, out to files, back in, and how far they agree."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from benchmarks.results.rater_rows import GradedRun, joined_rows, length_sentences, rater_rows
from commands.shared.console import out, print_columns, print_json
from commands.shared.option_class import argument, option
from commands.shared.options import Json
from evaluators.grading.grade_export import export_grades
from evaluators.grading.grade_import import import_grades
from evaluators.grading.management.grade_dataset import export_dataset
from evaluators.grading.statistics.agreement import agreement as measure
from evaluators.grading.statistics.agreement import grader_reports
from evaluators.grading.statistics.comparison import mean_grades
from evaluators.grading.statistics.reason_words import reason_words
from evaluators.grading.store.grade_store import GradeStore
from evaluators.judge.grade_evidence import GradeEvidence
from model_registry.language import text

RunName = Annotated[str | None, option("Of this run only.", "이 실행의 등급만 다룹니다.")]

#: What `ohlora grades agreement` measures, for its table; JSON has the names.
_LABELS = {
    "alpha": "일치도(알파)",
    "low": "95% 구간 하한",
    "high": "95% 구간 상한",
    "replies": "두 명 이상이 평가한 답변",
    "graders": "평가자",
    "reason": "이유",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeExportOptions:
    """What `ohlora grades export` is asked for."""

    file: Annotated[
        Path,
        argument("The file, or the dataset's folder.", "파일 또는 데이터셋 폴더."),
    ]
    run: RunName = None
    format: Annotated[
        str | None,
        option(
            "csv, jsonl or dataset (a folder for Hugging Face, graders numbered); by the "
            "file's ending otherwise.",
            "csv, jsonl, dataset(Hugging Face 데이터셋 폴더, 평가자는 번호로 표시). 없으면 "
            "파일 확장자로 정합니다.",
        ),
    ] = None


def export_grades_of(options: GradeExportOptions) -> None:
    """Write all grades, revisions too."""
    file = options.file
    if options.format == "dataset":
        count = export_dataset(GradeStore.open(), file, options.run)
    else:
        count = export_grades(GradeStore.open(), file, options.run, kind=options.format)
    out.print(text(f"{count} grades: {file}", f"등급 {count}개: {file}"), soft_wrap=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeImportOptions:
    """What `ohlora grades import` is asked for."""

    file: Annotated[Path, argument("Grades that were exported.", "내보낸 등급 파일.")]


def import_grades_of(options: GradeImportOptions) -> None:
    """Add what the store does not have yet; importing twice adds nothing."""
    done = import_grades(GradeStore.open(), options.file)
    print(done.read)
    out.print(text(f"{done.rows} read, {done.new} new", f"{done.rows}개 읽음, 새것 {done.new}개"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementOptions:
    """What `ohlora grades agreement` is asked for."""

    run: Annotated[
        str | None,
        option(
            "Of this run only; its folder adds what raters that are no people say.",
            "이 실행의 등급만 다룹니다. 폴더를 지정하면 자동 평가와도 비교합니다.",
        ),
    ] = None
    as_json: Json = False


def agreement(options: AgreementOptions) -> None:
    """Krippendorff's alpha, each grader's consistency, and raters beside people."""
    folder = _folder_of(options.run)
    grades = GradeStore.open().grades(folder.resolve().name if folder else options.run)
    measured = asdict(measure(grades))
    evidence = GradedRun.read(folder, grades).evidence if folder else None
    if options.as_json:
        print_json(
            {
                "agreement": measured,
                "graders": [asdict(row) for row in grader_reports(grades)],
                "means": [asdict(row) for row in mean_grades(grades)],
                "joined": evidence.to_json() if evidence else None,
            }
        )
        return
    print_columns([(text(name, _LABELS[name]), _shown(value)) for name, value in measured.items()])
    if evidence is not None:
        _print_joined(evidence)


def _folder_of(run: str | None) -> Path | None:
    """The run's folder, where it was named by that and not by its name."""
    named = run is not None and (Path(run) / "replies.jsonl").is_file()
    return Path(run) if run and named else None


def _print_joined(evidence: GradeEvidence) -> None:
    """Tables of raters and of joined means, each only where it has rows; then what length does."""
    raters = {
        "rater": text("rater", "자동 평가"),
        "alpha": text("alpha", "일치도(알파)"),
        "spearman": text("rank correlation", "순위 상관"),
        "replies": text("replies", "함께 평가한 답변"),
        "verdict": text("beside people", "사람과 비교"),
    }
    means = {
        "candidate": text("candidate or pair", "후보 또는 쌍"),
        "mean": text("with raters", "자동 평가와 함께"),
        "interval": "95 %",
        "saved": text("narrower, %", "좁아짐, %"),
        "adjusted": text("at equal length", "길이가 같다면"),
        "remark": "",
    }
    for heads, rows in ((raters, rater_rows(evidence)), (means, joined_rows(evidence))):
        if rows:
            print()
            print_columns(
                [tuple(heads.values()), *([_cell(r.get(k)) for k in heads] for r in rows)]
            )
    for sentence in length_sentences(evidence):
        print(f"\n{sentence}")


def _cell(value: float | str | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _shown(value: float | str | None) -> str:
    if isinstance(value, str):
        return reason_words(value)
    return "—" if value is None else str(value)
