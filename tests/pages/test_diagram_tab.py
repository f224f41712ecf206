from __future__ import annotations

import re
from base64 import b64decode

import pytest

from evaluators.grading.submission import InvalidRequest
from pages.tabs.diagram_tab import MOST_SHOWN, Session, _keep_scores, _ranked, _settings
from tests.support.diagram_fixtures import REPLY

ASKED = "A neural network with 1 input node, 2 nodes in the hidden layer, and 1 output node."
OTHER = REPLY.replace("255, 0, 0", "0, 0, 255").replace("800, 300", "800, 310")


def ranked(*replies: str, keep: int = 3, session: Session = Session()):  # noqa: B008 - frozen
    return _ranked(replies, ASKED, keep, session, korean=False)


def test_the_best_are_shown_and_the_other_places_hidden():
    session, (status, *slots) = ranked(REPLY, "I can't draw.", OTHER)
    assert len(session.shown) == 2 and session.drawn == 3
    assert [column.visible for column in slots[::3]] == [True, True] + [False] * (MOST_SHOWN - 2)
    assert "2 of 3 kept the format" in status and "alone" in status


def test_a_repeated_output_is_said():
    _, (status, *_) = ranked(REPLY, REPLY)
    assert "1 of 2 diagrams are repeated" in status


def test_a_picture_comes_with_its_scores_and_three_files():
    _, (_, _, picture, *_) = ranked(REPLY)
    assert "readability" in picture and "nodes 4 / 4" in picture
    files = dict(re.findall(r'download="diagram\.(\w+)" href="data:[^,]*,([^"]*)"', picture))
    assert b64decode(files["png"]).startswith(b"\x89PNG")
    assert b64decode(files["svg"]).startswith(b"<svg")
    assert b64decode(files["txt"]).decode() == REPLY


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


def test_two_clicks_at_once_keep_both_scores():
    session, _ = ranked(REPLY, OTHER)
    _keep_scores(Asking(), session, 5, None)  # its session comes after the second click
    _, session = _keep_scores(Asking(), session, 5, 1)
    assert [score for _, score in session.scored] == [5.0, 1.0]


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
