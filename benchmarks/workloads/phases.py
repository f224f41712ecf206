"""The phases of workloads: their labels, and the status when one runs out of memory."""

from __future__ import annotations

from dataclasses import dataclass

from model_registry.language import text


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a worker. `out_of_memory` is the status that running out in it means; None
    where that is its workload's to say."""

    name: str
    en: str
    ko: str
    out_of_memory: str | None = None


_ALL = (
    Phase("start", "starting", "시작하는 중", "oom_load"),
    Phase("imports", "importing", "라이브러리를 불러오는 중"),
    Phase("load", "loading", "불러오는 중", "oom_load"),
    Phase("quantization", "quantising", "양자화하는 중"),
    Phase("warm_up", "warming up", "예열 중"),
    Phase("inference", "answering one by one", "하나씩 답하는 중", "oom_inference"),
    Phase("replies", "answering in batches", "묶어서 답하는 중", "oom_inference"),
    Phase("training", "tuning", "튜닝 중"),
    Phase("tuning", "tuning before ORPO", "ORPO 전 튜닝 중"),
    Phase("own_replies", "answering its own rows", "튜닝한 행에 답하는 중", "oom_inference"),
    Phase("task_data", "fetching the task", "과제를 가져오는 중"),
    Phase("benchmark", "benchmark task", "벤치마크 중", "oom_inference"),
    Phase("validation_before", "validation loss before", "튜닝 전 검증 손실"),
    Phase("validation_after", "validation loss after", "튜닝 후 검증 손실"),
)

#: By the name that a workload gives it. One that is not here goes by its name.
PHASES = {phase.name: phase for phase in _ALL}


def phase_words(name: str) -> str:
    """What a worker does in a phase, for people."""
    phase = PHASES.get(name)
    return text(phase.en, phase.ko) if phase else name
