"""The phases of workloads: their labels, and the status when one runs out of memory."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from model_registry.language import text


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a worker. `out_of_memory` is the status that running out in it means; None
    where that is its workload's to say."""

    name: str
    en: str
    ko: str
    out_of_memory: str | None = None


#: What `workloads.toml` says of workloads and of phases, by name.
TABLES = tomllib.loads(Path(__file__).with_name("workloads.toml").read_text(encoding="utf-8"))

#: By the name that a workload gives it. One that is not here goes by its name.
PHASES = {name: Phase(name, **row) for name, row in TABLES["phases"].items()}


def phase_words(name: str) -> str:
    """What a worker does in a phase, for people."""
    phase = PHASES.get(name)
    return text(phase.en, phase.ko) if phase else name
