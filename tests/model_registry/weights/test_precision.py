"""Every command computes in the precision that one rule gives, whatever the card."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks.run import worker
from benchmarks.tune_candidate import tune_candidate
from model_registry import cuda
from model_registry.backends.open_backend import open_backend
from model_registry.errors import LoadError
from model_registry.memory.fit_report import machine_budget
from model_registry.registry import Registry
from model_registry.weights import pretrained
from model_registry.weights.export import export
from tests.support.small_study import plan_study, write_study


@pytest.fixture(params=["bfloat16", "float16"])
def card(request, monkeypatch) -> tuple[str, list[tuple[str, str]]]:
    """A card with or without bf16 of its own, and what is loaded onto it: (device, dtype)."""
    import torch

    native = request.param == "bfloat16"
    loaded: list[tuple[str, str]] = []

    def record(folder: Path, device: str, dtype: Any, cure: str | None) -> None:
        loaded.append((device, str(dtype).removeprefix("torch.")))
        raise LoadError("error", "recorded", "기록")

    monkeypatch.setattr(cuda, "has_driver", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.cuda,
        "is_bf16_supported",
        lambda including_emulation=True: including_emulation or native,
    )
    monkeypatch.setattr(cuda, "describe", lambda: {"name": "card", "native_bf16": native})
    monkeypatch.setattr(pretrained, "_model", record)
    return request.param, loaded


def test_tune_ask_run_and_fit_agree_on_the_precision(card, tiny_model, tmp_path) -> None:
    wanted, loaded = card
    data = tmp_path / "rows.csv"
    data.write_text("prompt,reply\n안녕?,반가워.\n", encoding="utf-8")
    with pytest.raises(LoadError, match="recorded"):
        open_backend(str(tiny_model), Registry())
    with pytest.raises(LoadError, match="recorded"):
        tune_candidate(
            str(tiny_model), data, tmp_path / "tuned", Registry(), rank=4, epochs=1,
            weights="auto", device="auto", console=Console(quiet=True),
        )  # fmt: skip
    plan = plan_study(write_study(tmp_path, tiny_model), tmp_path / "out", device="auto")
    with pytest.raises(LoadError, match="recorded"):
        worker._open(plan.cases[0])
    assert loaded == [("cuda", wanted)] * 3
    assert machine_budget().dtype == plan.contract.dtype == wanted


def test_an_export_merges_in_the_precision_of_the_tune(tiny_model, tmp_path, monkeypatch) -> None:
    base, data = tmp_path / "base", tmp_path / "rows.csv"
    shutil.copytree(tiny_model, base)
    data.write_text("prompt,reply\n안녕?,반가워.\n", encoding="utf-8")
    done = tune_candidate(
        str(base), data, tmp_path / "tuned", Registry(), rank=4, epochs=1, weights="auto",
        device="cpu", dtype="bfloat16", console=Console(quiet=True),
    )  # fmt: skip
    seen: list[str] = []

    def record(folder: Path, device: str, dtype: Any, cure: str | None) -> None:
        seen.append(str(dtype).removeprefix("torch."))
        raise LoadError("error", "recorded", "기록")

    monkeypatch.setattr(pretrained, "_model", record)
    with pytest.raises(LoadError, match="recorded"):
        export(done, tmp_path / "model", Registry(), source="hub")
    assert seen == ["bfloat16"]
