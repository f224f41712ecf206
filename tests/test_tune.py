"""Tuning for good: it learns, survives a kill, is asked and exported."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.contract import Contract
from benchmarks.data import Row
from benchmarks.tune import STATE, EpochEnd, encode_rows, tune, tune_candidate
from model_registry.backends.backend import GenerationSettings, conversation
from model_registry.backends.opening import open_backend
from model_registry.candidate import PromptPolicy
from model_registry.errors import OhloraError
from model_registry.registry import Registry
from model_registry.tuned import export, plain_template, read_card
from model_registry.weights import load
from tests.tiny_models import TEMPLATE, make_tokenizer, tiny_candidate

ROOT = Path(__file__).resolve().parent.parent
ROWS = [Row(f"질문 {n}", f"답 {n}") for n in range(8)]
CONTRACT = Contract(epochs=6, learning_rate=5e-2, dtype="float32")


class Killed(Exception):
    """Stands for the end of the process."""


def tuned(model: Path, out: Path, *, stop_after: int | None = None) -> list[EpochEnd]:
    loaded = load(tiny_candidate(model))
    rows = encode_rows(loaded, ROWS, ROWS[:2], CONTRACT)

    def epoch_ends(end: EpochEnd) -> None:
        if end.epoch == stop_after:
            raise Killed

    return tune(loaded, rows, CONTRACT, rank=4, out=out, epoch_ends=epoch_ends)


def test_the_loss_falls_and_the_valid_rows_are_told_of_each_epoch(tiny_model, tmp_path) -> None:
    history = tuned(tiny_model, tmp_path)
    assert [end.epoch for end in history] == [1, 2, 3, 4, 5, 6]
    assert history[-1].train_loss < history[0].train_loss
    assert all(end.valid_loss is not None for end in history)


def test_a_tune_that_goes_on_ends_where_an_unbroken_one_does(tiny_model, tmp_path) -> None:
    unbroken = tuned(tiny_model, tmp_path / "unbroken")
    with pytest.raises(Killed):
        tuned(tiny_model, tmp_path / "broken", stop_after=1)
    assert (tmp_path / "broken" / STATE).exists()
    resumed = tuned(tiny_model, tmp_path / "broken")
    assert resumed == unbroken
    one, other = (
        (tmp_path / name / "adapter_model.safetensors").read_bytes()
        for name in ("unbroken", "broken")
    )
    assert one == other


def test_other_settings_do_not_go_on_with_a_tune(tiny_model, tmp_path) -> None:
    with pytest.raises(Killed):
        tuned(tiny_model, tmp_path, stop_after=1)
    loaded = load(tiny_candidate(tiny_model))
    rows = encode_rows(loaded, ROWS, [], CONTRACT)
    with pytest.raises(OhloraError, match="other settings"):
        tune(loaded, rows, CONTRACT, rank=8, out=tmp_path)


def test_a_killed_process_loses_no_finished_epoch(tiny_model, tmp_path) -> None:
    data, out = tmp_path / "rows.csv", tmp_path / "tuned"
    lines = "\n".join(f"질문 {n},답변 {n}" for n in range(40))
    data.write_text(f"prompt,reply\n{lines}\n", encoding="utf-8")
    command = [
        sys.executable, "-m", "ohlora_cli", "tune", str(tiny_model), "--data", str(data),
        "--out", str(out), "--epochs", "300", "--rank", "4",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    deadline = time.monotonic() + 60
    while not (out / STATE).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    printed = process.communicate()[0]
    assert (out / STATE).exists(), printed
    with pytest.raises(OhloraError, match="no finished tune"):
        read_card(out)


def test_what_was_tuned_is_asked_exported_and_asked_again(tiny_model, tmp_path) -> None:
    data, out = tmp_path / "rows.csv", tmp_path / "tuned"
    data.write_text("prompt,reply\n안녕?,반가워.\n뭐 해?,쉬고 있어.\n", encoding="utf-8")
    tune_candidate(
        str(tiny_model), data, out, Registry(), rank=4, epochs=2, weights="auto", device="cpu",
        console=Console(file=None, quiet=True),
    )  # fmt: skip
    settings = GenerationSettings(max_new_tokens=12)
    answers = []
    merged = export(out, tmp_path / "model", Registry(), source="hub")
    for name in (out, merged):
        backend = open_backend(str(name), Registry(), device="cpu")
        answers.append(backend.reply(conversation("안녕?"), settings).text)
        streamed = "".join(backend.stream(conversation("안녕?"), settings))
        assert streamed == answers[-1]
        backend.close()
    assert answers[0] == answers[1]


def test_a_finished_tune_is_not_overwritten(tiny_model, tmp_path) -> None:
    tuned(tiny_model, tmp_path)
    with pytest.raises(OhloraError, match="finished tune"):
        tune_candidate(
            str(tiny_model), tmp_path, tmp_path, Registry(), rank=4, epochs=1, weights="auto",
            device="cpu", console=Console(quiet=True),
        )  # fmt: skip


def test_an_exported_base_model_is_asked_in_the_form_it_was_tuned_in() -> None:
    tokenizer = make_tokenizer()
    assert tokenizer.chat_template == TEMPLATE
    form = PromptPolicy("plain").form
    tokenizer.chat_template = plain_template(form)
    messages = [{"role": "user", "content": "안녕?"}]
    rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert rendered == form.replace("{prompt}", "안녕?")


def test_a_tune_says_how_rows_were_read_and_leaves_out_valid_rows_it_learns(
    tiny_model, tmp_path, monkeypatch
) -> None:
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr(
        "benchmarks.tune.tune",
        lambda loaded, rows, *args, **more: seen.append((len(rows.train), len(rows.valid))),
    )
    data = tmp_path / "rows.csv"
    data.write_text(
        "분할,질문,답변\nTrain,안녕?,반가워.\nTraining,뭐 해?,쉬어.\nDEV,안녕!,네.\nval,새것,네.\n"
        "val,답이 없어?,\n",
        encoding="utf-8",
    )
    printed = io.StringIO()
    tune_candidate(
        str(tiny_model), data, tmp_path / "out", Registry(), rank=4, epochs=1, weights="auto",
        device="cpu", console=Console(file=printed, width=300),
    )  # fmt: skip
    assert seen == [(2, 1)]
    for words in ("question=질문", "train 2, valid 3", "1 valid rows without an answer (lines 6)",
                  "1 valid rows that ask what a train row asks (or nearly) (lines 4)"):  # fmt: skip
        assert words in printed.getvalue()
