"""The page's speed: its first bytes and first paint, results, and graders while others look.

    python -m benchmarks.selfchecks.page_under_load [--graders 50] [--visitors 10] [--seconds 30]

Starts the page on a made-up run (14 contrasts' worth of replies, thousands of grades) with a
database of its own, and asks it over HTTP from this process: the machine is shared, as it is on a
laptop. Prints one JSON document; seconds unless a name says otherwise.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import urlsplit

from evaluators.grading.gradable_replies import identify, read_run
from evaluators.grading.store.grade_records import Grade, Grader
from evaluators.grading.store.grade_store import GradeStore
from model_registry.records import Reply, Result, append_rows

ROOT = Path(__file__).parents[2]
KEY = "key-of-the-selfcheck"
CANDIDATES, PROMPTS, EARLIER = 7, 25, 10
#: Seconds that a grader reads a screen of fourteen replies; most people take a minute.
READING = 10.0
#: Seconds between two looks of a visitor: as often as the page itself asks for newer results.
LOOKING = 2.0
#: Seconds after which results that never become the newest are an error.
PATIENCE = 120.0


def make_run(folder: Path) -> Path:
    """A run of seven candidates, before a tune and after it, on 25 prompts."""
    for number in range(CANDIDATES):
        for tuned in (None, 16):
            case = f"case-{number}-{tuned}"
            rows = [
                Reply(case, f"후보-{number}", f"질문 {i}: 오늘은 무엇을 할까?",
                      f"{number}번의 {i}번째 답변, 랭크 {tuned}.", "greedy", tuned, 12, "stop", 0.5)
                for i in range(PROMPTS)
            ]  # fmt: skip
            append_rows(folder / "replies.jsonl", rows)
        append_rows(folder / "results.jsonl", [_result(number)])
    return folder


def _result(number: int) -> Result:
    return Result(
        case=f"case-{number}-None",
        candidate=f"후보-{number}",
        workload="inference",
        settings={},
        contract="0" * 16,
        status="ok",
        seconds={"load": 1.0, "inference": 2.0 + number},
        tokens=300,
    )


def add_grades(url: str, folder: Path) -> int:
    """Grades of every reply by ten people; how many."""
    store, run, rng = GradeStore.open(url), read_run(folder), random.Random(0)
    count = 0
    for person in range(EARLIER):
        grader = store.add_grader(Grader(f"earlier-{person}", f"사람 {person}"))
        count += store.add_grades([
                Grade(key=f"{person}:{number}:{place}", subject=f"{person}:{number}:{place}",
                      grader=grader.id, run=run.name, case=shown.case, candidate=shown.candidate,
                      prompt=item.prompt, reply=reply.reply,
                      grade=1 + int(shown.candidate[-1]) % 3 + rng.randint(0, 2),
                      screen=f"{person}:{number}", pass_=shown.pass_, tuned=shown.tuned,
                      reply_hash=shown.reply_hash, position=place, shown=len(item.replies))
                for number, item in enumerate(run.items)
                for place, reply in enumerate(item.replies)
                for shown in [identify(reply)]
            ])  # fmt: skip
    store.close()
    return count


@contextmanager
def running(folder: Path, run: Path) -> Iterator[str]:
    """The page in a process of its own; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "OHLORA_DATA_DIR": str(folder),
        "OHLORA_OWNER_KEY": KEY,
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "HF_HUB_OFFLINE": "1",
    }
    environment.pop("OHLORA_DB_URL", None)
    command = [sys.executable, "ohlora_app.py", "--port", str(port), "--run", str(run)]
    with (folder / "page.log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603 - our own page
            command, cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        base = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 120
        while not _is_up(base):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit((folder / "page.log").read_text())
            time.sleep(0.1)
        yield base
    finally:
        process.kill()
        process.wait()


def _is_up(base: str) -> bool:
    try:
        return fetch(base, "/config")[0] == 200
    except OSError:
        return False


def fetch(
    base: str, path: str, body: object = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """One request over a connection of its own: status and body."""
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=120)
    try:
        data = None if body is None else json.dumps(body)
        kind = {} if body is None else {"Content-Type": "application/json"}
        connection.request(
            "GET" if body is None else "POST", path, data, {**kind, **(headers or {})}
        )
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def call(base: str, endpoint: str, *data: object, **headers: str) -> Any:
    """What an endpoint gives."""
    status, body = fetch(base, f"/gradio_api/run/{endpoint}", {"data": list(data)}, headers)
    if status != 200:
        raise SystemExit(f"{endpoint}: {status} {body.decode()[:300]}")
    return json.loads(body)["data"]


def results(base: str, run: str) -> float:
    """Seconds of one look at the results with the manager's key."""
    begin = time.perf_counter()
    call(base, "results", run, Referer=f"{base}/?key={KEY}")
    return time.perf_counter() - begin


def sit(base: str, number: int) -> str:
    """Join, and look at the first screen; the grader's token."""
    token = str(call(base, "grade_start", f"평가자 {number}", "")[0]["grader"])
    call(base, "grade_screen", token, "", -1)
    return token


def grade(base: str, token: str, until: float, seconds: list[float]) -> None:
    """One grader who reads, grades and hands in until the time is over."""
    rng = random.Random(token)
    time.sleep(rng.uniform(0, READING))
    while time.perf_counter() < until:
        screen = call(base, "grade_screen", token, "", -1)[0]
        if "finished" in screen:
            return
        grades = [{"grade": rng.randint(1, 5)} for _ in screen["replies"]]
        begin = time.perf_counter()
        call(base, "grade_submit", token, screen["screen"], grades, "", 2.0, "")
        seconds.append(time.perf_counter() - begin)
        time.sleep(rng.expovariate(1 / READING))


def graders_at_work(
    base: str, run: str, tokens: list[str], visitors: int, seconds: float
) -> dict[str, object]:
    """How long graders wait for "stored", and visitors for results that every grade makes older."""
    waited: list[float] = []
    looked: list[float] = []
    until = time.perf_counter() + seconds

    def look() -> None:
        time.sleep(random.uniform(0, LOOKING))
        while time.perf_counter() < until:
            looked.append(results(base, run))
            time.sleep(LOOKING)

    with ThreadPoolExecutor(len(tokens) + visitors) as pool:
        done = [pool.submit(grade, base, one, until, waited) for one in tokens]
        done += [pool.submit(look) for _ in range(visitors)]
        for one in done:
            one.result()
    return {
        "visitors": visitors,
        **_times("submit", waited),
        **_times("look", looked),
    }


def _times(name: str, seconds: list[float]) -> dict[str, object]:
    """How many there were, their median and their 95th percentile."""
    if len(seconds) < 2:
        return {f"{name}s": len(seconds)}
    high = quantiles(seconds, n=20)[-1]
    figures = {"median": round(median(seconds), 3), "p95": round(high, 3)}
    return {f"{name}s": len(seconds), **{f"{name}_{key}": one for key, one in figures.items()}}


def until_refreshed(base: str, run: str) -> float:
    """Seconds until results are shown that hold every grade: they tell no age of theirs."""
    begin = time.perf_counter()
    while "told" in call(base, "results", run, Referer=f"{base}/?key={KEY}")[-1]:
        time.sleep(0.2)
        if time.perf_counter() - begin > PATIENCE:
            raise SystemExit(f"the last grades are not shown after {PATIENCE:.0f} s")
    return time.perf_counter() - begin


def first_paint(base: str) -> float | None:
    """Seconds to the first contentful paint, the median of five; None without a browser."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    if not chromium:
        return None
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        found = [_paint(browser, base) for _ in range(5)]
        browser.close()
    return round(median(found), 3)


def _paint(browser: Any, base: str) -> float:
    tab = browser.new_page()
    tab.goto(f"{base}/?grader=me", wait_until="load")
    tab.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")
    told = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
    seconds = float(tab.evaluate(told)) / 1000
    tab.close()
    return seconds


def main() -> None:
    """Measure, and print the document."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--graders", type=int, default=50)
    parser.add_argument("--visitors", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ohlora-load-") as name:
        folder = Path(name)
        run = make_run(folder / "run")
        grades = add_grades(f"sqlite:///{folder / 'grades.db'}", run)
        with running(folder, run) as base:
            print(json.dumps(measure(base, run.name, grades, given), indent=2))


def measure(base: str, run: str, grades: int, given: argparse.Namespace) -> dict[str, object]:
    """Everything, in an order in which nothing disturbs what comes after it."""
    page, sent = (fetch(base, "/", headers={"Accept-Encoding": each})[1] for each in ("", "gzip"))
    first = results(base, run)
    warm = [results(base, run) for _ in range(20)]
    paint = first_paint(base)
    with ThreadPoolExecutor(4) as pool:
        tokens = list(pool.map(partial(sit, base), range(given.graders)))
    return {
        "grades": grades,
        "html_bytes": len(page),
        "html_bytes_sent": len(sent),
        "first_contentful_paint": paint,
        "results_first": round(first, 3),
        **_times("warm_look", warm),
        "alone": graders_at_work(base, run, tokens, 0, given.seconds),
        "with_visitors": graders_at_work(base, run, tokens, given.visitors, given.seconds),
        "last_grade_shown_after": round(until_refreshed(base, run), 1),
    }


if __name__ == "__main__":
    main()
