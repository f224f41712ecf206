"""Hundreds of faults, one after the other: each run is completed by `--resume`, and is then whole.

The real command, engine, fork server and workers; only the work itself is light and the report is
left out, so that a fault costs a fraction of a second. Commands are forked from a server that has
imported them, each with its own fork server and workers.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from benchmarks.engines import fork_server
from benchmarks.engines.fork_server import ForkServer, Worker
from benchmarks.results.folder import RunFolder
from model_registry.statuses import STATUSES
from tests.support.light_work import LOSSES, REPLIES
from tests.support.small_study import write_study

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGABRT)
WHOM = ("command", "fork server", "worker", "all")
CASES = 6  # two candidates: answering and two ranks each
CASE_SECONDS = 0.06


def command(study: str, out: str, log: str, temporary: str, connection) -> None:
    """`ohlora run STUDY --out OUT --resume`, in a worker of a server that has imported it."""
    import commands.runs
    import ohlora_cli
    from benchmarks.run import runner as runner
    from evaluators.evaluator import EachReply
    from model_registry.records import Score
    from tests.support.light_work import engine_that_takes

    signal.signal(signal.SIGINT, signal.default_int_handler)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    tempfile.tempdir = os.environ["TMPDIR"] = temporary
    fork_server.PRELOAD = "tests.support.light_work"
    commands.runs.make_engine = lambda *a, **k: engine_that_takes(CASE_SECONDS)
    length = EachReply("length", lambda reply: Score(float(len(reply.reply))))
    runner.load_evaluators = lambda files: {"length": length}
    commands.runs.tell_decision = lambda folder: None
    sys.argv = ["ohlora", "run", study, "--out", out, "--weights", "path", "--device", "cpu"]
    if RunFolder(Path(out)).exists():
        sys.argv.append("--resume")
    try:
        ohlora_cli.main()
    finally:
        fork_server.close()  # what the end of an interpreter does


class Faults:
    """One study's runs, and what is done to them."""

    def __init__(self, place: Path, model: Path, dice: random.Random, host: ForkServer) -> None:
        self.dice, self.host = dice, host
        self.study = write_study(place / "study", model)
        self.temporary = place / "temporary"
        self.temporary.mkdir()
        self.log = place / "log"
        self.disk = place / "disk"
        self.disk.mkdir()
        self.out = self.disk / "run"
        self.statuses: Counter[str] = Counter()
        self.exits: Counter[int | None] = Counter()
        self.last: int | None = None  # exit status

    def start(self) -> Worker:
        worker, connection = self.host.start_worker(
            command, str(self.study), str(self.out), str(self.log), str(self.temporary)
        )
        connection.close()
        return worker

    def run(self, harm: bool = True) -> bool:
        """One try, with a signal at a random moment to somebody of it; whether that hit.

        It waits until the one to be hit is there: under load a command may take seconds to begin.
        """
        worker, hit = self.start(), False
        family: list[psutil.Process] = []
        if harm:
            whom, number = self.dice.choice(WHOM), self.dice.choice(SIGNALS)
            there = self.dice.randint(min(WHOM.index(whom), 2), 2) + 1  # so many, at that moment
            while worker.is_alive() and len(family) < there:
                family = _family(worker.pid)
                time.sleep(0.01)
            time.sleep(self.dice.uniform(0.0, 0.1))
            family = family if len(family) < there else _family(worker.pid)
            for process in _chosen(whom, family):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
                    hit = True
        worker.join(120)
        assert not worker.is_alive(), "it hangs"
        _, left = psutil.wait_procs(family, timeout=60)
        assert not left, f"left behind: {left}"
        self.exits[worker.exitcode] += 1
        self.last = worker.exitcode
        return hit

    def damage(self) -> bool:
        """A file of the run cut in the middle, with NUL bytes, or garbage in it."""
        files = [*self.out.glob("*.json*")]
        if not files:
            return False
        path = self.dice.choice(sorted(files))
        data = bytearray(path.read_bytes())
        at = self.dice.randrange(len(data) + 1)
        match self.dice.choice(("cut", "zeros", "garbage", "appended")):
            case "cut":
                del data[at:]
            case "zeros":
                data[at : at + 40] = bytes(len(data[at : at + 40]))
            case "garbage":
                data[at:at] = self.dice.randbytes(60)
            case "appended":
                data += b"\0" * 500
        path.write_bytes(data)
        return True

    def fill(self) -> bool:
        """A try on a disk without room."""
        ballast = self.disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        self.run(harm=False)
        ballast.unlink()
        return True

    def finish(self) -> None:
        """Let it be; what it says then must be all there, once."""
        for _ in range(3):
            self.run(harm=False)
            if self.last == 0:
                break
        assert self.last == 0, self.log.read_text()
        folder = RunFolder(self.out)
        results = folder.results()
        assert len(results) == CASES and all(result.ok for result in results)
        replies = folder.replies()
        scores = [row for row in folder.scores() if row.evaluator == "length"]
        assert len(replies) == len(scores) == CASES * REPLIES
        assert all(r.reply.startswith(f"{r.case}의 답 ") for r in replies)
        assert {row.value for row in scores} == {float(len(r.reply)) for r in replies}
        assert len(folder.losses()) == CASES * LOSSES
        for line in filter(None, (self.out / "results.jsonl").read_bytes().split(b"\n")):
            self.statuses[json.loads(line)["status"]] += 1
        assert set(self.statuses) <= set(STATUSES)
        assert {p.name for p in self.out.iterdir() if not p.name.endswith(".damaged")} == {
            "run.json", "results.jsonl", "replies.jsonl", "losses.jsonl", "scores.jsonl"
        }  # fmt: skip
        assert list(self.temporary.iterdir()) == []
        for path in self.out.iterdir():
            path.unlink()
        self.out.rmdir()


def _family(pid: int) -> list[psutil.Process]:
    """The command, its fork server, its worker, as many of them as there are; then the others."""
    try:
        parent = psutil.Process(pid)
        children = parent.children()
        servers = [child for child in children if "benchmarks.engines.forking" in child.cmdline()]
        workers = [worker for server in servers for worker in server.children()]
    except psutil.Error:
        return []
    roles = [parent, *servers[:1], *workers[:1]]
    return roles + [child for child in children if len(roles) == 3 and child not in roles]


def _chosen(whom: str, family: list[psutil.Process]) -> list[psutil.Process]:
    return family if whom == "all" else family[WHOM.index(whom) :][:1]


@pytest.fixture(scope="module")
def host():
    """A server that has imported the command."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fork_server, "PRELOAD", "tests.support.command_preload")
        server = ForkServer()
    server.wait_until_ready(250)
    yield server
    server.close()


def inject(faults: Faults, count: int, disk: bool) -> None:
    """So many faults, in runs of a few each."""
    done = 0
    while done < count:
        for _ in range(faults.dice.randint(3, 6)):
            kind = faults.dice.choice(("signal", "signal", "damage", "disk" if disk else "signal"))
            done += {"signal": faults.run, "damage": faults.damage, "disk": faults.fill}[kind]()
        faults.finish()
    assert faults.exits[0] >= 1 and len(faults.exits) > 1, "nothing was interrupted"


@pytest.mark.slow
def test_a_few_faults_and_nothing_is_lost_doubled_torn_or_left(tmp_path, tiny_model, host):
    inject(Faults(tmp_path, tiny_model, random.Random(15), host), 6, disk=False)


def on_a_small_disk(place: Path, model: Path, seed: int, host: ForkServer, count: int) -> Faults:
    """Faults on a file system of 2 MiB, where one may be mounted; without full disks elsewhere."""
    place.mkdir()
    faults = Faults(place, model, random.Random(seed), host)
    size = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", faults.disk]
    mounted = subprocess.run(size, capture_output=True, check=False).returncode == 0
    try:
        inject(faults, count, disk=mounted)
    finally:
        if mounted:
            subprocess.run(["umount", "-l", faults.disk], check=True)
    return faults


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(1800)  # minutes on a quiet machine
def test_five_hundred_faults_and_nothing_is_lost_doubled_torn_or_left(
    tmp_path, tiny_model, host, capsys
):
    """Two runs side by side, each with half of them."""
    with ThreadPoolExecutor(2) as pool:
        halves = list(pool.map(
            lambda seed: on_a_small_disk(tmp_path / str(seed), tiny_model, seed, host, 250),
            (500, 501),
        ))  # fmt: skip
    statuses = halves[0].statuses + halves[1].statuses
    with capsys.disabled():
        print(f"\nresults {dict(statuses)}, exits {dict(halves[0].exits + halves[1].exits)}")
    assert statuses["killed"] > 10
