"""Results of a run, computed once for all who look, in a process of their own.

A look costs seconds where there are thousands of grades. So what was computed is kept for as long
as neither the run's files nor the number of its grades change; visitors who come while it is being
made wait for the same one; and it is made where it takes neither the server's event loop nor its
interpreter lock: whoever hands in grades meanwhile does not notice.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

from anyio import CapacityLimiter, to_process, to_thread
from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder

from benchmarks.results.results_document import document_apart, results_document, state_of
from evaluators.grading.store.grade_store import GradeStore
from model_registry.files.json_values import JsonDict


@dataclass(frozen=True, slots=True)
class KeptResults:
    """A document with its files, and the state of the run that it was made of."""

    state: tuple[object, ...]
    document: JsonDict
    grades_csv: Path
    summary_json: Path

    @property
    def has_files(self) -> bool:
        """Whether Gradio has not tidied them away."""
        return self.grades_csv.exists() and self.summary_json.exists()


class SharedResults:
    """The results of all runs of one page.

    Args:
        apart: whether they are computed in a process of their own; a test has no need for it.
    """

    def __init__(self, *, apart: bool = True) -> None:
        self._apart = apart
        self._kept: dict[Path, KeptResults] = {}
        self._next: dict[Path, asyncio.Task[KeptResults]] = {}
        self._one_at_a_time: asyncio.Lock | None = None

    async def of(self, folder: Path, store: GradeStore) -> KeptResults:
        """The results as they are now.

        Raises:
            OhloraError: the run or the database can't be read.
        """
        state = await to_thread.run_sync(state_of, folder, store)
        kept = self._kept.get(folder)
        if kept and kept.state == state and kept.has_files:
            return kept
        if folder not in self._next:
            # Whoever comes before it begins shares it: it will hold all that they could know of.
            self._next[folder] = asyncio.create_task(self._make(folder, store))
        # One visitor who leaves ends it for nobody else.
        return await asyncio.shield(self._next[folder])

    async def _make(self, folder: Path, store: GradeStore) -> KeptResults:
        self._one_at_a_time = self._one_at_a_time or asyncio.Lock()
        async with self._one_at_a_time:
            del self._next[folder]
            state = await to_thread.run_sync(state_of, folder, store)
            kept = self._kept.get(folder)
            if kept is None or kept.state != state or not kept.has_files:
                kept = self._kept[folder] = await self._compute(state, folder, store)
            return kept

    async def _compute(
        self, state: tuple[object, ...], folder: Path, store: GradeStore
    ) -> KeptResults:
        with tempfile.TemporaryDirectory(prefix="ohlora-results-") as name:
            files = Path(name)
            if store.url is None or not self._apart:  # a store in memory is only here
                document = await to_thread.run_sync(results_document, folder, store, files)
            else:
                document = await to_process.run_sync(
                    document_apart, folder, store.url, files, limiter=CapacityLimiter(1)
                )
            cache = get_upload_folder()
            paths = [
                Path(await to_thread.run_sync(save_file_to_cache, files / each, cache))
                for each in ("grades.csv", "summary.json")
            ]
            return KeptResults(state, document, *paths)
