"""Texts are in the language of who reads them."""

from __future__ import annotations

import pickle
from threading import Thread

import pytest

from model_registry.errors import OhloraError, UnknownName
from model_registry.language import read_by, text
from model_registry.licenses.remark_words import remark_words
from model_registry.registry import Registry


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


def test_every_remark_of_the_catalogs_on_a_licence_or_a_size_is_read_in_korean() -> None:
    everyone = Registry().candidates()
    remarks = {c.license.note for c in everyone} | {c.parameters_note for c in everyone}
    with read_by(korean=True):
        english = [one for one in remarks if one and remark_words(one) == one]
    assert english == []


def test_a_name_that_is_not_there_is_told_in_korean_with_what_was_meant() -> None:
    error = UnknownName("candidate", "gemma-2b-it", ["gemma-2-2b-it", "가온"])
    with read_by(korean=True):
        assert error.shown == "gemma-2b-it: 그런 후보가 없습니다. 혹시 gemma-2-2b-it인가요?"
    assert str(UnknownName("column of rows.csv", "x", [])).startswith("No column of rows.csv")
    assert "rows.csv의 열이 없습니다" in UnknownName("column of rows.csv", "x", []).korean
    assert pickle.loads(pickle.dumps(OhloraError("a", "가"))).korean == "가"  # noqa: S301 - ours
