"""A study and a machine become cases; what a reader must know about them is said."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest

from benchmarks.run.case import Case, Limits, Task
from benchmarks.run.prediction import works
from benchmarks.study import plan as plan_module
from benchmarks.study.contract import Contract, differences, lora_targets
from benchmarks.study.plan import Options
from benchmarks.study.planning import make_plan
from benchmarks.study.study_files import parse_study, read_study, study_path
from benchmarks.study.task_plan import AskedTasks
from model_registry.errors import BadFile, OhloraError, UnknownName
from model_registry.files.names import name_problem
from model_registry.memory.fit import is_quick, predict
from model_registry.registry import Registry
from rows.row import Row
from tests.support.small_study import plan_study, write_rows, write_study

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = ROOT.parent / "shared" / "reference" / "OhLoRA_fine_tuning.csv"


@pytest.fixture
def study(tmp_path) -> Path:
    return write_study(tmp_path, tmp_path / "no-model-is-needed-to-plan")


def korean_small(tmp_path, **options):
    options = {"weights": "bundled", "device": "cpu"} | options
    return make_plan(
        read_study(study_path("korean-small")), Registry(), Options(**options), tmp_path
    )


def test_each_candidate_has_one_inference_case_and_one_for_each_rank(study, tmp_path):
    plan = plan_study(study, tmp_path / "out")
    assert [case.id for case in plan.cases] == [
        "one/inference", "one/fine-tune/rank=2", "one/fine-tune/rank=4",
        "two/inference", "two/fine-tune/rank=2", "two/fine-tune/rank=4",
    ]  # fmt: skip
    assert len({case.contract.hash for case in plan.cases}) == 1


def test_each_tune_keeps_its_adapter_in_a_folder_of_its_own(study, tmp_path):
    plan = plan_study(study, tmp_path / "out")
    kept = [case.keep for case in plan.cases if case.workload == "fine-tune"]
    assert len(set(kept)) == 4
    assert all(Path(folder).is_relative_to(tmp_path / "out") for folder in kept)


def test_other_ranks_can_be_asked_for_and_candidates_left_out(study, tmp_path):
    plan = plan_study(study, tmp_path, ranks=(8,), only=("two",))
    assert [case.id for case in plan.cases] == ["two/inference", "two/fine-tune/rank=8"]


def test_an_unknown_candidate_is_refused_with_the_nearest_name(study, tmp_path):
    with pytest.raises(UnknownName, match="Did you mean two"):
        plan_study(study, tmp_path, only=("twoo",))


def test_limits_reach_every_case(study, tmp_path):
    limits = Limits(memory_bytes=10, seconds=2.0)
    plan = plan_study(study, tmp_path, limits=limits)
    assert {case.limits for case in plan.cases} == {limits}


def test_rows_tuned_on_held_out_and_asked_are_disjoint(study, tmp_path):
    task = plan_study(study, tmp_path).task
    tuned, valid, asked = ({row.prompt for row in rows} for rows in
                           (task.train, task.valid, task.prompts))  # fmt: skip
    assert (len(tuned), len(valid), len(asked)) == (4, 3, 3)
    assert not tuned & valid and not tuned & asked and not valid & asked


def test_a_valid_row_that_is_also_tuned_on_is_left_out(study, tmp_path):
    rows = tmp_path / "rows"
    (rows / "valid.jsonl").write_text(
        '{"prompt": "train 1?", "reply": "겹침"}\n{"prompt": "새것", "reply": "네"}\n'
    )
    assert [row.prompt for row in plan_study(study, tmp_path).task.valid] == ["새것"]


def test_without_valid_answers_other_train_rows_serve_and_that_is_said(study, tmp_path):
    (tmp_path / "rows" / "valid.jsonl").unlink()
    plan = plan_study(study, tmp_path)
    assert [row.prompt for row in plan.task.valid] == [f"train {n}?" for n in range(4, 8)]
    assert any(
        "no valid rows with an answer: 4 other train rows" in note.words for note in plan.notes
    )


def ask_instead(rows: Path, split: str, **changed: str) -> None:
    """Other prompts for rows of a split, by their numbers: n1="…"."""
    path = rows / f"{split}.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for number, prompt in changed.items():
        lines[int(number[1:])]["prompt"] = prompt
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def test_train_rows_that_ask_what_other_train_rows_are_asked_for_are_not_tuned_on(study, tmp_path):
    words = study.read_text(encoding="utf-8")
    study.write_text(words.replace("tuned_on = [0, 4]", "tuned_on = [0, 4]\nprompts = [4, 7]"))
    ask_instead(tmp_path / "rows", "train", n1="Train 5!!")
    task = plan_study(study, tmp_path).task
    assert [row.prompt for row in task.prompts] == ["train 4?", "train 5?", "train 6?"]
    assert [row.prompt for row in task.train] == ["train 0?", "train 2?", "train 3?"]
    ask_instead(tmp_path / "rows", "train", n0="train 5", n2="train 5.", n3="train 6")
    with pytest.raises(OhloraError, match="All rows to tune on ask what the prompts ask: train 4"):
        plan_study(study, tmp_path)


def test_prompts_without_an_answer_that_are_asked_are_not_said_to_be_left_out(study, tmp_path):
    rows = tmp_path / "rows"
    for split in ("valid", "test"):
        lines = [{"prompt": f"{split} {n}?", "reply": ""} for n in range(3)]
        said = "".join(json.dumps(line) + "\n" for line in lines)
        (rows / f"{split}.jsonl").write_text(said, encoding="utf-8")
    plan = plan_study(study, tmp_path)
    assert len(plan.task.prompts) == 3
    left_out = [note.words for note in plan.notes if note.words.startswith("left out")]
    assert left_out == ["left out: 3 valid rows without an answer (lines 1, 2, 3)"]


def test_a_prompt_is_asked_once_however_often_it_stands_there(study, tmp_path):
    """Replies go by their prompt: one would take the other's place."""
    ask_instead(tmp_path / "rows", "test", n2="test 0?")
    plan = plan_study(study, tmp_path)
    assert [row.prompt for row in plan.task.prompts] == ["test 0?", "test 1?"]
    left_out = [note.words for note in plan.notes if note.words.startswith("left out")]
    assert left_out == ["left out: 1 test row that asks what an earlier prompt does (line 3)"]


def test_a_valid_row_that_asks_a_prompt_is_left_out(study, tmp_path):
    ask_instead(tmp_path / "rows", "valid", n1="Test 2!")
    valid = plan_study(study, tmp_path).task.valid
    assert [row.prompt for row in valid] == ["valid 0?", "valid 2?"]


def test_at_most_sixty_train_rows_that_ask_no_prompt_validate(study, tmp_path):
    write_rows(tmp_path / "rows", train=80)
    (tmp_path / "rows" / "valid.jsonl").unlink()
    ask_instead(tmp_path / "rows", "train", n6="Test 2!")
    valid = [row.prompt for row in plan_study(study, tmp_path).task.valid]
    assert valid[:3] == ["train 4?", "train 5?", "train 7?"]
    assert len(valid) == 60


@pytest.mark.skipif(not REFERENCE.exists(), reason="the reference data is not here")
def test_the_real_fine_tuning_file_is_planned_as_published(tmp_path):
    plan = korean_small(tmp_path, data=REFERENCE)
    assert len(plan.task.train) == 20
    assert len(plan.task.prompts) == 25
    train = [row.prompt for row in plan.task.train]
    import csv

    with REFERENCE.open(encoding="utf-8-sig", newline="") as file:
        questions = [row["input_data"].strip() for row in csv.DictReader(file)]
    assert train == questions[120:140]
    assert [row.prompt for row in plan.task.prompts] == questions[81:106]
    assert any("left out: 50 valid rows without an answer" in note.words for note in plan.notes)


def test_a_short_file_of_ones_own_is_used_from_both_ends(study, tmp_path):
    short = tmp_path / "own.csv"
    short.write_text("prompt,reply\n" + "".join(f"질문{n},답{n}\n" for n in range(10)))
    task = plan_study(study, tmp_path, data=short).task
    assert [row.prompt for row in task.train] == [f"질문{n}" for n in range(5)]
    assert [row.prompt for row in task.prompts] == [f"질문{n}" for n in range(5, 10)]


def test_a_file_with_too_few_rows_is_refused_in_words(study, tmp_path):
    one = tmp_path / "one.csv"
    one.write_text("prompt,reply\n질문,답\n")
    with pytest.raises(OhloraError, match="1 train rows, too few"):
        plan_study(study, tmp_path, data=one)


def test_bundled_models_replace_the_studys_candidates_and_the_reader_is_told(tmp_path):
    plan = korean_small(tmp_path)
    names = {candidate.name for candidate in plan.candidates}
    assert names and all(name.startswith("bundled-") for name in names)
    assert any("say nothing about real candidates" in note.words for note in plan.notes)
    assert plan.contract.weights == "bundled"
    assert plan.download_bytes == 0


def test_auto_says_which_weights_it_took(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    plan = korean_small(tmp_path, weights="auto")
    assert plan.contract.weights == "bundled"
    assert any("no hub can be reached" in note.words for note in plan.notes)


def test_hub_weights_say_what_they_will_download(tmp_path):
    plan = korean_small(tmp_path, weights="hub")
    assert len(plan.candidates) == 7
    assert plan.download_bytes == sum(2 * c.parameters for c in plan.candidates)


def test_random_weights_say_that_replies_mean_nothing(tmp_path):
    plan = korean_small(tmp_path, weights="random", scale="tiny")
    assert len(plan.candidates) == 7
    assert plan.contract.scale == "tiny"
    assert any("replies mean nothing" in note.words for note in plan.notes)


def test_a_study_that_accepts_nobody_says_why(tmp_path):
    study = write_study(tmp_path, tmp_path)
    strict = study.read_text().replace('catalog = "', 'min_params = "1B"\ncatalog = "', 1)
    study.write_text(strict)
    with pytest.raises(OhloraError, match=r"accepts no candidate.*one: too small"):
        plan_study(study, tmp_path)


def test_small_models_get_one_thread_and_large_ones_all_cores(tmp_path):
    small = korean_small(tmp_path)
    large = korean_small(tmp_path, weights="hub")
    tiny = korean_small(tmp_path, weights="random", scale="tiny")
    assert small.contract.threads == tiny.contract.threads == 1
    from model_registry.machine import available_cores

    assert large.contract.threads == available_cores()


def test_other_rows_give_another_contract(study, tmp_path):
    before = plan_study(study, tmp_path).contract
    write_rows(tmp_path / "rows", test=4)
    after = plan_study(study, tmp_path).contract
    assert before.hash != after.hash
    assert [line.split(":")[0] for line in differences(before.shared(), after.shared())] == ["data"]


def test_the_contract_does_not_hash_what_the_study_varies():
    assert Contract(varies=("rank",)).hash == Contract(varies=("rank", "tuned")).hash
    assert Contract(seed=1).hash != Contract(seed=2).hash


def test_a_difference_between_contracts_is_named_with_both_values():
    one, other = Contract(dtype="float32").shared(), Contract(dtype="bfloat16").shared()
    assert differences(one, other) == ["dtype: float32 / bfloat16"]


@pytest.mark.parametrize("weights", ["auto", "bundled"])
def test_candidates_with_folders_of_their_own_are_no_stand_ins(
    study, tmp_path, weights, monkeypatch
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    plan = plan_study(study, tmp_path / "out", weights=weights)
    assert plan.contract.weights == "path"


def test_the_bundled_models_stay_bundled_though_they_lie_in_folders(tmp_path):
    assert korean_small(tmp_path).contract.weights == "bundled"


def test_a_mixture_of_experts_among_the_candidates_takes_the_dropout_from_all(tmp_path):
    """Its experts can have none; what is compared is tuned alike."""
    model = tmp_path / "model"
    model.mkdir()
    values = {"model_type": "mixtral", "num_local_experts": 8}
    (model / "config.json").write_text(json.dumps(values), encoding="utf-8")
    plan = plan_study(write_study(tmp_path, model), tmp_path / "out")
    assert {case.contract.lora_dropout for case in plan.cases} == {0.0}
    assert any("the experts of one, two can't have any" in note.words for note in plan.notes)
    (model / "config.json").write_text(json.dumps({"model_type": "llama"}), encoding="utf-8")
    plan = plan_study(write_study(tmp_path, model), tmp_path / "out")
    assert plan.contract.lora_dropout == Contract().lora_dropout


def with_variants(study: Path, *tables: str) -> Path:
    variants = "".join(f"\n[[work.variants]]\n{table}\n" for table in tables)
    source = study.read_text(encoding="utf-8")
    study.write_text(source.replace("\n[contract]", f"{variants}\n[contract]"), encoding="utf-8")
    return study


@pytest.mark.parametrize("name", ["lr=1e-4", "a/b=c", "두 번째 방법", "r=1/x", "=", "100%"])
def test_a_variant_of_any_name_is_one_case_of_that_name(study, tmp_path, name):
    plan = plan_study(with_variants(study, f'name = "{name}"'), tmp_path / "out")
    assert f"one/fine-tune/{name}" in [case.id for case in plan.cases]
    assert len({case.id for case in plan.cases}) == len(plan.cases)


def test_a_variant_that_goes_by_the_id_of_a_rank_is_refused(study, tmp_path):
    with pytest.raises(OhloraError, match="Two cases go by the id one/fine-tune/rank=2"):
        plan_study(with_variants(study, 'name = "rank=2"'), tmp_path / "out")


def test_a_rank_asked_for_twice_is_measured_once(study, tmp_path):
    plan = plan_study(study, tmp_path / "out", ranks=(4, 4))
    assert [c.id for c in plan.cases if c.workload == "fine-tune"] == [
        "one/fine-tune/rank=4", "two/fine-tune/rank=4",
    ]  # fmt: skip


def test_blanks_between_the_layers_of_lora_say_nothing(study, tmp_path):
    one = with_variants(study, 'name = "v"\ntargets = " q_proj,  v_proj "')
    plan = plan_study(one, tmp_path / "out")
    (case, _) = [case for case in plan.cases if "variant" in case.settings]
    assert case.settings["targets"] == "q_proj,v_proj"
    assert lora_targets(" v_proj , q_proj") == ("v_proj", "q_proj")
    assert lora_targets("all-linear ") == "all-linear"


def test_a_variant_keeps_its_adapter_in_a_folder_of_its_own(study, tmp_path):
    both = 'name = "r4"\nrank = 4\n[[work.variants]]\nname = "all"\ntuning = "full"'
    plan = plan_study(with_variants(study, both), tmp_path / "out")
    kept = {case.id.partition("/")[2]: case.keep for case in plan.cases if case.keep}
    name = plan.candidates[-1].name
    assert kept["fine-tune/r4"] == str(tmp_path / "out" / "adapters" / name / "variants" / "r4")
    assert len({*kept.values()}) == len(kept)
    assert "fine-tune/all" not in kept


def test_layers_with_a_blank_between_have_the_prediction_of_those_without():
    candidate = next(c for c in Registry().candidates("lightweighting") if c.name == "opt-350m")
    asked = Task(train=(Row("질문", "답변"),) * 4)
    found = []
    for targets in ("q_proj,v_proj", "q_proj, v_proj"):
        case = Case(candidate, "fine-tune", Contract(lora_targets=targets), asked, {"rank": 8})
        work = works(case, {})["training"]
        assert is_quick(candidate.architecture, work)
        found.append(predict(candidate.architecture, work).predicted_bytes)
    assert found[0] == found[1]


def test_replies_made_at_once_are_predicted_with_a_cache_for_each():
    candidate = Registry().candidate("llama1B")
    asked = Task(prompts=tuple(Row(f"질문 {n}", "") for n in range(25)))
    case = Case(candidate, "inference", Contract(samples=1, dtype="bfloat16"), asked, {})
    found = works(case, {"longest_prompt_tokens": 100})
    assert (found["inference"].batch, found["replies"].batch) == (1, 32)
    caches = [
        predict(candidate.architecture, found[phase]).terms["kv_cache"]
        for phase in ("inference", "replies")
    ]
    assert caches[1] == pytest.approx(32 * caches[0], rel=0.01)


@pytest.mark.parametrize(
    "name", ["..", ".", "../elsewhere", "a/../b", "/root", "a\\b", "", " x", "a\u0000b"]
)
def test_a_candidate_whose_name_leads_out_of_the_run_is_refused_with_its_line(tmp_path, name):
    catalog = tmp_path / "mine.toml"
    entry = f'\n[[candidates]]\nlicense = "MIT"\nname = {json.dumps(name)}\n'
    catalog.write_text('[licenses."MIT"]\nfree = "yes"\n' + entry, encoding="utf-8")
    with pytest.raises(BadFile, match="name") as error:
        Registry().candidates(str(catalog))
    assert error.value.line == 6
    assert name_problem(name)


@pytest.mark.parametrize("name", ["gemma-2", "org/model", "모델 하나", "a=b", "model.v1.2", "..a"])
def test_a_name_that_a_folder_can_bear_is_taken(name):
    assert name_problem(name) is None


@pytest.mark.parametrize("name", ["..", "../x"])
def test_a_study_and_a_variant_of_such_a_name_are_refused(name):
    head = '[candidates]\ncatalog = "bundled"\n'
    with pytest.raises(BadFile, match="names another place"):
        parse_study(f'name = "{name}"\n{head}', Path("s.toml"))
    with pytest.raises(BadFile, match="names another place"):
        parse_study(f'name = "x"\n{head}[[work.variants]]\nname = "{name}"\n', Path("s.toml"))


def test_two_variants_of_one_name_are_refused():
    variant = '[[work.variants]]\nname = "a"\n'
    with pytest.raises(BadFile, match="two variants are called a"):
        parse_study(f'name = "x"\n[candidates]\ncatalog = "bundled"\n{variant * 2}', Path("s.toml"))


def another(value: object) -> object:
    """A value of the same kind that is not this one."""
    if isinstance(value, tuple):
        return (*value, "more")
    return f"{value} other" if isinstance(value, str) else value + 1  # type: ignore[operator]


@pytest.mark.parametrize("field", [each.name for each in fields(Contract)])
def test_every_field_of_the_contract_but_what_varies_is_hashed(field):
    plain = Contract()
    changed = replace(plain, **{field: another(getattr(plain, field))})
    assert (changed.hash == plain.hash) is (field == "varies")
    assert (field in changed.shared()) is (field != "varies")
    named = " ".join(differences(plain.shared(), changed.shared()))
    assert named.startswith(field) if field != "varies" else not named


def test_ranks_are_tuned_on_quantised_bases_where_that_is_asked_for(tmp_path):
    study = write_study(tmp_path, tmp_path / "model", names=("one",))
    plan = plan_study(study, tmp_path / "out", quantization="nf4", ranks=(8, 16))
    tunes = [case for case in plan.cases if case.workload == "fine-tune"]
    assert [case.settings for case in tunes] == [
        {"rank": 8, "quantization": "nf4"}, {"rank": 16, "quantization": "nf4"},
    ]  # fmt: skip
    assert [Path(str(case.keep)).name for case in tunes] == ["r8", "r16"]
    assert "quantization" in plan.contract.varies
    (said,) = [note for note in plan.notes if note.code == "answered_plain"]
    assert "the tunes on nf4" in said.english
    plain = plan_study(study, tmp_path / "out", ranks=(8, 16))
    assert "answered_plain" not in [note.code for note in plain.notes]


def test_tasks_are_asked_before_and_after_on_the_quantised_base_that_is_tuned(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(plan_module, "tasks_asked", lambda *_: AskedTasks({"copa": "hash"}))
    study = write_study(tmp_path, tmp_path / "model", names=("one",))
    plan = plan_study(study, tmp_path / "out", quantization="nf4", ranks=(8,))
    before, after = [case for case in plan.cases if case.workload == "benchmark"]
    assert (before.settings, before.adapter) == ({"quantization": "nf4", "task": "copa"}, None)
    assert after.settings == {"rank": 8, "quantization": "nf4", "task": "copa"}
    assert after.adapter in [case.keep for case in plan.cases]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("lightweighting", "no case of the study lightweighting is: name them, as in --ranks 16"),
        ("quantisation", "no case of the study quantisation is"),
        ("deepseek", "no case of the study deepseek is"),
        ("diagrams", "ORPO is tuned on plain weights only: leave --quantization out"),
    ],
)
def test_a_quantisation_that_would_change_no_case_or_only_some_is_refused(tmp_path, name, why):
    options = Options(weights="bundled", device="cpu", quantization="nf4")
    with pytest.raises(OhloraError, match=why):
        make_plan(read_study(study_path(name)), Registry(), options, tmp_path)


def test_local_models_of_a_study_that_asks_backends_are_tuned_on_quantised_bases(tmp_path):
    options = Options(weights="bundled", device="cpu", quantization="nf4",
                      candidates=("bundled-llama-2.5m",))  # fmt: skip
    plan = make_plan(read_study(study_path("backends")), Registry(), options, tmp_path)
    assert [case.id for case in plan.cases] == [
        "bundled-llama-2.5m/ask", "bundled-llama-2.5m/fine-tune/quantization=nf4/rank=16",
    ]  # fmt: skip


def test_patience_without_valid_rows_is_refused_before_anything_is_tuned(tmp_path):
    study = write_study(tmp_path, tmp_path / "model")
    (write_rows(tmp_path / "rows", train=4) / "valid.jsonl").unlink()
    with pytest.raises(OhloraError, match="small has no valid rows"):
        plan_study(study, tmp_path / "out", tuning={"patience": 2})
