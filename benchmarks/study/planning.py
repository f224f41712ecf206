"""Plans any study: one that measures and tunes candidates, or one that asks backends."""

from __future__ import annotations

from pathlib import Path

from benchmarks.study.asking_plan import make_asking_plan
from benchmarks.study.plan import Options, Plan, make_tuning_plan
from benchmarks.study.study import Study
from benchmarks.workloads.optimisation import no_valid_rows
from benchmarks.workloads.workload import workload_called
from model_registry.errors import OhloraError
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
    if plan.contract.patience and plan.study.work.tunes and not plan.task.valid:
        raise no_valid_rows(plan.study.name)
    return plan


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
