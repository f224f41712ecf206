"""The GPU campaign on the CPU: each item ends in a row, none is done twice, the page says all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from benchmarks.run.case import Case
from benchmarks.selfchecks import gpu_campaign
from benchmarks.selfchecks.campaign import (
    campaign_page,
    card_cases,
    card_probes,
    precision_probes,
    step_peers,
    window_probe,
)
from benchmarks.selfchecks.campaign.campaign_figures import compared, errors, figures
from benchmarks.selfchecks.campaign.card_cases import Settings
from benchmarks.selfchecks.campaign.items import Item, Journal, Probe, Row, do, found_of
from model_registry import cuda
from model_registry.errors import OhloraError

MIB = 2**20
ROOT = campaign_page.ROOT
ON_A_CARD = Settings("cuda", "bfloat16", "bfloat16")
TINY = Settings("cpu", "float32", "bfloat16", scale="tiny")


def environment(device: str = "cuda") -> Row:
    facts = {"device": device, "name": "card", "cores": 4, "memory_bytes": 2**34,
             "native_bf16": True, "capability": "9.0", "driver": "1.2"}  # fmt: skip
    found = {
        "machine": facts, "versions": {"torch": "9"}, "missing": ["trl"], "bf16_emulated": False,
        "dtypes": {"auto": "bfloat16", "half": "bfloat16", "float32": "float32"},
    }  # fmt: skip
    return Row("environment", "ok", 1.0, found)


def give(value: int) -> dict[str, int]:
    return {"value": value}


def fail() -> dict[str, int]:
    raise OhloraError("nothing works\nat all", "모두 실패")


def linger() -> dict[str, int]:
    time.sleep(600)
    return {}


def die_over_a_command(pid: str) -> dict[str, int]:
    command = subprocess.Popen(["sleep", "600"])
    Path(pid).write_text(str(command.pid))
    return die()


def is_running(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def die() -> dict[str, int]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


@pytest.mark.parametrize(
    ("work", "status", "said"),
    [
        (Probe(give, {"value": 3}), "ok", None),
        (Probe(fail), "error", "OhloraError: nothing works"),
        (Probe(die), "error", "the worker ended without a word"),
    ],
)
def test_an_item_ends_in_a_row_however_it_ends(engine, work, status, said):
    row = do(Item("group/one", 250, work), "cpu", 250)
    assert (row.status, row.message) == (status, said)
    assert row.found.get("value") == (3 if status == "ok" else None)


def test_an_item_over_its_own_time_is_a_timeout_and_one_over_the_campaign_s_is_done_again(engine):
    item = Item("group/slow", 0.2, Probe(linger))
    assert do(item, "cpu", 250).status == "timeout"
    assert do(Item("group/slow", 250, Probe(linger)), "cpu", 0.2).status == "cut"


@pytest.mark.slow
def test_a_fresh_interpreter_that_ends_takes_the_command_that_it_waited_for_with_it(tmp_path):
    probe = Probe(die_over_a_command, {"pid": str(tmp_path / "pid")}, "spawn")
    assert do(Item("group/commands", 250, probe), "cpu", 250).status == "error"
    command = int((tmp_path / "pid").read_text())
    end = time.monotonic() + 60
    while is_running(command) and time.monotonic() < end:  # its new parent has to see the end
        time.sleep(0.1)
    assert not is_running(command)


def test_a_case_of_the_product_is_an_item(engine, small_case):
    row = do(Item("fit/tiny", 250, small_case("fine-tune", {"rank": 4})), "cpu", 250)
    assert row.status == "ok"
    assert row.found["figures"]["batch_rows"] == 4
    assert row.found["peaks"]["training"]["process_bytes"] > 0


def test_what_is_done_is_kept_and_what_was_cut_is_not(tmp_path):
    journal = Journal(tmp_path / "new")
    journal.add(Row("a", "ok", 1.0, {"x": 1}))
    journal.add(Row("b", "cut", 1.0))
    journal.add(Row("a", "ok", 1.0, {"x": 2}))
    with journal.path.open("a") as file:
        file.write('{"item": "c", "sta')  # a kill in the middle of a line
    assert {name: row.found for name, row in journal.rows().items()} == {"a": {"x": 2}}


@pytest.fixture
def three_items(monkeypatch):
    """A campaign of three quick items, and what was asked of them in order."""
    asked: list[str] = []

    def record(item, device, seconds):
        asked.append(item.name)
        return environment("cpu") if item.name == gpu_campaign.FIRST else Row(item.name, "ok", 0.1)

    found = [Item(name, 5, Probe(give, {"value": 1})) for name in ("a/1", "b/1", "b/2")]
    monkeypatch.setattr(gpu_campaign, "items", lambda settings: iter(found))
    monkeypatch.setattr(gpu_campaign, "do", record)
    return asked


def test_the_same_command_goes_on_with_what_is_missing(three_items, tmp_path):
    gpu_campaign.run(tmp_path, "cpu", "tiny", 1, only=["b/1"])
    rows = gpu_campaign.run(tmp_path, "cpu", "tiny", 1)
    assert three_items == ["environment", "b/1", "a/1", "b/2"]
    assert set(rows) == set(three_items)


def test_without_time_nothing_is_begun(three_items, tmp_path, capsys):
    gpu_campaign.run(tmp_path, "cpu", "tiny", 0.01)
    assert three_items == ["environment"]
    assert "goes on with the rest" in capsys.readouterr().out


def test_a_machine_that_can_not_be_described_ends_it_in_one_line():
    with pytest.raises(OhloraError, match="can't be described: no card"):
        gpu_campaign.settings_of(Row("environment", "error", 1.0, {}, "no card"), "cuda", "full")


def test_the_seven_are_asked_and_tuned_first_and_at_larger_ranks_later():
    names = [item.name for item in card_cases.short_rows(ON_A_CARD)]
    assert len(names) == 7 * 2
    assert names[0] == "fit/gemma-2-2b-it/inference"
    assert names[-1] == "fit/KoAlpaca-KoRWKV-1.5B/rank=16/64"
    later = [item.name for item in card_cases.larger_ranks(ON_A_CARD)]
    assert len({*names, *later}) == 7 * 4 + len(card_cases.LONG_ROWS_OF)
    assert all("rank=32" in name or "rank=64" in name for name in later)


def test_today_s_shortlist_is_measured_but_what_can_not_be_built():
    names = [item.name for item in card_cases.shortlist(ON_A_CARD)]
    assert "fit/gemma-3-1b-it/rank=16/512" in names and "fit/Qwen3-0.6B/inference" in names
    assert not [name for name in names if "EXAONE-3.5" in name]  # needs code of its publisher


def test_every_item_of_a_card_has_a_name_of_its_own_and_a_time():
    found = list(gpu_campaign.items(ON_A_CARD))
    assert len({item.name for item in found}) == len(found)
    assert all(0 < item.seconds <= 120 for item in found)
    groups = {item.group for item in found}
    assert groups == {
        "start", "accounts", "fit", "peers", "windows", "limit", "commands", "before and after",
        "precision", "replies", "full card",
    }  # fmt: skip


@pytest.mark.slow
def test_rows_are_cut_to_their_length_exactly_and_mixed_ones_are_not(engine):
    candidate = card_cases.the_seven()[0]
    item = card_cases.tune("fit/x/rank=8/40", candidate, TINY, 40, {"rank": 8})
    row = do(item, "cpu", 60)
    assert row.found["figures"]["batch_tokens"] == 40
    assert row.found["figures"]["longest_row_tokens"] == 40
    lengths = {len(row.reply) for row in card_cases.rows(4, 512, mixed=True)}
    assert len(lengths) == 2


def case_of(kind: str) -> Case:
    item = next(i for i in card_cases.short_rows(ON_A_CARD) if kind in i.name)
    assert isinstance(item.work, Case)
    return item.work


def measured_row(case: Case, training_bytes: int) -> Row:
    """A row as a card would give it, with this peak of training."""
    peak = {"allocated_bytes": training_bytes, "reserved_bytes": training_bytes + MIB,
            "process_bytes": None, "baseline_bytes": 0, "method": "double"}  # fmt: skip
    result = case.result(
        "ok", figures={"batch_rows": 4, "batch_tokens": 64, "batch_kept": 47}, peaks={}
    )
    return Row("fit/gemma-2-2b-it/rank=16/64", "ok", 3.0,
               found_of(result) | {"peaks": {"training": peak}})  # fmt: skip


def test_predicted_is_put_beside_what_the_allocator_held():
    case = case_of("gemma-2-2b-it/rank=16")
    (pair,) = compared(measured_row(case, 7310 * MIB), case, "9.0")
    assert pair["phase"] == "training"
    assert pair["measured_bytes"] == 7310 * MIB
    expected = 100 * (pair["predicted_bytes"] / pair["measured_bytes"] - 1)
    assert pair["error_percent"] == round(expected, 2)
    assert sum(pair["terms"].values()) == pair["predicted_bytes"]


def test_what_failed_or_is_shrunk_is_not_compared():
    case = case_of("gemma-2-2b-it/rank=16")
    row = measured_row(case, MIB)
    failed = Row(row.item, "oom_training", 1.0, row.found)
    assert compared(failed, case) == []
    shrunk = next(i for i in card_cases.short_rows(TINY) if "rank=16" in i.name).work
    assert compared(row, shrunk) == []


def test_errors_are_told_by_phase_with_the_worst_by_name():
    pairs = [
        {"phase": "training", "error_percent": e, "item": f"fit/{n}"}
        for n, e in (("a", -4.0), ("b", 1.0), ("c", 2.0))
    ]
    found = errors(pairs)
    assert found["training"] == found["all"]
    assert found["all"]["median_percent"] == 2.0
    assert (found["all"]["worst_percent"], found["all"]["worst_item"]) == (4.0, "fit/a")
    assert found["all"]["lowest_percent"] == -4.0
    assert found["load"] is None


def test_the_page_holds_the_figures_and_says_what_was_not_measured(tmp_path):
    case = case_of("gemma-2-2b-it/rank=16")
    item = Item("fit/gemma-2-2b-it/rank=16/64", 1, case)
    rows = {"environment": environment(), item.name: measured_row(case, 7310 * MIB)}
    peer = {"step_seconds": 0.2, "allocated_bytes": 2 * MIB, "reserved_bytes": MIB, "loss_last": 1}
    rows["peers/ours"] = Row("peers/ours", "ok", 1, peer)
    rows["peers/TRL"] = Row("peers/TRL", "ok", 1, peer | {"step_seconds": 0.4})
    rows["peers/TRL + Liger"] = Row("peers/TRL + Liger", "ok", 1, {"missing": ["trl"]})
    found = figures(rows, {item.name: item}) | {"notes": ["Measured in the rain."]}
    page = campaign_page.write(found, tmp_path / "gpu.md", tmp_path / "raw.json")
    said = page.read_text(encoding="utf-8")
    assert "7,310" in said and "| TRL | 400.0 |" in said and "| 0.50 |" in said
    assert "TRL + Liger (trl is missing)" in said and "Measured in the rain." in said
    assert said.count("Not measured in this campaign.") == len(campaign_page.SECTIONS) - 2
    raw = json.loads((tmp_path / "raw.json").read_text(encoding="utf-8"))
    assert raw["fit"]["errors"]["training"]["count"] == 1


def test_the_page_in_docs_is_the_one_that_its_figures_give():
    figures_there = json.loads(campaign_page.RAW.read_text(encoding="utf-8"))
    assert campaign_page.PAGE.read_text(encoding="utf-8") == campaign_page.text(figures_there)


def test_the_environment_says_what_is_missing_and_what_is_computed_in():
    found = card_probes.environment("cpu")
    assert set(found["missing"]) | set(found["versions"]) >= set(card_probes.OPTIONAL)
    assert found["dtypes"] == {"auto": "float32", "half": "bfloat16", "float32": "float32"}


def test_products_are_timed_in_each_precision():
    found = precision_probes.products("cpu")
    assert set(found["operations_per_second"]) == {"float32", "float16", "bfloat16"}
    assert found["bf16_share_of_float16"] > 0
    assert found["emulated_bf16"] is None


def test_out_of_memory_is_known_as_that_and_the_process_goes_on():
    (case,) = precision_probes.out_of_memory("cpu")["cases"].values()
    assert case["recognised"] and case["works_after"]
    assert case["said"]


@pytest.mark.slow
def test_all_loops_make_the_same_losses_on_the_same_rows(engine):
    job = step_peers.short(step_peers.Job("cpu", "float32"))
    losses = {}
    for name in ("ours", "plain", "TRL"):
        row = do(Item(f"peers/{name}", 250, Probe(step_peers.step, {"name": name, "job": job})),
                 "cpu", 250)  # fmt: skip
        losses[name] = (row.found["loss_first"], row.found["loss_last"])
    assert losses["ours"] == pytest.approx(losses["plain"], abs=1e-4)
    assert losses["ours"] == pytest.approx(losses["TRL"], abs=1e-4)


#: The campaign with ten times the time for every item: this machine may have other work.
PATIENT = """
from dataclasses import replace
from benchmarks.selfchecks import gpu_campaign
whole = gpu_campaign.items
gpu_campaign.items = lambda given: (replace(i, seconds=10 * i.seconds) for i in whole(given))
gpu_campaign.main()
"""
#: An item or more of every part, small ones.
OF_EACH_PART = (
    "start/forkserver", "accounts", "fit/FinguAI-Chat-v1/rank=16/64", "peers/ours", "peers/TRL",
    "limit", "windows/llama1B", "fit/llama1B/nf4 inference", "commands",
    "precision/products", "before and after/opt-350m/before", "full card",
    "replies/bundled", "fit/llama1B/rank=64/64", "fit/Qwen3-0.6B/inference",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_campaign_that_was_killed_goes_through_every_part_to_its_page(tmp_path):
    only = [word for name in OF_EACH_PART for word in ("--only", name)]
    command = [sys.executable, "-c", PATIENT, "--device", "cpu", "--scale", "tiny",
               "--minutes", "25", "--out", str(tmp_path), *only]  # fmt: skip
    journal = Journal(tmp_path)
    first = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    while len(journal.rows()) < 4:
        assert first.poll() is None
        time.sleep(0.1)
    first.send_signal(signal.SIGKILL)
    first.wait()
    before = journal.path.read_text(encoding="utf-8")
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=1500)
    assert journal.path.read_text(encoding="utf-8").startswith(before)  # nothing was done twice
    found = json.loads((tmp_path / "campaign.json").read_text(encoding="utf-8"))
    ended = {row["item"]: row["status"] for row in found["items"]}
    wanted = {f"limit/{status}": status for status in card_cases.LIMITS}
    assert {name: status for name, status in ended.items() if status != "ok"} == wanted
    settings = gpu_campaign.settings_of(journal.rows()["environment"], "cpu", "tiny")
    assert {item.group for item in gpu_campaign.items(settings)} <= {
        name.partition("/")[0] for name in ended
    }
    page = campaign_page.text(found)
    unmeasured = [part.split("\n")[0] for part in page.split("## ") if "Not measured" in part]
    # shrunk models are no figures of a prediction, and a CPU tells no peak of a moment
    assert unmeasured == ["Predicted and measured memory", "The moments of a step"]


def test_each_moment_of_a_step_keeps_its_highest_peak(monkeypatch):
    peaks = iter([10, 30, 20, 40])
    monkeypatch.setattr(cuda, "take_peak", lambda: next(peaks))
    tracker = window_probe.CardTracker("loss")
    for moment in ("head", "last layer", "head", "step"):
        tracker.enter(moment)
    assert tracker.peaks == {"loss": 10, "head": 40, "last layer": 20}


def test_accounts_tell_what_the_driver_counts_beyond_torch(monkeypatch):
    monkeypatch.setattr(cuda, "in_use", lambda: (5, 8))
    monkeypatch.setattr(cuda, "process_bytes", lambda: 20)
    monkeypatch.setattr(cuda, "free_and_total", lambda: (70, 100))
    account = card_probes._account("cuda")
    assert (account["context_bytes"], account["card_used_bytes"]) == (12, 30)


def test_the_peak_is_taken_and_begins_anew(monkeypatch):
    done: list[str] = []
    double = SimpleNamespace(
        max_memory_allocated=lambda: 7, reset_peak_memory_stats=lambda: done.append("reset")
    )
    monkeypatch.setattr(torch, "cuda", double)
    assert cuda.take_peak() == 7
    assert done == ["reset"]
