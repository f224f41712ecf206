"""`ohlora tune --memory-limit`: what --fit promised is enough, and running out is one line."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path

import pytest

import ohlora_cli
from benchmarks import tune_candidate as tune_candidate_module
from benchmarks.study.contract import Contract
from benchmarks.tune_candidate import TooLarge
from benchmarks.tune_fit import Attempt, attempts, first_smaller
from benchmarks.tune_state import STATE
from commands import tuning
from commands.shared.pasted_command import with_options
from model_registry.prompting.tokenization import EncodedRow
from model_registry.registry import Registry

SENTENCE = "가나다라마바사아자차카타파하 오늘은 날씨가 참 좋네요. "
BASE = "bundled-llama-2.5m"


@pytest.fixture
def long_rows(tmp_path, monkeypatch) -> Path:
    """Rows of 512 tokens, where no earlier case of this machine corrects a prediction."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lines = [f"질문 {n}번 {SENTENCE},{SENTENCE * 22}{n}" for n in range(8)]
    data = tmp_path / "rows.csv"
    data.write_text("prompt,reply\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return data


@pytest.mark.slow
def test_what_fit_promises_is_enough_where_the_plain_settings_run_out(
    long_rows, tmp_path, monkeypatch, ohlora
) -> None:
    asked = [
        "tune", BASE, "--data", str(long_rows), "--out", str(tmp_path / "tuned"), "--epochs", "1",
        "--too-long", "cut", "--batch-size", "8", "--memory-limit", "300MB",
    ]  # fmt: skip
    monkeypatch.setattr("sys.argv", ["ohlora", *asked])
    code, _, error = ohlora(*asked)
    assert code == 1
    assert "Out of memory: held" in error
    assert "the limit is 300 MiB" in error
    assert "Traceback" not in error
    command = error.partition("predicted): ")[2].strip()
    assert command.startswith(f"ohlora tune {BASE} ")
    code, out, error = ohlora(*shlex.split(command)[1:])
    assert (code, error) == (0, "")
    assert "Tuned:" in out
    promised = [*asked, "--fit", "300MB"]
    promised[promised.index(str(tmp_path / "tuned"))] = str(tmp_path / "fitted")
    code, out, _ = ohlora(*promised)
    assert code == 0
    assert "GiB predicted" in out


@pytest.mark.parametrize(
    ("given", "words", "wanted"),
    [
        ("tune x --batch-size 8 --out d", "--batch-size 2", "tune x --out d --batch-size 2"),
        ("tune x --batch-size=8", "--batch-size 2 --dora", "tune x --batch-size 2 --dora"),
        (
            "tune x --no-gradient-checkpointing --data 'a b'",
            "--gradient-checkpointing",
            "tune x --data 'a b' --gradient-checkpointing",
        ),
    ],
)
def test_a_command_to_paste_replaces_what_was_said(given, words, wanted) -> None:
    assert with_options(words, shlex.split(given)) == f"ohlora {wanted}"


def test_the_settings_that_fit_are_told_as_a_command_to_paste(
    long_rows, tmp_path, monkeypatch, ohlora
):
    monkeypatch.setattr(
        tune_candidate_module, "_tune_showing", lambda case, *_: asked_for.append(case.contract)
    )
    asked_for: list[Contract] = []
    asked = [
        "tune", BASE, "--data", str(long_rows), "--out", str(tmp_path / "a b"), "--fit", "200MB",
        "--too-long", "cut", "--batch-size", "8", "--device", "cpu",
    ]  # fmt: skip
    monkeypatch.setattr("sys.argv", ["ohlora", *asked])
    code, out, _ = ohlora(*asked)
    (command,) = [line.partition(": ")[2] for line in out.splitlines() if "without asking" in line]
    assert (code, "--fit" in command) == (0, False)
    code, out, error = ohlora(*shlex.split(command)[1:])
    assert (code, error) == (0, "")
    assert asked_for[0] == asked_for[1] != Contract()
    assert asked_for[0].batch_size < 8


def test_the_command_to_paste_begins_in_another_folder_where_an_epoch_was_saved(
    monkeypatch, tmp_path
) -> None:
    change = Attempt(Contract(batch_size=2, gradient_accumulation=2), "none", 2**30)
    monkeypatch.setattr("sys.argv", ["ohlora", "tune", "x", "--out", "d"])
    assert tuning._what_fits(TooLarge("", "", change, tmp_path / "a b-2")).endswith(
        f": ohlora tune x --batch-size 2 --gradient-accumulation 2 --out '{tmp_path}/a b-2'"
    )
    assert " --out d " in tuning._what_fits(TooLarge("", "", change))


@pytest.mark.parametrize(("device", "dtype"), [("cpu", "float32"), ("cuda", "bfloat16")])
def test_every_setting_that_fit_tries_is_one_the_command_line_takes(device, dtype) -> None:
    contract = Contract(device=device, dtype=dtype, batch_size=8)
    tune = ohlora_cli.COMMANDS["tune"].load("tune")
    proposed = [Attempt(each, packed, 0).words for each, packed in attempts(contract, "none")]
    assert len(set(proposed)) == len(proposed) > 6
    for words in proposed:
        line = with_options(words, ["tune", "llama1B", "--data", __file__, "--out", "d"])
        tune.make_context("tune", shlex.split(line)[2:])


def test_the_smallest_change_needs_less_than_what_ran_out() -> None:
    rows = [EncodedRow((1,) * 512, (1,) * 512)] * 8
    architecture = Registry().candidate("llama1B").architecture
    found = first_smaller(
        architecture, rows, Contract(batch_size=8), 2**45, rank=16, quantization="none"
    )
    assert found is not None
    assert found.words == "--batch-size 4 --gradient-accumulation 2"
    none = first_smaller(
        architecture, rows, Contract(batch_size=8), 2**20, rank=16, quantization="none"
    )
    assert none is None


@pytest.mark.parametrize(
    ("kept", "said"),
    [(True, "Its finished epochs are kept. To go on:\n  ohlora tune x"), (False, "No epoch was")],
)
def test_a_tune_that_is_stopped_says_what_is_kept_and_how_to_go_on(
    kept, said, monkeypatch, tmp_path, ohlora
) -> None:
    out = tmp_path / "tuned"

    def stopped(*_: object, **__: object) -> None:
        if kept:
            out.mkdir()
            (out / STATE).touch()
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(tuning, "tune_candidate", stopped)
    asked = ["tune", "x", "--data", "rows.csv", "--out", str(out)]
    monkeypatch.setattr("sys.argv", ["ohlora", *asked])
    code, told, error = ohlora(*asked)
    assert (code, error) == (143, "")
    assert said in told
