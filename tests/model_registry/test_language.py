"""Texts are in the language of who reads them."""

from __future__ import annotations

from threading import Thread

import pytest

from model_registry.language import read_by, text


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("OHLORA_LANG", "en")


def test_the_environment_decides_where_no_reader_is_known():
    assert text("hello", "안녕") == "hello"


def test_a_visitor_is_spoken_to_in_the_visitor_s_language_and_only_the_visitor():
    others = []
    with read_by(korean=True):
        thread = Thread(target=lambda: others.append(text("hello", "안녕")))
        thread.start()
        thread.join()
        assert text("hello", "안녕") == "안녕"
    assert others == ["hello"]
    assert text("hello", "안녕") == "hello"


def test_a_reader_is_forgotten_after_an_error_too():
    with pytest.raises(ValueError, match="broken"), read_by(korean=True):
        raise ValueError("broken")
    assert text("hello", "안녕") == "hello"
