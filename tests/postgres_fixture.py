"""A PostgreSQL server of its own for a test, from Debian's package; skipped where absent."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


def _tool(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    path = str(found[0]) if found else shutil.which(name)
    if not path:
        pytest.skip(f"PostgreSQL's {name} is not installed (apt-get install postgresql)")
    return path


def _as_postgres(command: list[str]) -> list[str]:
    """initdb refuses root: it runs as the user that the package made."""
    if os.geteuid() != 0:
        return command
    if not shutil.which("runuser"):
        pytest.skip("PostgreSQL refuses root, and there is no runuser to become another user")
    return ["runuser", "-u", "postgres", "--", *command]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    """The address of an empty database on a server that lives as long as the test module."""
    pytest.importorskip("psycopg", reason="needs pip install 'ohlora[postgres]'")
    initdb, server = _tool("initdb"), _tool("postgres")
    # Not below pytest's own folder: that one is closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="ohlora-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    data, port = str(folder / "data"), _free_port()
    quiet = {"check": True, "capture_output": True, "cwd": "/"}
    subprocess.run(
        _as_postgres([initdb, "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8"]), **quiet
    )
    options = ["-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", str(folder)]
    process = subprocess.Popen(
        _as_postgres([server, *options]),
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_it_listens(port, process)
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        process.terminate()
        process.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    import psycopg

    for _ in range(150):
        try:
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres").close()
        except psycopg.OperationalError:
            if process.poll() is not None:
                pytest.skip(f"PostgreSQL did not start (exit status {process.returncode})")
            time.sleep(0.1)
        else:
            return
    pytest.fail("PostgreSQL did not answer within 15 s")
