"""The pytest-benchmark front: the worker's time, all figures in the JSON, failures among them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.small_study import CATALOG, ENTRY, write_rows

ROOT = Path(__file__).resolve().parents[2]


def run_pytest(*arguments: object) -> subprocess.CompletedProcess[str]:
    # pytest-benchmark measures nothing in a worker of pytest-xdist.
    kept = {name: value for name, value in os.environ.items() if "PYTEST_XDIST" not in name}
    environment = kept | {"OHLORA_LANG": "en"}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, env=environment,
    )  # fmt: skip


@pytest.fixture(scope="module")
def front(tmp_path_factory, tiny_model) -> tuple[subprocess.CompletedProcess[str], dict]:
    """One run of the suites: a candidate that works beside one whose weights are missing."""
    place = tmp_path_factory.mktemp("front")
    entries = [
        ENTRY.format(name="good", path=tiny_model),
        ENTRY.format(name="gone", path="nowhere"),
    ]
    (place / "catalog.toml").write_text(CATALOG + "".join(entries))
    rows = write_rows(place / "rows", train=20)
    written = place / "made" / "on" / "the" / "way" / "bench.json"
    done = run_pytest(
        "benchmarks/", "-p", "no:cacheprovider", f"--benchmark-json={written}",
        "--catalog", place / "catalog.toml", "--ranks", "2,4", "--weights", "path",
        "--data", rows, "--device", "cpu",
    )  # fmt: skip
    assert written.exists(), done.stdout + done.stderr
    return done, json.loads(written.read_text())


@pytest.mark.slow
def test_a_candidate_that_fails_does_not_fail_the_rest_and_is_in_the_json(front):
    done, document = front
    assert done.returncode == 1
    assert "3 failed, 3 passed" in done.stdout
    assert {bench["extra_info"]["candidate"] for bench in document["benchmarks"]} == {"good"}
    failures = {row["name"]: row["extra_info"] for row in document["failures"]}
    assert set(failures) == {
        "gone/inference", "gone/fine-tune/rank=2", "gone/fine-tune/rank=4",
    }  # fmt: skip
    assert {row["status"] for row in failures.values()} == {"unreachable"}
    assert all("No model in" in row["message"] for row in failures.values())
    assert document["notes"] and all("code" in note for note in document["notes"])


@pytest.mark.slow
def test_the_time_of_a_benchmark_is_the_workers_own(front):
    for bench in front[1]["benchmarks"]:
        info = bench["extra_info"]
        phase = {"inference": "inference", "fine-tune": "training"}[info["workload"]]
        assert bench["stats"]["mean"] == pytest.approx(info["seconds"][phase])


@pytest.mark.slow
def test_peaks_rates_and_status_are_in_the_json(front):
    document = front[1]
    for bench in document["benchmarks"]:
        info = bench["extra_info"]
        assert info["status"] == "ok"
        assert info["peak_bytes"] > 0
        assert info["tokens_per_second"] > 0
        assert info["peaks"]["load"]["method"]
        assert "seconds_per_100_korean_characters" in info
    assert document["machine_info"]["device"]["name"]
    assert document["machine_info"]["versions"]["torch"]
    assert document["contract"]["hash"]
    ranks = sorted(b["params"]["rank"] for b in document["benchmarks"] if "rank" in b["params"])
    assert ranks == [2, 4]


@pytest.mark.slow
def test_the_terminal_has_a_table_with_failed_cases_too(front):
    lines = front[0].stdout.splitlines()
    table = {line.split()[0]: line.split()[1] for line in lines if "/inference " in line}
    assert table == {"good/inference": "ok", "gone/inference": "unreachable"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--candidates", "bundled-lama-2.5m"], "Did you mean bundled-llama-2.5m?"),
        (["--ranks", "16,many"], "--ranks takes whole numbers above 0, not 'many'"),
        (["--catalog", "nothing"], "No catalog is called nothing"),
    ],
)
def test_a_wrong_option_is_one_clear_line(option, message):
    done = run_pytest("benchmarks/", "--collect-only", "-q", *option, "--weights", "bundled")
    assert done.returncode == 4
    assert message in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.slow
def test_pytest_alone_collects_no_benchmark_and_knows_none_of_its_options():
    done = run_pytest("--collect-only", "-q", "tests/model_registry/prompting/test_prompting.py")
    assert done.returncode == 0
    assert (
        run_pytest("tests/model_registry/prompting/test_prompting.py", "--ranks", "2").returncode
        == 4
    )
