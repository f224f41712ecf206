"""Many answers at once have the tokens that each would have alone, whatever leaves and enters."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from model_registry.backends import continuous_batching
from model_registry.backends.answering_rows import reader_of
from model_registry.backends.backend import GenerationSettings
from model_registry.backends.continuous_batching import drafted, generate_continuously
from model_registry.backends.sampling import Draws, pick
from model_registry.backends.transformers_local import sorted_batches

_SIZES = {
    "vocab_size": 97, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "eos_token_id": 1,
    "pad_token_id": 0, "bos_token_id": 2, "max_position_embeddings": 512,
}  # fmt: skip
_WINDOWS = {
    "sliding_window": 6,
    "layer_types": ["sliding_attention"] * 3 + ["full_attention"],
}
_LINEAR = {
    "linear_num_value_heads": 4, "linear_num_key_heads": 2, "linear_key_head_dim": 8,
    "linear_value_head_dim": 8, "layer_types": ["linear_attention"] * 3 + ["full_attention"],
}  # fmt: skip
_MAMBA = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 1, "mamba_d_state": 8}
_EXPERTS = {"num_experts": 4, "moe_intermediate_size": 16, "num_experts_per_tok": 2}
_ONE_OF_A_KIND = {
    "llama": {},
    "bloom": {"n_layer": 4, "n_head": 4},  # its positions come from the mask
    "gemma3_text": _WINDOWS,
    "qwen3_5_text": _LINEAR,
    "rwkv": {"attention_hidden_size": 32},
}
_OTHERS = {
    "qwen2": {}, "qwen3": {}, "gpt_neox": {}, "gpt2": {"n_embd": 32, "n_layer": 4, "n_head": 4},
    "opt": {"ffn_dim": 64, "word_embed_proj_dim": 32}, "mistral": {"sliding_window": 6},
    "gemma2": _WINDOWS, "exaone4": _WINDOWS, "cohere2": _WINDOWS, "phi3": {"sliding_window": 6},
    "smollm3": {}, "olmo2": {}, "granite": {}, "qwen3_moe": _EXPERTS, "gpt_neo": {
        "num_layers": 4, "attention_types": [[["global", "local"], 2]], "num_heads": 4,
        "window_size": 6},
    "qwen3_next": _EXPERTS | _LINEAR | {"shared_expert_intermediate_size": 16},
    "lfm2": {"layer_types": ["conv", "full_attention"] * 2, "block_ff_dim": 64},
    "falcon_h1": _MAMBA | {"mamba_n_heads": 4, "mamba_d_ssm": 32},
    "granitemoehybrid": _MAMBA | {"layer_types": ["mamba", "attention"] * 2,
                                  "num_local_experts": 0, "shared_intermediate_size": 32},
}  # fmt: skip
_PROMPTS = [list(range(start, start + length)) for start, length in (
    (5, 3), (40, 9), (11, 4), (60, 14), (30, 7), (21, 7), (70, 20), (50, 11), (8, 2))]  # fmt: skip
_LIMITS = (12, 3, 20, 9, 15, 1, 8, 40, 17)


def random_model(kind: str, more: dict[str, object]) -> SimpleNamespace:
    """A model of four layers whose answers vary: what a loaded one gives to be answered with."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(3)
    config = AutoConfig.for_model(kind, **_SIZES | more)
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(3)
    return SimpleNamespace(model=model, end_ids=(1,))


def alone(loaded: SimpleNamespace, prompt: list[int], limit: int) -> list[int]:
    """What transformers' own `generate` gives."""
    import torch

    ids = torch.tensor([prompt])
    output = loaded.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=limit, do_sample=False,
        pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    return output[0, len(prompt) :].tolist()


def assert_equal_tokens(kind: str, more: dict[str, object]) -> None:
    loaded = random_model(kind, more)
    reader = reader_of(loaded.model, 0)
    assert reader is not None
    singles = [alone(loaded, *one) for one in zip(_PROMPTS, _LIMITS, strict=True)]
    assert len({token for ids in singles for token in ids}) > 3  # answers that say something
    settings = [GenerationSettings(max_new_tokens=limit) for limit in _LIMITS]
    for slots in (3, 32):
        made = generate_continuously(loaded, reader, _PROMPTS, settings, slots=slots)
        assert made == singles, (kind, slots)


@pytest.mark.parametrize("kind", _ONE_OF_A_KIND)
def test_each_answer_has_the_tokens_that_it_has_alone(kind):
    assert_equal_tokens(kind, _ONE_OF_A_KIND[kind])


@pytest.mark.parametrize("kind", [kind for kind in _ONE_OF_A_KIND if kind != "rwkv"])
def test_a_draft_that_is_wrong_in_the_middle_changes_no_token(kind, monkeypatch):
    count = {"drafted": 0}

    def wrong(said: list[int], tokens: int) -> list[int]:
        count["drafted"] += tokens
        right = next(ids for ids in singles if ids[: len(said)] == said)[len(said) :]
        return [*right[: len(said) % 4], *range(3, 97)][:tokens]

    loaded = random_model(kind, _ONE_OF_A_KIND[kind])
    reader = reader_of(loaded.model, 0)
    singles = [alone(loaded, *one) for one in zip(_PROMPTS, _LIMITS, strict=True)]
    settings = [GenerationSettings(max_new_tokens=limit) for limit in _LIMITS]
    monkeypatch.setattr(continuous_batching, "drafted", wrong)
    assert generate_continuously(loaded, reader, _PROMPTS, settings) == singles
    # the states of linear attention can't be taken back
    assert (count["drafted"] > 0) == (kind != "qwen3_5_text")


def test_drafts_are_looked_for_no_further_than_the_first_answer_without_one(monkeypatch):
    looked: list[int] = []

    def all_new(said: list[int], tokens: int) -> list[int]:
        looked.append(len(said))
        return []

    loaded = random_model("llama", {})
    settings = [GenerationSettings(max_new_tokens=6)] * 3
    monkeypatch.setattr(continuous_batching, "drafted", all_new)
    generate_continuously(loaded, reader_of(loaded.model, 0), _PROMPTS[:3], settings, stop=False)
    assert looked == [1, 2, 3, 4]


def test_what_goes_round_is_drafted_round_and_round():
    assert drafted([9, 8, 1, 2, 1, 2, 1, 2], 5) == [1, 2, 1, 2, 1]
    assert drafted([4, 5, 6, 7, 8, 4, 5, 6], 3) == [7, 8, 4]
    assert drafted([7, 7, 7], 3) == drafted([4, 5, 6, 7], 3) == drafted([], 3) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", _OTHERS)
def test_other_architectures_answers_have_the_tokens_that_they_have_alone(kind):
    assert_equal_tokens(kind, _OTHERS[kind])


@pytest.mark.parametrize("kind", ["mamba", "recurrent_gemma"])
def test_what_can_not_be_taken_apart_by_rows_has_no_reader(kind):
    more = {"state_size": 8} if kind == "mamba" else {"lru_width": 32, "attention_window_size": 6}
    assert reader_of(random_model(kind, more).model, 0) is None


def test_the_rest_is_answered_in_batches_by_length_of_like_settings():
    def settings(limit: int) -> GenerationSettings:
        return GenerationSettings(max_new_tokens=limit)

    asked = [settings(9), settings(4), settings(9), settings(9)]
    prompts = [[5] * length for length in (6, 1, 2, 4)]
    assert list(sorted_batches(prompts, asked, 2)) == [[2, 3], [0], [1]]


class Counting:
    """A reader that records how many rows are under way at each pass."""

    def __init__(self, reader) -> None:
        self.even, self._reader, self.read_rows, self.stepped = reader.even, reader, [], []

    def read(self, prompts):
        self.read_rows.append(len(prompts))
        rows, logits = self._reader.read(prompts)
        step = rows.step

        def counted(tokens):
            self.stepped.append(tuple(tokens.shape))
            return step(tokens)

        rows.step = counted
        return rows, logits


def test_a_row_that_has_ended_gives_its_place_to_the_next_prompt():
    loaded = random_model("llama", {})
    counting = Counting(reader_of(loaded.model, 0))
    limits = [2, 2, 9, 9] + [5] * 4
    settings = [GenerationSettings(max_new_tokens=limit) for limit in limits]
    prompts = [[5, 6, n] for n in range(10, 18)]
    told: list[int] = []
    generate_continuously(
        loaded, counting, prompts, settings, slots=4, stop=False, ended=told.append
    )
    assert max(counting.stepped) == (4, 1)
    # no pass for a row that has ended
    assert sum(rows for rows, _ in counting.stepped) == sum(limits) - len(limits)
    assert counting.read_rows[0] == 4 and len(counting.read_rows) > 2
    assert told == sorted(told) and told[-1] == 8


def test_answers_that_go_round_and_round_take_few_passes():
    loaded = random_model("bloom", _ONE_OF_A_KIND["bloom"])
    counting = Counting(reader_of(loaded.model, 0))
    settings = [GenerationSettings(80), GenerationSettings(80, 1e-3, 1.0, seed=4)]
    made = generate_continuously(loaded, counting, _PROMPTS[:2], settings)
    assert made == [alone(loaded, prompt, 80) for prompt in _PROMPTS[:2]]
    assert len(made[0]) == len(made[1]) == 80
    assert len(counting.stepped) < 20


def test_what_an_answer_draws_hangs_on_its_own_seed_alone():
    loaded = random_model("llama", {})
    reader = reader_of(loaded.model, 0)
    settings = [GenerationSettings(12, 1.5, 0.9, seed) for seed in range(9)]
    settings[4] = GenerationSettings(12)  # one of them greedily
    made = generate_continuously(loaded, reader, _PROMPTS, settings, slots=32)
    assert generate_continuously(loaded, reader, _PROMPTS, settings, slots=2) == made
    backwards = generate_continuously(loaded, reader, _PROMPTS[::-1], settings[::-1], slots=5)
    assert backwards[::-1] == made
    assert made[4] == alone(loaded, _PROMPTS[4], 12)
    same = generate_continuously(loaded, reader, [_PROMPTS[0]] * 9, settings)
    assert len({tuple(ids) for ids in same}) > 5


def test_numbers_choose_tokens_by_their_chances_within_top_p():
    import torch

    logits = torch.tensor([[0.2, 0.5, 0.3]]).log()
    numbers = [0.0, 0.49, 0.51, 0.79, 0.81, 0.999]

    def drawn(top_p: float) -> list[int]:
        draws = Draws(1.0, top_p, numbers)
        return [int(pick(logits, [draws], [step])) for step in range(len(numbers))]

    assert drawn(1.0) == [1, 1, 2, 2, 0, 0]
    assert drawn(0.75) == [1, 1, 1, 2, 2, 2]  # 0.5 and 0.3 are left: the first has 0.625 of them
    assert drawn(1e-6) == [1] * 6
    numbers[0] = 1 - 2**-26  # as a float32, 1
    assert drawn(0.75)[0] == 2  # the last that is left, and not the least likely of all
    assert drawn(1.0)[0] == 0


def test_an_answer_that_is_ended_from_outside_keeps_what_it_has_and_the_others_go_on():
    loaded = random_model("llama", {})
    reader = reader_of(loaded.model, 0)
    settings = [GenerationSettings(6)] * 3
    whole = generate_continuously(loaded, reader, _PROMPTS[:3], settings, stop=False)

    def end_second(made):
        return [1] if len(made.get(1, ())) >= 2 else []

    made = generate_continuously(
        loaded, reader, _PROMPTS[:3], settings, stop=False, each_step=end_second
    )
    assert made == [whole[0], whole[1][: len(made[1])], whole[2]] and len(made[1]) < 6
    halted = generate_continuously(
        loaded, reader, _PROMPTS[:3], settings, slots=1, stop=False, each_step=lambda _: range(3)
    )
    assert sorted(map(len, halted)) == [0, 0, 1], "those that wait are not begun"
