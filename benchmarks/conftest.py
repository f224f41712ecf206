"""pytest-benchmark plugin: `pytest benchmarks/ --benchmark-json=reports/bench.json`.

The cases are those that `ohlora run` would do, each in a worker of its own. What the table of
pytest-benchmark times is the worker's phase of work (answering, or training), not what this
process waited. A case that fails fails its own test only, and is a row of "failures" in the JSON.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.engines.local import LocalEngine
from benchmarks.run.case import Case, Limits
from benchmarks.study.plan import Options, Plan
from benchmarks.study.planning import make_plan
from benchmarks.study.study_files import read_study, study_path
from benchmarks.workloads.workload import workload_called
from model_registry import machine
from model_registry.errors import OhloraError
from model_registry.files.json_values import JsonDict
from model_registry.files.names import names_in
from model_registry.language import text
from model_registry.records import Result
from model_registry.registry import Registry
from model_registry.selection import Criteria, parse_bytes, parse_seconds

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

#: Does a case and keeps what it gave: workload, candidate's name, settings.
Measure = Callable[..., None]

_PLAN = pytest.StashKey[Plan]()
_RESULTS = pytest.StashKey[list[Result]]()


class WorkerClock:
    """A clock that advances only by the seconds that workers report.

    pytest-benchmark reads it before and after a case; the difference is the worker's own time.
    """

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


clock = WorkerClock()


class CaseFailed(Exception):
    """A case ended with another status than ok."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which candidates, what work, on what."""
    group = parser.getgroup("ohlora", "what the benchmarks of this folder measure")
    group.addoption(
        "--catalog",
        help="candidates of this catalog (name or file); left out: those of the study "
        "korean-small, or the bundled ones where no hub can be reached",
    )
    group.addoption("--candidates", default="", help="only these, separated by commas")
    group.addoption("--ranks", default="", help="LoRA ranks, separated by commas: 16,32,64")
    group.addoption("--weights", default="auto", help="auto, hub, bundled or random")
    group.addoption("--scale", default="full", help="of random weights: full or tiny")
    group.addoption("--device", default="auto", help="auto, cpu or cuda")
    group.addoption("--data", help="file or folder with the rows to tune on and the prompts")
    group.addoption("--rounds", type=int, default=1, help="how often each case is done")
    group.addoption("--memory-limit", help="of each case, such as 12GB")
    group.addoption("--time-limit", help="of each case, such as 10m")


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder of the JSON now: pytest-benchmark would miss it after all work is done."""
    config.stash[_RESULTS] = []
    wanted = config.getoption("benchmark_json", None)
    if isinstance(wanted, str | os.PathLike):
        Path(wanted).parent.mkdir(parents=True, exist_ok=True)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Plan before anything is collected: a wrong option is one line then, not an error a file."""
    plan_of(session.config)


def read_options(config: pytest.Config) -> Options:
    """The study, candidates and settings that the command line asks for.

    Raises:
        OhloraError: an amount or a length of time can't be read.
    """
    memory, seconds = config.getoption("--memory-limit"), config.getoption("--time-limit")
    data = config.getoption("--data")
    return Options(
        weights=config.getoption("--weights"),
        scale=config.getoption("--scale"),
        device=config.getoption("--device"),
        data=Path(data) if data else None,
        only=names_in(config.getoption("--candidates")),
        ranks=tuple(_rank(part) for part in names_in(config.getoption("--ranks"))),
        limits=Limits(
            parse_bytes(memory) if memory else None, parse_seconds(seconds) if seconds else None
        ),
    )


def _rank(part: str) -> int:
    if not part.isdigit() or int(part) < 1:
        raise OhloraError(
            f"--ranks takes whole numbers above 0, not {part!r}.",
            f"--ranks에는 0보다 큰 정수를 적으세요({part!r}은(는) 안 됩니다).",
        )
    return int(part)


def plan_of(config: pytest.Config) -> Plan:
    """The plan of this session, made once."""
    if _PLAN not in config.stash:
        study = read_study(study_path("korean-small"))
        catalog = config.getoption("--catalog")
        if catalog:  # named by hand: taken as it is, without the study's criteria
            study = replace(study, catalog=catalog, criteria=Criteria(), overrides=())
        try:
            plan = make_plan(study, Registry(), read_options(config), Path("reports"))
        except OhloraError as error:
            raise pytest.UsageError(error.shown) from error
        config.stash[_PLAN] = plan
    return config.stash[_PLAN]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each candidate, and for each rank where it takes one.

    Parametrised by plain strings and numbers, because the JSON keeps nothing else.
    """
    names = metafunc.fixturenames
    if "candidate_name" not in names:
        return
    cases = plan_of(metafunc.config).cases
    metafunc.parametrize("candidate_name", list(dict.fromkeys(c.candidate.name for c in cases)))
    if "rank" in names:
        ranks = dict.fromkeys(c.settings["rank"] for c in cases if "rank" in c.settings)
        metafunc.parametrize("rank", list(ranks))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """No time limit of the test-suite holds here: real models take longer; see --time-limit."""
    if config.pluginmanager.hasplugin("timeout"):
        for item in items:
            if item.get_closest_marker("benchmark"):
                item.add_marker(pytest.mark.timeout(0))


@pytest.fixture(scope="session")
def engine() -> LocalEngine:
    """An engine whose fork server is up before the first case."""
    engine = LocalEngine()
    engine.start()
    return engine


@pytest.fixture
def measure(
    benchmark: BenchmarkFixture, engine: LocalEngine, request: pytest.FixtureRequest
) -> Measure:
    """`measure(workload, candidate_name, **settings)`: runs that case and returns its result."""

    def run(workload: str, candidate_name: str, **settings: object) -> None:
        case = _case(plan_of(request.config), workload, candidate_name, settings)
        done: list[Result] = []

        def work() -> None:
            result = engine.run(case).result
            done.append(result)
            if not result.ok:
                raise CaseFailed(f"{result.status} ({result.stage}): {result.message}")
            clock.now += result.seconds[workload_called(workload).main_phase]

        failure: CaseFailed | None = None
        try:
            benchmark.pedantic(work, rounds=request.config.getoption("--rounds"))
        except CaseFailed as failed:
            failure = failed
        request.config.stash[_RESULTS].append(done[-1])
        benchmark.extra_info |= extra_info(done[-1])
        if failure is not None:  # said here, where it is one line without a traceback
            pytest.fail(str(failure), pytrace=False)

    return run


def _case(plan: Plan, workload: str, name: str, settings: dict[str, object]) -> Case:
    for case in plan.cases:
        if (case.workload, case.candidate.name, dict(case.settings)) == (workload, name, settings):
            return replace(case, keep=None)
    raise LookupError(f"the plan has no case {workload} of {name} with {settings}")


def extra_info(result: Result) -> JsonDict:
    """What the JSON holds of a case beside its time. Bytes and seconds; unknown is None."""
    phase = workload_called(result.workload).main_phase
    seconds = result.seconds.get(phase)
    figures = result.figures
    return {
        "candidate": result.candidate,
        "workload": result.workload,
        "settings": result.settings,
        "status": result.status,
        "stage": result.stage,
        "message": result.message,
        "weights": result.weights,
        "contract": result.contract,
        "seconds": result.seconds,
        "peak_bytes": result.peak_bytes(phase),
        "peaks": {name: asdict(peak) for name, peak in result.peaks.items()},
        "tokens": result.tokens,
        "tokens_per_second": result.tokens / seconds if result.tokens and seconds else None,
        "seconds_per_100_korean_characters": figures.get("seconds_per_100_korean_characters"),
        "figures": figures,
    }


def pytest_benchmark_update_machine_info(
    config: pytest.Config, machine_info: dict[str, object]
) -> None:
    """The device (its GPU, where it is one) and the versions that figures depend on."""
    device = plan_of(config).contract.device
    machine_info["device"] = machine.describe(device)
    machine_info["versions"] = machine.versions()


def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, object]) -> None:
    """The contract of all figures, and the cases that failed: pytest-benchmark leaves them out."""
    plan = plan_of(config)
    output_json["contract"] = {"hash": plan.contract.hash, **plan.contract.shared()}
    output_json["notes"] = [note.to_json() for note in plan.notes]
    output_json["failures"] = [
        {"name": result.case, "extra_info": extra_info(result)}
        for result in config.stash[_RESULTS]
        if not result.ok
    ]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """A table of our own: pytest-benchmark's can't take further columns."""
    results = config.stash[_RESULTS]
    if not results:
        return
    terminalreporter.section(text("costs of the candidates", "후보별 비용"))
    for line in summary_lines(results):
        terminalreporter.write_line(line)
    for note in plan_of(config).notes:
        terminalreporter.write_line(note.words)


def summary_lines(results: Sequence[Result]) -> list[str]:
    """The results as lines of one table, failed ones among them. Unknown is a dash."""
    rows = [("case", "status", "seconds", "peak MiB", "tokens/s", "s/100 Korean letters")]
    for result in results:
        info = extra_info(result)
        peak = info["peak_bytes"]
        rows.append(
            (
                result.case,
                result.status,
                _figure(result.seconds.get(workload_called(result.workload).main_phase), ".3f"),
                _figure(peak / 2**20 if peak is not None else None, ".0f"),
                _figure(info["tokens_per_second"], ".0f"),
                _figure(info["seconds_per_100_korean_characters"], ".3f"),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
