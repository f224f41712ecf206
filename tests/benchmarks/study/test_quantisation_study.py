"""The study of quantisation: every candidate plain and quantised, under one contract."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from benchmarks.engines.local import LocalEngine
from benchmarks.report.evidence import Evidence
from benchmarks.report.tables.quantisation_ledger import comparisons, ledger_table, verdict_words
from benchmarks.results.folder import RunFolder
from benchmarks.run.case import Limits
from benchmarks.run.progress import Silent
from benchmarks.run.runner import judge_run, run_plan
from benchmarks.study.plan import Options
from benchmarks.study.planning import make_plan
from benchmarks.study.study_files import parse_study, read_study, study_path
from model_registry.errors import BadFile
from model_registry.registry import Registry
from model_registry.weights import quantization
from tests.support.small_study import plan_study, write_study

WORK = '[work]\nquantizations = ["int8", "nf4", "gptq"]\n'
QLORA = '[[work.variants]]\nname = "LoRA"\nrank = 4\n\n[[work.variants]]\nname = "QLoRA"\n' \
        'rank = 4\nquantization = "nf4"\n'  # fmt: skip


@pytest.fixture(scope="module")
def plan():
    study = read_study(study_path("quantisation"))
    options = Options(weights="random", scale="tiny", device="cpu")
    return make_plan(study, Registry(), options, Path("unused"))


def test_each_candidate_answers_plain_and_in_each_quantisation_and_is_tuned_both_ways(plan):
    names = [candidate.name for candidate in plan.candidates]
    assert len(names) == 7
    assert {case.id for case in plan.cases if case.candidate.name == "gemma-2-2b-it"} == {
        "gemma-2-2b-it/inference",
        "gemma-2-2b-it/inference/quantization=int8",
        "gemma-2-2b-it/inference/quantization=nf4",
        "gemma-2-2b-it/inference/quantization=gptq",
        "gemma-2-2b-it/fine-tune/LoRA",
        "gemma-2-2b-it/fine-tune/QLoRA",
    }
    assert len(plan.cases) == 6 * 7


def test_plain_and_quantised_are_declared_variants_of_one_contract(plan):
    assert len({case.contract.hash for case in plan.cases}) == 1
    assert "quantization" in plan.contract.varies


def test_gptq_is_calibrated_on_the_rows_that_are_tuned_on(plan):
    case = next(case for case in plan.cases if case.settings.get("quantization") == "gptq")
    assert len(case.task.train) == 20


def test_the_study_chooses_nothing_and_runs_on_bundled_models():
    study = read_study(study_path("quantisation"))
    assert study.decision.criteria == ()
    plan = make_plan(study, Registry(), Options(weights="bundled", device="cpu"), Path("unused"))
    assert len(plan.cases) == 6 * 3


@pytest.mark.parametrize(
    ("line", "words"),
    [('quantizations = ["int3"]', "int3"), ('quantizations = "nf4"', "list"),
     ('quantizations = ["nf4"]\nif_it_fails = "nf4"', "measured anyway")],
)  # fmt: skip
def test_a_mistake_in_the_quantisations_is_told_with_its_file(line, words, tmp_path):
    source = f'name = "x"\n[candidates]\n[work]\n{line}\n'
    with pytest.raises(BadFile, match=words):
        parse_study(source, tmp_path / "x.toml")


def test_a_quantisation_named_twice_is_measured_once(tmp_path):
    source = 'name = "x"\n[candidates]\n[work]\nquantizations = ["nf4", "nf4"]\n'
    assert parse_study(source, tmp_path / "x.toml").work.quantizations == ("nf4",)


def small_run(tmp_path: Path, engine: LocalEngine, model: Path) -> Evidence:
    """One tiny model through the whole study; in this process's environment."""
    study = write_study(tmp_path / "study", model, names=("one",))
    text = study.read_text(encoding="utf-8")
    text = text.replace("[work]\nranks = [2, 4]\n", WORK + "ranks = []\n\n" + QLORA)
    study.write_text(text, encoding="utf-8")
    plan = plan_study(study, tmp_path / "run", limits=Limits(seconds=240))
    folder = RunFolder(tmp_path / "run")
    run_plan(plan, folder, engine, Silent())
    judge_run(folder)
    return Evidence.read(folder)


@pytest.mark.slow
def test_a_run_ends_in_a_ledger_with_a_row_for_every_quantisation(
    tmp_path, tiny_model, monkeypatch
):
    if importlib.util.find_spec("bitsandbytes") is None:
        pytest.skip("bitsandbytes is not installed (extra quant)")
    scratch = tmp_path / "scratch"  # where GPTQ's folders are while a case lasts
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    evidence = small_run(tmp_path, LocalEngine("spawn"), tiny_model)
    found = {(c.quantised.workload, c.quantised.settings["quantization"]): c
             for c in comparisons(evidence)}  # fmt: skip
    assert set(found) == {
        ("inference", "int8"), ("inference", "nf4"), ("inference", "gptq"), ("fine-tune", "nf4"),
    }  # fmt: skip
    for key in (("inference", "int8"), ("inference", "nf4"), ("fine-tune", "nf4")):
        comparison = found[key]
        assert comparison.quantised.ok, comparison.quantised.message
        assert comparison.plain is not None
        assert comparison.quantised.figures["quantization"]["applied"]
        assert None not in (comparison.speed, comparison.saved_share, comparison.quality_change)
    gptq = found["inference", "gptq"].quantised
    if importlib.util.find_spec("gptqmodel") is None:
        assert gptq.status == "unsupported_device"
        assert "gptqmodel" in (gptq.message or "")
        assert verdict_words(found["inference", "gptq"])[0] == "does not run"
    else:
        assert gptq.ok, gptq.message
        assert not list(scratch.iterdir())
    table = ledger_table(evidence)
    assert table is not None
    assert len(table.rows) == 4


def test_a_case_whose_package_is_missing_ends_before_anything_is_loaded(monkeypatch, small_case):
    from benchmarks.run.worker import CaseLog, run_case

    monkeypatch.setattr(quantization.importlib.util, "find_spec", lambda name: None)
    log = CaseLog(lambda event: None, "cpu")
    result = run_case(small_case(settings={"quantization": "gptq"}), log)
    assert (result.status, result.stage) == ("unsupported_device", "start")
    assert "pip install" in (result.message or "")
