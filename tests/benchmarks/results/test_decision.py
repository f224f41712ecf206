"""The decision of a run: criteria from raw records, hard filters, and nothing made up."""

from __future__ import annotations

import json
from dataclasses import replace
from statistics import fmean

import pytest

from benchmarks.results.criteria import CRITERIA, Figure, failure_of, samples_of, value_of
from benchmarks.results.decision import decide
from benchmarks.results.folder import RunFolder
from benchmarks.results.run import Run
from benchmarks.results.run_head import PlannedCase
from benchmarks.results.setting import Setting
from model_registry.errors import OhloraError
from model_registry.records import Result, ScoreRow, append_rows, to_json
from tests.support.report_fixtures import CANDIDATES, MIB, QUALITY, make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def records(run) -> Run:
    return Run.read(run)


@pytest.fixture(scope="module")
def decision(run):
    return decide(Run.read(run))


def test_the_document_has_the_keys_of_the_command_line(decision):
    document = decision.to_json()
    assert {"chosen", "reserve", "ranking", "rejected", "contract"} <= set(document)
    assert {"name", "score", "win_share"} <= set(document["ranking"][0])
    assert document["chosen"] == document["ranking"][0]["name"]
    assert document["reserve"] == document["ranking"][1]["name"]
    json.dumps(document, allow_nan=False)


def test_every_candidate_is_ranked_or_rejected_with_a_reason(decision):
    ranked = {row.name for row in decision.ranking.rows}
    rejected = {name: why.words for name, why in decision.rejected}
    assert ranked | set(rejected) == set(CANDIDATES)
    assert not ranked & set(rejected)
    assert all(rejected.values())


def test_a_licence_that_nobody_accepted_rejects_and_an_override_does_not(decision):
    rejected = {name: why.words for name, why in decision.rejected}
    assert "vendor-terms" in rejected["gamma-2.5b"]
    assert "alpha-2.6b" not in rejected
    assert "delta-1.2b" not in rejected


def test_the_licence_can_be_ignored_on_purpose(run):
    decision = decide(Run.read(run), ignore_license=True)
    assert "gamma-2.5b" in {row.name for row in decision.ranking.rows}
    assert "zeta-1.0b" in dict(decision.rejected)


def test_a_candidate_that_could_not_run_at_all_is_rejected_with_its_status(decision):
    assert "unreachable" in decision.reasons["zeta-1.0b"].words


def test_a_candidate_with_no_case_done_yet_is_rejected_and_not_ranked_by_its_leaderboard(tmp_path):
    run = make_run(tmp_path, candidates=("beta-1.3b", "alpha-2.6b"))
    results = [result for result in run.results() if result.candidate == "beta-1.3b"]
    (run.path / "results.jsonl").unlink()
    append_rows(run.path / "results.jsonl", results)
    decision = decide(Run.read(run))
    assert decision.ranking.chosen == "beta-1.3b"
    assert "none of its cases" in decision.reasons["alpha-2.6b"].words


def test_values_are_computed_from_the_rows_of_the_run(records):
    tuning, memory = CANDIDATES["beta-1.3b"][4], CANDIDATES["beta-1.3b"][5]
    before, after = QUALITY["beta-1.3b"]
    expected = {
        "leaderboard": 31.1,
        "fine_tune_seconds": fmean(tuning * (1 + 0.07 * place) for place in range(3)),
        "fine_tune_bytes": round(memory * 1.12 * MIB),  # the largest rank
        "inference_seconds": 66.8 / 25,
        "inference_bytes": round(memory * 0.95 * MIB),
        "first_token_seconds": 0.05,
        "quality": before,
        "quality_tuned": after,
        "validation_loss": fmean([3.7 - 1.9, 3.7 - 2.0, 3.7 - 2.1]),
        "facts": None,
        "human_grade": None,
    }
    assert set(expected) <= set(CRITERIA)
    for criterion, value in expected.items():
        found = value_of(criterion, "beta-1.3b", records)
        assert found is None if value is None else found == pytest.approx(value), criterion


def test_fine_tuning_memory_is_the_largest_rank_s_in_whichever_order_variants_are_declared(records):
    tunes = records.of("beta-1.3b", "fine-tune")[::-1]  # the largest rank first
    largest = tunes[0].peak_bytes("training")
    assert largest != tunes[-1].peak_bytes("training")
    named = [
        replace(each, settings={**each.settings, "variant": f"r {each.settings['rank']}"})
        for each in tunes
    ]
    cases = [PlannedCase("beta-1.3b", "fine-tune", Setting.of(each.settings)) for each in named]
    head = replace(records.head, cases=tuple(cases))
    run = replace(records, head=head, results=tuple(named))
    assert value_of("fine_tune_bytes", "beta-1.3b", run) == largest


def test_a_rank_that_failed_is_missing_and_not_averaged_away(records):
    assert value_of("fine_tune_seconds", "epsilon-1.5b", records) is None
    assert value_of("fine_tune_bytes", "epsilon-1.5b", records) is None
    assert value_of("validation_loss", "epsilon-1.5b", records) is None
    assert value_of("inference_seconds", "epsilon-1.5b", records) is not None


def test_a_candidate_that_failed_at_a_rank_is_not_ranked_without_its_cost(decision):
    reason = decision.reasons["epsilon-1.5b"]
    assert (reason.code, reason.values["status"]) == ("failed_in", "oom_training")
    assert "out of memory while training" in reason.words
    assert "epsilon-1.5b" not in {row.name for row in decision.ranking.rows}


def test_quality_after_the_tune_is_not_that_of_the_ranks_that_went_well(records):
    assert value_of("quality_tuned", "epsilon-1.5b", records) is None
    assert failure_of("quality_tuned", "epsilon-1.5b", records) == "oom_training"
    assert value_of("quality", "epsilon-1.5b", records) is not None
    assert failure_of("quality", "epsilon-1.5b", records) is None
    assert failure_of("quality_tuned", "beta-1.3b", records) is None


def test_a_rank_that_is_not_done_yet_is_missing_too(tmp_path):
    run = make_run(tmp_path, candidates=("beta-1.3b",))
    results = run.results()[:-1]  # the largest rank's case was not reached
    (run.path / "results.jsonl").unlink()
    append_rows(run.path / "results.jsonl", results)
    records = Run.read(run)
    assert value_of("fine_tune_seconds", "beta-1.3b", records) is None
    assert value_of("fine_tune_bytes", "beta-1.3b", records) is None


def test_nothing_that_is_missing_becomes_zero_or_infinite(decision):
    for row in decision.ranking.rows:
        for name, value in row.values.items():
            assert value is None or abs(value) < float("inf")
            assert name in row.missing or value is not None


def quantised(of: Result, **values) -> Result:
    """The case again with weights in 4 bits."""
    return Result(**to_json(of) | {
        "case": f"{of.case}/quantization=nf4", "settings": dict(of.settings, quantization="nf4"),
        "peaks": of.peaks,
    } | values)  # fmt: skip


def test_two_quantisations_are_never_averaged(tmp_path):
    run = make_run(tmp_path, candidates=("beta-1.3b",))
    plain = run.results()[0]
    figures = {"seconds_per_prompt": 99.0}
    append_rows(run.path / "results.jsonl", [quantised(plain, figures=figures)])
    records = Run.read(run)
    assert value_of("inference_seconds", "beta-1.3b", records) == pytest.approx(66.8 / 25)


def test_a_quantised_case_counts_where_the_plain_one_failed(tmp_path):
    run = make_run(tmp_path, candidates=("zeta-1.0b",))
    plain = run.results()[0]
    figures = {"seconds_per_prompt": 9.0}
    works = quantised(plain, status="ok", message=None, stage=None, figures=figures)
    append_rows(run.path / "results.jsonl", [works])
    assert value_of("inference_seconds", "zeta-1.0b", Run.read(run)) == 9.0


def test_random_weights_are_not_judged_by_their_replies(tmp_path):
    decision = decide(Run.read(make_run(tmp_path, weights="random")))
    names = {criterion.name for criterion in decision.plan.criteria}
    assert not names & {"quality", "quality_tuned", "facts", "validation_loss", "human_grade"}
    assert all("random weights" in why.words for _, why in decision.left_out)
    assert len(decision.left_out) == 5


def test_figures_of_another_contract_are_refused(tmp_path):
    run = make_run(tmp_path, candidates=("beta-1.3b",))
    first = run.results()[0]
    policy = run.head().contract
    theirs = {"contract": "ffffffffffff", "policy": policy | {"seed": 7}, "peaks": {}}
    append_rows(run.path / "results.jsonl", [Result(**to_json(first) | theirs)])
    with pytest.raises(OhloraError, match=f"seed: 7 / {policy['seed']}"):
        decide(Run.read(run))


def test_an_unknown_criterion_is_an_error_that_names_the_known_ones(records):
    with pytest.raises(OhloraError, match="leaderboard"):
        value_of("charm", "beta-1.3b", records)


def test_a_new_criterion_is_one_entry_that_a_study_decides_by(tmp_path, monkeypatch):
    steps = Figure(lambda name, run: run.of(name, "fine-tune")[0].steps, "steps", "스텝")
    monkeypatch.setitem(CRITERIA, "steps_taken", steps)
    source = make_run(tmp_path / "a", candidates=()).head().study_source
    declared = '\n[[decision.criteria]]\nname = "steps_taken"\nbetter = "low"\n'
    run = make_run(tmp_path / "b", candidates=("beta-1.3b",), study_source=source + declared)
    (row,) = decide(Run.read(run)).ranking.rows
    assert row.values["steps_taken"] == Run.read(run).of("beta-1.3b", "fine-tune")[0].steps


def test_any_evaluator_s_score_may_be_a_criterion(tmp_path):
    run = make_run(tmp_path, candidates=("beta-1.3b",))
    run.add_scores(
        [
            ScoreRow("beta-1.3b/inference", "beta-1.3b", f"p{n}", "greedy", tuned, "charm", value)
            for n, (tuned, value) in enumerate([(None, 1.0), (None, 0.0), (16, 1.0), (16, None)])
        ]
    )
    records = Run.read(run)
    assert value_of("charm", "beta-1.3b", records) == 0.5
    assert value_of("charm_tuned", "beta-1.3b", records) == 1.0
    sampled = samples_of({"beta-1.3b": {"charm": 0.5}}, records)
    assert sampled == {"charm": {"beta-1.3b": {"p0": 1.0, "p1": 0.0}}}


def test_replies_of_a_quantised_case_beside_the_plain_one_do_not_count(tmp_path):
    run = make_run(tmp_path, candidates=("beta-1.3b",))
    plain = next(result for result in run.results() if result.workload == "inference")
    quantized = f"{plain.case}/quantization=nf4"
    row = to_json(plain) | {"case": quantized, "settings": {"quantization": "nf4"}, "peaks": {}}
    append_rows(run.path / "results.jsonl", [Result(**row)])
    before = value_of("quality", "beta-1.3b", Run.read(run))
    run.add_scores([ScoreRow(quantized, "beta-1.3b", "p", "greedy", None, "quality", 0.0)])
    assert value_of("quality", "beta-1.3b", Run.read(run)) == before


def test_where_no_reply_was_judged_an_evaluator_s_criterion_is_missing(tmp_path):
    run = make_run(tmp_path, candidates=("beta-1.3b",))
    (run.path / "scores.jsonl").unlink()
    assert value_of("charm", "beta-1.3b", Run.read(run)) is None


def test_the_same_run_gives_the_same_decision(run, decision):
    assert decide(Run.read(run)).to_json() == decision.to_json()


def test_a_folder_without_a_run_cannot_be_decided_on(tmp_path):
    with pytest.raises(OhloraError, match=r"no run\.json"):
        decide(Run.read(RunFolder(tmp_path)))
