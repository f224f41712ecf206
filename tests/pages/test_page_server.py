"""The page over HTTP: what it serves, what it refuses, and what a login protects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.pages.page_server import OWNER, PATIENCE, ROOT, Page, plugin, running_page
from tests.support.grading_fixtures import CANDIDATES, PROMPTS, make_run

pytestmark = pytest.mark.slow

SETTINGS = ["", 0.0, 1.0, 60, 0]  # system, temperature, top_p, max_new_tokens, seed


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("page")
    with running_page(folder, "--run", str(make_run(folder / "run")), *plugin()) as page:
        yield page


def said(role: str) -> dict[str, Any]:
    return {"role": role, "content": [{"type": "text", "text": "y"}]}


def final(page: Page, endpoint: str, *data: Any, **options: Any) -> Any:
    """The last event of a queued endpoint: ("complete", value) or ("error", message)."""
    kind, value = list(page.stream(endpoint, *data, **options))[-1]
    return kind, json.loads(value)


def test_healthz_answers(page: Page) -> None:
    answer = page.client.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok")
    assert page.client.head("/healthz").status_code == 200


def test_a_grader_grades_everything_over_http_and_results_open(page: Page) -> None:
    token = page.sit("끝까지")
    link = {"referer": f"{page.base}/?grader={token}"}
    with httpx.Client(base_url=page.base, headers=link, timeout=PATIENCE) as browser:
        locked = page.ask("results", "run", client=browser).json()["data"]
        assert "finished grading" in locked[0]
        assert locked[2] == []
        while "finished" not in (screen := page.value("grade_screen", token, "", -1)):
            grades = [{"grade": 4, "flags": [], "note": ""} for _ in screen["replies"]]
            page.value("grade_submit", token, screen["screen"], grades, "", 3.5, "")
        opened = page.ask("results", "run", client=browser).json()["data"]
        assert {row["candidate"] for row in opened[2]} == set(CANDIDATES)
        # Other people's names and severity, and everybody's grades, are the manager's.
        assert not {"끝까지"} ^ {row["name"] for rows in opened for row in _graders(rows)}
        assert [one for one in opened if _is_file(one)] == []


def _graders(rows: Any) -> list[Any]:
    return [r for r in rows if "severity" in r] if isinstance(rows, list) else []


def _is_file(value: Any) -> bool:
    return isinstance(value, dict) and "url" in str(value)


def test_the_manager_downloads_everybody_s_grades(page: Page) -> None:
    link = {"referer": f"{page.base}/?key={OWNER}"}
    with httpx.Client(base_url=page.base, headers=link, timeout=PATIENCE) as browser:
        found = page.ask("results", "run", client=browser).json()["data"]
        files = [one.get("value", one) for one in found if _is_file(one)]
        read = [browser.get(one["url"]) for one in files]
    assert len(read) == 2
    for file in read:
        assert file.content.startswith("\ufeff".encode())
    assert "가온-0.4b" in read[1].text


def test_the_manager_s_tab_answers_the_manager_only(page: Page) -> None:
    calls = (
        ("manage", "run"),
        ("manage_invite", "run", "민지"),
        ("manage_revoke", "run", "x"),
        ("manage_visible", "run", "everything"),
        ("manage_export", "run", "csv"),
    )
    for call in calls:
        answer = page.ask(*call)
        assert "for the manager" in answer.json()["error"], call
    link = {"referer": f"{page.base}/?key={OWNER}"}
    with httpx.Client(base_url=page.base, headers=link, timeout=PATIENCE) as browser:
        told = page.ask("manage_invite", "run", "민지\n서연", client=browser).json()["data"][0]
        links = dict(line.split(": ", 1) for line in told.splitlines())
        assert set(links) == {"민지", "서연"}
        token = links["민지"].partition("grader=")[2].partition("&")[0]
        assert page.value("grade_screen", token, "run", -1)["practice"]
        archive = page.ask("manage_export", "run", "dataset", client=browser).json()["data"][0]
        assert browser.get(archive["url"]).content.startswith(b"PK")


def test_results_open_to_the_owner_and_to_nobody_with_a_wrong_key(page: Page) -> None:
    def seen(key: str) -> Any:
        link = {"referer": f"{page.base}/?key={key}"}
        with httpx.Client(base_url=page.base, headers=link, timeout=PATIENCE) as browser:
            return page.ask("results", "run", client=browser).json()["data"][2]

    assert len(seen(OWNER)) == len(CANDIDATES)
    assert seen("guess") == seen("") == []


@pytest.mark.parametrize(
    ("endpoint", "data", "told"),
    [
        ("grade_start", ["가" * 61, ""], "too long"),
        ("grade_start", [{"a": 1}, ""], "must be a text"),
        ("grade_start", ["", ""], "enter a name"),
        ("grade_start", ["x", "y" * 300], "too long"),
        ("grade_screen", ["no such grader", "", -1], "not known"),
        ("grade_screen", ["{token}", "../../etc", -1], "No run is called"),
        ("grade_screen", ["{token}", "", 999], "no screen 999"),
        ("grade_screen", ["{token}", "", "one"], "no screen 'one'"),
        ("grade_submit", ["{token}", "no such screen", [], "", 1, ""], "not yours"),
        ("grade_submit", ["{token}", ["x"], [], "", 1, ""], "must be a text"),
        ("grade_submit", ["nobody", "x", [], "", 1, ""], "not known"),
        ("results", ["no such run"], "No run is called"),
        ("candidates", ["/etc/passwd.toml", "any", "any", 0, 20, [], [], "any"], "no such catalog"),
        ("candidates", ["all", "any", "any", "big", 20, [], [], "any"], "numbers"),
        ("candidates", ["all", "any", "any", 0, 20, "chat", [], "any"], "list"),
        ("chat_grade", [[], "메아리-산", 5, ""], "answer first"),
        ("vote_left", ["left", None, []], "Ask both first"),
        ("vote_left", ["left", {"id": "x", "left": "a"}, []], "Ask both first"),
    ],
)
def test_wrong_input_gets_a_clear_error(
    page: Page, endpoint: str, data: list[Any], told: str
) -> None:
    token = page.sit("잘못")
    english = {"accept-language": "en"}
    with httpx.Client(base_url=page.base, headers=english, timeout=PATIENCE) as client:
        filled = [token if one == "{token}" else one for one in data]
        answer = page.ask(endpoint, *filled, client=client)
    assert answer.status_code >= 400
    assert told in answer.json()["error"]
    assert "Traceback" not in answer.text and str(ROOT) not in answer.text


def test_an_error_comes_in_the_language_of_the_browser(page: Page) -> None:
    with httpx.Client(
        base_url=page.base, headers={"accept-language": "ko-KR"}, timeout=PATIENCE
    ) as client:
        assert "이름을 적어" in page.ask("grade_start", "", "", client=client).json()["error"]


def test_a_chat_streams_and_ends_with_the_whole_answer(page: Page) -> None:
    events = list(page.stream("chat", "안녕", [], "메아리-산", *SETTINGS))
    kinds = [kind for kind, _ in events if kind != "heartbeat"]
    assert kinds.count("generating") >= 2
    assert kinds[-1] == "complete"
    history = json.loads(events[-1][1])[0]
    said = history[-1]["content"]
    assert "산에서 안녕 하고 부르면" in (said if isinstance(said, str) else said[0]["text"])


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (["", [], "메아리-산", *SETTINGS], "Write something"),
        (["가" * 4001, [], "메아리-산", *SETTINGS], "too long"),
        ([["x"], [], "메아리-산", *SETTINGS], "must be a text"),
        (["x", [], "../../etc/passwd", *SETTINGS], "No candidate is called"),
        (["x", [], "메아리-산", "", 9.0, 1.0, 60, 0], "Temperature must"),
        (["x", [], "메아리-산", "", 0.0, 1.0, 10**9, 0], "Most new tokens must"),
        (["x", [], "메아리-산", "", 0.0, 1.0, 60, -5], "Seed must"),
        (["x", [said("system")], "메아리-산", *SETTINGS], "no conversation"),
        (["x", [{"role": "user"}], "메아리-산", *SETTINGS], "no conversation"),
        (["x", [said("user")] * 61, "메아리-산", *SETTINGS], "too long"),
        ([PROMPTS[0], [], "메아리-산", *SETTINGS], "graded blind"),
        (["x", [], "메아리-산", PROMPTS[1], 0.0, 1.0, 60, 0], "graded blind"),
    ],
)
def test_a_chat_that_can_not_be_is_refused(page: Page, data: list[Any], told: str) -> None:
    with httpx.Client(
        base_url=page.base, headers={"accept-language": "en"}, timeout=PATIENCE
    ) as client:
        kind, value = final(page, "chat", *data, client=client)
    assert kind == "error"
    assert told in str(value)


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file={root}/ohlora_app.py",
        "/gradio_api/file={root}/pages/assets/page.css",
        "/gradio_api/file={folder}/data/grades.db",
        "/gradio_api/file={folder}/run/replies.jsonl",
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=../../../etc/passwd",
        "/gradio_api/file=..%2f..%2fohlora_app.py",
        "/file={root}/ohlora_app.py",
        "/static/../../../ohlora_app.py",
        "/assets/..%2f..%2f..%2f..%2fetc/passwd",
        "/gradio_api/proxy=http://127.0.0.1:1/",
    ],
)
def test_no_file_outside_the_allowed_folders_is_served(page: Page, path: str) -> None:
    page.sit("파일")  # so that the database is there
    asked = path.format(root=ROOT, folder=page.folder)
    answer = page.client.get(asked)
    assert answer.status_code in (400, 401, 403, 404, 405), answer.text[:200]


def test_the_page_asks_nobody_at_start(page: Page) -> None:
    """The process has no connection but those of this machine."""
    import psutil

    process = psutil.Process(page.process.pid)
    ours = [process, *process.children(recursive=True)]
    outside = []
    for one in ours:
        with suppress(psutil.NoSuchProcess):  # a helper that has ended meanwhile
            outside += [c for c in one.net_connections() if c.raddr and c.raddr.ip != "127.0.0.1"]
    assert outside == []


def test_monitoring_and_run_history_are_off(page: Page) -> None:
    assert page.client.get("/monitoring/summary").status_code in (403, 404)
    config = page.client.get("/config").json()
    assert not config.get("run_history")
    assert not config.get("analytics_enabled")


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("closed")
    run = make_run(folder / "run")
    options = ["--run", str(run), "--auth", "minji:비밀", "--auth", "seoyeon:비밀", *plugin()]
    with running_page(folder, *options) as page:
        yield page


def test_without_login_nothing_of_ours_is_reachable(closed: Page, page: Page) -> None:
    ours = [*CANDIDATES, *PROMPTS, "메아리", "korean-small", "최상", "grade_submit", OWNER]
    schema = page.client.get("/gradio_api/info").json()
    asked = [
        *(("POST", f"/gradio_api/{how}{name}") for name in schema["named_endpoints"]
          for how in ("run", "call", "api")),
        *(("GET", path) for path in (
            "/", "/config", "/config/", "/gradio_api/info", "/gradio_api/openapi.json",
            "/gradio_api/startup-events", "/gradio_api/app_id", "/gradio_api/heartbeat/x",
            "/gradio_api/queue/status", "/gradio_api/queue/data?session_hash=x",
            "/theme.css", "/gradio_api/theme.css", "/manifest.json", "/robots.txt",
            "/monitoring", "/monitoring/summary", "/gradio_api/runs",
            "/gradio_api/file=/etc/passwd", "/gradio_api/user", "/gradio_api/token",
        )),
        ("POST", "/gradio_api/queue/join"),
        ("POST", "/gradio_api/component_server"),
        ("POST", "/gradio_api/upload"),
    ]  # fmt: skip
    for method, path in asked:
        with closed.client.stream(
            method, path, json={"data": []} if method == "POST" else None
        ) as got:
            if path.startswith("/gradio_api/heartbeat"):
                continue  # an endless stream of its own
            body = got.read().decode(errors="replace")
        found = [word for word in ours if word in body]
        assert not found, f"{method} {path} shows {found}"
    assert closed.client.get("/healthz").text == "ok"


def test_a_login_is_a_grader(closed: Page) -> None:
    @contextmanager
    def logged_in(user: str) -> Iterator[httpx.Client]:
        with httpx.Client(base_url=closed.base, timeout=PATIENCE) as client:
            answer = client.post("/login", data={"username": user, "password": "비밀"})
            assert answer.status_code == 200
            yield client

    with logged_in("minji") as minji, logged_in("seoyeon") as seoyeon:
        assert closed.value("grade_screen", "", "", -1, client=minji) == {"stranger": True}
        assert closed.value("grade_start", "", "", client=minji)["name"] == "minji"
        screen = closed.value("grade_screen", "", "", -1, client=minji)
        closed.value("grade_start", "", "", client=seoyeon)
        answer = closed.ask(
            "grade_submit", "", screen["screen"], [{"grade": 3}] * 2, "", 1, "", client=seoyeon
        )
        assert answer.status_code >= 400
    assert (
        closed.client.post("/login", data={"username": "minji", "password": "x"}).status_code == 400
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--run", "no/such/folder"], "no run folder"),
        (["--auth", "nopassword"], "USER:PASSWORD"),
        (["--candidate", "gemma-2b"], "No candidate is called gemma-2b"),
    ],
)
def test_a_mistake_at_start_ends_in_one_line_and_status_1(arguments: list[str], told: str) -> None:
    done = subprocess.run(
        [sys.executable, "ohlora_app.py", "--port", "1", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_told_in_one_line(page: Page, tmp_path: Path) -> None:
    taken = page.base.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "ohlora_app.py", "--port", taken],
        cwd=ROOT,
        env={**os.environ, "OHLORA_DATA_DIR": str(tmp_path)},  # nobody else's database
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert taken in done.stderr and "Traceback" not in done.stderr


def test_a_run_folder_may_be_named_by_the_folder_that_holds_it(tmp_path: Path) -> None:
    from pages.page_start import AppOptions, build_page_context

    make_run(tmp_path / "first", PROMPTS[:2])
    make_run(tmp_path / "second", PROMPTS[:2])
    assert set(build_page_context(AppOptions(runs=(tmp_path,))).grading.run_names) == {
        "first",
        "second",
    }
