"""Progress of a run on one machine: a bar with an ETA, and a line per finished case."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from benchmarks.engines.engine import Event, Watcher
from benchmarks.run.case import Case
from benchmarks.workloads.phases import phase_words
from model_registry.language import text
from model_registry.records import Result
from model_registry.statuses import status_words


def progress_bar(console: Console) -> Progress:
    """A bar of the house: what, how much, elapsed, left."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn(text("left", "남음")),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=console,
        transient=True,
    )


class CountingWatcher(Watcher):
    """Counts the cases of a run, and writes a line for each that ended."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.number, self.total = 0, 0

    def begin(self, cases: int, done: int) -> None:
        self.number, self.total = done, cases

    def more(self, cases: int) -> None:
        self.total = max(self.total, self.number + cases)

    def tell_end(self, result: Result, wall_seconds: float, where: str = "") -> None:
        """One more case ended, in whatever way."""
        self.number += 1
        mark = "[green]✓[/]" if result.ok else "[red]✗[/]"
        how = "" if result.ok else f"  [red]{result.status}[/]: {status_words(result.status)}"
        self.console.print(
            f"{mark} {self.number}/{self.total} {escape(result.case)}  {wall_seconds:.1f} s"
            f"{how}{where}",
            highlight=False,
        )


class RunProgress(CountingWatcher):
    """Watches a run for a person. Where output is no terminal, only the lines are written."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self.bar = progress_bar(console)
        self.all: TaskID | None = None
        self.one: TaskID | None = None
        self.name = ""

    def __enter__(self) -> RunProgress:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def begin(self, cases: int, done: int) -> None:
        super().begin(cases, done)
        self.all = self.bar.add_task(text("cases", "케이스"), total=cases, completed=done)
        self.one = self.bar.add_task("", total=None)
        if done:
            self.console.print(
                text(
                    f"{done} of {cases} cases were done before",
                    f"{cases}개 중 {done}개는 이미 끝남",
                )
            )

    def more(self, cases: int) -> None:
        super().more(cases)
        if self.all is not None:
            self.bar.update(self.all, total=self.total)

    def case_begins(self, case: Case) -> None:
        self.name = case.id
        self._show("load", 0, None)

    def event(self, event: Event) -> None:
        if event[0] == "stage":
            self._show(str(event[1]), 0, None)
        elif event[0] == "progress" and self.one is not None:
            _, done, total = event
            self.bar.update(self.one, completed=done, total=total)

    def _show(self, phase: str, done: int, total: int | None) -> None:
        if self.one is not None:
            words = phase_words(phase)
            self.bar.reset(
                self.one,
                description=f"{escape(self.name)}: {words}",
                completed=done,
                total=total,
            )

    def case_ends(self, result: Result, wall_seconds: float) -> None:
        self.tell_end(result, wall_seconds)
        if self.all is not None:
            self.bar.update(self.all, completed=self.number)


class Silent(Watcher):
    """Watches without a word, for `--json` and for programs."""
