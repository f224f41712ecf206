"""A PostgreSQL server of its own for a test, from Debian's package; skipped where absent."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fake_servers import free_port


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


class RestartedServer:
    """A PostgreSQL server on a folder of its own that can be restarted."""

    def __init__(self, server: str, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        options = ["-D", str(folder / "data"), "-p", str(self.port), "-h", "127.0.0.1"]
        self._command = _as_postgres([server, *options, "-k", str(folder)])
        self.start()

    def start(self) -> None:
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(self._command, cwd="/", stdout=quiet, stderr=quiet)
        _wait_until_it_listens(self.port, self._process)

    def stop(self) -> None:
        """End it at once, with whoever is connected (a "fast shutdown")."""
        leader = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(leader, signal.SIGINT)
        self._process.wait(timeout=240)

    def restart(self) -> None:
        self.stop()
        time.sleep(1)
        self.start()


@pytest.fixture(scope="module")
def postgres() -> Iterator[RestartedServer]:
    """An empty database on a server that lives as long as the test module."""
    pytest.importorskip("psycopg", reason="needs pip install -e '.[postgres]'")
    initdb, server = _tool("initdb"), _tool("postgres")
    # Not below pytest's own folder: that one is closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="ohlora-pg-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    made = [initdb, "-D", str(folder / "data"), "-A", "trust", "-U", "postgres", "-E", "UTF8"]
    subprocess.run(_as_postgres(made), check=True, capture_output=True, cwd="/")
    running = RestartedServer(server, folder)
    try:
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def postgres_url(postgres: RestartedServer) -> str:
    """The address of the empty database."""
    return postgres.url


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    import psycopg

    for _ in range(2400):
        try:
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres").close()
        except psycopg.OperationalError:
            if process.poll() is not None:
                pytest.skip(f"PostgreSQL did not start (exit status {process.returncode})")
            time.sleep(0.1)
        else:
            return
    pytest.fail("PostgreSQL did not answer within 240 s")
