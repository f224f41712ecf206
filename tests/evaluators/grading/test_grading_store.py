"""The store of grades: nothing lost, nothing twice, nothing rewritten."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from evaluators.grading.store import database, schema
from evaluators.grading.store.grade_records import Grade, Grader, Vote, reply_hash
from evaluators.grading.store.grade_store import GradeStore
from model_registry.errors import OhloraError
from tests.rows.korean_words import is_korean

ROOT = Path(__file__).parents[3]


@pytest.fixture
def store(tmp_path: Path) -> GradeStore:
    store = GradeStore.open(f"sqlite:///{tmp_path / 'grades.db'}")
    store.add_grader(Grader("g1", "민지"))
    return store


def a_grade(number: int = 1, **changes: object) -> Grade:
    grade = Grade(
        key=f"k{number}",
        subject=f"s{number}",
        grader="g1",
        run="run",
        case="case",
        candidate="작은 모델",
        prompt="안녕?",
        reply="안녕하세요!",
        grade=4,
    )
    return replace(grade, **changes)


def test_a_grade_comes_back_as_it_was_given(store: GradeStore) -> None:
    given = a_grade(flags=("foreign",), note="좋다 😀", seconds=1.5, tuned=16, position=2, shown=7)
    assert store.add_grades([given]) == 1
    (found,) = store.grades("run")
    assert found.made_at.endswith("+00:00")
    assert replace(found, made_at="") == given


def test_the_same_key_twice_is_one_grade(store: GradeStore) -> None:
    assert store.add_grades([a_grade()]) == 1
    assert store.add_grades([a_grade(grade=1)]) == 0
    assert [g.grade for g in store.grades()] == [4]


def test_a_revision_is_a_new_row_and_the_last_one_counts(store: GradeStore) -> None:
    store.add_grades([a_grade(), a_grade(2)])
    store.add_grades([a_grade(3, subject="s1", grade=2)])
    assert {g.subject: g.grade for g in store.grades()} == {"s1": 2, "s2": 4}
    assert [g.grade for g in store.grades(history=True)] == [4, 4, 2]


def test_a_grade_beyond_five_is_refused_and_so_are_its_neighbours(store: GradeStore) -> None:
    with pytest.raises(OhloraError, match="can't be kept") as refused:
        store.add_grades([a_grade(1), a_grade(2, grade=6)])
    assert is_korean(refused.value.korean)
    assert store.grades() == []


def test_a_grade_of_an_unknown_grader_is_refused(store: GradeStore) -> None:
    with pytest.raises(OhloraError, match="can't be kept"):
        store.add_grades([a_grade(grader="nobody")])


def test_two_people_of_one_name_are_kept_apart(store: GradeStore) -> None:
    store.add_grader(Grader("g2", "민지"))
    store.add_grades([a_grade(1), a_grade(2, grader="g2", grade=1)])
    assert [g.grade for g in store.grades(grader="g2")] == [1]
    assert len(store.graders()) == 2


def test_a_grader_who_is_known_keeps_the_first_name(store: GradeStore) -> None:
    assert store.add_grader(Grader("g1", "다른 이름")).name == "민지"


def test_text_that_a_database_would_refuse_is_kept_without_the_bad_part(store: GradeStore) -> None:
    store.add_grades([a_grade(reply="가\0나\ud800다")])
    assert store.grades()[0].reply == "가나?다"
    assert reply_hash("가\ud800") == reply_hash("가?")


def test_a_vote_is_one_of_four(store: GradeStore) -> None:
    vote = Vote("v1", "g1", "안녕?", "a", "b", "1", "2", "left", {"seed": 1})
    assert store.add_votes([vote]) == 1
    assert store.add_votes([vote]) == 0
    assert store.votes()[0].settings == {"seed": 1}
    with pytest.raises(OhloraError, match="one of left"):
        store.add_votes([replace(vote, choice="maybe")])


def test_opening_again_keeps_what_is_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new folder' / 'grades.db'}"
    first = GradeStore.open(url)
    first.add_grader(Grader("g1", "민지"))
    first.close()
    assert GradeStore.open(url).grader("g1") is not None


def test_the_migrations_make_the_very_tables_of_the_schema(store: GradeStore) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with store._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
    versions = sorted((ROOT / "evaluators/grading/store/migrations/versions").glob("0*.py"))
    assert versions[-1].name.startswith(schema.HEAD)


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'grades.db'}"
    GradeStore.open(url).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(OhloraError, match="newer ohlora"):
        GradeStore.open(url)


def test_a_wrong_address_says_what_a_right_one_looks_like() -> None:
    with pytest.raises(OhloraError, match="OHLORA_DB_URL must be like"):
        GradeStore.open("nonsense")


def test_an_address_that_does_not_answer_is_told_without_its_password() -> None:
    with pytest.raises(OhloraError, match="does not answer") as told:
        GradeStore.open("postgresql+psycopg://me:secret@127.0.0.1:1/none")
    assert "secret" not in str(told.value)


def test_commits_wait_for_the_disk(store: GradeStore) -> None:
    with store._engine.connect() as connection:
        modes = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert modes == ["wal", 2, 1, 30000]


WRITER = """
import sys
from evaluators.grading.store import database
from evaluators.grading.store.grade_store import *
database._BUSY_MS = 250_000  # a busy machine's disk may take long over each of many commits
url, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = GradeStore.open(url)
store.add_grader(Grader(name, name))
for i in range(count):
    key = f"{name}-{i}"
    store.add_grades([Grade(key, key, name, "run", "case", "c", "p", "r", 3)])
    print(key, flush=True)
"""


def start_writer(url: str, name: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, url, name, str(count)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_four_processes_that_start_at_once_lose_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'grades.db'}"
    writers = [start_writer(url, f"w{i}", 50) for i in range(4)]
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    assert len(GradeStore.open(url).grades()) == 200


def test_many_threads_that_open_and_write_at_once_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A busy machine's disk may take long over each of many commits.
    monkeypatch.setattr(database, "_BUSY_MS", 250_000)
    url = f"sqlite:///{tmp_path / 'grades.db'}"

    def work(number: int) -> None:
        store = GradeStore.open(url)
        store.add_grader(Grader("g1", "민지"))
        for i in range(5):
            store.add_grades([a_grade(100 * number + i)])

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, range(20)))
    assert len(GradeStore.open(url).grades()) == 100


def test_kill_9_loses_no_grade_that_was_acknowledged(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'grades.db'}"
    writers = [start_writer(url, f"w{i}", 100_000) for i in range(2)]
    told = [w.stdout for w in writers if w.stdout]
    # Both are in the midst of it, however slow the disk is.
    acknowledged = [lines.readline().strip() for lines in told for _ in range(8)]
    time.sleep(0.1)
    for writer in writers:
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += writer.communicate()[0].split("\n")[:-1]
    stored = {g.key for g in GradeStore.open(url).grades(history=True)}
    assert len(acknowledged) > 10
    assert set(acknowledged) <= stored
    assert len(stored) <= len(set(acknowledged)) + 2  # at most the one being told of each
