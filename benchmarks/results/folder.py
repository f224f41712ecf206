"""The folder of a run. Every stage reads and appends files here; nothing is rewritten."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.contract import differences
from benchmarks.plan import Plan
from benchmarks.results.head import CandidateRow, PlannedCase, Refused, RowCounts, RunHead
from benchmarks.study_files import parse_study
from model_registry.errors import BadFile, OhloraError
from model_registry.records import (
    Loss,
    Reply,
    Result,
    ScoreRow,
    append_rows,
    read_rows,
)


class RunFolder:
    """The files of one run by name; nothing is read before it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def head_path(self) -> Path:
        return self.path / "run.json"

    def exists(self) -> bool:
        """Whether a run was begun here."""
        return self.head_path.exists()

    def head(self) -> RunHead:
        """What was asked: study, candidates, contract, notes.

        Raises:
            OhloraError: there is no run here.
            BadFile: its head can't be read.
        """
        if not self.exists():
            raise OhloraError(f"{self.path} holds no run: there is no run.json in it.")
        try:
            row = json.loads(self.head_path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise BadFile(self.head_path, None, f"not JSON ({error})") from error
        try:
            return RunHead.from_json(row, self._variants(row))
        except KeyError as error:
            raise BadFile(self.head_path, None, f"not the head of a run: no {error}") from error
        except (TypeError, AttributeError) as error:
            raise BadFile(self.head_path, None, f"not the head of a run ({error})") from error

    def _variants(self, row: dict[str, Any]) -> list[str]:
        """The names that the study of an older run gives its variants; its ids don't tell."""
        if not any(isinstance(case, str) for case in row["cases"]):
            return []
        try:
            study = parse_study(str(row.get("study_source", "")), self.head_path)
        except OhloraError:
            return []
        return [variant.name for variant in study.work.variants]

    def begin(self, plan: Plan, *, resume: bool) -> None:
        """Write what is asked, or check that a run to go on with asked the same.

        Raises:
            OhloraError: a run is here already, or another contract than this one's.
        """
        if not self.exists():
            self.path.mkdir(parents=True, exist_ok=True)
            # Written beside and moved: a kill in between leaves no half a head.
            beside = self.head_path.with_suffix(".tmp")
            head = json.dumps(head_of(plan).to_json(), ensure_ascii=False, indent=2)
            beside.write_text(head + "\n", encoding="utf-8")
            beside.replace(self.head_path)
            return
        if not resume:
            raise OhloraError(
                f"{self.path} holds a run already. Add --resume to go on with it, "
                "or choose another --out."
            )
        changed = differences(self.head().contract, plan.contract.shared())
        if changed:
            raise OhloraError(
                f"The run in {self.path} was begun under other settings ({'; '.join(changed)}): "
                "its figures would not compare. Use the same settings or another --out."
            )

    def results(self) -> list[Result]:
        return read_rows(self.path / "results.jsonl", Result)

    def replies(self) -> list[Reply]:
        return read_rows(self.path / "replies.jsonl", Reply)

    def losses(self) -> list[Loss]:
        return read_rows(self.path / "losses.jsonl", Loss)

    def scores(self) -> list[ScoreRow]:
        return read_rows(self.path / "scores.jsonl", ScoreRow)

    def add_case(self, result: Result, replies: list[Reply], losses: list[Loss]) -> None:
        """A finished case. Its result comes last: a case with a result has all its rows."""
        append_rows(self.path / "replies.jsonl", replies)
        append_rows(self.path / "losses.jsonl", losses)
        append_rows(self.path / "results.jsonl", [result])

    def add_scores(self, rows: list[ScoreRow]) -> None:
        append_rows(self.path / "scores.jsonl", rows)


def head_of(plan: Plan) -> RunHead:
    """What a plan asks, as a run keeps it."""
    study, contract = plan.study, plan.contract
    limits = plan.cases[0].limits if plan.cases else None
    return RunHead(
        study=study.name,
        title=dict(study.titles),
        begun_at=datetime.now(UTC).isoformat(timespec="seconds"),
        weights=contract.weights,
        contract=contract.shared(),
        contract_hash=contract.hash,
        varies=contract.varies,
        candidates=tuple(CandidateRow.of(candidate) for candidate in plan.candidates),
        rejected=tuple(Refused(r.candidate.name, r.reasons) for r in plan.selection.rejected),
        overrides=tuple(study.overrides),
        cases=tuple(
            PlannedCase(case.candidate.name, case.workload, case.setting, case.instead_of)
            for case in plan.cases
        ),
        facts=plan.facts,
        rows=RowCounts(len(plan.task.train), len(plan.task.valid), len(plan.task.prompts)),
        memory_limit_bytes=limits.memory_bytes if limits else None,
        time_limit_seconds=limits.seconds if limits else None,
        notes=plan.notes,
        study_source=study.source,
    )
