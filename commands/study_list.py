"""`ohlora studies`: lists the bundled studies, or prints a template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from rich.markup import escape

from benchmarks.study import study_files
from commands.shared.console import out
from commands.shared.option_class import option


@dataclass(frozen=True, slots=True, kw_only=True)
class StudiesOptions:
    """What `ohlora studies` is asked for."""

    template: Annotated[
        bool, option("Print one for your own.", "직접 쓸 틀을 출력합니다.", "--template")
    ] = False


def studies(options: StudiesOptions) -> None:
    """List the studies, or print a commented template."""
    if options.template:
        print(study_files.template(), end="")
        return
    for name in study_files.study_names():
        each = study_files.read_study(study_files.study_path(name))
        out.print(f"[bold]{name}[/]  {escape(each.title)}\n    {escape(each.summary)}")
