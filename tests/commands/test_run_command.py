"""`ohlora run` says what is unfinished and how to go on; and stops as it is asked to."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pytest

import commands.runs
import ohlora_cli
from benchmarks.results.folder import RunFolder
from commands.run_messages import case_words
from model_registry.records import Result
from tests.benchmarks.run.test_interruptions import Ends
from tests.support.small_study import write_study

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path, tiny_model, monkeypatch, capsys) -> Callable[..., tuple[int, list[str]]]:
    """The command on a small study, by an engine with these ends: exit status and all lines."""
    study = write_study(tmp_path / "study", tiny_model)
    monkeypatch.setattr(commands.runs, "tell_decision", lambda folder: None)
    monkeypatch.setattr("benchmarks.run.runner.load_evaluators", lambda files: {})
    monkeypatch.chdir(tmp_path)

    def command(*more: str, ends: dict[str, str] | None = None, engine=None):
        engine = engine or Ends(ends or {})
        engine.close = lambda: None
        monkeypatch.setattr(commands.runs, "make_engine", lambda *a, **k: engine)
        arguments = more or (str(study), "--weights", "path", "--device", "cpu", "--out", "내 실행")
        monkeypatch.setattr(sys, "argv", ["ohlora", "run", *arguments])
        with pytest.raises(SystemExit) as ended:
            ohlora_cli.main()
        return ended.value.code, "".join(capsys.readouterr()).rstrip().splitlines()

    return command


def pasted(line: str) -> list[str]:
    """The arguments that a shell would give."""
    program, name, *arguments = shlex.split(line)
    assert (program, name) == ("ohlora", "run")
    return arguments


def test_the_last_line_of_a_run_with_unfinished_cases_finishes_it_when_pasted(run):
    code, lines = run(ends={"one/inference": "killed"})
    assert code == 1
    assert any("unfinished" in line and "1 of 6" in line for line in lines)
    code, lines = run(*pasted(lines[-1]))
    assert code == 0
    assert "5 of 6 cases were done before" in "\n".join(lines)


def test_what_failed_by_itself_is_no_reason_to_fail_and_how_to_retry_is_said(run):
    code, lines = run(ends={"one/inference": "oom_inference"})
    assert code == 0
    assert pasted(lines[-1])[-1] == "--retry-failed"
    code, lines = run(*pasted(lines[-1]))
    assert code == 0
    assert "failed" not in "\n".join(lines[1:]).replace("--retry-failed", "")


def test_of_many_cases_that_failed_alike_the_first_ones_are_named_and_one_reason():
    """Twenty-four benchmark tasks without a network were as many entries, none with its reason."""
    case = partial(Result, candidate="one", workload="benchmark", settings={}, contract="")
    results = [
        case(f"one/task={n}", status="unreachable", message="ValueError: no data") for n in range(9)
    ]
    said = case_words([*results, case("one/inference", status="oom_inference")])
    assert said == (
        "unreachable: one/task=0, one/task=1, one/task=2 and 6 more (ValueError: no data); "
        "oom_inference: one/inference"
    )


def test_where_no_case_succeeded_the_end_says_why_and_the_run_fails(run, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    everything = ("/inference", "/fine-tune/rank=2", "/fine-tune/rank=4")
    cases = {who + what: "unreachable" for who in ("one", "two") for what in everything}
    code, lines = run(ends=cases)
    assert code == 1
    assert "No case succeeded. The hub can't be reached" in " ".join(lines)
    assert pasted(lines[-1])[-1] == "--retry-failed"


def test_a_hub_out_of_reach_is_told_before_any_case(run, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    code, lines = run("korean-small", "--weights", "hub", "--yes", "--out", "r", "--device", "cpu")
    assert code == 1
    assert "--weights bundled" in lines[-1]
    assert not (tmp_path / "r").exists()


def test_a_run_without_out_names_its_folder_in_the_command_to_go_on(run, tmp_path):
    study = str(tmp_path / "study" / "study.toml")
    code, lines = run(study, "--weights=path", "--device=cpu", ends={"two/inference": "killed"})
    assert code == 1
    out = pasted(lines[-1])[pasted(lines[-1]).index("--out") + 1]
    assert RunFolder(tmp_path / out).exists()


def test_a_disk_that_is_full_is_told_with_the_command_to_go_on(run, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "replies.jsonl")

    with monkeypatch.context() as patch:
        patch.setattr("benchmarks.results.folder.append_rows", full)
        code, lines = run()
    assert code == 1
    assert "the disk is full" in "\n".join(lines)
    assert pasted(lines[-1])[-1] == "--resume"
    assert run(*pasted(lines[-1]))[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_run_that_is_told_to_stop_says_how_to_go_on(tmp_path, tiny_model, number, status):
    names = tuple(f"m{n}" for n in range(12))  # not through before the signal is there
    study = write_study(tmp_path / "study", tiny_model, names)
    process = subprocess.Popen(
        [sys.executable, "-m", "ohlora_cli", "run", study, "--out", tmp_path / "run",
         "--weights", "path", "--device", "cpu"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    while not (tmp_path / "run" / "results.jsonl").exists() and process.poll() is None:
        time.sleep(0.01)
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    _, error = process.communicate(timeout=200)
    assert process.returncode == status, error
    assert pasted(error.splitlines()[-1])[-1] == "--resume"
    assert psutil.wait_procs(family, timeout=60)[1] == []
    left = {path.name for path in tmp_path.iterdir()}
    assert not [name for name in left if name.startswith(("ohlora-", "pymp-"))]


@pytest.mark.slow
def test_sixty_four_open_files_are_enough_for_a_run(tmp_path, tiny_model):
    study = write_study(tmp_path / "study", tiny_model, ("one",))
    command = [sys.executable, "-m", "ohlora_cli", "run", str(study), "--out",
               str(tmp_path / "run"), "--weights", "path", "--device", "cpu"]  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", f"ulimit -n 64; exec {shlex.join(command)}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert {result.status for result in RunFolder(tmp_path / "run").results()} == {"ok"}


def test_too_few_open_files_are_one_line_with_the_cure(tmp_path, tiny_model):
    study = write_study(tmp_path / "study", tiny_model, ("one",))
    command = [sys.executable, "-m", "ohlora_cli", "run", str(study), "--out",
               str(tmp_path / "run"), "--weights", "path", "--device", "cpu"]  # fmt: skip
    for limit in (5, 8, 12):
        done = subprocess.run(
            ["bash", "-c", f"ulimit -n {limit}; exec {shlex.join(command)}"],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, (limit, done.stderr)
        assert done.returncode == 0 or done.stderr.strip()
