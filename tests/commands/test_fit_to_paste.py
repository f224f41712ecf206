"""What `ohlora fit` proposes can be pasted: it says every lever that was said to `fit`."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

import ohlora_cli
from commands import fitting
from commands.tuning import TuneOptions
from model_registry.catalog import CATALOGS

ROWS = "prompt,reply\n질문,답\n"


@pytest.fixture
def rows(tmp_path) -> Path:
    path = tmp_path / "my rows.csv"
    path.write_text(ROWS, encoding="utf-8")
    return path


def proposed(ohlora, *asked: str) -> str:
    """The smallest change of LoRA at the lowest rank."""
    code, out, error = ohlora("fit", "llama1B", *asked, "--json")
    assert (code, error) == (0, "")
    found = [r for r in json.loads(out)["rows"] if (r["workload"], r["fits"]) == ("lora", False)]
    return str(found[0]["smallest_change"])


def read(command: str) -> Any:
    """The options that a pasted `ohlora tune` gets."""
    _, name, *said = shlex.split(command)
    found = ohlora_cli.COMMANDS[name].load(name).make_context(name, said)
    return TuneOptions(**found.params)


def test_a_change_keeps_the_levers_that_were_said(ohlora, rows):
    said = [
        "--lora-dropout", "0", "--epochs", "5", "--learning-rate", "1e-4", "--schedule", "cosine",
        "--warmup-steps", "2", "--lora-alpha", "8", "--rslora", "--tune-seed", "7",
        "--row-order", "length", "--patience", "2", "--attention", "sdpa", "--max-length", "1024",
        "--too-long", "cut",
    ]  # fmt: skip
    options = read(proposed(ohlora, "--gpu", "8GB", *said, "--rank", "32"))
    wanted = {
        "lora_dropout": 0.0, "epochs": 5, "learning_rate": 1e-4, "schedule": "cosine",
        "warmup_steps": 2, "lora_alpha": 8, "rslora": True, "seed": 7, "row_order": "length",
        "patience": 2, "attention": "sdpa", "max_length": 1024, "too_long": "cut",
    }  # fmt: skip
    assert wanted.items() <= options.given().items()
    assert options.rank == 32


def test_a_change_names_the_rows_and_how_long_they_may_be(ohlora, rows):
    with_rows = read(proposed(ohlora, "--gpu", "8GB", "--data", str(rows), "--max-length", "2048"))
    assert (Path(with_rows.data), with_rows.max_length) == (rows, 2048)
    short = proposed(ohlora, "--gpu", "6GB", "--batch-size", "8", "--max-length", "256")
    assert read(short).max_length == 256
    assert read(proposed(ohlora, "--gpu", "6GB")).max_length is None


def test_more_memory_is_asked_for_only_where_4_bit_and_checkpointing_do_not_do_either(ohlora):
    options = read(proposed(ohlora, "--gpu", "3GB"))
    assert (options.quantization, options.gradient_checkpointing) == ("nf4", True)
    assert proposed(ohlora, "--gpu", "1GB").startswith("more memory: at least")


def test_a_change_is_in_the_precision_that_was_predicted(ohlora):
    halved = proposed(ohlora, "--gpu", "6GB", "--dtype", "float32")
    assert halved.count("--dtype") == 1
    assert read(halved).dtype == "bfloat16"
    assert read(proposed(ohlora, "--gpu", "6GB", "--dtype", "float16")).dtype == "float16"


def test_no_command_is_proposed_that_would_not_find_the_candidate(tmp_path, ohlora):
    catalog = tmp_path / "mine.toml"
    shipped = (CATALOGS / "korean-small.toml").read_text(encoding="utf-8")
    catalog.write_text(shipped, encoding="utf-8")
    assert proposed(ohlora, "--gpu", "6GB", "--catalog", str(catalog)).startswith("[contract] ")


def test_what_is_not_traced_is_traced_by_the_command_that_is_named(ohlora, monkeypatch, tmp_path):
    monkeypatch.setattr(fitting, "_TRACED_FOR", 0.0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    said = ["--gpu", "T4", "--lora-targets", "up_proj", "--dora"]
    code, out, _ = ohlora("fit", "llama1B", *said)
    line = " ".join(out.split())
    assert "`ohlora fit llama1B --gpu T4 --lora-targets up_proj --dora --trace` follows it" in line
    assert (code, line.count("--trace` follows it")) == (0, 1)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (["--lora-targets", "q_projj"], "does not have: q_projj"),
        (["--rank", "4096"], "rank 4096 is larger than every layer of this model: choose at most"),
        (["--warmup-steps", "20", "--max-steps", "10"], "takes 20 steps and the tune has 10"),
        (["--dora", "--quantization", "int8", "--dtype", "float32"], "leave --dora out"),
    ],
)
def test_fit_predicts_nothing_of_a_tune_that_can_not_work(ohlora, said, told, monkeypatch):
    monkeypatch.setattr("model_registry.machine.pick_device", lambda *_: "cpu")
    code, _, error = ohlora("fit", "llama1B", *said)
    assert (code, told in " ".join(error.split())) == (1, True)


def test_what_one_of_several_candidates_can_not_do_is_said_in_its_row(ohlora):
    code, out, _ = ohlora("fit", "llama1B", "gemma-2-2b-it", "--gpu", "12GB", "--rank", "2100")
    line = " ".join(out.split())
    assert (code, "llama1B lora: A LoRA of rank 2100 is larger than every layer" in line) == (
        0,
        True,
    )
    assert "gemma-2-2b-it lora r2100 →" in line


def test_rows_that_are_cut_are_predicted_as_long_as_they_are_learned(ohlora, tmp_path):
    data = tmp_path / "long.csv"
    data.write_text("prompt,reply\n질문,답변입니다\n길게," + "가나다라 " * 80, encoding="utf-8")
    asked = ["bundled-llama-2.5m", "--gpu", "850MB", "--data", str(data), "--max-length", "64"]

    def tuned(*said: str) -> dict[str, Any]:
        code, out, _ = ohlora("fit", *asked, *said, "--json")
        assert code == 0
        return next(row for row in json.loads(out)["rows"] if row["workload"] == "lora")

    assert tuned("--too-long", "cut")["length"] == 64
    assert tuned("--too-long", "drop")["length"] == 64
    whole = tuned()
    assert whole["length"] > 64
    assert read(whole["smallest_change"]).max_length == whole["length"]


def test_fit_says_which_rows_no_candidate_looks_back_on(ohlora):
    code, out, _ = ohlora("fit", "polyglot-ko-1.3b", "--gpu", "12GB", "--max-length", "4096")
    line = " ".join(out.split())
    assert (code, "polyglot-ko-1.3b looks back on 2048 tokens: no row may have" in line) == (
        0,
        True,
    )
    code, out, _ = ohlora(
        "fit", "polyglot-ko-1.3b", "--gpu", "12GB", "--max-length", "4096", "--json"
    )
    assert {row["length"] for row in json.loads(out)["rows"]} == {2048}
