"""Locks a folder for one writer; a second one is told who holds it.

The kernel holds the lock (`flock`), so that it goes with its process however that ends, `kill -9`
included. What stands in the file is for people, and for file systems that can't lock: there a
lock whose process is gone, or whose number another process has now, is taken over.
"""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from model_registry.errors import OhloraError, system_reasons

try:
    import fcntl
except ImportError:  # Windows: what stands in the file decides
    fcntl = None  # type: ignore[assignment]

NAME = ".ohlora.lock"
_UNSUPPORTED = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a folder. `born` tells two processes of one number apart; None where unknown."""

    host: str
    pid: int
    since: str  # ISO 8601, UTC
    born: str | None

    @classmethod
    def here(cls) -> Owner:
        """This process."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(socket.gethostname(), os.getpid(), now, _born(os.getpid()))

    @property
    def is_gone(self) -> bool:
        """Whether it is certain that this process has ended: only of this machine can one know."""
        if self.host != socket.gethostname():
            return False
        return not _is_alive(self.pid) or _born(self.pid) != self.born


class FolderLock:
    """Keeps a folder for one process: `with FolderLock(folder).acquire(): …`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / NAME

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """Hold the folder, which is made where it is missing.

        Raises:
            OhloraError: another process holds it, or nothing can be written there.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = self._take()
        except OSError as error:
            why = system_reasons(error)
            raise OhloraError(
                f"{self.folder} can't be written to ({why['reason']}). Choose another folder.",
                f"{self.folder}에 쓸 수 없습니다({why['reason_ko']}). 다른 폴더를 지정하세요.",
            ) from error
        try:
            yield
        finally:
            self.path.unlink(missing_ok=True)  # while it is held: nobody else's is removed
            os.close(descriptor)

    def _take(self) -> int:
        """An open file that holds the lock and says who has it."""
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                self._lock(descriptor)
                if _is_the_file(descriptor, self.path):
                    os.ftruncate(descriptor, 0)
                    os.write(descriptor, json.dumps(asdict(Owner.here())).encode())
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)  # its last holder removed the file meanwhile: once more

    def _lock(self, descriptor: int) -> None:
        owner = _owner(descriptor)
        if fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                raise self._held_by(owner) from None
            except OSError as error:
                if error.errno not in _UNSUPPORTED:
                    raise
        if owner is not None and not owner.is_gone:
            raise self._held_by(owner)

    def _held_by(self, owner: Owner | None) -> OhloraError:
        if owner is None:  # between taking the lock and saying so
            return OhloraError(
                f"Another process works in {self.folder}. Wait for it, or choose another.",
                f"다른 프로세스가 {self.folder}에서 작업 중입니다. 기다리거나 다른 폴더를 "
                "지정하세요.",
            )
        return OhloraError(
            f"{self.folder} is in use by process {owner.pid} on {owner.host} since "
            f"{owner.since}. Wait for it or stop it, or choose another folder. If it is gone "
            f"for certain, remove {self.path}.",
            f"{self.folder}: {owner.host}의 프로세스 {owner.pid}이(가) {owner.since}부터 쓰고 "
            "있습니다. 끝나기를 기다리거나 멈추세요. 다른 폴더를 지정해도 됩니다. 이미 끝난 "
            f"프로세스가 확실하면 {self.path} 파일을 지우세요.",
        )


def _is_the_file(descriptor: int, path: Path) -> bool:
    """Whether what is open still lies under its name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _owner(descriptor: int) -> Owner | None:
    """Who the file names; None where it is empty or not ours."""
    try:
        return Owner(**json.loads(os.pread(descriptor, 4096, 0)))
    except (ValueError, TypeError):
        return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # alive, and somebody else's
    return True


def _born(pid: int) -> str | None:
    """When a process started, in the kernel's ticks since boot; None where that is not told."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]  # its name, in brackets, may hold spaces
