"""Reads catalogs of candidates from TOML; a mistake is an error with file and line."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path

from model_registry.architectures.architecture import without_null
from model_registry.architectures.cures import BY_NAME
from model_registry.candidate import Candidate, Leaderboard, License, PromptPolicy
from model_registry.errors import BadFile, UnknownName
from model_registry.files.catalog_document import CatalogDocument
from model_registry.files.json_values import JsonDict, JsonObject
from model_registry.files.names import name_problem
from model_registry.files.toml_source import parse_toml, read_source
from model_registry.licenses.provenance import (
    BadEvidence,
    Source,
    read_evidence,
    read_sources,
    released_problem,
)

HERE = Path(__file__).resolve().parent
CATALOGS = HERE / "catalogs"

_FREE = ("yes", "no", "conditional", "unknown")
_KEYS = {
    "name", "hub_id", "revision", "path", "publisher", "parameters", "published_parameters",
    "parameters_note", "license", "languages", "traits", "task", "leaderboard", "prompting",
    "learning_rate", "architecture", "backend", "endpoint", "cure", "adapter", "note",
    "released", "same_shapes", "evidence", "benchmarks",
}  # fmt: skip
_TYPES: dict[str, tuple[type, ...]] = {
    "parameters": (int,), "published_parameters": (int,), "leaderboard": (int, float),
    "learning_rate": (int, float), "languages": (list,), "traits": (list,),
    "prompting": (dict,), "endpoint": (dict,), "evidence": (dict,), "benchmarks": (list,),
}  # fmt: skip
_LICENSE_TYPES: dict[str, type] = {
    "name": str, "free": str, "source": str, "read_on": date, "note": str
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
    source = read_source(path)
    document = parse_toml(source, path)
    return _Reader(path, source, document).candidates()


class _Reader(CatalogDocument):
    """One catalog being read."""

    def candidates(self) -> list[Candidate]:
        self.check_tables()
        self.sources = self.read_sources()
        candidates = []
        names: set[str] = set()
        for index, entry in enumerate(self.document.get("candidates", [])):
            candidate = self.candidate(index, entry)
            if candidate.name in names:
                self.fail(
                    index,
                    "name",
                    f"two candidates are called {candidate.name}",
                    f"후보 이름 {candidate.name}이(가) 두 번 나옵니다",
                )
            names.add(candidate.name)
            candidates.append(candidate)
        return candidates

    def candidate(self, index: int, entry: JsonDict) -> Candidate:
        self.check(index, entry)
        if problem := name_problem(entry["name"]):
            self.fail(index, "name", *problem)
        catalog = self.document.get("catalog", {})
        values = dict(entry)
        values["license"] = self.license(index, entry["license"])
        for key in ("languages", "traits"):
            values[key] = tuple(entry.get(key, ()))
        if "leaderboard" in entry:
            values["leaderboard"] = self.leaderboard(index, entry["leaderboard"], catalog)
        if "prompting" in entry:
            values["prompting"] = self.prompting(index, entry["prompting"])
        for key in ("architecture", "same_shapes"):
            if key in entry:
                values[key] = self.architecture(index, key, entry[key])
        values |= self.evidence(index, entry)
        if "endpoint" in entry:
            values["endpoint"] = dict(entry["endpoint"])
        if "path" in entry:
            # Our own catalogs speak of folders of this package, a user's of folders beside it.
            base = HERE if self.path.parent == CATALOGS else self.path.parent
            values["path"] = str(base / entry["path"])
        if "adapter" in entry:
            values["adapter"] = str(self.path.parent / entry["adapter"])
        if "cure" in entry:
            self.check_cure(index, entry["cure"])
        values.setdefault("publisher", (entry.get("hub_id") or "").partition("/")[0])
        return Candidate(catalog=str(catalog.get("name", self.path.stem)), **values)

    def check(self, index: int, entry: JsonDict) -> None:
        for key in ("name", "license"):
            if key not in entry:
                self.fail(index, None, f"a candidate without {key}", f"후보에 {key}이(가) 없습니다")
        for key, value in entry.items():
            if key not in _KEYS:
                self.fail(index, key, f"unknown key {key}", f"모르는 키 {key}")
            kinds = _TYPES.get(key, (str,))
            if not isinstance(value, kinds) or isinstance(value, bool):
                wanted = " or ".join(kind.__name__ for kind in kinds)
                self.fail(
                    index,
                    key,
                    f"{key} must be {wanted}, not {value!r}",
                    f"{key} 값은 {wanted}이어야 합니다: {value!r}",
                )
            texts = key != "benchmarks"
            if isinstance(value, list) and texts and not all(isinstance(v, str) for v in value):
                self.fail(
                    index,
                    key,
                    f"{key} must hold only texts in quotes",
                    f"{key}에는 따옴표로 묶은 글만 쓸 수 있습니다",
                )
            if isinstance(value, int | float) and not 0 < value < math.inf:
                self.fail(
                    index,
                    key,
                    f"{key} must be a number above 0, not {value!r}",
                    f"{key} 값은 0보다 큰 수여야 합니다: {value!r}",
                )

    def license(self, index: int, name: str) -> License:
        entry = self.document.get("licenses", {}).get(name)
        if entry is None:
            self.fail(
                index,
                "license",
                f"licence {name} has no [licenses] entry",
                f"[licenses]에 라이선스 {name}이(가) 없습니다",
            )
        for key, value in entry.items():
            wanted = _LICENSE_TYPES.get(key)
            if wanted is None:
                raise BadFile(
                    self.path,
                    self.find(name),
                    f"licence {name}: unknown key {key}",
                    f"라이선스 {name}: 모르는 키 {key}",
                )
            if not isinstance(value, wanted):
                raise BadFile(
                    self.path,
                    self.find(name),
                    f"licence {name}: {key} must be {wanted.__name__}, not {value!r}",
                    f"라이선스 {name}: {key} 값은 {wanted.__name__}이어야 합니다: {value!r}",
                )
        if entry.get("free") not in _FREE:
            raise BadFile(
                self.path,
                self.find(name),
                f"licence {name}: free must be one of {', '.join(_FREE)}",
                f"라이선스 {name}: free 값은 {', '.join(_FREE)} 가운데 하나여야 합니다",
            )
        return License(**({"name": name} | entry))

    def leaderboard(self, index: int, value: float, catalog: JsonObject) -> Leaderboard:
        board = catalog.get("leaderboard")
        if not (
            isinstance(board, dict)
            and isinstance(board.get("name"), str)
            and isinstance(board.get("date"), date)
        ):
            self.fail(
                index,
                "leaderboard",
                "needs [catalog] leaderboard = {name, date}",
                "[catalog]에 leaderboard = {name, date}가 필요합니다",
            )
        return Leaderboard(name=board["name"], value=float(value), date=board["date"])

    def prompting(self, index: int, entry: JsonDict) -> PromptPolicy:
        known = set(entry) <= {"kind", "form"} and isinstance(entry.get("form", ""), str)
        if not known or entry.get("kind", "chat") not in ("chat", "plain"):
            self.fail(
                index,
                "prompting",
                'prompting must be {kind = "chat" or "plain", form = …}',
                'prompting은 {kind = "chat" 또는 "plain", form = …}이어야 합니다',
            )
        if "{prompt}" not in entry.get("form", "{prompt}"):
            self.fail(
                index, "prompting", "the form must hold {prompt}", "form에 {prompt}가 있어야 합니다"
            )
        return PromptPolicy(**entry)

    def read_sources(self) -> dict[str, Source]:
        """The table [sources]."""
        found: dict[str, Source] = {}
        for name, entry in self.document.get("sources", {}).items():
            try:
                found |= read_sources({name: entry})
            except BadEvidence as error:
                raise BadFile(self.path, self.find(name), str(error), error.korean) from error
        return found

    def evidence(self, index: int, entry: JsonDict) -> JsonDict:
        """What a candidate says of where its values stand."""
        if problem := released_problem(entry.get("released", "2026")):
            self.fail(index, "released", *problem)
        try:
            evidence, benchmarks = read_evidence(entry, self.sources)
        except BadEvidence as error:
            key = "benchmarks" if "benchmark" in str(error) else "evidence"
            self.fail(index, key, str(error), error.korean)
        return {"evidence": evidence, "benchmarks": benchmarks}

    def architecture(self, index: int, key: str, name: str) -> JsonObject:
        values = self.document.get("architectures", {}).get(name)
        if values is None:
            self.fail(
                index,
                key,
                f"{name} has no [architectures] entry",
                f"[architectures]에 {name}이(가) 없습니다",
            )
        if not isinstance(values.get("model_type"), str):
            raise BadFile(
                self.path,
                self.find(name),
                f"architecture {name} has no model_type",
                f"구조 {name}에 model_type이 없습니다",
            )
        return without_null(values)

    def check_cure(self, index: int, name: str) -> None:
        if name not in BY_NAME:
            self.fail(
                index,
                "cure",
                f"cure must be one of {', '.join(BY_NAME)}, not {name!r}",
                f"cure 값은 {', '.join(BY_NAME)} 가운데 하나여야 합니다: {name!r}",
            )
