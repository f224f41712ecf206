"""Looks a model up by its name: what it is, and whether it loads here and fits a card."""

from __future__ import annotations

from dataclasses import dataclass

from model_registry.candidate import Candidate
from model_registry.doctor import Finding, examine_folder
from model_registry.messages.path_errors import existing_path
from model_registry.naming.candidate_check import verdict_of, with_counts
from model_registry.naming.load_check import LoadVerdict
from model_registry.naming.resolve import find_candidate
from model_registry.registry import Registry


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What was found of a name. A folder that is not whole has findings alone."""

    findings: tuple[Finding, ...] = ()
    candidate: Candidate | None = None  # with its parameters counted
    verdict: LoadVerdict | None = None


def look_up(name: str, registry: Registry, *, gpu: str | None = None) -> LookedUp:
    """The candidate that a name means, and whether it loads and fits when it is tuned.

    Args:
        name: as `find_candidate` takes it.
        registry: the candidates that are known.
        gpu: a card or an amount of memory; None is this machine.

    Raises:
        OhloraError: nothing is called so, the hub can't say, it is served elsewhere, or there is
            no such card; one line.
    """
    there = existing_path(name)
    findings = () if there is None else tuple(examine_folder(there))
    if any(finding.ok is False for finding in findings):
        return LookedUp(findings)
    candidate = find_candidate(name, registry)
    verdict = verdict_of(candidate, gpu=gpu)
    return LookedUp(findings, with_counts(candidate, verdict), verdict)
