"""Adds predicted memory to a result; for one out of memory also the smallest change that fits."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.run.case import Case
from benchmarks.study.contract import tuned_by
from benchmarks.study.variant import effective
from benchmarks.workloads.workload import workload_called
from model_registry.architectures.cures import cure_for as config_cure
from model_registry.backends.continuous_batching import SLOTS
from model_registry.doctor import cure_for
from model_registry.errors import LoadError
from model_registry.files.json_values import JsonDict, JsonObject
from model_registry.language import for_files
from model_registry.memory.correction import correction_for, remember
from model_registry.memory.fit import NO_CORRECTION, Correction, Work, is_quick, predict
from model_registry.memory.verdict import smallest_change
from model_registry.messages.notes import Note
from model_registry.records import Result
from model_registry.statuses import status_called

#: The phase in which many prompts are answered at once, each with a cache of its own.
REPLIES = "replies"
#: Smaller models say nothing of a machine: what the process takes outweighs them.
_WORTH_REMEMBERING = 100_000_000


@for_files()
def with_prediction(case: Case, result: Result) -> Result:
    """The result with `predicted_bytes`, predicted and measured by phase, and a cure.

    An architecture that nothing can be said of at once leaves all of it unknown: a run never
    waits for a trace.
    """
    correction = correction_for(str(result.machine.get("name")), case.contract.device)
    fit: JsonDict = {}
    architecture = case.candidate.shapes
    for phase, work in works(case, result.figures, result.machine.get("capability")).items():
        try:
            if not architecture or _is_shrunk(case) or not is_quick(architecture, work):
                continue
            estimate = predict(architecture, work, correction)
            plain = predict(architecture, work)
        except LoadError:
            continue
        measured = result.peak_bytes(phase)
        fit[phase] = compare(estimate.predicted_bytes, measured) | {
            "moment": estimate.moment,
            "terms": dict(estimate.terms),
            "corrected": correction.source or None,
        }
        worth = plain.terms["weights"] >= _WORTH_REMEMBERING and phase != REPLIES
        if measured and result.ok and worth:
            tokens = result.figures.get("batch_tokens")
            where = f"{result.candidate}/{phase}/{case.settings}/{tokens}"
            remember(str(result.machine.get("name")), case.contract.device, where, plain, measured)
    main = fit.get(workload_called(case.workload).main_phase, {})
    return replace(
        result,
        predicted_bytes=main.get("predicted_bytes"),
        figures={**result.figures, "fit": fit} if fit else result.figures,
        cure=result.cure or cure_of(case, result, correction),
    )


def compare(predicted: int, measured: int | None) -> dict[str, object]:
    """Predicted and measured bytes and the error in percent of what was measured."""
    error = None if not measured else 100 * (predicted - measured) / measured
    return {"predicted_bytes": predicted, "measured_bytes": measured, "error_percent": error}


def works(case: Case, figures: JsonObject, capability: str | None = None) -> dict[str, Work]:
    """The work of each phase that is predicted, at the sizes that the case really had.

    Where a case did not live to tell its sizes, its longest text counts a token a character.
    """
    contract = effective(case.contract, case.settings)
    common = Work(
        kind="load",
        dtype=contract.dtype,
        device=contract.device,
        capability=capability,
        quantization=case.setting.quantization,
    )
    found = {"load": replace(common, quantization="none")}  # quantised in a phase of its own
    workload = workload_called(case.workload)
    if workload.tunes and workload.memory_kind:
        found[workload.main_phase] = _training(case, workload.memory_kind, common, figures)
    elif workload.memory_kind:
        prompt = figures.get("longest_prompt_tokens") or max(
            (len(row.prompt) for row in case.task.prompts), default=1
        )
        length = int(prompt) + contract.max_new_tokens
        new = contract.max_new_tokens
        found[workload.main_phase] = replace(
            common, kind=workload.memory_kind, length=length, new_tokens=new
        )
        answers = len(case.task.prompts) * (1 + contract.samples)
        if workload.main_phase == "inference" and answers:
            found[REPLIES] = replace(found["inference"], batch=min(SLOTS, answers))
    return found


def _training(case: Case, kind: str, common: Work, figures: JsonObject) -> Work:
    contract = effective(case.contract, case.settings)
    guess = max((len(row.prompt) + len(row.reply) for row in case.task.train), default=1)
    full = case.setting.tuning == "full"
    work = replace(
        common,
        kind="full" if full else kind,
        rank=None if full else case.setting.rank,
        batch=int(figures.get("batch_rows") or min(contract.batch_size, len(case.task.train))),
        length=int(figures.get("batch_tokens") or min(guess, contract.max_length)),
        kept=figures.get("batch_kept"),
    )
    return tuned_by(contract, work)


def _is_shrunk(case: Case) -> bool:
    """Tiny random weights are another architecture than the candidate's, of no interest here."""
    return case.contract.weights == "random" and case.contract.scale == "tiny"


def cure_of(case: Case, result: Result, correction: Correction = NO_CORRECTION) -> Note | None:
    """The smallest change that would make an out-of-memory case fit, or a known message's cure."""
    if result.status == "would_not_load":
        known = config_cure(case.candidate.architecture)
        if known is None:
            return None
        return Note("load_cure_offered", {"cure": known.name, "means": known.name})
    if not status_called(result.status).memory:
        return cure_for(result.message)
    budget = case.limits.memory_bytes or result.machine.get("available_bytes")
    workload = workload_called(case.workload)
    sizes = works(case, result.figures, result.machine.get("capability"))
    main = workload.main_phase if workload.memory_kind else "load"
    work = sizes.get(REPLIES if result.stage == REPLIES else main, sizes.get(main))
    architecture = case.candidate.shapes
    if budget is None or work is None or not architecture or _is_shrunk(case):
        return None
    try:
        if not is_quick(architecture, work):
            return None
        change = smallest_change(architecture, work, int(budget), correction, quick=True)
        needed = predict(architecture, work, correction).predicted_bytes
    except LoadError:
        return None
    if change is None:
        return Note("needs_a_machine", {"needed_bytes": needed})
    return Note("smallest_change", {"change": change.study, "needed_bytes": needed})
