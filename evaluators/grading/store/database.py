"""Opens the grading database (SQLite or PostgreSQL) and migrates it."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, create_engine, event, inspect, text
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    StatementError,
)

from evaluators.grading.store.schema import HEAD
from model_registry.errors import OhloraError

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine import ExceptionContext

#: A number of our own choosing, so that two servers never migrate one PostgreSQL at once.
_MIGRATION_LOCK = 7_601_219_541

#: How long a writer waits for another process's commit.
_BUSY_MS = 30_000


class Busy(OhloraError):
    """The database can't be reached at this moment; the request may be repeated."""


def data_folder() -> Path:
    """The folder of the grading database: OHLORA_DATA_DIR, else reports/."""
    return Path(os.environ.get("OHLORA_DATA_DIR") or "reports")


def database_url() -> str:
    """OHLORA_DB_URL, else the SQLite file grades.db in the data folder."""
    url = os.environ.get("OHLORA_DB_URL")
    if not url:
        return f"sqlite:///{data_folder().resolve() / 'grades.db'}"
    # The common spelling names no driver; ours is psycopg 3.
    for short in ("postgres://", "postgresql://"):
        if url.startswith(short):
            return "postgresql+psycopg://" + url.removeprefix(short)
    return url


def has_database() -> bool:
    """Whether there is one to read, so that who only reads does not make it."""
    url = database_url()
    return not url.startswith("sqlite:///") or Path(url.removeprefix("sqlite:///")).exists()


def open_database(url: str) -> Engine:
    """An engine on an up-to-date database.

    Raises:
        OhloraError: the address can't be read, nothing answers there, or the file is of a newer
            version of this program.
    """
    try:
        if url.startswith("sqlite:///"):
            Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, **_options(url))
    except (ArgumentError, NoSuchModuleError, ImportError, OSError) as error:
        raise OhloraError(
            f"The database of grades can't be opened: {_first_line(error)}. OHLORA_DB_URL must be "
            "like postgresql://user:password@host/name (needs pip install -e '.[postgres]'), or "
            "unset for a file in OHLORA_DATA_DIR.",
            f"등급 데이터베이스를 열 수 없습니다: {_first_line(error)}. OHLORA_DB_URL은 "
            "postgresql://user:password@host/name 꼴이어야 합니다(pip install -e '.[postgres]' "
            "필요). OHLORA_DATA_DIR의 파일을 쓰려면 비워 두세요.",
        ) from None
    if engine.dialect.name == "sqlite":
        _set_up_sqlite(engine)
    try:
        if engine.dialect.name == "sqlite":
            _use_wal(engine)
        _migrate(engine)
    except (OperationalError, sqlite3.OperationalError) as error:
        raise OhloraError(
            f"The database of grades does not answer: {_first_line(cause_of(error))}. "
            "Is it running, and is OHLORA_DB_URL (or OHLORA_DATA_DIR) right?",
            f"등급 데이터베이스가 응답하지 않습니다: {_first_line(cause_of(error))}. 실행 "
            "중인지, OHLORA_DB_URL(또는 OHLORA_DATA_DIR)이 맞는지 확인하세요.",
        ) from None
    except (DatabaseError, sqlite3.DatabaseError) as error:
        raise _damaged(engine, cause_of(error)) from None
    event.listen(engine, "handle_error", _in_one_line)
    return engine


def lock_planning(connection: Connection, run: str) -> None:
    """Let no other server plan screens of this run until the transaction ends.

    In SQLite whoever writes is alone anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:run))"), {"run": run})


def cause_of(error: Exception) -> BaseException:
    """What the database itself raised, where SQLAlchemy passed that on."""
    return (error.orig if isinstance(error, StatementError) else None) or error


def _in_one_line(context: ExceptionContext) -> OhloraError | None:
    """Errors of a database at work, as ours: one that passes, or one that needs a person."""
    error, engine = context.original_exception, context.engine
    if isinstance(context.sqlalchemy_exception, IntegrityError) or engine is None:
        return None
    told = _first_line(error)
    if isinstance(error, sqlite3.DatabaseError) and any(one in told for one in _DAMAGE):
        return _damaged(engine, error)
    if isinstance(error, sqlite3.OperationalError) and "locked" in told:
        return Busy(
            "Another process holds the database of grades. Nothing is lost: try again.",
            "다른 프로세스가 등급 데이터베이스를 쓰고 있습니다. 잃은 것은 없으니 다시 시도하세요.",
        )
    server = engine.dialect.name != "sqlite"
    passing = isinstance(context.sqlalchemy_exception, OperationalError | InterfaceError)
    if context.is_disconnect or (server and passing):
        return Busy(
            "The database of grades does not answer just now. Nothing is lost: try again.",
            "등급 데이터베이스가 지금 응답하지 않습니다. 잃은 것은 없으니 다시 시도하세요.",
        )
    return None


#: What SQLite says of a file that is none of its own any more.
_DAMAGE = ("malformed", "not a database", "disk image", "corrupt")


def _damaged(engine: Engine, error: BaseException) -> OhloraError:
    """What a person can do about a file that can't be read."""
    place = engine.url.database or "the server"
    return OhloraError(
        f"The database of grades {place} is damaged or no database ({_first_line(error)}). It is "
        "left as it is: put a copy in its place, or move it away and import what was exported "
        "(ohlora grades import FILE).",
        f"등급 데이터베이스 {place}이(가) 손상되었거나 데이터베이스가 "
        f"아닙니다({_first_line(error)}). 파일은 그대로 두었습니다. 사본으로 바꾸거나, 옮긴 뒤에 "
        "내보낸 파일을 들여오세요(ohlora grades import FILE).",
    )


def _options(url: str) -> dict[str, object]:
    """A pool that fifty graders at once don't exhaust; a dead connection is replaced."""
    if ":memory:" in url or url == "sqlite://":
        return {}
    return {"pool_size": 20, "max_overflow": 40, "pool_pre_ping": not url.startswith("sqlite")}


def _set_up_sqlite(engine: Engine) -> None:
    """WAL with a full sync at each commit: a grade that was acknowledged survives a power cut."""

    @event.listens_for(engine, "connect")
    def _pragmas(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # SQLAlchemy writes BEGIN itself, below
        for pragma in (f"busy_timeout={_BUSY_MS}", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer that starts as a reader can meet "database is locked" without waiting.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _use_wal(engine: Engine) -> None:
    """Switch the file to WAL, once: it stays so. SQLite does not wait by itself here."""
    until = time.monotonic() + _BUSY_MS / 1000
    while True:
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)
        finally:
            connection.close()


def _migrate(engine: Engine) -> None:
    """Bring the tables up to date; one process at a time, and only when there is work."""
    with engine.connect() as connection:
        version = _version(connection)
    if version == HEAD:
        return
    if version is not None and version > HEAD:
        raise OhloraError(
            f"This database of grades is of version {version}, made by a newer ohlora; "
            f"this one knows {HEAD}. Update ohlora: git pull && pip install -e .",
            f"등급 데이터베이스가 더 새로운 ohlora의 버전 {version}입니다(지금 ohlora는 "
            f"{HEAD}까지). 업데이트하세요: git pull && pip install -e .",
        )
    with engine.execution_options(writes=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
        if _version(connection) != HEAD:  # another process may have been first
            _upgrade(connection)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _first_line(error: BaseException) -> str:
    """The first line of an error, without a password that may stand in an address."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line if "://" not in line else type(error).__name__
