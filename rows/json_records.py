"""Reads JSON in its usual layouts into records, each with its line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model_registry.errors import BadFile
from rows.encoding import nfc
from rows.record import Record
from rows.splits import split_of

_NEWLINE = re.compile(r"\r\n|\r|\n")
_BLANK = re.compile(r"[ \t\r\n]*")
#: Keys that other tools keep the list of rows under.
_LISTS = ("data", "rows", "examples", "items", "records", "conversations", "dialogues")
ROLE_KEYS = ("role", "from", "speaker")
CONTENT_KEYS = ("content", "value", "text", "utterance")


class NotARow(BadFile):
    """JSON that is neither an object nor a list of turns."""

    def __init__(self, path: Path, line: int | None) -> None:
        what = "an object with a prompt and a reply"
        super().__init__(path, line, f"not {what}, and not a JSON list of turns")


class _Twice(ValueError):
    """A key stands twice in one object."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        name = nfc(key).strip()
        if name in found:
            raise _Twice(f"the column {name} stands there twice: rename one")
        found[name] = value
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_once)


def json_lines(path: Path, text: str) -> list[Record]:
    """One object (or one list of turns) a line.

    Lines end at newlines alone: U+0085, U+2028 and others that str.splitlines takes for the end
    of a line may stand inside a JSON string.

    Raises:
        BadFile: a line is neither.
    """
    records = []
    for number, line in enumerate(_NEWLINE.split(text), start=1):
        if line.strip():
            records.append(_record(path, number, _parsed(path, number, line.strip())))
    return records


def json_records(path: Path, text: str) -> tuple[str, list[Record], list[str]]:
    """The form of a JSON document, its records, and the keys of lists that are not among them.

    Raises:
        BadFile: it is broken, or holds neither rows nor turns.
    """
    start = _BLANK.match(text).end()  # type: ignore[union-attr]
    if text[start] == "[":
        return *_from_list(path, text, start), []
    document, end = _value(path, text, start)
    if text[end:].strip():  # more behind the first object: JSON lines, whatever the file is called
        return "jsonl", json_lines(path, text), []
    line = text.count("\n", 0, start) + 1
    if not isinstance(document, dict):
        raise NotARow(path, line)
    return "json", *_from_document(path, document, line)


def _from_list(path: Path, text: str, start: int) -> tuple[str, list[Record]]:
    elements = list(_elements(path, text, start))
    if elements and _end_of_list(elements, text) is not None:
        return "jsonl", json_lines(path, text)
    found = [(line, value) for line, value, _ in elements]
    if found and all(_is_turn(value) for _, value in found):
        return "turns", [Record(line, value) for line, value in found]
    return "json", [_record(path, line, value) for line, value in found]


def _end_of_list(elements: list[tuple[int, Any, int]], text: str) -> int | None:
    """Where something follows the list: each line is a list of its own then."""
    end = _BLANK.match(text, elements[-1][2]).end() + 1  # type: ignore[union-attr]
    return end if text[end:].strip() else None


def _elements(path: Path, text: str, start: int) -> Iterator[tuple[int, Any, int]]:
    """Line, value and end of each element of the list that begins at `start`."""
    place, line, counted = start + 1, text.count("\n", 0, start) + 1, start
    while True:
        place = _BLANK.match(text, place).end()  # type: ignore[union-attr]
        if text[place : place + 1] == "]" and text[start + 1 : place].strip() == "":
            return
        line += text.count("\n", counted, place)
        counted = place
        value, end = _value(path, text, place)
        yield line, value, end
        place = _BLANK.match(text, end).end()  # type: ignore[union-attr]
        if text[place : place + 1] == "]":
            return
        if text[place : place + 1] != ",":
            where = text.count("\n", 0, place) + 1
            raise BadFile(
                path,
                where,
                "not JSON (a comma or ] must stand here)",
                "JSON이 아닙니다(쉼표나 ]가 있어야 합니다)",
            )
        place += 1


def _value(path: Path, text: str, place: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, place)
    except _Twice as error:
        raise BadFile(path, text.count("\n", 0, place) + 1, str(error)) from None
    except json.JSONDecodeError as error:
        raise BadFile(
            path, error.lineno, f"not JSON ({error.msg})", f"JSON이 아닙니다({error.msg})"
        ) from None
    except RecursionError:
        raise BadFile(path, text.count("\n", 0, place) + 1, "is nested too deeply") from None


def _parsed(path: Path, number: int, line: str) -> Any:
    try:
        return _DECODER.decode(line)
    except _Twice as error:
        raise BadFile(path, number, str(error)) from None
    except ValueError as error:
        raise BadFile(path, number, f"not JSON ({error})", f"JSON이 아닙니다({error})") from None
    except RecursionError:
        raise BadFile(path, number, "is nested too deeply", "너무 깊이 중첩되어 있습니다") from None


def _record(path: Path, line: int | None, value: object, split: str | None = None) -> Record:
    if isinstance(value, dict):
        if "role" in value and len(value) == 1:
            raise BadFile(path, line, 'not a JSON list of {"role", "content"} turns: no content')
        return Record(line, value, split)
    if isinstance(value, list) and value and all(map(_is_turn, value)):
        return Record(line, {"messages": value}, split)
    raise NotARow(path, line)


def _from_document(
    path: Path, document: dict[str, object], line: int
) -> tuple[list[Record], list[str]]:
    """Rows under the names of splits or under one known key, or one row alone; and lists unread."""
    lists = {key: value for key, value in document.items() if isinstance(value, list)}
    splits = {key: value for key, value in lists.items() if split_of(key)}
    rows = {key: lists[key] for key in _LISTS if not all(map(_is_turn, lists.get(key, ())))}
    chosen = splits or dict(list(rows.items())[:1])
    if chosen:
        records = [
            _record(path, None, value, split_of(key))
            for key, values in chosen.items()
            for value in values
        ]
        unread = [key for key in lists if key not in chosen and _has_objects(lists[key])]
        return records, unread
    if _is_columns(document):
        cure = 'write rows: frame.to_json(path, orient="records", force_ascii=False)'
        raise BadFile(path, line, f"holds columns, not a JSON list of rows: {cure}")
    if set(document) <= {"role", "content"}:
        raise BadFile(path, line, 'not a JSON list of {"role", "content"} turns: put [ ] around')
    return [Record(line, document)], []


def _has_objects(values: list[object]) -> bool:
    return any(isinstance(value, dict) for value in values)


def _is_columns(document: dict[str, object]) -> bool:
    """What pandas writes unless it is told otherwise: values below each name."""
    values = list(document.values())
    lists = [value for value in values if isinstance(value, list) and not any(map(_is_turn, value))]
    dicts = [value for value in values if isinstance(value, dict)]
    return bool(values) and len(values) in (len(lists), len(dicts))


def _is_turn(value: object) -> bool:
    return (
        isinstance(value, dict)
        and any(isinstance(value.get(key), str) for key in ROLE_KEYS)
        and any(key in value for key in (*CONTENT_KEYS, "tool_calls", "function_call"))
        and not any(isinstance(one, list) and one and _is_turn(one[0]) for one in value.values())
    )
