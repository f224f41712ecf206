"""Plans a study that asks backends: those that are set up, or a recording of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from benchmarks.run.case import Case
from benchmarks.study.participants import only_named, who_takes_part
from benchmarks.study.plan import Options, Plan, contract_of, source_of_weights, weights_notes
from benchmarks.study.replaying_plan import replaying_plan
from benchmarks.study.study import Study
from benchmarks.study.study_rows import data_path, rows_of_study
from benchmarks.study.task_plan import adapter_folder
from evaluators.checks.persona import read_facts
from evaluators.instructions.instruction_declarations import declared_in
from model_registry import machine
from model_registry.candidate import Candidate
from model_registry.errors import OhloraError
from model_registry.messages.notes import Note
from model_registry.registry import Registry
from model_registry.selection import Rejected, Selection
from model_registry.weights.loading import resolve_source
from rows.reading import read_data


def make_asking_plan(study: Study, registry: Registry, options: Options, out: Path) -> Plan:
    """Resolve a study of backends on this machine.

    A recording is told again where the user names one, or where the study has one and nobody at
    all can be asked.

    Raises:
        OhloraError: nobody is left to ask, or the data can't serve.
    """
    if options.replay is not None:
        return replaying_plan(study, options, options.replay)
    source = resolve_source(options.weights)
    selection = _who_can_answer(study, registry, source, options)
    nobody = not any(c.backend != "transformers" for c in selection.accepted)
    if nobody and study.work.transcript and options.weights == "auto" and source != "hub":
        return replaying_plan(study, options, data_path(study.work.transcript), selection)
    return _asking(study, registry, options, source, selection, out)


def _who_can_answer(study: Study, registry: Registry, source: str, options: Options) -> Selection:
    """Local candidates, bundled ones in their place where need be, and servers that are set up."""
    found = who_takes_part(study, registry, options.candidates, options.cure)
    accepted: list[Candidate] = []
    rejected = list(found.rejected)
    for candidate in found.accepted:
        if candidate.backend == "transformers":
            # Whoever is named is meant: nobody stands in.
            stand_in = source == "bundled" and candidate.path is None and not options.candidates
            accepted += registry.candidates("bundled") if stand_in else [candidate]
        elif why := registry.missing(candidate):
            rejected.append(Rejected(candidate, (Note("not_set_up", {"why": why}),)))
        else:
            accepted.append(candidate)
    return replace(found, accepted=tuple(dict.fromkeys(accepted)), rejected=tuple(rejected))


def _asking(
    study: Study,
    registry: Registry,
    options: Options,
    source: str,
    selection: Selection,
    out: Path,
) -> Plan:
    if not selection.accepted:
        reasons = "; ".join(f"{r.candidate.name}: {r.reason}" for r in selection.rejected)
        raise OhloraError(
            f"The study {study.name} has nobody to ask. {reasons}",
            f"{study.name} 스터디가 물을 수 있는 후보가 없습니다. {reasons}",
        )
    candidates = only_named(selection.accepted, options.only)
    study = study if options.data is None else study.with_other_data()
    where = options.data or data_path(study.data.path)
    rows = read_data(where, options.turns or study.data.turns)
    task, notes = rows_of_study(study, rows, given=options.data is not None)
    local = [c for c in candidates if c.backend == "transformers"]
    source = source_of_weights(source, local) if local else source
    device = machine.pick_device(options.device)
    contract = contract_of(study, source, device, options, candidates, task)
    cases: list[Case] = []
    for candidate in candidates:
        case = Case(candidate, "ask", contract, task, {}, options.limits)
        cases.append(replace(case, plugins=registry.files))
        if candidate.backend == "transformers":
            cases += _tuned_cases(case, options, study.work.ranks, out)
    if local:
        notes = [*weights_notes(options, source, contract.scale), *notes]
    if len(local) < len(candidates):
        notes.append(Note("times_include_the_way"))
    facts = read_facts(where) if where.is_dir() else {}
    checks = declared_in(rows)
    return Plan(
        study, selection, candidates, contract, task, tuple(cases), tuple(notes), facts, checks
    )


def _tuned_cases(case: Case, options: Options, ranks: Iterable[int], out: Path) -> list[Case]:
    """The same candidate tuned: its replies to the same questions come with the tune."""
    return [
        replace(case, workload="fine-tune", settings=options.rank_settings(rank),
                keep=adapter_folder(out, case.candidate, rank))
        for rank in dict.fromkeys(options.ranks or ranks)
    ]  # fmt: skip
