"""A run says what each candidate's tokenizer makes of the rows that it is tuned on."""

from __future__ import annotations

from model_registry.language import read_by
from model_registry.messages.notes import Note


def test_tokens_for_100_characters_are_told_candidate_by_candidate() -> None:
    note = Note.from_json(Note("tokens_per_100", {"tokens": {"a": 63.2, "b": 79.7}}).to_json())
    assert note.english == "tokens for 100 characters of the training rows: a 63.2, b 79.7"
    with read_by(korean=True):
        assert note.words == "학습 행 100자당 토큰: a 63.2, b 79.7"
