"""What the page, the report and the command line show of raters beside people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.report.evidence import Evidence
from benchmarks.report.tables.detail_tables import evaluators_table
from benchmarks.report.tables.grade_tables import joined_table, raters_table
from benchmarks.results.rater_rows import (
    GradedRun,
    joined_rows,
    length_sentences,
    next_rows,
    rater_rows,
)
from benchmarks.results.run import Run
from benchmarks.results.run_head import RunHead
from evaluators.grading.gradable_replies import read_run
from evaluators.grading.store.grade_records import Grade, reply_hash
from model_registry.language import read_by
from model_registry.records import Reply, ScoreRow, append_rows
from tests.support.grading_fixtures import CANDIDATES, make_run

LEVELS = dict(zip(CANDIDATES, (3.7, 3.2, 2.5), strict=True))


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> GradedRun:
    """Sixty prompts; three people graded thirty; a good judge and one that likes everything."""
    folder = make_run(tmp_path_factory.mktemp("runs") / "run", [f"질문 {n}" for n in range(60)])
    chance = np.random.default_rng(0)
    grades: list[Grade] = []
    for place, item in enumerate(read_run(folder).items):
        hard = chance.normal(0, 0.6)
        for reply in item.replies:
            worth = LEVELS[reply.candidate] + hard + chance.normal(0, 0.6)
            near = float(np.clip(np.rint(worth + chance.normal(0, 0.3)), 1, 5))
            append_rows(
                folder / "scores.jsonl",
                [score(reply, "judge:llama", near), score(reply, "judge:kind", 5.0)],
            )
            if place < 30:
                moods = zip("abc", chance.normal(0, 0.5, 3), strict=True)
                grades += [grade(reply, who, worth + mood) for who, mood in moods]
    return GradedRun.read(folder, grades)


def score(reply: Reply, judge: str, value: float) -> ScoreRow:
    return ScoreRow(
        reply.case, reply.candidate, reply.prompt, "greedy", None, judge, value,
        reply_hash=reply_hash(reply.reply),
    )  # fmt: skip


def grade(reply: Reply, who: str, value: float) -> Grade:
    key = f"{who} {reply.prompt} {reply.candidate}"
    return Grade(
        key, key, who, "run", reply.case, reply.candidate, reply.prompt, reply.reply,
        int(np.clip(np.rint(value), 1, 5)), screen=f"{who} {reply.prompt}",
        reply_hash=reply_hash(reply.reply),
    )  # fmt: skip


def test_a_judge_is_told_to_have_earned_its_place_and_another_to_be_saturated(
    graded: GradedRun,
) -> None:
    with read_by(korean=False):
        kind, llama = rater_rows(graded.evidence)
    assert graded.evidence.earned == {"judge:llama"}
    assert (llama["muted"], kind["muted"]) == (False, True)
    assert llama["verdict"].startswith("may stand in for a person: no worse than")
    assert kind["verdict"].startswith("saturated: 100% of its grades")
    with read_by(korean=True):
        kind, llama = rater_rows(graded.evidence)
    assert llama["verdict"].startswith("사람을 대신할 수 있음")
    assert kind["verdict"].startswith("포화")


def test_an_evaluator_of_ours_is_named_in_the_reader_s_language_a_judge_as_it_is(
    graded: GradedRun,
) -> None:
    kind, llama = graded.evidence.raters
    evidence = replace(graded.evidence, raters=(replace(kind, rater="quality"), llama))
    with read_by(korean=True):
        assert [row["rater"] for row in rater_rows(evidence)] == ["품질", "judge:llama"]


def test_means_and_pairs_are_joined_and_narrower(graded: GradedRun) -> None:
    rows = {row["candidate"]: row for row in joined_rows(graded.evidence)}
    assert len(rows) == 6
    assert rows[f"{CANDIDATES[0]} > {CANDIDATES[2]}"]["interval"].startswith("+")
    saved = [row["saved"] for row in rows.values()]
    assert sum(one > 0 for one in saved) >= 5
    assert max(saved) > 10


def test_next_offers_ungraded_prompts_of_the_top(graded: GradedRun) -> None:
    rows = next_rows(graded.plan(4))
    assert len(rows) == 4
    assert all(row["people"] == 0 and CANDIDATES[0] in row["candidates"] for row in rows)


def test_the_report_has_both_tables_and_the_stop_rule(graded: GradedRun) -> None:
    head = RunHead.inferred("run", [])
    replies = tuple(reply for item in graded.run.items for reply in item.replies)
    run = Run(graded.run.folder, head, (), replies, (), (), tuple(graded.grades))
    evidence = Evidence(run, None)
    object.__setattr__(evidence, "graded", graded)
    with read_by(korean=False):
        raters, joined = raters_table(evidence), joined_table(evidence)
        said = list(length_sentences(graded.evidence))
    assert raters is not None and joined is not None
    assert [row[0].text for row in raters.rows] == ["judge:kind", "judge:llama"]
    assert len(joined.rows) == 6
    assert joined.note.startswith(said[0]) and CANDIDATES[0] in joined.note
    assert raters_table(Evidence(Run(Path("run"), head), None)) is None


def test_the_report_marks_a_judge_that_nobody_has_compared_with_people(graded: GradedRun) -> None:
    scores = [score(graded.run.items[0].replies[0], name, 4.0) for name in ("judge:a", "quality")]
    run = Run(graded.run.folder, RunHead.inferred("run", []), scores=tuple(scores))
    with read_by(korean=False):
        heads = [column.label for column in evaluators_table(Evidence(run, None)).columns]
    assert [head for head in heads if "not shown to agree" in head] == [heads[-1]]
    assert heads[-1].startswith("judge:a")
