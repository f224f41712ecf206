"""Selects candidates by criteria: accepted (ranked) and rejected (with reasons)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from model_registry.candidate import Candidate
from model_registry.errors import OhloraError
from model_registry.licenses.license_uses import clause_of, parse_use
from model_registry.messages.notes import Note, all_words


@dataclass(frozen=True, slots=True)
class Override:
    """A licence accepted although the criterion refuses it: by whom, and why. Kept in the run."""

    candidate: str
    license: str
    reason: str
    decided_by: str


def why_not_for(license_name: str, use: str) -> Note | None:
    """Why a licence does not allow a use; None where it does, be it under conditions."""
    clause = clause_of(license_name, use)
    if clause.allows:
        return None
    values: dict[str, object] = {"license": license_name, "use": use}
    if clause.answer == "unknown":
        return Note("use_unknown", values)
    return Note("use_not_allowed", values | {"clause": dict(values)})


@dataclass(frozen=True, slots=True)
class Rejected:
    """A candidate that a criterion refused, with every reason."""

    candidate: Candidate
    reasons: tuple[Note, ...]

    @property
    def reason(self) -> str:
        """All reasons in one line, in the reader's language."""
        return all_words(self.reasons)


@dataclass(frozen=True, slots=True)
class Selection:
    """`accepted` by leaderboard, best first; `overridden` names those accepted by an override."""

    accepted: tuple[Candidate, ...]
    rejected: tuple[Rejected, ...]
    overridden: tuple[Override, ...] = ()


@dataclass(frozen=True, slots=True)
class Criteria:
    """Requirements on a candidate. None and empty require nothing. Sizes in parameters.

    `use` is one of `license_uses.USES`: what the licence allows, be it under conditions, passes;
    what it forbids, or what nobody read, does not.
    """

    license: str | None = None  # "free", or a licence's name
    use: str | None = None
    min_params: int | None = None
    max_params: int | None = None
    language: str | None = None
    task: str | None = None
    with_traits: tuple[str, ...] = ()
    without_traits: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a use that there is none of.

        Raises:
            OhloraError: naming those that there are.
        """
        if self.use is not None:
            object.__setattr__(self, "use", parse_use(self.use))

    def why_not(self, candidate: Candidate, overrides: Mapping[str, Override]) -> tuple[Note, ...]:
        """Every reason why this candidate is refused; none where it is not."""
        reasons = [
            self._license(candidate, overrides.get(candidate.name)),
            self._use(candidate, overrides.get(candidate.name)),
            self._size(candidate),
            self._language(candidate),
            self._task(candidate),
            *self._traits(candidate),
        ]
        return tuple(reason for reason in reasons if reason is not None)

    def _license(self, candidate: Candidate, override: Override | None) -> Note | None:
        wanted, has = self.license, candidate.license
        if wanted is None or (wanted == "free" and has.is_free):
            return None
        if wanted.casefold() == has.name.casefold():
            return None
        if override is not None and override.license == has.name:
            return None
        return has.why_not_free() if wanted == "free" else Note("license_is", {"license": has.name})

    def _use(self, candidate: Candidate, override: Override | None) -> Note | None:
        """Why the licence does not allow the use; an accepted licence is accepted for any."""
        name = candidate.license.name
        if self.use is None or (override is not None and override.license == name):
            return None
        return why_not_for(name, self.use)

    def _size(self, candidate: Candidate) -> Note | None:
        """The counted parameters decide; where nothing could be counted, the published ones."""
        count = candidate.parameters or candidate.published_parameters
        if count is None:
            if self.min_params is None and self.max_params is None:
                return None
            return Note("size_unknown", {"note": candidate.parameters_note})
        if self.max_params is not None and count > self.max_params:
            return Note("too_large", {"size": count, "limit": self.max_params})
        if self.min_params is not None and count < self.min_params:
            return Note("too_small", {"size": count, "limit": self.min_params})
        return None

    def _language(self, candidate: Candidate) -> Note | None:
        if self.language is None or self.language in candidate.languages:
            return None
        if not candidate.languages:
            return Note("no_language", {"wanted": self.language})
        languages = list(candidate.languages)
        return Note("other_language", {"wanted": self.language, "languages": languages})

    def _task(self, candidate: Candidate) -> Note | None:
        if self.task is None or self.task == candidate.task:
            return None
        return Note("other_task", {"task": candidate.task, "wanted": self.task})

    def _traits(self, candidate: Candidate) -> list[Note]:
        has = candidate.traits
        lacking = [Note("trait_lacking", {"trait": t}) for t in self.with_traits if t not in has]
        return lacking + [
            Note("trait_unwanted", {"trait": t}) for t in self.without_traits if t in has
        ]


def select(
    candidates: Iterable[Candidate], criteria: Criteria, overrides: Iterable[Override] = ()
) -> Selection:
    """Split candidates into accepted and rejected; nothing is dropped silently."""
    by_name = {override.candidate: override for override in overrides}
    accepted, rejected, used = [], [], []
    for candidate in candidates:
        reasons = criteria.why_not(candidate, by_name)
        if reasons:
            rejected.append(Rejected(candidate, reasons))
            continue
        accepted.append(candidate)
        if candidate.name in by_name and criteria.why_not(candidate, {}):
            used.append(by_name[candidate.name])
    return Selection(tuple(sorted(accepted, key=_by_leaderboard)), tuple(rejected), tuple(used))


def _by_leaderboard(candidate: Candidate) -> tuple[bool, float, str]:
    """Best value first, those without one last."""
    board = candidate.leaderboard
    return (board is None, -board.value if board else 0.0, candidate.name)


_UNITS: dict[str, float] = {"": 1, "k": 1e3, "m": 1e6, "b": 1e9}


def parse_count(text: str) -> int:
    """ "0.25B", "350M" or "1000000" as a number of parameters.

    Raises:
        OhloraError: it is none of these.
    """
    return _parse(
        text,
        _UNITS,
        ("a number of parameters such as 0.25B or 350M", "0.25B나 350M 같은 파라미터 수"),
    )


_BYTES: dict[str, float] = {
    "": 1, "b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40,
    "k": 2**10, "m": 2**20, "g": 2**30, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip


def parse_bytes(text: str) -> int:
    """ "12GB" as bytes; GB means 2^30 bytes here, as on the label of a graphics card.

    Raises:
        OhloraError: it is no amount of memory.
    """
    return _parse(
        text, _BYTES, ("an amount of memory such as 12GB or 500MB", "12GB나 500MB 같은 메모리 크기")
    )


_SECONDS: dict[str, float] = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}


def parse_seconds(text: str) -> int:
    """ "10m", "90s" or "2h" as seconds.

    Raises:
        OhloraError: it is no length of time.
    """
    return _parse(
        text, _SECONDS, ("a length of time such as 90s, 10m or 2h", "90s, 10m, 2h 같은 시간")
    )


def _parse(text: str, units: Mapping[str, float], wanted: tuple[str, str]) -> int:
    found = re.fullmatch(r"\s*(\d[\d_]*(?:\.\d+)?|\.\d+)\s*([a-zA-Z]*)\s*", text, re.ASCII)
    if not found or found.group(2).lower() not in units:
        raise OhloraError(f"{text!r} is not {wanted[0]}.", f"{text!r}: {wanted[1]}가 아닙니다.")
    # Rounded: 0.57 * 1e9 falls just short of 570 million.
    return round(float(found.group(1).replace("_", "")) * units[found.group(2).lower()])
