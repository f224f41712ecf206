"""People's grades reach the decision and the report of the run whose replies they graded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.report.evidence import Evidence
from benchmarks.report.tables.grade_tables import grades_table
from benchmarks.results.decision import decide
from benchmarks.results.folder import RunFolder
from benchmarks.results.human_grades import grades_of, pooled_grades, read_gradable
from benchmarks.results.run import Run
from evaluators.grading.store.grade_records import Grade, Grader, reply_hash
from evaluators.grading.store.grade_store import GradeStore
from model_registry.errors import OhloraError
from model_registry.records import Reply, line_of
from tests.support.report_fixtures import make_run


@pytest.fixture
def run(tmp_path, monkeypatch) -> RunFolder:
    monkeypatch.delenv("OHLORA_DB_URL", raising=False)
    monkeypatch.setenv("OHLORA_DATA_DIR", str(tmp_path / "data"))
    return make_run(tmp_path / "a-run", candidates=("alpha-2.6b", "beta-1.3b"))


def grade(reply: Reply, value: int, run: str = "a-run", text: str | None = None) -> Grade:
    digest = reply_hash(reply.reply if text is None else text)
    name = f"{run}/{reply.key}/{digest}"
    return Grade(
        key=name, subject=name, grader="g", run=run, case=reply.case, candidate=reply.candidate,
        prompt=reply.prompt, reply=reply.reply, grade=value, pass_=reply.pass_, tuned=reply.tuned,
        reply_hash=digest,
    )  # fmt: skip


def keep(grades: list[Grade]) -> None:
    store = GradeStore.open()
    store.add_grader(Grader("g", "someone"))
    store.add_grades(grades)
    store.close()


def replies_of(run: RunFolder, name: str, tuned: int | None = None) -> list[Reply]:
    return [
        r for r in run.replies() if r.candidate == name and r.tuned == tuned and r.pass_ == "greedy"
    ]


def test_without_grades_the_grade_is_missing_and_no_database_is_made(run, tmp_path):
    assert Run.read(run).mean_grades == {}
    assert not (tmp_path / "data").exists()


def test_grades_become_a_criterion_of_the_decision(run):
    keep([grade(r, 4) for r in replies_of(run, "beta-1.3b")]
         + [grade(r, 3) for r in replies_of(run, "alpha-2.6b")])  # fmt: skip
    values = {row.name: row.values["human_grade"] for row in decide(Run.read(run)).ranking.rows}
    assert values == {"beta-1.3b": 4.0, "alpha-2.6b": 3.0}


def test_a_candidate_that_people_find_poor_is_rejected_by_the_floor(run):
    keep([grade(r, 5) for r in replies_of(run, "beta-1.3b")]
         + [grade(r, 1) for r in replies_of(run, "alpha-2.6b")])  # fmt: skip
    decision = decide(Run.read(run))
    assert decision.ranking.chosen == "beta-1.3b"
    assert "below" in decision.reasons["alpha-2.6b"].words


def test_grades_of_another_run_or_of_another_text_do_not_count(run):
    reply = replies_of(run, "beta-1.3b")[0]
    keep([grade(reply, 1, run="another-run"), grade(reply, 1, text="an older reply")])
    assert grades_of(run.path, run.replies()) == []


def test_grades_before_and_after_the_tune_count_together(run):
    before, after = replies_of(run, "beta-1.3b"), replies_of(run, "beta-1.3b", tuned=16)
    grades = [grade(r, 2) for r in before] + [grade(r, 4) for r in after]
    assert [(row.candidate, row.mean) for row in pooled_grades(grades)] == [("beta-1.3b", 3.0)]


def test_the_report_shows_them_apart(run):
    before, after = replies_of(run, "beta-1.3b"), replies_of(run, "beta-1.3b", tuned=16)
    keep([grade(r, 2) for r in before] + [grade(r, 4) for r in after])
    table = grades_table(Evidence.read(run))
    assert [(row[0].text, row[1].text) for row in table.rows] == [
        ("beta-1.3b (r=16)", "good (4.0)"),
        ("beta-1.3b", "poor (2.0)"),
    ]


@pytest.mark.parametrize(
    ("status", "option"), [("ok", "--resume"), ("unreachable", "--retry-failed")]
)
def test_a_run_without_replies_names_its_study_s_own_command(run, status, option):
    (run.path / "replies.jsonl").unlink()
    results = [replace(result, status=status) for result in run.results()]
    (run.path / "results.jsonl").write_bytes(b"".join(map(line_of, results)))
    again = f"ohlora run korean-small --out {run.path} --weights hub {option}"
    with pytest.raises(OhloraError) as told:
        read_gradable(run.path)
    assert again in str(told.value) and again in told.value.korean
