"""Models small enough to make within a test: a random Llama with a tokenizer of its own."""

from __future__ import annotations

import json
from pathlib import Path

from model_registry.candidate import Candidate, License

TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
FREE = License("Apache-2.0", "yes", "LICENSE")


def make_tiny_model(
    folder: Path, model_type: str = "llama", seed: int = 0, vocab_size: int | None = None
) -> Path:
    """Write a model of about 50,000 parameters with tokenizer and chat template to `folder`."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = make_tokenizer()
    torch.manual_seed(seed)
    config = AutoConfig.for_model(
        model_type,
        vocab_size=vocab_size or len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        tie_word_embeddings=True,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_tokenizer():
    """A byte-level tokenizer of 256 bytes and the five special tokens of the template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE({token: i for i, token in enumerate(alphabet)}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    specials = ["<|user|>", "<|assistant|>", "<|system|>"]
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|end|>",
        pad_token="<|pad|>",
        extra_special_tokens=specials,
        chat_template=TEMPLATE,
    )


def tiny_candidate(folder: Path, name: str = "tiny", **values) -> Candidate:
    """A candidate whose weights are in `folder`."""
    return Candidate(name=name, license=FREE, path=str(folder), languages=("ko",), **values)


def change(folder: Path, name: str = "config.json", **values) -> None:
    """Change values of a JSON file in a model's folder."""
    said = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(said | values))
