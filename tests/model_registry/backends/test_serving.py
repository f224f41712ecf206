"""What `ohlora export` writes is served by a real server, and our client adds little to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("openai")

from model_registry.backends.backend import GenerationSettings, conversation
from model_registry.backends.openai_compatible import OpenAIBackend
from model_registry.backends.remote.endpoint import Endpoint
from model_registry.backends.transformers_local import TransformersBackend
from model_registry.naming.resolve import candidate_in
from model_registry.prompting.served_template import response_template
from model_registry.registry import Registry
from model_registry.weights.export import export
from tests.support.real_server import transformers_serve
from tests.support.tiny_models import make_tokenizer

QUESTIONS = ("오늘 기분 어때?", "심심한데 뭐 하지?")


def test_a_server_is_told_where_an_answer_begins_and_ends() -> None:
    template = response_template(make_tokenizer())
    assert template["start_anchor"] == "<|end|><|assistant|>"
    assert template["fields"]["content"]["close"] == "<|end|>"


def test_a_plain_form_ends_with_the_end_token() -> None:
    from model_registry.prompting.served_template import plain_template

    tokenizer = make_tokenizer()
    tokenizer.chat_template = plain_template("### 질문: {prompt} ### 답변: ")
    template = response_template(tokenizer)
    assert template["start_anchor"] == " ### 답변: "
    assert template["fields"]["content"]["close"] == "<|end|>"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A bundled model of Qwen's family, tuned on four rows and exported."""
    from rich.console import Console

    from benchmarks.tune_candidate import tune_candidate

    folder = tmp_path_factory.mktemp("serving")
    rows = [{"prompt": f"{n}번은 뭐야?", "reply": f"{n}번은 별이야."} for n in range(4)]
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    adapter = tune_candidate(
        "bundled-qwen2-1m", data, folder / "adapter", Registry(), rank=4, epochs=2,
        weights="bundled", device="cpu", console=Console(quiet=True),
    )  # fmt: skip
    yield export(adapter, folder / "model", Registry(), source="bundled")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_exported_model_answers_through_transformers_serve_as_it_does_here(
    exported: Path,
) -> None:
    settings = GenerationSettings(max_new_tokens=40)
    here = TransformersBackend.load(candidate_in(exported), weights="path", device="cpu")
    with transformers_serve(str(exported)) as url:
        served = OpenAIBackend(Endpoint(url, str(exported), timeout=60))
        for question in QUESTIONS:
            asked = conversation(question)
            answer, expected = served.reply(asked, settings), here.reply(asked, settings)
            assert answer.text == expected.text
            assert answer.finish_reason == expected.finish_reason


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(600)
def test_our_client_costs_less_than_five_milliseconds_an_answer() -> None:
    """Medians of 50, side by side; a crowded machine gets ten tries, a slow client fails all."""
    from benchmarks.selfchecks.client_overhead import side_by_side

    model = str(Registry().candidate("bundled-neox-0.4m").path)
    costs: list[tuple[float, float]] = []
    with transformers_serve(model) as url:
        while len(costs) < 10 and not any(max(cost) < 0.005 for cost in costs):
            found = side_by_side(url, model, rounds=50, max_new_tokens=20)
            ours, bare = found["ours"], found["bare"]
            costs.append((ours.first - bare.first, ours.total - bare.total))
    assert any(max(cost) < 0.005 for cost in costs), costs
