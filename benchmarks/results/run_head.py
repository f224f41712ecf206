"""The schema of `run.json`, typed: what a run was asked to do. Its keys are read here only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from benchmarks.results.setting import Setting, case_id
from evaluators.instructions.instruction_declarations import Check, Declared
from evaluators.quality import BY_PROMPT
from model_registry.candidate import Candidate, Free
from model_registry.files.json_values import JsonObject
from model_registry.messages.notes import Note
from model_registry.records import SCHEMA, Result
from model_registry.selection import Override

_TOKENS = "tokens_per_100"  # the note on the tokens of each candidate, by name


@dataclass(frozen=True, slots=True)
class PlannedCase:
    """A case that a run was to do; `instead_of` is the id of one in whose place it is done."""

    candidate: str
    workload: str
    setting: Setting
    instead_of: str | None = None

    @property
    def id(self) -> str:
        return case_id(self.candidate, self.workload, self.setting)

    def to_json(self) -> dict[str, object]:
        return {
            "case": self.id,
            "candidate": self.candidate,
            "workload": self.workload,
            "settings": self.setting.to_json(),
            "instead_of": self.instead_of,
        }

    @classmethod
    def from_json(cls, row: JsonObject) -> PlannedCase:
        setting = Setting.of(row.get("settings") or {})
        return cls(row["candidate"], row["workload"], setting, row.get("instead_of"))

    @classmethod
    def from_id(
        cls, case: str, candidates: Collection[str], variants: Collection[str], instead: str | None
    ) -> PlannedCase:
        """A case of a run that was begun when only ids were kept."""
        named = [name for name in candidates if case.startswith(f"{name}/")]
        name = max(named, key=len, default=case.partition("/")[0])
        workload, _, ending = case.removeprefix(f"{name}/").partition("/")
        return cls(name, workload, Setting.parse(ending, variants), instead)


@dataclass(frozen=True, slots=True)
class CandidateRow:
    """A candidate as the run met it, with what a report needs of it later."""

    name: str
    hub_id: str | None = None
    parameters: int | None = None
    published_parameters: int | None = None
    license: str = "unknown"
    license_free: Free = "unknown"
    license_source: str | None = None
    license_read_on: str | None = None
    leaderboard: float | None = None
    leaderboard_name: str | None = None
    leaderboard_read_on: str | None = None
    traits: tuple[str, ...] = ()
    revision: str | None = None
    cure: str | None = None  # that it is loaded with
    tokens_per_100_characters: float | None = None  # of the training rows that hold Hangul

    @classmethod
    def of(cls, candidate: Candidate, tokens_per_100: float | None = None) -> CandidateRow:
        board, read_on = candidate.leaderboard, candidate.license.read_on
        return cls(
            name=candidate.name,
            hub_id=candidate.hub_id,
            parameters=candidate.parameters,
            published_parameters=candidate.published_parameters,
            license=candidate.license.name,
            license_free=candidate.license.free,
            license_source=candidate.license.source,
            license_read_on=None if read_on is None else str(read_on),
            leaderboard=board.value if board else None,
            leaderboard_name=board.name if board else None,
            leaderboard_read_on=str(board.date) if board else None,
            traits=tuple(candidate.traits),
            revision=candidate.revision,
            cure=candidate.cure,
            tokens_per_100_characters=tokens_per_100,
        )

    @classmethod
    def from_json(cls, row: JsonObject) -> CandidateRow:
        known = {name: row[name] for name in cls.__dataclass_fields__ if name in row}
        return cls(**known | {"traits": tuple(row.get("traits") or ())})


@dataclass(frozen=True, slots=True)
class RejectedCandidate:
    """A candidate that the study's criteria rejected, and why."""

    name: str
    reasons: tuple[Note, ...]

    def to_json(self) -> dict[str, object]:
        return {"name": self.name, "reasons": [reason.to_json() for reason in self.reasons]}

    @classmethod
    def from_json(cls, row: JsonObject) -> RejectedCandidate:
        """One of a file; older files hold one sentence, as `reason`."""
        said = row["reasons"] if "reasons" in row else [row["reason"]]
        return cls(row["name"], tuple(Note.from_json(reason) for reason in said))


@dataclass(frozen=True, slots=True)
class RowCounts:
    """How many rows were tuned on, held out, and asked."""

    tuned_on: int = 0
    valid: int = 0
    prompts: int = 0


@dataclass(frozen=True, slots=True)
class RunHead:
    """What a run was asked to do. `contract` are the values behind `contract_hash`."""

    study: str
    title: Mapping[str, str]
    begun_at: str
    weights: str
    contract: JsonObject
    contract_hash: str
    candidates: tuple[CandidateRow, ...]
    cases: tuple[PlannedCase, ...]
    varies: tuple[str, ...] = ()
    rejected: tuple[RejectedCandidate, ...] = ()
    overrides: tuple[Override, ...] = ()
    use: str | None = None  # what the chosen one is for, of `license_uses.USES`
    facts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    checks: Declared = field(default_factory=dict)  # of the prompts that are asked
    #: The profile of `quality`, of quality.REGISTERS; older heads have none: each prompt's own.
    register: str = BY_PROMPT
    rows: RowCounts = RowCounts()
    memory_limit_bytes: int | None = None
    time_limit_seconds: float | None = None
    notes: tuple[Note, ...] = ()
    study_source: str = ""
    schema: int = SCHEMA

    @classmethod
    def inferred(cls, study: str, results: Sequence[Result]) -> RunHead:
        """The head of a run whose `run.json` is lost, inferred from its results."""
        first = results[0] if results else None
        return cls(
            study=study,
            title={"en": study, "ko": study},
            begun_at="",
            weights=(first and first.weights) or "",
            contract=first.policy if first else {},
            contract_hash=first.contract if first else "",
            candidates=tuple(map(CandidateRow, dict.fromkeys(r.candidate for r in results))),
            cases=(),
        )

    def joined_by(self, more: RunHead) -> RunHead:
        """The head of this run once it is gone on with as `more` asks: with those candidates and
        cases that it lacks. What was declared when it was begun stays."""
        names, ids = {each.name for each in self.candidates}, {case.id for case in self.cases}
        new = {each.name: each for each in more.candidates if each.name not in names}
        cases = [case for case in more.cases if case.id not in ids]
        if not new and not cases:
            return self
        candidates = (*self.candidates, *new.values())
        return replace(
            self,
            candidates=candidates,
            cases=(*self.cases, *cases),
            varies=tuple(dict.fromkeys((*self.varies, *more.varies))),
            rejected=tuple(each for each in self.rejected if each.name not in new),
            overrides=tuple(dict.fromkeys((*self.overrides, *more.overrides))),
            notes=_joined_notes((*self.notes, *more.notes), candidates),
        )

    def to_json(self) -> dict[str, object]:
        """What `run.json` holds."""
        return {
            "schema": self.schema,
            "study": self.study,
            "title": dict(self.title),
            "begun_at": self.begun_at,
            "weights": self.weights,
            "contract": dict(self.contract),
            "contract_hash": self.contract_hash,
            "varies": list(self.varies),
            "candidates": [asdict(candidate) for candidate in self.candidates],
            "rejected": [each.to_json() for each in self.rejected],
            "overrides": [asdict(override) for override in self.overrides],
            "use": self.use,
            "cases": [case.to_json() for case in self.cases],
            "facts": {asked: list(words) for asked, words in self.facts.items()},
            "checks": {
                asked: [check.to_json() for check in checks]
                for asked, checks in self.checks.items()
            },
            "register": self.register,
            "rows": asdict(self.rows),
            "limits": {
                "memory_bytes": self.memory_limit_bytes,
                "seconds": self.time_limit_seconds,
            },
            "notes": [note.to_json() for note in self.notes],
            "study_source": self.study_source,
        }

    @classmethod
    def from_json(cls, row: JsonObject, variants: Collection[str] = ()) -> RunHead:
        """The head of a file, or of an older one; `variants` are names that its study gives.

        Raises:
            KeyError, TypeError, AttributeError: something is missing, or is not what it should be.
        """
        notes = tuple(Note.from_json(note) for note in row.get("notes") or ())
        candidates = _candidates(row, notes)
        rows, limits = row.get("rows") or {}, row.get("limits") or {}
        facts = row.get("facts") or {}
        return cls(
            schema=row.get("schema", SCHEMA),
            study=row["study"],
            title=row.get("title") or {"en": row["study"], "ko": row["study"]},
            begun_at=str(row.get("begun_at", "")),
            weights=row["weights"],
            contract=row["contract"],
            contract_hash=row["contract_hash"],
            varies=tuple(row.get("varies") or ()),
            candidates=candidates,
            rejected=tuple(RejectedCandidate.from_json(each) for each in row.get("rejected") or ()),
            overrides=tuple(Override(**each) for each in row.get("overrides") or ()),
            use=row.get("use"),
            cases=_cases(row, [each.name for each in candidates], variants),
            facts={asked: tuple(words) for asked, words in facts.items()},
            checks={
                asked: tuple(map(Check.from_json, checks))
                for asked, checks in (row.get("checks") or {}).items()
            },
            register=str(row.get("register", BY_PROMPT)),
            rows=RowCounts(**{name: rows.get(name, 0) for name in RowCounts.__dataclass_fields__}),
            memory_limit_bytes=limits.get("memory_bytes"),
            time_limit_seconds=limits.get("seconds"),
            notes=notes,
            study_source=str(row.get("study_source", "")),
        )


def _candidates(row: JsonObject, notes: Sequence[Note]) -> tuple[CandidateRow, ...]:
    """A head's candidates; in older ones only a note has the tokens for 100 characters."""
    found = (note.values.get("tokens") for note in notes if note.code == _TOKENS)
    noted = next((tokens for tokens in found if isinstance(tokens, Mapping)), {})
    return tuple(
        CandidateRow.from_json({"tokens_per_100_characters": noted.get(each["name"]), **each})
        for each in row["candidates"]
    )


def _joined_notes(notes: Iterable[Note], candidates: Iterable[CandidateRow]) -> tuple[Note, ...]:
    """Each note once; tokens for 100 characters are told of all candidates in one."""
    found = {each.code if each.code == _TOKENS else each.english: each for each in notes}
    if _TOKENS in found:
        tokens = {each.name: each.tokens_per_100_characters for each in candidates}
        known = {name: count for name, count in tokens.items() if count is not None}
        found[_TOKENS] = Note(_TOKENS, {"tokens": known})
    return tuple(found.values())


def _cases(
    row: JsonObject, candidates: Sequence[str], variants: Collection[str]
) -> tuple[PlannedCase, ...]:
    instead = row.get("instead_of") or {}
    return tuple(
        PlannedCase.from_id(case, candidates, variants, instead.get(case))
        if isinstance(case, str)
        else PlannedCase.from_json(case)
        for case in row["cases"]
    )
