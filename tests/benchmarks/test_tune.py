"""Tuning for good: it learns, survives a kill, is asked and exported."""

from __future__ import annotations

import errno
import io
import json
import math
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from benchmarks import tune as tune_module
from benchmarks import tune_candidate as tune_candidate_module
from benchmarks import tune_worker
from benchmarks.study.contract import Contract
from benchmarks.tune import tune
from benchmarks.tune_candidate import TooLarge, tune_candidate
from benchmarks.tune_rows import TuneRows, encode_rows
from benchmarks.tune_state import BEST, STATE, EpochEnd, differences, identity_of, restore, save
from benchmarks.tune_worker import TuneOutOfMemory
from benchmarks.workloads.optimisation import is_patience_over
from model_registry import machine
from model_registry.backends.backend import GenerationSettings, conversation
from model_registry.backends.open_backend import open_backend
from model_registry.backends.transformers_local import TransformersBackend
from model_registry.candidate import PromptPolicy
from model_registry.errors import BadTrainingRow, LoadError, NotFinite, OhloraError
from model_registry.files.folder_lock import FolderLock
from model_registry.prompting import chat_template, template_process
from model_registry.prompting.served_template import plain_template
from model_registry.prompting.tokenization import EncodedRow
from model_registry.registry import Registry
from model_registry.weights import gguf
from model_registry.weights.adapter import read_card
from model_registry.weights.export import export
from model_registry.weights.loading import load
from model_registry.weights.weight_files import stored_dtype
from rows.row import Row
from tests.support.tiny_models import TEMPLATE, make_tiny_model, make_tokenizer, tiny_candidate

ROOT = Path(__file__).resolve().parents[2]
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


def test_a_tune_that_has_waited_long_enough_keeps_its_best_epoch(
    tiny_model, tmp_path, monkeypatch
) -> None:
    told = iter([3.0, 2.0, 2.5, 2.6, 1.0])
    kept: dict[int, torch.Tensor] = {}

    def loss_of(model: Any, rows: object, contract: object) -> float:
        kept[len(kept) + 1] = next(
            p.detach().clone() for p in model.parameters() if p.requires_grad
        )
        return next(told)

    monkeypatch.setattr(tune_module, "validation_loss", loss_of)
    loaded = load(tiny_candidate(tiny_model))
    policy = replace(CONTRACT, patience=2)
    history = tune(
        loaded, encode_rows(loaded, ROWS, ROWS[:2], policy), policy, rank=4, out=tmp_path
    )
    assert [end.valid_loss for end in history] == [3.0, 2.0, 2.5, 2.6]
    now = next(p for p in loaded.model.parameters() if p.requires_grad)
    assert torch.equal(now, kept[2])
    assert not torch.equal(now, kept[4])
    assert not list(tmp_path.glob("*state*"))


def test_a_kill_while_the_best_epoch_is_written_does_not_lose_it(
    tiny_model, tmp_path, monkeypatch
) -> None:
    told = iter([3.0, 2.0, 2.0, 2.5, 2.6])
    kept: list[torch.Tensor] = []
    policy = replace(CONTRACT, patience=2)

    def loss_of(model: Any, rows: object, contract: object) -> float:
        kept.append(next(p.detach().clone() for p in model.parameters() if p.requires_grad))
        return next(told)

    def save_and_die(path: Path, *state: Any) -> None:
        save(path, *state)
        if len(kept) == 2:
            raise Killed

    def go_on() -> torch.Tensor:
        loaded = load(tiny_candidate(tiny_model))
        rows = encode_rows(loaded, ROWS, ROWS[:2], policy)
        tune(loaded, rows, policy, rank=4, out=tmp_path)
        return next(p for p in loaded.model.parameters() if p.requires_grad)

    monkeypatch.setattr(tune_module, "validation_loss", loss_of)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(tune_module, "save", save_and_die)
        go_on()
    now = go_on()
    assert torch.equal(now, kept[1])
    assert not torch.equal(now, kept[0])


def test_a_best_epoch_that_is_gone_is_said_and_not_passed_over(tmp_path) -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    with pytest.raises(OhloraError, match=r"best_state\.safetensors is missing"):
        restore(tmp_path / BEST, [weight], torch.optim.AdamW([weight]))


def test_a_validation_loss_that_is_no_number_ends_the_tune_before_it_is_kept(
    tiny_model, tmp_path, monkeypatch
) -> None:
    told = iter([3.0, math.nan])
    monkeypatch.setattr(tune_module, "validation_loss", lambda *_: next(told))
    with pytest.raises(NotFinite, match=r"the loss is nan at step 4 .*smaller learning rate"):
        tuned(tiny_model, tmp_path)
    told = iter([2.0, 2.0, 2.0, 2.0, 2.0])
    assert [end.valid_loss for end in tuned(tiny_model, tmp_path)] == [3.0, *[2.0] * 5]


def test_the_best_epoch_is_none_whose_loss_is_no_number() -> None:
    history = [EpochEnd(n, 1.0, loss) for n, loss in enumerate((math.nan, 3.0, 2.0), start=1)]
    assert tune_module.best_of(history) == history[2]
    assert tune_module.best_of(history[:1]) is None
    losses = [tune_module._loss_of(end) for end in [*history, *history[:1] * 2]]
    assert is_patience_over(losses, 2)


def test_the_c_library_is_set_before_a_model_is_loaded_here(monkeypatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(tune_worker, "give_back_what_is_freed", lambda: done.append("set"))
    monkeypatch.setattr(tune_worker, "_base_of", lambda case: done.append("loaded"))
    monkeypatch.setattr(tune_worker, "_tune", lambda *_: None)
    tune_worker.tune_here(None, None, None, None)  # type: ignore[arg-type]
    assert done == ["set", "loaded"]


def test_waiting_without_valid_rows_is_refused_before_anything_is_loaded(
    tiny_model, tmp_path, monkeypatch
) -> None:
    data = tmp_path / "rows.csv"
    data.write_text("prompt,reply\n안녕?,반가워.\n", encoding="utf-8")
    monkeypatch.setattr("benchmarks.tune_worker.load", None)
    with pytest.raises(OhloraError, match="has no valid rows"):
        in_steps(tiny_model, data, tmp_path / "out", patience=2)


def test_other_settings_do_not_go_on_with_a_tune(tiny_model, tmp_path) -> None:
    with pytest.raises(Killed):
        tuned(tiny_model, tmp_path, stop_after=1)
    loaded = load(tiny_candidate(tiny_model))
    rows = encode_rows(loaded, ROWS, ROWS[:2], CONTRACT)
    with pytest.raises(OhloraError, match=r"other settings: rank was 4, is 8\. Use"):
        tune(loaded, rows, CONTRACT, rank=8, out=tmp_path)


def in_steps(model: Path, data: Path, out: Path, **changed: Any) -> Path:
    """`ohlora tune` in this process."""
    options = {"rank": 4, "epochs": 2, "weights": "auto", "device": "cpu"} | changed
    return tune_candidate(str(model), data, out, Registry(), console=Console(quiet=True), **options)


@pytest.fixture
def begun(tiny_model, tmp_path, monkeypatch) -> tuple[Path, Path, Path]:
    """Base, rows and folder of a tune that was stopped after its first epoch."""
    base = tmp_path / "base"
    shutil.copytree(tiny_model, base)
    data, out = tmp_path / "rows.csv", tmp_path / "tuned"
    data.write_text("prompt,reply\n안녕?,반가워.\n뭐 해?,쉬고 있어.\n", encoding="utf-8")
    real = tune_module.save

    def save_once(*arguments: Any) -> None:
        real(*arguments)
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(tune_module, "save", save_once)
        in_steps(base, data, out)
    assert (out / STATE).exists()
    return base, data, out


@pytest.mark.parametrize("kind", ["llama", "gpt_neox"])
def test_another_base_does_not_go_on_whatever_its_shapes(
    begun, tmp_path, kind, monkeypatch
) -> None:
    """It would go on with the first one's adapter, and the card would name the second."""
    other = make_tiny_model(tmp_path / "other", kind, seed=5)
    monkeypatch.setattr("benchmarks.tune_worker.load", None)  # nothing is loaded to find out
    with pytest.raises(OhloraError) as raised:
        in_steps(other, begun[1], begun[2])
    assert f"base was {begun[0]}, is {other}" in str(raised.value)


def test_other_weights_in_the_same_folder_do_not_go_on(begun, tmp_path) -> None:
    make_tiny_model(begun[0], seed=9)
    with pytest.raises(OhloraError, match=r"settings: the base.s weights are others\. Use"):
        in_steps(*begun)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("rows", "settings: the rows' contents are others. Use"),
        ("more rows", "settings: rows was 2, is 3. Use"),
        ("template", "the chat template is another"),
        ("epochs", "epochs was 2, is 3"),
        ("dtype", "dtype was float32, is bfloat16"),
    ],
)
def test_what_differs_from_the_tune_before_is_named_in_words(begun, change, said) -> None:
    base, data, out = begun
    words = data.read_text(encoding="utf-8")
    if change == "rows":
        data.write_text(words.replace("쉬고 있어", "일하고 있어"), encoding="utf-8")
    elif change == "more rows":
        data.write_text(words + "몇 시?,세 시야.\n", encoding="utf-8")
    elif change == "template":
        template = base / "chat_template.jinja"
        template.write_text(template.read_text().replace("<|user|>", "<|user|>!"))
        template.write_text("{# another #}" + template.read_text())
    changed = {"epochs": {"epochs": 3}, "dtype": {"dtype": "bfloat16"}}.get(change, {})
    with pytest.raises(OhloraError, match=said):
        in_steps(base, data, out, **changed)


#: A value other than `Contract`'s for each setting that what is learned hangs on.
OTHERWISE: dict[str, Any] = {
    "lora_targets": "q_proj", "lora_alpha": 8, "lora_dropout": 0.0, "lora_init": "olora",
    "learning_rate": 1e-3, "batch_size": 2, "epochs": 3, "max_length": 256, "too_long": "drop",
    "max_grad_norm": 0.5, "seed": 7, "dtype": "bfloat16", "weights": "random",
}  # fmt: skip


def test_a_tune_goes_on_under_the_same_policy_only() -> None:
    """Each setting apart; what only answering hangs on, and the machine, may be others."""
    tokenizer = make_tokenizer()
    candidate = tiny_candidate("unused", revision="one")
    rows = TuneRows((EncodedRow((1, 2, 3), (1, 2, 3)),), (EncodedRow((4, 5), (4, 5)),))

    def identity(candidate=candidate, rows=rows, rank=4, **changes):
        return identity_of(candidate, tokenizer, rows, Contract(**changes), rank)

    def differs(**changes) -> str:
        return "; ".join(differences(identity(), identity(**changes)))

    for name, value in OTHERWISE.items():
        assert name in differs(**{name: value}), name
    assert differs(rank=8) == "rank was 4, is 8"
    assert "revision" in differs(candidate=replace(candidate, revision="two"))
    assert "learning_rate" in differs(candidate=replace(candidate, learning_rate=3e-4))
    assert "template" in differs(candidate=replace(candidate, prompting=PromptPolicy("plain")))
    assert "contents" in differs(rows=TuneRows(rows.valid, rows.train))
    assert "valid_rows" in differs(rows=TuneRows(rows.train, ()))
    assert "rows" in differs(rows=TuneRows((*rows.train, *rows.valid), rows.valid))
    assert not differs(
        max_new_tokens=5, samples=3, temperature=0.1, top_p=0.5, machine="another", threads=2,
        warm_up=0, device="cuda",
    )  # fmt: skip


def test_the_same_command_goes_on(begun) -> None:
    in_steps(*begun)
    assert [end["epoch"] for end in read_card(begun[2])["epochs"]] == [1, 2]
    assert not (begun[2] / STATE).exists()


def test_memory_that_ran_out_is_judged_by_what_was_free_before(begun, monkeypatch) -> None:
    """What still holds it would leave nothing; the epoch there was saved with other settings."""
    describe, held, asked = machine.describe, [], []

    def described(device: str = "cpu") -> dict[str, Any]:
        return describe(device) | {"available_bytes": 5 if held else 7}

    def run_out(*_: object) -> None:
        held.append(True)
        raise TuneOutOfMemory("no more")

    monkeypatch.setattr(machine, "describe", described)
    monkeypatch.setattr(tune_candidate_module, "tune_here", run_out)
    monkeypatch.setattr(
        tune_candidate_module, "first_smaller", lambda *given, **_: asked.append(given[3])
    )
    base, data, out = begun
    with pytest.raises(TooLarge) as caught:
        in_steps(base, data, out)
    assert asked == [7]
    assert caught.value.out == out.with_name("tuned-2")
    held.clear()
    with pytest.raises(TooLarge) as caught:
        in_steps(base, data, out.with_name("new"))
    assert caught.value.out is None


def test_two_tunes_into_one_folder_exclude_each_other(begun) -> None:
    with (
        FolderLock(begun[2]).acquire(),
        pytest.raises(OhloraError, match=f"in use by process {os.getpid()}"),
    ):
        in_steps(*begun)


def test_a_full_disk_is_one_line_and_the_tune_goes_on_when_there_is_room(
    begun, monkeypatch
) -> None:
    from peft import PeftModel

    base, data, out = begun

    def full(self: Any, folder: Path, **_: Any) -> None:
        (folder / "adapter_config.json").write_text("{}")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(PeftModel, "save_pretrained", full)
        with pytest.raises(OhloraError, match=r"No space left on device; \d+ MB are free"):
            in_steps(base, data, out)
    assert sorted(path.name for path in out.iterdir()) == [STATE]
    assert sorted(path.name for path in out.parent.iterdir()) == ["base", "rows.csv", "tuned"]
    in_steps(base, data, out)
    assert (out / "adapter_model.safetensors").stat().st_mode & 0o777 == 0o666 & ~umask()


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("what", ["a file", "below a file"])
def test_an_output_that_can_not_be_is_refused_before_anything_is_loaded(
    tiny_model, tmp_path, monkeypatch, what
) -> None:
    monkeypatch.setattr("benchmarks.tune_worker.load", None)
    file = tmp_path / "out"
    file.write_text("")
    out = file if what == "a file" else file / "adapter"
    with pytest.raises(OhloraError, match="Choose another --out"):
        in_steps(tiny_model, tmp_path, out)


def test_a_long_row_is_refused_with_the_tokenizer_alone_or_dropped(
    tiny_model, tmp_path, monkeypatch
) -> None:
    data = tmp_path / "rows.csv"
    data.write_text(f"prompt,reply\n안녕?,반가워.\n길어?,{'길' * 100}\n", encoding="utf-8")
    with monkeypatch.context() as patched:
        patched.setattr("benchmarks.tune_worker.load", None)
        with pytest.raises(BadTrainingRow, match=r"Training row 2 \(line 3\) has 3\d\d tokens"):
            in_steps(tiny_model, data, tmp_path / "tuned", max_length=64)
    assert not (tmp_path / "tuned").exists()
    done = in_steps(tiny_model, data, tmp_path / "tuned", max_length=64, too_long="drop")
    assert read_card(done)["rows"] == 1


def broken(model: Path, place: Path) -> Path:
    """A copy of a model with a NaN in its weights."""
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(model, place)
    tensors = load_file(place / "model.safetensors")
    next(t for name, t in tensors.items() if "down_proj" in name)[0, 0] = torch.nan
    save_file(tensors, place / "model.safetensors", metadata={"format": "pt"})
    return place


def test_weights_that_are_no_numbers_are_one_line_before_training(tiny_model, tmp_path) -> None:
    data = tmp_path / "rows.csv"
    data.write_text("prompt,reply\n안녕?,반가워.\n", encoding="utf-8")
    place = broken(tiny_model, tmp_path / "broken")
    with pytest.raises(NotFinite, match=r"the weights hold NaN or infinity \(.*down_proj"):
        in_steps(place, data, tmp_path / "tuned")


def test_asking_a_model_of_nan_is_an_error_and_no_blank_answer(tiny_model, tmp_path) -> None:
    backend = open_backend(str(broken(tiny_model, tmp_path / "broken")), Registry(), device="cpu")
    asked, settings = conversation("안녕?"), GenerationSettings(max_new_tokens=4)
    with pytest.raises(NotFinite, match="the weights hold NaN"):
        backend.reply(asked, settings)
    with pytest.raises(NotFinite, match="the weights hold NaN"):
        list(backend.stream(asked, settings))
    with pytest.raises(NotFinite, match="the weights hold NaN"):
        backend.reply(asked, replace(settings, temperature=0.8))


def test_nothing_is_shown_of_a_model_whose_head_alone_is_nan(tiny_model) -> None:
    loaded = load(tiny_candidate(tiny_model))
    head = loaded.model.lm_head
    head.weight = torch.nn.Parameter(torch.full_like(head.weight, torch.nan))
    shown: list[str] = []
    with pytest.raises(NotFinite, match=r"hold NaN or infinity \(lm_head"):
        for piece in TransformersBackend(loaded).stream(
            conversation("안녕?"), GenerationSettings(9)
        ):
            shown.append(piece)
    assert shown == []


def test_a_tune_goes_on_tomorrow_though_its_template_writes_the_date(
    tiny_model, tmp_path, monkeypatch
) -> None:
    class Clock(datetime):
        day = 1

        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime(2026, 1, cls.day)

    monkeypatch.setattr(template_process, "datetime", Clock)
    monkeypatch.setattr(chat_template._PROCESS, "ask", template_process.answer)
    base = shutil.copytree(tiny_model, tmp_path / "base")
    dated = "{{ strftime_now('%d %B') }}\n" + (base / "chat_template.jinja").read_text()
    (base / "chat_template.jinja").write_text(dated)
    loaded = load(tiny_candidate(base))
    today = encode_rows(loaded, ROWS, ROWS[:2], CONTRACT)
    Clock.day = 12
    tomorrow = encode_rows(loaded, ROWS, ROWS[:2], CONTRACT)
    assert today.train != tomorrow.train
    assert today.mark() == tomorrow.mark()
    assert today.mark() != encode_rows(loaded, ROWS[1:], ROWS[:2], CONTRACT).mark()
    asked = [replace(row, prompt=f"{row.prompt}!") for row in ROWS]
    assert today.mark() != encode_rows(loaded, asked, ROWS[:2], CONTRACT).mark()


def test_a_tokenizer_that_names_neither_end_nor_padding_tunes_with_its_templates_end(
    tiny_model, tmp_path
) -> None:
    base = shutil.copytree(tiny_model, tmp_path / "base")
    tokenizer = make_tokenizer()
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|eot|>"]})
    tokenizer.chat_template = TEMPLATE.replace("<|end|>", "<|eot|>")
    tokenizer.eos_token = tokenizer.pad_token = None
    make_tiny_model(base, vocab_size=len(tokenizer))
    tokenizer.save_pretrained(base)
    data = tmp_path / "rows.csv"
    data.write_text("prompt,reply\n안녕?,반가워.\n뭐 해?,나는 쉬고 있어.\n", encoding="utf-8")
    out = in_steps(base, data, tmp_path / "tuned")
    assert [end["epoch"] for end in read_card(out)["epochs"]] == [1, 2]


def test_a_tune_is_not_written_beside_a_model(tiny_model, tmp_path) -> None:
    base = shutil.copytree(tiny_model, tmp_path / "base")
    data = tmp_path / "rows.csv"
    data.write_text("prompt,reply\n안녕?,반가워.\n", encoding="utf-8")
    before = sorted(path.name for path in base.iterdir())
    with pytest.raises(OhloraError, match=r"holds a model.*another --out"):
        in_steps(base, data, base)
    assert sorted(path.name for path in base.iterdir()) == before


@pytest.mark.parametrize("kind", ["opt", "gpt2", "llama"])
def test_a_row_longer_than_the_model_looks_back_is_refused_before_it_is_loaded(
    kind, tmp_path, monkeypatch
) -> None:
    base = make_tiny_model(tmp_path / "base", kind)
    data = tmp_path / "rows.csv"
    data.write_text(f"prompt,reply\n안녕?,{'가' * 200}\n", encoding="utf-8")
    monkeypatch.setattr("benchmarks.tune_worker.load", None)
    with pytest.raises(BadTrainingRow, match=r"has 6\d\d tokens, more than 512"):
        in_steps(base, data, tmp_path / "tuned", max_length=4096)


def test_an_adapter_is_not_put_on_random_weights(begun) -> None:
    in_steps(*begun)
    with pytest.raises(OhloraError, match="can't be put on random ones"):
        open_backend(str(begun[2]), Registry(), weights="random", device="cpu")


@pytest.mark.slow
def test_ask_says_nan_on_one_line_and_ends_with_one(tiny_model, tmp_path) -> None:
    place = broken(tiny_model, tmp_path / "broken")
    command = [sys.executable, "-m", "ohlora_cli", "ask", str(place), "안녕?", "--device", "cpu"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.strip() == ""
    assert "hold NaN" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_adapter_whose_base_moved_names_the_option_that_finds_it(begun, tmp_path) -> None:
    base, _, out = begun
    in_steps(*begun)
    base.rename(tmp_path / "moved")
    with pytest.raises(LoadError, match=f"was tuned on {base}, which is no longer there.*--base"):
        open_backend(str(out), Registry(), device="cpu")
    backend = open_backend(str(out), Registry(), device="cpu", base_folder=tmp_path / "moved")
    assert backend.reply(conversation("안녕?"), GenerationSettings(max_new_tokens=2)).new_tokens
    backend.close()
    other = make_tiny_model(tmp_path / "another", seed=3)
    with pytest.raises(LoadError, match="its weights are others"):
        open_backend(str(out), Registry(), device="cpu", base_folder=other)


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
    deadline = time.monotonic() + 800
    while not (out / STATE).exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
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
        "benchmarks.tune_worker.tune",
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
    for words in ("question=질문", "train 2, valid 3", "1 valid row without an answer (line 6)",
                  "1 valid row that asks what a train row asks (or nearly) (line 4)"):  # fmt: skip
        assert words in printed.getvalue()


@pytest.mark.parametrize("stored", ["bfloat16", "float32"])
def test_an_export_is_written_in_the_precision_of_its_base_or_the_one_asked_for(
    tiny_model, tmp_path, stored
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    base = tmp_path / "base"
    shutil.copytree(tiny_model, base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=getattr(torch, stored))
    model.save_pretrained(base)
    data = tmp_path / "rows.csv"
    data.write_text("prompt,reply\n안녕?,반가워.\n", encoding="utf-8")
    done = in_steps(base, data, tmp_path / "tuned", epochs=1)
    own = export(done, tmp_path / "own", Registry(), source="hub")
    half = export(done, tmp_path / "half", Registry(), source="hub", dtype="float16")
    assert (stored_dtype(own), stored_dtype(half)) == (stored, "float16")
    assert {p.stat().st_mode & 0o777 for p in own.iterdir()} == {0o666 & ~umask()}
    settings = json.loads((own / "generation_config.json").read_text())
    assert not {"max_new_tokens", "max_length"} & set(settings)


def test_a_full_disk_leaves_no_half_of_an_export(begun, tmp_path, monkeypatch) -> None:
    from transformers import PreTrainedModel

    in_steps(*begun)

    def full(self: Any, folder: Path, **_: Any) -> None:
        (Path(folder) / "config.json").write_text("{}")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(PreTrainedModel, "save_pretrained", full)
        with pytest.raises(OhloraError, match="No space left on device"):
            export(begun[2], tmp_path / "model", Registry(), source="hub")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "rows.csv", "tuned"]
    assert (export(begun[2], tmp_path / "model", Registry(), source="hub") / "config.json").exists()


CONVERTER = """#!{python}
import sys
print("writing", file=sys.stderr)
if {fails}:
    sys.exit("ValueError: no such architecture")
open(sys.argv[sys.argv.index("--outfile") + 1], "w").write("GGUF of " + sys.argv[1])
"""


def test_a_gguf_file_is_written_by_the_converter_that_is_installed(tmp_path, monkeypatch) -> None:
    script = tmp_path / gguf.SCRIPT
    script.write_text(CONVERTER.format(python=sys.executable, fails=False), encoding="utf-8")
    monkeypatch.setenv(gguf.FOLDER, str(tmp_path))
    out = gguf.convert(tmp_path / "model", tmp_path / "model.gguf")
    assert out.read_text() == f"GGUF of {tmp_path / 'model'}"
    script.write_text(CONVERTER.format(python=sys.executable, fails=True), encoding="utf-8")
    with pytest.raises(OhloraError, match="converter failed: ValueError: no such architecture"):
        gguf.convert(tmp_path / "model", tmp_path / "second.gguf")
    assert not list(tmp_path.glob("*second*"))
    monkeypatch.delenv(gguf.FOLDER)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(OhloraError, match=r"clone https://github.com/ggml-org/llama\.cpp"):
        gguf.find_converter()
