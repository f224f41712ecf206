"""What all tests share: a tiny model on disk, and an engine whose fork server is up."""

from __future__ import annotations

import gc
import os
import signal
import sys

# Before torch is imported anywhere: tiny models are slower on two threads, and no test may look
# for a hub.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["OHLORA_LANG"] = "en"

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

import ohlora_cli
from benchmarks.engines.local import LocalEngine
from benchmarks.run.case import Case, Task
from benchmarks.study.contract import Contract
from model_registry.candidate import Candidate
from rows.row import Row
from tests.support.tiny_models import make_tiny_model, tiny_candidate

# Under nohup, or in the background of a script, these are ignored by us and by all that we start,
# and what a command does at them is tested: a handler that does nothing ends with us.
for number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda *_: None)

# The same texts in every run, so that a change is what fails; others with
# `--hypothesis-profile=explore`. None is timed: on a busy machine any may take long.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", untimed, derandomize=True)
settings.register_profile("explore", untimed)
settings.load_profile("same")


def pytest_configure(config: pytest.Config) -> None:
    """Hypothesis also draws the constants of all modules of ours that are loaded by then: other
    texts with each change anywhere, and in each order of the tests."""
    if not config.getoption("--hypothesis-profile", None):
        providers._get_local_constants = providers.Constants


ROWS = tuple(Row(f"질문 {n}번이야?", f"답변은 {n}이야.") for n in range(8))


@pytest.fixture(scope="session")
def frozen_libraries() -> None:
    """Each measured phase collects garbage first, which takes 0.25 s with all of torch to look
    through: take the libraries out of the collector's sight, as the fork server does."""
    import peft  # noqa: F401
    import transformers.models.auto.modeling_auto  # noqa: F401

    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a random Llama of about 50,000 parameters. Nothing may be written to it."""
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny-llama")


@pytest.fixture(scope="session")
def tiny_model_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny model of a given model type, made once a session."""
    made: dict[str, Path] = {}

    def folder(model_type: str) -> Path:
        if model_type not in made:
            place = tmp_path_factory.mktemp("models") / f"tiny-{model_type}"
            made[model_type] = make_tiny_model(place, model_type)
        return made[model_type]

    return folder


@pytest.fixture
def candidate(tiny_model: Path) -> Candidate:
    """The tiny Llama as a candidate."""
    return tiny_candidate(tiny_model)


@pytest.fixture(scope="session")
def engine() -> LocalEngine:
    """An engine whose fork server is up, so that no test waits for it or times it."""
    engine = LocalEngine()
    engine.start()
    return engine


@pytest.fixture
def small_case(candidate: Candidate) -> Callable[..., Case]:
    """A case of a second: `small_case("fine-tune", {"rank": 4}, epochs=1)`."""

    def case(workload: str = "inference", settings: dict | None = None, **policy) -> Case:
        contract = replace(Contract(max_new_tokens=8, epochs=1), **policy)
        task = Task(train=ROWS[:4], valid=ROWS[4:6], prompts=ROWS[6:])
        return Case(candidate, workload, contract, task, settings or {})

    return case


@pytest.fixture
def ohlora(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in this process: (exit status, standard output, standard error)."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ohlora", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as ended:
            ohlora_cli.main()
        code = ended.value.code
        captured = capsys.readouterr()
        return (code if isinstance(code, int) else int(code is not None), *captured)

    return run
