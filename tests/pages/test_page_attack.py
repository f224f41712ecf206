"""The page under attack: wrong types and sizes, guessed links, floods, and what it lets out."""

from __future__ import annotations

import itertools
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from evaluators.grading.store.grade_store import GradeStore
from tests.pages.page_server import OWNER, PATIENCE, Page, plugin, running_page
from tests.support.grading_fixtures import make_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

#: What no endpoint expects, in the order of how often it breaks something.
HOSTILE: list[Any] = [
    None, True, -1, 0, 10**30, 1e308, "", "x" * 5_000, "\0", "가\u202e나\u200b", [], [[]], {},
    [None], {"a": {"b": [1]}}, [{"role": "user"}], [{"role": "system", "content": "x"}],
    [{"role": "assistant", "content": [{"type": "file", "file": {"path": "/etc/passwd"}}]}],
    {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, "../../etc/passwd",
    "<script>alert(1)</script>", "'; DROP TABLE grades; --", "{{7*7}}", "${jndi:ldap://x}",
]  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("attack")
    with running_page(folder, "--run", str(make_run(folder / "run")), *plugin()) as page:
        yield page


@pytest.fixture
def quiet_log(page: Page) -> Iterator[None]:
    """Nothing that a visitor sends may leave a traceback in the log."""
    log = page.folder / "page.log"
    before = log.stat().st_size
    yield
    said = log.read_bytes()[before:].decode(errors="replace")
    assert "Traceback" not in said, [line for line in said.splitlines() if "Error" in line][:20]
    assert page.client.get("/healthz").text == "ok"


def endpoints(page: Page) -> dict[str, int]:
    """Every named endpoint, with how many values it takes."""
    info = page.client.get("/gradio_api/info").json()["named_endpoints"]
    return {name.lstrip("/"): len(one["parameters"]) for name, one in info.items()}


def outcome(page: Page, endpoint: str, data: list[Any]) -> str:
    """What a call ends in: an answer, or one line."""
    direct = page.client.post(f"/gradio_api/run/{endpoint}", json={"data": data})
    if direct.status_code != 404:
        return direct.text
    joined = page.client.post(f"/gradio_api/call/{endpoint}", json={"data": data})
    if joined.status_code != 200:
        return joined.text
    event = joined.json()["event_id"]
    return page.client.get(f"/gradio_api/call/{endpoint}/{event}").text


def test_every_endpoint_answers_whatever_it_is_sent_in_one_clear_line(
    page: Page, quiet_log: None
) -> None:
    token = page.sit("공격")
    chosen = random.Random(7)
    for endpoint, count in endpoints(page).items():
        calls = [[one] * count for one in HOSTILE]
        for _ in range(15):
            calls.append([chosen.choice(HOSTILE) for _ in range(count)])
            calls[-1][1:] = [chosen.choice([one, token]) for one in calls[-1][1:]]
        calls += [[], [None] * (count + 1), ["x"] * 200]
        for data in calls:
            said = outcome(page, endpoint, data)
            for leak in ("Traceback", 'File "/', "site-packages", str(page.folder)):
                assert leak not in said, (endpoint, data, said[:500])


def test_every_event_of_the_page_does_so_by_its_number_too(page: Page, quiet_log: None) -> None:
    """Events that no list names are called by their place, with event data that no page sends."""
    events = page.client.get("/config").json()["dependencies"]
    assert len(events) > 20
    for number, event in [(e["id"], e) for e in events] + [(10**9, {}), (-1, {}), ("x", {})]:
        for hostile in ([], {}, "x", {"index": {}}, {"index": "x", "value": None}, None):
            body = {
                "data": [hostile for _ in event.get("inputs", [])],
                "fn_index": number,
                "session_hash": "attack",
                "event_data": hostile,
            }
            joined = page.client.post("/gradio_api/queue/join", json=body)
            if joined.status_code != 200:
                assert joined.json()["detail"]
                continue
            where = f"/gradio_api/call/x/{joined.json()['event_id']}"
            with page.client.stream("GET", where) as lines:
                next((line for line in lines.iter_lines() if "complete" in line
                      or "error" in line), None)  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400), (b"{", 400), (b"\xff\xfe", 400), (b'{"data": ["\\ud800", ""]}', 400),
        (b"[" * 100_000, 400), (b"[]", 422), (b'"x"', 422), (b'{"data": {"a": 1}}', 422),
        (b'{"data": [], "session_hash": {"a": 1}}', 422),
        (b'{"data": [], "session_hash": "' + b"x" * 200 + b'"}', 422),
        (b'{"data": ["' + b"x" * (9 * 2**20) + b'", ""]}', 413),
    ],
    ids=["empty", "broken", "not utf-8", "surrogate", "deep", "list", "text", "no list",
         "odd session", "long session", "huge"],
)  # fmt: skip
def test_a_body_that_is_no_call_is_refused_before_gradio_reads_it(
    page: Page, quiet_log: None, body: bytes, status: int
) -> None:
    for path in ("run/grade_start", "call/chat", "queue/join"):
        answer = page.client.post(f"/gradio_api/{path}", content=body)
        assert (answer.status_code, len(answer.json()["error"]) > 10) == (status, True)


def test_a_huge_body_without_a_length_is_refused_too(page: Page, quiet_log: None) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(12):
            yield b"x" * 2**20

    answer = page.client.post("/gradio_api/run/grade_start", content=endless())
    assert answer.status_code == 413


def test_nothing_is_uploaded_and_no_route_that_the_page_does_not_need_is_there(
    page: Page, quiet_log: None
) -> None:
    sent = page.client.post("/gradio_api/upload", files={"files": ("x.html", b"<script>")})
    assert sent.status_code == 404
    for method, path in (
        ("GET", "/gradio_api/deep_link?session_hash=x"), ("POST", "/gradio_api/component_server"),
        ("GET", "/gradio_api/upload_progress?upload_id=x"), ("POST", "/gradio_api/stream/x"),
        ("GET", "/gradio_api/proxy=http://127.0.0.1:1/"), ("POST", "/gradio_api/vibe-edit"),
        ("POST", "/gradio_api/process_recording"), ("GET", "/monitoring"), ("GET", "/docs"),
        ("GET", "/gradio_api/vibe-code/"), ("GET", "/dev/reload"), ("GET", "/openapi.json"),
        ("GET", "/gradio_api/run-history/records"), ("GET", "/gradio_api/runs"),
    ):  # fmt: skip
        assert page.client.request(method, path, json={}).status_code == 404, path


def test_no_link_that_can_be_guessed_is_somebody(page: Page) -> None:
    victim = page.sit("피해자")
    screen = page.value("grade_screen", victim, "", -1)
    store = GradeStore.open(f"sqlite:///{page.folder / 'data' / 'grades.db'}")
    page.value("chat_grade", *graded_chat("메아리-산"))  # a guest is somebody as well
    known = list(store.graders().values())
    guesses = {"피해자", "guest", "guest None", "guest s", "None", "null", "0", "1", "admin", OWNER}
    guesses |= {grader.id for grader in known} | {grader.name for grader in known[-3:]}
    guesses |= {f"link\0{victim}", f"login\0{victim}", victim[:-1], victim.lower(), victim + " "}
    for guess in guesses - {victim}:
        answer = page.ask("grade_screen", guess, "", -1)
        assert answer.status_code >= 400, guess
        sent = page.ask("grade_submit", guess, screen["screen"], [{"grade": 1}] * 2, "", 1, "")
        assert sent.status_code >= 400, guess
    assert [g for g in store.grades("run", history=True) if g.grade == 1] == []


def graded_chat(candidate: str) -> list[Any]:
    """The data of a grade for a conversation that another client made up."""
    said = [("user", "안녕"), ("assistant", "안녕하세요")]
    history = [{"role": r, "content": [{"type": "text", "text": t}]} for r, t in said]
    return [history, candidate, 5, ""]


def test_an_answer_that_was_changed_in_the_browser_is_not_graded(page: Page) -> None:
    events = list(page.stream("chat", "변조", [], "메아리-산", "", 0.0, 1.0, 60, 0))
    history = json.loads(events[-1][1])[0]
    assert json.loads(history[-1]["metadata"]["id"])["candidate"] == "메아리-산"
    page.value("chat_grade", history, "메아리-바다", 4, "")
    history[-1]["content"] = [{"type": "text", "text": "다른 답"}]
    answer = page.ask("chat_grade", history, "메아리-바다", 4, "")
    assert answer.status_code >= 400 and "not as it was made" in answer.json()["error"]
    history[-1]["metadata"] = {"id": "{}"}
    assert page.ask("chat_grade", history, "메아리-바다", 4, "").status_code >= 400
    store = GradeStore.open(f"sqlite:///{page.folder / 'data' / 'grades.db'}")
    assert [g.candidate for g in store.grades("chat") if g.prompt == "변조"] == ["메아리-산"]


def test_skipping_everything_shows_no_name(page: Page) -> None:
    token = page.sit("건너뛰기")
    link = {"referer": f"{page.base}/?grader={token}"}
    with httpx.Client(base_url=page.base, headers=link, timeout=PATIENCE) as browser:
        while "finished" not in (screen := page.value("grade_screen", token, "", -1)):
            page.value("grade_submit", token, screen["screen"], [], "", 1, "unclear")
        shut = page.ask("results", "run", client=browser).json()["data"]
        assert shut[2] == [] and "gemma" not in json.dumps(shut)
        (_, told) = list(page.stream("chat", "질문 0: 오늘은 무엇을 할까?", [], "메아리-산",
                                     "", 0.0, 1.0, 60, 0, client=browser))[-1]  # fmt: skip
        assert "graded blind" in told


def test_keys_are_in_no_log_and_in_no_file(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    secret = "sk-secret-of-the-tests"
    environment = {"OPENAI_API_KEY": secret, "OHLORA_AUTH": f"minji:{secret}"}
    with running_page(tmp_path, "--run", str(run), *plugin(), environment=environment) as page:
        page.client.post("/login", data={"username": "minji", "password": "wrong-" + secret})
        page.client.post("/login", data={"username": "minji", "password": secret})
        assert page.sit("", client=page.client) == ""
        page.client.get(f"/?key={OWNER}", headers={"referer": f"{page.base}/?key={OWNER}"})
        page.ask("results", "run")
    files = [f for f in tmp_path.rglob("*") if f.is_file()]
    assert files
    assert [f for f in files if secret.encode() in f.read_bytes()] == []
    log = (tmp_path / "page.log").read_text()
    assert log.count(OWNER) == 1, "the owner's link is printed once, at the start"
    kept = [f for f in files if f.name != "page.log" and OWNER.encode() in f.read_bytes()]
    assert kept == []


def chat_seconds(page: Page, message: str, visit: str) -> float:
    """How long a visitor's page waits for a whole answer."""
    with httpx.Client(base_url=page.base, timeout=PATIENCE) as client:
        begun = time.monotonic()
        body = {"data": [message, [], "메아리-산", "", 0.0, 1.0, 60, 0], "session_hash": visit}
        event = client.post("/gradio_api/call/chat", json=body).json()["event_id"]
        text = client.get(f"/gradio_api/call/chat/{event}").text
        assert "event: complete" in text, text[-500:]
        return time.monotonic() - begun


def grade_seconds(page: Page, token: str) -> float:
    begun = time.monotonic()
    page.value("grade_screen", token, "", -1)
    return time.monotonic() - begun


def percentile(seconds: list[float]) -> float:
    """The 95th."""
    return sorted(seconds)[round(0.95 * (len(seconds) - 1))]


FLOOD = ["천천히", [], "메아리-산", "", 0.0, 1.0, 60, 0]


def of_one_visit(_: int) -> dict[str, str]:
    return {"session_hash": "flood"}


def without_a_visit(_: int) -> dict[str, str]:
    return {}


def of_forged_visits(number: int) -> dict[str, str]:
    return {"session_hash": f"forged-{number}"}


@contextmanager
def flooded(page: Page, visit: Callable[[int], dict[str, str]]) -> Iterator[Counter[int]]:
    """While four connections ask as often as they can; how often which status came back."""
    stop, told, numbers = threading.Event(), Counter[int](), itertools.count()

    def flood() -> None:
        with httpx.Client(base_url=page.base, timeout=PATIENCE) as client:
            while not stop.is_set():
                body = {"data": FLOOD, **visit(next(numbers))}
                told[client.post("/gradio_api/call/chat", json=body).status_code] += 1
                time.sleep(0.05)

    flooders = [threading.Thread(target=flood) for _ in range(4)]
    for one in flooders:
        one.start()
    try:
        yield told
    finally:
        stop.set()
        for one in flooders:
            one.join()


@pytest.mark.alone
@pytest.mark.parametrize("visit", [of_one_visit, without_a_visit, of_forged_visits])
def test_one_visitor_who_floods_the_queue_keeps_nobody_waiting(
    page: Page, visit: Callable[[int], dict[str, str]]
) -> None:
    """Rounds alone and beside a flood by turns, so that a busy machine is so for both.

    What else the machine does may fall into one round; a queue that lets people wait does in each.
    """
    token, name = page.sit("곁에서"), visit.__name__
    rounds: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    told: Counter[int] = Counter()
    for turn in range(6):
        beside = turn % 2 == 1
        with flooded(page, visit) if beside else nullcontext(Counter()) as statuses:
            while beside and sum(statuses.values()) < 50:  # by now the flood is there
                time.sleep(0.05)
            chats = [chat_seconds(page, "안녕", f"{name}-{turn}-{i}") for i in range(10)]
            steps = [grade_seconds(page, token) for _ in range(20)]
            rounds[beside].append((percentile(chats), percentile(steps)))
        told += statuses
    alone = [max(waited) for waited in zip(*rounds[False], strict=True)]
    beside_ = [min(waited) for waited in zip(*rounds[True], strict=True)]
    print(f"95th percentile alone {alone}, beside a flood {beside_}; {dict(told)}")
    assert set(told) <= {200, 429}
    assert told[429] > told[200] or visit is of_forged_visits  # whom nothing tells from others
    for quiet, busy in zip(alone, beside_, strict=True):
        assert busy <= max(2 * quiet, 1.0)


def test_a_visit_that_never_read_its_results_may_ask_again(page: Page) -> None:
    body = {"data": FLOOD, "session_hash": "never reads"}  # slow ones: none ends meanwhile
    sent = [page.client.post("/gradio_api/call/chat", json=body).status_code for _ in range(8)]
    assert 429 in sent
    until = time.monotonic() + PATIENCE
    while (answer := page.client.post("/gradio_api/call/chat", json=body)).status_code == 429:
        assert time.monotonic() < until, "it is refused for ever"
        time.sleep(0.2)
    assert answer.status_code == 200


@pytest.mark.timeout(1800)
def test_two_thousand_turns_of_chat_leave_the_memory_as_it_was(page: Page) -> None:
    process = psutil.Process(page.process.pid)

    def talk(first: int) -> None:
        with httpx.Client(base_url=page.base, timeout=PATIENCE) as client:
            for i in range(first, first + 100):
                body = {"data": [f"바로 {i}", [], "메아리-산", "", 0.0, 1.0, 8, 0]}
                event = client.post("/gradio_api/call/chat", json=body).json()["event_id"]
                assert "complete" in client.get(f"/gradio_api/call/chat/{event}").text

    def turns(hundreds: int) -> int:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(talk, range(0, 100 * hundreds, 100)))
        return process.memory_info().rss

    before = turns(4)
    begun = time.monotonic()
    grown = turns(20) / before - 1
    print(f"{before / 2**20:.0f} MiB before, {100 * grown:+.1f} % after 2,000 turns "
          f"in {time.monotonic() - begun:.0f} s")  # fmt: skip
    assert grown <= 0.05
