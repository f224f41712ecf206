"""A study: which candidates, which workloads, which rows, and how the winner is decided.

`study_files.py` reads one from its TOML file; `plan.py` turns it and a machine into cases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from benchmarks.study.variant import Variant
from benchmarks.workloads.workload import workload_called
from evaluators.quality import BY_PROMPT
from evaluators.ranking.decision_declaration import Declaration
from model_registry.files.json_values import JsonObject
from model_registry.language import text
from model_registry.selection import Criteria, Override


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
    turns: str = "every"  # answers of a conversation that are learned, or "last"
    register: str = BY_PROMPT  # by which profile `quality` judges replies, of quality.REGISTERS


@dataclass(frozen=True, slots=True)
class Work:
    """Which workloads, and what varies in them.

    `variants` are ways of tuning beside the plain ranks. `quantizations` are those in which
    inference is measured beside the plain weights; `if_it_fails` is the one with which it is tried
    again where it does not run without. `further` are the other workloads asked for, by name, each
    with its ranks; (None,) for work that has none.
    """

    inference: bool = True
    ranks: tuple[int, ...] = (16, 32, 64)
    ask: bool = False  # ask backends, remote ones too, instead of measuring inference
    transcript: str | None = None  # replayed where nobody can be asked
    variants: tuple[Variant, ...] = ()
    if_it_fails: str | None = None
    quantizations: tuple[str, ...] = ()
    further: Mapping[str, tuple[int | None, ...]] = field(default_factory=dict)
    tasks: tuple[str, ...] = ()  # of lm-evaluation-harness, before a tune and after it
    tasks_folder: str | None = None  # that holds tasks of one's own

    @property
    def tunes(self) -> bool:
        """Whether anything is tuned, so that there must be rows to learn from."""
        also = any(workload_called(name).tunes for name in self.further)
        return bool(self.ranks or self.variants or also)

    @property
    def answers(self) -> bool:
        """Whether anything is measured without a tune, so that there must be prompts."""
        return self.inference or any(not workload_called(name).tunes for name in self.further)


@dataclass(frozen=True, slots=True)
class Study:
    """One study, as its file declares it."""

    name: str
    titles: Mapping[str, str]
    summaries: Mapping[str, str]
    catalog: str
    criteria: Criteria
    overrides: tuple[Override, ...]
    data: DataPlan
    work: Work
    policy: JsonObject = field(default_factory=dict)
    decision: Declaration = field(default_factory=Declaration)  # how the winner is found
    source: str = ""  # the file's text, kept in the run
    cures: Mapping[str, str] = field(default_factory=dict)  # of architectures.cures, by candidate

    def with_catalog(self, catalog: str) -> Study:
        """The same question about other candidates.

        The study's recording goes: it holds what its own candidates said, and nobody who names
        others wants to be told that.
        """
        return replace(self, catalog=catalog, work=replace(self.work, transcript=None))

    def with_other_data(self) -> Study:
        """The same question over a file of the user's own: what is said of ours need not hold."""
        return replace(self, data=replace(self.data, register=BY_PROMPT))

    def for_use(self, use: str) -> Study:
        """The same question for another use: what its licence allows takes part.

        That a licence be free is no longer asked: a use is the closer question.
        """
        license_ = None if self.criteria.license == "free" else self.criteria.license
        return replace(self, criteria=replace(self.criteria, use=use, license=license_))

    @property
    def title(self) -> str:
        return text(self.titles["en"], self.titles["ko"])

    @property
    def summary(self) -> str:
        return text(self.summaries["en"], self.summaries["ko"])
