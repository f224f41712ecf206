"""A run's folder after a full disk, a crash of the machine, an editor, a hand that removed it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.engines.local import LocalEngine
from benchmarks.results.damaged_files import DamagedFile
from benchmarks.results.folder import RunFolder
from benchmarks.run.runner import run_plan
from model_registry.errors import BadFile, OhloraError
from model_registry.files.whole_file import write_whole
from model_registry.messages.machine_errors import error_words
from model_registry.records import Reply, append_rows
from tests.benchmarks.run.test_run import Counting, lines_of
from tests.support.run_in_a_process import QuickEngine, Silent
from tests.support.small_study import plan_study, write_rows, write_study


@pytest.fixture
def plan(tmp_path, tiny_model):
    return plan_study(write_study(tmp_path / "study", tiny_model), tmp_path / "run")


@pytest.fixture
def folder(tmp_path, plan) -> RunFolder:
    """A run that is done."""
    folder = RunFolder(tmp_path / "run")
    run_plan(plan, folder, QuickEngine(), Silent())
    return folder


def is_whole(folder: RunFolder, plan) -> bool:
    cases = [case.id for case in plan.cases]
    return (
        sorted(result.case for result in folder.results()) == sorted(cases)
        and len(folder.replies()) == 40 * len(cases)
        and len(folder.losses()) == 29 * len(cases)
    )


DAMAGES = {
    "a line cut in the middle": lambda line: line[: len(line) // 2],
    "NUL bytes": lambda line: b"\0" * len(line),
    "garbage": lambda line: os.urandom(len(line)).replace(b"\n", b""),
    "brackets without end": lambda line: b"[" * 100_000,
    "another kind of row": lambda line: b'{"somebody": "else"}',
    "half a line run into the next": lambda line: line[:30] + line,
}


@pytest.mark.parametrize("name", ["results.jsonl", "replies.jsonl", "losses.jsonl"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_lines_are_set_aside_and_their_cases_done_again(plan, folder, name, damage):
    path = folder.path / name
    lines = path.read_bytes().split(b"\n")
    lines[1] = DAMAGES[damage](lines[1])
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(BadFile, match=rf"{name}:2: .*--resume"):
        {"results.jsonl": folder.results, "replies.jsonl": folder.replies,
         "losses.jsonl": folder.losses}[name]()  # fmt: skip
    again = Counting()
    with pytest.warns(DamagedFile, match=f"{name}: 1 damaged lines were set aside"):
        run_plan(plan, folder, again, Silent(), resume=True)
    assert len(again.done) == 1
    assert is_whole(folder, plan)
    assert path.with_name(f"{name}.damaged").read_bytes() == lines[1] + b"\n"


@pytest.mark.parametrize("head", [b"{", b"\0" * 500, b"[]", b'"x"', b"{}", b"\xff\xfe"])
def test_a_head_that_can_not_be_read_is_written_again_from_the_same_study(plan, folder, head):
    folder.head_path.write_bytes(head)
    again = Counting()
    with pytest.warns(DamagedFile, match=r"run\.json"):
        run_plan(plan, folder, again, Silent(), resume=True)
    assert again.done == []
    assert folder.head().contract_hash == plan.contract.hash


def test_without_its_head_a_run_under_other_settings_is_still_not_gone_on_with(
    tmp_path, tiny_model
):
    plan = plan_study(write_study(tmp_path / "study", tiny_model), tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    run_plan(plan, folder, LocalEngineInProcess(), Silent())
    folder.head_path.write_bytes(b"{")
    from dataclasses import replace

    other = replace(plan, contract=replace(plan.contract, seed=7))
    with (
        pytest.warns(DamagedFile),
        pytest.raises(OhloraError, match=r"other settings \(seed: 42 / 7\)"),
    ):
        run_plan(other, folder, Counting(), Silent(), resume=True)


class LocalEngineInProcess(QuickEngine):
    """Its results carry the policy that they were measured under, as a worker's do."""

    def run(self, case, listen):
        outcome = super().run(case, listen)
        outcome.result = case.result("ok")
        return outcome


def test_a_folder_that_is_removed_meanwhile_is_one_clear_error(plan, tmp_path):
    folder = RunFolder(tmp_path / "run")

    class Removes(QuickEngine):
        def run(self, case, listen):
            shutil.rmtree(folder.path)
            return super().run(case, listen)

    with pytest.raises(OhloraError, match="was removed or moved while the run went on"):
        run_plan(plan, folder, Removes(), Silent())
    assert not folder.path.exists()


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A file system of 300 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", place],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("a small file system can't be mounted here: not root")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


class Brief(QuickEngine):
    """One reply a case; before the second one it fills the disk that it is given."""

    def __init__(self, ballast: Path | None = None) -> None:
        self.ballast, self.cases = ballast, 0

    def run(self, case, listen):
        self.cases += 1
        if self.ballast and self.cases == 2:
            with pytest.raises(OSError), self.ballast.open("wb", buffering=0) as file:
                while file.write(b"x" * 512):
                    pass
        outcome = super().run(case, listen)
        outcome.replies = outcome.replies[:1]
        return outcome


def test_a_full_disk_stops_a_run_that_goes_on_once_there_is_room(plan, small_disk):
    folder, ballast = RunFolder(small_disk / "run"), small_disk / "ballast"
    with pytest.raises(OSError) as raised:
        run_plan(plan, folder, Brief(ballast), Silent())
    assert "the disk is full" in error_words(raised.value).lower()
    assert [result.case for result in folder.results()] == [plan.cases[0].id]
    assert all(path.read_bytes().endswith(b"\n") for path in folder.path.glob("*.jsonl"))
    ballast.unlink()
    run_plan(plan, folder, Brief(), Silent(), resume=True)
    assert [result.case for result in folder.results()] == [case.id for case in plan.cases]
    assert len(lines_of(folder.path, "results.jsonl")) == len(plan.cases)


def test_rows_that_do_not_fit_leave_a_file_as_it_was(small_disk, tmp_path):
    replies = QuickEngine().run(_a_case(), None).replies
    path = small_disk / "replies.jsonl"
    append_rows(path, replies[:1])
    before = path.read_bytes()
    with pytest.raises(OSError):
        append_rows(path, replies * 20)
    assert path.read_bytes() == before


def test_a_file_that_does_not_fit_leaves_the_old_one_and_nothing_beside(small_disk):
    path = small_disk / "run.json"
    write_whole(path, b"old")
    with pytest.raises(OSError):
        write_whole(path, b"x" * 10**6)
    assert path.read_bytes() == b"old"
    assert list(small_disk.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_read_only_folder_is_one_clear_error_before_anything_is_done(plan, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    engine = Counting()
    with pytest.raises(OhloraError, match=r"can't be written to \(Read-only file system\)"):
        run_plan(plan, RunFolder(small_disk / "run"), engine, Silent())
    assert engine.done == []


def _a_case():
    from tests.benchmarks.run.test_interruptions import case_of_nothing

    return case_of_nothing()


def _answers_strangely(case, connection) -> None:
    """What models do give: half a character, NUL, escapes, line ends that JSON lines have not."""
    replies = ["홀로 \ud800 남은", "\0NUL\0", "\x1b[2J\u2028\x85\r", ""]
    connection.send(("hello", os.getpid(), 0))
    for row, reply in zip(case.task.prompts, replies, strict=True):
        connection.send(("reply", Reply(case.id, case.candidate.name, row.prompt, reply,
                                        "greedy", None, 3, "stop")))  # fmt: skip
    connection.send(("done", case.result("ok")))


def test_strange_replies_and_a_prompt_of_a_megabyte_go_through_a_run(tmp_path, tiny_model):
    study = write_study(tmp_path / "study", tiny_model, ("one",))
    rows = write_rows(tmp_path / "study" / "rows")
    prompts = ["가나다라 " * 80_000, "줄\u2028바꿈\u0085", "평범한 질문", '"\\']
    lines = [json.dumps({"prompt": prompt, "reply": "답"}) + "\n" for prompt in prompts]
    (rows / "test.jsonl").write_text("".join(lines), encoding="utf-8")
    plan = plan_study(study, tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    results = run_plan(plan, folder, LocalEngine(work=_answers_strangely), Silent())
    assert {result.status for result in results} == {"ok"}
    said = {reply.reply for reply in folder.replies()}
    assert said == {"홀로 ? 남은", "\0NUL\0", "\x1b[2J\u2028\x85\r", ""}
    again = Counting()
    run_plan(plan, folder, again, Silent(), resume=True)
    assert again.done == []
