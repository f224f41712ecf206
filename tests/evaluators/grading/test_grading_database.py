"""Databases that are locked, damaged, newer, shared or restarted: no grade is lost or doubled."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from random import Random

import httpx
import pytest

from evaluators.grading.store.grade_records import Grade, Grader
from evaluators.grading.store.grade_store import GradeStore
from model_registry.errors import OhloraError
from tests.pages.page_server import ROOT, Page, running_page
from tests.support.grading_fixtures import make_run
from tests.support.postgres_fixture import RestartedServer
from tests.support.postgres_fixture import postgres as postgres

HOLDER = """
import sqlite3, sys, time
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
held.execute("COMMIT")
"""


def hold(file: Path, seconds: float) -> subprocess.Popen[str]:
    """Another process that keeps a database for itself; it does when this returns."""
    command = [sys.executable, "-c", HOLDER, str(file), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline().strip() == "held"
    return process


def a_store(file: Path) -> GradeStore:
    store = GradeStore.open(f"sqlite:///{file}")
    store.add_grader(Grader("g", "민지"))
    return store


def a_grade(key: str) -> Grade:
    return Grade(key, key, "g", "run", "case", "가", "질문", "답", 4)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_database_that_is_locked_for_a_minute_is_waited_for(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    with running_page(tmp_path, "--run", str(run)) as page:
        token = page.sit()
        screen = page.value("grade_screen", token, "", -1)
        begun = time.monotonic()
        holder = hold(tmp_path / "data" / "grades.db", 60)
        asked = ("grade_submit", token, screen["screen"], [{"grade": 4}] * 2, "a", 1, "")
        with httpx.Client(base_url=page.base, timeout=200) as patient:
            while (answer := page.ask(*asked, client=patient)).status_code != 200:
                assert answer.status_code == 503, answer.text  # a browser sends it again
        assert time.monotonic() - begun > 50
        holder.wait()
        assert page.value(*asked)["stored"] == 0
        stored = GradeStore.open(f"sqlite:///{tmp_path / 'data' / 'grades.db'}").grades(
            history=True
        )
        assert [g.grade for g in stored] == [4, 4]
    assert "Traceback" not in (tmp_path / "page.log").read_text()


def test_a_file_that_is_no_database_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    for content in (b"no database at all " * 100, b"SQLite format 3\0" + b"\xff" * 4096):
        file = tmp_path / "grades.db"
        file.write_bytes(content)
        with pytest.raises(OhloraError) as told:
            GradeStore.open(f"sqlite:///{file}").check_writable()
        assert len(str(told.value).splitlines()) == 1
        assert file.read_bytes() == content


def test_a_database_that_is_damaged_in_the_middle_loses_no_word_about_it(tmp_path: Path) -> None:
    file = tmp_path / "grades.db"
    store = a_store(file)
    for start in range(0, 400, 40):
        store.add_grades([a_grade(f"k{i}") for i in range(start, start + 40)])
    store.close()
    sqlite3.connect(file).execute("PRAGMA wal_checkpoint(TRUNCATE)")
    damaged = bytearray(file.read_bytes())
    damaged[8192:-4096] = Random(0).randbytes(len(damaged) - 8192 - 4096)
    file.write_bytes(bytes(damaged))
    with pytest.raises(OhloraError, match="damaged"):
        GradeStore.open(f"sqlite:///{file}").grades(history=True)
    assert file.read_bytes()[:100] == bytes(damaged)[:100]


MIGRATOR = """
import sys
from evaluators.grading.store.grade_store import Grader, GradeStore
store = GradeStore.open(sys.argv[1])
store.add_grader(Grader(sys.argv[2], "x"))
"""


def old_database(file: Path) -> None:
    """A database as the first version left it, with a grade."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, text

    config = Config()
    config.set_main_option("script_location", str(ROOT / "evaluators/grading/store/migrations"))
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("INSERT INTO graders VALUES ('g', '민지', '2026-01-01')"))
    engine.dispose()


@pytest.mark.slow
@pytest.mark.parametrize("old", [False, True], ids=["new", "of the first version"])
def test_four_processes_that_migrate_at_once_make_one_database(tmp_path: Path, old: bool) -> None:
    file = tmp_path / "grades.db"
    if old:
        old_database(file)
    command = [sys.executable, "-c", MIGRATOR, f"sqlite:///{file}"]
    migrators = [
        subprocess.Popen([*command, f"g{i}"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for i in range(4)
    ]
    said = [one.communicate()[1] for one in migrators]
    assert [one.returncode for one in migrators] == [0] * 4, said
    known = GradeStore.open(f"sqlite:///{file}").graders()
    assert set(known) == {f"g{i}" for i in range(4)} | ({"g"} if old else set())


def grade_all(page: Page, name: str, kept: list[str]) -> None:
    """One grader to the end, sending again whatever a restart swallowed, as a browser does."""
    with httpx.Client(base_url=page.base, timeout=300) as client:

        def patient(*asked: object) -> dict[str, object]:
            while (answer := page.ask(*asked, client=client)).status_code != 200:  # type: ignore[arg-type]
                assert answer.status_code == 503, answer.text
                time.sleep(0.2)
            return dict(answer.json()["data"][0])

        token = str(patient("grade_start", name, "")["grader"])
        while "finished" not in (screen := patient("grade_screen", token, "", -1)):
            count = len(screen["replies"])  # type: ignore[arg-type]
            patient("grade_submit", token, screen["screen"], [{"grade": 3}] * count, "a", 1, "")
            kept.append(str(screen["screen"]))


def check(store: GradeStore, kept: list[str]) -> None:
    stored = store.grades(history=True)
    assert {g.screen for g in stored} == set(kept)
    assert max(Counter(g.key for g in stored).values()) == 1
    for screen, count in Counter(g.screen for g in stored).items():
        assert count == next(g.shown for g in stored if g.screen == screen)


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_two_pages_on_one_database_keep_every_grade_once(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    (tmp_path / "b").mkdir()
    environment = {"OHLORA_DATA_DIR": str(tmp_path / "data")}
    kept: list[str] = []
    with (
        running_page(tmp_path, "--run", str(run)) as one,
        running_page(tmp_path / "b", "--run", str(run), environment=environment) as other,
    ):
        people = [
            threading.Thread(target=grade_all, args=(page, f"사람 {i}", kept))
            for i, page in enumerate((one, other) * 3)
        ]
        for person in people:
            person.start()
        for person in people:
            person.join()
        token = one.sit("둘 다")
        first = one.value("grade_screen", token, "", -1)["screen"]
        assert other.value("grade_screen", token, "", -1)["screen"] == first
    check(GradeStore.open(f"sqlite:///{tmp_path / 'data' / 'grades.db'}"), kept)
    for log in (tmp_path / "page.log", tmp_path / "b" / "page.log"):
        assert "Traceback" not in log.read_text()


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_a_postgresql_that_is_restarted_while_graders_hand_in_loses_nothing(
    tmp_path: Path, postgres: RestartedServer
) -> None:
    run = make_run(tmp_path / "run")
    kept: list[str] = []
    environment = {"OHLORA_DB_URL": postgres.url}
    with running_page(tmp_path, "--run", str(run), environment=environment) as page:
        people = [
            threading.Thread(target=grade_all, args=(page, f"사람 {i}", kept)) for i in range(6)
        ]
        for person in people:
            person.start()
        while len(kept) < 15:
            time.sleep(0.05)
        postgres.restart()
        for person in people:
            person.join()
    store = GradeStore.open(postgres.url.replace("postgresql:", "postgresql+psycopg:"))
    check(store, kept)
    assert len(kept) == 6 * 15
    store.close()
    assert "Traceback" not in (tmp_path / "page.log").read_text()
