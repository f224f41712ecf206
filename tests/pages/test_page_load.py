"""Many graders at once, and a server that dies in the middle: no grade is lost, none is twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from evaluators.grading.store.grade_records import Grade
from evaluators.grading.store.grade_store import GradeStore
from tests.pages.page_server import PATIENCE, Page, running_page
from tests.support.grading_fixtures import CANDIDATES, make_run
from tests.support.postgres_fixture import postgres as postgres
from tests.support.postgres_fixture import postgres_url as postgres_url

pytestmark = [pytest.mark.slow, pytest.mark.alone]

GRADERS = 50
GRADES = 40

#: Ten prompts with four replies each make forty grades; four prompts more are the repeats' room.
PROMPTS = [f"질문 {i}: 무엇이 좋을까?" for i in range(12)]
FOUR = [*CANDIDATES, "다온-2b"]


def grade_forty(page: Page, name: str) -> list[tuple[str, str]]:
    """One grader hands in forty grades, each screen twice as a double click would.

    Returns (screen, attempt) for every submission that the server acknowledged.
    """
    acknowledged = []
    with httpx.Client(base_url=page.base, timeout=PATIENCE) as client:
        token = page.sit(name, client=client)
        given = 0
        while given < GRADES:
            screen = page.value("grade_screen", token, "", -1, client=client)
            grades = [{"grade": 1 + (given + i) % 5} for i in range(len(screen["replies"]))]
            asked = ("grade_submit", token, screen["screen"], grades, f"attempt {given}", 2.0, "")
            assert page.value(*asked, client=client)["stored"] == len(grades)
            acknowledged.append((screen["screen"], f"attempt {given}"))
            assert page.value(*asked, client=client)["stored"] == 0
            given += 0 if screen["practice"] else len(grades)
    return acknowledged


def check_two_thousand(page: Page, store: GradeStore) -> None:
    begin = time.monotonic()
    with ThreadPoolExecutor(GRADERS) as pool:
        done = list(pool.map(lambda i: grade_forty(page, f"평가자 {i}"), range(GRADERS)))
    seconds = time.monotonic() - begin
    stored = [g for g in store.grades(history=True) if g.kind != "practice"]
    print(f"{len(stored)} grades by {GRADERS} graders in {seconds:.1f} s")
    assert len(stored) == GRADERS * GRADES == 2000
    assert max(Counter(g.key for g in stored).values()) == 1
    assert set(Counter(g.grader for g in stored).values()) == {GRADES}
    assert {s for mine in done for s, _ in mine} == {g.screen for g in store.grades(history=True)}


@pytest.mark.timeout(1800)
def test_fifty_graders_at_once_lose_nothing_and_store_nothing_twice(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", PROMPTS, FOUR)
    with running_page(tmp_path, "--run", str(run)) as page:
        store = GradeStore.open(f"sqlite:///{tmp_path / 'data' / 'grades.db'}")
        check_two_thousand(page, store)
    assert "Traceback" not in (tmp_path / "page.log").read_text()


@pytest.mark.timeout(1800)
def test_fifty_graders_at_once_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    run = make_run(tmp_path / "run", PROMPTS, FOUR)
    with running_page(
        tmp_path, "--run", str(run), environment={"OHLORA_DB_URL": postgres_url}
    ) as page:
        store = GradeStore.open(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
        check_two_thousand(page, store)
        store.close()
    assert "Traceback" not in (tmp_path / "page.log").read_text()


def kill_in_the_middle(page: Page, store: GradeStore) -> None:
    """Twenty graders work; the server dies; what was acknowledged is there, once."""
    acknowledged: list[tuple[str, str]] = []
    lock = threading.Lock()

    def work(name: str) -> None:
        try:
            with httpx.Client(base_url=page.base, timeout=PATIENCE) as client:
                token = page.sit(name, client=client)
                while True:
                    screen = page.value("grade_screen", token, "", -1, client=client)
                    if "finished" in screen:
                        return
                    grades = [{"grade": 3} for _ in screen["replies"]]
                    page.value(
                        "grade_submit", token, screen["screen"], grades, "a", 1, "", client=client
                    )
                    with lock:
                        acknowledged.append((screen["screen"], "a"))
        except httpx.HTTPError:
            return  # the server is gone

    workers = [threading.Thread(target=work, args=(f"평가자 {i}",)) for i in range(20)]
    for worker in workers:
        worker.start()
    while len(acknowledged) < 40:
        time.sleep(0.02)
    page.kill()
    for worker in workers:
        worker.join()
    stored = store.grades(history=True)
    kept = {g.screen for g in stored}
    print(f"killed after {len(acknowledged)} screens were acknowledged; {len(kept)} are stored")
    assert {screen for screen, _ in acknowledged} <= kept
    assert max(Counter(g.key for g in stored).values()) == 1
    assert_whole_screens(stored)


def assert_whole_screens(stored: list[Grade]) -> None:
    """A screen is stored with all its grades or not at all."""
    for screen, count in Counter(g.screen for g in stored).items():
        assert count == next(g.shown for g in stored if g.screen == screen)


@pytest.mark.timeout(900)
def test_kill_9_loses_no_grade_that_was_acknowledged_and_graders_go_on(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", PROMPTS, FOUR)
    store = GradeStore.open(f"sqlite:///{tmp_path / 'data' / 'grades.db'}")
    with running_page(tmp_path, "--run", str(run)) as page:
        token = page.sit("돌아온 사람")
        first = page.value("grade_screen", token, "", -1)
        page.value("grade_submit", token, first["screen"], [{"grade": 4}] * 2, "", 1, "")
        kill_in_the_middle(page, store)
    with running_page(tmp_path, "--run", str(run)) as page:
        assert page.value("grade_screen", token, "", -1)["number"] == 1


@pytest.mark.timeout(900)
def test_kill_9_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    run = make_run(tmp_path / "run", PROMPTS, FOUR)
    store = GradeStore.open(postgres_url.replace("postgresql:", "postgresql+psycopg:"))
    before = len(store.grades(history=True))
    with running_page(
        tmp_path, "--run", str(run), environment={"OHLORA_DB_URL": postgres_url}
    ) as page:
        kill_in_the_middle(page, store)
    assert len(store.grades(history=True)) > before
    store.close()
