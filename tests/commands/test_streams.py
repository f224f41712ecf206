"""What the command line writes: for any console, for `| head`, for programs, and without harm."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table

from commands.shared.streams import Plain, sanitised_streams
from model_registry.messages.terminal_text import escaped, strip_control_characters

ROOT = Path(__file__).resolve().parents[2]

LOUD_PLUGIN = """
import os, subprocess, sys
print("loaded!")
from evaluators.evaluator import EachReply
from model_registry.hookspecs import hookimpl
from model_registry.records import Score

def judge(reply):
    print("judging!")
    sys.__stdout__.write("past the wrapper\\n")
    os.write(1, b"past python\\n")
    subprocess.run(["echo", "from a child"])
    return Score(1.0)

@hookimpl
def register_evaluators(register):
    register(EachReply("loud", judge))
"""


def ohlora(*arguments: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "ohlora_cli", *map(str, arguments)],
        cwd=ROOT, capture_output=True, check=False, env=os.environ | environment,
    )  # fmt: skip


@pytest.fixture
def replies(tmp_path) -> Path:
    table = tmp_path / "replies.csv"
    table.write_text("prompt,reply\n안녕?,\x1b]0;owned\x07안녕\x9b31m!\n", encoding="utf-8")
    return table


def test_a_plugin_that_prints_does_not_spoil_the_json(tmp_path, replies):
    plugin = tmp_path / "loud.py"
    plugin.write_text(LOUD_PLUGIN)
    done = ohlora("--plugin", plugin, "score", replies, "--json")
    document = json.loads(done.stdout)
    assert document["mean"]["loud"] == 1.0
    for said in (b"loaded!", b"judging!", b"past the wrapper", b"past python", b"from a child"):
        assert said in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "cp949", "latin-1"])
def test_a_console_that_is_not_utf_8_is_written_to_without_a_crash(encoding):
    for arguments in (["candidates", "--explain"], ["candidates", "--catalog", "없는 목록 🦊"]):
        done = ohlora(*arguments, PYTHONIOENCODING=encoding, OHLORA_LANG="ko")
        assert done.returncode == (arguments[-1] != "--explain")
        assert b"Traceback" not in done.stderr


def test_json_on_an_ascii_console_loses_no_letter(replies):
    done = ohlora("score", replies, "--json", PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout)["rows"][0]["prompt"] == "안녕?"
    assert done.stdout.isascii()


def test_json_can_be_looked_at_in_a_terminal_and_says_what_the_reply_was(replies):
    done = ohlora("score", replies, "--json")
    assert json.loads(done.stdout)["rows"][0]["reply"] == "\x1b]0;owned\x07안녕\x9b31m!"
    shown = done.stdout.decode()
    assert strip_control_characters(shown) == shown


@pytest.mark.parametrize("arguments", ["candidates --explain", "candidates --json", "--help"])
def test_a_reader_that_goes_away_is_no_error(arguments):
    command = f"{sys.executable} -m ohlora_cli {arguments} | head -c 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_sequences_that_a_terminal_obeys_are_taken_off():
    evil = "\x1b[2J\x1b]52;c;cm0gLXJm\x07지움\x9b1A\x08\x7f\r\x00\x85끝\t줄\n"
    assert strip_control_characters(evil) == "[2J]52;c;cm0gLXJm지움1A끝\t줄\n"
    assert json.loads(escaped(json.dumps(evil, ensure_ascii=False))) == evil


def test_print_and_our_consoles_take_them_off_and_keep_our_own_style(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    out = Plain(force_terminal=True, color_system="standard", width=60)
    with sanitised_streams():
        print("\x1b[31m평문\x07")
        out.print("[bold]\x1b]0;x\x07굵게[/]", highlight=False)
        table = Table("이름")
        table.add_row("\x9b31m칸")
        out.print(table)
    written = stream.getvalue()
    assert "[31m평문\n" in written and "\x1b[31m" not in written
    assert "\x1b[1m]0;x굵게" in written  # ours
    assert "\x07" not in written and "\x9b" not in written
    assert sys.stdout is stream
