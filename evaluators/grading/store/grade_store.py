"""Stores graders, screens, grades and votes; rows are only added.

A grade that `add_grades` has returned for is on disk: one transaction holds all grades of a
screen, and the key makes the same grade sent twice (a double click, a retry after a lost
connection) one row.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, replace
from functools import partial

from sqlalchemy import Engine, Executable, RowMapping, Table, delete, func, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from evaluators.grading.store import schema
from evaluators.grading.store.database import cause_of, database_url, lock_planning, open_database
from evaluators.grading.store.grade_records import (
    CHOICES,
    Grade,
    Grader,
    PlannedScreens,
    Screen,
    Vote,
    grades_that_count,
    now,
)
from evaluators.grading.store.management_store import ManagementStore
from evaluators.grading.store.names_seen import NamesSeen
from evaluators.grading.store.row_values import (
    grade_of,
    insert_new,
    planned_screens,
    row_of,
    screen_of,
    storable,
    without_id,
)
from model_registry.errors import OhloraError
from model_registry.files.json_values import JsonDict


class GradeStore:
    """Graders, screens, grades and votes in one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(writes=True)
        # SQLite takes one writer at a time, and its waiting is a lottery: threads line up here.
        one_at_a_time = engine.dialect.name == "sqlite"
        self._writing: AbstractContextManager[object] = (
            threading.Lock() if one_at_a_time else nullcontext()
        )
        self._listeners: list[Callable[[list[Grade]], None]] = []
        self._managing: list[Callable[[], None]] = []
        self._planning: list[Callable[[list[Screen]], None]] = []

    @classmethod
    def open(cls, url: str | None = None) -> GradeStore:
        """The store at this address, else at OHLORA_DB_URL, else grades.db in the data folder.

        Raises:
            OhloraError: it can't be reached or is of a newer version.
        """
        return cls(open_database(url or database_url()))

    @property
    def place(self) -> str:
        """Where the grades are stored, for people: a file, or a server without its password."""
        url = self._engine.url
        return str(url.database) if url.drivername == "sqlite" else url.render_as_string()

    @property
    def url(self) -> str | None:
        """The address by which another process opens the same store; None where none can."""
        url = self._engine.url
        in_memory = url.drivername == "sqlite" and url.database in (None, "", ":memory:")
        return None if in_memory else url.render_as_string(hide_password=False)

    @property
    def management(self) -> ManagementStore:
        """What only the manager asks for."""
        return ManagementStore(self._engine, self._writing, lambda: _call(self._managing))

    @property
    def names_seen(self) -> NamesSeen:
        """Who has seen names or results."""
        return NamesSeen(self._engine, self._writing, lambda: _call(self._managing))

    def check_writable(self) -> None:
        """Check that a grade could be stored, without storing one.

        Raises:
            OhloraError: it could not: the folder or the database is read-only, or the disk full.
        """
        try:
            with self._writing, self._writer.connect() as connection, connection.begin() as begun:
                insert_new(connection, schema.graders, [{"id": "", "name": "", "made_at": now()}])
                begun.rollback()
        except SQLAlchemyError as error:
            cause = str(cause_of(error)).splitlines()[0]
            raise OhloraError(
                f"Grades can't be kept in {self.place}: {cause}. Set OHLORA_DATA_DIR to a folder "
                "that may be written to, or OHLORA_DB_URL to a database.",
                f"{self.place}에 등급을 저장할 수 없습니다: {cause}. OHLORA_DATA_DIR에 쓸 수 "
                "있는 폴더를, 또는 OHLORA_DB_URL에 데이터베이스를 지정하세요.",
            ) from None

    def close(self) -> None:
        self._engine.dispose()

    def add_grader(self, grader: Grader) -> Grader:
        """Add a grader; one who is known already stays unchanged."""
        row = {"id": grader.id, "name": grader.name, "made_at": grader.made_at or now()}
        self._insert(schema.graders, [row])
        return self.grader(grader.id) or grader

    def grader(self, grader_id: str) -> Grader | None:
        """Who has this id; nobody, once their invitation was revoked."""
        table, revoked = schema.graders, select(schema.revocations.c.grader)
        query = select(table).where(table.c.id == grader_id, table.c.id.not_in(revoked))
        return next((Grader(**row) for row in self._rows(query)), None)

    def graders(self) -> dict[str, Grader]:
        """Every grader by id."""
        return {row["id"]: Grader(**row) for row in self._rows(select(schema.graders))}

    def planned(self, run: str) -> PlannedScreens:
        """The screens that a run has, whoever they are of."""
        with self._engine.connect() as connection:
            return planned_screens(connection, run)

    def plan_screens(self, run: str, further: Callable[[PlannedScreens], list[Screen]]) -> None:
        """Add the screens that `further` makes of those that the run has.

        Nobody else plans meanwhile, in no other process either: what is allotted to one is not
        allotted to the next.
        """
        with self._writing, self._writer.begin() as connection:
            lock_planning(connection, run)
            more = further(planned_screens(connection, run))
            more = [replace(s, made_at=s.made_at or now()) for s in more]
            insert_new(connection, schema.screens, [asdict(s) for s in more])
        if more:
            _call(partial(listener, more) for listener in self._planning)

    def add_screens(self, planned: Iterable[tuple[Screen, Grader]]) -> None:
        """Add copied screens, and whom each is of, where they are not there."""
        with self._writing, self._writer.begin() as connection:
            for screen, grader in planned:
                insert_new(connection, schema.graders, [asdict(grader)])
                insert_new(connection, schema.screens, [asdict(screen)])

    def screens(self, grader_id: str, run: str) -> list[Screen]:
        """All screens of one grader in one run, in order."""
        table = schema.screens
        query = select(table).where(table.c.grader == grader_id, table.c.run == run)
        return [screen_of(row) for row in self._rows(query.order_by(table.c.number))]

    def screen(self, screen_id: str) -> Screen | None:
        query = select(schema.screens).where(schema.screens.c.id == screen_id)
        return next((screen_of(row) for row in self._rows(query)), None)

    def draft(self, screen_id: str) -> list[JsonDict] | None:
        """What was chosen on a screen and not handed in since."""
        table = schema.drafts
        with self._engine.connect() as connection:
            query = select(table.c.answers).where(table.c.screen == screen_id)
            found: list[JsonDict] | None = connection.execute(query).scalar()
        return found

    def keep_draft(self, screen_id: str, answers: Sequence[Mapping[str, object]] | None) -> None:
        """Keep a draft in the place of an earlier one; None drops it."""
        table = schema.drafts
        with self._writing, self._writer.begin() as connection:
            connection.execute(delete(table).where(table.c.screen == screen_id))
            if answers is not None:
                kept = [{name: storable(v) for name, v in one.items()} for one in answers]
                row = {"screen": screen_id, "answers": kept, "made_at": now()}
                insert_new(connection, table, [row])

    def add_grades(self, grades: Sequence[Grade]) -> int:
        """Add grades in one transaction; how many were new. When this returns, they are on disk.

        Raises:
            OhloraError: a grade is not 1 to 5, or its grader is not known.
        """
        stored = self._add(schema.grades, [row_of(g) for g in grades])
        if stored:
            _call(partial(listener, list(grades)) for listener in self._listeners)
        return stored

    def on_grades(self, listener: Callable[[list[Grade]], None]) -> None:
        """Call this with grades once they are on disk; its failure is a warning, never a loss."""
        self._listeners.append(listener)

    def on_management(self, listener: Callable[[], None]) -> None:
        """Call this once something that a manager did, or who has seen names, is on disk."""
        self._managing.append(listener)

    def on_screens(self, listener: Callable[[list[Screen]], None]) -> None:
        """Call this with planned screens once they are on disk; its failure is a warning."""
        self._planning.append(listener)

    def add_votes(self, votes: Sequence[Vote]) -> int:
        """Add votes in one transaction; how many were new."""
        for vote in votes:
            if vote.choice not in CHOICES:
                known = ", ".join(CHOICES)
                raise OhloraError(
                    f"A vote is one of {known}, not {vote.choice!r}.",
                    f"투표는 {known} 중 하나여야 합니다({vote.choice!r}은(는) 안 됩니다).",
                )
        return self._add(schema.votes, [row_of(v) for v in votes])

    def _add(self, table: Table, rows: Sequence[Mapping[str, object]]) -> int:
        try:
            return self._insert(table, rows)
        except IntegrityError as error:
            raise OhloraError(
                f"This can't be kept: {str(error.orig).splitlines()[0]}",
                "저장할 수 없습니다. 등급은 1~5여야 하고 평가자는 등록되어 있어야 합니다.",
            ) from None

    def grades(
        self,
        run: str | None = None,
        *,
        grader: str | None = None,
        history: bool = False,
    ) -> list[Grade]:
        """Grades in the order they were given: those that count, or all with `history`."""
        table = schema.grades
        query = select(table).order_by(table.c.id)
        for column, wanted in (("run", run), ("grader", grader)):
            if wanted is not None:
                query = query.where(table.c[column] == wanted)
        found = [grade_of(row) for row in self._rows(query)]
        return found if history else grades_that_count(found)

    def counts(self, run: str) -> tuple[int, int]:
        """How many rows there are: grades of a run, revisions too, and votes of all runs."""
        grades = select(func.count()).where(schema.grades.c.run == run)
        votes = select(func.count()).select_from(schema.votes)
        with self._engine.connect() as connection:
            found = [int(connection.execute(one).scalar() or 0) for one in (grades, votes)]
        return found[0], found[1]

    def votes(self) -> list[Vote]:
        """All votes in the order they were given."""
        query = select(schema.votes).order_by(schema.votes.c.id)
        return [Vote(**without_id(row)) for row in self._rows(query)]

    def _rows(self, query: Executable) -> Sequence[RowMapping]:
        with self._engine.connect() as connection:
            return connection.execute(query).mappings().all()

    def _insert(self, table: Table, rows: Sequence[Mapping[str, object]]) -> int:
        """Add rows in one transaction; how many were new."""
        with self._writing, self._writer.begin() as connection:
            return insert_new(connection, table, rows)


def _call(listeners: Iterable[Callable[[], None]]) -> None:
    for listener in listeners:
        try:
            listener()
        except Exception as error:  # noqa: BLE001 - what it is about is kept, whatever it does
            warnings.warn(f"What was done is kept, but was not copied: {error}", stacklevel=3)
