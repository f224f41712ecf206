"""Who has seen candidates' names or results of a run: what they grade later is not blind.

Rows are only added, as everywhere in this database.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import Engine, select

from evaluators.grading.store import schema
from evaluators.grading.store.grade_records import now
from evaluators.grading.store.row_values import insert_new


class NamesSeen:
    """The names_seen rows of one database.

    `writing` lets one writer in at a time; `told` is called when a row is on disk.
    """

    def __init__(
        self,
        engine: Engine,
        writing: AbstractContextManager[object],
        told: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine, self._writing, self._told = engine, writing, told
        self._writer = engine.execution_options(writes=True)

    def note(self, grader_id: str, run: str) -> None:
        """Record that a person has seen names or results of a run; the first time stays."""
        if not self._has_row(grader_id, run):  # who looks again waits for nobody who writes
            self._add([{"grader": grader_id, "run": run, "made_at": now()}])

    def copy(self, of: str, to: str) -> None:
        """Record that one person has seen what another id has: they are the same person."""
        table = schema.names_seen
        known = select(table.c.run).where(table.c.grader == to)
        query = select(table).where(table.c.grader == of, table.c.run.not_in(known))
        with self._engine.connect() as connection:
            new = connection.execute(query).mappings().all()
        if new:
            self._add([{**row, "grader": to} for row in new])

    def by(self, grader_id: str, run: str) -> bool:
        """Whether this person's later grades in this run are no longer blind.

        One grade that was not blind says so too: a copy of the grades may bring no other note.
        """
        given = schema.grades
        query = select(given.c.id).where(
            given.c.grader == grader_id,
            given.c.run == run,
            given.c.page == "grade",
            given.c.blind.is_(False),
        )
        if self._has_row(grader_id, run):
            return True
        with self._engine.connect() as connection:
            return connection.execute(query.limit(1)).first() is not None

    def _has_row(self, grader_id: str, run: str) -> bool:
        table = schema.names_seen
        query = select(table.c.run).where(table.c.grader == grader_id, table.c.run == run)
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def _add(self, rows: list[dict[str, object]]) -> None:
        with self._writing, self._writer.begin() as connection:
            insert_new(connection, schema.names_seen, rows)
        self._told()
