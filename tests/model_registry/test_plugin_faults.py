"""Plugins that hang, exit, print, fork or leak cost their own scores or cases and nothing else."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from benchmarks.run.case import Limits
from evaluators import time_limit
from evaluators.evaluator import AllReplies, EachReply
from evaluators.evaluator_registry import judge_replies, load_evaluators
from model_registry.plugins import PluginWarning
from model_registry.records import Reply, Score

ROOT = Path(__file__).resolve().parents[2]
SLEEP = "600.0719"  # seconds that nobody else on this machine sleeps
REPLIES = [Reply("c", "m", f"질문 {n}", "답", "greedy", None, 1, "stop") for n in range(3)]
GOOD = EachReply("good", lambda reply: Score(1.0))

BACKEND = """
import os, subprocess, sys, time
from model_registry.backends.backend import Answer
from model_registry.hookspecs import hookimpl

class Backend:
    def reply(self, messages, settings):
        {fault}
        return Answer("답", 1, "stop", 0.1, 0.1)
    def stream(self, messages, settings):
        answer = self.reply(messages, settings)
        yield answer.text
        return answer
    def close(self): ...

@hookimpl
def register_backends(register):
    register("strange", lambda candidate, *, weights, device: Backend())
"""


@pytest.fixture
def strange_case(small_case, tmp_path):
    """A case that asks a backend which does something before it answers."""

    def case(fault: str, **limits):
        plugin = tmp_path / "strange.py"
        plugin.write_text(BACKEND.format(fault=fault))
        made = small_case("ask", warm_up=0)
        candidate = replace(made.candidate, backend="strange", path=None)
        return replace(made, candidate=candidate, plugins=(str(plugin),), limits=Limits(**limits))

    return case


@pytest.mark.parametrize(
    ("fault", "limits", "status", "words"),
    [
        ("time.sleep(3600)", {"seconds": 2.0}, "timeout", "the limit is 2 s"),
        ("while True: pass", {"seconds": 2.0}, "timeout", "the limit is 2 s"),
        ("sys.exit(3)", {}, "error", "SystemExit: 3"),
        ("exit()", {}, "error", "SystemExit"),
        ("os._exit(0)", {}, "error", "without a result (exit code 0)"),
        ("os.abort()", {}, "killed", "signal 6"),
        ("self.kept = [bytearray(b'x' * 2**20) for _ in range(10**4)]",
         {"memory_bytes": 200 * 2**20}, "oom_inference", "the limit is 200 MiB"),
        ("self.kept = [open(os.devnull) for _ in range(10**6)]", {}, "error", "Too many open"),
        ("raise KeyboardInterrupt", {}, "error", ""),
        ("print('한 줄')", {}, "ok", ""),
        ("os.fork()", {}, "ok", ""),
        (f"subprocess.Popen(['sleep', '{SLEEP}'])", {}, "ok", ""),
    ],
)  # fmt: skip
def test_a_backend_that_misbehaves_is_a_row_and_leaves_nothing(
    engine, strange_case, capfd, fault, limits, status, words
):
    outcome = engine.run(strange_case(fault, **limits))
    assert outcome.result.status == status, outcome.result.message
    assert words in (outcome.result.message or "")
    if status == "ok":
        assert len(outcome.replies) == 2
    assert capfd.readouterr().out == ""
    until = time.monotonic() + 60
    while left := sleeping():
        assert time.monotonic() < until, left
        time.sleep(0.05)


def sleeping() -> list[psutil.Process]:
    """The processes that sleep as long as ours do; one that has ended has no command line."""
    every = psutil.process_iter(["cmdline"])
    return [process for process in every if SLEEP in (process.info["cmdline"] or ())]


def fork_and_come_back(replies):
    """What a plugin does that forgets who it is after a fork."""
    os.fork()
    return [Score(0.5)] * len(replies)


@pytest.mark.parametrize("code", [0, 3, "weg"])
def test_an_evaluator_that_exits_costs_its_own_scores(code):
    def leave(replies):
        raise SystemExit(code)

    rows, _ = judge_replies([AllReplies("leaves", leave), GOOD], REPLIES)
    assert [row.value for row in rows if row.evaluator == "good"] == [1.0] * 3
    reasons = {row.reason for row in rows if row.evaluator == "leaves"}
    assert all(reason.startswith("the evaluator failed: SystemExit") for reason in reasons)


@pytest.mark.parametrize("hang", ["sleeps", "spins", "catches all"])
def test_an_evaluator_that_hangs_costs_its_own_scores(monkeypatch, hang):
    monkeypatch.setattr(time_limit, "BASE_SECONDS", 1.0)
    monkeypatch.setattr(time_limit, "REPLY_SECONDS", 0.0)

    def judge(replies):
        if hang == "sleeps":
            time.sleep(60)
        while True:
            with contextlib.suppress(Exception):
                time.sleep(0 if hang == "spins" else 0.01)

    begin = time.perf_counter()
    rows, _ = judge_replies([AllReplies("hangs", judge), GOOD], REPLIES)
    assert time.perf_counter() - begin < 58
    assert [row.value for row in rows if row.evaluator == "good"] == [1.0] * 3
    assert "no answer after 1 s" in next(r.reason for r in rows if r.evaluator == "hangs")


FORKS = """
from evaluators.evaluator_registry import judge_replies
from tests.model_registry.test_plugin_faults import GOOD, REPLIES, fork_and_come_back
from evaluators.evaluator import AllReplies
rows, _ = judge_replies([AllReplies("forks", fork_and_come_back), GOOD], REPLIES)
print(len(rows), flush=True)
"""


def test_an_evaluator_that_forks_does_not_judge_twice():
    done = subprocess.run(
        [sys.executable, "-c", FORKS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "6\n"


EXITS = """
from model_registry.hookspecs import hookimpl
@hookimpl
def register_evaluators(register):
    raise SystemExit(0)
"""


def test_a_plugin_that_exits_when_it_is_asked_what_it_offers_is_a_warning(tmp_path):
    plugin = tmp_path / "exits.py"
    plugin.write_text(EXITS)
    with pytest.warns(PluginWarning, match=r"exits\.py.*SystemExit"):
        assert "quality" in load_evaluators([plugin])
