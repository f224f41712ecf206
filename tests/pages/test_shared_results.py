"""Results are computed once for all who look, away from the graders; the HTML is small."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from evaluators.grading.gradable_replies import identify, read_run
from evaluators.grading.store.grade_records import Grade, Grader
from evaluators.grading.store.grade_store import GradeStore
from model_registry.errors import OhloraError
from pages.serving import shared_results
from pages.serving.page_shell import PageShell
from pages.serving.shared_results import Look, SharedResults
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


def grade(store: GradeStore, run: Path, key: str) -> None:
    """A grade more of the run's first reply."""
    item = read_run(run).items[0]
    shown = identify(item.replies[0])
    who = store.add_grader(Grader("g", "민지"))
    store.add_grades([
        Grade(key, key, who.id, run.name, shown.case, shown.candidate, item.prompt,
              item.replies[0].reply, 4, pass_=shown.pass_, tuned=shown.tuned,
              reply_hash=shown.reply_hash)
    ])  # fmt: skip


def test_ten_who_look_first_and_at_once_cause_one_computation(
    run: Path, store: GradeStore, computed: list[Path]
) -> None:
    shared = SharedResults(apart=False)

    async def look() -> list[Look]:
        return list(await asyncio.gather(*(shared.of(run, store) for _ in range(10))))

    found = finish(look())
    assert computed == [run]
    assert all(one.kept is found[0].kept and not one.refreshing for one in found)


def grades_in(look: Look) -> int:
    count: int = look.kept.document["summary"]["grades"]
    return count


async def refreshed(shared: SharedResults, run: Path, store: GradeStore) -> Look:
    """What is shown once nothing newer is being made."""
    while (look := await shared.of(run, store)).refreshing and not look.failed:
        await asyncio.sleep(0.01)
    return look


def test_results_are_kept_until_a_grade_or_a_file_is_new(
    run: Path, store: GradeStore, computed: list[Path]
) -> None:
    shared = SharedResults(apart=False, pause=0)

    async def look_and_change() -> None:
        await shared.of(run, store)
        await refreshed(shared, run, store)
        assert len(computed) == 1
        grade(store, run, "a")
        assert grades_in(await refreshed(shared, run, store)) == 1
        await refreshed(shared, run, store)
        assert len(computed) == 2
        for number, name in enumerate(("scores.jsonl", "grading_scope.jsonl"), start=3):
            with (run / name).open("a") as file:
                file.write("\n")
            await refreshed(shared, run, store)
            assert len(computed) == number, name

    finish(look_and_change())


@dataclass
class Gate:
    """Computations wait at it while it is shut; `times` is when each began and ended."""

    open: threading.Event = field(default_factory=threading.Event)
    times: list[tuple[float, float]] = field(default_factory=list)
    inside: int = 0


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate, whole = Gate(), shared_results.results_document
    gate.open.set()

    def gated(folder: Path, store: GradeStore | str, files: Path) -> dict:
        begun = time.monotonic()
        gate.inside += 1
        assert gate.inside == 1, "two run at once"
        time.sleep(0.1)
        assert gate.open.wait(240)
        found = whole(folder, store, files)
        gate.inside -= 1
        gate.times.append((begun, time.monotonic()))
        return found

    monkeypatch.setattr(shared_results, "results_document", gated)
    return gate


def test_a_visitor_never_waits_for_a_refresh_and_two_never_run_at_once(
    tmp_path: Path, run: Path, store: GradeStore, gate: Gate
) -> None:
    shared, runs = SharedResults(apart=False, pause=0), [run, make_run(tmp_path / "other")]

    async def look_while_newer_results_are_made() -> None:
        await asyncio.gather(*(shared.of(one, store) for one in runs))
        gate.open.clear()
        for number in range(5):
            for one in runs:
                grade(store, one, f"{one.name} {number}")
                look = await shared.of(one, store)  # would wait for ever at the gate
                assert (look.refreshing, grades_in(look)) == (True, 0)
                assert shared.is_unchanged(one, look.kept.read_at)
        gate.open.set()
        for one in runs:
            newest = await refreshed(shared, one, store)
            assert grades_in(newest) == 5
            assert not shared.is_unchanged(one, newest.kept.read_at), "nothing is being made"
            grade(store, one, f"{one.name} later")
            assert (await shared.of(one, store)).refreshing
            assert shared.is_unchanged(one, newest.kept.read_at)
            assert grades_in(await refreshed(shared, one, store)) == 6
            assert not shared.is_unchanged(one, newest.kept.read_at), "newer ones are there"

    finish(look_while_newer_results_are_made())
    assert len(gate.times) <= 2 + 2 * 2 + 2, "ten grades are no ten computations"


def test_a_grade_shows_up_after_the_pause_and_not_before(
    run: Path, store: GradeStore, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_results, "LEISURE", 0)  # on a busy machine it would be longer
    shared, pauses, really = SharedResults(apart=False, pause=0.7), [], asyncio.sleep

    async def noted(seconds: float) -> None:
        pauses.append(seconds)
        await really(seconds)

    async def see_a_grade() -> None:
        await shared.of(run, store)
        grade(store, run, "a")
        assert grades_in(await refreshed(shared, run, store)) == 1

    monkeypatch.setattr(shared_results.asyncio, "sleep", noted)
    finish(see_a_grade())
    (_, end), (begin, _) = gate.times
    assert begin - end >= 0.7
    assert max(pauses) <= 0.7, "and no longer than that, whatever the machine took"


def test_a_pause_is_longer_where_the_computation_was(
    run: Path, store: GradeStore, gate: Gate
) -> None:
    shared = SharedResults(apart=False, pause=0)

    async def see_a_grade() -> None:
        await shared.of(run, store)
        grade(store, run, "a")
        assert grades_in(await refreshed(shared, run, store)) == 1

    finish(see_a_grade())
    (first, end), (begin, _) = gate.times
    assert begin - end >= shared_results.LEISURE * (end - first)


def test_what_can_t_be_refreshed_stays_and_the_log_has_the_reason(
    run: Path, store: GradeStore, caplog: pytest.LogCaptureFixture
) -> None:
    shared = SharedResults(apart=False, pause=0)

    async def damage() -> tuple[Look, Look]:
        first = await shared.of(run, store)
        results = (run / "results.jsonl").read_text()
        (run / "results.jsonl").write_text("no json\n" + results)
        failed = await refreshed(shared, run, store)
        (run / "results.jsonl").write_text(results)
        while (mended := await shared.of(run, store)).refreshing:
            await asyncio.sleep(0.01)
        assert failed.kept is first.kept
        return failed, mended

    failed, mended = finish(damage())
    assert failed.failed and "results.jsonl" in caplog.text
    assert not mended.failed


def test_the_first_look_of_a_damaged_run_is_an_error(run: Path, store: GradeStore) -> None:
    (run / "results.jsonl").write_text("no json\n{}\n")
    with pytest.raises(OhloraError, match=r"results\.jsonl"):
        finish(SharedResults(apart=False).of(run, store))


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


def test_results_made_before_anybody_looks_are_those_of_the_first_look(
    run: Path, store: GradeStore, computed: list[Path]
) -> None:
    shared = SharedResults(apart=False)

    async def make_and_look() -> Look:
        await shared.make_ahead(run, store)
        await shared.make_ahead(run, store)
        return await shared.of(run, store)

    assert not finish(make_and_look()).refreshing
    assert computed == [run]


def test_whoever_looks_while_they_are_made_ahead_waits_for_the_same(
    run: Path, store: GradeStore, gate: Gate
) -> None:
    shared = SharedResults(apart=False)
    gate.open.clear()

    async def look_meanwhile() -> list[Look]:
        ahead = asyncio.create_task(shared.make_ahead(run, store))
        while not gate.inside:
            await asyncio.sleep(0.01)
        looks = [asyncio.create_task(shared.of(run, store)) for _ in range(2)]
        gate.open.set()
        await ahead
        return [await look for look in looks]

    first, second = finish(look_meanwhile())
    assert first.kept is second.kept and not first.refreshing
    assert len(gate.times) == 1


def test_the_first_look_waits_for_newer_ones_where_a_grade_came_since_they_were_made_ahead(
    run: Path, store: GradeStore, computed: list[Path]
) -> None:
    shared = SharedResults(apart=False, pause=3600)

    async def grade_before_anybody_looks() -> list[Look]:
        await shared.make_ahead(run, store)
        grade(store, run, "a")
        looks = asyncio.gather(*(shared.of(run, store) for _ in range(3)))
        return list(await asyncio.wait_for(looks, 120))  # and for no pause

    looks = finish(grade_before_anybody_looks())
    assert [(grades_in(look), look.refreshing) for look in looks] == [(1, False)] * 3
    assert len(computed) == 2


@pytest.mark.parametrize("ahead", [True, False])
def test_results_begun_before_a_grade_are_not_taken_for_those_with_it(
    run: Path, store: GradeStore, monkeypatch: pytest.MonkeyPatch, ahead: bool
) -> None:
    """Whoever has just finished looks while others' results, or those made ahead, are made."""
    shared, done, go_on = SharedResults(apart=False, pause=0), threading.Event(), threading.Event()
    whole, stamp = shared_results.results_document, shared_results.state_of
    stamps: list[object] = []

    def slow_to_end(folder: Path, store: GradeStore | str, files: Path) -> dict:
        found = whole(folder, store, files)
        done.set()
        assert go_on.wait(240)
        return found

    def noted(folder: Path, store: GradeStore) -> tuple[object, ...]:
        stamps.append(found := stamp(folder, store))
        return found

    monkeypatch.setattr(shared_results, "results_document", slow_to_end)
    monkeypatch.setattr(shared_results, "state_of", noted)

    async def grade_meanwhile() -> Look:
        begun = asyncio.create_task((shared.make_ahead if ahead else shared.of)(run, store))
        while not done.is_set():
            await asyncio.sleep(0.01)
        grade(store, run, "a")
        before = len(stamps)
        look = asyncio.create_task(shared.of(run, store))
        while len(stamps) == before:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)  # by now it most likely waits for what is being made
        go_on.set()
        await begun
        return await look

    async def look_on() -> tuple[Look, Look]:
        look = await grade_meanwhile()
        return look, await refreshed(shared, run, store)

    look, last = finish(look_on())
    assert grades_in(look) == 1 or (look.refreshing and not ahead)
    assert grades_in(last) == 1


def test_what_can_t_be_made_ahead_is_told_to_the_first_who_looks_and_no_sooner(
    run: Path, store: GradeStore, caplog: pytest.LogCaptureFixture
) -> None:
    shared = SharedResults(apart=False)
    results = (run / "results.jsonl").read_text()

    async def look_at_a_damaged_run() -> Look:
        (run / "results.jsonl").write_text("no json\n{}\n")
        await shared.make_ahead(run, store)
        assert caplog.text == ""
        with pytest.raises(OhloraError, match=r"results\.jsonl"):
            await shared.of(run, store)
        (run / "results.jsonl").write_text(results)
        return await shared.of(run, store)

    assert not finish(look_at_a_damaged_run()).failed
    assert caplog.text == ""


def test_ctrl_c_that_reaches_the_process_that_computes_breaks_nothing_in_the_server(
    run: Path, store: GradeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal sends it to both; the server ends by itself, and in order."""
    tries = 0

    async def interrupted(function: Callable[..., object], *given: object) -> object:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise KeyboardInterrupt
        return function(*given)

    monkeypatch.setattr(shared_results.to_process, "run_sync", interrupted)
    monkeypatch.setattr(shared_results, "document_apart", shared_results.results_document)
    try:
        look = finish(SharedResults().of(run, store))
    except KeyboardInterrupt:
        pytest.fail("it would end the server's loop")
    assert (grades_in(look), tries) == (0, 2)


@pytest.mark.slow
def test_another_process_computes_the_same_and_one_that_is_killed_has_a_successor(
    run: Path, store: GradeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_results, "LEISURE", 0)  # minutes, where a process starts slowly
    grade(store, run, "a")
    here = finish(SharedResults(apart=False).of(run, store)).kept
    shared = SharedResults(pause=0)

    async def kill_twice() -> tuple[Look, Look]:
        making = asyncio.create_task(shared.of(run, store))
        await kill_worker()
        first = await making
        grade(store, run, "b")
        assert (await shared.of(run, store)).refreshing
        await kill_worker()
        return first, await refreshed(shared, run, store)

    first, second = finish(kill_twice())
    assert first.kept.document == here.document
    assert first.kept.grades_csv.read_bytes() == here.grades_csv.read_bytes()
    assert (grades_in(second), second.failed) == (2, False)


async def kill_worker() -> None:
    """Kill the process that computes, as soon as there is one, as the kernel would."""
    while not (workers := [p for p in psutil.Process().children() if is_worker(p)]):
        await asyncio.sleep(0.01)
    for worker in workers:
        worker.kill()


def is_worker(process: psutil.Process) -> bool:
    try:
        return "anyio.to_process" in process.cmdline()
    except psutil.Error:
        return False


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
