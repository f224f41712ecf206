"""Help in Korean: every command, option and argument, with no English sentence left."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


#: Every command's help, one process for all: texts are read in the language of the import.
PROGRAM = """
import typer, ohlora_cli as o
def show(command, path):
    context = typer.Context(command, info_name=" ".join(path))
    print(command.get_help(context))
    for name in getattr(command, "list_commands", lambda _: [])(context):
        show(command.get_command(context, name), [*path, name])
show(typer.main.get_command(o.app), ["ohlora"])
"""
#: What is typed or named as it is: options, placeholders, programs, models and their makers.
NAMES = re.compile(
    r"<[^>]*>|--[\w-]+|\{[^}]*\}|\b[A-Z]{2,}[\w:.|]*|\bohlora( [a-z]+)*"
    r"|[\w.-]*[\d_./|=\[\]][\w.,/|=-]*"
    r"|Hugging Face|Excel|Python|Alpaca|ShareGPT|OpenAI( messages)?|ChatML|Markdown|Triton Liger"
)
SENTENCE = re.compile(r"\b[A-Za-z]{2,} +[A-Za-z]{2,} +[A-Za-z]{2,}\b")


@pytest.mark.slow
def test_no_command_s_help_holds_an_english_sentence() -> None:
    environment = {**os.environ, "OHLORA_LANG": "ko", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("사용법: ") > 20
    lines = done.stdout.splitlines()
    assert [line for line in lines if SENTENCE.search(NAMES.sub(" ", line))] == []
