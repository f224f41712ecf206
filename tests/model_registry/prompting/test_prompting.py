"""How prompts are written, and that every training row can teach a model to stop."""

from __future__ import annotations

import pytest

from model_registry.candidate import PromptPolicy
from model_registry.errors import BadTrainingRow
from model_registry.prompting.tokenization import (
    IGNORED,
    EncodedRow,
    check_rows,
    encode_row,
    end_token_id,
    prompt_ids,
    render,
    uses_chat_template,
)
from tests.support.tiny_models import make_tokenizer

CHAT, PLAIN = PromptPolicy("chat"), PromptPolicy("plain", "### 질문: {prompt} ### 답변: ")
ASK = [{"role": "user", "content": "안녕?"}]


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


@pytest.fixture
def bare():
    """A tokenizer without a chat template."""
    tokenizer = make_tokenizer()
    tokenizer.chat_template = None
    return tokenizer


def test_a_chat_prompt_ends_where_the_answer_begins(tokenizer):
    assert render(CHAT, tokenizer, ASK) == "<|user|>안녕?<|end|><|assistant|>"


def test_a_plain_prompt_has_the_declared_form(tokenizer):
    assert render(PLAIN, tokenizer, ASK) == "### 질문: 안녕? ### 답변: "


def test_a_tokenizer_without_a_template_falls_back_to_the_plain_form(bare):
    assert not uses_chat_template(CHAT, bare)
    assert render(CHAT, bare, ASK) == "### 질문: 안녕? ### 답변: "


def test_earlier_turns_stand_before_the_question(tokenizer):
    turns = [*ASK, {"role": "assistant", "content": "응!"}, {"role": "user", "content": "뭐 해?"}]
    assert render(CHAT, tokenizer, turns).endswith("응!<|end|><|user|>뭐 해?<|end|><|assistant|>")
    plain = render(PLAIN, tokenizer, turns)
    assert plain == "### 질문: 안녕? ### 답변: 응!\n### 질문: 뭐 해? ### 답변: "


def test_a_template_without_a_system_role_gets_the_system_text_with_the_question():
    tokenizer = make_tokenizer()
    tokenizer.chat_template = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        + str(tokenizer.chat_template)
    )
    turns = [{"role": "system", "content": "짧게."}, *ASK]
    assert render(CHAT, tokenizer, turns).startswith("<|user|>짧게.\n\n안녕?<|end|>")


def test_a_template_that_fails_for_another_reason_is_not_hidden():
    tokenizer = make_tokenizer()
    tokenizer.chat_template = "{{ raise_exception('broken') }}"
    with pytest.raises(Exception, match="broken"):
        render(CHAT, tokenizer, ASK)


def test_a_question_with_braces_is_left_as_it_is(tokenizer):
    turns = [{"role": "user", "content": "{prompt} {0}"}]
    assert render(PLAIN, tokenizer, turns) == "### 질문: {prompt} {0} ### 답변: "


def test_a_prompt_of_a_tokenizer_that_closes_every_text_stays_open(tokenizer, monkeypatch):
    from tokenizers.processors import TemplateProcessing

    closing = make_tokenizer()
    closing.chat_template = None
    end = closing.eos_token_id
    closing.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A <|end|>", special_tokens=[("<|end|>", end)]
    )
    assert closing("가")["input_ids"][-1] == end
    assert prompt_ids(PLAIN, closing, ASK)[-1] != end


def test_only_the_answer_and_its_end_carry_labels(tokenizer):
    row = encode_row(CHAT, tokenizer, "안녕?", "응!")
    labelled = [label for label in row.labels if label != IGNORED]
    assert tokenizer.decode(labelled) == "응!<|end|>"
    assert tokenizer.decode(row.input_ids) == "<|user|>안녕?<|end|><|assistant|>응!<|end|>"
    assert len(row.labels) == len(row.input_ids)


@pytest.mark.parametrize("policy", [CHAT, PLAIN])
def test_a_row_is_the_very_prompt_that_is_asked_and_then_the_answer(tokenizer, policy):
    row = encode_row(policy, tokenizer, "안녕?", "응!")
    asked = prompt_ids(policy, tokenizer, ASK)
    assert list(row.input_ids[: len(asked)]) == asked
    assert row.labels[len(asked)] == row.input_ids[len(asked)]
    assert row.labels[-1] == end_token_id(policy, tokenizer)


def test_the_end_token_is_the_one_that_the_template_closes_a_turn_with():
    tokenizer = make_tokenizer()
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|user|>", "<|eot|>"]})
    tokenizer.chat_template = str(tokenizer.chat_template).replace("<|end|>", "<|eot|>")
    assert end_token_id(CHAT, tokenizer) == tokenizer.convert_tokens_to_ids("<|eot|>")
    assert end_token_id(PLAIN, tokenizer) == tokenizer.eos_token_id


def test_a_tokenizer_without_an_end_token_is_refused_with_the_cure(bare):
    bare.eos_token = None
    with pytest.raises(BadTrainingRow, match=r"no end token.*Set eos_token"):
        end_token_id(PLAIN, bare)


GOOD = EncodedRow((5, 6, 7, 1), (IGNORED, IGNORED, 7, 1))


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (EncodedRow((5, 6, 1), (IGNORED, IGNORED, 1)), "row 2 has no answer to learn from"),
        (EncodedRow((5, 6, 7), (IGNORED, 6, 7)), r"row 2 does not end in the end token \(1\)"),
        (EncodedRow((5, 6, 7, 1), (IGNORED, 6, 7, IGNORED)), "row 2 does not end in the end token"),
        (EncodedRow((5, 6, 7, 1), (IGNORED, 7, 7, 1)), "row 2 has labels that are not its own"),
        (EncodedRow((5, 6, 7, 8, 1), (IGNORED, 6, 7, 8, 1)), "row 2 has 5 tokens, more than 4"),
    ],
)
def test_a_row_that_would_teach_something_wrong_is_named(row, problem):
    with pytest.raises(BadTrainingRow, match=f"Training {problem}"):
        check_rows([GOOD, row, GOOD], end_id=1, max_length=4)


def test_good_rows_pass():
    check_rows([GOOD, GOOD], end_id=1, max_length=4)


def test_an_empty_answer_is_found_before_training(tokenizer):
    rows = [encode_row(CHAT, tokenizer, "안녕?", "")]
    with pytest.raises(BadTrainingRow, match="row 1 has no answer"):
        check_rows(rows, end_token_id(CHAT, tokenizer))
