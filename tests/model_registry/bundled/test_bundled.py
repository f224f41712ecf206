"""The bundled candidates: their data, their recipe, and the weights that are committed."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from random import Random

import pytest

from model_registry.bundled import train_bundled
from model_registry.bundled.bundled_template import CHAT_TEMPLATE
from model_registry.bundled.bundled_training import (
    CHAT,
    TrainingPlan,
    after,
    epoch_batches,
    misled,
    pad_right,
    train,
    warmup_cosine,
)
from model_registry.bundled.tokenizer import train_tokenizer
from model_registry.bundled.variation import vary
from model_registry.candidate import Candidate
from model_registry.errors import BadFile, UnknownName
from model_registry.prompting.served_template import response_template
from model_registry.prompting.tokenization import IGNORED, encode_row, end_token_id, prompt_ids

ROOT = Path(__file__).resolve().parents[3]
PERSONA = ROOT / "datasets" / "persona"
CANDIDATES = train_bundled.choose(None)
MEGABYTE = 1_000_000

ROWS = [
    {"prompt": "안녕하세요", "reply": "반가워요. 오늘은 어땠어요?"},
    {"prompt": "배고파", "reply": "얼른 밥을 먹어요."},
    {"prompt": "잘 자", "reply": "좋은 꿈 꾸세요."},
    {"prompt": "비가 와요", "reply": "우산을 챙기세요."},
]
TEXTS = [text for row in ROWS for text in row.values()]


def bare(text: str) -> str:
    """A prompt without spaces, marks and case: what counts as the same question."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFC", text)).casefold()


def small_model(tokenizer: object, seed: int = 1) -> object:
    llama = train_bundled.choose(["bundled-llama-2.5m"])[0]
    values = dict(llama.architecture) | {
        "vocab_size": len(tokenizer),  # type: ignore[arg-type]
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "head_dim": 8,
    }
    tiny = Candidate(name="tiny", license=llama.license, architecture=values)
    return train_bundled.new_model(tiny, tokenizer, seed)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, 400)


# The data


def test_small_talk_has_at_least_600_different_prompts():
    prompts = [row["prompt"] for row in train_bundled.read_small_talk().rows]
    assert len({bare(prompt) for prompt in prompts}) == len(prompts) >= 600


def test_every_reply_of_small_talk_is_polite_speech():
    wrong = [
        row["reply"]
        for row in train_bundled.read_small_talk().rows
        if not re.search(r"(요|죠)[.!?]$", row["reply"])
    ]
    assert wrong == []


def test_unseen_prompts_and_persona_prompts_to_be_judged_by_are_not_trained_on():
    talk = train_bundled.read_small_talk()
    trained = {bare(row["prompt"]) for row in talk.rows}
    held_out = {bare(prompt) for prompt in talk.unseen}
    for name in ("valid", "test"):
        lines = (PERSONA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        held_out |= {bare(json.loads(line)["prompt"]) for line in lines}
    assert len(talk.unseen) == 30
    assert trained & held_out == set()


def test_a_broken_line_of_small_talk_is_an_error_with_its_line(tmp_path):
    (tmp_path / "train.jsonl").write_text('{"prompt": "a", "reply": "b"}\n{"prompt": 1}\n')
    (tmp_path / "unseen.jsonl").write_text("")
    with pytest.raises(BadFile, match=r"train.jsonl:2: must have the texts prompt, reply"):
        train_bundled.read_small_talk(tmp_path)


# The tokenizer


@pytest.mark.parametrize(
    "text",
    [
        "안녕하세요, 뷁!",
        "def f(x):\n\treturn x ** 2  # 두 칸",
        "🌟👩‍🚀🎉",
        "MBTI는 INFP, 3월 14일",
        "漢字 ñ ∑",
        "  앞과 뒤  ",
    ],
)
def test_any_text_survives_the_tokenizer(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_end_token_ends_an_answer_and_is_not_the_padding(tokenizer):
    row = encode_row(CHAT, tokenizer, "안녕", "반가워요.")
    assert end_token_id(CHAT, tokenizer) == tokenizer.eos_token_id == row.labels[-1]
    assert tokenizer.pad_token_id not in (None, tokenizer.eos_token_id)


def test_every_letter_of_the_text_is_one_token(tokenizer):
    letters = {c for text in TEXTS for c in text if not c.isspace()}
    assert {c for c in letters if len(tokenizer(c)["input_ids"]) != 1} == set()


def test_the_first_word_of_a_question_is_the_token_it_is_inside_of_a_sentence():
    tokenizer = train_tokenizer(train_bundled.spoken(train_bundled.read_small_talk().rows), 2000)
    first, inside = (
        prompt_ids(CHAT, tokenizer, [{"role": "user", "content": text}])
        for text in ("커피 마실까?", "우리 커피 마실까?")
    )
    assert inside[-len(first) + 1 :] == first[1:]


def test_a_server_is_told_where_an_answer_begins_and_ends(tokenizer):
    told = tokenizer.response_template
    assert told["start_anchor"] == "<|end|><|assistant|>"
    assert told["fields"]["content"]["close"] == "<|end|>"


# Variation and batches


def test_prompts_are_varied_the_same_way_for_the_same_seed_and_never_empty():
    prompts = ["안녕?", "밥 먹었어요?", "나는 오늘 힘들어", "응"] * 50
    first = [vary(prompt, Random(3)) for prompt in prompts]
    draw = Random(3)
    varied = [vary(prompt, draw) for prompt in prompts]
    assert first == [vary(prompt, Random(3)) for prompt in prompts]
    assert all(varied)
    assert 0.15 < sum(a == b for a, b in zip(varied, prompts, strict=True)) / len(prompts) < 0.7


def test_an_epoch_holds_every_answer_once(tokenizer, monkeypatch):
    monkeypatch.setattr("model_registry.bundled.bundled_training.MISLED", 0.0)
    monkeypatch.setattr("model_registry.bundled.bundled_training.EARLIER_TURN", 0.0)
    batches = epoch_batches(tokenizer, ROWS, 3, Random(1))
    answers = sorted(
        tokenizer.decode([i for i in row.labels if i != IGNORED], skip_special_tokens=True)
        for batch in batches
        for row in batch
    )
    assert answers == sorted(row["reply"] for row in ROWS)
    assert [len(batch) for batch in batches] == [3, 1]


def test_a_second_exchange_reads_as_the_chat_template_writes_it(tokenizer):
    rows = [encode_row(CHAT, tokenizer, row["prompt"], row["reply"]) for row in ROWS[:2]]
    both = after(*rows)
    turns = [
        {"role": role, "content": row[key]}
        for row in ROWS[:2]
        for role, key in (("user", "prompt"), ("assistant", "reply"))
    ]
    assert list(both.input_ids[: both.labels.count(IGNORED)]) == prompt_ids(
        CHAT, tokenizer, turns[:3]
    )
    assert both.labels[-len(rows[1].labels) :] == rows[1].labels


def test_a_misled_answer_is_learned_from_where_it_has_begun(tokenizer):
    row, other = (encode_row(CHAT, tokenizer, r["prompt"], r["reply"]) for r in ROWS[:2])
    mixed = misled(row, other)
    answer = [label for label in row.labels if label != IGNORED]
    learned = [label for label in mixed.labels if label != IGNORED]
    assert len(mixed.input_ids) == len(mixed.labels)
    assert list(mixed.input_ids[-len(answer) :]) == answer
    assert learned == answer[-len(learned) :]
    assert 0 < len(learned) < len(answer)


def test_padding_is_never_learned(tokenizer):
    rows = [encode_row(CHAT, tokenizer, r["prompt"], r["reply"]) for r in ROWS]
    ids, labels = pad_right(rows, tokenizer.pad_token_id)
    assert ids.shape == labels.shape
    assert (labels[ids == tokenizer.pad_token_id] == IGNORED).all()


def test_the_learning_rate_warms_up_and_ends_near_zero():
    rates = [warmup_cosine(step, 10, 100) for step in range(100)]
    assert rates[0] == 0.1
    assert max(rates) == rates[9] == 1.0
    assert rates[-1] < 0.01


# Training


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tokenizer):
    import torch

    def trained(seed: int) -> list[torch.Tensor]:
        model = small_model(tokenizer, seed)
        train(model, tokenizer, ROWS, TrainingPlan(3, 1e-2, batch_size=2, seed=seed))
        return [p.detach() for p in model.parameters()]

    first, again, other = trained(1), trained(1), trained(2)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_tokens_that_no_row_holds_keep_the_embedding_they_were_drawn_with(tokenizer):
    import torch

    plan = TrainingPlan(3, 1e-2, batch_size=2, weight_decay=0.0)
    model = small_model(tokenizer)
    before = model.get_input_embeddings().weight.detach().clone()
    train(model, tokenizer, ROWS, plan)
    moved = (model.get_input_embeddings().weight.detach() != before).any(dim=1)
    known, strange = tokenizer("비가 와요")["input_ids"], tokenizer("Q7@")["input_ids"]
    assert moved[known].all()
    assert not moved[strange].any()
    assert torch.isfinite(model.get_input_embeddings().weight).all()


def test_training_lowers_the_loss_and_tells_of_every_step(tokenizer):
    losses: list[float] = []
    plan = TrainingPlan(epochs=40, learning_rate=1e-2, batch_size=2, warmup_steps=5)
    train(small_model(tokenizer), tokenizer, ROWS, plan, losses.append)
    assert len(losses) == plan.steps(len(ROWS)) == 80
    assert sum(losses[-10:]) < 0.5 * sum(losses[:10])


def test_an_unknown_name_is_refused_with_the_near_one():
    with pytest.raises(UnknownName, match=r"Did you mean bundled-qwen2-1m\?"):
        train_bundled.choose(["bundled-qwen-1m"])


def test_the_recipe_ends_with_the_message_and_no_traceback_for_an_unknown_name(capsys):
    with pytest.raises(SystemExit, match="2"):
        train_bundled.main(["--only", "bundled-qwen-1m"])
    assert "Did you mean bundled-qwen2-1m?" in capsys.readouterr().err


@pytest.mark.slow
def test_the_quick_recipe_makes_a_folder_that_transformers_loads(tmp_path, capsys):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    name = "bundled-neox-0.4m"
    train_bundled.main(["--quick", "--only", name, "--out", str(tmp_path)])
    model = AutoModelForCausalLM.from_pretrained(tmp_path / name)
    loaded = AutoTokenizer.from_pretrained(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert model.generation_config.eos_token_id == loaded.eos_token_id
    assert name in capsys.readouterr().out
    assert loaded.response_template["start_anchor"] == "<|end|><|assistant|>"
    assert "30 replies" in (tmp_path / name / "README.md").read_text(encoding="utf-8")


# What is committed


def test_there_are_three_bundled_candidates_of_different_architectures():
    assert len({c.architecture["model_type"] for c in CANDIDATES}) == 3
    assert all("bundled" in c.traits and c.license.is_free for c in CANDIDATES)
    assert set(train_bundled.PLANS) == {c.name for c in CANDIDATES}


def test_all_bundled_weights_together_are_at_most_12_megabytes():
    files = [path for path in train_bundled.BUNDLED.rglob("*") if path.is_file()]
    assert 0 < sum(path.stat().st_size for path in files) <= 12 * MEGABYTE


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda c: c.name)
def test_a_bundled_folder_holds_what_the_catalog_says(candidate):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(candidate.path, use_safetensors=True)
    loaded = AutoTokenizer.from_pretrained(candidate.path)
    config = model.config.to_dict()
    values = {k: v for k, v in candidate.architecture.items() if k in config}
    assert {k: config[k] for k in values} == values
    assert model.num_parameters() == candidate.parameters
    assert len(loaded) == config["vocab_size"]
    assert loaded.chat_template == CHAT_TEMPLATE
    assert loaded.response_template == response_template(loaded)
    assert config["max_position_embeddings"] >= 2048
    assert model.generation_config.eos_token_id == loaded.eos_token_id != loaded.pad_token_id


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda c: c.name)
def test_a_bundled_tokenizer_that_users_load_splits_as_the_trained_one_and_loses_nothing(candidate):
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(candidate.path)
    rows = train_bundled.read_small_talk().rows
    trained = train_tokenizer(train_bundled.spoken(rows), candidate.architecture["vocab_size"])
    for row in rows:
        pair = row["prompt"], row["reply"]
        assert encode_row(CHAT, loaded, *pair) == encode_row(CHAT, trained, *pair)
    for text in ("x = {'키': 1}\n\treturn x  # 🌟👩‍🚀", "INFP 3월 14일", "  뷁 <b> ∑ "):
        assert loaded.decode(loaded(text)["input_ids"]) == text


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda c: c.name)
def test_a_card_says_the_size_that_was_counted_and_shows_every_unseen_reply(candidate):
    card = Path(candidate.path, "README.md").read_text(encoding="utf-8")
    assert f"| parameters, counted | {candidate.parameters:,} |" in card
    assert card.startswith("---\nlicense: apache-2.0\n")
    for prompt in train_bundled.read_small_talk().unseen:
        assert f"| {prompt} | " in card


def exact_share(candidate: Candidate) -> float:
    from model_registry.bundled.assessment import answers
    from model_registry.weights.loading import load

    rows = Random(11).sample(train_bundled.read_small_talk().rows, 100)
    replies = answers(load(candidate, source="bundled"), [row["prompt"] for row in rows])
    return sum(reply == row["reply"] for reply, row in zip(replies, rows, strict=True)) / len(rows)


def test_the_strong_model_answers_90_of_100_trained_prompts_exactly_and_the_others_fewer():
    strong, middling, weak = (exact_share(candidate) for candidate in CANDIDATES)
    assert strong >= 0.9
    assert strong - 0.15 >= middling >= weak + 0.1
