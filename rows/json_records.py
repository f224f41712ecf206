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

NO_TURNS = (
    'not a JSON list of {"role", "content"} turns',
    '{"role", "content"} 턴의 JSON 목록이 아닙니다',
)
_TOO_DEEP = ("is nested too deeply", "너무 깊이 중첩되어 있습니다")


class NotARow(BadFile):
    """JSON that is neither an object nor a list of turns."""

    def __init__(self, path: Path, line: int | None) -> None:
        super().__init__(
            path,
            line,
            "not an object with a prompt and a reply, and not a JSON list of turns",
            "질문과 답변이 있는 객체도 아니고 턴의 JSON 목록도 아닙니다",
        )


class _Twice(ValueError):
    """A key stands twice in one object."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the column {name} stands there twice: rename one")
        self.korean = f"열 이름 {name}이(가) 두 번 있습니다. 하나를 바꾸세요"


#: What Python's parser says (without the sign that it names), in Korean.
_FAULTS = {
    "Expecting value": "값이 있어야 합니다",
    "Expecting property name": "큰따옴표로 묶은 이름이 있어야 합니다",
    "Expecting ':'": "쌍점(:)이 있어야 합니다",
    "Expecting ','": "쉼표가 있어야 합니다",
    "Unterminated string": "글의 따옴표가 닫히지 않았습니다",
    "Invalid control character": "글 안의 줄바꿈이나 탭은 \\n, \\t로 적어야 합니다",
    "Invalid \\": "역슬래시 뒤의 글자가 잘못되었습니다",
    "Extra data": "값 뒤에 다른 것이 더 있습니다",
}


def fault_in_korean(error: ValueError) -> str:
    """What `json` found wrong with a text, in Korean."""
    if not isinstance(error, json.JSONDecodeError):
        return "수가 너무 깁니다"
    said = next((korean for fault, korean in _FAULTS.items() if error.msg.startswith(fault)), None)
    return f"{error.colno}번째 글자: {said or '문법이 잘못되었습니다'}"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        name = nfc(key).strip()
        if name in found:
            raise _Twice(name)
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
        raise BadFile(path, text.count("\n", 0, place) + 1, str(error), error.korean) from None
    except json.JSONDecodeError as error:
        raise BadFile(
            path,
            error.lineno,
            f"not JSON ({error.msg})",
            f"JSON이 아닙니다({fault_in_korean(error)})",
        ) from None
    except RecursionError:
        raise BadFile(path, text.count("\n", 0, place) + 1, *_TOO_DEEP) from None


def _parsed(path: Path, number: int, line: str) -> Any:
    try:
        return _DECODER.decode(line)
    except _Twice as error:
        raise BadFile(path, number, str(error), error.korean) from None
    except ValueError as error:
        korean = f"JSON이 아닙니다({fault_in_korean(error)})"
        raise BadFile(path, number, f"not JSON ({error})", korean) from None
    except RecursionError:
        raise BadFile(path, number, *_TOO_DEEP) from None


def _record(path: Path, line: int | None, value: object, split: str | None = None) -> Record:
    if isinstance(value, dict):
        if "role" in value and len(value) == 1:
            raise BadFile(
                path, line, f"{NO_TURNS[0]}: no content", f"{NO_TURNS[1]}. content가 없습니다"
            )
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
        call = 'frame.to_json(path, orient="records", force_ascii=False)'
        raise BadFile(
            path,
            line,
            f"holds columns, not a JSON list of rows: write rows: {call}",
            f"행의 JSON 목록이 아니라 열이 들어 있습니다. 행으로 저장하세요: {call}",
        )
    if set(document) <= {"role", "content"}:
        raise BadFile(
            path, line, f"{NO_TURNS[0]}: put [ ] around", f"{NO_TURNS[1]}. 앞뒤를 [ ]로 묶으세요"
        )
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
