"""What a tokenizer makes of Korean is counted on the user's rows, without a weight."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from commands.shared.economy_words import print_lengths
from model_registry.candidate import Candidate, License
from model_registry.prompting import token_economy
from model_registry.prompting.token_economy import (
    Economy,
    economies,
    economy_of,
    has_tokenizer_here,
    rendered,
    sample,
    tokenizer_of,
    tokens_per_100,
)
from model_registry.registry import Registry
from rows.row import Row

ROWS = [
    Row("안녕? 오늘 뭐 했어?", "반가워요! 책을 읽었어요."),
    Row("세종대왕은 언제 한글을 만들었어?", "1443년에 창제했어요."),
    Row("How are you?", "Fine."),
]
LLAMA = Registry().candidate("bundled-llama-2.5m")


@pytest.fixture(scope="module")
def tokenizer():
    return tokenizer_of(LLAMA, online=False)


def test_tokens_are_counted_for_100_characters_of_the_texts_that_hold_hangul(tokenizer) -> None:
    texts = [text for row in ROWS[:2] for text in (row.prompt, row.reply)]
    tokens = sum(len(tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts)
    found = tokens_per_100(tokenizer, ROWS)
    assert found == pytest.approx(100 * tokens / sum(map(len, texts)))
    assert tokens_per_100(tokenizer, ROWS[2:]) is None


def test_lengths_are_those_of_the_rows_as_they_are_tuned_on(tokenizer) -> None:
    from model_registry.prompting.tokenization import encode_row

    found = economy_of(LLAMA, tokenizer, ROWS)
    assert found.lengths == tuple(
        len(encode_row(LLAMA.prompting, tokenizer, row.messages, row.reply).input_ids)
        for row in ROWS
    )
    assert found.longest == max(found.lengths)
    assert found.over(found.longest) == 0
    assert found.over(found.longest - 1) >= 1
    assert found.end_token == "<|end|>"


def test_of_many_rows_the_longest_and_some_of_all_parts_are_counted(monkeypatch) -> None:
    monkeypatch.setattr(token_economy, "MOST_ROWS", 20)
    monkeypatch.setattr(token_economy, "_LONGEST", 5)
    many = [Row(f"질문 {n}", "답" * (200 if n == 77 else 3)) for n in range(100)]
    counted = sample(many)
    assert len(counted) == 20
    assert many[77] in counted
    places = [many.index(row) for row in counted]
    assert places == sorted(places)
    assert min(places) < 20
    assert max(places) > 80


def test_only_the_answer_and_its_end_are_labelled_in_a_rendered_row(tokenizer) -> None:
    shown = rendered(LLAMA, tokenizer, ROWS[0])
    assert shown.before.endswith("<|assistant|>")
    assert shown.labelled == "반가워요! 책을 읽었어요.<|end|>"
    assert shown.behind == ""


def test_a_tokenizer_that_is_nowhere_here_is_a_line_with_the_reason() -> None:
    hub = Candidate("far", License("MIT", "yes"), hub_id="someone/far-away-model")
    assert not has_tokenizer_here(hub)
    far, near = economies([hub, LLAMA], ROWS, fetch=False)
    assert (far.per_100, far.problem) == (None, "unreachable")
    assert "tokenizer of far is not here" in far.message
    assert near.per_100


def test_the_tokenizer_in_the_hub_s_cache_serves_without_a_weight(tmp_path, monkeypatch) -> None:
    """As `hf download --include tokenizer*` leaves it: a snapshot without weights."""
    snapshot = tmp_path / "models--someone--small" / "snapshots" / "a1"
    snapshot.mkdir(parents=True)
    (tmp_path / "models--someone--small" / "refs").mkdir()
    (tmp_path / "models--someone--small" / "refs" / "main").write_text("a1")
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "config.json"):
        shutil.copy(Path(str(LLAMA.path)) / name, snapshot)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(tmp_path), raising=False)
    hub = replace(LLAMA, name="small", path=None, hub_id="someone/small", catalog="")
    if not has_tokenizer_here(hub):
        pytest.skip("this huggingface_hub keeps its cache's place elsewhere")
    (found,) = economies([hub], ROWS, fetch=False)
    assert found.per_100 == pytest.approx(
        tokens_per_100(tokenizer_of(LLAMA, online=False), ROWS), rel=1e-9
    )


def test_what_keeps_many_tokenizers_away_is_said_once(capsys) -> None:
    """Offline, a catalog of 22 had one sentence 22 times."""
    names = [f"model-{n}" for n in range(22)]
    away = [
        Economy(name, rows=4, problem="unreachable", message=f"The tokenizer of {name} is away.")
        for name in names
    ]
    print_lengths([*away, Economy("odd", rows=4, problem="error", message="odd: broken")], 512)
    said = capsys.readouterr().out
    assert said.count("is away") == 1
    assert "  22 candidates: The tokenizer of … is away." in said
    assert "  odd: odd: broken" in said


def test_fit_predicts_for_the_longest_row_of_each_candidate(tmp_path, ohlora) -> None:
    data = tmp_path / "rows.csv"
    data.write_text(
        "질문,답변\n" + "안녕,반가워요\n" + f"길게,{'가나다라 ' * 80}\n", encoding="utf-8"
    )
    _, plain, _ = ohlora("fit", LLAMA.name, "--gpu", "12GB", "--json")
    _, out, _ = ohlora("fit", LLAMA.name, "--gpu", "12GB", "--data", data, "--json")
    document = json.loads(out)
    (counted,) = document["tokenizers"]
    assert counted["longest_tokens"] > 128
    assert {row["length"] for row in document["rows"]} == {counted["longest_tokens"]}
    assert {row["length"] for row in json.loads(plain)["rows"]} == {512}


def test_fit_predicts_packed_rows_at_the_length_they_are_packed_to(tmp_path, ohlora) -> None:
    data = tmp_path / "rows.csv"
    data.write_text("질문,답변\n안녕,반가워요\n", encoding="utf-8")
    asked = ("fit", LLAMA.name, "--gpu", "12GB", "--data", data, "--packing", "--max-length", "200")
    code, out, error = ohlora(*asked, "--json")
    assert (code, error) == (0, "")
    document = json.loads(out)
    short = document["tokenizers"][0]["longest_tokens"]
    lengths = {row["workload"]: (row["length"], row["packing"]) for row in document["rows"]}
    assert lengths["lora"] == lengths["full"] == (200, True)
    assert lengths["inference"] == lengths["orpo"] == (short, False)
    assert "are predicted for 200 tokens" in " ".join(ohlora(*asked)[1].split())


def test_candidates_have_a_column_of_tokens_where_rows_are_named(tmp_path, ohlora) -> None:
    data = tmp_path / "rows.csv"
    data.write_text("질문,답변\n안녕,반가워요\n", encoding="utf-8")
    _, out, _ = ohlora("candidates", "--catalog", "bundled", "--data", data)
    assert "tokens/100 characters" in out
