"""Every lever of a tune has one name, and all who tune or predict take it."""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import ohlora_cli
from benchmarks.study.contract import Contract
from benchmarks.study.planning import make_plan
from benchmarks.study.study_files import parse_study, read_study, study_path
from benchmarks.study.tuning_settings import TuningSettings
from commands.fitting import FitOptions
from commands.runs import RunOptions
from commands.tuning import TuneOptions
from model_registry.registry import Registry

#: Each lever with a value that is not its default. A new field of `TuningSettings` belongs here.
LEVERS = {
    "max_length": 256, "too_long": "cut", "batch_size": 2, "gradient_accumulation": 2,
    "gradient_checkpointing": True, "packing": True, "row_order": "length",
    "lora_targets": "q_proj,v_proj", "lora_alpha": 8, "lora_dropout": 0.1, "rslora": True,
    "dora": True, "learning_rate": 1e-4, "schedule": "cosine", "warmup_steps": 2, "epochs": 2,
    "max_steps": 5, "patience": 2, "optimizer": "paged_adamw_8bit", "dtype": "bfloat16",
    "attention": "sdpa", "fused_kernels": "liger", "seed": 7,
}  # fmt: skip
BY_STUDIES_ALONE = {"lora_init", "max_grad_norm"}
COMMANDS: dict[str, tuple[list[str], type[Any]]] = {
    "run": (["korean-small"], RunOptions),
    "tune": (["llama1B", "--data", "rows.csv", "--out", "tuned"], TuneOptions),
    "fit": ([], FitOptions),
}
PAGE = Path(__file__).parents[2] / "docs" / "tuning.md"
STUDY = 'name = "mine"\n[candidates]\n'


def option_of(lever: str) -> str:
    return "--tune-seed" if lever == "seed" else f"--{lever.replace('_', '-')}"


def asked(command: str, *said: str) -> Any:
    """The options that a command gets from its command line; it is not called."""
    needed, options = COMMANDS[command]
    found = ohlora_cli.COMMANDS[command].load(command).make_context(command, [*needed, *said])
    return options(**found.params)


def test_every_lever_is_in_the_table():
    assert set(LEVERS) == {field.name for field in fields(TuningSettings)} - BY_STUDIES_ALONE


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_takes_every_lever_and_hands_it_on(command):
    said = []
    for lever, value in LEVERS.items():
        said += [option_of(lever)] if value is True else [option_of(lever), str(value)]
    options = asked(command, *said)
    assert options.given() | {"dtype": options.dtype} == LEVERS


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_takes_rank_and_quantisation_of_the_base(command):
    rank = "--ranks" if command == "run" else "--rank"
    options = asked(command, rank, "8", "--quantization", "nf4")
    assert options.quantization == "nf4"
    assert str(getattr(options, rank.removeprefix("--"))) == "8"


def test_what_run_is_asked_for_is_what_its_cases_are_done_with(tmp_path):
    said = ["--weights", "bundled", "--device", "cpu", "--ranks", "8,4", "--quantization", "nf4"]
    for lever, value in LEVERS.items():
        said += [option_of(lever)] if value is True else [option_of(lever), str(value)]
    options = asked("run", *said).for_plan()
    plan = make_plan(read_study(study_path("korean-small")), Registry(), options, tmp_path)
    tunes = [case for case in plan.cases if case.workload == "fine-tune"]
    assert {(case.settings["rank"], case.settings["quantization"]) for case in tunes} == {
        (8, "nf4"), (4, "nf4"),
    }  # fmt: skip
    for case in tunes:
        assert {lever: getattr(case.contract, lever) for lever in LEVERS} == LEVERS


@pytest.mark.parametrize("lever", LEVERS)
def test_a_study_takes_every_lever_and_its_contract_tells_it_apart(lever):
    value = LEVERS[lever]
    study = parse_study(f"{STUDY}[contract]\n{lever} = {json.dumps(value)}\n", Path("mine.toml"))
    assert study.policy == {lever: value}
    assert Contract(**study.policy).hash != Contract().hash


@pytest.mark.parametrize("template", ["template.toml", "template.ko.toml"])
def test_the_template_of_a_study_names_every_lever_with_its_default(template):
    source = study_path("korean-small").with_name(template).read_text(encoding="utf-8")
    written = source.partition("[contract]\n")[2].partition("\n[")[0].replace("# dtype", "dtype")
    named = tomllib.loads(written)
    told = {field.name: field.default for field in fields(TuningSettings)}
    assert {name: named.get(name) for name in told} == told


@pytest.mark.parametrize("lever", [*LEVERS, "rank", "quantization"])
def test_the_page_says_what_every_lever_saves_and_costs(lever):
    table = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    assert any(f"`{option_of(lever)}" in line for line in table)


def test_fit_predicts_for_rows_as_long_as_a_tune_may_have_them():
    assert asked("fit").tuned().length == Contract().max_length
    assert asked("fit", "--length", "64").tuned().length == 64
