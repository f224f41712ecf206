"""Commands that take a model's name: doctor, fit, candidates add, ask, and the page's models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pages.serving.page_models import Models
from tests.support.fake_hub import FakeHub, repo_of_folder
from tests.support.tiny_models import make_tiny_model

REFUSED = {"num_attention_heads": 3, "head_dim": 8, "num_key_value_heads": 1}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "mine")


@pytest.fixture
def hub(model, tmp_path, monkeypatch):
    served = FakeHub()
    served.use(monkeypatch, tmp_path / "home")
    served.repos["someone/tiny"] = repo_of_folder(model, card={"license": "apache-2.0"})
    refused = served.repos["someone/refused"] = repo_of_folder(model)
    values = json.loads(refused.files["config.json"])
    refused.files["config.json"] = json.dumps(values | REFUSED).encode()
    yield served
    served.close()


def test_doctor_says_of_a_hub_model_whether_it_will_load(hub, ohlora):
    code, said, _ = ohlora("doctor", "someone/tiny", "--gpu", "12GB")
    assert code == 0
    assert "✓ config.json: accepted by its own class" in said
    assert "✓ parameters: " in said and "on the meta device and in the headers" in said
    assert said.rstrip().endswith("someone/tiny: will load")
    assert sum(path.startswith("/api/models/") for _, path, _ in hub.requests) == 1
    code, said, _ = ohlora("doctor", "someone/tiny", "--json")
    document = json.loads(said)
    assert (document["status"], document["cure"]) == ("ok", None)
    assert {each["what"] for each in document["looked"]} >= {
        "source", "class", "config", "tokenizer", "template", "system", "thinking", "end", "tied",
        "dtype", "weights", "parameters", "license", "fit",
    }  # fmt: skip


def test_doctor_names_the_cure_of_what_would_not_load_and_takes_it(hub, ohlora, monkeypatch):
    code, said, _ = ohlora("doctor", "someone/refused", "--json")
    document = json.loads(said)
    assert code == 1
    assert (document["status"], document["cure"]) == ("would_not_load", "llama-as-mistral")
    monkeypatch.setenv("OHLORA_LANG", "ko")
    code, said, _ = ohlora("doctor", "someone/refused")
    assert code == 1
    assert "--cure llama-as-mistral" in said
    assert "자체 클래스가 거부함" in said
    code, said, _ = ohlora("doctor", "someone/tiny", "--cure", "llama-as-mistral")
    assert code == 0  # not needed: nothing changes


def test_doctor_takes_the_length_from_the_user_s_rows(hub, ohlora, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("prompt,reply\n안녕?,네!\n" + f"길게,{'가' * 100}\n", encoding="utf-8")
    code, said, _ = ohlora("doctor", "someone/tiny", "--data", rows, "--json", "--gpu", "12GB")
    assert code == 0
    looked = {each["what"]: each for each in json.loads(said)["looked"]}
    assert looked["fit"]["code"] in ("load_fits", "load_fits_unknown")
    assert hub.sent.get("model.safetensors", 0) < 1 << 17 or hub.sent["tokenizer.json"] > 0


def test_doctor_judges_a_catalog_s_model_without_the_hub_where_rows_can_t_be_counted(
    ohlora, tmp_path, monkeypatch
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    rows = tmp_path / "rows.csv"
    rows.write_text("prompt,reply\n안녕?,네!\n", encoding="utf-8")
    code, said, error = ohlora("doctor", "Qwen/Qwen3-1.7B", "--gpu", "12GB", "--data", rows)
    assert code == 0
    assert "LoRA r16 at 512 tokens a row" in said
    assert "The rows' tokens are not counted: " in error


def test_a_name_that_the_hub_has_not_is_one_line(hub, ohlora):
    for command in (("doctor",), ("fit",), ("ask",)):
        question = ["안녕?"] if command == ("ask",) else []
        code, _, error = ohlora(*command, "someone/none", *question)
        assert code == 1
        assert "The hub has no model someone/none" in error
        assert len(error.strip().split("\n")) == 1


def test_named_models_are_added_to_a_catalog_and_listed_from_it(hub, ohlora, model, tmp_path):
    path = tmp_path / "my.toml"
    code, said, _ = ohlora("candidates", "add", "someone/tiny", model, "--catalog", path)
    assert code == 0
    assert "someone/tiny" in said and "Written to" in said
    code, said, _ = ohlora("candidates", "--catalog", path, "--license", "free", "--json")
    document = json.loads(said)
    assert [row["name"] for row in document["accepted"]] == ["someone/tiny"]
    assert [row["name"] for row in document["rejected"]] == ["mine"]
    code, said, _ = ohlora("candidates", "--catalog", path)
    assert code == 0 and "2 accepted" in said


def test_of_several_names_those_that_are_there_are_added_and_the_others_told(
    hub, ohlora, tmp_path, monkeypatch
):
    monkeypatch.setenv("OHLORA_LANG", "ko")
    path = tmp_path / "my.toml"
    code, said, error = ohlora(
        "candidates", "add", "someone/none", "someone/tiny", "--catalog", path
    )
    assert code == 1
    assert "someone/none" in error and "someone/none" not in said
    assert "someone/tiny: " in said and "meta 장치에서 센 값" in said
    assert "someone/tiny" in path.read_text(encoding="utf-8")


def test_a_hub_model_answers_on_the_command_line(hub, ohlora):
    code, _, error = ohlora("ask", "someone/tiny", "안녕?", "--max-new-tokens", "4")
    assert code == 0, error
    assert "Loading weights" not in error


def test_the_page_offers_a_folder_that_its_owner_names(model):
    offered = Models(named=[str(model)])
    assert "mine" in offered.names
