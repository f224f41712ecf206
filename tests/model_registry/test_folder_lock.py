"""One writer for a folder, however the one before it ended."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from model_registry.errors import OhloraError
from model_registry.files import folder_lock
from model_registry.files.folder_lock import FolderLock, Owner

HOLD = """
import sys, time
from pathlib import Path
from model_registry.files.folder_lock import FolderLock
with FolderLock(Path(sys.argv[1])).acquire():
    print("held", flush=True)
    time.sleep(60)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """Another process that holds the folder by the time this returns."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_told_who_holds_the_folder_and_since_when(tmp_path) -> None:
    process = holder(tmp_path)
    try:
        with pytest.raises(OhloraError) as raised, FolderLock(tmp_path).acquire():
            pass
    finally:
        process.kill()
        process.communicate()
    said = str(raised.value)
    assert f"process {process.pid} on {socket.gethostname()} since 20" in said
    assert str(tmp_path / folder_lock.NAME) in said


def test_a_killed_process_leaves_the_folder_free(tmp_path) -> None:
    process = holder(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert (tmp_path / folder_lock.NAME).exists()
    with FolderLock(tmp_path).acquire():
        assert json.loads((tmp_path / folder_lock.NAME).read_text())["pid"] == os.getpid()


def test_nothing_is_left_in_a_folder_that_was_let_go(tmp_path) -> None:
    for _ in range(2):
        with FolderLock(tmp_path / "new").acquire():
            pass
    assert list((tmp_path / "new").iterdir()) == []


def test_two_locks_in_one_process_exclude_each_other_too(tmp_path) -> None:
    with (
        FolderLock(tmp_path).acquire(),
        pytest.raises(OhloraError, match=f"process {os.getpid()}"),
        FolderLock(tmp_path).acquire(),
    ):
        pass


def test_a_folder_that_can_not_be_made_is_one_clear_error(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OhloraError, match="can't be written to"),
        FolderLock(tmp_path / "file" / "run").acquire(),
    ):
        pass


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that knows no locks, as some that machines share."""

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(folder_lock.fcntl, "flock", refuse)


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("change", "taken_over"),
    [
        ({}, False),
        ({"pid": "ended"}, True),
        ({"born": "1"}, True),  # its number is another process's now
        ({"host": "elsewhere", "pid": "ended"}, False),  # that can't be known from here
    ],
)
def test_without_the_kernel_s_help_only_a_process_that_is_gone_is_followed(
    tmp_path, no_locks, change, taken_over
) -> None:
    if change.get("pid") == "ended":
        change = {**change, "pid": ended_process()}
    owner = replace(Owner.here(), **change)
    (tmp_path / folder_lock.NAME).write_text(json.dumps(asdict(owner)))
    if taken_over:
        with FolderLock(tmp_path).acquire():
            pass
        return
    with (
        pytest.raises(OhloraError, match=f"process {owner.pid} on {owner.host}"),
        FolderLock(tmp_path).acquire(),
    ):
        pass


@pytest.mark.parametrize("ended", [True, False])
def test_where_no_birth_is_told_a_process_is_gone_when_it_is_not_alive(
    tmp_path, no_locks, monkeypatch, ended
) -> None:
    """Outside Linux there is no /proc."""
    monkeypatch.setattr(folder_lock, "_born", lambda pid: None)
    owner = replace(Owner.here(), **({"pid": ended_process()} if ended else {}))
    assert owner.born is None
    assert owner.is_gone is ended
    (tmp_path / folder_lock.NAME).write_text(json.dumps(asdict(owner)))
    if not ended:
        with pytest.raises(OhloraError, match="in use by"), FolderLock(tmp_path).acquire():
            pass
        return
    with FolderLock(tmp_path).acquire():
        assert json.loads((tmp_path / folder_lock.NAME).read_text())["pid"] == os.getpid()


def test_a_file_that_its_last_holder_removed_meanwhile_holds_nothing(tmp_path, monkeypatch) -> None:
    real, calls = FolderLock._lock, []

    def lock(self: FolderLock, descriptor: int) -> None:
        if not calls:
            self.path.unlink()  # the holder went between our opening and locking it
        calls.append(descriptor)
        real(self, descriptor)

    monkeypatch.setattr(FolderLock, "_lock", lock)
    with FolderLock(tmp_path).acquire():
        assert json.loads((tmp_path / folder_lock.NAME).read_text())["pid"] == os.getpid()
    assert len(calls) == 2
