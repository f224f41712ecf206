"""The mirror of a Space: built at the first grade, read back at start, never in a grader's way."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from evaluators.grading.grading_session import GradingSession
from evaluators.grading.rater_identity import Visitor
from evaluators.grading.store import mirror
from evaluators.grading.store.grade_records import Grader
from evaluators.grading.store.grade_store import GradeStore
from evaluators.grading.store.mirror import Mirror, start_mirror
from model_registry.errors import BadFile, OhloraError
from tests.evaluators.grading.test_grading_store import a_grade
from tests.evaluators.grading.test_identical_replies import hand_in, practise
from tests.support.fake_hub import FakeHub, repo_of_folder
from tests.support.grading_fixtures import make_run


class Scheduler:
    """Stands in for huggingface_hub's, which asks the hub when it is built."""

    built: ClassVar[list[dict[str, Any]]] = []

    def __init__(self, **options: Any) -> None:
        self.built.append(options)
        self.lock = threading.Lock()

    def push_to_hub(self) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dataset repository that is a folder."""
    folder = tmp_path / "repository"
    folder.mkdir()
    Scheduler.built = []
    monkeypatch.setattr("huggingface_hub.CommitScheduler", Scheduler)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(folder))
    monkeypatch.setattr(mirror.atexit, "register", lambda _: None)
    return folder


def a_store(path: Path) -> GradeStore:
    store = GradeStore.open(f"sqlite:///{path}")
    store.add_grader(Grader("g1", "민지"))
    return store


def test_a_grade_is_copied_and_comes_back_after_a_restart(hub: Path, tmp_path: Path) -> None:
    store, copy = a_store(tmp_path / "one.db"), Mirror("me/grades", hub)
    store.on_grades(lambda grades: copy.add(grades, store))
    assert Scheduler.built == []  # nothing is asked before there is a grade
    store.add_grades([a_grade(note="=1+1")])
    store.add_grades([a_grade(2, subject="s1", grade=1)])
    assert [one["repo_id"] for one in Scheduler.built] == ["me/grades"]
    other = GradeStore.open(f"sqlite:///{tmp_path / 'two.db'}")
    assert Mirror("me/grades", hub).read_back(other) == 2
    assert Mirror("me/grades", hub).read_back(other) == 0
    assert [g.grade for g in other.grades()] == [1]
    assert other.graders()["g1"].name == "민지"


def test_a_revoked_link_stays_revoked_and_an_invitation_open_after_a_restart(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OHLORA_MIRROR_REPO", "me/grades")
    monkeypatch.setattr(mirror.tempfile, "mkdtemp", lambda **_: str(hub))
    store = GradeStore.open(f"sqlite:///{tmp_path / 'one.db'}")
    start_mirror(store)
    store.management.invite([Grader("g1", "민지"), Grader("g2", "서연")])
    store.management.revoke("g2")
    store.management.set_visibility("run", "everything")
    store.management.set_visibility("run", "nothing")
    (copy,) = hub.glob("management-*.jsonl")
    assert len(copy.read_text().splitlines()) == 5, "each row once"
    for _ in range(2):  # the second time nothing is new
        other = GradeStore.open(f"sqlite:///{tmp_path / 'two.db'}")
        start_mirror(other)
        assert set(other.management.rows()) == set(store.management.rows())
    assert other.graders()["g1"].name == "민지" and other.grader("g2") is None
    assert other.management.visibility("run") == "nothing"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A server that is the hub of this process; nothing is committed to it."""
    hub = FakeHub()
    hub.use(monkeypatch, tmp_path / "home")
    Scheduler.built = []
    monkeypatch.setattr("huggingface_hub.CommitScheduler", Scheduler)
    monkeypatch.setattr(mirror.atexit, "register", lambda _: None)
    monkeypatch.setenv("OHLORA_MIRROR_REPO", "me/grades")
    yield hub
    hub.close()


def test_a_space_that_restarts_knows_who_saw_names_and_what_is_whose(
    served: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror.tempfile, "tempdir", str(tmp_path))
    runs = {"run": make_run(tmp_path / "run")}

    def started(disk: str) -> GradingSession:
        (tmp_path / disk).mkdir()
        store = GradeStore.open(f"sqlite:///{tmp_path / disk / 'grades.db'}")
        start_mirror(store)
        return GradingSession(lambda: store, runs, "key")

    first = started("first disk")
    graded, looked = (Visitor(first.join(name, Visitor())[1]) for name in ("민지", "서연"))
    practise(first, graded)
    hand_in(first, graded, 4)
    first.screen(looked)
    first.note_names_seen(looked)
    first.note_names_seen(Visitor(), owner=True)
    (written,) = tmp_path.glob("ohlora-mirror-*")
    served.repos["datasets/me/grades"] = repo_of_folder(written)

    second = started("second disk")
    for who in (graded, looked):
        assert second.store.screens(who.id, "run") == first.store.screens(who.id, "run") != []
    assert second.screen(graded)["number"] == first.screen(graded)["number"]
    assert second.store.graders()[looked.id].name == "서연", "who gave no grade yet has their link"
    practise(second, looked)
    hand_in(second, looked, 5)
    assert {g.blind for g in second.store.grades(grader=looked.id)} == {False}
    assert {g.blind for g in second.store.grades(grader=graded.id)} == {True}
    owner, _ = second.join("주인", owner=True)
    assert second.store.names_seen.by(owner.id, "run")


def test_a_damaged_copy_of_invitations_is_named_with_its_line(hub: Path, tmp_path: Path) -> None:
    (hub / "management-1.jsonl").write_text('{"table": "invitations"}\n')
    with pytest.raises(BadFile, match=r"management-1\.jsonl:1"):
        Mirror("me/grades", hub).read_back(a_store(tmp_path / "one.db"))
    (hub / "management-1.jsonl").write_text("")
    (hub / "screens-1.jsonl").write_text('\n{"id": "s"}\n')
    with pytest.raises(BadFile, match=r"screens-1\.jsonl:2"):
        Mirror("me/grades", hub).read_back(a_store(tmp_path / "two.db"))


def test_a_mirror_that_fails_costs_no_grade(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise ConnectionError("no hub")

    monkeypatch.setattr("huggingface_hub.CommitScheduler", refuse)
    store, copy = a_store(tmp_path / "one.db"), Mirror("me/grades", hub)
    store.on_grades(lambda grades: copy.add(grades, store))
    with pytest.warns(UserWarning, match="was not copied"):
        assert store.add_grades([a_grade()]) == 1
    assert len(store.grades()) == 1


def test_a_mirror_that_can_not_be_read_says_so_at_start(
    hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ConnectionError("no hub")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    monkeypatch.setenv("OHLORA_MIRROR_REPO", "me/grades")
    with pytest.raises(OhloraError, match="OHLORA_MIRROR_REPO"):
        start_mirror(a_store(tmp_path / "one.db"))


def test_without_a_name_there_is_no_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OHLORA_MIRROR_REPO", raising=False)
    assert start_mirror(a_store(tmp_path / "one.db")) is None


def test_the_copy_is_readable_korean(hub: Path, tmp_path: Path) -> None:
    store = a_store(tmp_path / "one.db")
    Mirror("me/grades", hub).add([a_grade()], store)
    (file,) = hub.glob("*.jsonl")
    assert "안녕하세요!" in file.read_text()
    assert json.loads(file.read_text())["grader_name"] == "민지"
