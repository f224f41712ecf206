"""The Diagram tab: request diagrams, see the best, score them to teach your taste.

Nothing is kept here: what a visitor scored lives in the visitor's own session.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

import gradio as gr

from diagrams.parse import is_closed
from diagrams.scoring.taste import cold_start
from evaluators.grading.submission import InvalidRequest
from model_registry.backends.backend import GenerationSettings
from model_registry.language import read_on_page, text
from pages.page_context import (
    OWN_EVENT,
    PageContext,
    errors_as_messages,
    prefers_korean,
    refuse_while_grading,
)
from pages.page_texts import word
from pages.tabs.diagram_drawing import (
    LONGEST_REQUEST,
    MOST_SHOWN,
    Drawing,
    Session,
    drawing_request,
    trained,
)
from pages.tabs.diagram_view import lines

MOST_DRAWN = 12
MAX_NEW_TOKENS = 900
EXAMPLES = (
    "A neural network with 3 input nodes, 5 and 4 nodes in the 2 hidden layers, "
    "and 2 output nodes.",
    "입력 3개, 은닉층 5개와 4개, 출력 2개인 신경망을 그려 줘.",
)


def diagram_tab(context: PageContext, tab: gr.Tab) -> gr.Textbox:
    """Build the tab; the box of the request, to be filled in the visitor's language."""
    names = _names(context)
    session = gr.State(Session())
    with gr.Row():
        request = gr.Textbox(
            value=EXAMPLES[0],
            label=word("diagram_request"),
            placeholder=word("diagram_hint"),
            lines=2,
            max_length=LONGEST_REQUEST,
            scale=4,
            elem_id="diagram-request",
        )
        draw = gr.Button(
            word("diagram_draw"), variant="primary", elem_id="diagram-draw", min_width=84, scale=0
        )
        stop = gr.Button(word("stop"), elem_id="diagram-stop", min_width=84, scale=0, visible=False)
    with gr.Row(elem_id="diagram-examples"):
        for number in (1, 2, 3):
            example_button = gr.Button(
                word(f"diagram_example_{number}"), size="sm", elem_id=f"diagram-example-{number}"
            )
            example_button.click(
                None, None, request, js=_FILL % number, queue=False, api_visibility="private"
            )
    with gr.Row():
        candidate = gr.Dropdown(
            names,
            value=names[0] if names else None,
            label=word("candidate"),
            elem_id="diagram-candidate",
        )
        count = gr.Slider(2, MOST_DRAWN, value=6, step=1, label=word("diagram_count"))
        keep = gr.Slider(1, MOST_SHOWN, value=3, step=1, label=word("diagram_keep"))
        temperature = gr.Slider(0, 2, value=0.7, step=0.05, label=word("temperature"))
    status = gr.HTML("", elem_id="diagram-status", js_on_load=_SPOKEN)
    slots = [_slot(place) for place in range(MOST_SHOWN)]
    parts = [part for slot in slots for part in slot]

    def diagram(
        request_text: str, candidate: str, count: int, keep: int, temperature: float,
        session: Session, request: gr.Request,
    ) -> Generator[tuple[object, ...], None, None]:  # fmt: skip
        with errors_as_messages(request):
            how = _settings(count, keep, temperature)
            wanted = drawing_request(context.models, candidate, request_text, int(keep))
            refuse_while_grading(context, request, *wanted.texts)
            drawing = Drawing(wanted, int(count), session, prefers_korean(request))
            if not wanted.said:
                yield drawing.refused()
                return
            made = context.models.partial_answers(candidate, drawing.questions(how), is_closed)
            with context.slot(request), closing(made) as growing:
                yield drawing.begun()
                try:
                    for answers in growing:
                        if (view := drawing.look(answers)) is not None:
                            yield view
                        if drawing.session.halt.asked:
                            break
                except Exception:
                    yield drawing.done()
                    raise
            yield drawing.done()

    drawn = gr.on(
        [draw.click, request.submit],
        diagram,
        [request, candidate, count, keep, temperature, session],
        [status, *parts, session, stop],
        concurrency_limit=2,
        concurrency_id="diagrams",  # an own line: the smaller limit would hold for chats too
        show_progress="hidden",
        preprocess=False,
        trigger_mode="once",
        api_name="diagram",
    )
    drawn.then(lambda: gr.Button(visible=False), None, stop, **OWN_EVENT)  # after a failure too
    stop.click(_halt, session, None, js=_FOCUS, **OWN_EVENT)
    tab.select(lambda: context.models.warm_up(names[0] if names else ""), **OWN_EVENT)
    scores = [score for *_, score in slots]
    for score in scores:
        score.input(_keep_scores, [session, *scores], [status, session], **OWN_EVENT)
    return request


#: What is drawn is read out; scores are a group named by their picture, with arrow keys inside.
_SPOKEN = """
element.setAttribute("role", "status");
const groups = () => {
  for (const group of document.querySelectorAll("[id^=diagram-score-]")) {
    group.setAttribute("role", "radiogroup");
    group.setAttribute("aria-label", group.querySelector("[data-testid=block-info]").innerText);
    for (const choice of group.querySelectorAll("input"))
      if (choice.name !== group.id) choice.name = group.id;
  }
};
const all = { childList: true, subtree: true, attributeFilter: ["name"] };
new MutationObserver(groups).observe(document.getElementById("tab-diagram"), all);
"""
#: A button that goes leaves the focus behind.
_FOCUS = '(...all) => { document.getElementById("diagram-draw").focus(); return all; }'
#: What an example's button says goes into the box, in the language that the browser shows.
_FILL = "() => document.getElementById('diagram-example-%d').innerText.trim()"


def example(request: gr.Request) -> object:
    """What stands in the box of the request when the page opens."""
    return EXAMPLES[1] if prefers_korean(request) else gr.skip()


def _names(context: PageContext) -> list[str]:
    """The candidates, those made for diagrams first."""
    return sorted(context.models.names, key=lambda name: name not in trained(context.models))


def _slot(place: int) -> tuple[gr.Column, gr.HTML, gr.Radio]:
    """One picture with its score; hidden until there is one."""
    with gr.Column(visible=False, elem_id=f"diagram-slot-{place}") as column:
        picture = gr.HTML("", elem_id=f"diagram-picture-{place}", js_on_load=None)
        score = gr.Radio(
            [0, 1, 2, 3, 4, 5],
            label=word(f"diagram_score_{place + 1}"),
            elem_id=f"diagram-score-{place}",
        )
    return column, picture, score


def _settings(count: float, keep: float, temperature: float) -> GenerationSettings:
    """How the replies are made.

    Raises:
        InvalidRequest: a number is out of its bounds, as other clients than the page may send.
    """
    for value, low, high in (
        (count, 1, MOST_DRAWN),
        (keep, 1, MOST_SHOWN),
        (temperature, 0, 2),
    ):
        known = isinstance(value, int | float) and not isinstance(value, bool)
        if not known or not low <= value <= high:
            raise InvalidRequest(
                f"A setting must be a number from {low} to {high}.",
                f"설정값은 {low}에서 {high} 사이의 수여야 해요.",
            )
    return GenerationSettings(MAX_NEW_TOKENS, float(temperature), 0.95)


def _halt(session: Session) -> None:
    """End the drawing that goes on: what is made is ranked."""
    session.halt.asked = True


def _keep_scores(request: gr.Request, session: Session, *scores: int | None) -> tuple[str, Session]:
    """The session with the scores of all that is shown.

    Each click brings every slot's score: two clicks in a moment both begin from the session as it
    was before, and the second would forget the first.
    """
    with errors_as_messages(request):
        given = [(place, score) for place, score in enumerate(scores) if score is not None]
        if not given or any(p >= len(session.shown) or s not in range(6) for p, s in given):
            raise InvalidRequest("Draw something first.", "먼저 다이어그램을 그려 주세요.")
        new = tuple((session.shown[place], float(score)) for place, score in given)
        others = tuple(one for one in session.scored if all(one[0] is not r for r, _ in new))
        session = replace(session, scored=(*others, *new))
        with read_on_page(prefers_korean(request)):
            known = text("The next ranking follows your taste.", "다음 순위는 이 취향을 따릅니다.")
            scored = len(session.scored)
            said = text(f"{scored} scored.", f"{scored}개에 점수를 매겼습니다.")
            taught = [(reply.diagram, score) for reply, score in session.scored]
            return lines(f"{said} {cold_start(taught) or known}"), session
