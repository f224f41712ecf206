"""Checks a TOML document's values, so that each mistake is an error with file and line."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

from model_registry.errors import BadFile, OhloraError
from model_registry.files.json_values import JsonDict, JsonObject
from model_registry.files.names import name_problem
from model_registry.files.ranges import RANGES, out_of_range

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
D = TypeVar("D", bound="DataclassInstance")


class TomlReader:
    """A document being read; it knows where in the file things stand.

    Every method returns what is right and raises BadFile for what is not.
    """

    def __init__(self, path: Path, source: str, document: dict[str, object]) -> None:
        self.path, self.source, self.document = path, source, document

    def make(self, kind: type[D], entry: JsonObject, where: str) -> D:
        """A dataclass from a table of exactly its fields."""
        self.known(entry, {f.name for f in dataclasses.fields(kind)}, where)
        needed = [
            f.name
            for f in dataclasses.fields(kind)
            if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        ]
        for name in needed:
            if name not in entry:
                self.fail(where, f"{where} needs {name}", f"{where}에 {name}이(가) 필요합니다")
        for each in dataclasses.fields(kind):  # the annotations are texts: "str", "float | None"
            kinds = (float, int) if "float" in str(each.type) else (str,)
            if each.name in entry:
                self.one(entry[each.name], kinds, each.name)
        return kind(**entry)

    def table(self, key: str, within: Mapping[str, object] | None = None) -> JsonDict:
        """A table of the document (or of one of its tables); an empty one where it is left out."""
        value = (self.document if within is None else within).get(key, {})
        if not isinstance(value, dict):
            self.fail(key, f"{key} must be a table: [{key}]", f"{key}은(는) 표여야 합니다: [{key}]")
        return dict(value)

    def tables(self, within: Mapping[str, object], key: str) -> list[JsonDict]:
        """A list of tables; an empty one where it is left out."""
        value = within.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            self.fail(
                key,
                f"write [[{key}]], twice [ ], for each of {key}",
                f"{key}마다 [[{key}]]처럼 대괄호를 두 번 쓰세요",
            )
        return value

    def listed(self, value: object, kind: type[T], key: str) -> list[T]:
        """A list whose items are all of one kind."""
        if not isinstance(value, list):
            self.fail(
                key,
                f"{key} must be a list: [{value!r}]",
                f"{key} 값은 목록이어야 합니다: [{value!r}]",
            )
        return [self.one(each, (kind,), key) for each in value]

    def one(self, value: object, kinds: tuple[type[T], ...], key: str) -> T:
        """A value of one of these kinds; true and false are no numbers here."""
        if not isinstance(value, kinds) or isinstance(value, bool):
            wanted = kinds[0].__name__
            self.fail(
                key,
                f"{key} must be {wanted}, not {value!r}",
                f"{key} 값은 {wanted}이어야 합니다: {value!r}",
            )
        return value

    def in_range(self, value: object, key: str, what: str | None = None) -> float:
        """A number that `model_registry.files.ranges` allows for `what`, if not said the key's."""
        number: float = self.one(value, RANGES[what or key].kinds, key)
        if problem := out_of_range(what or key, number, named=key):
            self.fail(key, *problem)
        return number

    def known(self, entry: Mapping[str, object], keys: set[str], where: str) -> None:
        """Refuse keys that mean nothing: a misspelt one would be passed over in silence."""
        for key in entry:
            if key not in keys:
                place, at = (f" in [{where}]", f"[{where}]의 ") if where else ("", "")
                there = ", ".join(sorted(keys))
                self.fail(
                    key,
                    f"unknown key {key}{place}; there are {there}",
                    f"{at}모르는 키 {key}. 쓸 수 있는 키: {there}",
                )

    def said(self, parse: Callable[[], T], key: str) -> T:
        """The result of `parse`; its complaint gets the line of `key`."""
        try:
            return parse()
        except OhloraError as error:
            self.fail(key, str(error), error.korean)

    def one_of(self, value: object, choices: Sequence[str], key: str) -> str:
        """A word that is one of these."""
        if value not in choices:
            listed = ", ".join(choices)
            self.fail(
                key,
                f"{key} must be one of {listed}, not {value!r}",
                f"{key} 값은 {listed} 가운데 하나여야 합니다: {value!r}",
            )
        return str(value)

    def name(self, value: object, key: str) -> str:
        """A name that folders and case ids can bear."""
        name = str(self.one(value, (str,), key))
        if problem := name_problem(name):
            self.fail(key, *problem)
        return name

    def both(self, key: str, default: str) -> dict[str, str]:
        """A text in both languages; one given as a plain string serves for both."""
        value = self.document.get(key, default)
        if isinstance(value, str):
            return {"en": value, "ko": value}
        value = self.table(key)
        self.known(value, {"en", "ko"}, key)
        english = str(value.get("en", value.get("ko", default)))
        return {"en": english, "ko": str(value.get("ko", english))}

    def flag(self, entry: dict[str, object], key: str, default: bool) -> bool:
        """A key of a table that is true or false."""
        value = entry.get(key, default)
        if not isinstance(value, bool):
            self.fail(
                key,
                f"{key} must be true or false, not {value!r}",
                f"{key} 값은 true나 false여야 합니다: {value!r}",
            )
        return value

    def fail(self, key: str, problem: str, korean: str) -> NoReturn:
        """Raise with the line where the key or table stands."""
        pattern = re.compile(rf"\s*({re.escape(key)}\s*=|\[+([\w.]+\.)?{re.escape(key)}\])")
        lines = self.source.split("\n")  # as TOML counts: U+2028 in a text ends no line
        line = next((n for n, each in enumerate(lines, start=1) if pattern.match(each)), None)
        raise BadFile(self.path, line, problem, korean)
