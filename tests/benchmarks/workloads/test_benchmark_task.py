"""Benchmark tasks are asked as lm-evaluation-harness asks them, and every failure is one line."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from httpx import Request, Response
from huggingface_hub.errors import GatedRepoError

from benchmarks.run.case import Case
from benchmarks.run.worker import CaseLog, run_case
from benchmarks.study import task_index
from benchmarks.study.contract import Contract
from benchmarks.study.plan import Options
from benchmarks.study.planning import make_plan
from benchmarks.study.study_files import read_study, study_path
from benchmarks.study.task_index import MISSING, _hash_of, is_installed, task_hashes
from benchmarks.workloads import lm_harness
from benchmarks.workloads.lm_harness import _failure, quietly
from benchmarks.workloads.log import MemoryLog
from benchmarks.workloads.workload import WORKLOADS
from model_registry.errors import LoadError, OhloraError
from model_registry.registry import Registry
from model_registry.weights.loading import load
from tests.benchmarks.workloads.task_files import CHOICE, DATA, write_tasks
from tests.support.fake_hub import FakeHub, Repo
from tests.support.tiny_models import tiny_candidate

needs_lm_eval = pytest.mark.skipif(
    not is_installed(), reason="lm-eval is not installed: the extra benchmarks"
)


def measure(folder: Path, model: Path, task: str, **policy):
    """A case of a task on a model's folder: its outcome and its log."""
    candidate, log = tiny_candidate(model), MemoryLog()
    loaded = load(candidate, source="path", device="cpu", dtype="float32")
    case = Case(
        candidate,
        "benchmark",
        Contract(**policy),
        settings={"task": task},
        tasks_folder=str(folder),
    )
    return WORKLOADS["benchmark"].work(case, loaded, log), log


def by_the_harness(folder: Path, model: Path, task: str, **more):
    """What its own `simple_evaluate` gives for the same model and task."""
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    ours = HFLM(
        pretrained=AutoModelForCausalLM.from_pretrained(model),
        tokenizer=AutoTokenizer.from_pretrained(model),
        batch_size=4,
    )
    manager = lm_eval.tasks.TaskManager(include_path=str(folder), include_defaults=False)
    with contextlib.chdir(folder):
        return lm_eval.simple_evaluate(
            model=ours, tasks=[task], task_manager=manager, bootstrap_iters=0, **more
        )


@needs_lm_eval
@pytest.mark.slow
def test_values_are_the_harness_own_to_four_decimals(tmp_path, tiny_model, monkeypatch):
    folder = write_tasks(tmp_path / "tasks")
    monkeypatch.chdir(tmp_path)  # away from the repository, whose folder datasets/ is data
    for task, more, policy in (
        ("own_choice", {}, {}),
        ("own_choice", {"num_fewshot": 2}, {"task_shots": 2}),
        ("own_choice", {"apply_chat_template": True}, {"task_template": True}),
        ("own_writing", {"limit": 5}, {"task_limit": 5}),
        ("own_group", {}, {}),
    ):
        outcome, log = measure(folder, tiny_model, task, **policy)
        theirs = by_the_harness(folder, tiny_model, task, **more)
        row = theirs["results"][task]
        assert outcome.figures["metrics"]
        for name, value in outcome.figures["metrics"].items():
            assert value == pytest.approx(row[name], abs=5e-5), (task, name)
        assert outcome.figures["value"] == pytest.approx(row[outcome.figures["metric"]], abs=5e-5)
        count = sum(len(samples) for samples in theirs["samples"].values())
        assert len(log.samples) == outcome.figures["documents"] == count
        hashes = {each["doc_hash"][:16] for rows in theirs["samples"].values() for each in rows}
        assert {sample.document_hash for sample in log.samples} == hashes


@needs_lm_eval
@pytest.mark.slow
def test_a_sample_knows_its_cluster_and_the_figures_say_how_they_were_asked(tmp_path, tiny_model):
    outcome, log = measure(write_tasks(tmp_path), tiny_model, "own_choice")
    assert len({sample.cluster for sample in log.samples}) == 4  # passages, of three documents each
    assert set(log.samples[0].scores) == {"acc,none", "acc_norm,none"}
    figures = outcome.figures
    assert (figures["metric"], figures["higher_is_better"]) == ("acc,none", True)
    assert (figures["chat_template"], figures["thinking"]) == (False, "off")
    assert figures["versions"] == {"own_choice": "1.0"}
    assert set(log.phases) == {"task_data", "benchmark"}


@needs_lm_eval
@pytest.mark.slow
def test_a_group_whose_members_have_no_common_metric_has_no_single_figure(tmp_path, tiny_model):
    folder = write_tasks(tmp_path)
    outcome, _ = measure(folder, tiny_model, "own_mixed")
    assert outcome.figures["value"] is None
    assert set(outcome.figures["members"]) == {"own_choice", "own_writing"}
    tagged, log = measure(folder, tiny_model, "own_tag")  # two tasks of one metric: over documents
    mean = sum(sample.scores["acc,none"] for sample in log.samples) / 24
    assert tagged.figures["value"] == pytest.approx(mean)


@needs_lm_eval
@pytest.mark.slow
def test_what_goes_wrong_with_a_task_is_a_status_with_one_line(tmp_path, tiny_model):
    folder = write_tasks(tmp_path / "tasks")
    choice = (folder / "choice.yaml").read_text()
    for name, old, new in (
        ("gone", "rows.jsonl", "no-rows.jsonl"),
        ("scripted", "dataset_path: json", "dataset_path: ./scripted"),
        (
            "unsafe",
            "output_type: multiple_choice",
            "unsafe_code: true\noutput_type: multiple_choice",
        ),
        ("far", "dataset_path: json", "dataset_path: nobody/nothing"),
    ):
        source = choice.replace("own_choice", f"own_{name}").replace(old, new)
        (folder / f"{name}.yaml").write_text(source)
    (folder / "scripted").mkdir()
    (folder / "scripted" / "scripted.py").write_text("import sys; sys.exit('it was run')")
    for task, status, said in (
        ("own_choyce", "error", "No task is called own_choyce. Did you mean own_choice?"),
        ("own_gone", "unreachable", "the data of own_gone can't be had"),
        ("own_scripted", "needs_remote_code", "needs its publisher's code: it is not run"),
        ("own_unsafe", "needs_remote_code", "runs code that models write: it is not run"),
        ("own_far", "unreachable", "the data of own_far can't be had"),
    ):
        with pytest.raises(LoadError) as failed:
            measure(folder, tiny_model, task)
        assert (failed.value.status, "\n" in str(failed.value)) == (status, False), task
        assert said in str(failed.value)


@needs_lm_eval
@pytest.mark.slow
def test_running_out_of_memory_or_without_adapter_or_template_is_a_row(
    tmp_path, tiny_model_of, monkeypatch
):
    model = shutil.copytree(tiny_model_of("gpt_neox"), tmp_path / "model")
    (model / "chat_template.jinja").unlink()
    folder = write_tasks(tmp_path / "tasks")
    candidate = tiny_candidate(model)

    def row(adapter: str | None = None, **policy):
        contract = Contract(weights="path", **policy)
        settings = {"task": "own_choice"}
        case = Case(candidate, "benchmark", contract, settings=settings, adapter=adapter,
                    tasks_folder=str(folder))  # fmt: skip
        result = run_case(case, CaseLog(lambda event: None, "cpu"))
        return result.status, result.stage, result.message

    status, _, message = row(adapter=str(tmp_path / "none"))
    assert (status, "its tune left no adapter" in message) == ("error", True)

    said = "its tokenizer has no chat template to ask tasks in"
    status, _, message = row(task_template=True)
    assert (status, message) == ("error", f"LoadError: {said}")

    def too_much(*_, **__):
        raise MemoryError("can't allocate memory")

    monkeypatch.setattr("lm_eval.simple_evaluate", too_much)
    assert row()[:2] == ("oom_inference", "benchmark")


OPENING = """
import sys
from pathlib import Path
from benchmarks.workloads.lm_harness import open_task, quietly
from model_registry.errors import LoadError
try:
    with quietly():
        opened = open_task("hub_choice", Path(sys.argv[1]))
    print(len(opened.specifications[0].eval_docs), "documents")
except LoadError as error:
    print(error.status, error)
"""


@needs_lm_eval
@pytest.mark.slow
def test_a_task_that_was_fetched_once_is_asked_without_the_hub(tmp_path):
    folder = write_tasks(tmp_path / "tasks")
    here = CHOICE.replace(DATA, "\ndataset_path: someone/quiz\ntest_split: test\n")
    (folder / "hub.yaml").write_text(here.replace("own_choice", "hub_choice"), encoding="utf-8")
    hub = FakeHub()
    hub.repos["datasets/someone/quiz"] = Repo({"test.jsonl": (folder / "rows.jsonl").read_bytes()})

    def opened(home: str, **environment: str) -> str:
        env = os.environ | hub.environment(tmp_path / home) | environment
        command = [sys.executable, "-c", OPENING, str(folder)]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout

    try:
        assert opened("home") == "12 documents\n"
        assert hub.sent["test.jsonl"]
    finally:
        hub.close()
    assert opened("home", HF_HUB_OFFLINE="1") == "12 documents\n"
    assert opened("home") == "12 documents\n"  # not forbidden to ask the hub, which is gone
    said = opened("empty", HF_HUB_OFFLINE="1")
    assert said.startswith("unreachable the data of hub_choice can't be had: ")
    assert said.endswith(": run it once with the hub in reach, then it is in the cache\n")
    assert said.count("\n") == 1


@needs_lm_eval
def test_hashes_follow_what_a_task_asks_and_nothing_else(tmp_path):
    first, second = write_tasks(tmp_path / "a"), write_tasks(tmp_path / "b")
    names = ["own_choice", "own_group", "own_tag", "nope"]
    hashes, places = task_hashes(names, first)
    assert task_hashes(names, second) == (hashes, places)
    assert len(set(hashes.values())) == 4
    assert hashes["nope"] == MISSING
    rows = second / "rows.jsonl"
    rows.write_text(rows.read_text().replace("홀수", "짝수"))
    assert task_hashes(["own_choice"], second)[0]["own_choice"] != hashes["own_choice"]


@needs_lm_eval
def test_a_hash_does_not_hang_on_where_the_folder_lies(tmp_path):
    """Neither by a function of an included file, nor by one of a folder above."""
    hashes = []
    for place in ("a", "b/deeper"):
        folder = write_tasks(tmp_path / place)
        (folder / "below").mkdir()
        (folder / "shared.py").write_text("def asked(doc): return doc['question']\n")
        shared = CHOICE.replace("task: own_choice", "").replace("tag: own_tag", "")
        (folder / "_shared.yaml").write_text(shared + "process_docs: !function shared.asked\n")
        source = "include: ../_shared.yaml\ntask: own_below\n"
        (folder / "below" / "below.yaml").write_text(source)
        hashes.append(task_hashes(["own_below"], folder)[0]["own_below"])
    assert hashes[0] == hashes[1] != MISSING


@needs_lm_eval
def test_the_word_none_counts_where_a_task_has_no_file():
    def hash_of(answer: str) -> str:
        entry = SimpleNamespace(cfg={"task": "x", "target": answer}, yaml_path=None)
        return _hash_of(SimpleNamespace(task_index={"x": entry}), "x", None)

    assert hash_of("None") != hash_of("")


@needs_lm_eval
def test_a_task_asks_the_hub_only_where_it_can_be_reached(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(lm_harness, "network_is_up", lambda: True)
    with quietly():
        assert not constants.HF_HUB_OFFLINE
    monkeypatch.setattr(lm_harness, "network_is_up", lambda: False)
    with quietly():
        assert constants.HF_HUB_OFFLINE
    assert not constants.HF_HUB_OFFLINE  # as it was


def test_only_a_gated_dataset_is_called_gated():
    def status(message: str) -> str:
        return _failure("own", ValueError(message)).status

    assert status("no aggregated metric") == "error"
    assert status("Dataset 'a/b' is a gated dataset on the Hub.") == "gated"
    assert status("Cannot access gated repo for url https://x.") == "gated"
    error = OSError("403 Client Error")
    error.__cause__ = GatedRepoError(
        "no access", response=Response(403, request=Request("GET", "http://x"))
    )
    assert _failure("own", error).status == "gated"


@needs_lm_eval
@pytest.mark.slow
def test_where_the_plan_found_a_task_no_case_looks_again(monkeypatch):
    hashes, places = task_hashes(["kobest_copa"], None)
    assert (places, MISSING in hashes.values()) == (("kobest",), False)
    monkeypatch.setattr(task_index, "named_tasks", lambda: pytest.fail("all folders were read"))
    found = task_index.task_manager(["kobest_copa"], None, places)
    assert "kobest_copa" in found.task_index


def test_without_the_harness_a_run_that_asks_tasks_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(task_index, "is_installed", lambda: False)
    options = Options(weights="bundled", device="cpu", tasks=("kobest_copa",))
    with pytest.raises(OhloraError, match=r'pip install -e "\.\[benchmarks\]"'):
        make_plan(read_study(study_path("korean-small")), Registry(), options, tmp_path)


def test_a_folder_of_tasks_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(task_index, "is_installed", lambda: True)
    options = Options(weights="bundled", tasks=("own",), tasks_folder=tmp_path / "none")
    with pytest.raises(OhloraError, match="There is no folder of tasks"):
        make_plan(read_study(study_path("korean-small")), Registry(), options, tmp_path)
