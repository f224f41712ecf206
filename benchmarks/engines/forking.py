"""The fork server's own process: imports the heavy libraries once, then forks a worker per request.

Started by `fork_server`: `python -m benchmarks.engines.forking SOCKET PARENT PRELOAD`. The socket
is the only way to it: no name in any folder stays behind, nobody else can ask it for a process, and
the kernel tells it when the process that it serves is gone. It then ends all workers, with what
they started, and removes their temporary folder.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import importlib
import json
import os
import selectors
import shutil
import signal
import socket
import struct
import sys
import tempfile
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

_NUMBER = struct.Struct("q")
_PREFIX = "ohlora-work-"


def main(control: socket.socket, parent: int, preload: str) -> None:
    """Run a fork server until its client goes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the process that it serves
    die_with_parent(parent)  # while it imports it can't look at its socket
    # A library that does not import here is imported, and told of, by the case that needs it.
    touched = True
    with contextlib.suppress(ImportError):
        touched = importlib.import_module(preload).touched_cuda()
    scratch = make_scratch()
    sweep()
    die_with_parent(None)  # from here on it tidies up before it goes
    server = _Server(control, scratch)
    try:
        signal.signal(signal.SIGTERM, _leave)
        signal.signal(signal.SIGHUP, _leave)
        if os.getppid() == parent:
            control.sendall(json.dumps({"touched_cuda": touched, "scratch": scratch}).encode())
            server.serve()
    except _Signalled as signalled:
        signal.signal(signalled.number, signal.SIG_DFL)
        server.end()
        os.kill(os.getpid(), signalled.number)  # so that its parent sees what ended it
    finally:
        server.end()


def make_scratch() -> str:
    """Make a folder for temporary files, locked while this server or a worker of it lives."""
    while True:
        scratch = tempfile.mkdtemp(prefix=_PREFIX)
        held = os.open(scratch, os.O_RDONLY)  # never closed: the kernel does it
        fcntl.flock(held, fcntl.LOCK_EX)
        if Path(scratch).is_dir():  # nobody took it for a left one before it was locked
            return scratch
        os.close(held)


def sweep() -> None:
    """Remove temporary folders of fork servers that were killed together with their clients."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            held = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # gone by now, or somebody else's
            continue
        with contextlib.suppress(OSError):  # still in use
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
        os.close(held)


class _Signalled(BaseException):
    """Somebody asks the server to go."""

    def __init__(self, number: int) -> None:
        self.number = number


def _leave(number: int, frame: object) -> None:
    raise _Signalled(number)


class _Server:
    def __init__(self, control: socket.socket, scratch: str) -> None:
        self.control, self.scratch = control, scratch
        self.pid = os.getpid()
        self.workers: dict[int, int] = {}  # process id → where its end is told
        self.wake, wake_end = os.pipe()
        for end in (self.wake, wake_end):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)  # heard through the pipe
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
        self.own = (control.fileno(), self.wake, wake_end)

    def serve(self) -> None:
        """Until nobody holds the other end of the socket."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.control, selectors.EVENT_READ)
            selector.register(self.wake, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self.wake in ready:
                    os.read(self.wake, 4096)
                    self.reap()
                if self.control in ready:
                    asked, ends, *_ = socket.recv_fds(self.control, 1, 2)
                    if not asked:
                        return
                    self.fork(selector, *ends)

    def fork(self, selector: selectors.BaseSelector, events: int, told: int) -> None:
        """Make a worker, and tell its number."""
        try:
            pid = os.fork()
        except OSError as error:  # too many processes, or no memory for one more
            _tell(told, -(error.errno or 1))
            os.close(told)
        else:
            if pid == 0:
                selector.close()
                self.live_as_worker(events, told)
            self.workers[pid] = told
            _tell(told, pid)
        os.close(events)

    def live_as_worker(self, events: int, told: int) -> None:
        """What the forked process does; it never returns."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            for end in (*self.own, told, *self.workers.values()):
                os.close(end)
            become_worker()
            tempfile.tempdir = os.environ["TMPDIR"] = self.scratch
            code = _do(Connection(events))
        finally:
            os._exit(code)

    def reap(self) -> None:
        """Tell of the workers that have ended, and end what they left running."""
        for pid in list(self.workers):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                end_group(pid)
                told = self.workers.pop(pid)
                _tell(told, os.waitstatus_to_exitcode(status))
                os.close(told)

    def end(self) -> None:
        """No worker, and no file of one, outlives the process that it works for."""
        if os.getpid() != self.pid:  # a worker that was signalled before it had begun
            return
        for pid in self.workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            end_group(pid)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        shutil.rmtree(self.scratch, ignore_errors=True)


def _tell(told: int, number: int) -> None:
    with contextlib.suppress(OSError):  # nobody listens any more
        os.write(told, _NUMBER.pack(number))


def read_number(told: int) -> int | None:
    """Read a worker's process id, then its exit code; None if the server has ended."""
    data = os.read(told, _NUMBER.size)  # written whole: far less than a pipe takes at once
    return _NUMBER.unpack(data)[0] if len(data) == _NUMBER.size else None


def _do(events: Connection) -> int:
    """Call what was sent; the exit code of the process."""
    try:
        sys.path[:], folder, environment = _received(events)
        os.environ.update(environment | {"TMPDIR": os.environ["TMPDIR"]})
        with contextlib.suppress(OSError):  # a folder that is gone stops no case
            os.chdir(folder)
        target, arguments = _received(events)  # of modules that are found by the path
        target(*arguments, events)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 - this is the end of the process, whatever comes
        traceback.print_exc()
        return 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
    return 0


def _received(events: Connection) -> Any:
    """What the command sent; one that was stopped meanwhile sends nothing, and needs no words."""
    try:
        return events.recv()
    except EOFError:
        raise SystemExit(1) from None


def become_worker() -> None:
    """Make the forked process independent: own process group, ends with its parent.

    What it starts belongs to its group and is ended with it; what it prints goes to standard
    error, for standard output is the command's.
    """
    die_with_parent(os.getppid())
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the engine's to act on
    with contextlib.suppress(OSError):
        os.dup2(2, 1)


def end_group(leader: int) -> None:
    """Kill everything that a worker started, whether or not the worker itself still lives."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def die_with_parent(parent: int | None) -> None:
    """Ask the kernel to kill this process when its parent ends; None takes that back."""
    pr_set_pdeathsig = 1
    try:
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, 0 if parent is None else signal.SIGKILL)
    except (OSError, AttributeError):  # not Linux: the closed pipe ends it at its next message
        return
    if parent is not None and os.getppid() != parent:  # it went before it was asked
        os._exit(1)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]), sys.argv[3])
