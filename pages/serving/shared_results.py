"""Results of a run, computed once for all who look, in a process of their own.

A look costs seconds where there are thousands of grades. So what was computed is kept, and given at
once to whoever comes; where the run's files or the number of its grades have changed since, newer
results are made behind it, one at a time, with a pause between, and where they take neither the
server's event loop nor its interpreter lock. Only the first look of all waits, unless they were
made ahead of it and nothing is new since.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from anyio import BrokenWorkerProcess, to_process, to_thread
from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder

from benchmarks.results.results_document import document_apart, results_document, state_of
from evaluators.grading.store.grade_store import GradeStore
from model_registry.errors import OhloraError
from model_registry.files.json_values import JsonDict

#: Seconds between the end of one computation and the begin of the next for the same run.
PAUSE = 8.0

#: The pause is at least so many times as long as the computation took: graders come first.
LEISURE = 4

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeptResults:
    """A document with its files, and the state of the run that it was made of."""

    state: tuple[object, ...]
    read_at: float  # seconds since the epoch
    document: JsonDict
    grades_csv: Path
    summary_json: Path

    @property
    def has_files(self) -> bool:
        """Whether Gradio has not tidied them away."""
        return self.grades_csv.exists() and self.summary_json.exists()


@dataclass(frozen=True, slots=True)
class Look:
    """What a visitor is given: the last results, and whether newer ones are being made.

    `failed`: the last try to make newer ones gave none; the log says why.
    """

    kept: KeptResults
    refreshing: bool = False
    failed: bool = False


class SharedResults:
    """The results of all runs of one page.

    Args:
        apart: whether they are computed in a process of their own; a test has no need for it.
        pause: seconds from the end of a computation to the next of the same run, or longer.
    """

    def __init__(self, *, apart: bool = True, pause: float = PAUSE) -> None:
        self._apart, self._pause = apart, pause
        self._kept: dict[Path, KeptResults] = {}
        self._failed: set[Path] = set()
        self._unseen: set[Path] = set()  # made ahead, and nobody has looked yet
        self._not_before: dict[Path, float] = {}
        self._making: dict[Path, asyncio.Task[KeptResults]] = {}
        self._one_at_a_time = asyncio.Lock()

    async def make_ahead(self, folder: Path, store: GradeStore) -> None:
        """Make the results of a run that nobody has looked at. A failure is told to who looks."""
        if folder in self._kept or folder in self._making:
            return
        self._unseen.add(folder)
        await asyncio.wait([self._begin(folder, store)])

    async def of(self, folder: Path, store: GradeStore) -> Look:
        """The last results; where there are newer grades, the next are begun. Waits for the first.

        Raises:
            OhloraError: there are none yet, and the run or the database can't be read.
        """
        state = await to_thread.run_sync(state_of, folder, store)
        kept = self._kept.get(folder)
        is_first = folder in self._unseen
        self._unseen.discard(folder)
        if kept and kept.state == state and kept.has_files:
            return Look(kept)
        if kept and is_first:  # hours old, it may be: who looks first has always got the newest
            kept = None
            del self._kept[folder], self._not_before[folder]
        under_way = self._making.get(folder)
        making = under_way or self._begin(folder, store)
        if kept:
            return Look(kept, refreshing=True, failed=folder in self._failed)
        # One visitor who leaves ends it for nobody else.
        made = await asyncio.shield(making)
        if not under_way or made.state == state:
            return Look(made)
        # It was begun before the last grade that this visitor may have given.
        if is_first:
            self._not_before.pop(folder, None)
        newer = self._making.get(folder) or self._begin(folder, store)
        return Look(await asyncio.shield(newer)) if is_first else Look(made, refreshing=True)

    def is_unchanged(self, folder: Path, read_at: object) -> bool:
        """Whether results that a visitor has are still the last, the next being made."""
        kept = self._kept.get(folder)
        return kept is not None and kept.read_at == read_at and folder in self._making

    def _begin(self, folder: Path, store: GradeStore) -> asyncio.Task[KeptResults]:
        making = self._making[folder] = asyncio.create_task(self._make(folder, store))
        # Who waits for the first is told of a failure; there may be nobody.
        making.add_done_callback(lambda task: task.cancelled() or task.exception())
        return making

    async def _make(self, folder: Path, store: GradeStore) -> KeptResults:
        begun = time.monotonic()
        try:
            await asyncio.sleep(self._not_before.get(folder, begun) - begun)
            async with self._one_at_a_time:
                begun = time.monotonic()
                self._kept[folder] = await self._compute(folder, store)
            self._failed.discard(folder)
        except Exception as error:
            if folder not in self._kept:
                raise
            self._failed.add(folder)
            why = None if isinstance(error, OhloraError) else error
            _LOG.error("the results of %s could not be computed: %s", folder, error, exc_info=why)
        finally:
            del self._making[folder]
        took = time.monotonic() - begun
        self._not_before[folder] = time.monotonic() + max(self._pause, LEISURE * took)
        return self._kept[folder]

    async def _compute(self, folder: Path, store: GradeStore) -> KeptResults:
        read_at = time.time()
        state = await to_thread.run_sync(state_of, folder, store)
        with tempfile.TemporaryDirectory(prefix="ohlora-results-") as name:
            files = Path(name)
            if store.url is None or not self._apart:  # a store in memory is only here
                document = await to_thread.run_sync(results_document, folder, store, files)
            else:
                document = await _in_a_process(folder, store.url, files)
            cache = get_upload_folder()
            paths = [
                Path(await to_thread.run_sync(save_file_to_cache, files / each, cache))
                for each in ("grades.csv", "summary.json")
            ]
            return KeptResults(state, read_at, document, *paths)


async def _in_a_process(folder: Path, store: str, files: Path) -> JsonDict:
    """The document, by a process that stays for the next; one that was killed has a successor.

    Raises:
        OhloraError: the run or the database can't be read, or processes end before they are done.
    """
    for _ in range(2):
        try:
            return await to_process.run_sync(document_apart, folder, store, files)
        except (BrokenWorkerProcess, ProcessLookupError):  # the latter while it starts
            continue
        except KeyboardInterrupt:  # the process's; here it would break the server's loop
            continue
    raise OhloraError(
        "The process that computes the results was ended twice; this machine may be out of memory.",
        "결과를 계산하는 프로세스가 두 번 중단됐어요. 메모리가 부족한지 확인해 주세요.",
    )
