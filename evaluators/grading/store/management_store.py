"""What a manager keeps of a grading: invitations, their end, and what graders may see at the end.

Also the copy of these rows, and of who has seen names, that outlives a lost disk.

Rows are only added, as everywhere in this database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from sqlalchemy import Engine, insert, select

from evaluators.grading.store import schema
from evaluators.grading.store.grade_records import Grader, Screen, now
from evaluators.grading.store.row_values import insert_new, screen_of
from model_registry.errors import UnknownName

#: What graders who have finished may see: nothing; the figures, and of the graders only
#: themselves; or everything, the names and the severity of the others too.
LEVELS = ("nothing", "results", "everything")
DEFAULT_LEVEL = "results"


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link that was made for one person. The database holds a digest of it: it opens nothing."""

    grader: str
    name: str
    made_at: str
    revoked_at: str | None = None


@dataclass(frozen=True, slots=True)
class ManagementRow:
    """One row of these tables, with the name of its grader, as it is copied elsewhere."""

    table: str  # one of `_COPIED`
    made_at: str
    grader: str = ""
    name: str = ""
    run: str = ""
    level: str = ""


_OF_GRADERS = {"invitations": schema.invitations, "revocations": schema.revocations}
_COPIED = (*_OF_GRADERS, "visibility", "names_seen")


class ManagementStore:
    """The manager's tables of one database.

    `writing` lets one writer in at a time; `told` is called when what was written is on disk.
    """

    def __init__(
        self,
        engine: Engine,
        writing: AbstractContextManager[object],
        told: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine, self._writing, self._told = engine, writing, told
        self._writer = engine.execution_options(writes=True)

    def invite(self, graders: Sequence[Grader]) -> None:
        """Add graders who come by an invitation; one that is there stays as it is."""
        people = [{"id": g.id, "name": g.name, "made_at": now()} for g in graders]
        links = [{"grader": g.id, "made_at": now()} for g in graders]
        with self._writing, self._writer.begin() as connection:
            insert_new(connection, schema.graders, people)
            insert_new(connection, schema.invitations, links)
        self._told()

    def revoke(self, grader: str) -> None:
        """End a person's link; what they graded stays.

        Raises:
            UnknownName: there is no such grader.
        """
        with self._writing, self._writer.begin() as connection:
            known = select(schema.graders.c.id).where(schema.graders.c.id == grader)
            if connection.execute(known).first() is None:
                raise UnknownName("grader", grader[:40], ())
            insert_new(connection, schema.revocations, [{"grader": grader, "made_at": now()}])
        self._told()

    def invitations(self) -> list[Invitation]:
        """All that were made, the newest first, those that were revoked too."""
        made, ended, people = schema.invitations, schema.revocations, schema.graders
        query = (
            select(made.c.grader, people.c.name, made.c.made_at, ended.c.made_at.label("revoked"))
            .join(people, people.c.id == made.c.grader)
            .outerjoin(ended, ended.c.grader == made.c.grader)
            .order_by(made.c.made_at.desc())
        )
        with self._engine.connect() as connection:
            return [Invitation(*row) for row in connection.execute(query)]

    def revoked(self) -> set[str]:
        """The graders whose link was ended."""
        with self._engine.connect() as connection:
            return set(connection.execute(select(schema.revocations.c.grader)).scalars())

    def screens(self, run: str) -> list[Screen]:
        """The screens of all graders of a run."""
        table = schema.screens
        query = select(table).where(table.c.run == run).order_by(table.c.number)
        with self._engine.connect() as connection:
            return [screen_of(row) for row in connection.execute(query).mappings()]

    def set_visibility(self, run: str, level: str) -> None:
        """Say what graders who have finished may see of a run.

        Raises:
            UnknownName: no such level.
        """
        if level not in LEVELS:
            raise UnknownName("level", str(level)[:40], LEVELS)
        with self._writing, self._writer.begin() as connection:
            row = {"run": run, "level": level, "made_at": now()}
            connection.execute(insert(schema.visibility).values(**row))
        self._told()

    def visibility(self, run: str) -> str:
        """What graders who have finished may see of a run: one of `LEVELS`."""
        table = schema.visibility
        last = (
            table.c.made_at.desc(),
            table.c.id.desc(),
        )  # a copied row has an id of here
        query = select(table.c.level).where(table.c.run == run).order_by(*last).limit(1)
        with self._engine.connect() as connection:
            return str(connection.execute(query).scalar() or DEFAULT_LEVEL)

    def rows(self) -> list[ManagementRow]:
        """Everything that a manager declared, and who has seen names; `add_rows` takes it."""
        people, may_see, seen = schema.graders, schema.visibility, schema.names_seen
        with self._engine.connect() as connection:
            found = [
                ManagementRow(name, *row)
                for name, table in _OF_GRADERS.items()
                for row in connection.execute(
                    select(table.c.made_at, table.c.grader, people.c.name).join(people)
                )
            ]
            found += [
                ManagementRow("names_seen", row.made_at, row.grader, run=row.run)
                for row in connection.execute(select(seen))
            ]
            levels = connection.execute(select(may_see).order_by(may_see.c.id))
            return found + [
                ManagementRow("visibility", row.made_at, run=row.run, level=row.level)
                for row in levels
            ]

    def add_rows(self, rows: Iterable[ManagementRow]) -> None:
        """Add copied rows that are not there.

        Raises:
            UnknownName: of a table that is not copied.
        """
        known = set(self.rows())
        with self._writing, self._writer.begin() as connection:
            for row in dict.fromkeys(rows):
                if row.table not in _COPIED:
                    raise UnknownName("table", row.table[:40], _COPIED)
                if row.table in _OF_GRADERS:
                    person = {"id": row.grader, "name": row.name, "made_at": row.made_at}
                    insert_new(connection, schema.graders, [person])
                    of = {"grader": row.grader, "made_at": row.made_at}
                    insert_new(connection, _OF_GRADERS[row.table], [of])
                elif row.table == "names_seen":
                    of = {"grader": row.grader, "run": row.run, "made_at": row.made_at}
                    insert_new(connection, schema.names_seen, [of])
                elif row not in known:
                    level = {"run": row.run, "level": row.level, "made_at": row.made_at}
                    connection.execute(insert(schema.visibility).values(**level))
