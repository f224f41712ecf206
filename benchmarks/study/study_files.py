"""Reads studies from TOML files; a mistake is an error with file and line."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.study.contract import Contract, lora_targets
from benchmarks.study.study import DataPlan, Span, Study, Work
from benchmarks.study.tuning_settings import CHOICES
from benchmarks.study.variant import Variant
from benchmarks.workloads.workload import WORKLOADS, Workload
from evaluators.quality import REGISTERS
from evaluators.ranking.decision_declaration import read_declaration
from model_registry.architectures.cures import BY_NAME
from model_registry.errors import BadFile, UnknownName
from model_registry.files.json_values import JsonDict
from model_registry.files.toml_reader import TomlReader
from model_registry.files.toml_source import parse_toml, read_source
from model_registry.language import text
from model_registry.licenses.license_uses import parse_use
from model_registry.machine import DTYPES
from model_registry.selection import Criteria, Override, parse_count
from model_registry.weights.quantization import QUANTIZATIONS
from rows.turns import TURNS

STUDIES = Path(__file__).resolve().parents[1] / "studies"

_TABLES = {"name", "title", "summary", "candidates", "overrides", "data", "work", "contract",
           "decision", "cures"}  # fmt: skip
#: What a study may set of the contract; the rest is found out on the machine.
_POLICY = {field.name for field in dataclasses.fields(Contract)} - {
    "weights", "scale", "device", "machine", "data", "varies", "task_hashes",
}  # fmt: skip
_CHOICES = {**CHOICES, "thinking": ("off", "on", "template"), "dtype": DTYPES}


def study_names() -> list[str]:
    """The studies that come with the project."""
    return sorted(
        path.stem for path in STUDIES.glob("*.toml") if not path.stem.startswith("template")
    )


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
    """A study to start one's own from, its comments in the reader's language."""
    return (STUDIES / text("template.toml", "template.ko.toml")).read_text(encoding="utf-8")


def read_study(path: Path) -> Study:
    """One study.

    Raises:
        BadFile: with the line, where the file is no TOML or says something that can't be.
    """
    return parse_study(read_source(path), path)


def parse_study(source: str, path: Path) -> Study:
    """Parse a study from TOML; `path` is for messages.

    Raises:
        BadFile: with the line, where the text is no TOML or says something that can't be.
    """
    return _Reader(path, source, parse_toml(source, path)).study()


class _Reader(TomlReader):
    """One study being read."""

    def study(self) -> Study:
        self.known(self.document, _TABLES, "")
        for key in ("name", "candidates"):
            if key not in self.document:
                raise BadFile(
                    self.path, None, f"a study needs {key}", f"스터디에 {key}이(가) 있어야 합니다"
                )
        candidates = self.table("candidates")
        name = self.name(self.document["name"], "name")
        return Study(
            name=name,
            titles=self.both("title", name),
            summaries=self.both("summary", ""),
            catalog=str(candidates.pop("catalog", "korean-small")),
            criteria=self.criteria(candidates),
            overrides=tuple(self.overrides()),
            data=self.data(),
            work=self.work(),
            policy=self.policy(),
            decision=read_declaration(self),
            source=self.source,
            cures=self.cures(),
        )

    def cures(self) -> dict[str, str]:
        """[cures]: a candidate's name or hub id, and the cure that it is loaded with."""
        entry = self.table("cures")
        for candidate, cure in entry.items():
            self.one_of(cure, tuple(BY_NAME), candidate)
        return entry

    def overrides(self) -> Iterator[Override]:
        """[[overrides]], each for one `candidate` or for each of a list of `candidates`."""
        for entry in self.tables(self.document, "overrides"):
            names = self.listed(entry.pop("candidates", []), str, "candidates")
            for each in [{"candidate": name} for name in names] or [{}]:
                yield self.make(Override, entry | each, "overrides")

    def criteria(self, entry: dict[str, object]) -> Criteria:
        fields = {"license", "use", "min_params", "max_params", "language", "task"}
        fields |= {"with", "without"}
        self.known(entry, fields, "candidates")
        values: JsonDict = {}
        for key, value in entry.items():
            if key in ("min_params", "max_params"):
                values[key] = self.said(partial(parse_count, str(value)), key)
            elif key in ("with", "without"):
                values[f"{key}_traits"] = tuple(self.listed(value, str, key))
            elif key == "use":
                values[key] = self.said(partial(parse_use, self.one(value, (str,), key)), key)
            else:
                values[key] = self.one(value, (str,), key)
        return Criteria(**values)

    def data(self) -> DataPlan:
        entry = self.table("data")
        self.known(entry, {"path", "tuned_on", "prompts", "other", "turns", "register"}, "data")
        other = self.table("other", entry)
        self.known(other, {"tuned_on", "prompts"}, "data.other")
        values: JsonDict = {}
        for key, choices in (("turns", TURNS), ("register", REGISTERS)):
            if key in entry:
                values[key] = self.one_of(entry[key], choices, key)
        if "path" in entry:
            values["path"] = str(entry["path"])
        if "tuned_on" in entry:
            values["tuned_on"] = self.span(entry["tuned_on"], "tuned_on")
        if entry.get("prompts", "test") != "test":
            values["prompts"] = self.span(entry["prompts"], "prompts")
        for key, value in other.items():
            values[f"other_{key}"] = self.span(value, key)
        return DataPlan(**values)

    def span(self, value: object, key: str) -> Span:
        if not (
            isinstance(value, list)
            and len(value) == 2
            and all(isinstance(v, int) for v in value)
            and 0 <= value[0] < value[1]
        ):
            self.fail(
                key,
                f"{key} must be [first, last] rows counted from 0, not {value!r}",
                f"{key} 값은 0부터 센 [첫, 끝] 행이어야 합니다: {value!r}",
            )
        return Span(value[0], value[1])

    def work(self) -> Work:
        entry = self.table("work")
        fields = {field.name for field in dataclasses.fields(Work)} - {"further"}
        self.known(entry, fields | {workload.asked_by for workload in WORKLOADS.values()}, "work")
        ranks = self.ranks(entry, "ranks", [16, 32, 64])
        further = {
            workload.name: asked
            for workload in WORKLOADS.values()
            if workload.asked_by not in fields and (asked := self.asked(entry, workload))
        }
        inference = self.flag(entry, "inference", True)
        ask = self.flag(entry, "ask", False)
        transcript = self.one(entry.get("transcript", ""), (str,), "transcript") or None
        variants = tuple(self.variant(each) for each in self.tables(entry, "variants"))
        names = [variant.name for variant in variants]
        if twice := {name for name in names if names.count(name) > 1}:
            named = ", ".join(sorted(twice))
            self.fail(
                "variants",
                f"two variants are called {named}",
                f"변형 이름 {named}이(가) 두 번 나옵니다",
            )
        fallback = entry.get("if_it_fails")
        if fallback is not None:
            self.one_of(fallback, QUANTIZATIONS, "if_it_fails")
        measured = inference and not ask
        quantized = self.quantizations(entry)
        tasks = tuple(dict.fromkeys(self.listed(entry.get("tasks", []), str, "tasks")))
        folder = self.one(entry.get("tasks_folder", ""), (str,), "tasks_folder") or None
        return Work(
            measured, ranks, ask, transcript, variants, fallback, quantized, further, tasks, folder
        )

    def asked(self, entry: dict[str, object], workload: Workload) -> tuple[int | None, ...]:
        """The ranks at which a workload is asked for; (None,) for work that has none."""
        if workload.tunes:
            return self.ranks(entry, workload.asked_by, [])
        return (None,) if self.flag(entry, workload.asked_by, False) else ()

    def ranks(self, entry: dict[str, object], key: str, default: list[int]) -> tuple[int, ...]:
        """Ranks of LoRA under a key of [work]."""
        ranks = self.listed(entry.get(key, default), int, key)
        if not all(rank > 0 for rank in ranks):
            self.fail(
                key,
                f"{key} must be whole numbers above 0, not {ranks!r}",
                f"{key} 값은 0보다 큰 정수여야 합니다: {ranks!r}",
            )
        for rank in ranks:
            self.in_range(rank, key, "rank")
        return tuple(ranks)

    def quantizations(self, entry: dict[str, object]) -> tuple[str, ...]:
        """The quantisations in which inference is measured, each named once."""
        key = "quantizations"
        named = self.listed(entry.get(key, []), str, key)
        for name in named:
            self.one_of(name, QUANTIZATIONS, key)
        if entry.get("if_it_fails") in named:
            self.fail(
                "if_it_fails",
                f"{entry['if_it_fails']} is in {key}: it is measured anyway",
                f"{entry['if_it_fails']}은(는) {key}에 있어 이미 측정합니다",
            )
        return tuple(dict.fromkeys(named))

    def variant(self, entry: JsonDict) -> Variant:
        """One table of [[work.variants]]."""
        kinds = {each.name: str(each.type) for each in dataclasses.fields(Variant)}
        self.known(entry, set(kinds), "work.variants")
        values: JsonDict = {}
        for key, value in entry.items():
            if key == "only":
                values[key] = tuple(self.listed(value, str, key))
                continue
            if "str" in kinds[key]:
                values[key] = self.one(value, (str,), key)
            else:
                values[key] = self.in_range(value, key)
        if "name" not in values:
            self.fail(
                "variants",
                "each of [[work.variants]] needs a name",
                "[[work.variants]]마다 이름(name)이 필요합니다",
            )
        self.name(values["name"], "variants")
        if "targets" in values:
            values["targets"] = self.layers(values["targets"], "targets")
        variant = Variant(**values)
        problem = variant.problem()
        if problem:
            self.fail("variants", *(f"{variant.name}: {said}" for said in problem))
        return variant

    def layers(self, value: str, key: str) -> str:
        """Names of layers with commas between them, however they were written."""
        found = lora_targets(value)
        if not found:
            self.fail(
                key,
                f"{key} names no layer: all-linear, or q_proj,v_proj",
                f"{key}에 레이어가 없습니다. all-linear나 q_proj,v_proj처럼 적으세요",
            )
        return found if isinstance(found, str) else ",".join(found)

    def policy(self) -> JsonDict:
        entry = self.table("contract")
        self.known(entry, _POLICY, "contract")
        defaults = Contract()
        for key, value in entry.items():
            if isinstance(getattr(defaults, key), bool):
                self.flag(entry, key, False)
            elif isinstance(getattr(defaults, key), str):
                self.one(value, (str,), key)
            else:
                self.in_range(value, key)
            if key in _CHOICES:
                self.one_of(value, _CHOICES[key], key)
        if "lora_targets" in entry:
            entry["lora_targets"] = self.layers(entry["lora_targets"], "lora_targets")
        return entry
