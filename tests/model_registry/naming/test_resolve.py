"""Whatever a user names becomes one candidate: a folder, an adapter with its base, the hub's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from rich.console import Console

from benchmarks.tune_candidate import tune_candidate
from model_registry.backends.backend import GenerationSettings, conversation
from model_registry.backends.open_backend import open_backend
from model_registry.candidate import Candidate
from model_registry.catalog import read_catalog
from model_registry.errors import BadFile, DuplicateName, LoadError, OhloraError, UnknownName
from model_registry.naming.candidate_check import counted
from model_registry.naming.catalog_entry import add_to_catalog
from model_registry.naming.known_architecture import known_values
from model_registry.naming.resolve import candidate_in, find_candidate, find_candidates
from model_registry.registry import Registry
from model_registry.weights.adapter import load_tuned
from model_registry.weights.loading import BUNDLED, load
from tests.support.fake_hub import FakeHub, repo_of_folder
from tests.support.tiny_models import make_tiny_model


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="module")
def tuned(base, tmp_path_factory) -> Path:
    """An adapter that `ohlora tune` made of the base."""
    out = tmp_path_factory.mktemp("tuned")
    rows = out / "rows.csv"
    rows.write_text("prompt,reply\n오늘 날씨 어때?,맑아요.\n안녕?,네!\n", encoding="utf-8")
    return tune_candidate(
        str(base), rows, out / "adapter", Registry(), rank=2, epochs=2, weights="auto",
        device="cpu", console=Console(quiet=True),
    )  # fmt: skip


@pytest.fixture
def foreign(tuned, base, tmp_path) -> Path:
    """The same adapter as another program would leave it: it only names its base."""
    folder = tmp_path / "foreign"
    shutil.copytree(tuned, folder)
    (folder / "ohlora_tune.json").unlink()
    path = folder / "adapter_config.json"
    said = json.loads(path.read_text("utf-8")) | {"base_model_name_or_path": str(base)}
    path.write_text(json.dumps(said), encoding="utf-8")
    return folder


@pytest.fixture
def hub(base, tmp_path, monkeypatch):
    served = FakeHub()
    served.use(monkeypatch, tmp_path / "home")
    card = {"license": "apache-2.0", "language": "ko"}
    served.repos["someone/tiny"] = repo_of_folder(base, card=card)
    yield served
    served.close()


def logits(model) -> torch.Tensor:
    with torch.inference_mode():
        return model(torch.arange(40)[None]).logits


def answer(name: str, **options) -> str:
    backend = open_backend(name, Registry(), device="cpu", **options)
    try:
        return backend.reply(conversation("오늘 날씨 어때?"), GenerationSettings(8)).text
    finally:
        backend.close()


# --- Adapters ------------------------------------------------------------------------------------


def test_an_adapter_of_another_program_answers_as_the_tune_that_it_is(foreign, tuned, base):
    found = find_candidate(str(foreign), Registry())
    assert (found.name, found.path) == ("base + foreign", str(base))
    assert found.architecture["model_type"] == "llama"
    merged = logits(load(found).model)
    apart = load_tuned(tuned, Registry(), source="hub", device="cpu").model
    assert torch.allclose(merged, logits(apart), atol=1e-5)
    assert not torch.allclose(merged, logits(load(candidate_in(base)).model), atol=1e-4)
    assert isinstance(answer(str(foreign)), str)


def test_an_adapter_is_merged_when_it_is_loaded_and_can_be_tuned_again(foreign, tmp_path):
    loaded = load(find_candidate(str(foreign), Registry()))
    assert not any("lora" in name for name, _ in loaded.model.named_parameters())
    rows = tmp_path / "rows.csv"
    rows.write_text("prompt,reply\n이름이 뭐야?,오로라예요.\n", encoding="utf-8")
    again = tune_candidate(
        str(foreign), rows, tmp_path / "again", Registry(), rank=2, epochs=2, weights="auto",
        device="cpu", console=Console(quiet=True),
    )  # fmt: skip
    card = json.loads((again / "ohlora_tune.json").read_text("utf-8"))
    assert card["base"] == str(foreign)
    assert isinstance(answer(str(again)), str)
    weights = foreign / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\1\2\3\4")
    with pytest.raises(LoadError, match="its weights are others"):
        answer(str(again))


def test_an_adapter_whose_base_is_gone_asks_for_it_and_takes_it(foreign, base):
    path = foreign / "adapter_config.json"
    said = json.loads(path.read_text("utf-8")) | {"base_model_name_or_path": "/nowhere/at/all"}
    path.write_text(json.dumps(said), encoding="utf-8")
    with pytest.raises(LoadError, match="--base FOLDER") as caught:
        find_candidate(str(foreign), Registry())
    assert "베이스" in caught.value.korean
    assert find_candidate(str(foreign), Registry(), base=base).path == str(base)


def test_an_adapter_for_another_base_is_refused_when_it_is_loaded(foreign):
    other = BUNDLED / "bundled-llama-2.5m"
    with pytest.raises(LoadError, match="does not fit its base"):
        load(find_candidate(str(foreign), Registry(), base=other))


# --- The hub -------------------------------------------------------------------------------------


def test_a_hub_model_is_a_candidate_with_its_card_and_its_commit(hub):
    found = find_candidate("someone/tiny", Registry())
    assert (found.name, found.hub_id) == ("someone/tiny", "someone/tiny")
    assert found.revision == hub.repos["someone/tiny"].commit
    assert (found.license.name, found.license.free) == ("Apache-2.0", "yes")
    assert "license field" in found.license.source
    assert found.languages == ("ko",)
    assert found.parameters and found.chats
    assert hub.sent.get("tokenizer.json") is None
    assert find_candidate("someone/tiny@main", Registry()).name == "someone/tiny@main"


def test_a_hub_model_is_fetched_and_answers(hub, base):
    assert answer("someone/tiny") == answer(str(base))
    assert hub.sent["model.safetensors"] >= (base / "model.safetensors").stat().st_size


def test_a_hub_model_that_would_not_load_is_refused_before_its_weights_are_fetched(hub):
    repo = hub.repos["someone/tiny"]
    values = json.loads(repo.files["config.json"])
    values |= {"num_attention_heads": 3, "head_dim": 8, "num_key_value_heads": 1}
    repo.files["config.json"] = json.dumps(values).encode()
    with pytest.raises(LoadError) as caught:
        load(find_candidate("someone/tiny", Registry()))
    assert caught.value.status == "would_not_load"
    assert "--cure llama-as-mistral" in str(caught.value)
    assert hub.sent.get("model.safetensors", 0) < 1 << 17


def test_what_a_catalog_has_is_not_asked_of_the_hub(hub):
    known = next(c for c in Registry().candidates("korean-small") if c.hub_id)
    assert find_candidate(str(known.hub_id), Registry()) == known
    assert hub.requests == []


def test_an_architecture_that_a_catalog_has_takes_its_values():
    known = next(c for c in Registry().candidates("korean-small") if c.name == "gemma-2-2b-it")
    as_on_the_hub = dict(known.architecture) | {
        "bos_token_id": 2, "eos_token_id": [1, 107], "initializer_range": 0.02,
        "use_cache": True, "hidden_act": "gelu_pytorch_tanh",
    }  # fmt: skip
    assert known_values(as_on_the_hub) == dict(known.architecture)
    other = as_on_the_hub | {"intermediate_size": 4608}
    assert known_values(other) == other


# --- Several, and those that are none ------------------------------------------------------------


def test_folders_of_one_name_are_told_apart_and_one_named_twice_is_refused(base, tmp_path):
    for above in ("one", "two"):
        shutil.copytree(base, tmp_path / above / "model")
    names = [str(tmp_path / above / "model") for above in ("one", "two")]
    assert [c.name for c in find_candidates(names, Registry())] == ["one/model", "two/model"]
    with pytest.raises(OhloraError, match="named twice"):
        find_candidates([names[0], names[0]], Registry())


def test_a_name_that_means_nothing_names_the_near_one():
    with pytest.raises(UnknownName, match="gemma-2-2b-it"):
        find_candidate("gemma-2-2b-itt", Registry())


# --- Catalogs ------------------------------------------------------------------------------------


def test_named_models_are_written_to_a_catalog_that_reads_them_back(hub, base, foreign, tmp_path):
    path = tmp_path / "my.toml"
    names = ["someone/tiny", str(base), str(foreign), "http://127.0.0.1:9/v1#served"]
    written = [counted(c) for c in find_candidates(names, Registry())]
    add_to_catalog(path, written)
    hub.close()

    def essence(candidate: Candidate) -> tuple:
        values = {k: v for k, v in candidate.architecture.items() if not k.endswith("token_id")}
        return (
            candidate.name, candidate.hub_id, candidate.revision, candidate.path,
            candidate.adapter, candidate.parameters, candidate.license.free, candidate.languages,
            candidate.traits, candidate.backend, dict(candidate.endpoint), values,
        )  # fmt: skip

    read = read_catalog(path)
    assert [essence(c) for c in read] == [essence(c) for c in written]
    assert load(read[1]).model is not None


def test_what_a_catalog_held_stays_as_it_is_and_nothing_is_added_twice(base, tmp_path):
    path = tmp_path / "my.toml"
    add_to_catalog(path, [find_candidate(str(base), Registry())])
    mine = path.read_text("utf-8").replace("[[candidates]]", "# 내 메모\n[[candidates]]")
    path.write_text(mine, encoding="utf-8")
    with pytest.raises(DuplicateName, match="already"):
        add_to_catalog(path, [find_candidate(str(base), Registry())])
    assert path.read_text("utf-8") == mine
    add_to_catalog(path, [find_candidate("http://127.0.0.1:9/v1#served", Registry())])
    assert "# 내 메모" in path.read_text("utf-8")
    assert len(read_catalog(path)) == 2


@pytest.mark.parametrize("text", ["candidates = 1", "[[", "\x00"])
def test_a_file_that_is_no_catalog_is_left_alone(base, tmp_path, text):
    path = tmp_path / "my.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadFile):
        add_to_catalog(path, [find_candidate(str(base), Registry())])
    assert path.read_text("utf-8") == text
