"""In whatever form a model is tuned, it is asked and served in that very form."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from model_registry.candidate import PromptPolicy
from model_registry.errors import BadTemplate
from model_registry.naming.resolve import candidate_in
from model_registry.prompting.served_template import served_template
from model_registry.prompting.tokenization import around_answer, render
from model_registry.weights.adapter import read_card, write_card
from model_registry.weights.loading import load
from tests.support.chat_templates import GEMMA, QWEN3, TEMPLATES, tokenizer_with
from tests.support.tiny_models import make_tiny_model, tiny_candidate

ASKED = [{"role": "user", "content": "안녕?"}]


@pytest.fixture
def hub_folder(tmp_path):
    """A model laid out as most on the hub are: its template stands in tokenizer_config.json."""
    folder = make_tiny_model(tmp_path / "model")
    template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    (folder / "chat_template.jinja").unlink()
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | {"chat_template": template}
    path.write_text(json.dumps(config), encoding="utf-8")
    return folder


def test_a_template_inside_the_tokenizers_configuration_is_a_template(hub_folder):
    loaded = load(candidate_in(hub_folder))
    assert loaded.candidate.prompting.kind == "chat"
    assert render(loaded.candidate.prompting, loaded.tokenizer, ASKED).startswith("<|user|>")


def test_a_folder_without_a_template_is_plain(hub_folder):
    path = hub_folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | {"chat_template": None}), encoding="utf-8")
    loaded = load(candidate_in(hub_folder))
    assert loaded.candidate.prompting.kind == "plain"
    assert render(loaded.candidate.prompting, loaded.tokenizer, ASKED).startswith("### 질문:")


def test_a_template_that_stands_apart_as_those_of_models_that_see_do_is_taken(tmp_path):
    base = make_tiny_model(tmp_path / "base")
    written = (base / "chat_template.jinja").read_text(encoding="utf-8")
    (base / "chat_template.jinja").unlink()
    (base / "chat_template.json").write_text(json.dumps({"chat_template": written}))
    loaded = load(candidate_in(base))
    assert loaded.tokenizer.chat_template == written
    assert render(loaded.candidate.prompting, loaded.tokenizer, ASKED).startswith("<|user|>")


def test_of_several_templates_the_default_is_taken():
    tokenizer = tokenizer_with(QWEN3)
    tokenizer.chat_template = {"tool_use": "{{ 'tools' }}", "default": QWEN3}
    assert render(PromptPolicy(), tokenizer, ASKED).startswith("<|im_start|>user")


def test_an_answer_stops_at_the_templates_end_the_tokenizers_and_each_that_is_configured(tmp_path):
    from transformers import AutoModelForCausalLM

    tokenizer = tokenizer_with(GEMMA)
    model = AutoModelForCausalLM.from_pretrained(make_tiny_model(tmp_path / "plain"))
    model.resize_token_embeddings(len(tokenizer))
    model.generation_config.eos_token_id = [7, 9]
    folder = tmp_path / "gemma"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    loaded = load(tiny_candidate(folder))
    end = loaded.tokenizer.convert_tokens_to_ids("<end_of_turn>")
    assert set(loaded.end_ids) == {7, 9, end, loaded.tokenizer.eos_token_id}


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("thinking", ["off", "on", "template"])
def test_a_served_model_is_asked_as_it_was_tuned(name, thinking):
    """By whoever renders its template without saying anything about thinking."""
    tokenizer = tokenizer_with(TEMPLATES[name])
    policy = PromptPolicy("chat", thinking=thinking)
    wanted = render(policy, tokenizer, ASKED)
    tokenizer.chat_template = served_template(policy, tokenizer)
    asked = ASKED if name != "parts" else [  # servers see that it goes through parts
        {**message, "content": [{"type": "text", "text": message["content"]}]} for message in ASKED
    ]  # fmt: skip
    served = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    assert served == wanted
    if thinking == "template":
        assert tokenizer.chat_template == TEMPLATES[name]


def test_a_candidate_asked_in_a_plain_form_is_served_in_it_though_it_has_a_template():
    tokenizer = tokenizer_with(QWEN3)
    policy = PromptPolicy("plain")
    tokenizer.chat_template = served_template(policy, tokenizer)
    served = tokenizer.apply_chat_template(ASKED, tokenize=False, add_generation_prompt=True)
    assert served == render(policy, tokenizer, ASKED)


def test_a_tune_remembers_how_it_was_asked(tmp_path):
    (tmp_path / "adapter_model.safetensors").touch()
    policy = PromptPolicy("chat", thinking="on")
    write_card(tmp_path, replace(tiny_candidate(tmp_path), prompting=policy), {})
    assert PromptPolicy(**read_card(tmp_path)["prompting"]) == policy


def test_what_stands_around_an_answer_is_told_to_servers():
    assert around_answer(PromptPolicy(), tokenizer_with(QWEN3), "뭐?")[1] == "<|im_end|>\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("template", "cause"),
    [
        (
            "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
            "did not end within 5 s",
        ),
        ("{{ 'a' * 10**10 }}", "more memory"),
    ],
)
def test_a_hostile_folder_is_one_line_on_the_command_line(template, cause, tmp_path):
    folder = make_tiny_model(tmp_path / "model")
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "ohlora_cli", "ask", str(folder), "안녕?"],
        capture_output=True, text=True, timeout=280, env=os.environ | {"LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert done.returncode == 1
    assert cause in " ".join(done.stderr.split()) and "Traceback" not in done.stderr


def test_a_template_that_can_not_be_used_is_found_before_the_weights_are_read(
    tmp_path, monkeypatch
):
    folder = make_tiny_model(tmp_path / "model")
    (folder / "chat_template.jinja").write_text("{% include '/etc/passwd' %}", encoding="utf-8")

    def read_weights(*_: object) -> None:
        raise AssertionError("the weights were read first")

    monkeypatch.setattr("model_registry.weights.pretrained._model", read_weights)
    with pytest.raises(BadTemplate):
        load(tiny_candidate(folder), source="path")
