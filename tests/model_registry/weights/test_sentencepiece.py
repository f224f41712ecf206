"""A model whose tokenizer is only a SentencePiece file (tokenizer.model) is read as others are."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from model_registry.backends.backend import GenerationSettings, conversation
from model_registry.backends.transformers_local import answer_one
from model_registry.errors import LoadError
from model_registry.naming.resolve import find_candidate
from model_registry.registry import Registry
from model_registry.weights.loading import load
from tests.support.tiny_models import make_tiny_model

PIECES = 300
WORDS = [
    "안녕하세요",
    "오늘",
    "날씨가",
    "참",
    "좋네요",
    "저는",
    "서울에",
    "사는",
    "학생입니다",
    "점심은",
]


@pytest.fixture
def folder(tmp_path) -> Path:
    """A tiny Llama with a SentencePiece model trained here, and no tokenizer.json."""
    import sentencepiece

    sentences = [" ".join(WORDS[i:] + WORDS[:i]) for i in range(len(WORDS))] * 4
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_writer=written, vocab_size=PIECES,
        model_type="bpe", byte_fallback=True, minloglevel=2, hard_vocab_limit=False,
    )  # fmt: skip
    folder = make_tiny_model(tmp_path / "spiece", vocab_size=PIECES + 20)
    for name in ("tokenizer.json", "chat_template.jinja", "special_tokens_map.json"):
        (folder / name).unlink(missing_ok=True)
    (folder / "tokenizer.model").write_bytes(written.getvalue())
    names = {"eos_token": "</s>", "bos_token": "<s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(
        json.dumps(names | {"tokenizer_class": "LlamaTokenizer"})
    )
    return folder


def test_a_tokenizer_that_is_only_a_sentencepiece_file_reads_as_sentencepiece_does(folder):
    import sentencepiece

    loaded = load(find_candidate(str(folder), Registry()))
    own = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    for text in ("안녕하세요 서울에", "날씨가 좋네요", "한자 漢字 emoji 🙂"):
        ids = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
        assert ids == own.encode(text)
    answer = answer_one(loaded, conversation("안녕?"), GenerationSettings(max_new_tokens=4))
    assert answer.new_tokens >= 1


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"no model at all"])
def test_a_broken_sentencepiece_file_is_one_line(folder, content):
    (folder / "tokenizer.model").write_bytes(content)
    with pytest.raises(LoadError) as caught:
        load(find_candidate(str(folder), Registry()))
    assert len(str(caught.value).splitlines()) == 1
    assert "tokenizer" in str(caught.value)
