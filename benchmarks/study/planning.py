"""Plans any study: one that measures and tunes candidates, or one that asks backends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.run.case import Case
from benchmarks.study.asking_plan import make_asking_plan
from benchmarks.study.plan import Options, Plan, make_tuning_plan
from benchmarks.study.study import Study
from benchmarks.study.variant import effective, tuned_rank
from benchmarks.tune_checks import check_elsewhere, check_layers, check_settings, check_works
from benchmarks.workloads.optimisation import no_valid_rows
from benchmarks.workloads.workload import workload_called
from model_registry.architectures.architecture import declared_architecture
from model_registry.candidate import Candidate
from model_registry.errors import OhloraError
from model_registry.memory.fit import Work
from model_registry.messages.notes import Note
from model_registry.registry import Registry


def make_plan(study: Study, registry: Registry, options: Options, out: Path) -> Plan:
    """Resolve a study on this machine; its results will lie in `out`.

    Raises:
        OhloraError: nothing is left to do, or the data can't serve.
    """
    if study.work.ask and (options.tasks or study.work.tasks):
        raise OhloraError(
            f"The study {study.name} asks backends: benchmark tasks are measured on candidates "
            "that are loaded here.",
            f"{study.name} 스터디는 백엔드에 묻습니다. 벤치마크 과제는 여기서 불러온 후보만 "
            "측정할 수 있습니다.",
        )
    make = make_asking_plan if study.work.ask else make_tuning_plan
    plan = make(study, registry, options, out)
    _refuse_of_pairs(plan)
    if options.quantization != "none":
        _refuse_unquantized(plan, options)
        plan = _saying_what_is_plain(plan, options.quantization)
    _refuse_what_can_not_work(plan)
    if plan.contract.patience and plan.study.work.tunes and not plan.task.valid:
        raise no_valid_rows(plan.study.name)
    return plan


def _refuse_unquantized(plan: Plan, options: Options) -> None:
    """Refuse a quantisation of the bases that would change no tune, or only some."""
    name = plan.study.name
    if any(workload_called(workload).tunes for workload in plan.study.work.further):
        raise OhloraError(
            f"The study {name} prefers pairs, and ORPO is tuned on plain weights only: leave "
            "--quantization out.",
            f"{name} 스터디에는 ORPO가 있습니다. ORPO는 양자화한 가중치에서 튜닝할 수 "
            "없으니 --quantization을 빼세요.",
        )
    ranks = [(case.settings, case.settings.get("rank")) for case in plan.cases]
    if not any(rank and settings == options.rank_settings(rank) for settings, rank in ranks):
        raise OhloraError(
            f"--quantization is of the bases that are tuned at ranks, and no case of the study "
            f"{name} is: name them, as in --ranks 16, or leave it out.",
            f"--quantization은 랭크별로 튜닝할 모델에 씁니다. {name} 스터디에는 그런 케이스가 "
            "없으니 --ranks 16처럼 랭크를 정하거나 --quantization을 빼세요.",
        )


def _saying_what_is_plain(plan: Plan, quantization: str) -> Plan:
    """The plan with a note that replies before the tune are of other weights than those after."""
    if not any(case.workload == "inference" and not case.settings for case in plan.cases):
        return plan
    note = Note("answered_plain", {"quantization": quantization})
    return replace(plan, notes=(*plan.notes, note))


def _refuse_what_can_not_work(plan: Plan) -> None:
    """Refuse what no case could be tuned with; what one candidate can't do is its row."""
    tuned = [case for case in plan.cases if workload_called(case.workload).tunes]
    named: dict[str, dict[str, Candidate]] = {}  # by targets: each once, whatever its ranks
    for case in tuned:
        own, quantization = effective(case.contract, case.settings), case.setting.quantization
        check_settings(own, quantization=quantization, device=own.device, rows=len(plan.task.train))
        if case.setting.tuning != "full":
            named.setdefault(own.lora_targets, {})[case.candidate.name] = case.candidate
    for targets, candidates in named.items():
        check_layers(map(declared_architecture, candidates.values()), targets)
    check_works(
        ((declared_architecture(case.candidate), _tuned(case)) for case in tuned), check_elsewhere
    )


def _tuned(case: Case) -> Work:
    """The tune of a case, as far as an architecture may be unable to do it."""
    own, rank = effective(case.contract, case.settings), tuned_rank(case.settings)
    kind = workload_called(case.workload).memory_kind if rank else "full"
    return Work(
        kind=str(kind), rank=rank, attention=own.attention, packed=own.packing, batch=own.batch_size
    )


def _refuse_of_pairs(plan: Plan) -> None:
    kinds = {workload_called(case.workload).memory_kind for case in plan.cases}
    given = {"packing": plan.contract.packing, "patience": plan.contract.patience}
    wrong = ", ".join(name for name, value in given.items() if value)
    if wrong and "orpo" in kinds:
        raise OhloraError(
            f"The study {plan.study.name} prefers pairs, and ORPO over pairs has no {wrong}: "
            "leave it out.",
            f"{plan.study.name} 스터디에는 ORPO가 있습니다. ORPO에는 쓸 수 없는 설정이니 빼세요: "
            f"{wrong}",
        )
