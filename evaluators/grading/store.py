"""The store of graders, screens, grades and votes: rows are added, the last of a subject counts.

A grade that `add_grades` has returned for is on disk: one transaction holds all grades of a
screen, and the key makes the same grade sent twice (a double click, a retry after a lost
connection) one row.
"""

from __future__ import annotations

import hashlib
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, Table, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from evaluators.grading import schema
from evaluators.grading.database import database_url, open_database
from model_registry.errors import OhloraError

#: What a person may say in a vote between two replies.
CHOICES = ("left", "right", "both_good", "both_bad")


@dataclass(frozen=True, slots=True)
class Grader:
    """A person who grades; the name is all that is known of them."""

    id: str
    name: str
    made_at: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """One reply on a screen: which one it is. Never sent to a grader's browser."""

    case: str
    candidate: str
    pass_: str
    tuned: int | None
    reply_hash: str


@dataclass(frozen=True, slots=True)
class Screen:
    """One prompt with some replies, as one grader sees it, in the order it is shown in."""

    id: str
    grader: str
    run: str
    number: int
    kind: str  # "practice", "item" or "repeat"
    prompt: str
    shown: tuple[Shown, ...]
    made_at: str = ""


@dataclass(frozen=True, slots=True)
class Grade:
    """One grade (or a skip) that one person gave one reply, with how it was shown."""

    key: str
    subject: str
    grader: str
    run: str
    case: str
    candidate: str
    prompt: str
    reply: str
    grade: int | None
    page: str = "grade"
    screen: str | None = None
    kind: str = "item"
    pass_: str = "greedy"
    tuned: int | None = None
    reply_hash: str = ""
    position: int | None = None
    shown: int | None = None
    flags: tuple[str, ...] = ()
    note: str = ""
    skip_reason: str = ""
    seconds: float | None = None
    blind: bool = True
    made_at: str = ""


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's choice between two replies to the same prompt."""

    key: str
    grader: str
    prompt: str
    left: str
    right: str
    left_reply: str
    right_reply: str
    choice: str
    settings: dict[str, Any]
    seconds: float | None = None
    made_at: str = ""


Row = TypeVar("Row", Grade, Vote)


def reply_hash(reply: str) -> str:
    """What tells one reply's text from another's: half a SHA-256, in hexadecimal."""
    return hashlib.sha256(reply.encode("utf-8", errors="replace")).hexdigest()[:32]


def now() -> str:
    """The time in UTC, to the millisecond, as rows hold it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class GradeStore:
    """Graders, screens, grades and votes in one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = engine.execution_options(writes=True)
        # SQLite takes one writer at a time, and its waiting is a lottery: threads line up here.
        one_at_a_time = engine.dialect.name == "sqlite"
        self._writing: Any = threading.Lock() if one_at_a_time else nullcontext()
        self._listeners: list[Callable[[list[Grade]], None]] = []

    @classmethod
    def open(cls, url: str | None = None) -> GradeStore:
        """The store at this address, else at OHLORA_DB_URL, else grades.db in the data folder.

        Raises:
            OhloraError: it can't be reached or is of a newer version.
        """
        return cls(open_database(url or database_url()))

    @property
    def place(self) -> str:
        """Where the grades are, for people: a file, or a server without its password."""
        url = self._engine.url
        return str(url.database) if url.drivername == "sqlite" else url.render_as_string()

    def close(self) -> None:
        self._engine.dispose()

    def add_grader(self, grader: Grader) -> Grader:
        """Keep a grader; one who is known already stays as they were."""
        row = {"id": grader.id, "name": grader.name, "made_at": grader.made_at or now()}
        with self._writing, self._writer.begin() as connection:
            _insert(connection, schema.graders, [row])
        return self.grader(grader.id) or grader

    def grader(self, grader_id: str) -> Grader | None:
        with self._engine.connect() as connection:
            query = select(schema.graders).where(schema.graders.c.id == grader_id)
            row = connection.execute(query).mappings().first()
        return None if row is None else Grader(**row)

    def graders(self) -> dict[str, Grader]:
        """Every grader by id."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(schema.graders)).mappings().all()
        return {row["id"]: Grader(**row) for row in rows}

    def add_screens(self, screens: Iterable[Screen]) -> None:
        """Keep what will be shown; a number that this grader has already stays as it was."""
        rows = [{**asdict(s), "made_at": s.made_at or now()} for s in screens]
        with self._writing, self._writer.begin() as connection:
            _insert(connection, schema.screens, rows)

    def screens(self, grader_id: str, run: str) -> list[Screen]:
        """All screens of one grader in one run, in order."""
        table = schema.screens
        query = select(table).where(table.c.grader == grader_id, table.c.run == run)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(table.c.number)).mappings().all()
        return [_screen(row) for row in rows]

    def screen(self, screen_id: str) -> Screen | None:
        with self._engine.connect() as connection:
            query = select(schema.screens).where(schema.screens.c.id == screen_id)
            row = connection.execute(query).mappings().first()
        return None if row is None else _screen(row)

    def add_grades(self, grades: Sequence[Grade]) -> int:
        """Add grades in one transaction; how many were new. When this returns, they are on disk.

        Raises:
            OhloraError: a grade is not 1 to 5, or its grader is not known.
        """
        stored = self._add(schema.grades, [_row(g) for g in grades])
        if stored:
            self._tell(list(grades))
        return stored

    def on_grades(self, listener: Callable[[list[Grade]], None]) -> None:
        """Call this with grades once they are on disk; its failure is a warning, never a loss."""
        self._listeners.append(listener)

    def _tell(self, grades: list[Grade]) -> None:
        for listener in self._listeners:
            try:
                listener(grades)
            except Exception as error:  # noqa: BLE001 - the grades are kept, whatever it does
                warnings.warn(f"Grades are kept, but were not copied: {error}", stacklevel=2)

    def add_votes(self, votes: Sequence[Vote]) -> int:
        """Add votes in one transaction; how many were new."""
        for vote in votes:
            if vote.choice not in CHOICES:
                raise OhloraError(f"A vote is one of {', '.join(CHOICES)}, not {vote.choice!r}.")
        return self._add(schema.votes, [_row(v) for v in votes])

    def _add(self, table: Table, rows: list[dict[str, Any]]) -> int:
        try:
            with self._writing, self._writer.begin() as connection:
                return _insert(connection, table, rows)
        except IntegrityError as error:
            raise OhloraError(f"This can't be kept: {str(error.orig).splitlines()[0]}") from None

    def grades(
        self,
        run: str | None = None,
        *,
        grader: str | None = None,
        screen: str | None = None,
        history: bool = False,
    ) -> list[Grade]:
        """Grades in the order they were given: the last of each subject, or all with `history`."""
        table = schema.grades
        query = select(table).order_by(table.c.id)
        for column, wanted in (("run", run), ("grader", grader), ("screen", screen)):
            if wanted is not None:
                query = query.where(table.c[column] == wanted)
        with self._engine.connect() as connection:
            found = [_grade(row) for row in connection.execute(query).mappings()]
        return found if history else list({g.subject: g for g in found}.values())

    def votes(self) -> list[Vote]:
        """All votes in the order they were given."""
        query = select(schema.votes).order_by(schema.votes.c.id)
        with self._engine.connect() as connection:
            return [Vote(**_without_id(row)) for row in connection.execute(query).mappings()]


def _insert(connection: Connection, table: Table, rows: list[dict[str, Any]]) -> int:
    """Insert rows, leaving out those whose key is there; the number inserted."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    count = 0
    for row in rows:  # one by one: drivers don't count rows of a bulk insert alike
        statement = dialect.insert(table).values(**row).on_conflict_do_nothing()
        count += connection.execute(statement.returning(table.c.id)).first() is not None
    return count


def _row(record: Grade | Vote) -> dict[str, Any]:
    row = {**asdict(record), "made_at": record.made_at or now()}
    if "pass_" in row:
        row["pass"] = row.pop("pass_")
    # PostgreSQL refuses a NUL, and a lone surrogate can't be written as UTF-8.
    return {name: _storable(value) for name, value in row.items()}


def _storable(value: Any) -> Any:
    if not isinstance(value, str):
        return list(value) if isinstance(value, tuple) else value
    return value.replace("\0", "").encode("utf-8", errors="replace").decode("utf-8")


def _without_id(row: Any) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "id"}


def _grade(row: Any) -> Grade:
    values = _without_id(row)
    values["pass_"] = values.pop("pass")
    return replace(Grade(**values), flags=tuple(values["flags"]))


def _screen(row: Any) -> Screen:
    shown = tuple(Shown(**one) for one in row["shown"])
    return Screen(**{**row, "shown": shown})
