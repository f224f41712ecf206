"""Will it load? Told before a byte of weights, with the cure where there is one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from model_registry.architectures.cures import CURES, cure_for, cured
from model_registry.architectures.model_config import build_config
from model_registry.errors import LoadError, UnknownName
from model_registry.naming.candidate_check import counted, verdict_of
from model_registry.naming.load_check import LoadVerdict, load_verdict
from model_registry.naming.model_facts import facts_of_folder
from model_registry.naming.resolve import candidate_in, find_candidate, with_cure
from model_registry.prompting.template_facts import template_facts
from model_registry.registry import Registry
from model_registry.weights.loading import load, load_tokenizer
from model_registry.weights.weight_files import Tensor
from tests.support.tiny_models import TEMPLATE, make_tiny_model, make_tokenizer

#: As kanana-1.5's configuration, a thirtieth of its size: 56 is no multiple of 3.
ODD = {
    "model_type": "llama", "vocab_size": 300, "hidden_size": 56, "intermediate_size": 96,
    "num_hidden_layers": 2, "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 8,
    "rms_norm_eps": 1e-5, "max_position_embeddings": 256, "tie_word_embeddings": True,
    "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0},
}  # fmt: skip


def said(verdict: LoadVerdict) -> dict[str, str]:
    """The code of what was found, by what was looked at (the last where there are two)."""
    return {each.key: each.note.code.removeprefix("load_") for each in verdict.looked}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("whole") / "tiny")


@pytest.fixture(scope="module")
def odd(tmp_path_factory) -> Path:
    """A folder that LlamaConfig refuses, with the weights of a Llama of that shape."""
    folder = tmp_path_factory.mktemp("odd") / "odd-llama"
    tokenizer = make_tokenizer()
    model = llama_of(ODD | {"vocab_size": len(tokenizer)})
    model.config.num_attention_heads = 7  # or it would not be saved
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    path = folder / "config.json"
    values = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(values | {"num_attention_heads": 3}), encoding="utf-8")
    return folder


def llama_of(values: dict):
    """A Llama of values that its configuration would refuse: they are set once it is built."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    rest = {k: v for k, v in values.items() if k not in ("model_type", "num_attention_heads")}
    config = LlamaConfig(**rest, num_attention_heads=7, eos_token_id=0, pad_token_id=1)
    config.num_attention_heads = values["num_attention_heads"]
    torch.manual_seed(0)
    return LlamaForCausalLM(config).eval()


# --- Cures ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [
    {},
    {"hidden_size": 1792, "intermediate_size": 8064, "num_attention_heads": 24,
     "num_key_value_heads": 8, "head_dim": 128},
], ids=["small", "as wide as kanana-1.5"])  # fmt: skip
def test_the_cure_of_a_llama_gives_the_very_same_logits(sizes):
    import torch
    from transformers import AutoModelForCausalLM

    values = ODD | sizes
    with pytest.raises(LoadError, match="multiple of the number of attention heads"):
        build_config(values)
    llama = llama_of(values)
    mistral = AutoModelForCausalLM.from_config(build_config(cured(values, "llama-as-mistral")))
    told = mistral.load_state_dict(llama.state_dict())
    assert (told.missing_keys, told.unexpected_keys) == ([], [])
    ids = torch.randint(0, 300, (2, 200), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.equal(llama(ids).logits, mistral.eval()(ids).logits)


@pytest.mark.parametrize(
    "change",
    [{"num_attention_heads": 7}, {"attention_bias": True}, {"mlp_bias": True}, {"head_dim": None},
     {"model_type": "qwen2"}],
)  # fmt: skip
def test_a_cure_is_for_nothing_that_it_was_not_shown_to_be_equal_for(change):
    values = ODD | change
    assert cure_for(values) is None
    assert cured(values, "llama-as-mistral") == values


def test_every_cure_has_words_and_an_unknown_one_is_named():
    assert all(all(cure.means) for cure in CURES)
    with pytest.raises(UnknownName, match="llama-as-mistral"):
        cured(ODD, "llama-as-mistrals")


def test_what_its_class_refuses_says_so_and_is_loaded_with_the_cure(odd):
    import torch

    candidate = candidate_in(odd)
    with pytest.raises(LoadError) as caught:
        load(candidate)
    assert caught.value.status == "would_not_load"
    assert "--cure llama-as-mistral" in str(caught.value)
    assert "불러올 수 없습니다" in caught.value.korean
    healed = with_cure(candidate, "llama-as-mistral")
    loaded = load(healed)
    assert loaded.candidate.cure == "llama-as-mistral"
    values = ODD | {"vocab_size": len(make_tokenizer())}
    ids = torch.arange(20)[None]
    with torch.inference_mode():
        assert torch.equal(loaded.model(ids).logits, llama_of(values)(ids).logits)


def test_the_tokenizer_of_a_refused_model_needs_no_cure(odd):
    assert load_tokenizer(candidate_in(odd)).vocab_size == 256


def test_a_cure_that_is_not_needed_changes_nothing(whole):
    candidate = candidate_in(whole)
    assert with_cure(candidate, "llama-as-mistral") == candidate


# --- What is looked at ---------------------------------------------------------------------------


def test_a_whole_model_will_load_and_everything_is_told(whole):
    verdict = load_verdict(facts_of_folder(whole), dtype="bfloat16")
    assert verdict.loads
    assert said(verdict) == {
        "class": "class_known", "config": "config_accepted", "tokenizer": "tokenizer",
        "template": "template", "system": "system_kept", "thinking": "thinking_none", "end": "end",
        "weights": "weights", "tied": "tied", "dtype": "dtype", "parameters": "parameters_agree",
    }  # fmt: skip
    assert verdict.parameters == verdict.stored_parameters


def test_a_refused_configuration_offers_its_cure_and_loads_with_it(odd):
    facts = facts_of_folder(odd)
    refused = load_verdict(facts)
    assert (refused.status, refused.cure) == ("would_not_load", "llama-as-mistral")
    healed = load_verdict(facts, cure="llama-as-mistral")
    assert healed.loads
    assert said(healed)["config"] == "config_cured"
    assert healed.parameters == healed.stored_parameters


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"model_type": "strange"}, "unsupported_architecture"),
        ({"model_type": "strange", "auto_map": {"AutoConfig": "a.B"}}, "needs_remote_code"),
        ({"model_type": "llama", "auto_map": {"AutoConfig": "a.B"}}, "ok"),
    ],
)
def test_a_class_is_known_or_needs_code_or_a_newer_library(whole, values, status):
    facts = facts_of_folder(whole)
    assert load_verdict(replace(facts, config=facts.config | values)).status == status


def test_what_is_missing_is_said(whole):
    facts = facts_of_folder(whole)
    assert load_verdict(replace(facts, tokenizer_files=())).status == "would_not_load"
    gone = replace(facts, tensors=None, weights_problem="model-2.safetensors is missing")
    verdict = load_verdict(gone)
    assert verdict.status == "would_not_load"
    assert any("model-2" in each.note.words for each in verdict.looked)
    base = load_verdict(replace(facts, chat_template=None))
    assert base.loads
    assert said(base)["template"] == "no_template"


def test_two_counts_that_differ_are_both_said_with_the_reason(whole):
    facts = facts_of_folder(whole)
    count = facts.parameters
    rows = facts.config["vocab_size"]
    head = {"lm_head.weight": Tensor("F32", (rows, facts.config["hidden_size"]))}
    tied = load_verdict(replace(facts, tensors={**facts.tensors, **head}))
    assert tied.loads
    assert "stored as well" in tied.looked[-1].note.words
    tower = {"vision.weight": Tensor("F32", (1000, 1000))}
    more = load_verdict(replace(facts, tensors={**facts.tensors, **tower}))
    assert more.loads
    assert f"{count + 1_000_000:,}" in more.looked[-1].note.words
    half = dict(list(facts.tensors.items())[: len(facts.tensors) // 2])
    assert load_verdict(replace(facts, tensors=half)).status == "would_not_load"


def test_a_candidate_that_is_counted_keeps_both_counts_in_its_note(whole):
    found = counted(candidate_in(whole))
    assert found.parameters == facts_of_folder(whole).parameters
    assert "the same in the headers" in found.parameters_note


def test_a_verdict_says_whether_a_card_is_large_enough():
    candidate = find_candidate("bundled-llama-2.5m", Registry())
    assert verdict_of(candidate, gpu="12GB", length=64, count=False).looked[-1].ok
    small = verdict_of(candidate, gpu="100MB", length=64, count=False)
    assert (small.looked[-1].key, small.status) == ("fit", "oom_training")


def test_without_a_network_a_catalog_s_values_say_what_they_can():
    healed = find_candidate("kanana-1.5-2.1b-instruct-2505", Registry())
    verdict = verdict_of(healed, gpu="12GB", length=128)
    assert verdict.loads
    assert said(verdict) == {
        "source": "catalog_only", "class": "class_known", "config": "config_cured", "fit": "fits",
    }  # fmt: skip
    refused = verdict_of(replace(healed, cure=None), gpu="12GB", length=128)
    assert (refused.status, refused.cure) == ("would_not_load", "llama-as-mistral")


# --- Chat templates ------------------------------------------------------------------------------

QWEN = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
GEMMA = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    "{% for m in messages %}<start_of_turn>{{ m.role }}\n{{ m.content }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
R1 = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]<think>\n{% endif %}"
)


@pytest.mark.parametrize(
    ("template", "system", "thinking", "end"),
    [
        (TEMPLATE, "kept", "none", "<|end|>"),
        (QWEN, "kept", "switch", "<|im_end|>"),
        (GEMMA, "moved", "none", "<end_of_turn>"),
        (R1, "kept", "always", "</s>"),
    ],
)
def test_what_a_template_can_do_is_seen_by_rendering_it(template, system, thinking, end):
    found = template_facts(template, {"eos_token": {"content": "</s>"}})
    assert (found.system, found.thinking, found.end, found.problem) == (system, thinking, end, "")


@pytest.mark.parametrize("template", ["{{ raise_exception('no') }}", "{% for %}", "silent"])
def test_a_template_that_can_t_be_used_says_so(template, whole):
    assert template_facts(template, {}).problem
    verdict = load_verdict(replace(facts_of_folder(whole), chat_template=template))
    assert verdict.status == "would_not_load"


def test_an_end_that_generation_does_not_list_is_said(whole):
    facts = replace(facts_of_folder(whole), generation_config={"eos_token_id": [7]})
    verdict = load_verdict(facts)
    assert verdict.loads
    assert said(verdict)["end"] == "end_unlisted"
