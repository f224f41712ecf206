"""Rows of the database from records and back, and inserting those that are new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from evaluators.grading.store import schema
from evaluators.grading.store.grade_records import Grade, PlannedScreens, Screen, Shown, Vote, now
from model_registry.files.json_values import JsonDict


def insert_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]) -> int:
    """Insert rows, leaving out those whose key is there; the number inserted."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    count = 0
    for row in rows:  # one by one: drivers don't count rows of a bulk insert alike
        statement = insert(table).values(**row).on_conflict_do_nothing()
        key = table.primary_key.columns
        count += connection.execute(statement.returning(*key)).first() is not None
    return count


def row_of(record: Grade | Vote) -> dict[str, object]:
    """A record as a row that every database can hold."""
    row = {**asdict(record), "made_at": record.made_at or now()}
    if "pass_" in row:
        row["pass"] = row.pop("pass_")
    # PostgreSQL refuses a NUL, and a lone surrogate can't be written as UTF-8.
    return {name: storable(value) for name, value in row.items()}


def storable(value: object) -> object:
    """A value as SQLite and PostgreSQL both hold it."""
    if not isinstance(value, str):
        return list(value) if isinstance(value, tuple) else value
    return value.replace("\0", "").encode("utf-8", errors="replace").decode("utf-8")


def without_id(row: RowMapping) -> JsonDict:
    """A row without the number that the database gave it."""
    return {name: value for name, value in row.items() if name != "id"}


def grade_of(row: RowMapping) -> Grade:
    """The grade of a row."""
    values = without_id(row)
    values["pass_"] = values.pop("pass")
    values["flags"] = tuple(values["flags"])
    return Grade(**values)


def screen_of(row: RowMapping | dict[str, Any]) -> Screen:
    """The screen of a row."""
    shown = tuple(Shown(**one) for one in row["shown"])
    return Screen(**{**row, "shown": shown})


def planned_screens(connection: Connection, run: str) -> PlannedScreens:
    """The screens of a run as they stand in the database."""
    table, given, ended = schema.screens, schema.grades, schema.revocations.c.grader
    query = select(table).where(table.c.run == run).order_by(table.c.number)
    graded = select(given.c.screen).where(given.c.run == run, given.c.grade.is_not(None)).distinct()
    return PlannedScreens(
        tuple(screen_of(row) for row in connection.execute(query).mappings()),
        frozenset(connection.execute(graded).scalars()),
        frozenset(connection.execute(select(ended)).scalars()),
    )
