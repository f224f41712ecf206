"""What can't work in a tune is one clear error before any weights are loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import tune_candidate as tune_candidate_module
from benchmarks.study.contract import Contract
from benchmarks.study.plan import Options
from benchmarks.study.planning import make_plan
from benchmarks.study.study_files import parse_study
from benchmarks.tune_checks import (
    check_elsewhere,
    check_layers,
    check_model,
    check_settings,
    check_work,
    check_works,
)
from benchmarks.workloads.fine_tune import add_lora
from model_registry.errors import LoadError, OhloraError
from model_registry.memory.fit import Work
from model_registry.registry import Registry
from model_registry.weights.loading import load

BASE = "bundled-llama-2.5m"
STUDY = """
name = "mine"
[candidates]
catalog = "bundled"
[data]
path = "persona"
tuned_on = [0, 8]
prompts = [8, 10]
[work]
inference = false
ranks = [{ranks}]
{variant}
[contract]
epochs = 1
{lever}
"""


@pytest.fixture
def data(tmp_path) -> Path:
    path = tmp_path / "rows.csv"
    lines = [f"질문 {n},답 {n},{'valid' if n > 5 else 'train'}" for n in range(8)]
    path.write_text("prompt,reply,split\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("lever", "said"),
    [
        (["--lora-targets", "q_proj,v_projj"], "does not have: v_projj. It has down_proj,"),
        (["--lora-targets", "q_proj,v_projj"], "Did you mean v_proj?"),
        (["--lora-targets", "all-linear,q_proj"], "does not have: all-linear"),
        (["--warmup-steps", "6"], "takes 6 steps and the tune has 6"),
        (["--warmup-steps", "1", "--packing"], "takes 1 steps and the tune has 1"),
        (["--warmup-steps", "3", "--max-steps", "2"], "takes 3 steps and the tune has 2"),
        (["--warmup-steps", "3", "--max-steps", "2"], "--warmup-steps or more --max-steps."),
        (["--dora", "--quantization", "int8"], "Use --quantization nf4, or leave --dora out"),
        (["--attention", "flash_attention_2"], "Use --attention sdpa, eager or auto"),
        (["--rank", "4096"], "choose at most 256"),
        (["--patience", "1", "--data", "TRAIN"], "has no valid rows: add some"),
    ],
)
def test_a_tune_that_can_not_work_is_refused_before_its_weights_are_loaded(
    ohlora, data, tmp_path, monkeypatch, lever, said
):
    monkeypatch.setattr(
        tune_candidate_module, "_tune_showing", lambda *_: pytest.fail("it was loaded")
    )
    alone = tmp_path / "train.csv"
    alone.write_text("prompt,reply\n질문,답\n", encoding="utf-8")
    lever = [str(alone) if part == "TRAIN" else part for part in lever]
    code, _, error = ohlora(
        "tune", BASE, "--data", str(data), "--out", str(tmp_path / "out"), "--epochs", "1",
        "--batch-size", "1", "--device", "cpu", *lever,
    )  # fmt: skip
    assert (code, "Traceback" in error) == (1, False)
    assert said in " ".join(error.split())
    assert not (tmp_path / "out").exists()


def test_targets_that_name_nothing_are_wrong_usage(ohlora, data, tmp_path):
    asked = ["tune", BASE, "--data", str(data), "--out", str(tmp_path / "out")]
    code, _, error = ohlora(*asked, "--lora-targets", " , ")
    assert (code, "it names no layer" in error) == (2, True)


@pytest.mark.parametrize(
    ("ranks", "variant", "lever", "said"),
    [
        ("4", "", "warmup_steps = 100", "takes 100 steps and the tune has 2"),
        ("4096", "", "", "A LoRA of rank 4096 is larger than every layer of this model"),
        ("4", "", 'lora_targets = "q_projj"', "does not have: q_projj"),
        ("", '[[work.variants]]\nname = "x"\ntargets = "q_proj,typo"', "", "not have: typo"),
        ("", '[[work.variants]]\nname = "x"\nquantization = "int8"', "dora = true", "DoRA"),
    ],
)
def test_a_run_that_no_case_could_be_tuned_in_is_refused_before_its_first(
    tmp_path, ranks, variant, lever, said
):
    study = parse_study(STUDY.format(ranks=ranks, variant=variant, lever=lever), Path("m.toml"))
    options = Options(weights="bundled", device="cpu")
    with pytest.raises(OhloraError, match=said):
        make_plan(study, Registry(), options, tmp_path)


def test_a_run_with_a_rank_that_is_too_large_beside_one_that_is_not_goes_on(tmp_path):
    """What is too large is a row of its own, as where another candidate could do it."""
    source = STUDY.format(ranks="4, 4096", variant="", lever="")
    options = Options(weights="bundled", device="cpu")
    plan = make_plan(parse_study(source, Path("m.toml")), Registry(), options, tmp_path)
    assert {case.setting.rank for case in plan.cases} == {4, 4096}


def test_a_study_may_name_the_layers_of_several_architectures(tmp_path):
    source = STUDY.format(ranks="4", variant="", lever='lora_targets = "q_proj,query_key_value"')
    plan = make_plan(
        parse_study(source, Path("m.toml")), Registry(), Options(weights="bundled"), tmp_path
    )
    assert len(plan.cases) == 3


def test_a_model_without_any_of_the_layers_says_which_it_has():
    loaded = load(Registry().candidate("bundled-neox-0.4m"))
    with pytest.raises(LoadError, match=r"does not have: q_proj. It has dense, .*query_key") as at:
        add_lora(loaded.model, 4, Contract(lora_targets="q_proj"))
    assert at.value.status == "unsupported_architecture"
    assert "q_proj" in at.value.korean


def test_packed_rows_that_would_leak_are_refused_without_the_weights():
    architectures = [Registry().candidate(n).shapes for n in ("KoAlpaca-KoRWKV-1.5B", "llama1B")]
    recurrent, transformer = architectures
    with pytest.raises(OhloraError, match="model of type rwkv: leave --packing out"):
        check_model(recurrent, Contract(packing=True), 4)
    check_model(recurrent, Contract(), 4)
    check_model(transformer, Contract(packing=True), 4)
    work = Work(kind="lora", packed=True)
    check_works([(values, work) for values in architectures], check_elsewhere)


def test_an_attention_that_was_refused_is_not_named_as_the_cure():
    architecture = Registry().candidate("gemma-2-2b-it").shapes
    with pytest.raises(OhloraError, match=r"attention sdpa here. Use --attention eager or auto.$"):
        check_model(architecture, Contract(attention="sdpa"), 4)


def test_flash_attention_may_be_installed_elsewhere():
    architecture = Registry().candidate("llama1B").shapes
    work = Work(kind="lora", rank=4, attention="flash_attention_2")
    check_works([(architecture, work)], check_elsewhere)
    with pytest.raises(OhloraError, match="can't use the attention flash_attention_2 here"):
        check_works([(architecture, work)], check_work)


@pytest.mark.parametrize(
    ("settings", "quantization", "device"),
    [
        (Contract(dora=True), "nf4", "cpu"),
        (Contract(dora=True), "int8", "cuda"),
        (Contract(warmup_steps=4, epochs=1, batch_size=1), "none", "cpu"),
        (Contract(warmup_steps=0, max_steps=1), "none", "cpu"),
    ],
)
def test_settings_that_go_together_are_let_through(settings, quantization, device):
    check_settings(settings, quantization=quantization, device=device, rows=5)


def test_an_architecture_that_can_not_be_built_is_left_to_its_loading():
    unknown = {"model_type": "of_tomorrow"}
    check_layers([unknown], "q_proj")
    check_model(unknown, replace(Contract(), lora_targets="q_proj"), 4)
    check_model({}, Contract(), 4)
