"""The ledger pairs a quantised case with its plain partner and says what it gives and costs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report.evidence import Evidence
from benchmarks.report.sections import samples
from benchmarks.report.tables.detail_tables import evaluators_table
from benchmarks.report.tables.quantisation_ledger import (
    comparisons,
    headline,
    ledger_table,
    verdict_words,
)
from benchmarks.results.comparisons.quantised_pairs import QuantizationComparison as Pair
from benchmarks.results.folder import RunFolder
from model_registry.records import Peak, Reply, Result, ScoreRow
from tests.support.report_fixtures import MIB, make_run

PROOF = {
    "method": "nf4", "modules_before": {"torch.Linear": 22},
    "modules_after": {"bitsandbytes.Linear4bit": 18, "torch.Linear": 4}, "applied": True,
    "bytes_per_parameter_before": 4.0, "bytes_per_parameter_after": 1.889,
}  # fmt: skip


def case(method: str = "none", *, memory: float = 1000, rate: float = 10, **values: Any) -> Result:
    """An answering case of beta-1.3b that holds so many MB and makes so many tokens a second."""
    settings = {} if method == "none" else {"quantization": method}
    peak = Peak(round(memory * MIB), None, None, None, "torch.cuda peaks")
    figures = {"tokens_per_second": rate} | ({"quantization": PROOF} if settings else {})
    common: dict[str, Any] = {
        "case": f"beta-1.3b/inference/{method}", "candidate": "beta-1.3b",
        "workload": "inference", "settings": settings, "contract": "", "status": "ok",
        "peaks": {"load": peak, "inference": peak}, "figures": figures,
    }  # fmt: skip
    return Result(**common | values)


def tune(name: str, **settings: Any) -> Result:
    """A tuning case under a name that the study gave it."""
    peak = Peak(1000 * MIB, None, None, None, "torch.cuda peaks")
    return case(
        case=f"beta-1.3b/fine-tune/{name}", workload="fine-tune",
        settings={"variant": name, "tuning": "lora", "rank": 16} | settings,
        peaks={"load": peak, "training": peak}, seconds={"training": 10.0}, steps=50,
    )  # fmt: skip


def run_of(folder: Path, *results: Result, quality: dict[str, float] | None = None) -> Evidence:
    """A run of beta-1.3b with these cases, and replies of this mean quality by case."""
    run = make_run(folder, candidates=("beta-1.3b",))
    for name in ("results", "scores", "replies"):
        (run.path / f"{name}.jsonl").unlink()
    hash_ = run.head().contract_hash
    for result in results:
        run.add_case(replace(result, contract=hash_), [], [])
    for name, value in (quality or {}).items():
        run.add_scores(
            [ScoreRow(name, "beta-1.3b", prompt, "greedy", None, "quality", value + shift)
             for prompt, shift in (("하나", -0.1), ("둘", 0.1))]
        )  # fmt: skip
    return Evidence.read(RunFolder(run.path))


PLAIN = case()


@pytest.mark.parametrize(
    ("found", "word", "why"),
    [
        (Pair(PLAIN, case("nf4", memory=700)), "helps", "replies not judged"),
        (Pair(PLAIN, case("nf4", memory=700), 0.6, 0.55), "helps", ""),
        (Pair(PLAIN, case("nf4", memory=700), 0.6, 0.45), "not worth it here",
         "replies get worse"),
        (Pair(PLAIN, case("nf4", memory=950)), "not worth it here", "saves too little"),
        (Pair(PLAIN, case("nf4", memory=1300, rate=3)), "not worth it here",
         "saves too little, much slower"),
        (Pair(PLAIN, case("nf4", memory=700, rate=4)), "not worth it here", "much slower"),
        (Pair(replace(PLAIN, status="oom_load"), case("nf4")), "needed",
         "plain: out of memory while loading"),
        (Pair(None, case("nf4")), "plain was not tried", ""),
        (Pair(PLAIN, case("nf4", peaks={})), "memory not measured", ""),
        (Pair(PLAIN, case("gptq", status="unsupported_device")), "does not run",
         "this machine can't do what was asked"),
    ],
)  # fmt: skip
def test_the_verdict_follows_from_what_was_measured(found, word, why):
    assert verdict_words(found) == (word, why)


def test_memory_speed_and_quality_are_told_against_the_plain_case():
    found = Pair(PLAIN, case("nf4", memory=700, rate=5), 0.6, 0.55)
    assert (found.saved_bytes, found.saved_share) == (300 * MIB, 0.3)
    assert found.speed == 0.5
    assert found.quality_change == pytest.approx(-0.05)


def test_what_is_unknown_is_none_and_never_zero():
    found = Pair(PLAIN, case("nf4", peaks={}, figures={}))
    assert (found.saved_bytes, found.saved_share, found.speed) == (None, None, None)
    assert found.quality_change is None


def test_a_quantised_tune_is_paired_with_its_plain_one_whatever_their_names(tmp_path):
    evidence = run_of(
        tmp_path, tune("LoRA"), tune("LoRA r8", rank=8), tune("QLoRA", quantization="nf4")
    )
    (found,) = comparisons(evidence)
    assert found.plain is not None
    assert found.plain.settings["variant"] == "LoRA"
    assert found.speed == 1.0


def test_a_quantised_variant_is_paired_with_the_plain_rank(tmp_path):
    rank = replace(tune("rank=16"), settings={"rank": 16})
    (found,) = comparisons(run_of(tmp_path, rank, tune("QLoRA", quantization="nf4")))
    assert found.plain is not None


def test_ranks_that_come_to_the_same_are_named_once(tmp_path):
    ranks = [tune(f"r{rank}", rank=rank, quantization="nf4") for rank in (16, 32, 64)]
    (line,) = headline(run_of(tmp_path, *ranks))
    assert line.count("nf4") == 1


def test_full_tuning_is_no_partner_of_lora(tmp_path):
    full = tune("before", tuning="full")
    (found,) = comparisons(run_of(tmp_path, full, tune("after", quantization="nf4")))
    assert found.plain is None


def test_quality_is_of_the_case_s_own_replies(tmp_path):
    quantized = case("nf4", memory=700)
    evidence = run_of(tmp_path, PLAIN, quantized, quality={PLAIN.case: 0.6, quantized.case: 0.5})
    (found,) = comparisons(evidence)
    assert found.quality_plain == pytest.approx(0.6)
    assert found.quality_quantised == pytest.approx(0.5)


def test_the_table_shows_saving_speed_quality_proof_and_verdict(tmp_path):
    quantized = case("nf4", memory=700, rate=5)
    evidence = run_of(tmp_path, PLAIN, quantized, quality={PLAIN.case: 0.6, quantized.case: 0.55})
    table = ledger_table(evidence)
    assert table is not None
    row = table.rows[0]
    assert [cell.text for cell in row] == [
        "beta-1.3b", "answering", "nf4", "4.00 → 1.89", "1\u202f000", "700", "300.0", "0.50×",
        "0.60", "0.55", "helps",
    ]  # fmt: skip
    assert [cell.under for cell in row[3:10]] == [
        "18 of 22 Linear4bit", "", "", "30%", "", "", "\u22120.05",
    ]  # fmt: skip
    assert "10%" in table.note


def test_replies_of_random_weights_have_no_quality_and_say_why(tmp_path):
    run = make_run(tmp_path, weights="random", candidates=("beta-1.3b",))
    (run.path / "results.jsonl").unlink()
    hash_ = run.head().contract_hash
    for result in (PLAIN, case("nf4", memory=700)):
        run.add_case(replace(result, contract=hash_), [], [])
    run.add_scores([ScoreRow(PLAIN.case, "beta-1.3b", "물음", "greedy", None, "quality", 0.5)])
    table = ledger_table(Evidence.read(run))
    assert table is not None
    assert {cell.text for cell in table.rows[0][8:10]} == {"random"}
    assert all("mean nothing" in cell.note for cell in table.rows[0][8:10])


def test_a_case_that_this_machine_cannot_do_is_a_row_with_its_reason(tmp_path):
    failed = case("gptq", status="unsupported_device", message="gptq needs gptqmodel", peaks={})
    table = ledger_table(run_of(tmp_path, PLAIN, replace(failed, figures={})))
    assert table is not None
    row = table.rows[0]
    assert (row[5].text, row[5].kind) == ("unsupported_device", "failed")
    assert "gptqmodel" in row[5].note
    assert (row[-1].text, row[-1].under) == ("does not run", "this machine can't do what was asked")


def test_a_run_without_quantisation_has_no_ledger(tmp_path):
    assert ledger_table(run_of(tmp_path, PLAIN)) is None


def test_what_was_found_begins_with_the_verdicts(tmp_path):
    quantized = [case("int8", memory=950), case("nf4", memory=700), case("gptq", memory=960)]
    tuned = [tune("LoRA"), tune("QLoRA", quantization="nf4")]
    assert list(headline(run_of(tmp_path, PLAIN, *quantized, *tuned))) == [
        "beta-1.3b — not worth it here: int8, gptq, tuning on nf4; helps: nf4."
    ]


def test_the_scores_of_a_quantised_case_stand_in_a_row_of_their_own(tmp_path):
    quantized = case("nf4", memory=700)
    evidence = run_of(tmp_path, PLAIN, quantized, quality={PLAIN.case: 0.6, quantized.case: 0.2})
    rows = {row[1].text: row[2].value for row in evaluators_table(evidence).rows}
    assert {name: value for name, value in rows.items() if value is not None} == {
        "before": pytest.approx(0.6),
        "before, nf4": pytest.approx(0.2),
    }
    assert {row.case for row in evidence.run.compared_scores("beta-1.3b")} == {PLAIN.case}


def test_replies_shown_before_the_tune_are_the_plain_model_s(tmp_path):
    quantized = case("nf4", memory=700)
    evidence = run_of(tmp_path, PLAIN, quantized)
    said = [
        Reply(each.case, "beta-1.3b", "물음", words, "greedy", None, 3, "stop")
        for each, words in ((PLAIN, "원래 답"), (quantized, "양자화한 답"))
    ]
    (sample,) = samples(replace(evidence, run=replace(evidence.run, replies=tuple(said))))
    assert sample.rows[0].before == said[0]
