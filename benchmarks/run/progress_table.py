"""Progress of a run on many machines: a row per case, with its machine and phase."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from benchmarks.engines.engine import Event
from benchmarks.run.case import Case
from benchmarks.run.progress import CountingWatcher
from benchmarks.workloads.phases import phase_words
from model_registry.language import text
from model_registry.records import Result

SHOWN = 30  # rows that are shown at once: those that run, then what comes next


@dataclass(slots=True)
class Row:
    """A case of the sweep. `state` is waiting, running or done; `began` a clock's seconds."""

    case: str
    state: str = "waiting"
    where: str = ""
    phase: str = ""
    began: float = 0.0
    attempts: int = 0
    status: str = ""
    seconds: float | None = None


class ProgressTable(CountingWatcher):
    """Watches a run of many cases at once. Where output is no terminal, only lines are written."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.rows: dict[str, Row] = {}
        self.why_waiting = ""
        self.live = Live(get_renderable=self.table, console=console, transient=True,
                         refresh_per_second=4)  # fmt: skip

    def __enter__(self) -> ProgressTable:
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def planned(self, cases: Sequence[Case]) -> None:
        self.rows |= {case.id: Row(case.id) for case in cases}

    def waiting(self, why: str) -> None:
        if why and why != self.why_waiting:
            said = text("waiting", "대기")
            self.console.print(f"[yellow]{said}[/]: {escape(why)}", highlight=False)
        self.why_waiting = why

    def case_begins(self, case: Case) -> None:
        self.case_event(case.id, "", ("began",))

    def case_event(self, case: str, where: str, event: Event) -> None:
        row = self.rows.setdefault(case, Row(case))
        if row.state == "done":  # told before it ended, and heard after
            return
        if event[0] == "began":
            row.state, row.where, row.began = "running", where, time.monotonic()
            row.attempts += 1
            row.phase = ""
        elif event[0] == "stage":
            row.phase = phase_words(str(event[1]))
        elif event[0] == "progress":
            row.phase = f"{row.phase.partition(' · ')[0]} · {event[1]}/{event[2]}"

    def case_ends(self, result: Result, wall_seconds: float) -> None:
        row = self.rows.setdefault(result.case, Row(result.case))
        row.state, row.status, row.seconds = "done", result.status, wall_seconds
        again = text(" (again)", " (재시도)") if row.attempts > 1 else ""
        self.tell_end(
            result, wall_seconds, f"  [dim]{escape(row.where)}{again}[/]" if row.where else ""
        )

    def table(self) -> Table:
        """All cases as they stand, those that run first."""
        order = {"running": 0, "waiting": 1, "done": 2}
        rows = sorted(self.rows.values(), key=lambda row: order[row.state])
        counts = {state: sum(row.state == state for row in rows) for state in order}
        table = Table(title=self._title(counts), title_justify="left", box=None)
        for name in (
            text("case", "케이스"), text("state", "상태"), text("where", "장비"),
            text("phase", "단계"), text("seconds", "초"),
        ):  # fmt: skip
            table.add_column(name)
        for row in rows[:SHOWN]:
            table.add_row(escape(row.case), self._state(row), escape(row.where), row.phase,
                          self._seconds(row))  # fmt: skip
        if len(rows) > SHOWN:
            table.add_row(text(f"and {len(rows) - SHOWN} more", f"외 {len(rows) - SHOWN}개"))
        return table

    def _title(self, counts: dict[str, int]) -> str:
        return text(
            f"{self.number} of {self.total} done, {counts['running']} running, "
            f"{counts['waiting']} waiting",
            f"{self.total}개 중 {self.number}개 완료, {counts['running']}개 실행 중, "
            f"{counts['waiting']}개 대기",
        )

    def _state(self, row: Row) -> str:
        if row.state == "done":
            return "[green]ok[/]" if row.status == "ok" else f"[red]{row.status}[/]"
        words = {"waiting": text("waiting", "대기"), "running": text("running", "실행 중")}
        return words[row.state]

    def _seconds(self, row: Row) -> str:
        if row.state == "running":
            return f"{time.monotonic() - row.began:.0f}"
        return "" if row.seconds is None else f"{row.seconds:.1f}"
