"""Plans a study on a machine: its cases, and what they will do, download and need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.run.case import Case, Limits, Task
from benchmarks.study.contract import Contract
from benchmarks.study.participants import (
    leaderboard_notes,
    named_notes,
    only_named,
    refuse_served,
    who_takes_part,
)
from benchmarks.study.study import Study, Work
from benchmarks.study.study_rows import data_path, rows_of_study
from benchmarks.study.task_plan import adapter_folder, task_cases, tasks_asked, variant_folder
from evaluators.checks.persona import read_facts
from evaluators.instructions.instruction_declarations import Declared, declared_in
from model_registry import machine
from model_registry.architectures.architecture import declared_architecture
from model_registry.candidate import Candidate
from model_registry.errors import OhloraError, UnknownName
from model_registry.files.json_values import JsonDict
from model_registry.files.ranges import out_of_range
from model_registry.hub import cached_folder
from model_registry.messages.notes import Note
from model_registry.naming.catalog_verification import read_again
from model_registry.registry import Registry
from model_registry.selection import Selection
from model_registry.weights.loading import resolve_source
from model_registry.weights.lora import is_mixture
from rows.reading import read_data

#: Below this many parameters a second thread costs more than it gives (measured; see LIBRARIES
#: of thread pools: waking a thread takes longer than the smallest layers).
_TWO_THREADS_FROM = 50_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """What a user may change of a study for one run."""

    weights: str = "auto"
    scale: str = "full"
    device: str = "auto"
    dtype: str = "auto"
    turns: str | None = None  # None takes what the study says
    tuning: Mapping[str, object] = field(default_factory=dict)  # of TuningSettings, by name
    quantization: str = "none"  # of the bases that are tuned at the ranks
    data: Path | None = None
    only: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()  # who takes part, in place of the study's own
    cure: str | None = None  # for those whose configuration its own class refuses
    ranks: tuple[int, ...] = ()
    limits: Limits = Limits()
    replay: Path | None = None  # a run folder whose replies are told again
    tasks: tuple[str, ...] = ()  # benchmark tasks, in place of the study's own
    tasks_folder: Path | None = None  # that holds tasks of one's own

    def __post_init__(self) -> None:
        """Refuse what means nothing, before anything is loaded.

        Raises:
            UnknownName: a scale or precision that is none; the message names the near one.
            OhloraError: a rank out of range.
        """
        for kind, value, known in (
            ("scale", self.scale, ("tiny", "full")),
            ("precision", self.dtype, ("auto", *machine.DTYPES)),
        ):
            if value not in known:
                raise UnknownName(kind, value, known)
        for rank in self.ranks:
            if problem := out_of_range("rank", rank):
                raise OhloraError(f"{problem[0]}.", f"{problem[1]}.")

    def rank_settings(self, rank: int) -> dict[str, object]:
        """The settings of a case that is tuned at a rank, or asked after that tune."""
        quantized = self.quantization != "none"
        return {"rank": rank} | ({"quantization": self.quantization} if quantized else {})


@dataclass(frozen=True, slots=True)
class Plan:
    """All that will be done.

    `notes` are things a reader of the report must know; `facts` are those of the data's persona,
    as `evaluators.checks.persona.read_facts` gives them, `checks` those that the data declares for
    its prompts. `tokens_per_100` are tokens for 100
    characters of the training rows, by the name of each candidate whose tokenizer was there.
    """

    study: Study
    selection: Selection
    candidates: tuple[Candidate, ...]
    contract: Contract
    task: Task
    cases: tuple[Case, ...]
    notes: tuple[Note, ...] = ()
    facts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    checks: Declared = field(default_factory=dict)
    lengths_checked: bool = False  # by `row_lengths.within_length`, which counts tokens too
    tokens_per_100: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse cases that go by one id: the rows of one would pass for the other's.

        Raises:
            OhloraError: such as a variant that is called rank=16 beside the rank 16.
        """
        seen: set[str] = set()
        for case in self.cases:
            if case.id in seen:
                raise OhloraError(
                    f"Two cases go by the id {case.id}: rename the variant.",
                    f"ID가 {case.id}인 케이스가 둘입니다. 변형의 이름을 바꾸세요.",
                )
            seen.add(case.id)

    @property
    def download_bytes(self) -> int:
        """What a hub would send at most, at two bytes per parameter; 0 for what is cached."""
        if self.contract.weights != "hub":
            return 0
        fetched = [c for c in self.candidates if c.path is None and not cached_folder(c)]
        return sum(2 * (c.parameters or c.published_parameters or 0) for c in fetched)


def make_tuning_plan(study: Study, registry: Registry, options: Options, out: Path) -> Plan:
    """Resolve a study that measures and tunes on this machine.

    Raises:
        OhloraError: nothing is left to do, or the data can't serve.
    """
    selection = who_takes_part(study, registry, options.candidates, options.cure)
    if options.candidates:
        refuse_served(selection.accepted)
        study = replace(study, overrides=selection.overridden)
    source = resolve_source(options.weights, selection.accepted)
    if options.candidates and options.weights == "auto" and source == "bundled":
        source = "hub"  # whoever is named is meant: nobody stands in
    device = machine.pick_device(options.device)
    candidates = _stand_ins(study, selection, registry, source)
    stands_in = candidates != selection.accepted
    candidates = only_named(candidates, options.only)
    source = source_of_weights(source, candidates)
    candidates, differences = read_again(candidates) if source == "hub" else (candidates, [])
    study = study if options.data is None else study.with_other_data()
    where = options.data or data_path(study.data.path)
    rows = read_data(where, options.turns or study.data.turns)
    task, data_notes = rows_of_study(study, rows, given=options.data is not None)
    ranks = options.ranks or study.work.ranks
    asked = tasks_asked(study.work, options.tasks, options.tasks_folder)
    contract = contract_of(study, source, device, options, candidates, task)
    contract = replace(contract, task_hashes=asked.hashes())
    tunes = {rank: options.rank_settings(rank) for rank in ranks}
    cases = _cases(study, candidates, contract, task, tunes, options.limits, out)
    cases += task_cases(asked, candidates, contract, tunes, options.limits, out)
    notes = [*weights_notes(options, source, contract.scale, stands_in), *data_notes]
    notes += named_notes(study, selection) if options.candidates else []
    notes += [*leaderboard_notes(study, candidates), *asked.notes(contract)]
    notes += [*differences, *_dropout_notes(study, candidates)]
    facts = read_facts(where) if where.is_dir() else {}
    checks = declared_in(rows)
    return Plan(study, selection, candidates, contract, task, cases, tuple(notes), facts, checks)


def _stand_ins(
    study: Study, selection: Selection, registry: Registry, source: str
) -> tuple[Candidate, ...]:
    """The accepted candidates; the bundled ones in their place where weights are bundled.

    A candidate that has a path brings its own weights and needs no other in its place.
    """
    bring_their_own = bool(selection.accepted) and all(c.path for c in selection.accepted)
    if source == "bundled" and study.catalog != "bundled" and not bring_their_own:
        return tuple(registry.candidates("bundled"))
    if not selection.accepted:
        reasons = "; ".join(f"{r.candidate.name}: {r.reason}" for r in selection.rejected)
        raise OhloraError(
            f"The study {study.name} accepts no candidate. {reasons}",
            f"{study.name} 스터디에 맞는 후보가 없습니다. {reasons}",
        )
    return selection.accepted


def source_of_weights(source: str, candidates: Sequence[Candidate]) -> str:
    """Where the weights come from after all: a candidate with a folder always takes that."""
    if source == "random" or not all(c.path for c in candidates):
        return source
    return "bundled" if all("bundled" in c.traits for c in candidates) else "path"


def contract_of(
    study: Study,
    source: str,
    device: str,
    options: Options,
    candidates: Sequence[Candidate],
    task: Task,
) -> Contract:
    """The policy of a study on this machine, with what the user said of it."""
    facts = machine.describe(device)
    largest = max((c.parameters or 0 for c in candidates), default=0)
    scale = options.scale
    small = (scale == "tiny" and source == "random") or largest < _TWO_THREADS_FROM
    policy: JsonDict = {
        "dtype": machine.pick_dtype(device),
        "threads": 1 if small else facts["cores"],
    }
    policy |= dict(study.policy)
    if options.dtype != "auto":
        policy["dtype"] = machine.pick_dtype(device, options.dtype)
    policy |= options.tuning
    if any(is_mixture(declared_architecture(candidate)) for candidate in candidates):
        policy["lora_dropout"] = 0.0  # experts can have none, and all are to have the same
    quantized = options.quantization != "none"
    if quantized or study.work.variants or study.work.if_it_fails or study.work.quantizations:
        policy["varies"] = (*Contract().varies, "variant", "quantization")
    return Contract(
        weights=source,
        scale=scale if source == "random" else "full",
        device=device,
        machine=str(facts["name"]),
        data=task.hash(),
        **policy,
    )


def _cases(
    study: Study,
    candidates: Sequence[Candidate],
    contract: Contract,
    task: Task,
    tunes: Mapping[int, dict[str, object]],
    limits: Limits,
    out: Path,
) -> tuple[Case, ...]:
    cases = []
    half = machine.half_precision(contract.device)
    for candidate in candidates:
        if study.work.inference:
            cases += _answering(candidate, study.work, contract, task, limits)
        for rank, settings in tunes.items():
            case = Case(candidate, "fine-tune", contract, task, settings, limits)
            cases.append(replace(case, keep=adapter_folder(out, candidate, rank)))
        for variant in study.work.variants:
            if not variant.only or candidate.name in variant.only:
                settings = variant.settings(half)
                keep = variant_folder(out, candidate, variant)
                cases.append(Case(candidate, "fine-tune", contract, task, settings, limits, keep))
        for workload, asked in study.work.further.items():
            for each in dict.fromkeys(asked):
                settings = {} if each is None else {"rank": each}
                cases.append(Case(candidate, workload, contract, task, settings, limits))
    return tuple(cases)


def _answering(
    candidate: Candidate, work: Work, contract: Contract, task: Task, limits: Limits
) -> list[Case]:
    """The plain case, one in each quantisation asked for, and one that is done only where the
    plain one fails."""
    plain = Case(candidate, "inference", contract, task, {}, limits)
    quantized = [replace(plain, settings={"quantization": name}) for name in work.quantizations]
    if work.if_it_fails is None:
        return [plain, *quantized]
    other = {"quantization": work.if_it_fails}
    return [plain, *quantized, replace(plain, settings=other, instead_of=plain.id)]


def _dropout_notes(study: Study, candidates: Sequence[Candidate]) -> list[Note]:
    """That nobody is tuned with dropout, where a candidate among them can't be."""
    mixtures = [c.name for c in candidates if is_mixture(declared_architecture(c))]
    if not mixtures or not study.work.tunes or study.policy.get("lora_dropout") == 0:
        return []
    return [Note("no_dropout", {"mixtures": mixtures})]


def weights_notes(options: Options, source: str, scale: str, stands_in: bool = True) -> list[Note]:
    """Notes on the weights; `stands_in` where bundled models replace the candidates."""
    notes = []
    if options.weights == "auto" and (source == "hub" or stands_in):
        notes.append(Note("weights_of_the_hub" if source == "hub" else "no_hub"))
    if source == "bundled" and stands_in:
        notes.append(Note("bundled_stand_in"))
    if source == "random":
        notes.append(Note(f"random_weights_{'full' if scale == 'full' else 'tiny'}"))
    return notes
