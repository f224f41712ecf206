"""A catalog's TOML document, which knows where in its file things stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NoReturn

from model_registry.errors import BadFile
from model_registry.files.json_values import JsonDict


class CatalogDocument:
    """The tables of one catalog, and the lines that they begin in."""

    def __init__(self, path: Path, source: str, document: JsonDict) -> None:
        self.path, self.document = path, document
        self.lines = source.split("\n")  # as TOML counts: U+2028 in a text ends no line
        self.starts = [
            number
            for number, line in enumerate(self.lines, start=1)
            if re.match(r"\s*\[\[\s*candidates\s*\]\]", line)
        ]

    def check_tables(self) -> None:
        """Refuse values where tables belong, before anything is read from them."""
        for table, entries in self.document.items():
            if table not in ("catalog", "licenses", "sources", "architectures", "candidates"):
                raise BadFile(
                    self.path,
                    self.find(table),
                    f"unknown table {table}",
                    f"{table}: 모르는 표입니다",
                )
            if table == "candidates":
                if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
                    raise BadFile(
                        self.path,
                        self.find(table),
                        "write [[candidates]], twice [ ]",
                        "[[candidates]]처럼 대괄호를 두 번 쓰세요",
                    )
            elif not isinstance(entries, dict):
                raise BadFile(
                    self.path,
                    self.find(table),
                    f"{table} must be a table: [{table}]",
                    f"{table}은(는) 표여야 합니다: [{table}]",
                )
        for table in ("licenses", "sources", "architectures"):
            for name, entry in self.document.get(table, {}).items():
                if not isinstance(entry, dict):
                    raise BadFile(
                        self.path,
                        self.find(name),
                        f"write it as [{table}.{name}]",
                        f"[{table}.{name}]로 적으세요",
                    )

    def fail(self, index: int, key: str | None, problem: str, korean: str) -> NoReturn:
        """Raise with the line of a candidate's key, or of the candidate itself."""
        start = self.starts[index] if index < len(self.starts) else None
        line = start
        if start is not None and key is not None:
            end = self.starts[index + 1] if index + 1 < len(self.starts) else len(self.lines) + 1
            for number in range(start, end):
                if re.match(rf"\s*{re.escape(key)}\s*=", self.lines[number - 1]):
                    line = number
                    break
        raise BadFile(self.path, line, problem, korean)

    def find(self, name: str) -> int | None:
        """The line where a table, an entry of a table or a key of this name begins."""
        start = rf"\s*\[*\s*(?:\w+\s*\.\s*)?[\"']?{re.escape(name)}[\"']?\s*[\].=]"
        for number, line in enumerate(self.lines, start=1):
            if re.match(start, line):
                return number
        return None
