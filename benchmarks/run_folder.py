"""A run: one folder with all the answers to a study. Every stage reads and appends files here."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.contract import differences
from benchmarks.plan import Plan
from model_registry.candidate import Candidate
from model_registry.errors import BadFile, OhloraError
from model_registry.records import (
    SCHEMA,
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

    def head(self) -> dict[str, Any]:
        """What was asked: study, candidates, contract, notes.

        Raises:
            OhloraError: there is no run here.
            BadFile: its head can't be read.
        """
        if not self.exists():
            raise OhloraError(f"{self.path} holds no run: there is no run.json in it.")
        try:
            head = json.loads(self.head_path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise BadFile(self.head_path, None, f"not JSON ({error})") from error
        return dict(head)

    def begin(self, plan: Plan, *, resume: bool) -> None:
        """Write what is asked, or check that a run to go on with asked the same.

        Raises:
            OhloraError: a run is here already, or another contract than this one's.
        """
        if not self.exists():
            self.path.mkdir(parents=True, exist_ok=True)
            # Written beside and moved: a kill in between leaves no half a head.
            beside = self.head_path.with_suffix(".tmp")
            head = json.dumps(_head_of(plan), ensure_ascii=False, indent=2, default=str)
            beside.write_text(head + "\n", encoding="utf-8")
            beside.replace(self.head_path)
            return
        if not resume:
            raise OhloraError(
                f"{self.path} holds a run already. Add --resume to go on with it, "
                "or choose another --out."
            )
        changed = differences(self.head()["contract"], plan.contract.shared())
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


def _head_of(plan: Plan) -> dict[str, Any]:
    study = plan.study
    return {
        "schema": SCHEMA,
        "study": study.name,
        "title": dict(study.titles),
        "begun_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "weights": plan.contract.weights,
        "contract": plan.contract.shared(),
        "contract_hash": plan.contract.hash,
        "varies": list(plan.contract.varies),
        "candidates": [_candidate_row(candidate) for candidate in plan.candidates],
        "rejected": [
            {"name": r.candidate.name, "reason": r.reason} for r in plan.selection.rejected
        ],
        "overrides": [asdict(override) for override in study.overrides],
        "cases": [case.id for case in plan.cases],
        "instead_of": {c.id: c.instead_of for c in plan.cases if c.instead_of is not None},
        "facts": {asked: list(words) for asked, words in plan.facts.items()},
        "rows": {
            "tuned_on": len(plan.task.train),
            "valid": len(plan.task.valid),
            "prompts": len(plan.task.prompts),
        },
        "limits": asdict(plan.cases[0].limits) if plan.cases else {},
        "notes": list(plan.notes),
        "study_source": study.source,
    }


def _candidate_row(candidate: Candidate) -> dict[str, Any]:
    board = candidate.leaderboard
    return {
        "name": candidate.name,
        "hub_id": candidate.hub_id,
        "parameters": candidate.parameters,
        "published_parameters": candidate.published_parameters,
        "license": candidate.license.name,
        "license_free": candidate.license.free,
        "license_source": candidate.license.source,
        "license_read_on": candidate.license.read_on,
        "leaderboard": board.value if board else None,
        "traits": list(candidate.traits),
    }
