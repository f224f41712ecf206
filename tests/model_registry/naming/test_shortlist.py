"""Today's shortlist, named one by one as models of the hub: each is listed before any weight."""

from __future__ import annotations

import json
import time

import pytest

from model_registry.architectures.cures import cure_for, cured
from model_registry.architectures.model_config import build_config
from model_registry.candidate import Candidate
from model_registry.errors import LoadError
from model_registry.naming.candidate_check import verdict_of
from model_registry.naming.resolve import find_candidate, find_candidates
from model_registry.registry import Registry
from tests.support.fake_hub import FakeHub, Repo, weights_of

CATALOG = "korean-2026"
#: What a config.json of the hub says beside the architecture.
BESIDE = {
    "transformers_version": "4.57.1", "torch_dtype": "bfloat16", "use_cache": True,
    "bos_token_id": 1, "eos_token_id": 2, "initializer_range": 0.02, "attention_dropout": 0.0,
}  # fmt: skip
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def shapes_of(values: dict) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The tensors that a checkpoint of these values holds, tied ones once."""
    import torch
    from transformers import AutoModelForCausalLM

    known = cure_for(values)
    config = build_config(cured(values, known.name if known else None))
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    return {name: ("BF16", tuple(p.shape)) for name, p in model.named_parameters()}


def repository(candidate: Candidate) -> Repo:
    """The candidate's repository, as far as it is looked at before its weights."""
    values = dict(candidate.architecture)
    config = values | BESIDE
    try:
        tensors = shapes_of(values)
    except (
        LoadError,
        ValueError,
        KeyError,
    ):  # a class of its publisher's own: only the embedding is known
        config["auto_map"] = {"AutoConfig": "configuration_own.OwnConfig"}
        tensors = {"embed.weight": ("BF16", (values["vocab_size"], values["hidden_size"]))}
    said = {"chat_template": TEMPLATE, "eos_token": "<|im_end|>",
            "added_tokens_decoder": {"2": {"content": "<|im_end|>"}}}  # fmt: skip
    files = {
        "config.json": json.dumps(config).encode(),
        "generation_config.json": json.dumps({"eos_token_id": 2}).encode(),
        "tokenizer_config.json": json.dumps(said).encode(),
        "tokenizer.json": b"{}",
        "model.safetensors": weights_of(tensors),
    }
    return Repo(files, card={"license": candidate.license.name})


def shortlist() -> list[Candidate]:
    return [c for c in Registry().candidates(CATALOG) if c.architecture and c.hub_id]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    served = FakeHub()
    served.use(monkeypatch, tmp_path / "home")
    yield served
    served.close()


@pytest.mark.slow
def test_sixteen_named_models_of_sixteen_are_listed_with_verdict_and_fit(hub):
    known = shortlist()
    assert len(known) >= 16
    for candidate in known:
        hub.repos[str(candidate.hub_id)] = repository(candidate)
    names = [f"{candidate.hub_id}@main" for candidate in known]
    found = find_candidates(names, Registry())
    verdicts = {c.name: verdict_of(c, gpu="12GB", length=128, count=False) for c in found}
    statuses = {name: verdict.status for name, verdict in verdicts.items()}
    odd = [n for n, status in statuses.items() if status not in ("ok", "oom_training")]
    for candidate, name in zip(known, names, strict=True):
        needs = cure_for(candidate.architecture)
        if needs:
            assert (statuses[name], verdicts[name].cure) == ("would_not_load", needs.name)
            healed = find_candidate(name, Registry(), cure=needs.name)
            assert verdict_of(healed, gpu="12GB", length=128, count=False).loads
        elif name in odd:
            assert statuses[name] in ("needs_remote_code", "unsupported_architecture"), name
    assert len(odd) < len(names) / 2
    fits = [v for v in verdicts.values() if v.looked[-1].note.code == "load_fits"]
    assert len(fits) >= 12
    assert hub.weight_bytes() < len(known) * 400_000
    assert sum(hub.sent.values()) < len(known) * 400_000


@pytest.mark.slow
def test_the_meta_device_counts_what_the_headers_say(hub):
    candidate = next(c for c in shortlist() if c.name == "Qwen3-0.6B")
    hub.repos[str(candidate.hub_id)] = repository(candidate)
    found = find_candidate(f"{candidate.hub_id}@main", Registry())
    verdict = verdict_of(found, gpu="12GB", length=128)
    assert verdict.parameters == verdict.stored_parameters == 596_049_920
    assert verdict.loads


def test_a_whole_catalog_is_fitted_in_three_seconds_with_an_empty_cache(
    ohlora, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    import commands.fitting  # noqa: F401 - imports are not what is timed

    begun = time.process_time()
    code, said, _ = ohlora("fit", "--catalog", CATALOG, "--gpu", "12GB", "--json")
    assert code == 0
    assert time.process_time() - begun < 3
    rows = json.loads(said)["rows"]
    assert len({row["name"] for row in rows if row["predicted_bytes"]}) >= 16
