"""Plans the replay of a recorded run: no backend is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

from benchmarks.results.folder import RunFolder
from benchmarks.results.run_head import RunHead
from benchmarks.run.case import Case, Task
from benchmarks.study.contract import Contract
from benchmarks.study.participants import only_named
from benchmarks.study.plan import Options, Plan
from benchmarks.study.study import Study
from model_registry.backends.replay import read_transcript
from model_registry.candidate import Candidate, License
from model_registry.messages.notes import Note
from model_registry.records import Reply
from model_registry.selection import Selection
from rows.row import Row


def replaying_plan(
    study: Study, options: Options, path: Path, selection: Selection | None = None
) -> Plan:
    """A plan that asks nobody: questions, answers, times and contract are the recording's.

    Raises:
        OhloraError: there is no recording in this folder, or nobody of it is asked for.
    """
    transcript = read_transcript(path)
    head = RunFolder(path).head()
    candidates = only_named(recorded_candidates(path, head), options.only)
    contract = _recorded_contract(head)
    task = Task(prompts=_recorded_questions(transcript.replies))
    cases: list[Case] = []
    for candidate in candidates:
        cases.append(Case(candidate, "ask", contract, task, {}, options.limits))
        for rank in transcript.tuned:
            if transcript.has(candidate.name, rank):
                tuned = replace(candidate, endpoint={**candidate.endpoint, "tuned": rank})
                cases.append(Case(tuned, "ask", contract, task, {"rank": rank}, options.limits))
    rejected = selection.rejected if selection else ()
    return Plan(
        study, Selection(candidates, rejected), candidates, contract, task, tuple(cases),
        tuple(_replay_notes(head)), dict(head.facts), head.checks,
    )  # fmt: skip


def recorded_candidates(path: Path, head: RunHead) -> tuple[Candidate, ...]:
    """Those whom a run asked, as candidates that answer from its folder."""
    return tuple(
        Candidate(
            name=row.name,
            hub_id=row.hub_id,
            parameters=row.parameters,
            license=License(row.license, row.license_free, note="as recorded"),
            traits=row.traits,
            backend="replay",
            endpoint={"transcript": str(path)},
            note=f"replayed from a recording of {head.begun_at[:10]}",
        )
        for row in head.candidates
    )


def _recorded_contract(head: RunHead) -> Contract:
    """The contract that the recorded figures were measured under, hash and all."""
    known = {field.name for field in fields(Contract)}
    said = {**head.contract, "varies": head.varies}
    return Contract(**{name: value for name, value in said.items() if name in known})


def _recorded_questions(replies: Sequence[Reply]) -> tuple[Row, ...]:
    references: dict[str, str] = {}
    for reply in replies:
        references.setdefault(reply.prompt, "")
        references[reply.prompt] = references[reply.prompt] or reply.reference or ""
    return tuple(Row(prompt, answer, "test") for prompt, answer in references.items())


def _replay_notes(head: RunHead) -> list[Note]:
    on = head.begun_at[:10]
    return [
        Note("replayed", {"on": on, "where": head.contract.get("machine", "?")}),
        *(Note("recorded_note", {"on": on, "note": note}) for note in head.notes),
    ]
