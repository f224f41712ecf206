"""The diagrams of one request while they are made, and what the page shows of them."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import gradio as gr

from diagrams.parse import ParsedReply, parse
from diagrams.requests.diagram_requests import prompt_for
from diagrams.requests.request_reading import Asked, read_request
from diagrams.scoring.recommend import recommend
from evaluators.grading.submission import InvalidRequest, text
from model_registry import language
from model_registry.backends.backend import GenerationSettings
from model_registry.backends.partial_answers import PartialAnswer
from model_registry.backends.transformers_local import Question
from model_registry.language import read_on_page
from pages.serving.page_models import Models
from pages.tabs.diagram_view import Progress, lines, picture, ranking_told

LONGEST_REQUEST = 1_000
MOST_SHOWN = 4
_UNCHANGED = [gr.skip()] * (3 * MOST_SHOWN)

#: Of Korean that a model of few wordings was never taught.
_NOT_TAUGHT = InvalidRequest(
    "This model understands no such request in Korean. It draws networks (입력 3개, 은닉층 "
    "5개와 4개, 출력 2개), convolutional networks (합성곱층 3개, 밀집층 1개), flow charts "
    "(수집 → 정리 → 분석 → 보고), and 4 to 8 nodes one after the other (노드 5개).",
    "이 모델이 알아듣지 못하는 요청이에요. 그릴 수 있는 것은 신경망(예: 입력 3개, 은닉층 "
    "5개와 4개, 출력 2개), CNN(예: 합성곱층 3개, 밀집층 1개), 순서도(예: 로그인, "
    "장바구니, 결제, 완료 순서도), 차례로 이은 노드 4~8개(예: 노드 5개)예요.",
)


@dataclass(slots=True)
class Halt:
    """Whether the visitor has asked to stop; the drawing that goes on looks at it."""

    asked: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """What one visitor has seen and scored since the page was opened."""

    shown: tuple[ParsedReply, ...] = ()
    scored: tuple[tuple[ParsedReply, float], ...] = ()
    drawn: int = 0  # replies so far: every one has a seed of its own
    halt: Halt = field(default_factory=Halt)


@dataclass(frozen=True, slots=True)
class DrawingRequest:
    """What is drawn: the request as it was read, and as the candidate is asked."""

    request: str
    asked: Asked
    #: To the candidate, one for each diagram, from the start again; none: it can't be asked that.
    said: tuple[str, ...]
    keep: int

    @property
    def texts(self) -> list[str]:
        """All that is asked, with and without the words around it."""
        return [one for said in (self.request, *self.said) for one in (said, prompt_for(said))]

    def told(self) -> str:
        """What the visitor must know about how the request was taken; "" where it is as it was."""
        if not self.said:
            return _why_not(self.request, self.asked) or _NOT_TAUGHT.shown
        if self.request not in self.said:
            return language.text(
                f"This model is asked in words that it was taught, such as: “{self.said[0]}”",
                f"이 모델이 배운 말로 바꿔서 요청해요. 예: “{self.said[0]}”",
            )
        if not self.asked.can_be_checked:
            return language.text(
                "This request states no number of nodes, layers or lines that is understood here: "
                "whether a picture is what was asked for can't be checked.",
                "요청에서 노드, 층, 선의 수를 알아내지 못했어요. 그림이 요청과 맞는지는 확인할 수 "
                "없어요.",
            )
        return ""


def _why_not(request: str, asked: Asked) -> str:
    """What is the matter with a flow chart that can't be drawn; "" of anything else."""
    steps = asked.layer_count
    if steps and set(asked.layers) == {1}:
        return language.text(
            f"That is {steps} steps in a row: this model draws 4 to 8.",
            f"차례로 이은 단계가 {steps}개인데, 이 모델은 4~8개만 그릴 수 있어요.",
        )
    if re.search(r"부터\s.*까지", request):
        return language.text(
            "Only the first and the last step are named: name those between, too.",
            "시작과 끝만 있고 중간 단계가 없어요. 예: 로그인, 장바구니, 결제, 완료 순서도.",
        )
    return ""


def trained(models: Models) -> set[str]:
    """The candidates that were made for diagrams, and taught few wordings."""
    return {c.name for c in models.registry.candidates() if "diagram" in c.traits}


def drawing_request(models: Models, candidate: str, given: str, keep: int) -> DrawingRequest:
    """The request as it is read, in words that the candidate knows.

    Raises:
        InvalidRequest: it is empty.
    """
    request = text(given, "request", LONGEST_REQUEST).strip()
    if not request:
        raise InvalidRequest("Say what to draw first.", "먼저 무엇을 그릴지 적어 주세요.")
    asked = read_request(request)
    if str(candidate) not in trained(models):
        return DrawingRequest(request, asked, (request,), keep)
    korean = any("가" <= letter <= "힣" for letter in request)
    return DrawingRequest(request, asked, asked.wordings or (() if korean else (request,)), keep)


class Drawing:
    """The diagrams of one request while they are made, and what the page shows of them."""

    def __init__(self, wanted: DrawingRequest, count: int, session: Session, korean: bool) -> None:
        self._wanted, self._korean = wanted, korean
        self._begun = self._told_at = time.monotonic()
        self._answers = [PartialAnswer()] * count
        self._first_seed = session.drawn
        self.session = replace(session, shown=(), drawn=session.drawn + count, halt=Halt())

    def questions(self, how: GenerationSettings) -> list[Question]:
        """What the candidate is asked, under a seed of its own each."""
        said = self._wanted.said
        return [
            Question(
                [{"role": "user", "content": prompt_for(said[number % len(said)])}],
                replace(how, seed=self._first_seed + number),
            )
            for number in range(len(self._answers))
        ]

    def begun(self) -> tuple[object, ...]:
        """Nothing yet, but a button to stop."""
        return self._view(self._progress(), self._slots([]), going_on=True)

    def refused(self) -> tuple[object, ...]:
        """Why nothing is drawn, and what can be asked for."""
        with read_on_page(self._korean):
            return self._view(lines(self._wanted.told()), self._slots([]), going_on=False)

    def look(self, answers: list[PartialAnswer]) -> tuple[object, ...] | None:
        """What is shown now; None where that is no more than a moment ago."""
        new = sum(answer.ended for answer in answers) > len(self._made)
        self._answers = answers
        if new:
            return self._ranked(going_on=True)
        if time.monotonic() - self._told_at < 1:
            return None
        return self._view(self._progress(), _UNCHANGED, going_on=True)

    def done(self) -> tuple[object, ...]:
        """All that were made in their rank, to be scored."""
        return self._ranked(going_on=False)

    @property
    def _made(self) -> list[str]:
        return [answer.text for answer in self._answers if answer.ended]

    def _ranked(self, *, going_on: bool) -> tuple[object, ...]:
        written = self._made
        parsed = [parse(reply, prompt_for(self._wanted.request)) for reply in written]
        liked = [(reply.diagram, score) for reply, score in self.session.scored]
        asked = [self._wanted.asked] * len(parsed)
        with read_on_page(self._korean):
            ranking = recommend(
                [reply.diagram for reply in parsed], self._wanted.keep, liked, asked=asked
            )
            pictures = [
                picture(place, parsed[found.place], found, written[found.place])
                for place, found in enumerate(ranking.best)
            ]
            stopped = len(self._answers) if len(written) < len(self._answers) else 0
            told = lines(self._wanted.told(), *ranking_told(ranking, parsed, stopped))
        shown = tuple(parsed[found.place] for found in ranking.best)
        self.session = replace(self.session, shown=shown)
        status = self._progress() if going_on else told
        return self._view(status, self._slots(pictures, scored=not going_on), going_on=going_on)

    def _progress(self) -> str:
        self._told_at = time.monotonic()
        seconds = self._told_at - self._begun
        with read_on_page(self._korean):
            progress = Progress(self._answers, seconds, self._wanted.asked.nodes)
            return lines(self._wanted.told(), progress.told())

    def _slots(self, pictures: Sequence[str], *, scored: bool = False) -> list[object]:
        slots: list[object] = []
        for place in range(MOST_SHOWN):
            there = place < len(pictures)
            slots += [
                gr.Column(visible=there),
                pictures[place] if there else "",
                gr.Radio(value=None, visible=scored),
            ]
        return slots

    def _view(self, status: str, slots: Sequence[object], *, going_on: bool) -> tuple[object, ...]:
        return status, *slots, self.session, gr.Button(visible=going_on)
