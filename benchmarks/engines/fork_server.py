"""Client of the fork server, which imports torch, transformers and peft once and forks workers.

A case then starts in a few hundredths of a second instead of as long as its imports. This is the
side of the process that is served; `forking` is the server's own.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path

from benchmarks.engines.forking import end_group, read_number
from model_registry.errors import OhloraError
from model_registry.language import text

PRELOAD = "benchmarks.engines.preload"  # what the server imports
READY_SECONDS = 600.0  # for its imports: seconds on a quiet machine, minutes on a crowded one
TRIES = 5  # to bring it up, where something keeps ending it
_END_SECONDS = 5.0  # to tidy up once nobody needs it
_ROOT = Path(__file__).resolve().parents[2]


class NotReady(OhloraError):
    """The fork server could not import the heavy libraries in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The libraries that cases need were not imported after {seconds:g} s: this "
            "machine is too crowded, or its disk too slow. Free it, then go on with --resume.",
            f"{seconds:g}초가 지나도 라이브러리를 불러오지 못했습니다: 장비가 너무 바쁘거나 "
            "디스크가 느립니다. 여유를 만든 뒤 --resume으로 이어가세요.",
        )


class ServerDied(OhloraError):
    """The fork server ended while a request to it was under way."""

    def __init__(self, how: str) -> None:
        super().__init__(
            f"The process that cases are started from {how}, again and again. See what ends "
            "it (its memory?), then go on with --resume.",
            f"케이스를 시작하는 프로세스가 거듭 종료되었습니다({how}). 원인(메모리 등)을 "
            "확인한 뒤 --resume으로 이어가세요.",
        )


class Worker:
    """A forked worker process, seen from the process that asked for it.

    Its parent is the server, which tells through a pipe when and how it ended.
    """

    def __init__(self, server: ForkServer, told: int) -> None:
        self.server, self.sentinel = server, told
        self.exitcode: int | None = None  # as subprocess has it; None where it is not known
        self._ended = False
        pid = read_number(told)
        if pid is None or pid < 0:
            os.close(told)
            if pid is None:
                raise ServerDied(server.how_it_ended())
            raise OSError(-pid, f"no process could be started: {os.strerror(-pid)}")
        self.pid = pid

    def is_alive(self) -> bool:
        """Whether it has not ended yet."""
        self.join(0)
        return not self._ended

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended, at most so many seconds."""
        if self._ended or not wait([self.sentinel], timeout):
            return
        self.exitcode = read_number(self.sentinel)
        self._ended = True
        os.close(self.sentinel)
        if self.exitcode is None:  # the server is gone: what it would have tidied up is ours
            end_group(self.pid)

    def kill(self) -> None:
        """Kill the worker and everything that it started."""
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            end_group(self.pid)


class ForkServer:
    """A process that has imported the heavy libraries and forks workers from itself."""

    start_method = "forkserver"

    def __init__(self) -> None:
        self.touched_cuda = True  # its workers could then not use CUDA
        self._scratch: str | None = None  # temporary files of its workers
        self._begun_by = os.getpid()
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, by this interpreter
                [sys.executable, "-P", "-W", "ignore::RuntimeWarning:runpy",
                 "-m", "benchmarks.engines.forking",
                 str(theirs.fileno()), str(os.getpid()), PRELOAD],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": python_path()},
            )  # fmt: skip

    def wait_until_ready(self, seconds: float) -> None:
        """Wait until the heavy libraries are imported.

        Raises:
            NotReady: that took longer.
            ServerDied: it was ended meanwhile.
        """
        self._control.settimeout(seconds)
        try:
            said = self._control.recv(4096)
        except TimeoutError:
            raise NotReady(seconds) from None
        except OSError:
            said = b""
        self._control.settimeout(None)
        if not said:
            raise ServerDied(self.how_it_ended())
        facts = json.loads(said)
        self.touched_cuda, self._scratch = facts["touched_cuda"], facts["scratch"]

    @property
    def is_alive(self) -> bool:
        """Whether the server still runs and belongs to this process."""
        return self._begun_by == os.getpid() and self._process.poll() is None

    def start_worker(
        self, target: Callable[..., object], *arguments: object
    ) -> tuple[Worker, Connection]:
        """Fork a worker that calls `target(*arguments, connection)`; it, and our end of the pipe.

        Raises:
            ServerDied: before the worker was there.
            OSError: the machine has no process to give.
        """
        ours, theirs = multiprocessing.Pipe()
        told, tell = os.pipe()
        try:
            socket.send_fds(self._control, [b"f"], [theirs.fileno(), tell])
        except OSError as error:
            ours.close()
            os.close(told)
            raise ServerDied(self.how_it_ended()) from error
        finally:
            theirs.close()
            os.close(tell)
        worker = Worker(self, told)
        with contextlib.suppress(OSError):  # it has died already: how, it is asked for next
            ours.send((sys.path, _working_folder(), dict(os.environ)))
            ours.send((target, arguments))
        return worker, ours

    def how_it_ended(self) -> str:
        """Describe how the server ended: by which signal, or with which exit code."""
        try:
            code = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            return text("closed its socket", "소켓을 닫음")
        if code < 0:
            return text(f"was ended by signal {-code}", f"신호 {-code}로 종료됨")
        return text(f"ended with exit code {code}", f"종료 코드 {code}로 끝남")

    def close(self) -> None:
        """End the server, its workers and their temporary files."""
        if self._begun_by != os.getpid():
            return
        self._control.close()
        try:
            self._process.wait(_END_SECONDS if self._scratch else 0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)


_running: ForkServer | None = None  # shared by all engines of this process: it imports for seconds
_lock = threading.Lock()


def running() -> ForkServer:
    """This process's fork server; started if there is none, or if it has died.

    Raises:
        NotReady: this machine could not bring it up in time.
        ServerDied: it was ended each time.
    """
    global _running
    with _lock:
        for left in range(TRIES, 0, -1):
            if _running is not None and _running.is_alive:
                return _running
            close()
            _running = ForkServer()
            try:
                _running.wait_until_ready(READY_SECONDS)
            except OhloraError as error:
                close()
                if left == 1 or isinstance(error, NotReady):
                    raise
    raise AssertionError("the last try returns or raises")


@atexit.register
def close() -> None:
    """End this process's fork server, if there is one."""
    global _running
    if _running is not None:
        _running.close()
        _running = None


def python_path() -> str:
    """PYTHONPATH for a new process: it finds our modules whatever its working directory."""
    return os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))


def _working_folder() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return "/"
