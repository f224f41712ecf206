"""Rows that are too long: refused before anything is loaded, cut or dropped as declared."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.study import row_lengths
from benchmarks.study.contract import Contract
from benchmarks.study.row_lengths import within_length
from benchmarks.workloads.log import MemoryLog
from benchmarks.workloads.training_rows import encode_rows
from model_registry.candidate import PromptPolicy
from model_registry.errors import BadFile, BadTrainingRow, OhloraError
from model_registry.prompting.tokenization import IGNORED, end_token_id
from model_registry.weights import pretrained
from model_registry.weights.loading import load
from rows.row import Row
from tests.support.small_study import plan_study, worked, write_study
from tests.support.tiny_models import make_tokenizer, tiny_candidate

ROOT = Path(__file__).resolve().parents[2]
POLICY = PromptPolicy("chat")
SHORT, LONG = Row("안녕?", "응."), Row("길어?", "길" * 300, line=7)
CONTRACT = Contract(epochs=1, max_length=100, warm_up=0, max_new_tokens=2)


def test_a_long_row_is_refused_by_its_line_with_what_can_be_done() -> None:
    with pytest.raises(BadTrainingRow) as raised:
        encode_rows(POLICY, make_tokenizer(), [SHORT, LONG, LONG], CONTRACT, "train")
    said = str(raised.value)
    assert said.startswith("Training row 2 (line 7) has 9")
    assert "more than 100 (and 1 more rows)" in said
    assert all(option in said for option in ("--max-length", "--too-long cut", "--too-long drop"))


def test_a_valid_row_is_checked_too_and_named_as_such() -> None:
    with pytest.raises(BadTrainingRow, match=r"^Valid row 1 \(line 7\) has"):
        encode_rows(POLICY, make_tokenizer(), [LONG], CONTRACT, "valid")


def test_a_cut_row_keeps_its_labelled_end_token_and_as_many_tokens_as_may_be() -> None:
    tokenizer = make_tokenizer()
    contract = replace(CONTRACT, too_long="cut")
    found = encode_rows(POLICY, tokenizer, [SHORT, LONG], contract, "train")
    assert found.cut == (1,)
    row, whole = found.rows[1], encode_rows(
        POLICY, tokenizer, [LONG], replace(CONTRACT, max_length=5000), "train"
    ).rows[0]  # fmt: skip
    assert len(row.input_ids) == len(row.labels) == 100
    assert row.input_ids[:-1] == whole.input_ids[:99]
    assert row.labels[-1] == row.input_ids[-1] == end_token_id(POLICY, tokenizer)
    assert row.labels[0] == IGNORED


def test_a_row_whose_question_leaves_no_room_can_not_be_cut() -> None:
    asked = Row("길" * 100, "응.")
    with pytest.raises(BadTrainingRow, match="Training row 1 leaves no room for an answer"):
        encode_rows(POLICY, make_tokenizer(), [asked], replace(CONTRACT, too_long="cut"), "train")


def test_dropped_rows_are_left_out_and_their_places_told() -> None:
    contract = replace(CONTRACT, too_long="drop")
    found = encode_rows(POLICY, make_tokenizer(), [LONG, SHORT, LONG], contract, "train")
    assert (len(found.rows), found.dropped) == (1, (0, 2))
    with pytest.raises(BadTrainingRow, match="All 2 training rows have more than 100 tokens"):
        encode_rows(POLICY, make_tokenizer(), [LONG, LONG], contract, "train")


def test_a_result_says_how_many_of_its_rows_were_cut(tiny_model) -> None:
    loaded = load(tiny_candidate(tiny_model))
    contract = replace(CONTRACT, too_long="cut")
    outcome = worked("fine-tune", loaded, contract, MemoryLog(), train=[SHORT, LONG], rank=4)
    assert outcome.figures["rows_cut"] == 1
    assert outcome.figures["longest_row_tokens"] == 100


@pytest.fixture
def study(tmp_path: Path, tiny_model: Path) -> Path:
    """A study of two candidates whose second training row has about 200 tokens, its first valid
    row too."""
    path = write_study(tmp_path, tiny_model)
    for split in ("train", "valid"):
        file = next(tmp_path.rglob(f"{split}.jsonl"))
        lines = file.read_text(encoding="utf-8").splitlines()
        long = {"prompt": f"{split} long?", "reply": "길" * 60}
        lines[1 if split == "train" else 0] = json.dumps(long, ensure_ascii=False)
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_study_with_a_long_row_is_refused_before_any_candidate_is_loaded(
    study, tmp_path, monkeypatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(pretrained, "_model", never)
    plan = plan_study(study, tmp_path / "out", tuning={"max_length": 100})

    with pytest.raises(BadTrainingRow, match=r"one: Training row 2 \(line 2\) has 195 tokens"):
        within_length(plan)


@pytest.mark.slow
def test_a_run_with_a_long_row_ends_with_one_and_begins_nothing(study, tmp_path) -> None:
    out = tmp_path / "out"
    command = [
        sys.executable, "-m", "ohlora_cli", "run", str(study), "--out", str(out), "--device", "cpu",
        "--max-length", "100",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "one: Training row 2 (line 2) has 195 tokens" in done.stderr
    assert not (out / "run.json").exists()


def test_a_row_too_long_for_one_candidate_is_dropped_for_all(study, tmp_path, monkeypatch) -> None:
    """Losses on other rows would not compare."""
    plan = plan_study(study, tmp_path / "out", tuning={"max_length": 100, "too_long": "drop"})
    real = row_lengths.load_tokenizer

    def only_one_counts(candidate, *, source):
        tokenizer = real(candidate, source=source)
        if candidate.name == "two":
            tokenizer.model_max_length = 1  # told apart below
        return tokenizer

    def encode(policy, tokenizer, rows, contract, split):
        if tokenizer.model_max_length == 1:
            contract = replace(contract, max_length=5000)
        return encode_rows(policy, tokenizer, rows, contract, split)

    monkeypatch.setattr(row_lengths, "load_tokenizer", only_one_counts)
    monkeypatch.setattr(row_lengths, "encode_rows", encode)
    fitted = within_length(plan)
    assert len(fitted.task.train) == len(plan.task.train) - 1
    assert len(fitted.task.valid) == len(plan.task.valid) - 1
    assert {len(case.task.train) for case in fitted.cases} == {len(fitted.task.train)}
    assert {case.contract.data for case in fitted.cases} == {fitted.contract.data}
    assert fitted.contract.data != plan.contract.data
    assert "left out: 1 train row of more than 100 tokens" in [note.words for note in fitted.notes]
    assert within_length(fitted) is fitted


def test_a_patience_whose_valid_rows_are_all_dropped_is_refused_before_anything_is_tuned(
    study, tmp_path
) -> None:
    file = next(tmp_path.rglob("valid.jsonl"))
    long = json.loads(file.read_text(encoding="utf-8").splitlines()[0])
    rows = [json.dumps(long | {"prompt": f"{n}?"}, ensure_ascii=False) for n in range(3)]
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    levers = {"max_length": 100, "too_long": "drop"}
    plan = plan_study(study, tmp_path / "out", tuning=levers | {"patience": 2})
    with pytest.raises(OhloraError, match=r"small \(max_length 100\) has no valid rows"):
        within_length(plan)
    assert not within_length(plan_study(study, tmp_path / "out", tuning=levers)).task.valid


def test_a_candidate_without_a_tokenizer_keeps_its_status_for_later(study, tmp_path) -> None:
    plan = plan_study(study, tmp_path / "out")
    cases = tuple(
        replace(case, candidate=replace(case.candidate, path=str(tmp_path / "gone")))
        for case in plan.cases
    )
    assert within_length(replace(plan, cases=cases)).task == plan.task


@pytest.mark.parametrize("template", ["Hello!", "{% for %}", "{{ raise_exception('no') }}"])
def test_a_template_that_can_not_be_used_does_not_stop_the_other_candidates(
    study, tiny_model, tmp_path, template
) -> None:
    broken = shutil.copytree(tiny_model, tmp_path / "broken")
    (broken / "chat_template.jinja").write_text(template)
    plan = plan_study(study, tmp_path / "out")
    cases = tuple(
        replace(case, candidate=replace(case.candidate, path=str(broken))) for case in plan.cases
    )
    assert within_length(replace(plan, cases=cases)).lengths_checked


def test_a_study_says_its_policy_and_an_unknown_one_is_refused(study, tmp_path) -> None:
    text = study.read_text(encoding="utf-8")
    study.write_text(text.replace("[contract]", '[contract]\ntoo_long = "cut"'), encoding="utf-8")
    assert plan_study(study, tmp_path / "out").contract.too_long == "cut"
    assert (
        plan_study(study, tmp_path / "out", tuning={"too_long": "drop"}).contract.too_long == "drop"
    )
    study.write_text(text.replace("[contract]", '[contract]\ntoo_long = "shorten"'), "utf-8")
    with pytest.raises(BadFile, match="too_long must be one of refuse, cut, drop"):
        plan_study(study, tmp_path / "out")
