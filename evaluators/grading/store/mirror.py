"""Mirrors what people and their manager gave to a dataset repository, for a Space's lost disk.

Grades; the screens that were planned for each grader; invitations, their end and what graders may
see; and who has seen names, whose later grades are not blind.

Set OHLORA_MIRROR_REPO (such as "me/ohlora-grades", a private dataset) and HF_TOKEN. At start the
copy is read back; afterwards each process appends to a file of its own, which is committed every
few minutes. Rows have keys of their own, so that reading anything twice adds nothing.
"""

from __future__ import annotations

import atexit
import json
import os
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from evaluators.grading.grade_export import rows_of
from evaluators.grading.grade_import import import_grades
from evaluators.grading.store.grade_records import Grade, Grader, Screen
from evaluators.grading.store.grade_store import GradeStore
from evaluators.grading.store.management_store import ManagementRow
from evaluators.grading.store.row_values import screen_of
from model_registry.errors import BadFile, OhloraError

if TYPE_CHECKING:
    from huggingface_hub import CommitScheduler

#: Minutes between two commits.
EVERY = 5


class Mirror:
    """Copies grades to a dataset repository as they come."""

    def __init__(self, repo: str, folder: Path | None = None) -> None:
        self.repo = repo
        self.folder = folder or Path(tempfile.mkdtemp(prefix="ohlora-mirror-"))
        mine = uuid.uuid4().hex
        self._file = self.folder / f"grades-{mine}.jsonl"
        self._managed = self.folder / f"management-{mine}.jsonl"
        self._screens = self.folder / f"screens-{mine}.jsonl"
        self._copied: dict[ManagementRow, None] = {}
        self._scheduler: CommitScheduler | None = None
        self._lock = threading.Lock()

    def read_back(self, store: GradeStore) -> int:
        """Add what the repository holds to the store; how many grades were new.

        Raises:
            OhloraError: the repository can't be read, or a file in it is no file of grades.
        """
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            found = snapshot_download(
                self.repo,
                repo_type="dataset",
                allow_patterns=["grades-*.jsonl", "management-*.jsonl", "screens-*.jsonl"],
            )
        except RepositoryNotFoundError:
            return 0  # the first start: the scheduler makes it
        except Exception as error:
            raise OhloraError(
                f"The mirror {self.repo} can't be read ({type(error).__name__}): is HF_TOKEN set "
                "and allowed to write there? Unset OHLORA_MIRROR_REPO to go without.",
                f"사본 저장소 {self.repo}을(를) 읽을 수 없습니다({type(error).__name__}). "
                "HF_TOKEN에 쓰기 권한이 있는지 확인하세요. 사본 없이 쓰려면 "
                "OHLORA_MIRROR_REPO를 지우세요.",
            ) from error
        files = sorted(Path(found).glob("grades-*.jsonl"))
        new = sum(import_grades(store, file).new for file in files)
        for file in sorted(Path(found).glob("management-*.jsonl")):
            self._copied.update(dict.fromkeys(_rows_of(file, _management_row)))
        store.management.add_rows(sorted(self._copied, key=lambda row: row.made_at))
        for file in sorted(Path(found).glob("screens-*.jsonl")):
            store.add_screens(list(_rows_of(file, _screen_row)))
        return new

    def add(self, grades: list[Grade], store: GradeStore) -> None:
        """Append grades to this process's file; they are committed with the next round."""
        self._append(self._file, rows_of(grades, store.graders()))

    def add_management(self, store: GradeStore) -> None:
        """Append what a manager did, and who has seen names, since the last time."""
        new = [row for row in store.management.rows() if row not in self._copied]
        self._append(self._managed, map(asdict, new))
        self._copied.update(dict.fromkeys(new))

    def add_screens(self, screens: Sequence[Screen], store: GradeStore) -> None:
        """Append planned screens, each with the name of its grader."""
        people = store.graders()
        named = [asdict(one) | {"name": people[one.grader].name} for one in screens]
        self._append(self._screens, named)

    def _append(self, path: Path, rows: Iterable[Mapping[str, object]]) -> None:
        with self._lock:
            # Built at the first row: its constructor asks the hub.
            scheduler = self._scheduler or self._start()
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        with scheduler.lock, path.open("a", encoding="utf-8") as file:
            file.writelines(lines)

    def _start(self) -> CommitScheduler:
        from huggingface_hub import CommitScheduler

        scheduler = self._scheduler = CommitScheduler(
            repo_id=self.repo,
            repo_type="dataset",
            folder_path=self.folder,
            every=EVERY,
            private=True,
            squash_history=False,
        )
        atexit.register(scheduler.push_to_hub)
        return scheduler


T = TypeVar("T")


def _rows_of(path: Path, row_of: Callable[[dict[str, object]], T]) -> Iterator[T]:
    for place, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield row_of(json.loads(line))
        except (ValueError, TypeError, AttributeError, KeyError):
            problem = "is no copy of a screen, an invitation, its end or of what somebody saw"
            raise BadFile(path, place, problem, "사본으로 읽을 수 없는 줄입니다") from None


def _management_row(row: dict[str, object]) -> ManagementRow:
    return ManagementRow(**{name: str(value) for name, value in row.items()})


def _screen_row(row: dict[str, object]) -> tuple[Screen, Grader]:
    person = Grader(str(row["grader"]), str(row.pop("name")), str(row["made_at"]))
    return screen_of(row), person


def start_mirror(store: GradeStore) -> Mirror | None:
    """Read the mirror back and keep it up to date, if OHLORA_MIRROR_REPO names one."""
    repo = os.environ.get("OHLORA_MIRROR_REPO")
    if not repo:
        return None
    mirror = Mirror(repo)
    mirror.read_back(store)
    store.on_grades(lambda grades: mirror.add(grades, store))
    store.on_management(lambda: mirror.add_management(store))
    store.on_screens(lambda screens: mirror.add_screens(screens, store))
    return mirror
