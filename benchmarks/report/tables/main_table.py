"""The main table of a report: every candidate, what it costs and how good it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from benchmarks.report.evidence import Evidence
from benchmarks.report.report_texts import grade_words
from benchmarks.report.tables.table_cells import (
    Cell,
    Column,
    Table,
    make_table,
    megabytes,
    missing,
    number,
    percent,
)
from benchmarks.results.case_figures import summary_of_scores
from benchmarks.results.comparisons.task_scores import PREFIX
from benchmarks.results.criteria import CRITERIA, failure_of
from benchmarks.results.run import TuningMethod, quantization
from benchmarks.results.run_head import CandidateRow
from evaluators.ranking.criterion_table import Criterion
from model_registry.language import text
from model_registry.records import Result
from model_registry.statuses import status_words

#: A column, and the cell of a candidate in it.
Field = tuple[Column, Callable[[Evidence, str], Cell]]


def main_table(evidence: Evidence) -> Table:
    """One row a candidate, in the order of the ranking; failed cases show their status.

    What a study does not do has no column: nobody's tune, nobody's rank.
    """
    fields = [*_identity(evidence), *_costs(evidence), *_goodness(evidence)]
    rows = [[cell(evidence, name) for _, cell in fields] for name in evidence.candidates]
    return make_table([column for column, _ in fields], rows, _note(evidence))


def _identity(evidence: Evidence) -> Iterator[Field]:
    if not evidence.compares:
        yield Column(text("Rank", "순위")), _place
    yield Column(text("Candidate", "후보"), numeric=False), name_cell
    yield Column(text("Size", "크기")), lambda e, n: size(e.candidates[n])
    if any(row.leaderboard is not None for row in evidence.candidates.values()):
        yield (
            Column(text("Leaderboard", "리더보드"), better="high"),
            lambda e, n: _leaderboard(e.candidates[n]),
        )


def _leaderboard(row: CandidateRow) -> Cell:
    """Somebody else's figure, with whose it is and when it was read."""
    cell = number(row.leaderboard, missing(text("none", "없음")))
    said = f"{row.leaderboard_name}, {row.leaderboard_read_on}"
    return replace(cell, note=said) if row.leaderboard_name else cell


def _costs(evidence: Evidence) -> Iterator[Field]:
    if evidence.run.tunes:  # they are counted on training rows
        yield Column(text("Tokens per 100", "100자당 토큰"), better="low"), tokens_cell
    seconds, memory = text("Tuning time", "튜닝 시간"), text("Tuning peak", "튜닝 최대 메모리")
    # Variants have a table of their own.
    tunes = [tune for tune in evidence.run.tunes if not tune.is_variant]
    for tune in tunes:
        yield Column(tune.label, seconds, "s", "low"), partial(_tuning_seconds, tune=tune)
    for tune in tunes:
        yield Column(tune.label, memory, "MB", "low"), partial(_tuning_peak, tune=tune)
    if any(evidence.run.compared(name, "inference") for name in evidence.candidates):
        answering, prompts = text("Answering", "답변"), evidence.head.rows.prompts
        asked = text(f"{prompts} prompt{'s'[: prompts != 1]}", f"질문 {prompts}개")
        yield Column(asked, answering, "s", "low"), _answering_seconds
        yield Column(text("peak", "최대"), answering, "MB", "low"), _answering_peak


def _goodness(evidence: Evidence) -> Iterator[Field]:
    quality = text("Quality", "품질")
    yield from judged_fields(evidence)
    weighed = {criterion.name for criterion in evidence.declared} & {"quality", "quality_tuned"}
    if weighed:
        yield Column(text("before", "튜닝 전"), quality, better="high"), _quality_before
        if evidence.run.tunes:
            yield Column(text("after", "튜닝 후"), quality, better="high"), _quality_after
    if weighed or evidence.run.mean_grades:
        yield Column(text("Grade", "평가"), better="high"), _grade
    if not evidence.compares:
        yield Column(text("Score", "점수"), better="high"), _score
        yield Column(text("Wins", "1위"), better="high"), _wins


def _note(evidence: Evidence) -> str:
    tuned = evidence.head.rows.tuned_on
    ranks = any(tune.setting.rank is not None for tune in evidence.run.tunes)
    parts = [
        text("MB are 2^20 bytes.", "MB는 2^20 바이트입니다."),
        text(f"r16 is LoRA of rank 16, tuned on {tuned} rows.",
             f"r16은 랭크 16의 LoRA(행 {tuned}개로 튜닝)입니다.") if ranks else "",
        text("Peaks are the most memory held, weights included.",
             "최대 메모리는 가중치를 포함합니다."),
        text("Tokens per 100: for 100 characters of the training rows that hold Hangul.",
             "100자당 토큰은 한글이 든 학습 행을 센 값입니다.") if evidence.run.tunes else "",
        "" if evidence.compares else text(
            "Grade is people's. Wins: the share of random weight draws a candidate wins.",
            "평가는 사람이 한 것이고, 1위는 비중을 무작위로 바꿨을 때 1위가 되는 비율입니다."),
        text("Bold is the best of a column.", "굵은 글씨는 그 열에서 가장 좋은 값입니다."),
    ]  # fmt: skip
    return " ".join(filter(None, parts))


def tokens_cell(evidence: Evidence, name: str) -> Cell:
    """Tokens for 100 characters of the training rows; a dash where the run has none."""
    value = evidence.value("tokens_per_100_characters", name)
    none = missing("—", text("not counted", "세지 않음"))
    return none if value is None else Cell(f"{value:.1f}", "number", value)


def _place(evidence: Evidence, name: str) -> Cell:
    row = evidence.ranked.get(name)
    if row is not None and row.score is not None:
        return Cell(str(row.rank), "number")
    if name in evidence.rejected:
        return missing(text("out", "제외"), evidence.rejected[name].words)
    return missing("—", row.note if row else evidence.problem)


def name_cell(evidence: Evidence, name: str) -> Cell:
    """A candidate's name, with a label if its weights are not the real ones."""
    return Cell(name, "name", under=evidence.stand_in(name))


def size(row: CandidateRow) -> Cell:
    """A candidate's counted parameters; those that its publisher names where none were counted."""
    if row.parameters is not None or row.published_parameters is None:
        return parameters(row.parameters)
    return replace(parameters(row.published_parameters), under=text("published", "공개값"))


def parameters(count: int | None) -> Cell:
    """The counted parameters for people: 2.61 B, 464 M, 50 k."""
    if count is None:
        return missing(text("unknown", "모름"))
    for size, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            share = count / size
            return Cell(f"{share:.2f} {unit}" if size == 1e9 else f"{share:.3g} {unit}", "number",
                        count)  # fmt: skip
    return Cell(str(count), "number", count)


def _tuning_seconds(evidence: Evidence, name: str, tune: TuningMethod) -> Cell:
    case = evidence.run.tuning(name, tune)
    return case_cell(case, case.seconds.get("training") if case else None)


def _tuning_peak(evidence: Evidence, name: str, tune: TuningMethod) -> Cell:
    case = evidence.run.tuning(name, tune)
    return case_cell(case, peak_megabytes(case, "training"))


def _answering_seconds(evidence: Evidence, name: str) -> Cell:
    case = evidence.run.answering(name)
    return case_cell(case, case.seconds.get("inference") if case else None)


def _answering_peak(evidence: Evidence, name: str) -> Cell:
    case = evidence.run.answering(name)
    return case_cell(case, peak_megabytes(case, "inference"))


def peak_megabytes(case: Result | None, phase: str) -> float | None:
    """The most memory a case held in a phase, in MB."""
    return None if case is None else megabytes(case.peak_bytes(phase))


def case_cell(case: Result | None, value: float | None) -> Cell:
    """A figure of a case; its status where it failed, a word where it was not run."""
    if case is None:
        return missing(text("not run", "미실행"))
    if not case.ok:
        note = " — ".join(part for part in (status_words(case.status), case.shown) if part)
        return Cell(case.status, "failed", note=note)
    if value is None:
        return missing(text("not measured", "측정 안 됨"))
    under = "" if quantization(case) == "none" else quantization(case)
    return Cell("", "number", float(value), under=under)


def about_replies(evidence: Evidence, cell: Cell) -> Cell:
    """The cell of a figure of replies, unless weights are random."""
    if not evidence.run.random_weights:
        return cell
    why = text("replies of random weights mean nothing", "무작위 가중치의 답변은 뜻이 없음")
    return missing(text("random", "무작위"), why)


def _quality_before(evidence: Evidence, name: str) -> Cell:
    value, case = evidence.value("quality", name), evidence.run.answering(name)
    return about_replies(evidence, _two_digits(value, _no_score(case)))


def _quality_after(evidence: Evidence, name: str) -> Cell:
    value, case = evidence.value("quality_tuned", name), _last_tuned(evidence, name)
    return about_replies(evidence, _two_digits(value, _no_score(case)))


def judged_fields(evidence: Evidence) -> Iterator[Field]:
    """A column for each criterion that is an evaluator's own score."""
    for criterion in evidence.declared:
        if criterion.name not in CRITERIA:
            yield Column(criterion.label, better=criterion.better), partial(_judged, of=criterion)


def _judged(evidence: Evidence, name: str, of: Criterion) -> Cell:
    """An evaluator's mean, n of N where it only says yes or no; or a benchmark task's figure."""
    status = failure_of(of.name, name, evidence.run)
    failed = None if status is None else Cell(status_words(status), "failed")
    if of.name.startswith(PREFIX):
        value = evidence.value(of.name, name)
        return (failed or missing("—")) if value is None else Cell(f"{value:.4f}", "number", value)
    if failed:
        return about_replies(evidence, failed)
    values = evidence.scores(of.name, name)
    return about_replies(evidence, _share_of(values) or _no_score(evidence.run.answering(name)))


def _share_of(values: Sequence[float]) -> Cell | None:
    """The mean of an evaluator's scores; "13 of 20" where each is 0 or 1; None of none."""
    found = summary_of_scores(values)
    if found is None:
        return None
    yes, count = found.above_zero, found.count
    words = text(f"{yes} of {count}", f"{count}개 중 {yes}개") if found.yes_or_no else ""
    return Cell(words, "number", found.mean)


def _grade(evidence: Evidence, name: str) -> Cell:
    grade = evidence.value("human_grade", name)
    none = missing(text("none", "없음"))
    found = none if grade is None else Cell(grade_words(grade), "number", grade)
    return about_replies(evidence, found)


def _two_digits(value: float | None, otherwise: Cell) -> Cell:
    return otherwise if value is None else Cell(f"{value:.2f}", "number", value)


def _last_tuned(evidence: Evidence, name: str) -> Result | None:
    cases = [evidence.run.tuning(name, tune) for tune in evidence.run.tunes]
    done = [case for case in cases if case is not None]
    return next((case for case in done if case.ok), done[-1] if done else None)


def _no_score(case: Result | None) -> Cell:
    """Why there is no score: the status of a case that failed says it."""
    if case is None or not case.ok:
        return case_cell(case, None)
    return missing(text("no score", "점수 없음"))


def _score(evidence: Evidence, name: str) -> Cell:
    row = evidence.ranked.get(name)
    if name in evidence.rejected:
        return missing(text("out", "제외"), evidence.rejected[name].words)
    if row is None or row.score is None:
        return missing(text("unranked", "없음"), row.note if row else evidence.problem)
    return Cell(f"{row.score:.3f}", "number", row.score, note=row.note)


def _wins(evidence: Evidence, name: str) -> Cell:
    row = evidence.ranked.get(name)
    if row is None or row.score is None:
        return missing("—", text("not ranked", "순위 없음"))
    return percent(row.win_share)
