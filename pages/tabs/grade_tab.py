"""The Grade tab: grade recorded replies blind; needs no model.

The tab itself is a small program for the browser (`assets/grade_tab`): grading must answer to keys
at once, and keep what was typed when the connection goes. It talks to endpoints that are open to
other clients too: grade_start, grade_screen, grade_draft, grade_submit and grade_plan.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import gradio as gr

from evaluators.grading.grading_session import OWNER
from evaluators.grading.rater_identity import Visitor
from evaluators.grading.rubric import EXAMPLE_PROMPT, FLAGS, LEVELS, SKIP_REASONS
from evaluators.grading.submission import InvalidRequest
from pages.page_context import PageContext, errors_as_messages, is_owner, visitor_of

HERE = Path(__file__).parents[1] / "assets" / "grade_tab"

#: The program's parts, in the order in which they run.
SCRIPTS = ("server", "scope", "start", "screen", "long_reply", "finish", "keys")


def grade_tab(context: PageContext, _: gr.Tab) -> None:
    """Build the tab."""
    gr.HTML(
        html_template='<div class="grading"></div>',
        js_on_load="\n".join((HERE / f"{n}.js").read_text(encoding="utf-8") for n in SCRIPTS),
        levels=[asdict(level) for level in LEVELS],
        flags={name: asdict(words) for name, words in FLAGS.items()},
        reasons={name: asdict(words) for name, words in SKIP_REASONS.items()},
        example=asdict(EXAMPLE_PROMPT),
        runs=context.grading.run_names,
        elem_id="grade",
        apply_default_css=False,
    )
    _endpoints(context)


def grading_visitor(context: PageContext, grader: str, request: gr.Request) -> Visitor:
    """The visitor who grades; of an owner it is kept what they looked at by their other link."""
    visitor = visitor_of(grader, request)
    if is_owner(context, request) and context.grading.knows(visitor):
        context.grading.store.names_seen.copy(OWNER, visitor.id)
    return visitor


def _endpoints(context: PageContext) -> None:
    """The endpoints; unqueued, so that a chat never makes a grader wait."""
    grading = context.grading

    def grade_start(name: str, grader: str, request: gr.Request) -> dict[str, object]:
        """Sit down with a name, or come back with a token; gives the token to come back with."""
        with errors_as_messages(request, escape=False):
            visitor, owner = visitor_of(grader, request), is_owner(context, request)
            person, token = grading.join(name, visitor, owner=owner)
            return {"grader": token, "name": person.name}

    def grade_screen(grader: str, run: str, number: int, request: gr.Request) -> dict[str, object]:
        """What to grade next (number -1), an earlier screen by its number, or the finish."""
        with errors_as_messages(request, escape=False):
            visitor = grading_visitor(context, grader, request)
            if not grader and not (visitor.login and grading.knows(visitor)):
                return {"stranger": True}
            return grading.screen(visitor, run or "", None if number == -1 else number)

    def grade_submit(
        grader: str,
        screen: str,
        grades: list[object],
        attempt: str,
        seconds: float,
        skip_reason: str,
        request: gr.Request,
    ) -> dict[str, object]:
        """Keep the grades of one screen; what this answers to is on disk."""
        with errors_as_messages(request, escape=False):
            return grading.submit(
                grading_visitor(context, grader, request),
                screen,
                grades,
                attempt=attempt or "",
                seconds=seconds,
                skip_reason=skip_reason or "",
            )

    def grade_draft(
        grader: str, screen: str, answers: list[object], request: gr.Request
    ) -> dict[str, object]:
        """Keep what was chosen on a screen until it is handed in; null is no grade yet."""
        with errors_as_messages(request, escape=False):
            grading.keep_draft(visitor_of(grader, request), screen, answers)
            return {"kept": True}

    def grade_plan(run: str, changes: dict[str, object], request: gr.Request) -> dict[str, object]:
        """How much there is to grade; the manager sees and changes what, by whom and how often."""
        with errors_as_messages(request, escape=False):
            if not isinstance(changes, dict):
                raise InvalidRequest(
                    'What to change is an object, such as {"prompts": 12}.',
                    '바꿀 내용은 {"prompts": 12} 같은 객체로 보내세요.',
                )
            owner = is_owner(context, request)
            if changes and not owner:
                raise InvalidRequest(
                    "Only the manager changes what is graded: open the owner's link.",
                    "평가 범위는 관리자만 바꿀 수 있어요. 관리자용 링크로 여세요.",
                )
            plan = grading.scope_document(run or "", changes)
            return {**plan, "owner": True} if owner else {"load": plan["load"]}

    for endpoint in (grade_start, grade_screen, grade_draft, grade_submit, grade_plan):
        gr.api(endpoint, api_name=endpoint.__name__, queue=False)
