"""Before and after lightweighting: variants of one study, turns paired with their own answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.study.contract import Contract
from benchmarks.study.plan import Options
from benchmarks.study.planning import make_plan
from benchmarks.study.study_files import parse_study, read_study, study_path
from benchmarks.study.variant import Variant, effective, tuned_rank
from model_registry import machine
from model_registry.errors import BadFile
from model_registry.files.shipped_data import DATASETS
from model_registry.prompting.tokenization import IGNORED, encode_row
from model_registry.registry import Registry
from rows.reading import read_rows
from tests.support.tiny_models import make_tokenizer, tiny_candidate

COUNSELLING = DATASETS / "counselling" / "counselling.json"


@pytest.fixture(scope="module")
def plan():
    study = read_study(study_path("lightweighting"))
    options = Options(weights="random", scale="tiny", device="cpu")
    return make_plan(study, Registry(), options, Path("unused"))


def test_both_models_are_tuned_before_and_after(plan):
    assert {case.id for case in plan.cases} == {
        "opt-350m/fine-tune/before",
        "opt-350m/fine-tune/after",
        "opt-350m/fine-tune/after in fp32",
        "gpt-neo-1.3B/fine-tune/before",
        "gpt-neo-1.3B/fine-tune/after in 4 bit",
    }
    assert len(plan.task.train) == 150


def test_variants_share_one_contract_and_are_named_in_it(plan):
    assert len({case.contract.hash for case in plan.cases}) == 1
    assert {"variant", "quantization"} <= set(plan.contract.varies)


def test_before_is_all_weights_in_fp32_and_after_is_lora(plan):
    cases = {case.id: case for case in plan.cases}
    before = cases["opt-350m/fine-tune/before"]
    after = cases["opt-350m/fine-tune/after"]
    assert tuned_rank(before.settings) is None
    assert effective(before.contract, before.settings).dtype == "float32"
    own = effective(after.contract, after.settings)
    assert (tuned_rank(after.settings), own.lora_alpha, own.lora_dropout) == (8, 32, 0.1)
    assert (own.lora_targets, own.dtype) == ("q_proj,v_proj", "bfloat16")


def test_half_precision_is_float16_where_bf16_is_emulated():
    assert machine.half_precision("cuda", native_bf16=False) == "float16"
    assert machine.half_precision("cuda", native_bf16=True) == "bfloat16"


def test_a_case_without_settings_of_its_own_keeps_the_contract():
    contract = Contract()
    assert effective(contract, {"rank": 16}) is contract


def test_quantised_weights_are_not_tuned_fully():
    english, korean = Variant("x", tuning="full", quantization="nf4").problem() or ("", "")
    assert "LoRA" in english and "LoRA" in korean
    assert Variant("x", quantization="nf4").problem() is None


def test_full_tuning_refuses_what_only_lora_has():
    english, korean = Variant("x", tuning="full", rank=8, dropout=0.1).problem() or ("", "")
    assert "rank, dropout" in english and "rank, dropout" in korean
    assert Variant("x", tuning="full", learning_rate=2e-5).problem() is None
    assert Variant("x", rank=8, dropout=0.1).problem() is None


@pytest.mark.parametrize(
    "line", ['tuning = "half"', 'quantization = "int3"', "rank = true", 'speed = "fast"']
)
def test_a_mistake_in_a_variant_is_told_with_its_file(line, tmp_path):
    source = f'name = "x"\n[candidates]\n[work]\n[[work.variants]]\nname = "v"\n{line}\n'
    with pytest.raises(BadFile):
        parse_study(source, tmp_path / "x.toml")


def test_our_corpus_pairs_at_least_150_turns_and_leaves_none_out():
    rows = read_rows(COUNSELLING)
    assert len(rows.rows) >= 150
    assert rows.left_out == ()


def test_turns_that_pair_with_none_are_left_out_and_counted(tmp_path):
    turns = [
        {"role": "therapist", "content": "먼저 인사"},
        {"role": "user", "content": "첫 질문"},
        {"role": "user", "content": "둘째 질문"},
        {"role": "therapist", "content": "둘째 답"},
        {"role": "user", "content": "끝 질문"},
    ]
    path = tmp_path / "turns.json"
    path.write_text(json.dumps(turns, ensure_ascii=False), encoding="utf-8")
    rows = read_rows(path)
    assert [(row.prompt, row.reply) for row in rows.rows] == [("둘째 질문", "둘째 답")]
    assert sum(out.count for out in rows.left_out) == 3


def test_labels_are_the_answer_of_their_own_question(tmp_path):
    tokenizer = make_tokenizer()
    policy = tiny_candidate(tmp_path).prompting
    for row in read_rows(COUNSELLING).rows:
        encoded = encode_row(policy, tokenizer, row.prompt, row.reply)
        labelled = [label for label in encoded.labels if label != IGNORED]
        assert tokenizer.decode(labelled, skip_special_tokens=True) == row.reply
        masked = encoded.input_ids[: -len(labelled)]
        assert row.prompt in tokenizer.decode(list(masked))
