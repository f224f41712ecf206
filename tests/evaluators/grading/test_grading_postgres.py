"""The same store on PostgreSQL, started by the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from evaluators.grading.store import schema
from evaluators.grading.store.database import database_url
from evaluators.grading.store.grade_records import Grader
from evaluators.grading.store.grade_store import GradeStore
from model_registry.errors import OhloraError
from tests.evaluators.grading.test_grading_store import a_grade, start_writer
from tests.support.postgres_fixture import postgres as postgres
from tests.support.postgres_fixture import postgres_url as postgres_url


@pytest.fixture
def store(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[GradeStore]:
    monkeypatch.setenv("OHLORA_DB_URL", postgres_url)
    store = GradeStore.open()
    store.add_grader(Grader("g1", "민지"))
    yield store
    store.close()


def test_the_same_key_twice_is_one_grade(store: GradeStore) -> None:
    assert store.add_grades([a_grade(flags=("foreign",), reply="가\0나\ud800")]) == 1
    assert store.add_grades([a_grade(grade=1)]) == 0
    (found,) = store.grades("run")
    assert (found.grade, found.flags, found.reply) == (4, ("foreign",), "가나?")


def test_a_grade_beyond_five_is_refused(store: GradeStore) -> None:
    with pytest.raises(OhloraError, match="can't be kept"):
        store.add_grades([a_grade(7, grade=6)])


def test_the_migrations_make_the_very_tables_of_the_schema(store: GradeStore) -> None:
    with store._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []


def test_four_processes_that_start_at_once_lose_nothing(store: GradeStore) -> None:
    writers = [start_writer(database_url(), f"w{i}", 50) for i in range(4)]
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    keys = [g.key for g in store.grades("run", history=True) if g.key.startswith("w")]
    assert len(keys) == len(set(keys)) == 200


def test_the_place_is_told_without_a_password() -> None:
    from sqlalchemy import create_engine

    store = GradeStore(create_engine("postgresql+psycopg://me:secret@host/name"))
    assert "secret" not in store.place
