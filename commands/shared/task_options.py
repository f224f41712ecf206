"""Benchmark tasks as options of `ohlora run`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

from commands.shared.option_class import option
from commands.shared.options import ranged
from commands.shared.tuning_options import TuningOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions(TuningOptions):
    """Which benchmark tasks are asked, and how; None is what the study says."""

    tasks: Annotated[
        str | None,
        option(
            "Benchmark tasks of lm-eval, before and after the tune: kobest_copa,haerae.",
            "튜닝 전후에 측정할 lm-eval 과제: kobest_copa,haerae",
        ),
    ] = None
    tasks_folder: Annotated[
        Path | None, option("Tasks of your own (YAML).", "직접 만든 과제 폴더(YAML).")
    ] = None
    task_limit: Annotated[
        int | None,
        option("Documents of each task.", "과제마다 쓸 문항 수.", callback=ranged("task_limit")),
    ] = None
    task_shots: Annotated[
        int | None,
        option(
            "Examples before each document; -1 as the task says.",
            "문항 앞에 둘 예시 수. -1은 과제의 값.",
            callback=ranged("task_shots"),
        ),
    ] = None
    task_template: Annotated[
        bool | None, option("Ask tasks in the chat template.", "과제를 채팅 템플릿으로 묻습니다.")
    ] = None

    def policy(self) -> dict[str, object]:
        """What was said of tuning and tasks, by the names of the contract."""
        own = [field.name for field in fields(TaskOptions) if field.name.startswith("task_")]
        said = {name: value for name in own if (value := getattr(self, name)) is not None}
        return self.given() | said
