"""Code in a model's folder is never run, and nobody is asked whether it should be."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from model_registry.errors import LoadError
from model_registry.naming.resolve import find_candidate
from model_registry.registry import Registry
from model_registry.weights.loading import load
from tests.support.tiny_models import make_tiny_model
from tests.test_house import ROOT, tracked_files

#: Calls that read a stranger's files or build what they describe.
LOADING = ("from_pretrained", "from_config")


def loading_calls(source: str) -> list[ast.Call]:
    """Every call that loads something through transformers, peft or gptqmodel."""
    found = []
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        whose = ast.unparse(call.func.value)
        if call.func.attr in LOADING or (call.func.attr == "load" and "GPTQModel" in whose):
            found.append(call)
    return found


def is_safe(call: ast.Call) -> bool:
    """Whether the call says itself that remote code stays off."""
    said = [ast.unparse(word.value) for word in call.keywords if word.arg == "trust_remote_code"]
    return said == ["False"]


def test_every_loading_call_of_the_product_keeps_remote_code_off():
    calls = {}
    for path in tracked_files():
        if path.suffix == ".py" and not path.relative_to(ROOT).as_posix().startswith("tests/"):
            found = loading_calls(path.read_text(encoding="utf-8"))
            calls |= {f"{path.name}:{call.lineno}": call for call in found}
    assert len(calls) > 8  # the walk finds what is there
    assert [where for where, call in calls.items() if not is_safe(call)] == []


def test_the_walk_finds_calls_that_leave_it_open():
    for source in (
        "A.from_pretrained(x)",
        "m.A.from_config(c, trust_remote_code=True)",
        "GPTQModel.load(x)",
        "A.from_pretrained(x, trust_remote_code=wish)",
    ):
        assert [is_safe(call) for call in loading_calls(source)] == [False]


def with_code(folder: Path, marker: Path, name: str, **values) -> Path:
    """A folder with code that leaves a file behind when it is run."""
    (folder / "evil.py").write_text(
        f"open({str(marker)!r}, 'w').close()\nclass C: pass\nclass Model: pass\nclass T: pass\n"
    )
    said = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(said | values))
    return folder


MODEL = {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.Model"}
TOKENIZER = {"AutoTokenizer": ["evil.T", "evil.T"]}


@pytest.fixture
def folder(tmp_path) -> Path:
    return make_tiny_model(tmp_path / "stranger")


def test_a_model_that_needs_code_is_refused_by_its_name(folder, tmp_path):
    marker = tmp_path / "ran"
    with_code(folder, marker, "config.json", model_type="strange", auto_map=MODEL)
    with pytest.raises(LoadError) as caught:
        load(find_candidate(str(folder), Registry()))
    assert caught.value.status == "needs_remote_code"
    assert str(caught.value).startswith("stranger needs its publisher's own code")
    assert not marker.exists()


def test_a_tokenizer_that_needs_code_is_refused_by_its_folders_name(folder, tmp_path):
    marker = tmp_path / "ran"
    with_code(folder, marker, "tokenizer_config.json", auto_map=TOKENIZER, tokenizer_class="Odd")
    with pytest.raises(LoadError) as caught:
        load(find_candidate(str(folder), Registry()))
    assert caught.value.status == "needs_remote_code"
    assert str(caught.value).startswith("stranger needs its publisher's own code (its tokenizer)")
    assert not marker.exists()


@pytest.mark.parametrize("extra", [{}, {"AutoTokenizer": ["evil.T", None]}])
def test_code_beside_what_transformers_knows_itself_is_left_alone(folder, tmp_path, extra):
    marker = tmp_path / "ran"
    with_code(folder, marker, "config.json", auto_map=MODEL | extra)
    with_code(folder, marker, "tokenizer_config.json", auto_map=TOKENIZER)
    assert load(find_candidate(str(folder), Registry())).model is not None
    assert not marker.exists()


def test_a_configuration_for_another_version_of_transformers_is_looked_at_too(folder, tmp_path):
    marker = tmp_path / "ran"
    shutil.copy(folder / "config.json", folder / "config.4.0.0.json")
    with_code(folder, marker, "config.4.0.0.json", model_type="strange", auto_map=MODEL)
    values = json.loads((folder / "config.json").read_text())
    values["configuration_files"] = ["config.4.0.0.json"]
    (folder / "config.json").write_text(json.dumps(values))
    with pytest.raises(LoadError) as caught:
        load(find_candidate(str(folder), Registry()))
    assert caught.value.status == "needs_remote_code"
    assert not marker.exists()


def on_a_terminal(words: list[str], answer: bytes, seconds: float = 280) -> tuple[int, str]:
    """Run a command on a terminal where someone types `answer` all the time."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ohlora_cli", *words], stdin=theirs, stdout=theirs, stderr=theirs,
        env=os.environ | {"OHLORA_LANG": "en", "COLUMNS": "200"}, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    said, until = b"", time.monotonic() + seconds
    with contextlib.suppress(OSError):  # the terminal is gone when the command is
        while time.monotonic() < until:
            os.write(ours, answer)
            if select.select([ours], [], [], 0.5)[0]:
                piece = os.read(ours, 65536)
                said += piece
                if not piece:
                    break
            if process.poll() is not None and not select.select([ours], [], [], 0.1)[0]:
                break
    if process.poll() is None and time.monotonic() > until:
        process.kill()
    code = process.wait(timeout=60)
    os.close(ours)
    return code, said.decode("utf-8", "replace")


@pytest.mark.slow
@pytest.mark.timeout(700)
def test_who_types_yes_on_a_terminal_runs_nothing_of_a_strangers(folder, tmp_path):
    marker = tmp_path / "ran"
    with_code(folder, marker, "config.json", model_type="strange", auto_map=MODEL)
    with_code(folder, marker, "tokenizer_config.json", auto_map=TOKENIZER)
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "안녕", "reply": "네"}\n' * 4)
    for words in (
        ["ask", str(folder), "hello"],
        ["tune", str(folder), "--data", str(rows), "--out", str(tmp_path / "tuned")],
    ):
        code, said = on_a_terminal(words, b"y\n")
        assert not marker.exists(), said
        assert code == 1, said
        assert "stranger needs its publisher's own code" in said
        assert "[y/N]" not in said
        assert "Traceback" not in said
