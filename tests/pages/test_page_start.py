"""What keeps the page from starting is told in one line, and what it prints is true."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pages.page_start import AppOptions, _greet
from tests.pages.page_server import ROOT, running_page
from tests.support.grading_fixtures import make_run


def start(*arguments: str, prefix: tuple[str, ...] = (), **environment: str) -> tuple[int, str]:
    """Start the page as a person does; its exit status and what it said on standard error."""
    done = subprocess.run(
        [*prefix, sys.executable, "ohlora_app.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "OHLORA_LANG": "en", "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )
    return done.returncode, done.stderr.strip()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--port", "99999"], "--port must be from 1 to 65535"),
        (["--port", "0"], "--port must be from 1 to 65535"),
        (["--port", "-5"], "--port must be from 1 to 65535"),
        (["--auth", "geheim"], "--auth must be USER:PASSWORD"),
        (["--auth", ":geheim"], "--auth must be USER:PASSWORD"),
        (["--auth", "minji:"], "--auth must be USER:PASSWORD"),
    ],
)
def test_an_option_that_cannot_be_is_told_in_one_line(arguments: list[str], told: str) -> None:
    status, said = start(*arguments)
    assert (status, len(said.splitlines())) == (1, 1), said
    assert told in said
    assert "geheim" not in said, "what may be a password is not repeated"


@pytest.mark.slow
def test_a_port_that_is_taken_and_an_address_of_another_machine_are_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, said = start("--port", port, OHLORA_DATA_DIR=str(tmp_path))
    assert status == 1 and len(said.splitlines()) == 1 and port in said, said
    status, said = start("--host", "192.0.2.1", OHLORA_DATA_DIR=str(tmp_path))
    assert status == 1 and len(said.splitlines()) == 1, said


@pytest.mark.slow
def test_a_folder_that_may_not_be_written_to_is_refused_at_the_start(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "-m", "true"], capture_output=True).returncode:
        pytest.skip("mounting a folder read-only needs the right to make a mount namespace")
    make_run(tmp_path / "run")
    (tmp_path / "data").mkdir()
    for kept in (False, True):  # a folder without a database, and one with
        mount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
        prefix = (unshare, "-m", "sh", "-c", mount, str(tmp_path / "data"))
        status, said = start(
            "--run", str(tmp_path / "run"), prefix=prefix, OHLORA_DATA_DIR=str(tmp_path / "data")
        )
        assert (status, len(said.splitlines())) == (1, 1), said
        assert "OHLORA_DATA_DIR" in said
        if not kept:
            from evaluators.grading.store.grade_store import GradeStore

            GradeStore.open(f"sqlite:///{tmp_path / 'data' / 'grades.db'}").close()


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["/proc/none", "{file}"])
def test_a_place_that_is_no_folder_is_refused_at_the_start(tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_text("x")
    place = folder.format(file=tmp_path / "file")
    status, said = start(OHLORA_DATA_DIR=place)
    assert (status, len(said.splitlines())) == (1, 1), said
    assert "OHLORA_DATA_DIR" in said


@pytest.mark.slow
def test_a_page_has_its_results_made_although_nobody_looks_and_ends_at_once(
    tmp_path: Path,
) -> None:
    with running_page(tmp_path, "--run", str(make_run(tmp_path / "run"))) as page:
        while not list((tmp_path / "gradio").rglob("summary.json")):
            assert page.process.poll() is None
            time.sleep(0.1)
        page.process.send_signal(signal.SIGINT)
        assert page.process.wait(timeout=200) == 0
    assert "Traceback" not in (tmp_path / "page.log").read_text()


@pytest.mark.slow
def test_a_page_that_a_space_stops_ends_as_by_ctrl_c_so_that_the_last_grades_are_mirrored(
    tmp_path: Path,
) -> None:
    """The mirror copies what it has at the end of the process, which SIGTERM itself skips."""
    plugin = tmp_path / "last_words.py"
    plugin.write_text("import atexit\natexit.register(print, 'mirrored', flush=True)\n")
    with running_page(tmp_path, "--plugin", str(plugin)) as page:
        page.process.send_signal(signal.SIGTERM)
        assert page.process.wait(timeout=200) == 0
    said = (tmp_path / "page.log").read_text()
    assert "mirrored" in said and "Traceback" not in said


def test_a_share_without_a_link_prints_no_address_for_graders(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OHLORA_LANG", "en")
    local = "http://127.0.0.1:7860/"
    _greet(AppOptions(share=True), local, None)
    said = capsys.readouterr().out
    assert "No public link could be made" in said and "--host 0.0.0.0" in said
    assert "grader=" not in said
    _greet(AppOptions(share=True), local, "https://x.gradio.live")
    assert "https://x.gradio.live/?grader=NAME" in capsys.readouterr().out
    _greet(AppOptions(), local, None)
    assert "http://127.0.0.1:7860/?grader=NAME" in capsys.readouterr().out
