"""Results are computed once for all who look, away from the graders; the HTML is small."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from evaluators.grading.store.grade_records import Grade, Grader
from evaluators.grading.store.grade_store import GradeStore
from pages.serving import shared_results
from pages.serving.page_shell import PageShell
from pages.serving.shared_results import SharedResults
from tests.pages.event_loops import finish
from tests.support.grading_fixtures import make_run


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    return make_run(tmp_path / "run")


@pytest.fixture
def store(tmp_path: Path) -> GradeStore:
    return GradeStore.open(f"sqlite:///{tmp_path / 'grades.db'}")


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders whose results were computed."""
    done: list[Path] = []
    whole = shared_results.results_document

    def counted(folder: Path, store: GradeStore | str, files: Path) -> dict:
        done.append(folder)
        return whole(folder, store, files)

    monkeypatch.setattr(shared_results, "results_document", counted)
    return done


def grade(store: GradeStore, key: str) -> None:
    who = store.add_grader(Grader("g", "민지"))
    store.add_grades([Grade(key, key, who.id, "run", "case-0-inference", "가온-0.4b", "q", "a", 4)])


def test_ten_who_look_at_once_cause_one_computation(
    run: Path, store: GradeStore, computed: list[Path]
) -> None:
    shared = SharedResults(apart=False)

    async def look() -> list[object]:
        return list(await asyncio.gather(*(shared.of(run, store) for _ in range(10))))

    found = finish(look())
    assert computed == [run]
    assert all(one is found[0] for one in found)


def test_results_are_kept_until_a_grade_or_a_file_is_new(
    run: Path, store: GradeStore, computed: list[Path]
) -> None:
    shared = SharedResults(apart=False)

    def look() -> None:
        finish(shared.of(run, store))

    look()
    look()
    assert len(computed) == 1
    grade(store, "a")
    look()
    look()
    assert len(computed) == 2
    with (run / "scores.jsonl").open("a") as scores:
        scores.write("\n")
    look()
    assert len(computed) == 3


def test_a_visitor_who_leaves_ends_the_computation_for_nobody_else(
    run: Path, store: GradeStore, computed: list[Path]
) -> None:
    shared = SharedResults(apart=False)

    async def leave_and_stay() -> object:
        leaves, stays = (asyncio.create_task(shared.of(run, store)) for _ in range(2))
        await asyncio.sleep(0.01)
        leaves.cancel()
        return await stays

    assert finish(leave_and_stay())
    assert len(computed) == 1


@pytest.mark.slow
def test_another_process_computes_the_same(run: Path, store: GradeStore) -> None:
    grade(store, "a")
    here = finish(SharedResults(apart=False).of(run, store))
    apart = finish(SharedResults().of(run, store))
    assert apart.document == here.document
    assert apart.grades_csv.read_bytes() == here.grades_csv.read_bytes()


@pytest.fixture
def shell() -> TestClient:
    async def page(_: object) -> HTMLResponse:
        return HTMLResponse('<html lang="en"><head></head><body><gradio-app></gradio-app></body>')

    app = Starlette(routes=[Route("/", page)], middleware=[Middleware(PageShell)])
    return TestClient(app)


def test_the_page_is_in_the_language_of_its_address_and_keeps_it(shell: TestClient) -> None:
    korean = shell.get("/?lang=ko", headers={"accept-language": "en"})
    assert '<html lang="ko">' in korean.text
    assert "어떤 작은 한국어 모델" in korean.text
    assert '<html lang="ko">' in shell.get("/", headers={"accept-language": "en"}).text
    assert '<html lang="en">' in shell.get("/?lang=en").text


def test_an_unknown_language_is_the_browsers(shell: TestClient) -> None:
    answer = shell.get("/?lang=%3Cscript%3E", headers={"accept-language": "ko-KR"})
    assert '<html lang="ko">' in answer.text
    assert "set-cookie" not in answer.headers
