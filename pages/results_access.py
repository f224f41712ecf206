"""Who is shown a run's results, when, and how much of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from pages.page_context import PageContext, is_owner, page_visitor, sees_names, shows_names

#: Why results are not shown: English, Korean.
_SHUT = (
    "Results open when you have finished grading: seeing them before would colour your grades. "
    "What you skipped is graded first, too.\n"
    "Whoever started this page sees them by the owner's link printed there.",
    "평가를 마치면 결과를 볼 수 있어요. 먼저 보면 평가에 영향을 줄 수 있기 때문이에요. "
    "건너뛴 항목도 평가해야 열려요.\n"
    "페이지를 실행한 관리자는 터미널에 나온 관리자용 링크로 볼 수 있어요.",
)
_FOR_THE_MANAGER = (
    "You have finished. Thank you! The results of this run are for its manager.",
    "평가를 마쳤어요. 고맙습니다! 이 실행 결과는 관리자만 볼 수 있어요.",
)
_WAITS = (
    "You are still grading this run. Press Refresh to see its results now: what you grade "
    "afterwards is kept, but left out of the statistics.",
    "아직 이 실행 결과를 평가하는 중이에요. 지금 결과를 보려면 새로 고침을 누르세요. 그 뒤에 매긴 "
    "등급은 저장되지만 통계에는 넣지 않아요.",
)


@dataclass(frozen=True, slots=True)
class ResultsAccess:
    """What a visitor is shown now of the run in `folder`."""

    folder: Path
    why_not: tuple[str, str] | None  # in English and Korean; None where they are shown
    everything: bool  # the other graders' names and severity too, and grades to download


def results_access(
    context: PageContext, request: gr.Request, run: str, asked: bool
) -> ResultsAccess:
    """Whether a visitor sees a run's results; `asked` as in `shows_names`.

    Raises:
        OhloraError: there is no such run.
    """
    found = context.grading.run(run)
    why_not = _why_not(context, request, run, asked)
    everything = why_not is None and (
        is_owner(context, request)
        or context.grading.store.management.visibility(found.name) == "everything"
    )
    return ResultsAccess(found.folder, why_not, everything)


def _why_not(
    context: PageContext, request: gr.Request, run: str, asked: bool
) -> tuple[str, str] | None:
    """Why a visitor is not shown results now, in English and Korean."""
    if shows_names(context, request, run, asked=asked):
        return None
    if sees_names(context, request, run):
        return _WAITS
    finished = context.grading.has_finished(page_visitor(request), run)
    return _FOR_THE_MANAGER if finished else _SHUT
