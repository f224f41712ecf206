"""The measurement of the page under load runs to its end on the page as it is."""

from __future__ import annotations

import json
import sys

import pytest

from benchmarks.selfchecks import page_under_load


@pytest.mark.slow
def test_graders_and_visitors_are_timed_until_the_last_grade_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(page_under_load, "READING", 0.5)
    monkeypatch.setattr(page_under_load, "LOOKING", 0.5)
    monkeypatch.setattr(page_under_load, "first_paint", lambda base: None)
    monkeypatch.setattr(
        sys, "argv", ["page_under_load", "--graders", "3", "--visitors", "1", "--seconds", "3"]
    )
    page_under_load.main()
    told = json.loads(capsys.readouterr().out)
    assert told["alone"]["submits"] >= 2
    assert told["with_visitors"]["looks"] >= 1
    assert 0 <= told["last_grade_shown_after"] < page_under_load.PATIENCE
