"""The detailed tables: evaluators, grades, tuning, inference and criteria."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks.report.evidence import Evidence
from benchmarks.report.report_texts import sentence
from benchmarks.report.tables.main_table import case_cell, name_cell, parameters
from benchmarks.report.tables.table_cells import (
    Cell,
    Column,
    Table,
    make_table,
    megabytes,
    missing,
    percent,
)
from benchmarks.results.case_figures import mean_scores, step_seconds
from benchmarks.results.run import quantization
from evaluators.evaluator_registry import evaluator_words, load_evaluators
from evaluators.grading.statistics.rater_scores import JUDGE
from evaluators.ranking.criterion_table import shares_of_weight
from model_registry.language import text
from model_registry.records import Result

QUALITY = "quality"


def directions() -> dict[str, str]:
    """Which way is better, by evaluator; third-party evaluators are named in their own run."""
    return {name: evaluator.better for name, evaluator in load_evaluators().items()} | {
        QUALITY: "high"
    }


def evaluators_of(evidence: Evidence) -> list[str]:
    """The evaluators with scores in this run, the composite first."""
    found = dict.fromkeys(
        row.evaluator
        for rows in evidence.run.scores_by_candidate.values()
        for row in rows
        if row.value is not None  # one that judged nobody has no column
    )
    return sorted(found, key=lambda name: name != QUALITY)


def evaluators_table(evidence: Evidence) -> Table:
    """Mean scores of each candidate before the tune, quantised, and after it in each way."""
    names, better = evaluators_of(evidence), directions()
    arrows = {"high": " ↑", "low": " ↓", "neither": ""}
    columns = [
        Column(text("Candidate", "후보"), numeric=False),
        Column(text("State", "상태"), numeric=False),
        *(
            Column(
                evaluator_words(name)
                + arrows[better.get(name, "neither")]
                + _unearned(evidence, name)
            )
            for name in names
        ),
    ]
    rows = []
    for name in evidence.candidates:
        scores = evidence.run.scores_by_candidate.get(name, [])
        for state, case in _states(evidence, name):
            own = mean_scores(row for row in scores if case is not None and row.case == case.case)
            means = {evaluator: mean for (evaluator, _), mean in own.items()}
            cells = [_mean_cell(means.get(each), case) for each in names]
            rows.append([name_cell(evidence, name), Cell(state), *cells])
    note = sentence("evaluator_means")
    return make_table(columns, rows, note)


def _unearned(evidence: Evidence, name: str) -> str:
    """What a judge's head must add as long as it has not been shown to agree with people."""
    if not name.startswith(JUDGE) or name in evidence.graded.evidence.earned:
        return ""
    return text(" (not shown to agree with people)", " (사람과의 일치 확인 안 됨)")


def _states(evidence: Evidence, name: str) -> Iterator[tuple[str, Result | None]]:
    """The cases that a candidate's replies come from, and what to call its state there."""
    before = text("before", "튜닝 전")
    answering = evidence.run.answering(name)
    yield before, answering
    for case in evidence.run.of(name, "inference"):
        if case is not answering and quantization(case) != "none":
            yield f"{before}, {quantization(case)}", case
    for tune in filter(partial(evidence.run.asks, name), evidence.run.tunes):
        yield tune.label, evidence.run.tuning(name, tune)


def _mean_cell(found: tuple[float | None, int] | None, case: Result | None) -> Cell:
    if found is None:
        failed = case is None or not case.ok
        return case_cell(case, None) if failed else missing(text("not judged", "판정 안 됨"))
    mean, unjudged = found
    if mean is None:
        return missing(text("no score", "점수 없음"))
    note = text(f"{unjudged} replies could not be judged", f"판정하지 못한 답변 {unjudged}개")
    return Cell("", "number", mean, note=note if unjudged else "")


def tuning_table(evidence: Evidence) -> Table:
    """Loss, seconds and memory of the short tune, by candidate and rank."""
    loss, valid = text("Training loss", "학습 손실"), text("Validation loss", "검증 손실")
    first, last = text("first", "처음"), text("last", "끝")
    before, after = text("before", "튜닝 전"), text("after", "튜닝 후")
    columns = [
        Column(text("Candidate", "후보"), numeric=False),
        Column(text("Tune", "튜닝"), numeric=False),
        Column(text("Steps", "스텝")),
        Column(text("Trained", "학습한 파라미터")),
        Column(text("Learning rate", "학습률")),
        Column(first, loss),
        Column(last, loss, better="low"),
        Column(before, valid),
        Column(after, valid, better="low"),
        Column(text("Step time", "스텝 시간"), unit="s", better="low"),
    ]
    rows = []
    for name in evidence.candidates:
        for tune in filter(partial(evidence.run.asks, name), evidence.run.tunes):
            cells = _tuning_cells(evidence.run.tuning(name, tune))
            rows.append([name_cell(evidence, name), Cell(tune.label), *cells])
    return make_table(columns, rows)


def _tuning_cells(case: Result | None) -> list[Cell]:
    figures = case.figures if case else {}
    trained, rate = figures.get("trainable_parameters"), figures.get("learning_rate")
    ok = case is not None and case.ok
    steps = case.steps if case else None
    return [
        case_cell(case, steps),
        parameters(trained) if trained and ok else case_cell(case, None),
        Cell(f"{rate:g}", "number", rate) if rate and ok else case_cell(case, None),
        *(
            case_cell(case, figures.get(name))
            for name in ("loss_first", "loss_last", "validation_loss_before",
                         "validation_loss_after")
        ),
        case_cell(case, step_seconds(case)),
    ]  # fmt: skip


def answering_table(evidence: Evidence) -> Table:
    """How fast each candidate answers: prefill and decode apart."""
    prompts = evidence.head.rows.prompts
    figures = {
        "seconds_per_prompt": Column(text("Per reply", "답변당"), unit="s", better="low"),
        "first_token_seconds": Column(text("First token", "첫 토큰"), unit="s", better="low"),
        "decode_tokens_per_second": Column(
            text("Decoding", "생성"), unit="tokens/s", better="high"
        ),
        "seconds_per_100_korean_characters": Column(
            text("100 Hangul syllables", "한글 100자"), unit="s", better="low"
        ),
        "stopped": Column(text(f"Stopped, of {prompts}", f"스스로 끝냄, {prompts}개 중"),
                          better="high"),
        "batch_differs": Column(text("Batch differs", "묶음과 다름")),
    }  # fmt: skip
    load = Column(text("Loading", "불러오기"), unit="s", better="low")
    columns = [Column(text("Candidate", "후보"), numeric=False), load, *figures.values()]
    rows = []
    for name in evidence.candidates:
        case = evidence.run.answering(name)
        values = case.figures if case else {}
        rows.append(
            [
                name_cell(evidence, name),
                case_cell(case, case.seconds.get("load") if case else None),
                *(case_cell(case, values.get(figure)) for figure in figures),
            ]
        )
    return make_table(columns, rows)


def criteria_table(evidence: Evidence) -> Table | None:
    """How the decision was declared: criteria, direction, share of the weight, raw values."""
    decision = evidence.decision
    if decision is None:
        return None
    ranked = [name for name in evidence.candidates if name in evidence.ranked]
    columns = [
        Column(text("Criterion", "기준"), numeric=False),
        Column(text("Better", "좋은 쪽"), numeric=False),
        Column(text("Weight", "비중")),
        *(Column(evidence.shown(name)) for name in ranked),
    ]
    shares = shares_of_weight(decision.plan.criteria, decision.ranking.weights)
    rows = []
    for criterion in decision.plan.criteria:
        better = text("high", "높음") if criterion.better == "high" else text("low", "낮음")
        cells = [_criterion_cell(evidence, criterion.name, name) for name in ranked]
        group = f"{text('group', '묶음')}: {criterion.group}" if criterion.group else ""
        if criterion.floor is not None:
            group = " · ".join(
                part for part in (group, f"{text('floor', '한도')}: {criterion.floor:g}") if part
            )
        unused = criterion.name in decision.ranking.unused
        label = Cell(criterion.label, under=group)
        weight = (
            missing(text("unused", "안 쓰임"), text("nobody differs in it", "차이가 없음"))
            if unused
            else percent(shares[criterion.name])
        )
        rows.append([label, Cell(better), weight, *cells])
    note = sentence("normalised_by", decision=decision)
    return make_table(columns, rows, note)


def _criterion_cell(evidence: Evidence, criterion: str, name: str) -> Cell:
    row = evidence.ranked[name]
    value, unit = row.values.get(criterion), row.normalised.get(criterion)
    if value is None:
        return missing(text("missing", "없음"))
    shown = megabytes(value) if criterion.endswith("_bytes") else value
    suffix = " MB" if criterion.endswith("_bytes") else ""
    normalised = f" ({unit:.2f})" if unit is not None else ""
    return Cell(f"{shown:,.4g}{suffix}{normalised}", "number", value)
