"""A model of the hub is known before its weights: asked over real HTTP of a server like the hub."""

from __future__ import annotations

import json
import time
from pathlib import Path

import huggingface_hub.constants
import pytest

from model_registry.errors import LoadError
from model_registry.naming import facts_cache, hub_client
from model_registry.naming.facts_cache import hub_facts, tokenizer_folder
from model_registry.naming.references import HubReference, hub_reference, served_candidate
from model_registry.naming.resolve import find_candidate
from model_registry.registry import Registry
from tests.support.fake_hub import FakeHub, Repo, Weights, repo_of_folder, weights_of
from tests.support.tiny_models import make_tiny_model

TINY = HubReference("someone/tiny")


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("published") / "tiny")


@pytest.fixture
def hub(tmp_path, monkeypatch, published):
    served = FakeHub()
    served.use(monkeypatch, tmp_path / "home")
    card = {"license": "apache-2.0", "language": ["ko", "en"]}
    repo = repo_of_folder(published, card=card)
    whole = repo.files["model.safetensors"]
    length = int.from_bytes(whole[:8], "little")
    repo.files["model.safetensors"] = Weights(whole[8 : 8 + length], len(whole))
    served.repos["someone/tiny"] = repo
    yield served
    served.close()


def offline(monkeypatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def problem(reference: HubReference = TINY) -> LoadError:
    with pytest.raises(LoadError) as caught:
        hub_facts(reference)
    assert "\n" not in str(caught.value)
    assert caught.value.korean
    return caught.value


# --- What a name means ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hub_id", "revision"),
    [
        ("org/model", "org/model", None),
        ("org/model@v1.2", "org/model", "v1.2"),
        ("kakaocorp/kanana-1.5-2.1b-base", "kakaocorp/kanana-1.5-2.1b-base", None),
        ("https://huggingface.co/org/model", "org/model", None),
        ("https://huggingface.co/org/model/tree/refs%2Fpr%2F1", "org/model", "refs/pr/1"),
    ],
)  # fmt: skip
def test_a_hub_id_is_read_with_its_revision(name, hub_id, revision):
    assert hub_reference(name) == HubReference(hub_id, revision)


@pytest.mark.parametrize(
    "name", ["model", "a/b/c", "../x", "org/", "/org/model", "org/mo del", "~/m"]
)
def test_what_no_repository_is_called_is_no_hub_id(name):
    assert hub_reference(name) is None


def test_a_server_s_url_is_a_candidate_that_is_asked_there():
    served = served_candidate("http://10.0.0.5:8080/v1#kanana-q4")
    assert served.name == "kanana-q4@10.0.0.5:8080"
    assert (served.backend, dict(served.endpoint)) == (
        "openai", {"base_url": "http://10.0.0.5:8080/v1", "model": "kanana-q4"},
    )  # fmt: skip
    assert served_candidate("http://localhost:8080").endpoint["base_url"].endswith(":8080/v1")


# --- What is asked -------------------------------------------------------------------------------


def test_a_hub_model_is_known_from_a_few_kilobytes(hub, published):
    facts = hub_facts(TINY)
    whole = (published / "model.safetensors").stat().st_size
    assert facts.parameters == sum(t.elements for t in facts.tensors.values()) > 0
    assert facts.weight_bytes == whole
    assert (facts.card.license, facts.card.languages) == ("apache-2.0", ("ko", "en"))
    assert facts.commit == hub.repos["someone/tiny"].commit
    assert "tokenizer.json" not in hub.sent  # not needed, and often ten megabytes
    assert sum(hub.sent.values()) < 500_000
    assert all(asked for _, path, asked in hub.requests if path.startswith("/cdn/"))


def test_only_the_header_of_a_large_file_is_read_wherever_the_hub_sends_one_to(hub):
    tensors = {f"layer.{n}": ("BF16", (1 << 20, 1024)) for n in range(2000)}  # 4 TB
    hub.repos["someone/tiny"].files["model.safetensors"] = weights_of(tensors)
    facts = hub_facts(TINY)
    assert facts.parameters == 2000 * (1 << 30)
    header = len(hub.repos["someone/tiny"].files["model.safetensors"].header)
    assert header > hub_client._FIRST  # it took two ranges
    assert hub.sent["model.safetensors"] <= 2 * header + hub_client._FIRST


def test_a_token_is_never_sent_to_the_address_that_sends_the_weights(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    hub.repos["someone/tiny"].gated = True
    assert hub_facts(TINY).card.gated
    assert hub.seen_on_cdn and not any(hub.seen_on_cdn)


def test_shards_are_all_looked_at_and_a_missing_one_is_named(hub):
    repo = hub.repos["someone/tiny"]
    names = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    del repo.files["model.safetensors"]
    repo.files["model.safetensors.index.json"] = json.dumps(
        {"weight_map": {"a": names[0], "b": names[1]}}
    ).encode()
    repo.files[names[0]] = weights_of({"a": ("F32", (2, 3))})
    assert names[1] in hub_facts(TINY).weights_problem
    repo.files[names[1]] = weights_of({"b": ("F32", (4,))})
    assert hub_facts(TINY, refresh=True).parameters == 10


def test_a_model_is_asked_for_once_a_day_and_a_commit_for_ever(hub, monkeypatch):
    commit = hub_facts(TINY).commit
    asked = len(hub.requests)
    assert hub_facts(TINY).commit == commit
    assert len(hub.requests) == asked
    monkeypatch.setattr(facts_cache, "FRESH_SECONDS", 0.0)
    hub_facts(HubReference("someone/tiny", commit))
    assert len(hub.requests) == asked
    hub_facts(TINY)
    assert len(hub.requests) > asked


def test_a_tokenizer_is_fetched_without_weights(hub):
    folder = tokenizer_folder(TINY)
    assert (folder / "tokenizer.json").is_file()
    assert hub.weight_bytes() == 0


# --- What goes wrong is one line, in bounded time ------------------------------------------------


def test_offline_the_cache_is_used_and_what_is_not_in_it_is_one_line(hub, monkeypatch):
    known = hub_facts(TINY)
    monkeypatch.setattr(facts_cache, "FRESH_SECONDS", 0.0)
    offline(monkeypatch)
    assert hub_facts(TINY) == known
    found = problem(HubReference("someone/other"))
    assert found.status == "unreachable"
    assert "not in the cache" in str(found)


def test_a_hub_that_is_gone_is_one_line_and_the_cache_is_used(hub, monkeypatch):
    known = hub_facts(TINY)
    hub.close()
    hub.server.server_close()
    monkeypatch.setattr(facts_cache, "FRESH_SECONDS", 0.0)
    begun = time.monotonic()
    assert hub_facts(TINY) == known
    assert "can't be reached" in str(problem(HubReference("someone/other")))
    assert time.monotonic() - begun < 60


def test_a_model_that_is_not_there_is_one_line(hub):
    assert "no model someone/none" in str(problem(HubReference("someone/none")))
    assert "no such revision" in str(problem(HubReference("someone/tiny", "v9")))


def test_a_gated_model_says_how_to_be_let_in_and_lets_a_token_in(hub, monkeypatch):
    hub.repos["someone/tiny"].gated = True
    refused = problem()
    assert refused.status == "gated"
    assert "hf auth login" in str(refused)
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    assert hub_facts(TINY).parameters


def busy(times: int, after: str):
    """Refuse so many requests for files with 429."""
    left = [times]

    def before(handler) -> bool:
        if handler.path.startswith("/api/models/") and left[0] > 0:
            left[0] -= 1
            handler.say(429, b"{}", {"Retry-After": after})
            return True
        return False

    return before


def test_a_busy_hub_is_asked_again_after_the_wait_that_it_names(hub):
    hub.before = busy(1, "0")
    assert hub_facts(TINY).parameters


def test_a_hub_that_asks_to_wait_for_an_hour_is_not_waited_for(hub):
    hub.before = busy(100, "3600")
    begun = time.monotonic()
    assert "in 3600 s" in str(problem())
    assert time.monotonic() - begun < 60


def drip(handler) -> bool:
    """Send a byte now and then, for ever: no single read takes long."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while not handler.hub.released.wait(0.05):
        handler.wfile.write(b" ")
        handler.wfile.flush()
    return True


def silent(handler) -> bool:
    handler.hub.released.wait(60)
    handler.close_connection = True
    return True


@pytest.mark.parametrize("behaviour", [drip, silent])
def test_a_hub_that_does_not_come_to_an_end_is_left_in_time(hub, monkeypatch, behaviour):
    monkeypatch.setattr(hub_client, "SECONDS", 0.7)
    hub.before = behaviour
    begun = time.monotonic()
    assert "did not answer within" in str(problem())
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"null", b'{"id": 1}', b"{" * 100_000])
def test_wrong_json_of_the_hub_is_one_line(hub, body):
    def before(handler) -> bool:
        handler.say(200, body, {"Content-Type": "application/json"})
        return True

    hub.before = before
    assert "HF_ENDPOINT" in str(problem())


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (Weights(b"", 8), "header would have 0 bytes"),
        (Weights(b"not json" * 4, 100), "no JSON"),
        (Weights(b"[1, 2]", 100), "no table"),
        (Weights(b'{"a": {"shape": "wide"}}', 100), "no shape"),
    ],
)
def test_a_broken_header_is_said_of_the_weights(hub, header, said):
    hub.repos["someone/tiny"].files["model.safetensors"] = header
    assert said in hub_facts(TINY).weights_problem


def test_a_header_of_gigabytes_is_not_read(hub):
    class Giant(Weights):
        @property
        def begin(self) -> bytes:
            return (5 << 30).to_bytes(8, "little")

    hub.repos["someone/tiny"].files["model.safetensors"] = Giant(b"", 6 << 30)
    assert "5,368,709,120 bytes" in hub_facts(TINY).weights_problem
    assert hub.sent["model.safetensors"] <= 1 << 17


def test_a_server_without_ranges_sends_no_more_than_the_header(hub):
    hub.knows_ranges = False
    hub.repos["someone/tiny"].files["model.safetensors"] = weights_of(
        {"a": ("BF16", (1 << 20, 1 << 10))}
    )
    assert hub_facts(TINY).parameters == 1 << 30
    assert hub.sent["model.safetensors"] < 64 << 20  # what lies in the buffers of both sides


def test_a_config_of_gigabytes_is_refused_before_it_is_fetched(hub, monkeypatch):
    monkeypatch.setattr(Repo, "size", lambda repo, name: 9 << 30)
    assert "config.json has 9,663,676,416 bytes" in str(problem())


@pytest.mark.parametrize("text", ["{", "[]", '{"num_hidden_layers": 1000000000}', "null"])
def test_a_config_that_is_none_is_one_line(hub, text):
    hub.repos["someone/tiny"].files["config.json"] = text.encode()
    with pytest.raises(LoadError) as caught:
        find_candidate("someone/tiny", Registry())
    assert "\n" not in str(caught.value)
