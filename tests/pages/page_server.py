"""The real page in a process of its own, for tests that speak HTTP or drive a browser."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.support.fake_servers import free_port

ROOT = Path(__file__).parents[2]

#: Seconds that an answer may take: much more than any does, however busy the machine is.
PATIENCE = 240

OWNER = "owner-key-of-the-tests"


@dataclass
class Page:
    """A page that runs, and how to ask it."""

    base: str
    process: subprocess.Popen[str]
    folder: Path
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.base, timeout=PATIENCE)

    def ask(self, endpoint: str, *data: Any, client: httpx.Client | None = None) -> httpx.Response:
        """Call an unqueued endpoint."""
        asker = client or self.client
        return asker.post(f"/gradio_api/run/{endpoint}", json={"data": list(data)})

    def value(self, endpoint: str, *data: Any, client: httpx.Client | None = None) -> Any:
        """What an unqueued endpoint gives; fails the test where it gives an error."""
        answer = self.ask(endpoint, *data, client=client)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"][0]

    def sit(self, name: str = "민지", client: httpx.Client | None = None) -> str:
        """Join as a grader; the token."""
        return self.value("grade_start", name, "", client=client)["grader"]

    def stream(
        self, endpoint: str, *data: Any, client: httpx.Client | None = None
    ) -> Iterator[Any]:
        """Call a queued endpoint; its events as (event, data)."""
        asker = client or self.client
        answer = asker.post(f"/gradio_api/call/{endpoint}", json={"data": list(data)})
        answer.raise_for_status()
        event = answer.json()["event_id"]
        with asker.stream("GET", f"/gradio_api/call/{endpoint}/{event}") as lines:
            kind = ""
            for line in lines.iter_lines():
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    yield kind, line.removeprefix("data: ")

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def running_page(
    folder: Path, *arguments: str, environment: dict[str, str] | None = None
) -> Iterator[Page]:
    """Start the page with its grades in `folder`; it is up, and has printed its addresses, when
    this enters, and so is no process of its when this ends."""
    port = free_port()
    command = [sys.executable, "ohlora_app.py", "--port", str(port), *arguments]
    with (folder / "page.log").open("a") as log:
        begin = log.tell()
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=_environment(folder, environment),
            stdout=log,
            stderr=log,
            text=True,
        )
    page = Page(f"http://127.0.0.1:{port}", process, folder)
    try:
        wait_until_up(page)
        wait_until_greeted(page, begin)
        yield page
    finally:
        end(process)
        page.client.close()


def _environment(folder: Path, more: dict[str, str] | None) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OHLORA_", "GRADIO_"))}
    return {
        **kept,
        "OHLORA_DATA_DIR": str(folder / "data"),
        "OHLORA_OWNER_KEY": OWNER,
        "OHLORA_LANG": "en",
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        **(more or {}),
    }


def wait_until_up(page: Page, seconds: float = 240) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if page.process.poll() is not None:
            raise AssertionError((page.folder / "page.log").read_text()[-3000:])
        try:
            if page.client.get("/healthz").text == "ok" and page.client.get(
                "/config"
            ).status_code in (
                200,
                401,
            ):
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the page did not come up: " + (page.folder / "page.log").read_text())


def wait_until_greeted(page: Page, begin: int) -> None:
    """The addresses are printed last, a while after the server answers."""
    owners = f"key={OWNER}".encode()
    while owners not in (page.folder / "page.log").read_bytes()[begin:]:
        assert page.process.poll() is None, "the page ended before it had printed its addresses"
        time.sleep(0.05)


def end(process: subprocess.Popen[str]) -> None:
    """End a page at once, with the process that computes its results."""
    helpers = []
    if process.poll() is None:
        helpers = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    for one in helpers:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    while not all(has_ended(one) for one in helpers):
        time.sleep(0.01)


def has_ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def plugin() -> Sequence[str]:
    """The option that gives the page the echoing candidates."""
    return ("--plugin", str(Path(__file__).parent / "page_plugin.py"))
