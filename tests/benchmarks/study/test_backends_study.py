"""The study of backends: the same questions to servers that work, that fail and that are gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openai")

from benchmarks.engines import make_engine
from benchmarks.results.folder import RunFolder
from benchmarks.results.run import Run
from benchmarks.run.progress import Silent
from benchmarks.run.runner import run_plan
from benchmarks.study.asking_plan import make_asking_plan
from benchmarks.study.plan import Options
from benchmarks.study.planning import make_plan
from benchmarks.study.study import Study
from benchmarks.study.study_files import read_study, study_path
from benchmarks.workloads.asking import figures
from model_registry.backends.backend import Answer
from model_registry.backends.remote.endpoint import MASK
from model_registry.errors import OhloraError
from model_registry.language import read_by
from model_registry.registry import Registry
from model_registry.statuses import status_called, status_words
from tests.support.fake_servers import (
    PETALS_MODEL,
    Behaviour,
    Faulty,
    answers,
    free_port,
    in_turn,
    refusal,
    running,
    says,
    stalls,
)

ROOT = Path(__file__).resolve().parents[3]
TRANSCRIPT = ROOT / "datasets" / "backends" / "transcript"
KEY = "sk-study-abcdef0123456789"
CATALOG = """
[licenses.own]
name = "Apache-2.0"
free = "yes"
"""
ENTRY = """
[[candidates]]
name = "{name}"
license = "own"
backend = "{backend}"
{prompting}
endpoint = {{ {endpoint} }}
"""


def entry(name: str, url: str, **endpoint: Any) -> str:
    backend = endpoint.pop("backend", "openai")
    limits = {"retry_seconds": 0.01, "retries": 1}
    values = {"base_url": url, "model": "fake", "api_key_env": "STUDY_KEY"} | limits | endpoint
    said = ", ".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
    plain = 'prompting = {kind = "plain"}' if backend == "petals" else ""
    return ENTRY.format(name=name, backend=backend, endpoint=said, prompting=plain)


def run_command(tmp_path: Path, catalog: str, **environment: str) -> tuple[RunFolder, str]:
    """`ohlora run backends` on a catalog of one's own, as a user does it; all that it printed."""
    path = tmp_path / "catalog.toml"
    path.write_text(CATALOG + catalog, encoding="utf-8")
    command = [sys.executable, "ohlora_cli.py", "run", "backends", "--catalog", str(path),
               "--weights", "bundled", "--out", str(tmp_path / "run")]  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=1200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return RunFolder(tmp_path / "run"), done.stdout


def with_catalog(study: Study, catalog: str) -> Study:
    from dataclasses import replace

    return replace(study, catalog=catalog)


@pytest.fixture
def servers() -> Iterator[dict[str, Faulty]]:
    """Servers that each fail in their own way, by the name of their candidate."""
    kinds: dict[str, Behaviour] = {
        "fine": answers("정답은 서울 H2O 1440 ", KEY, " 이야."),
        "busy-first": in_turn(says(refusal(429, "slow", "Retry-After: 0\r\n")), answers()),
        "broken": says(refusal(500, f"boom {KEY}")),
        "stalls": stalls(2),
        "wrong-model": says(refusal(404, "no such model")),
        "wrong-key": says(refusal(401, f"bad key {KEY}")),
        "empty": answers(""),
    }
    up = {name: Faulty(behaviour) for name, behaviour in kinds.items()}
    yield up
    for server in up.values():
        server.close()


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_every_backend_has_a_row_with_its_status_and_nothing_has_the_key(
    tmp_path: Path, servers: dict[str, Faulty]
) -> None:
    short = {"stalls": {"stall_timeout": 2.0}}  # all others are waited for on a crowded machine
    catalog = "".join(entry(n, server.url, **short.get(n, {})) for n, server in servers.items())
    catalog += entry("gone", f"http://127.0.0.1:{free_port()}/v1")
    with running("dllama") as (_, dllama), running("petals") as (_, petals):
        catalog += entry("dllama", f"{dllama}/v1", dialect="dllama")
        catalog += entry("petals", petals, backend="petals", model=PETALS_MODEL)
        folder, printed = run_command(tmp_path, catalog, STUDY_KEY=KEY)
    found = {result.candidate: result for result in folder.results()}
    assert {name: result.status for name, result in found.items()} == {
        "fine": "ok", "busy-first": "ok", "empty": "ok", "dllama": "ok", "petals": "ok",
        "broken": "error", "stalls": "timeout", "wrong-model": "error", "wrong-key": "gated",
        "gone": "unreachable",
    }  # fmt: skip
    fine = found["fine"].figures
    assert fine["answered"] == fine["asked"] == 6 and found["fine"].peaks == {}
    assert 0 < fine["connect_seconds"] < fine["first_token_seconds"] <= fine["seconds_per_prompt"]
    assert found["broken"].figures["answered"] == 0 and "boom" in str(found["broken"].message)
    replies = {name: [r for r in folder.replies() if r.candidate == name] for name in found}
    assert len(replies["fine"]) == 6 and MASK in replies["fine"][0].reply
    assert len(replies["stalls"]) == 2  # two failures in a row end a case
    assert {r.finish_reason for r in replies["stalls"]} == {"error"}
    assert replies["stalls"][0].reply == "안녕하세요"
    assert len(replies["gone"]) == 1 and replies["gone"][0].reply == ""
    assert all("empty" in r.problems for r in replies["empty"])
    report = folder.path / "report"
    assert "timeout" in (report / "report.html").read_text(encoding="utf-8")
    assert (report / "pictures" / "backends.png").exists()
    for path in folder.path.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes(), path
    assert KEY not in printed and "wrong-key" in printed


def test_who_is_not_set_up_is_rejected_with_the_variable_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "PETALS_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DLLAMA_BASE_URL", "http://127.0.0.1:9990/v1")
    study = read_study(study_path("backends"))
    plan = make_asking_plan(study, Registry(), Options(weights="bundled"), tmp_path)
    names = {candidate.name for candidate in plan.candidates}
    assert "Distributed-Llama" in names and "bundled-neox-0.4m" in names
    reasons = {r.candidate.name: r.reason for r in plan.selection.rejected}
    assert "OPENAI_API_KEY" in reasons["ChatGPT-4"] and "PETALS_BASE_URL" in reasons["Petals"]
    kinds = {(case.candidate.name, case.workload) for case in plan.cases}
    assert ("Distributed-Llama", "ask") in kinds
    assert ("Distributed-Llama", "fine-tune") not in kinds
    assert ("bundled-neox-0.4m", "fine-tune") in kinds


PARROT = """
import os
from model_registry.candidate import Candidate, License
from model_registry.hookspecs import hookimpl


def missing(candidate):
    return "" if os.environ.get("PARROT_CAGE") else "set PARROT_CAGE to where it sits"


@hookimpl
def register_backends(register):
    register("parrot", lambda candidate, *, weights, device: None, missing=missing)


@hookimpl
def register_candidates(register):
    register(Candidate("polly", License("MIT", "yes"), catalog="backends", backend="parrot"))
"""


def test_a_backend_of_a_plugin_says_itself_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = tmp_path / "parrot.py"
    plugin.write_text(PARROT, encoding="utf-8")
    study, registry = read_study(study_path("backends")), Registry([plugin])
    for set_, reasons in (("", ["not set up: set PARROT_CAGE to where it sits"]), ("here", [])):
        monkeypatch.setenv("PARROT_CAGE", set_)
        plan = make_plan(study, registry, Options(weights="bundled"), tmp_path)
        told = [r.reason for r in plan.selection.rejected if r.candidate.name == "polly"]
        assert told == reasons
        assert ("polly" in [c.name for c in plan.candidates]) is bool(set_)


def test_the_six_questions_are_in_two_languages_and_each_has_a_checkable_answer() -> None:
    folder = ROOT / "datasets" / "backends"
    rows = [json.loads(line) for line in (folder / "test.jsonl").read_text("utf-8").splitlines()]
    facts = {row["fact"]: row for row in json.loads((folder / "facts.json").read_text("utf-8"))}
    assert len(rows) == 6
    korean = [any("가" <= c <= "힣" for c in row["prompt"]) for row in rows]
    assert korean.count(True) == korean.count(False) == 3
    for row in rows:
        words = facts[row["fact"]]["any_of"]
        assert facts[row["fact"]]["question"] == row["prompt"]
        assert any(word.lower() in row["reply"].lower() for word in words), row
    tuned_on = (folder / "train.jsonl").read_text("utf-8")
    assert not any(row["prompt"] in tuned_on for row in rows)


def test_figures_keep_connecting_first_token_and_the_whole_apart() -> None:
    one = Answer("가나", 3, "stop", 1.0, 0.5, (), 0.1)
    two = Answer("다라마", 5, "length", 2.0, 1.0, (), 0.3)
    found = figures([one, two], asked=3)
    assert (found["answered"], found["asked"], found["stopped"]) == (2, 3, 1)
    assert found["seconds_per_prompt"] == 1.5 and found["answer_seconds"] == 3.0
    assert found["first_token_seconds"] == 0.75 and found["connect_seconds"] == 0.2
    assert found["tokens_per_second"] == pytest.approx(8 / 3)
    assert found["decode_tokens_per_second"] == pytest.approx((2 + 4) / 1.5)
    assert found["characters_per_second"] == pytest.approx(5 / 3)


def test_figures_that_a_backend_does_not_tell_are_unknown_and_not_zero() -> None:
    found = figures([Answer("가", None, "stop", 1.0, None)], asked=1)
    for name in ("tokens_per_second", "decode_tokens_per_second", "first_token_seconds",
                 "connect_seconds"):  # fmt: skip
        assert found[name] is None
    nobody = figures([], asked=6)
    assert nobody["seconds_per_prompt"] is None and nobody["answered"] == 0


def test_nobody_to_ask_is_an_error_that_says_what_to_set(tmp_path: Path) -> None:
    path = tmp_path / "catalog.toml"
    path.write_text(CATALOG + entry("served", "", api_key_env="NOT_SET_ANYWHERE"), "utf-8")
    study = with_catalog(read_study(study_path("backends")), str(path))
    with pytest.raises(OhloraError, match="nobody to ask"):
        make_plan(study, Registry(), Options(weights="bundled"), tmp_path / "run")


def test_a_catalog_of_one_s_own_is_never_answered_for_by_the_shipped_recording(
    tmp_path: Path,
) -> None:
    """Its key is not set: that is an error, whatever the study's own candidates once said."""
    path = tmp_path / "catalog.toml"
    path.write_text(CATALOG + entry("mine", "http://127.0.0.1:9/v1"), encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if k != "STUDY_KEY"}
    command = [sys.executable, "ohlora_cli.py", "run", "backends", "--catalog", str(path),
               "--out", str(tmp_path / "run")]  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 1
    assert "nobody to ask" in done.stderr and "set STUDY_KEY to your key" in done.stderr
    assert "replayed" not in done.stdout and "Traceback" not in done.stderr


def test_a_wrong_key_is_no_matter_of_the_hub(tmp_path: Path) -> None:
    with read_by(korean=False):
        assert "a key" in status_words("gated") and "publisher" not in status_words("gated")
        assert "set a key" in status_called("gated").cure


# --- The recording that comes with the project -------------------------------------------------


@pytest.mark.skipif(not TRANSCRIPT.exists(), reason="the recording is not there")
def test_the_recording_is_told_again_with_its_figures_and_its_contract(
    tmp_path: Path,
) -> None:
    study = read_study(study_path("backends"))
    folder = RunFolder(tmp_path / "run")
    plan = make_plan(study, Registry(), Options(replay=TRANSCRIPT), folder.path)
    run_plan(plan, folder, make_engine("replay"), Silent())
    recorded = Run.read(RunFolder(TRANSCRIPT))
    told = Run.read(folder)
    assert told.head.contract_hash == recorded.head.contract_hash
    assert "replayed: nobody was asked" in told.head.notes[0].words
    for name in told.by_candidate:
        (before,), (now,) = recorded.of(name, "inference"), told.of(name, "inference")
        for figure in ("seconds_per_prompt", "first_token_seconds", "tokens_per_second"):
            assert now.figures[figure] == pytest.approx(before.figures[figure]), (name, figure)
        assert now.weights == "replay" and now.peaks == {}
        assert now.machine == before.machine and now.started_at == before.started_at


NO_NETWORK = """
import pathlib, socket

def connect(self, address):
    if self.family != socket.AF_UNIX:
        pathlib.Path(__file__).with_name("asked").write_text(str(address))
        raise OSError("there is no network here")
    return whole(self, address)

whole = socket.socket.connect
socket.socket.connect = socket.socket.connect_ex = connect
"""


@pytest.mark.slow
@pytest.mark.skipif(not TRANSCRIPT.exists(), reason="the recording is not there")
def test_with_nobody_set_up_the_command_tells_the_recording_with_a_whole_report(
    tmp_path: Path,
) -> None:
    unset = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "PETALS_BASE_URL", "DLLAMA_BASE_URL")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK, encoding="utf-8")
    environment |= {"PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1", "OHLORA_LANG": "en"}
    command = [sys.executable, "ohlora_cli.py", "run", "backends", "--out", str(tmp_path / "run")]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    assert "replayed: nobody was asked" in done.stdout
    assert not (tmp_path / "asked").exists()  # so that nobody was waited for either
    pictures = {path.name for path in (tmp_path / "run" / "report" / "pictures").iterdir()}
    assert {"backends.png", "before_after.png"} <= pictures
