"""Reads TOML files; a syntax error names file and line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from model_registry.errors import BadFile


def read_source(path: Path) -> str:
    """The text of a file, with or without a byte order mark.

    Raises:
        BadFile: it can't be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadFile.unreadable(path, error) from error
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise BadFile(
            path, line, "is not UTF-8: save it as UTF-8", "UTF-8이 아닙니다. UTF-8로 저장하세요"
        ) from error


def parse_toml(source: str, path: Path) -> dict[str, object]:
    """The document that a text says; `path` is for messages.

    Raises:
        BadFile: with the line, where the text is no TOML.
    """
    try:
        return tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise BadFile(path, *_syntax_error(str(error), source)) from error


def _syntax_error(message: str, source: str) -> tuple[int, str, str]:
    """tomllib writes "… (at line 5, column 3)" or "… (at end of document)"."""
    found = re.search(r" \(at line (\d+), column \d+\)", message)
    line = int(found.group(1)) if found else source.count("\n") + 1
    said = message.replace(found.group(), "") if found else message
    return line, said, f"TOML 문법이 잘못되었습니다({said})"
