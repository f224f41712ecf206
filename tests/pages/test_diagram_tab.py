from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from diagrams.requests.request_reading import read_request
from evaluators.grading.grading_session import GradingSession
from evaluators.grading.store.grade_store import GradeStore
from evaluators.grading.submission import InvalidRequest
from model_registry.backends.partial_answers import PartialAnswer
from model_registry.errors import OhloraError
from pages.page_context import PageContext
from pages.serving.page_models import Models
from pages.tabs import diagram_drawing
from pages.tabs.diagram_drawing import MOST_SHOWN, Drawing, DrawingRequest, Session, drawing_request
from pages.tabs.diagram_tab import _halt, _keep_scores, _settings, diagram_tab
from pages.tabs.diagram_view import Progress
from tests.support.diagram_fixtures import REPLY

ASKED = "A neural network with 1 input node, 2 nodes in the hidden layer, and 1 output node."
OTHER = REPLY.replace("255, 0, 0", "0, 0, 255").replace("800, 300", "800, 310")
#: One node more than asked for.
LARGER = f"{REPLY[:-1]},\n{REPLY.splitlines()[-1].replace('[4, 800, 300', '[5, 800, 500')}"


def drawing(count: int, asked: str = ASKED, *, keep: int = 3, korean: bool = False, **given):
    wanted = DrawingRequest(asked, read_request(asked), (asked,), keep)
    return Drawing(wanted, count, given.get("session", Session()), korean)


def ranked(*replies: str, **how):
    """The session, and the status and slots that the page shows in the end."""
    made = drawing(len(replies), **how)
    made.look([PartialAnswer(reply, ended=True) for reply in replies])
    status, *slots, session, _ = made.done()
    return session, (status, *slots)


def test_the_best_are_shown_and_the_other_places_hidden():
    session, (status, *slots) = ranked(REPLY, "I can't draw.", OTHER)
    assert len(session.shown) == 2 and session.drawn == 3
    assert [column.visible for column in slots[::3]] == [True, True] + [False] * (MOST_SHOWN - 2)
    assert "2 of 3 kept the format" in status and "what was asked for decide" in status


def test_a_repeated_output_is_said():
    _, (status, *_) = ranked(REPLY, REPLY)
    assert "1 of 2 diagrams are repeated" in status


def test_a_picture_comes_with_its_scores_and_three_files():
    _, (_, _, picture, *_) = ranked(REPLY)
    assert "readability" in picture and "as asked: 4 nodes" in picture
    files = dict(re.findall(r'download="diagram\.(\w+)" href="data:[^,]*,([^"]*)"', picture))
    assert b64decode(files["png"]).startswith(b"\x89PNG")
    assert b64decode(files["svg"]).startswith(b"<svg")
    assert b64decode(files["txt"]).decode() == REPLY


def test_a_picture_of_another_size_than_asked_is_told_and_ranked_below():
    _, (_, _, first, _, _, second, *_) = ranked(LARGER, REPLY)
    assert "as asked: 4 nodes" in first and "5 nodes, 4 asked" in second
    _, (_, _, first, _, _, second, *_) = ranked(LARGER, REPLY, korean=True)
    assert "요청대로: 노드 4" in first and "노드 5 (요청 4)" in second


def test_a_picture_that_can_not_be_checked_has_no_final_score():
    _, (status, _, picture, *_) = ranked(REPLY, asked="A family tree")
    assert "score —" in picture and "be checked against the request" in picture
    assert "is what was asked for can" in status


def test_a_picture_is_shown_as_soon_as_it_is_made_and_scored_when_all_are(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(diagram_drawing, "time", SimpleNamespace(monotonic=lambda: now[0]))
    made = drawing(3)
    status, *_, session, stop = made.begun()
    assert "0 of 3 drawn" in status and stop.visible and session.shown == ()
    now[0] += 0.9
    assert made.look([PartialAnswer(REPLY[:200])] * 3) is None, "nothing to say within a second"
    now[0] += 0.2
    status, *_ = made.look([PartialAnswer(REPLY[:200])] * 3)
    assert "Drawing 3 together" in status
    status, column, picture, score, *_ = made.look(
        [PartialAnswer(REPLY, ended=True), *[PartialAnswer("[[1,")] * 2]
    )
    assert "1 of 3 drawn" in status and column.visible and "<svg" in picture
    assert not score.visible
    status, _, _, score, *_, stop = made.done()
    assert "Stopped: 1 of 3" in status and score.visible and not stop.visible


def test_stopping_reaches_the_drawing_that_goes_on():
    made = drawing(2)
    *_, session, _ = made.begun()
    assert not made.session.halt.asked
    _halt(session)
    assert made.session.halt.asked


def test_the_time_left_follows_from_the_nodes_written():
    half, whole = PartialAnswer(REPLY[: REPLY.index("[3,")]), PartialAnswer(REPLY, ended=True)
    assert Progress([half, half], 2.0, 4).seconds_left == pytest.approx(2.0)
    assert Progress([half, half], 2.0, 4).told() == "Drawing 2 together · about 2 s left"
    assert Progress([half, half], 2.0, None).seconds_left is None, "nobody knows how many"
    assert Progress([whole, half], 3.0, None).seconds_left == pytest.approx(1.0)
    assert Progress([whole, PartialAnswer()], 40.0, 4).told() == "1 of 2 drawn · about 40 s left"


@pytest.fixture(scope="module")
def models() -> Models:
    return Models()


@pytest.mark.parametrize(
    "asked", ["고양이를 그려 줘", "노드 여섯 개인 트리", "노드 6개와 화살표 9개"]
)
def test_korean_that_the_model_was_never_taught_is_refused_with_what_can_be_asked(models, asked):
    refused = drawing_request(models, "diagram-1m", asked, 3)
    status, column, *_ = Drawing(refused, 3, Session(), korean=True).refused()
    assert refused.said == () and "입력 3개, 은닉층" in status and not column.visible
    other = drawing_request(models, "bundled-llama-2.5m", asked, 3)
    assert other.said == (asked,), "a model that speaks Korean is asked"


@pytest.mark.parametrize(
    "asked, why",
    [
        ("로그인부터 결제까지의 순서도", "중간 단계가 없어요"),
        ("로그인하고 장바구니에 담고 결제하는 순서도", "단계가 3개"),
    ],
)
def test_a_flow_chart_that_can_not_be_drawn_is_refused_with_what_is_the_matter(models, asked, why):
    refused = drawing_request(models, "diagram-1m", asked, 3)
    status, *_ = Drawing(refused, 3, Session(), korean=True).refused()
    assert why in status


def test_steps_listed_in_korean_are_drawn(models):
    asked = "로그인, 장바구니, 결제, 완료 순서로 순서도를 그려 줘"
    assert "정리 → 정렬 순서로" in drawing_request(models, "diagram-1m", asked, 3).said[0]


def test_stopping_before_anything_is_drawn_says_only_that():
    made = drawing(3, korean=True)
    made.look([PartialAnswer("[[1,")] * 3)
    status, *_ = made.done()
    assert "멈췄어요. 아직 그린 다이어그램이 없어요." in status and status.count("<p") == 1


def test_korean_is_put_in_words_that_the_model_was_taught_and_that_is_said(models):
    wanted = drawing_request(models, "diagram-1m", "노드 다섯 개를 차례로 이어 줘", 3)
    assert wanted.asked.nodes == 5 and "엑셀 파일" in wanted.said[0]
    assert wanted.said[0] in wanted.told()
    assert all(wanted.said[0] in one for one in wanted.texts[2:]), "and may not be graded blind"


def test_english_that_is_not_understood_is_asked_as_it_is_and_marked(models):
    wanted = drawing_request(models, "diagram-1m", "A family tree", 3)
    assert wanted.said == ("A family tree",) and "can't be checked" in wanted.told()


def test_what_a_model_wrote_never_becomes_part_of_the_page():
    hostile = REPLY.replace('"rectangle"', '"<script>alert(1)</script>"')
    _, (status, _, picture, *_) = ranked(hostile)
    assert "<script>" not in status + picture


class Asking:
    def __init__(self) -> None:
        self.headers = {"accept-language": "en"}


def test_a_score_is_kept_and_scoring_again_replaces_it():
    session, _ = ranked(REPLY, OTHER)
    _, session = _keep_scores(Asking(), session, 5, None)
    said, session = _keep_scores(Asking(), session, 2, None)
    assert [score for _, score in session.scored] == [2.0] and "1 scored" in said
    assert "1 of at least 3" in said and "follows" not in said, "one is no taste yet"


def test_two_clicks_at_once_keep_both_scores():
    session, _ = ranked(REPLY, OTHER)
    _keep_scores(Asking(), session, 5, None)  # its session comes after the second click
    _, session = _keep_scores(Asking(), session, 5, 1)
    assert [score for _, score in session.scored] == [5.0, 1.0]


def drawing_by(made: Iterator[list[PartialAnswer]]) -> tuple[Iterator[tuple], PageContext, Any]:
    """What the tab shows while a model writes `made`, and to whom."""
    context = PageContext(GradingSession(lambda: GradeStore.open("sqlite://"), {}), Models())
    context.models.partial_answers = lambda *_: made
    with gr.Blocks() as page, gr.Tab() as tab:
        diagram_tab(context, tab)
    (draw,) = (fn.fn for fn in page.fns.values() if fn.name == "diagram")
    visitor = SimpleNamespace(headers={"accept-language": "ko"}, session_hash="s")
    return draw(ASKED, "bundled-llama-2.5m", 3, 3, 0.5, Session(), visitor), context, visitor


def test_what_was_drawn_before_a_model_failed_can_be_scored() -> None:
    def fails() -> Iterator[list[PartialAnswer]]:
        yield [PartialAnswer(REPLY, ended=True), PartialAnswer(), PartialAnswer()]
        raise OhloraError("no memory", "메모리 부족")

    views, *_ = drawing_by(fails())
    seen: list[tuple] = []
    with pytest.raises(gr.Error, match="메모리 부족"):
        for view in views:
            seen.append(view)
    status, _, picture, score, *_, session, stop = seen[-1]
    assert "멈췄어요: 3개 중 1개" in status and "<svg" in picture and score.visible
    assert len(session.shown) == 1 and not stop.visible
    assert not re.search("니다[.)<]", status), "one register"


def test_a_visitor_who_is_refused_a_place_keeps_what_is_shown() -> None:
    views, context, visitor = drawing_by(iter(()))
    with context.slot(visitor), context.slot(visitor), pytest.raises(gr.Error, match="답하고"):
        next(views)


def test_three_scores_give_the_next_ranking_a_taste():
    session, _ = ranked(REPLY, OTHER, REPLY.replace("100, 300", "120, 300"))
    scores: list[int | None] = [None, None, None]
    for place, score in enumerate((5, 1, 4)):
        scores[place] = score
        _, session = _keep_scores(Asking(), session, *scores)
    _, (status, _, picture, *_) = ranked(REPLY, session=session)
    assert "taste —" not in picture and "not known yet" not in status


@pytest.mark.parametrize(
    "wrong", [(0, 3, 0.5), (6, 9, 0.5), (6, 3, 5), (True, 3, 0.5), ("6", 3, 1)]
)
def test_settings_out_of_bounds_are_refused(wrong):
    with pytest.raises(InvalidRequest):
        _settings(*wrong)
