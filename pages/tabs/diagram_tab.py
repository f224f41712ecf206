"""The Diagram tab: request diagrams, see the best, score them to teach your taste.

Nothing is kept here: what a visitor scored lives in the visitor's own session.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import gradio as gr

from diagrams.draw import png, svg
from diagrams.parse import ParsedReply, parse
from diagrams.requests.diagram_requests import asked_nodes, prompt_for
from diagrams.scoring.recommend import Ranking, Recommendation, recommend
from evaluators.grading.submission import InvalidRequest, text
from model_registry.backends.backend import GenerationSettings
from model_registry.language import read_by
from pages.page_context import PageContext, errors_as_messages, prefers_korean, refuse_while_grading
from pages.page_texts import word

LONGEST_REQUEST = 1_000
MOST_DRAWN, MOST_SHOWN = 12, 4
MAX_NEW_TOKENS = 900
EXAMPLE = (
    "A neural network with 3 input nodes, 5 and 4 nodes in the 2 hidden layers, and 2 output nodes."
)


@dataclass(frozen=True, slots=True)
class Session:
    """What one visitor has seen and scored since the page was opened."""

    shown: tuple[ParsedReply, ...] = ()
    scored: tuple[tuple[ParsedReply, float], ...] = ()
    drawn: int = 0  # replies so far: every one has a seed of its own


def diagram_tab(context: PageContext, _tab: gr.Tab) -> None:
    """Build the tab."""
    names = _names(context)
    session = gr.State(Session())
    with gr.Row():
        request = gr.Textbox(
            value=EXAMPLE,
            label=word("diagram_request"),
            lines=2,
            max_length=LONGEST_REQUEST,
            scale=4,
            elem_id="diagram-request",
        )
        draw = gr.Button(word("diagram_draw"), variant="primary", elem_id="diagram-draw", scale=0)
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
    status = gr.HTML("", elem_id="diagram-status", js_on_load=None)
    slots = [_slot(place) for place in range(MOST_SHOWN)]
    parts = [part for slot in slots for part in slot]

    def diagram(
        request_text: str, candidate: str, count: int, keep: int, temperature: float,
        session: Session, request: gr.Request,
    ) -> Generator[tuple[object, ...], None, None]:  # fmt: skip
        with errors_as_messages(request):
            asked = text(request_text, "request", LONGEST_REQUEST).strip()
            if not asked:
                raise InvalidRequest("Say what to draw first.", "먼저 무엇을 그릴지 적어 주세요.")
            settings = _settings(count, keep, temperature)
            refuse_while_grading(context, request, asked, prompt_for(asked))
            replies: list[str] = []
            with context.slot(request):
                for number in range(int(count)):
                    yield (_progress(number, int(count), request), *_unchanged())
                    how = replace(settings, seed=session.drawn + number)
                    replies.append(_reply(context, candidate, asked, how))
            new, shown = _ranked(replies, asked, int(keep), session, prefers_korean(request))
            yield (shown[0], *shown[1:], new)

    gr.on(
        [draw.click, request.submit],
        diagram,
        [request, candidate, count, keep, temperature, session],
        [status, *parts, session],
        concurrency_limit=2,
        concurrency_id="diagrams",  # an own line: the smaller limit would hold for chats too
        show_progress="hidden",
        preprocess=False,
        api_name="diagram",
    )
    scores = [score for *_, score in slots]
    for score in scores:
        score.input(
            _keep_scores,
            [session, *scores],
            [status, session],
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )


def _names(context: PageContext) -> list[str]:
    """The candidates, those made for diagrams first."""
    known = {c.name: c for c in context.models.registry.candidates()}
    return sorted(
        context.models.names, key=lambda n: "diagram" not in (known[n].traits if n in known else ())
    )


def _slot(place: int) -> tuple[gr.Column, gr.HTML, gr.Radio]:
    """One picture with its score; hidden until there is one."""
    with gr.Column(visible=False, elem_id=f"diagram-slot-{place}") as column:
        picture = gr.HTML("", elem_id=f"diagram-picture-{place}", js_on_load=None)
        score = gr.Radio(
            [0, 1, 2, 3, 4, 5], label=word("diagram_score"), elem_id=f"diagram-score-{place}"
        )
    return column, picture, score


def _settings(count: float, keep: float, temperature: float) -> GenerationSettings:
    """How the replies are made.

    Raises:
        Refused: a number is out of its bounds, as other clients than the page may send.
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


def _reply(context: PageContext, candidate: str, asked: str, how: GenerationSettings) -> str:
    messages = [{"role": "user", "content": prompt_for(asked)}]
    with closing(context.models.stream(candidate, messages, how)) as pieces:
        return "".join(pieces)


def _progress(done: int, count: int, request: gr.Request) -> str:
    said = (
        f"그리는 중: {done}/{count}" if prefers_korean(request) else f"Drawing: {done} of {count}"
    )
    return f'<p class="quiet">{said}</p>'


def _unchanged() -> list[object]:
    return [gr.skip()] * (3 * MOST_SHOWN + 1)


def _ranked(
    replies: Sequence[str], asked: str, keep: int, session: Session, korean: bool
) -> tuple[Session, list[object]]:
    """The visitor's session with the best shown, and what status and slots become."""
    parsed = [parse(reply, prompt_for(asked)) for reply in replies]
    liked = [(reply.diagram, score) for reply, score in session.scored]
    with read_by(korean):
        ranking = recommend([reply.diagram for reply in parsed], keep, liked)
    best = [parsed[found.place] for found in ranking.best]
    slots: list[object] = []
    for place in range(MOST_SHOWN):
        there = place < len(best)
        picture = (
            _picture(best[place], ranking.best[place], replies, asked, korean) if there else ""
        )
        slots += [gr.Column(visible=there), picture, gr.Radio(value=None)]
    new = replace(session, shown=tuple(best), drawn=session.drawn + len(replies))
    return new, [_status(ranking, parsed, korean), *slots]


def _status(ranking: Ranking, parsed: Sequence[ParsedReply], korean: bool) -> str:
    kept = sum(reply.format_kept for reply in parsed)
    said = (
        f"{len(parsed)}개 중 {kept}개가 형식을 지켰어요."
        if korean
        else f"{kept} of {len(parsed)} kept the format."
    )
    return "".join(f'<p class="quiet">{html.escape(note)}</p>' for note in (said, *ranking.notes))


def _picture(
    reply: ParsedReply, found: Recommendation, replies: Sequence[str], asked: str, korean: bool
) -> str:
    """The drawn diagram at the width of the page, its scores and its files."""
    drawing = svg(reply.diagram)
    large = drawing.replace('width="1000" height="600"', 'style="width:100%;height:auto"', 1)
    words = (
        ("점수", "가독성", "취향", "노드") if korean else ("score", "readability", "taste", "nodes")
    )
    taste = "—" if found.taste is None else f"{found.taste:.1f}"
    wanted = asked_nodes(asked)
    scores = (
        f"{words[0]} {found.final:.1f} · {words[1]} {found.readability:.1f} · {words[2]} {taste}"
        f" · {words[3]} {len(reply.diagram.nodes)}{f' / {wanted}' if wanted else ''}"
    )
    files = (
        ("PNG", "image/png", png(reply.diagram)),
        ("SVG", "image/svg+xml", drawing.encode()),
        ("TXT", "text/plain;charset=utf-8", replies[found.place].encode(errors="replace")),
    )
    links = " · ".join(
        f'<a download="diagram.{name.lower()}" href="data:{kind};base64,'
        f'{base64.b64encode(content).decode()}">{name}</a>'
        for name, kind, content in files
    )
    return (
        f'<figure style="margin:0">{large}<figcaption class="quiet">{scores} — {links}'
        "</figcaption></figure>"
    )


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
        said = (
            f"{len(session.scored)}개에 점수를 매겼어요. 다음 순위는 이 취향을 따라요."
            if prefers_korean(request)
            else f"{len(session.scored)} scored. The next ranking follows your taste."
        )
        return f'<p class="quiet">{said}</p>', session
