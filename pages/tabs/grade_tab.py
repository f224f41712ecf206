"""The Grade tab: grade recorded replies blind; needs no model.

The tab itself is a small program for the browser (`grade.js`): grading must answer to keys at
once, and keep what was typed when the connection goes. It talks to three endpoints, which are
open to other clients too: grade_start, grade_screen and grade_submit.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import gradio as gr

from evaluators.grading.rubric import EXAMPLE_PROMPT, FLAGS, LEVELS, SKIP_REASONS
from pages.page_context import PageContext, errors_as_messages, visitor_of

HERE = Path(__file__).parents[1] / "assets"


def grade_tab(context: PageContext, _: gr.Tab) -> None:
    """Build the tab."""
    gr.HTML(
        html_template='<div class="grading"></div>',
        js_on_load=(HERE / "grade.js").read_text(encoding="utf-8"),
        levels=[asdict(level) for level in LEVELS],
        flags={name: asdict(words) for name, words in FLAGS.items()},
        reasons={name: asdict(words) for name, words in SKIP_REASONS.items()},
        example=asdict(EXAMPLE_PROMPT),
        runs=context.grading.run_names,
        elem_id="grade",
        apply_default_css=False,
    )
    _endpoints(context)


def _endpoints(context: PageContext) -> None:
    """The three endpoints; unqueued, so that a chat never makes a grader wait."""
    grading = context.grading

    def grade_start(name: str, grader: str, request: gr.Request) -> dict[str, object]:
        """Sit down with a name, or come back with a token; gives the token to come back with."""
        with errors_as_messages(request, escape=False):
            person, token = grading.join(name, visitor_of(grader, request))
            return {"grader": token, "name": person.name}

    def grade_screen(grader: str, run: str, number: int, request: gr.Request) -> dict[str, object]:
        """What to grade next (number -1), an earlier screen by its number, or the finish."""
        with errors_as_messages(request, escape=False):
            visitor = visitor_of(grader, request)
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
                visitor_of(grader, request),
                screen,
                grades,
                attempt=attempt or "",
                seconds=seconds,
                skip_reason=skip_reason or "",
            )

    for endpoint in (grade_start, grade_screen, grade_submit):
        gr.api(endpoint, api_name=endpoint.__name__, queue=False)
