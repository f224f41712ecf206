"""Reads catalogs: candidates as data, in TOML. A mistake in one is an error with file and line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from model_registry.candidate import Candidate, Leaderboard, License, PromptPolicy
from model_registry.errors import BadFile, UnknownName

HERE = Path(__file__).resolve().parent
CATALOGS = HERE / "catalogs"

_FREE = ("yes", "no", "conditional", "unknown")
_KEYS = {
    "name", "hub_id", "revision", "path", "publisher", "parameters", "published_parameters",
    "parameters_note", "license", "languages", "traits", "task", "leaderboard", "prompting",
    "learning_rate", "architecture", "backend", "endpoint", "note",
}  # fmt: skip
_TYPES: dict[str, tuple[type, ...]] = {
    "parameters": (int,), "published_parameters": (int,), "leaderboard": (int, float),
    "learning_rate": (int, float), "languages": (list,), "traits": (list,),
    "prompting": (dict,), "endpoint": (dict,),
}  # fmt: skip


def catalog_names() -> list[str]:
    """The catalogs that come with the project."""
    return sorted(path.stem for path in CATALOGS.glob("*.toml"))


def catalog_path(name: str) -> Path:
    """The file of a catalog: a name that comes with the project, or a path of one's own.

    Raises:
        UnknownName: neither.
    """
    if name.endswith(".toml"):
        return Path(name)
    path = CATALOGS / f"{name}.toml"
    if not path.exists():
        raise UnknownName("catalog", name, catalog_names())
    return path


def read_catalog(path: Path) -> list[Candidate]:
    """All candidates of one catalog, in its order.

    Raises:
        BadFile: with the line, where the file is no TOML or says something that can't be.
    """
    try:
        source = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadFile(path, None, f"can't be read ({error.strerror})") from error
    try:
        document = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise BadFile(path, *_syntax_error(str(error), source)) from error
    return _Reader(path, source, document).candidates()


def _syntax_error(message: str, source: str) -> tuple[int, str]:
    """tomllib writes "… (at line 5, column 3)" or "… (at end of document)"."""
    found = re.search(r" \(at line (\d+), column \d+\)", message)
    if not found:
        return source.count("\n") + 1, message
    return int(found.group(1)), message.replace(found.group(), "")


class _Reader:
    """One catalog being read; it knows where in the file things stand."""

    def __init__(self, path: Path, source: str, document: dict[str, Any]) -> None:
        self.path, self.document = path, document
        self.lines = source.splitlines()
        self.starts = [
            number
            for number, line in enumerate(self.lines, start=1)
            if re.match(r"\s*\[\[\s*candidates\s*\]\]", line)
        ]

    def candidates(self) -> list[Candidate]:
        unknown = set(self.document) - {"catalog", "licenses", "architectures", "candidates"}
        if unknown:
            table = sorted(unknown)[0]
            raise BadFile(self.path, self.find(table), f"unknown table {table}")
        candidates = []
        names: set[str] = set()
        for index, entry in enumerate(self.document.get("candidates", [])):
            candidate = self.candidate(index, entry)
            if candidate.name in names:
                self.fail(index, "name", f"two candidates are called {candidate.name}")
            names.add(candidate.name)
            candidates.append(candidate)
        return candidates

    def candidate(self, index: int, entry: dict[str, Any]) -> Candidate:
        self.check(index, entry)
        catalog = self.document.get("catalog", {})
        values = dict(entry)
        values["license"] = self.license(index, entry["license"])
        for key in ("languages", "traits"):
            values[key] = tuple(entry.get(key, ()))
        if "leaderboard" in entry:
            values["leaderboard"] = self.leaderboard(index, entry["leaderboard"], catalog)
        if "prompting" in entry:
            values["prompting"] = self.prompting(index, entry["prompting"])
        if "architecture" in entry:
            values["architecture"] = self.architecture(index, entry["architecture"])
        if "endpoint" in entry:
            values["endpoint"] = dict(entry["endpoint"])
        if "path" in entry and not Path(entry["path"]).is_absolute():
            values["path"] = str(HERE / entry["path"])
        values.setdefault("publisher", (entry.get("hub_id") or "").partition("/")[0])
        return Candidate(catalog=str(catalog.get("name", self.path.stem)), **values)

    def check(self, index: int, entry: dict[str, Any]) -> None:
        for key in ("name", "license"):
            if key not in entry:
                self.fail(index, None, f"a candidate without {key}")
        for key, value in entry.items():
            if key not in _KEYS:
                self.fail(index, key, f"unknown key {key}")
            kinds = _TYPES.get(key, (str,))
            if key != "license" and (not isinstance(value, kinds) or isinstance(value, bool)):
                wanted = " or ".join(kind.__name__ for kind in kinds)
                self.fail(index, key, f"{key} must be {wanted}, not {value!r}")

    def license(self, index: int, name: Any) -> License:
        entry = self.document.get("licenses", {}).get(name)
        if entry is None:
            self.fail(index, "license", f"licence {name} has no [licenses] entry")
        if entry.get("free") not in _FREE:
            line = self.find(f"licenses.{name}") or self.find(f'licenses."{name}"')
            raise BadFile(self.path, line, f"licence {name}: free must be one of {_FREE}")
        return License(
            name=entry.get("name", name), **{k: v for k, v in entry.items() if k != "name"}
        )

    def leaderboard(self, index: int, value: float, catalog: Mapping[str, Any]) -> Leaderboard:
        board = catalog.get("leaderboard")
        if not board or not isinstance(board.get("date"), date):
            self.fail(index, "leaderboard", "needs [catalog] leaderboard = {name, date}")
        assert board is not None
        return Leaderboard(name=board["name"], value=float(value), date=board["date"])

    def prompting(self, index: int, entry: dict[str, Any]) -> PromptPolicy:
        policy = PromptPolicy(**entry) if set(entry) <= {"kind", "form"} else None
        if policy is None or policy.kind not in ("chat", "plain"):
            self.fail(index, "prompting", 'prompting must be {kind = "chat" or "plain", form = …}')
        assert policy is not None
        if policy.kind == "plain" and "{prompt}" not in policy.form:
            self.fail(index, "prompting", "the form must hold {prompt}")
        return policy

    def architecture(self, index: int, name: str) -> Mapping[str, Any]:
        values = self.document.get("architectures", {}).get(name)
        if values is None:
            self.fail(index, "architecture", f"{name} has no [architectures] entry")
        assert values is not None
        if "model_type" not in values:
            raise BadFile(self.path, self.find(name), f"architecture {name} has no model_type")
        return dict(values)

    def fail(self, index: int, key: str | None, problem: str) -> None:
        """Raise with the line of a candidate's key, or of the candidate itself."""
        start = self.starts[index] if index < len(self.starts) else None
        line = start
        if start is not None and key is not None:
            end = self.starts[index + 1] if index + 1 < len(self.starts) else len(self.lines) + 1
            for number in range(start, end):
                if re.match(rf"\s*{re.escape(key)}\s*=", self.lines[number - 1]):
                    line = number
                    break
        raise BadFile(self.path, line, problem)

    def find(self, table: str) -> int | None:
        """The line where a table or key of this name begins."""
        pattern = rf"\s*\[*\s*{re.escape(table)}\b|\s*\[+\w+\.\"?{re.escape(table)}\b"
        for number, line in enumerate(self.lines, start=1):
            if re.match(pattern, line):
                return number
        return None
