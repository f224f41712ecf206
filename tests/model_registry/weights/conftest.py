"""Fixtures that tests of weights share."""

from __future__ import annotations

import pytest

from model_registry.weights import loading


@pytest.fixture
def stand_in_tokenizer(tiny_model, tmp_path, monkeypatch) -> None:
    """Random weights need no bundled model for these tests, only some tokenizer."""
    place = tmp_path / "bundled" / loading.STAND_IN_TOKENIZER
    place.parent.mkdir()
    place.symlink_to(tiny_model)
    monkeypatch.setattr(loading, "BUNDLED", place.parent)
