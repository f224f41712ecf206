"""What a manager sees and hands out: progress, disagreement, remarks, links, a dataset."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluators.grading.grading_session import GradingSession
from evaluators.grading.management.grade_dataset import export_dataset
from evaluators.grading.management.grading_overview import Remark, overview_of
from evaluators.grading.management.invitations import invite
from evaluators.grading.rater_identity import Visitor
from evaluators.grading.store.grade_store import GradeStore
from evaluators.grading.submission import InvalidRequest
from model_registry.errors import OhloraError, UnknownName
from pages.management.management_rows import grader_rows, remark_rows
from tests.support.grading_fixtures import make_run


@pytest.fixture
def session(tmp_path: Path) -> GradingSession:
    run = make_run(tmp_path / "run")
    store = GradeStore.open(f"sqlite:///{tmp_path / 'grades.db'}")
    return GradingSession(lambda: store, {"run": run}, "key")


def visitor_by(query: str) -> Visitor:
    return Visitor(dict(part.split("=") for part in query.split("&"))["grader"])


def hand_in(session: GradingSession, who: Visitor, *, value: int, screens: int = 99) -> None:
    for _ in range(screens):
        screen = session.screen(who)
        if "finished" in screen:
            return
        given = [{"grade": value, "flags": [], "note": ""} for _ in screen["replies"]]
        if not screen["practice"] and value == 1:
            given[0]["note"] = "말이 안 됨"
        session.submit(who, screen["screen"], given, attempt="", seconds=10.0)


def test_progress_shows_who_is_invited_grades_or_has_finished(session: GradingSession) -> None:
    store = session.store
    invited, begun, done = invite(store, "민지\n서연\n 지우 ", "run")
    hand_in(session, visitor_by(begun.query), value=4, screens=4)
    hand_in(session, visitor_by(done.query), value=4)
    found = {one.name: one for one in overview_of(store, session.run()).graders}
    assert {name: one.state for name, one in found.items()} == {
        invited.name: "invited", begun.name: "grading", "지우": "finished",
    }  # fmt: skip
    assert (found["서연"].done, found["민지"].screens) == (2, 0)
    assert found["지우"].done == found["지우"].screens > 12
    assert found["지우"].seconds == 10


def test_who_came_without_an_invitation_was_not_invited(session: GradingSession) -> None:
    _, token = session.join("하늘")
    session.screen(Visitor(token))  # planned, nothing graded
    (row,) = overview_of(session.store, session.run()).graders
    assert (row.name, row.state) == ("하늘", "joined")
    assert grader_rows([row])[0]["state"] == "not begun"


def test_flags_of_practice_are_left_out(session: GradingSession) -> None:
    who = Visitor(session.join("하늘")[1])
    for _ in range(3):
        screen = session.screen(who)
        given = [{"grade": 3, "flags": ["harmful"]}] + [{"grade": 3}] * len(screen["replies"])
        session.submit(who, screen["screen"], given[: len(screen["replies"])])
    (row,) = overview_of(session.store, session.run()).graders
    assert (row.done, row.flags) == (1, 1)


def test_an_empty_reply_is_named_in_the_manager_s_tables() -> None:
    said = [
        Remark("민지", "가온", None, "질문", r, 1, (), "왜 비었죠?", "", "") for r in (" \n", "네")
    ]
    assert [row["reply"] for row in remark_rows(said)] == ["(an empty reply)", "네"]


def test_results_are_promised_only_where_they_are_shown(session: GradingSession) -> None:
    who = Visitor(session.join("하늘")[1])
    hand_in(session, who, value=3)
    assert session.screen(who)["results_open"] is True
    session.store.management.set_visibility("run", "nothing")
    assert session.screen(who)["results_open"] is False


def test_disagreement_and_notes_come_with_their_replies(session: GradingSession) -> None:
    kind, strict = invite(session.store, "민지\n서연", "run")
    hand_in(session, visitor_by(kind.query), value=5)
    hand_in(session, visitor_by(strict.query), value=1)
    found = overview_of(session.store, session.run())
    first = found.disputed[0]
    assert first.spread == 4 and set(first.grades) == {("민지", 5), ("서연", 1)}
    assert first.reply and first.prompt.startswith("질문")
    assert {one.grader for one in found.remarks} == {"서연"}
    assert found.remarks[0].note == "말이 안 됨" and found.remarks[0].reply
    assert found.prompts[0].seconds == 10


def test_a_link_is_that_person_in_any_browser_until_it_is_revoked(session: GradingSession) -> None:
    (link,) = invite(session.store, "민지", "run")
    who = visitor_by(link.query)
    assert session.grader(who).name == "민지"
    hand_in(session, who, value=3, screens=3)
    session.store.management.revoke(who.id)
    with pytest.raises(InvalidRequest, match="revoked"):
        session.screen(who)
    assert overview_of(session.store, session.run()).graders[0].state == "revoked"
    assert session.store.grades("run")  # what was graded stays
    (kept,) = session.store.management.invitations()
    assert kept.revoked_at and link.query not in str(kept)


def test_names_that_can_not_be_are_refused(session: GradingSession) -> None:
    for names in ("", " \n ", "x" * 61, "\n".join(["y"] * 101)):
        with pytest.raises(InvalidRequest):
            invite(session.store, names, "run")
    with pytest.raises(UnknownName):
        session.store.management.revoke("nobody")
    with pytest.raises(UnknownName):
        session.store.management.set_visibility("run", "all of it")


def test_what_graders_may_see_is_the_last_thing_that_was_set(session: GradingSession) -> None:
    management = session.store.management
    assert management.visibility("run") == "results"
    management.set_visibility("run", "everything")
    management.set_visibility("run", "nothing")
    management.set_visibility("another", "everything")
    assert management.visibility("run") == "nothing"


def test_a_dataset_folder_loads_and_names_nobody(session: GradingSession, tmp_path: Path) -> None:
    for link in invite(session.store, "김민지\n이서연", "run"):
        hand_in(session, visitor_by(link.query), value=4)
    folder = tmp_path / "dataset"
    count = export_dataset(session.store, folder, "run")
    text = "".join(path.read_text("utf-8") for path in folder.rglob("*") if path.is_file())
    assert "김민지" not in text and "이서연" not in text
    grades = [json.loads(line) for line in (folder / "data/grades.jsonl").open(encoding="utf-8")]
    assert len(grades) == count and {one["grader"] for one in grades} == {"grader-1", "grader-2"}
    with pytest.raises(OhloraError, match="not empty"):
        export_dataset(session.store, folder)


@pytest.mark.slow
def test_hugging_face_reads_both_configurations(session: GradingSession, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="needs pip install datasets")
    (link,) = invite(session.store, "민지", "run")
    hand_in(session, visitor_by(link.query), value=4)
    export_dataset(session.store, tmp_path / "dataset", "run")
    for name, column in (("grades", "grade"), ("replies", "mean_grade")):
        cache = str(tmp_path / "cache")
        read = datasets.load_dataset(str(tmp_path / "dataset"), name, cache_dir=cache)["train"]
        assert set(read[column]) == {4}
