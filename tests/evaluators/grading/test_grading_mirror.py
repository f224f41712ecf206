"""The mirror of a Space: built at the first grade, read back at start, never in a grader's way."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any, ClassVar

import pytest

from evaluators.grading.store import mirror
from evaluators.grading.store.grade_records import Grader
from evaluators.grading.store.grade_store import GradeStore
from evaluators.grading.store.mirror import Mirror, start_mirror
from model_registry.errors import BadFile, OhloraError
from tests.evaluators.grading.test_grading_store import a_grade


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


def test_a_damaged_copy_of_invitations_is_named_with_its_line(hub: Path, tmp_path: Path) -> None:
    (hub / "management-1.jsonl").write_text('{"table": "invitations"}\n')
    with pytest.raises(BadFile, match=r"management-1\.jsonl:1"):
        Mirror("me/grades", hub).read_back(a_store(tmp_path / "one.db"))


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
