"""The study of diagrams: before a tune, after it, and after ORPO."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.run.prediction import works
from benchmarks.study.contract import Contract
from benchmarks.study.plan import Options, Plan
from benchmarks.study.planning import make_plan
from benchmarks.study.study_files import parse_study, read_study, study_path
from benchmarks.workloads import preference
from benchmarks.workloads.log import MemoryLog
from benchmarks.workloads.workload import WORKLOADS, oom_status
from diagrams.parse import parse
from diagrams.requests.diagram_requests import write_pairs
from model_registry.errors import BadFile, BadTrainingRow, OhloraError
from model_registry.files.shipped_data import DATASETS
from model_registry.memory.fit import predict
from model_registry.registry import Registry
from model_registry.weights.loading import load
from rows.row import Row
from tests.support.small_study import worked
from tests.support.tiny_models import tiny_candidate

PAIRS = DATASETS / "diagrams" / "pairs.jsonl"


def diagrams(tmp_path: Path) -> Plan:
    options = Options(weights="bundled", device="cpu")
    return make_plan(read_study(study_path("diagrams")), Registry(), options, tmp_path)


def test_the_same_requests_are_asked_before_a_tune_after_it_and_after_orpo(tmp_path):
    plan = diagrams(tmp_path)
    assert [case.id for case in plan.cases] == [
        "diagram-1m/inference", "diagram-1m/fine-tune/rank=16", "diagram-1m/preference/rank=16",
    ]  # fmt: skip
    assert len({case.contract.hash for case in plan.cases}) == 1
    assert all(case.workload in WORKLOADS for case in plan.cases)
    assert len(plan.task.prompts) == 40


@pytest.mark.parametrize("lever", [{"packing": True}, {"patience": 2}])
def test_what_orpo_has_not_is_refused_before_anything_is_tuned(tmp_path, lever):
    options = Options(weights="bundled", device="cpu", tuning=lever)
    with pytest.raises(OhloraError, match=f"diagrams .* has no {next(iter(lever))}: leave it out"):
        make_plan(read_study(study_path("diagrams")), Registry(), options, tmp_path)


def test_no_other_model_is_said_to_stand_in_for_the_bundled_writer(tmp_path):
    assert not any(
        "stand in" in note.words or "real" in note.words for note in diagrams(tmp_path).notes
    )


def test_no_request_asked_is_one_tuned_on(tmp_path):
    task = diagrams(tmp_path).task
    assert not {row.prompt for row in task.prompts} & {row.prompt for row in task.train}


def test_the_shipped_pairs_are_what_the_command_makes(tmp_path):
    write_pairs(tmp_path / "pairs.jsonl")
    assert (tmp_path / "pairs.jsonl").read_bytes() == PAIRS.read_bytes()


def test_every_answer_to_learn_from_keeps_the_format(tmp_path):
    rows = diagrams(tmp_path).task.train
    assert all(parse(row.reply, row.prompt).format_kept for row in rows)


def test_orpo_is_predicted_with_both_sides_of_a_pair(tmp_path):
    _, tune, prefer = diagrams(tmp_path).cases
    figures = {"batch_rows": 4, "batch_tokens": 400}
    work = works(prefer, figures)["training"]
    assert (work.kind, work.rank, work.batch, work.length) == ("orpo", 16, 4, 400)
    architecture = prefer.candidate.architecture
    one_side = replace(works(tune, figures)["training"], dropout=False)  # TRL takes it out
    alone = predict(architecture, one_side).predicted_bytes
    assert 1.5 * alone < predict(architecture, work).predicted_bytes < 2.5 * alone


def test_memory_that_runs_out_in_orpo_is_told_by_what_was_done_then():
    assert oom_status("training", "preference") == "oom_training"
    assert oom_status("own_replies", "preference") == "oom_inference"
    assert oom_status("load", "preference") == "oom_load"


def test_a_preference_rank_of_nothing_is_refused_with_its_line():
    text = 'name = "x"\n[candidates]\n[work]\npreference_ranks = [0]\n'
    with pytest.raises(BadFile, match="preference_ranks"):
        parse_study(text, Path("study.toml"))


@pytest.mark.slow
def test_a_tune_is_followed_by_orpo_against_the_tuned_models_own_replies(tiny_model, monkeypatch):
    pytest.importorskip("trl")
    asked: list[int] = []

    def answers(loaded, conversations, settings):
        asked.append(len(conversations))
        own = ["그래 좋아", "아니 싫어", "글쎄 몰라", ""]  # the first is its target, the last none
        return [SimpleNamespace(text=text) for text in own]

    monkeypatch.setattr(preference, "answer_batch", answers)
    rows = [Row(f"물음 {n}", "그래 좋아") for n in range(4)]
    contract = Contract(epochs=2, batch_size=2, max_new_tokens=4, samples=0)
    log, loaded = MemoryLog(), load(tiny_candidate(tiny_model))
    outcome = worked(
        "preference", loaded, contract, log, train=rows, prompts=[Row("물음 9", "")], rank=4
    )
    assert asked == [4]
    assert {"tuning", "own_replies", "training", "replies"} <= set(log.phases)
    assert outcome.figures["pairs"] == 2 and outcome.figures["rows_without_pair"] == 2
    assert outcome.figures["batch_rows"] == 2 and outcome.figures["batch_tokens"] > 4
    assert [reply.tuned for reply in log.replies] == [4]


def test_rows_that_teach_something_wrong_are_refused_before_a_tune(tiny_model):
    pytest.importorskip("trl")
    loaded = load(tiny_candidate(tiny_model))
    with pytest.raises(BadTrainingRow, match="more than 512"):
        worked("preference", loaded, Contract(), MemoryLog(), train=[Row("q", "a" * 600)], rank=4)
