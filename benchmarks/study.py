"""A study: the question asked. Which candidates, what work, which rows, and how it is decided.

Studies are TOML files; a mistake in one is an error with file and line. `plan.py` turns a study
and a machine into cases.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.contract import Contract
from evaluators.criteria import Criterion
from model_registry.errors import BadFile, OhloraError, UnknownName
from model_registry.language import text
from model_registry.selection import Criteria, Override, parse_count

STUDIES = Path(__file__).resolve().parent / "studies"

_TABLES = {"name", "title", "summary", "candidates", "overrides", "data", "work", "contract",
           "decision"}  # fmt: skip
#: What a study may set of the contract; the rest is found out on the machine.
_POLICY = {field.name for field in dataclasses.fields(Contract)} - {
    "weights", "scale", "device", "machine", "data", "varies",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Span:
    """Rows `first` to `last` of a split, counted from 0, the last one not included."""

    first: int
    last: int

    @property
    def count(self) -> int:
        return self.last - self.first


@dataclass(frozen=True, slots=True)
class DataPlan:
    """Which rows of which data: `tuned_on` and `prompts` are spans of the train split.

    Prompts of None are the test split. `other` holds the spans for a file of the user's own that
    has no test split.
    """

    path: str = "persona"
    tuned_on: Span = Span(0, 20)
    prompts: Span | None = None
    other_tuned_on: Span = Span(0, 20)
    other_prompts: Span = Span(20, 45)


@dataclass(frozen=True, slots=True)
class Work:
    """Which workloads, and what varies in them."""

    inference: bool = True
    ranks: tuple[int, ...] = (16, 32, 64)


@dataclass(frozen=True, slots=True)
class DecisionPlan:
    """How the winner is found, declared before anything is computed."""

    criteria: tuple[Criterion, ...]
    normalization: str = "min-max"
    draws: int = 10_000
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Study:
    """One study, as its file says it."""

    name: str
    titles: Mapping[str, str]
    summaries: Mapping[str, str]
    catalog: str
    criteria: Criteria
    overrides: tuple[Override, ...]
    data: DataPlan
    work: Work
    policy: Mapping[str, Any] = field(default_factory=dict)
    decision: DecisionPlan = DecisionPlan(())
    source: str = ""  # the file's text, kept in the run

    @property
    def title(self) -> str:
        return text(self.titles["en"], self.titles["ko"])

    @property
    def summary(self) -> str:
        return text(self.summaries["en"], self.summaries["ko"])


def study_names() -> list[str]:
    """The studies that come with the project."""
    return sorted(path.stem for path in STUDIES.glob("*.toml") if path.stem != "template")


def study_path(name: str) -> Path:
    """The file of a study: a name that comes with the project, or a path of one's own.

    Raises:
        UnknownName: neither.
    """
    if name.endswith(".toml"):
        return Path(name)
    if name not in study_names():
        raise UnknownName("study", name, study_names())
    return STUDIES / f"{name}.toml"


def template() -> str:
    """A commented study to start one's own from."""
    return (STUDIES / "template.toml").read_text(encoding="utf-8")


def read_study(path: Path) -> Study:
    """One study.

    Raises:
        BadFile: with the line, where the file is no TOML or says something that can't be.
    """
    try:
        source = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadFile(path, None, f"can't be read ({error.strerror})") from error
    return parse_study(source, path)


def parse_study(source: str, path: Path) -> Study:
    """The study that a text says; `path` is for messages.

    Raises:
        BadFile: with the line, where the text is no TOML or says something that can't be.
    """
    try:
        document = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r" \(at line (\d+), column \d+\)", str(error))
        line = int(found.group(1)) if found else None
        raise BadFile(path, line, str(error)) from error
    return _Reader(path, source, document).study()


class _Reader:
    """One study being read; it knows where in the file things stand."""

    def __init__(self, path: Path, source: str, document: dict[str, Any]) -> None:
        self.path, self.source, self.document = path, source, document

    def study(self) -> Study:
        self.known(self.document, _TABLES, "")
        for key in ("name", "candidates"):
            if key not in self.document:
                raise BadFile(self.path, None, f"a study needs {key}")
        candidates = dict(self.document["candidates"])
        name = str(self.document["name"])
        return Study(
            name=name,
            titles=self.both("title", name),
            summaries=self.both("summary", ""),
            catalog=str(candidates.pop("catalog", "korean-small")),
            criteria=self.criteria(candidates),
            overrides=tuple(
                self.make(Override, entry, "overrides")
                for entry in self.document.get("overrides", [])
            ),
            data=self.data(),
            work=self.work(),
            policy=self.policy(),
            decision=self.decision(),
            source=self.source,
        )

    def both(self, key: str, default: str) -> dict[str, str]:
        """A text in both languages; one given as a plain string serves for both."""
        value = self.document.get(key, default)
        if isinstance(value, str):
            return {"en": value, "ko": value}
        self.known(value, {"en", "ko"}, key)
        english = str(value.get("en", value.get("ko", default)))
        return {"en": english, "ko": str(value.get("ko", english))}

    def criteria(self, entry: dict[str, Any]) -> Criteria:
        fields = {"license", "min_params", "max_params", "language", "task", "with", "without"}
        self.known(entry, fields, "candidates")
        values: dict[str, Any] = {}
        for key, value in entry.items():
            if key in ("min_params", "max_params"):
                values[key] = self.said(lambda v=value: parse_count(str(v)), key)
            elif key in ("with", "without"):
                values[f"{key}_traits"] = tuple(value)
            else:
                values[key] = value
        return Criteria(**values)

    def data(self) -> DataPlan:
        entry = self.document.get("data", {})
        self.known(entry, {"path", "tuned_on", "prompts", "other"}, "data")
        other = entry.get("other", {})
        self.known(other, {"tuned_on", "prompts"}, "data.other")
        values: dict[str, Any] = {}
        if "path" in entry:
            values["path"] = str(entry["path"])
        if "tuned_on" in entry:
            values["tuned_on"] = self.span(entry["tuned_on"], "tuned_on")
        if entry.get("prompts", "test") != "test":
            values["prompts"] = self.span(entry["prompts"], "prompts")
        for key, value in other.items():
            values[f"other_{key}"] = self.span(value, key)
        return DataPlan(**values)

    def span(self, value: Any, key: str) -> Span:
        if not (
            isinstance(value, list)
            and len(value) == 2
            and all(isinstance(v, int) for v in value)
            and 0 <= value[0] < value[1]
        ):
            self.fail(key, f"{key} must be [first, last] rows counted from 0, not {value!r}")
        return Span(value[0], value[1])

    def work(self) -> Work:
        entry = self.document.get("work", {})
        self.known(entry, {"inference", "ranks"}, "work")
        ranks = entry.get("ranks", [16, 32, 64])
        if not all(isinstance(rank, int) and rank > 0 for rank in ranks):
            self.fail("ranks", f"ranks must be whole numbers above 0, not {ranks!r}")
        return Work(bool(entry.get("inference", True)), tuple(ranks))

    def policy(self) -> dict[str, Any]:
        entry = self.document.get("contract", {})
        self.known(entry, _POLICY, "contract")
        defaults = Contract()
        for key, value in entry.items():
            wanted = type(getattr(defaults, key))
            right = isinstance(value, wanted) or (wanted is float and isinstance(value, int))
            if not right or isinstance(value, bool):
                self.fail(key, f"{key} must be {wanted.__name__}, not {value!r}")
        return dict(entry)

    def decision(self) -> DecisionPlan:
        entry = dict(self.document.get("decision", {}))
        self.known(entry, {"criteria", "normalization", "draws", "seed"}, "decision")
        criteria = tuple(
            self.make(Criterion, each, "decision.criteria") for each in entry.pop("criteria", [])
        )
        return DecisionPlan(criteria, **entry)

    def make(self, kind: Any, entry: Mapping[str, Any], where: str) -> Any:
        """A dataclass from a table of exactly its fields."""
        self.known(entry, {f.name for f in dataclasses.fields(kind)}, where)
        needed = [
            f.name
            for f in dataclasses.fields(kind)
            if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        ]
        for name in needed:
            if name not in entry:
                self.fail(where, f"{where} needs {name}")
        return kind(**entry)

    def known(self, entry: Mapping[str, Any], keys: set[str], where: str) -> None:
        for key in entry:
            if key not in keys:
                place = f" in [{where}]" if where else ""
                self.fail(key, f"unknown key {key}{place}; there are {', '.join(sorted(keys))}")

    def said(self, parse: Any, key: str) -> Any:
        try:
            return parse()
        except OhloraError as error:
            self.fail(key, str(error))

    def fail(self, key: str, problem: str) -> None:
        """Raise with the line where the key or table stands."""
        pattern = re.compile(rf"\s*({re.escape(key)}\s*=|\[+{re.escape(key)}\])")
        lines = self.source.splitlines()
        line = next((n for n, each in enumerate(lines, start=1) if pattern.match(each)), None)
        raise BadFile(self.path, line, problem)
