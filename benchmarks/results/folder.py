"""The run folder: begins, appends and reads the files of a run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.results.damaged_files import mend_rows, set_aside
from benchmarks.results.run_head import (
    CandidateRow,
    PlannedCase,
    RejectedCandidate,
    RowCounts,
    RunHead,
)
from benchmarks.run.case import Case
from benchmarks.study.contract import differences
from benchmarks.study.plan import Plan
from benchmarks.study.study_files import parse_study
from evaluators.instructions.instruction_declarations import Declared, prompt_key
from model_registry.errors import BadFile, OhloraError
from model_registry.files.folder_lock import FolderLock
from model_registry.files.whole_file import write_whole
from model_registry.records import (
    Loss,
    Record,
    Reply,
    Result,
    ScoreRow,
    TaskSample,
    append_rows,
    line_of,
    parse_row,
    read_rows,
)
from model_registry.statuses import status_called

#: What a machine has too little of or forbids, not the case: errno's names, as `figures` has them.
MACHINE_TROUBLE = ("ENOSPC", "EDQUOT", "ENFILE", "EROFS", "EIO")


def was_interrupted(result: Result) -> bool:
    """Whether a case was ended from outside, which says nothing about its candidate."""
    return (
        status_called(result.status).interrupted or result.figures.get("errno") in MACHINE_TROUBLE
    )


class RunFolder:
    """A run's files by name; each is read when asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_kept = False

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
            raise OhloraError(
                f"{self.path} holds no run: there is no run.json in it.",
                f"{self.path}에 실행 결과가 없습니다(run.json이 없음).",
            )
        try:
            row = json.loads(self.head_path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise BadFile(
                self.head_path, None, f"not JSON ({error})", f"JSON이 아닙니다({error})"
            ) from error
        try:
            source = str(row.get("study_source", ""))
            return RunHead.from_json(row, self._variants(row["cases"], source))
        except KeyError as error:
            raise BadFile(
                self.head_path,
                None,
                f"not the head of a run: no {error}",
                f"실행 결과의 머리 파일이 아닙니다({error} 없음)",
            ) from error
        except (TypeError, AttributeError) as error:
            raise BadFile(
                self.head_path,
                None,
                f"not the head of a run ({error})",
                f"실행 결과의 머리 파일이 아닙니다({error})",
            ) from error

    def _variants(self, cases: Sequence[object], study_source: str) -> list[str]:
        """The names that the study of an older run gives its variants; its ids don't tell."""
        if not any(isinstance(case, str) for case in cases):
            return []
        try:
            study = parse_study(study_source, self.head_path)
        except OhloraError:
            return []
        return [variant.name for variant in study.work.variants]

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Lock the folder against other writers; the holder may ask again.

        Raises:
            OhloraError: another process runs here, or nothing can be written.
        """
        if self._is_kept:
            yield
            return
        with FolderLock(self.path).acquire():
            self._is_kept = True
            try:
                yield
            finally:
                self._is_kept = False

    def begin(self, plan: Plan, *, resume: bool) -> None:
        """Write the plan, or join it to that of a resumed run, whose files are repaired.

        Raises:
            OhloraError: a run is here already, or another contract than this one's.
        """
        if not self.exists():
            self._write_head(head_of(plan))
            return
        if not resume:
            raise OhloraError(
                f"{self.path} holds a run already. Add --resume to go on with it, "
                "or choose another --out.",
                f"{self.path}에 이미 실행 결과가 있습니다. --resume을 더해 이어가거나 다른 "
                "--out을 지정하세요.",
            )
        self._mend()
        changed = differences(self._begun_under(plan), plan.contract.shared())
        if changed:
            raise OhloraError(
                f"The run in {self.path} was begun under other settings "
                f"({'; '.join(changed)}): its figures would not compare. Use the same "
                "settings or another --out.",
                f"{self.path}의 실행은 다른 설정에서 시작되었습니다({'; '.join(changed)}). "
                "수치를 비교할 수 없으니 같은 설정이나 다른 --out을 쓰세요.",
            )
        begun = self.head() if self.exists() else None
        head = begun.joined_by(head_of(plan)) if begun else head_of(plan)
        if head != begun:
            self._write_head(head)

    def _begun_under(self, plan: Plan) -> dict[str, object]:
        """The contract of the run that is here: its head's, or where that is lost its results'."""
        if self.exists():
            return dict(self.head().contract)
        told = (dict(result.policy) for result in self.results() if result.policy)
        return next(told, plan.contract.shared())

    def _mend(self) -> None:
        """Set aside what can't be read; the cases it belonged to are then unfinished."""
        try:
            self.head()
        except BadFile:
            set_aside(self.head_path)
        mend_rows(self.path / "results.jsonl", Result)
        mend_rows(self.path / "replies.jsonl", Reply)
        mend_rows(self.path / "losses.jsonl", Loss)
        mend_rows(self.path / "scores.jsonl", ScoreRow)
        mend_rows(self.path / "task_samples.jsonl", TaskSample)

    def _write_head(self, head: RunHead) -> None:
        words = json.dumps(head.to_json(), ensure_ascii=False, indent=2)
        write_whole(self.head_path, (words + "\n").encode("utf-8", errors="replace"))

    def unfinished(self, plan: Plan, *, retry_failed: bool = False) -> list[Case]:
        """The cases that a resumed run does: without a result, ended from outside, or with rows
        that got lost.

        Args:
            plan: with all cases.
            retry_failed: those that failed by themselves too.
        """
        results = {result.case: result for result in self.results()}
        kept = Counter(reply.case for reply in self.replies())
        learned = Counter(loss.case for loss in self.losses())
        measured = Counter(sample.case for sample in self.task_samples())

        def is_finished(case: Case) -> bool:
            result = results.get(case.id)
            if result is None or was_interrupted(result) or (retry_failed and not result.ok):
                return False
            rows = {"replies": kept, "losses": learned, "task_samples": measured}
            return all(
                rows[name][case.id] >= count for name, count in result.rows.items() if name in rows
            )

        return [case for case in plan.cases if not is_finished(case)]

    def results(self) -> list[Result]:
        return read_rows(self.path / "results.jsonl", Result)

    def replies(self) -> list[Reply]:
        return read_rows(self.path / "replies.jsonl", Reply)

    def losses(self) -> list[Loss]:
        return read_rows(self.path / "losses.jsonl", Loss)

    def scores(self) -> list[ScoreRow]:
        return read_rows(self.path / "scores.jsonl", ScoreRow)

    def task_samples(self) -> list[TaskSample]:
        return read_rows(self.path / "task_samples.jsonl", TaskSample)

    def add_case(
        self,
        result: Result,
        replies: list[Reply],
        losses: list[Loss],
        samples: Sequence[TaskSample] = (),
    ) -> None:
        """A finished case. Its result comes last: a case with a result has all its rows.

        Raises:
            OhloraError: the folder was removed meanwhile.
            OSError: nothing can be written.
        """
        if not self.exists():
            raise OhloraError(
                f"{self.path} was removed or moved while the run went on. Put it back and go "
                "on with --resume, or begin anew.",
                f"실행 중에 {self.path} 폴더가 지워지거나 옮겨졌습니다. 되돌린 뒤 --resume으로 "
                "이어가거나 새로 시작하세요.",
            )
        rows = {"replies": _count(replies), "losses": _count(losses)}
        rows |= {"task_samples": _count(samples)} if samples else {}
        append_rows(self.path / "replies.jsonl", replies)
        append_rows(self.path / "losses.jsonl", losses)
        append_rows(self.path / "task_samples.jsonl", samples)
        append_rows(self.path / "results.jsonl", [replace(result, rows=rows)])

    def add_scores(self, rows: list[ScoreRow]) -> None:
        append_rows(self.path / "scores.jsonl", rows)


def _count(records: Sequence[Record]) -> int:
    """How many rows a reader will find: of those that share a key in the file, only the last."""
    return len({parse_row(type(record), line_of(record)).key for record in records})


def _checks_asked(plan: Plan) -> Declared:
    """Those declared for the prompts that are asked."""
    keys = dict.fromkeys(prompt_key(row.prompt) for row in plan.task.prompts) if plan.checks else {}
    return {key: plan.checks[key] for key in keys if key in plan.checks}


def head_of(plan: Plan) -> RunHead:
    """The head that a run keeps of a plan."""
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
        candidates=tuple(
            CandidateRow.of(candidate, plan.tokens_per_100.get(candidate.name))
            for candidate in plan.candidates
        ),
        rejected=tuple(
            RejectedCandidate(r.candidate.name, r.reasons) for r in plan.selection.rejected
        ),
        overrides=tuple(study.overrides),
        use=study.criteria.use,
        cases=tuple(
            PlannedCase(case.candidate.name, case.workload, case.setting, case.instead_of)
            for case in plan.cases
        ),
        facts=plan.facts,
        checks=_checks_asked(plan),
        register=study.data.register,
        rows=RowCounts(len(plan.task.train), len(plan.task.valid), len(plan.task.prompts)),
        memory_limit_bytes=limits.memory_bytes if limits else None,
        time_limit_seconds=limits.seconds if limits else None,
        notes=plan.notes,
        study_source=study.source,
    )
