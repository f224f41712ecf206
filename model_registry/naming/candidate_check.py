"""Checks whether a candidate will load, and whether it fits a card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from model_registry.candidate import Candidate
from model_registry.errors import LoadError
from model_registry.language import text
from model_registry.memory.fit import Work
from model_registry.memory.fit_report import Budget, card_budget, fit_row, machine_budget
from model_registry.memory.verdict import TUNED_BATCH
from model_registry.naming.facts_cache import hub_facts
from model_registry.naming.load_check import LoadVerdict, catalog_verdict, load_verdict
from model_registry.naming.model_facts import ModelFacts, facts_of_folder
from model_registry.naming.references import HubReference
from model_registry.statuses import status_words

RANK = 16
LENGTH = 512  # tokens a row, where nobody says


def facts_of(candidate: Candidate) -> ModelFacts:
    """What is known of a candidate before its weights.

    Raises:
        LoadError: it is served elsewhere, or the hub can't say.
    """
    if candidate.path is not None:
        return facts_of_folder(Path(candidate.path), candidate.name)
    if candidate.hub_id is not None:
        facts = hub_facts(HubReference(candidate.hub_id, candidate.revision))
        return replace(facts, name=candidate.name)
    raise LoadError.of("served_elsewhere", name=candidate.name)


def verdict_of(
    candidate: Candidate, *, gpu: str | None = None, length: int | None = None, count: bool = True
) -> LoadVerdict:
    """Whether a candidate will load, and fits when it is tuned.

    Args:
        candidate: of a catalog, a folder or the hub.
        gpu: a card or an amount of memory; None is this machine.
        length: tokens a row.
        count: as `load_verdict`.

    Raises:
        LoadError: its facts can't be had at all.
    """
    budget = card_budget(gpu) if gpu else machine_budget()
    verdict = _of_files(candidate, budget.dtype, count)
    return verdict.with_fit(fit_row(candidate, _work(budget, length), budget), budget.bytes)


def _of_files(candidate: Candidate, dtype: str, count: bool) -> LoadVerdict:
    """The verdict by the model's files, or by its catalog's values where there is no hub."""
    try:
        facts = facts_of(candidate)
    except LoadError as error:
        if error.status != "unreachable" or not (candidate.catalog and candidate.architecture):
            raise
        return catalog_verdict(candidate.name, candidate.architecture, candidate.cure)
    return load_verdict(facts, cure=candidate.cure, dtype=dtype, count=count)


def _work(budget: Budget, length: int | None) -> Work:
    return Work(
        kind="lora", rank=RANK, batch=TUNED_BATCH, length=length or LENGTH, dtype=budget.dtype,
        device=budget.device,
    )  # fmt: skip


def counted(candidate: Candidate) -> Candidate:
    """The candidate with its parameters counted, on the meta device and by its weights' headers.

    Where the two differ, the meta device's counts (tied matrices once, towers left out) and the
    note says so; a model that can't be counted keeps what is known of it.

    Raises:
        LoadError: its facts can't be had at all.
    """
    if candidate.backend != "transformers":
        return candidate
    return with_counts(candidate, load_verdict(facts_of(candidate), cure=candidate.cure))


def with_counts(candidate: Candidate, verdict: LoadVerdict) -> Candidate:
    """The candidate with the parameters that a verdict counted, and its note on them."""
    meta, stored = verdict.parameters, verdict.stored_parameters
    if meta is None and stored is None:
        return candidate
    note = next((e.note.english for e in verdict.looked if e.key == "parameters"), "")
    if meta is not None and meta == stored:
        note = "counted on the meta device, the same in the headers of its weights"
    return replace(candidate, parameters=meta or stored, parameters_note=note)


def verdict_words(verdict: LoadVerdict) -> str:
    """What a verdict comes to, in the reader's language."""
    if verdict.status == "ok":
        return text("will load", "불러올 수 있음")
    if verdict.loads:
        said = text("will load; tuning: ", "불러올 수 있음. 튜닝: ")
        return said + status_words(verdict.status)
    return status_words(verdict.status)
