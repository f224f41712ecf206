"""The table of load errors and the places that raise them belong together."""

from __future__ import annotations

import ast
import string
import tomllib
from functools import cache
from pathlib import Path

import pytest

from model_registry.errors import LoadError
from model_registry.language import read_by

ROOT = Path(__file__).resolve().parents[3]
TABLE = tomllib.loads((ROOT / "model_registry/load_errors.toml").read_text(encoding="utf-8"))


#: Words of one language for a value of both; the rest has the same name, or one that ends in `_ko`.
MEANT = {"later": "when", "more": "count"}


@cache
def raised() -> dict[str, dict[str, set[str]]]:
    """The values that each place in the source gives with a code."""
    found: dict[str, dict[str, set[str]]] = {}
    for path in (ROOT / "model_registry").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="LoadError"), attr="of"),
                    args=[ast.Constant(value=str(code))],
                ):
                    given = set().union(*map(values_of, node.keywords))
                    found.setdefault(code, {})[f"{path}:{node.lineno}"] = given
    return found


def values_of(given: ast.keyword) -> set[str]:
    """The names that a keyword gives: its own, or the two of what the system says."""
    match given.value:
        case ast.Call(func=ast.Name(id="system_reasons")) if given.arg is None:
            return {"reason", "reason_ko"}
    return {str(given.arg)}


def test_every_load_error_that_is_raised_has_texts_and_every_text_is_raised() -> None:
    assert set(raised()) == set(TABLE)


def named(template: str) -> set[str]:
    """The values that a text takes."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("code", TABLE)
def test_every_place_that_raises_a_load_error_gives_just_what_its_texts_take(code: str) -> None:
    taken = named(TABLE[code]["en"]) | named(TABLE[code]["ko"])
    assert raised()[code] == dict.fromkeys(raised()[code], taken)


@pytest.mark.parametrize("code", TABLE)
def test_a_load_error_says_as_much_in_korean_as_in_english(code: str) -> None:
    english, korean = (
        {MEANT.get(name, name.removesuffix("_ko")) for name in named(TABLE[code][language])}
        for language in ("en", "ko")
    )
    assert korean == english


def test_a_load_error_is_told_in_both_languages_with_the_status_of_its_case() -> None:
    error = LoadError.of("hub_silent", whose="org/model", seconds=30.0)
    assert error.status == "unreachable"
    assert str(error) == "org/model: the hub did not answer within 30 s. Try again later."
    with read_by(korean=True):
        assert error.shown.startswith("org/model: 허브가 30초 안에")
