"""An adapter's folder may come from anybody, too: whatever is wrong with it is one line."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from model_registry.backends.backend import GenerationSettings, conversation
from model_registry.backends.open_backend import open_backend
from model_registry.errors import OhloraError
from model_registry.naming.resolve import candidate_in
from model_registry.registry import Registry
from model_registry.weights.adapter import CARD, write_card
from model_registry.weights.export import export
from tests.support.tiny_models import change, make_tiny_model

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A tuned adapter as `ohlora tune` leaves it, beside the base that it belongs to."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    place = tmp_path_factory.mktemp("tuned")
    base = make_tiny_model(place / "base")
    model = AutoModelForCausalLM.from_pretrained(str(base))
    get_peft_model(model, LoraConfig(r=2, target_modules="all-linear")).save_pretrained(
        place / "adapter"
    )
    write_card(place / "adapter", candidate_in(base), {})
    return place / "adapter"


@pytest.fixture
def folder(whole, tmp_path) -> Path:
    return shutil.copytree(whole, tmp_path / "adapter")


def refused(folder: Path) -> str:
    """What both asking and exporting this adapter end in."""
    said = []
    for do in (
        lambda: open_backend(str(folder), Registry()),
        lambda: export(folder, folder.parent / "out", Registry(), source="hub"),
    ):
        with pytest.raises(OhloraError) as caught:
            do()
        said.append(str(caught.value))
        assert len(said[-1].splitlines()) == 1
    assert not (folder.parent / "out").exists()
    return said[0]


def test_the_doctor_knows_a_whole_adapter_from_a_broken_one(folder):
    from model_registry.doctor import examine_folder

    assert [(f.ok, f.value) for f in examine_folder(folder)] == [(True, str(folder))]
    (folder / "adapter_model.safetensors").write_bytes(b"{")
    assert [f.ok for f in examine_folder(folder)] == [False]


def test_a_whole_one_answers(folder):
    backend = open_backend(str(folder), Registry())
    answer = backend.reply(conversation("안녕?"), GenerationSettings(max_new_tokens=3))
    assert answer.new_tokens >= 1


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("r", 10**9, "r must be"),
        ("r", -1, "r must be"),
        ("r", "16", "r must be"),
        ("r", 1000, "no such rank"),
        ("r", 4, "does not fit its base"),
        ("peft_type", "VERA", "no LoRA adapter"),
        ("peft_type", None, "no LoRA adapter"),
        ("megatron_config", {"a": 1}, "a module to import"),
        ("target_modules", ["nothing_called_so"], "does not fit its base"),
        ("target_modules", 7, "does not fit its base"),
    ],
)
def test_what_an_adapters_configuration_gets_wrong_is_named(folder, key, value, said):
    change(folder, CONFIG, **{key: value})
    assert said in refused(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000])
@pytest.mark.parametrize("name", [CONFIG, CARD])
def test_a_broken_file_of_an_adapter_is_named(folder, name, text):
    (folder / name).write_text(text)
    assert name in refused(folder)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"base": None}, "names no base"),
        ({"base": "/nowhere/at/all"}, "which is no longer there"),
        ({"base": "/etc"}, "is no model"),
        ({"prompting": {"kind": "chat", "more": 1}}, "its prompting"),
        ({"prompting": {"form": 7}}, "its prompting"),
        ({"prompting": 7}, "its prompting"),
    ],
)
def test_a_card_that_says_what_can_not_be_is_named(folder, values, said):
    change(folder, CARD, **values)
    assert said in refused(folder)


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, CARD])
def test_a_pipe_in_an_adapters_folder_is_not_waited_for(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert "regular file" in refused(folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "broken or cut short"), (b"x" * 500, "broken or cut short"),
     (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", "Git LFS")],
)  # fmt: skip
def test_adapter_weights_that_are_none_are_named(folder, content, said):
    (folder / WEIGHTS).write_bytes(content)
    assert said in refused(folder)


def test_an_adapter_on_another_base_than_its_own_is_one_line(folder, tmp_path):
    other = make_tiny_model(tmp_path / "other", model_type="gpt_neox")
    change(folder, CARD, base=str(other), base_weights=None)
    assert "does not fit its base" in refused(folder)


def test_an_adapter_without_its_weights_is_no_finished_tune(folder):
    (folder / WEIGHTS).unlink()
    assert "no finished tune" in refused(folder)


def test_an_adapter_for_a_base_of_more_layers_is_not_left_out_in_part(folder, whole, tmp_path):
    """peft would warn, if at all, and answer as if the rest had never been tuned."""
    from transformers import AutoConfig, AutoModelForCausalLM

    other = shutil.copytree(whole.parent / "base", tmp_path / "deeper")
    change(folder, CARD, base=str(other), base_weights=None)
    names = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    change(folder, CONFIG, target_modules=names)
    config = AutoConfig.from_pretrained(str(other))
    for layers, said in ((3, "14 places none"), (1, "14 of its 28 matrices have no place")):
        config.num_hidden_layers = layers
        AutoModelForCausalLM.from_config(config).save_pretrained(other)
        assert said in refused(folder)
