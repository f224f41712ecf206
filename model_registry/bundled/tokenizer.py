"""Trains the bundled models' byte-level BPE tokenizer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from model_registry.bundled.bundled_template import CHAT_TEMPLATE
from model_registry.prompting.served_template import response_template

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PAD, END = "<|pad|>", "<|end|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")

#: Longest input, in tokens: what the models' rotary positions are made for.
CONTEXT = 2048


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerBase:
    """A transformers tokenizer with a chat template, trained on these texts alone.

    The end token closes every turn and so every answer; padding has a token of its own, because
    a loss that leaves padding out must not leave the end out with it.

    Args:
        texts: prompts and replies.
        vocab_size: tokens in all, the special ones and the 256 bytes included.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.NFC()
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, END, *ROLES],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(_syllables_first(texts), trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=PAD,
        eos_token=END,
        unk_token=PAD,  # bytes know every text; without one, Qwen2's class adds one of its own
        extra_special_tokens=list(ROLES),
        chat_template=CHAT_TEMPLATE,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.response_template = response_template(tokenizer)  # a server asks where answers begin
    return tokenizer


def _syllables_first(texts: Iterable[str]) -> list[str]:
    """The texts, and each of their characters so often that it becomes a token before words do.

    Otherwise rare syllables stay in pieces of bytes, which a small model puts together wrongly.
    """
    texts = list(texts)
    characters = sorted({c for text in texts for c in text if not c.isspace()})
    return [*texts, *(c for c in characters for _ in range(len(texts)))]
