"""The table that a report begins with: every candidate, what it costs and how good it is."""

from __future__ import annotations

from benchmarks.report.cells import (
    Cell,
    Column,
    Table,
    make_table,
    megabytes,
    missing,
    number,
    percent,
)
from benchmarks.report.evidence import Evidence
from benchmarks.report.words import grade_words, status_words
from benchmarks.run_records import quantization
from model_registry.language import text
from model_registry.records import Result


def main_table(evidence: Evidence) -> Table:
    """One row a candidate, in the order of the ranking; failed cases show their status."""
    rows = [
        [
            _place(evidence, name),
            name_cell(evidence, name),
            parameters(row.get("parameters")),
            number(row.get("leaderboard"), missing(text("none", "없음"))),
            *_fine_tuning(evidence, name),
            *_inference(evidence, name),
            *_quality(evidence, name),
            _score(evidence, name),
            _wins(evidence, name),
        ]
        for name, row in evidence.candidates.items()
    ]
    return make_table(_columns(evidence), rows, _note(evidence))


def _columns(evidence: Evidence) -> list[Column]:
    seconds, memory = text("Tuning time", "튜닝 시간"), text("Tuning peak", "튜닝 최대 메모리")
    answering, quality = text("Answering", "답변"), text("Quality", "품질")
    prompts = evidence.head["rows"]["prompts"]
    asked = text(f"{prompts} prompts", f"질문 {prompts}개")
    return [
        Column(text("Rank", "순위")),
        Column(text("Candidate", "후보"), numeric=False),
        Column(text("Size", "크기")),
        Column(text("Leaderboard", "리더보드"), better="high"),
        *(Column(tune.label, seconds, "s", "low") for tune in evidence.tunes),
        *(Column(tune.label, memory, "MB", "low") for tune in evidence.tunes),
        Column(asked, answering, "s", "low"),
        Column(text("peak", "최대"), answering, "MB", "low"),
        Column(text("before", "튜닝 전"), quality, better="high"),
        Column(text("after", "튜닝 후"), quality, better="high"),
        Column(text("Grade", "평가"), better="high"),
        Column(text("Score", "점수"), better="high"),
        Column(text("Wins", "1위"), better="high"),
    ]


def _note(evidence: Evidence) -> str:
    tuned = evidence.head["rows"]["tuned_on"]
    return text(
        f"MB are 2^20 bytes. r16 is LoRA of rank 16, tuned on {tuned} rows. Peaks are the most "
        "memory held, weights included. Grade is people's. Wins: the share of random weight draws "
        "a candidate wins. "
        "Bold is the best of a column.",
        f"MB는 2^20 바이트, r16은 랭크 16의 LoRA(행 {tuned}개로 튜닝)입니다. 최대 메모리는 "
        "가중치를 포함합니다. 평가는 사람이 한 것이고, 1위는 비중을 무작위로 바꿨을 때 "
        "1위가 되는 비율입니다. 굵은 글씨는 그 열에서 가장 좋은 값입니다.",
    )


def _place(evidence: Evidence, name: str) -> Cell:
    row = evidence.ranked.get(name)
    if row is not None and row.score is not None:
        return Cell(str(row.rank), "number")
    reason = evidence.rejected.get(name) or (row.note if row else evidence.problem)
    return missing(text("out", "제외") if name in evidence.rejected else "—", reason)


def name_cell(evidence: Evidence, name: str) -> Cell:
    """A candidate's name, with what its figures must bear beside them."""
    return Cell(name, "name", under=evidence.stand_in(name))


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


def _fine_tuning(evidence: Evidence, name: str) -> list[Cell]:
    cases = [evidence.tuning(name, tune) for tune in evidence.tunes]
    return [
        *(case_cell(case, case.seconds.get("training") if case else None) for case in cases),
        *(case_cell(case, peak_megabytes(case, "training")) for case in cases),
    ]


def _inference(evidence: Evidence, name: str) -> list[Cell]:
    case = evidence.answering(name)
    seconds = case.seconds.get("inference") if case else None
    return [
        case_cell(case, seconds),
        case_cell(case, peak_megabytes(case, "inference")),
    ]


def peak_megabytes(case: Result | None, phase: str) -> float | None:
    """The most memory a case held in a phase, in MB."""
    return None if case is None else megabytes(case.peak_bytes(phase))


def case_cell(case: Result | None, value: float | None) -> Cell:
    """A figure of a case; its status where it failed, a word where it was not run."""
    if case is None:
        return missing(text("not run", "미실행"))
    if not case.ok:
        note = " — ".join(part for part in (status_words(case.status), case.message) if part)
        return Cell(case.status, "failed", note=note)
    if value is None:
        return missing(text("not measured", "측정 안 됨"))
    under = "" if quantization(case) == "none" else quantization(case)
    return Cell("", "number", float(value), under=under)


def _quality(evidence: Evidence, name: str) -> list[Cell]:
    if evidence.head["weights"] == "random":
        why = text("replies of random weights mean nothing", "무작위 가중치의 답변은 뜻이 없음")
        nothing = missing(text("random", "무작위"), why)
        return [nothing, nothing, nothing]
    unscored = missing(text("no score", "점수 없음"))
    before = _case_or(evidence.answering(name), unscored)
    after = _case_or(_last_tuned(evidence, name), unscored)
    grade = evidence.value("human_grade", name)
    return [
        _two_digits(evidence.value("quality", name), before),
        _two_digits(evidence.value("quality_tuned", name), after),
        Cell(grade_words(grade), "number", grade)
        if grade is not None
        else missing(text("none", "없음")),
    ]


def _two_digits(value: float | None, otherwise: Cell) -> Cell:
    return otherwise if value is None else Cell(f"{value:.2f}", "number", value)


def _last_tuned(evidence: Evidence, name: str) -> Result | None:
    cases = [evidence.tuning(name, tune) for tune in evidence.tunes]
    done = [case for case in cases if case is not None]
    return next((case for case in done if case.ok), done[-1] if done else None)


def _case_or(case: Result | None, otherwise: Cell) -> Cell:
    """The status of a case that failed: why there is no score."""
    return case_cell(case, None) if case is None or not case.ok else otherwise


def _score(evidence: Evidence, name: str) -> Cell:
    row = evidence.ranked.get(name)
    reason = evidence.rejected.get(name, evidence.problem)
    if row is None or row.score is None:
        words = text("out", "제외") if name in evidence.rejected else text("unranked", "없음")
        return missing(words, row.note if row else reason)
    return Cell(f"{row.score:.3f}", "number", row.score, note=row.note)


def _wins(evidence: Evidence, name: str) -> Cell:
    row = evidence.ranked.get(name)
    if row is None or row.score is None:
        return missing("—", text("not ranked", "순위 없음"))
    return percent(row.win_share)
