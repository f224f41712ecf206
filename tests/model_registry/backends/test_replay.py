"""A recording is told again as it was: texts, times, failures; and never anybody asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.results.folder import RunFolder
from benchmarks.study.replaying_plan import recorded_candidates
from model_registry.backends.backend import GenerationSettings, conversation
from model_registry.backends.remote.failures import AskError
from model_registry.backends.replay import ReplayBackend, read_transcript
from model_registry.candidate import Candidate
from model_registry.errors import BadFile, LoadError, OhloraError
from model_registry.records import Reply, append_rows

SETTINGS = GenerationSettings()
SAID = Reply(
    "a/ask", "a", "수도는?", "서울이야.", "greedy", None, 4, "stop", 0.5, 0.2, connect_seconds=0.01
)
TUNED = Reply("a/fine-tune/rank=8", "a", "수도는?", "서울!", "greedy", 8, 2, "stop")
SAMPLED = Reply("a/ask", "a", "수도는?", "부산이야.", "sample 1", None, 4, "stop")
BROKEN = Reply(
    "a/ask", "a", "왜?", "그건", "greedy", None, None, "error", problems=("timeout", "truncated")
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    row = {"name": "a", "license": "MIT", "license_free": "yes", "parameters": 5, "traits": ["x"]}
    head = {"begun_at": "2026-11-21T10:00:00+00:00", "candidates": [row], "study": "asked",
            "weights": "hub", "contract": {}, "contract_hash": "x", "cases": []}  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps(head), encoding="utf-8")
    append_rows(tmp_path / "replies.jsonl", [SAID, TUNED, SAMPLED, BROKEN])
    return tmp_path


def recorded(folder: Path) -> tuple[Candidate, ...]:
    return recorded_candidates(folder, RunFolder(folder).head())


def test_an_answer_is_told_with_the_times_of_its_recording(folder: Path) -> None:
    answer = ReplayBackend(read_transcript(folder), "a").reply(conversation("수도는?"), SETTINGS)
    assert (answer.text, answer.new_tokens, answer.finish_reason) == ("서울이야.", 4, "stop")
    times = (answer.connect_seconds, answer.first_token_seconds, answer.seconds)
    assert times == (0.01, 0.2, 0.5)


def test_after_the_tune_the_other_answer_is_told(folder: Path) -> None:
    transcript = read_transcript(folder)
    assert transcript.tuned == (8,)
    tuned = ReplayBackend(transcript, "a", tuned=8)
    assert list(tuned.stream(conversation("수도는?"), SETTINGS)) == ["서울!"]


def test_what_failed_then_fails_now_with_its_words_and_status(folder: Path) -> None:
    with pytest.raises(AskError, match="when this was recorded") as caught:
        ReplayBackend(read_transcript(folder), "a").reply(conversation("왜?"), SETTINGS)
    assert caught.value.status == "timeout"
    assert caught.value.answer is not None and caught.value.answer.text == "그건"


def test_what_was_never_asked_is_not_made_up(folder: Path) -> None:
    with pytest.raises(AskError, match="no answer of a to this"):
        ReplayBackend(read_transcript(folder), "a").reply(conversation("언제?"), SETTINGS)


def test_a_recording_names_its_candidates_as_the_run_did(folder: Path) -> None:
    (candidate,) = recorded(folder)
    assert (candidate.name, candidate.backend, candidate.parameters) == ("a", "replay", 5)
    assert candidate.license.is_free and "2026-11-21" in candidate.note
    opened = ReplayBackend.open(candidate)
    assert opened.reply(conversation("수도는?"), SETTINGS).text == "서울이야."


def test_a_candidate_without_a_recording_can_t_be_loaded(folder: Path) -> None:
    from dataclasses import replace

    (candidate,) = recorded(folder)
    with pytest.raises(LoadError, match="no replies of b") as caught:
        ReplayBackend.open(replace(candidate, name="b"))
    assert caught.value.status == "unreachable"


def test_a_folder_that_is_no_recording_is_named(tmp_path: Path) -> None:
    with pytest.raises(OhloraError, match=r"run\.json and replies\.jsonl"):
        read_transcript(tmp_path)
    (tmp_path / "run.json").write_text("[]")
    (tmp_path / "replies.jsonl").write_text("")
    with pytest.raises(BadFile, match="not the head of a run"):
        recorded(tmp_path)
