"""Probes of replies: batch against single, commands that load a model, a full card.

Each function is called in a worker and gives a dict of plain values.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.engines.local import LocalEngine
from benchmarks.run.case import Case, Task
from benchmarks.run.measure import wait_for
from benchmarks.selfchecks.campaign import card_cases
from benchmarks.study.contract import Contract
from model_registry import cuda
from model_registry.backends.backend import GenerationSettings
from model_registry.backends.transformers_local import answer_batch, answer_one
from model_registry.files.shipped_data import DATASETS
from model_registry.registry import Registry
from model_registry.weights.adapter import CARD
from model_registry.weights.loading import load

ROOT = Path(__file__).resolve().parents[3]
_MIB = 2**20


def replies(
    name: str, source: str, device: str, dtype: str, scale: str, count: int, new_tokens: int
) -> dict[str, object]:
    """Seconds for the same greedy replies made one by one and in a batch, and how many differ."""
    loaded = load(
        Registry().candidate(name), source=source, device=device, dtype=dtype, scale=scale
    )
    settings = GenerationSettings(max_new_tokens=new_tokens)
    asked = [row.messages for row in card_cases.prompts(count)]
    answer_batch(loaded, asked[:2], replace(settings, max_new_tokens=4))  # warms up

    begin = time.perf_counter()
    singles = [answer_one(loaded, messages, settings) for messages in asked]
    wait_for(device)
    middle = time.perf_counter()
    batch = answer_batch(loaded, asked, settings)
    wait_for(device)
    end = time.perf_counter()
    return {
        "dtype": loaded.dtype,
        "replies": count,
        "tokens": sum(answer.new_tokens or 0 for answer in singles),
        "single_seconds": middle - begin,
        "batch_seconds": end - middle,
        "ratio": (middle - begin) / (end - middle),
        "differing": sum(a.text != b.text for a, b in zip(singles, batch, strict=True)),
    }


def commands(device: str, name: str, weights: str) -> dict[str, object]:
    """`ohlora tune` and `ohlora ask` as a user types them: exit statuses, and the precision that
    the tune says it was made in."""
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder, "rows.jsonl")
        given = (DATASETS / "persona" / "train.jsonl").read_text(encoding="utf-8").split("\n")
        rows.write_text("\n".join(given[:24]) + "\n", encoding="utf-8")
        out = Path(folder, "adapter")
        tuned = _ohlora(
            "tune", name, "--data", str(rows), "--out", str(out), "--epochs", "1",
            "--weights", weights, "--device", device,
        )  # fmt: skip
        card = json.loads((out / CARD).read_text()) if (out / CARD).exists() else {}
        asked = _ohlora(
            "ask", str(out), "오늘 뭐 했어?", "--weights", weights, "--device", device,
            "--max-new-tokens", "16",
        )  # fmt: skip
    return {"tune": tuned, "ask": asked, "dtype": card.get("dtype")}


def _ohlora(*arguments: str) -> dict[str, object]:
    begin = time.perf_counter()
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "ohlora_cli.py", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,  # the item's own time ends it
    )  # fmt: skip
    said = (done.stderr or done.stdout).strip().split("\n")
    return {
        "exit_status": done.returncode,
        "seconds": time.perf_counter() - begin,
        "said": "" if done.returncode == 0 else said[-1][:300],
    }


def full_card(device: str, dtype: str, leave_mib: list[int]) -> dict[str, object]:
    """Cases on a card that somebody else fills but for so many MiB, and one when it is free again.

    Memory then runs out outside of torch's allocator too: for a context, a library's handle, a
    kernel that is loaded on demand.
    """
    if device != "cuda":
        return {"statuses": {}, "missing": ["a card"]}
    import torch

    engine = LocalEngine()
    case = _small_case(device, dtype)
    statuses: dict[str, object] = {}
    held = []
    for leave in sorted(leave_mib, reverse=True):
        free, _ = cuda.free_and_total()
        take = free - leave * _MIB
        if take > 0:
            held.append(torch.empty(take, dtype=torch.uint8, device=device))
        result = engine.run(case).result
        statuses[f"{leave} MiB left"] = [result.status, result.stage, result.message]
    held.clear()
    cuda.reset_peaks()
    result = engine.run(case).result
    return {"statuses": statuses | {"free again": [result.status, result.stage, result.message]}}


def _small_case(device: str, dtype: str) -> Case:
    candidate = next(iter(Registry().candidates("bundled")))
    contract = Contract(
        device=device, dtype=dtype, epochs=1, max_new_tokens=8, samples=0, weights="bundled",
        too_long="cut", max_length=card_cases.SHORT,
    )  # fmt: skip
    task = Task(card_cases.rows(8, card_cases.SHORT), (), card_cases.prompts(2))
    return Case(candidate, "fine-tune", contract, task, {"rank": 16})
