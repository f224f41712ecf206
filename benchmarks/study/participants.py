"""Chooses a run's candidates: those that a study's criteria accept, or those that a user names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from benchmarks.study.study import Study
from model_registry.candidate import Candidate
from model_registry.errors import OhloraError, UnknownName
from model_registry.messages.notes import Note
from model_registry.naming.resolve import OWN_FOLDER, find_candidates, with_cure
from model_registry.registry import Registry
from model_registry.selection import Override, Selection, select


def who_takes_part(
    study: Study, registry: Registry, names: Sequence[str] = (), cure: str | None = None
) -> Selection:
    """Those of the study's catalog that its criteria accept, or those that the user named.

    Whoever is named takes part whatever the criteria say; `named_notes` tells what they would have
    refused. The licence of a folder of one's own is one's own matter: that is recorded.

    Args:
        study: its cures are applied, too.
        registry: the candidates that are known.
        names: catalog names, folders, org/model, URLs; none takes the study's own.
        cure: for all whose configuration its own class refuses.

    Raises:
        OhloraError: nobody is called so, or the hub can't say.
    """
    if not names:
        found = select(registry.candidates(study.catalog), study.criteria, study.overrides)
        return replace(found, accepted=tuple(_with_cures(found.accepted, study, cure)))
    own = registry.candidates(study.catalog)
    named = tuple(_with_cures(find_candidates(names, registry, first=own), study, cure))
    return Selection(named, (), tuple(_overrides(named, study)))


def _with_cures(
    candidates: Iterable[Candidate], study: Study, cure: str | None
) -> Iterator[Candidate]:
    for candidate in candidates:
        own = study.cures.get(candidate.name) or study.cures.get(candidate.hub_id or "") or cure
        yield candidate if own is None else with_cure(candidate, own)


def _overrides(named: Iterable[Candidate], study: Study) -> Iterator[Override]:
    """The study's recorded decisions, and one for each named folder."""
    yield from study.overrides
    for candidate in named:
        if candidate.license.note == OWN_FOLDER:
            reason = "a folder of the user's own, named with --candidates"
            yield Override(candidate.name, candidate.license.name, reason, "--candidates")


def only_named(candidates: tuple[Candidate, ...], names: Sequence[str]) -> tuple[Candidate, ...]:
    """Those of these names; all of them where none was named.

    Raises:
        UnknownName: nobody here is called so.
    """
    known = {candidate.name: candidate for candidate in candidates}
    for name in names:
        if name not in known:
            raise UnknownName("candidate of this run", name, known)
    return tuple(c for c in candidates if not names or c.name in names)


def refuse_served(candidates: Iterable[Candidate]) -> None:
    """Refuse to measure what is served elsewhere.

    Raises:
        OhloraError: naming the study that asks it.
    """
    served = next((c.name for c in candidates if c.backend != "transformers"), None)
    if served is not None:
        raise OhloraError(
            f"{served} is served elsewhere: it can be asked (`ohlora run backends "
            "--candidates URL`), but neither measured nor tuned here.",
            f"{served}: 다른 서버가 서빙하는 모델이라 물을 수만 있고(`ohlora run backends "
            "--candidates URL`) 여기서 측정하거나 튜닝할 수 없습니다.",
        )


def named_notes(study: Study, selection: Selection) -> list[Note]:
    """Warnings for named candidates that the study's criteria would reject."""
    overrides = {override.candidate: override for override in selection.overridden}
    return [
        Note("named_all_the_same", {"candidate": candidate.name, "why": reason})
        for candidate in selection.accepted
        for reason in study.criteria.why_not(candidate, overrides)
    ]


def leaderboard_notes(
    study: Study, candidates: Iterable[Candidate], today: date | None = None
) -> list[Note]:
    """A warning where a study weighs a leaderboard that was read more than a year ago."""
    if not any(criterion.name == "leaderboard" for criterion in study.decision.criteria):
        return []
    boards = {(each.leaderboard.name, each.leaderboard.date) for each in candidates
              if each.leaderboard is not None}  # fmt: skip
    now = today or datetime.now(UTC).date()
    return [
        Note("leaderboard_old", {"name": name, "date": str(read_on)})
        for name, read_on in sorted(boards)
        if now - read_on > timedelta(days=365)
    ]
