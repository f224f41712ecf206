"""The replay engine: gives recorded results again; nothing is loaded or measured.

What a result says of machine, versions and day is the recording's: its times were taken there.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from benchmarks.engines.engine import CaseOutcome, Engine, Listener, ignore_event
from benchmarks.run.case import Case
from benchmarks.workloads import asking
from benchmarks.workloads.log import MemoryLog
from model_registry.backends.replay import ReplayBackend
from model_registry.errors import LoadError
from model_registry.files.json_values import JsonDict
from model_registry.language import for_files
from model_registry.messages.notes import Note
from model_registry.records import Result, read_rows


class ReplayEngine(Engine):
    """Gives recorded cases again, in this process."""

    @for_files()
    def run(self, case: Case, listen: Listener = ignore_event) -> CaseOutcome:
        """Give one recorded case again; one that failed then fails now."""
        begin = time.perf_counter()
        log = MemoryLog()
        facts: JsonDict = {}
        status, message = "ok", None
        try:
            backend = ReplayBackend.open(case.candidate)
            told_again = replace(case, contract=replace(case.contract, warm_up=0))
            outcome = asking.work(told_again, backend, log)
            facts = {"steps": outcome.steps, "tokens": outcome.tokens, "figures": outcome.figures}
        except LoadError as error:
            status, message = error.status, f"{type(error).__name__}: {error}"
            facts["explanation"] = Note.of_error(error)
            if isinstance(error, asking.Unanswered):
                facts |= {"steps": error.outcome.steps, "figures": error.outcome.figures}
        seconds = facts.get("figures", {}).get("answer_seconds")
        result = case.result(
            status,
            stage=None if status == "ok" else "inference",
            message=message,
            seconds={"inference": seconds} if seconds is not None else {},
            weights="replay",
            **facts,
            **_of_the_recording(case),
        )
        return CaseOutcome(result, log.replies, [], time.perf_counter() - begin)


def _of_the_recording(case: Case) -> dict[str, object]:
    """Machine, versions and day of the recorded results, where they came along."""
    folder = Path(str(case.candidate.endpoint.get("transcript", "")))
    for result in read_rows(folder / "results.jsonl", Result):
        if result.candidate == case.candidate.name:
            return {"machine": result.machine, "versions": result.versions,
                    "started_at": result.started_at}  # fmt: skip
    return {}
