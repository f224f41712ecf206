"""A model's folder may come from anybody: whatever is wrong with it is one line, at once."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from model_registry.architectures.model_config import build_config
from model_registry.errors import LoadError, OhloraError, UnknownName
from model_registry.naming.resolve import find_candidate
from model_registry.registry import Registry
from model_registry.weights.loading import load
from ohlora_cli import app
from tests.support.tiny_models import change, make_tiny_model, tiny_candidate

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 988097824\n"


@pytest.fixture(scope="session")
def whole(tmp_path_factory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("whole") / "model")


@pytest.fixture
def folder(whole, tmp_path) -> Path:
    return shutil.copytree(whole, tmp_path / "stranger")


def refused(folder: Path) -> LoadError:
    """The error that loading this folder ends in, which must be one line and come at once."""
    began = time.process_time()  # of ours: whoever waits for a pipe or a device is timed out
    with pytest.raises(LoadError) as caught:
        load(find_candidate(str(folder), Registry()))
    assert time.process_time() - began < 20
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 700
    return caught.value


def header(folder: Path, **entries) -> None:
    """A weight file with this header and four bytes of data."""
    text = json.dumps(entries).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * 4)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_hidden_layers", 1_000_000),
        ("num_hidden_layers", -1),
        ("num_hidden_layers", 0),
        ("num_hidden_layers", "2"),
        ("num_hidden_layers", 2.5),
        ("num_hidden_layers", [2]),
        ("num_hidden_layers", True),
        ("hidden_size", 10**9),
        ("hidden_size", 10**400),
        ("hidden_size", {"a": 1}),
        ("intermediate_size", 10**9),
        ("intermediate_size", -64),
        ("vocab_size", 10**10),
        ("vocab_size", -1),
        ("num_attention_heads", 0),
        ("num_attention_heads", 10**9),
        ("num_key_value_heads", "many"),
        ("head_dim", 10**9),
        ("max_position_embeddings", 10**12),
        ("max_position_embeddings", "long"),
        ("num_labels", 10**9),
        ("n_routed_experts", 10**6),
        ("attn_implementation", "someone/kernel"),
        ("attn_implementation", "magic"),
        ("_attn_implementation", "someone/kernel"),
        ("attn_implementation", {"": "someone/kernel"}),
        ("experts_implementation", "someone/kernel"),
        ("rms_norm_eps", float("nan")),
        ("text_config", {"hidden_size": 10**9}),
        ("attention_types", [[["global"], 10**9]]),
    ],
)
def test_a_value_that_no_model_has_is_named_before_anything_is_built(folder, key, value):
    change(folder, **{key: value})
    error = refused(folder)
    named = next(iter(value)) if isinstance(value, dict) and key == "text_config" else key
    assert named in str(error) or "no attention is called" in str(error)
    assert "config.json" in str(error)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model_type", 7),
        ("model_type", "strange"),
        ("hidden_act", "boom"),
        ("layer_types", ["odd_attention", "odd_attention"]),
        ("rope_parameters", {"rope_type": "spiral"}),
        ("rope_parameters", 3),
        ("rms_norm_eps", "small"),
        ("quantization_config", "nf4"),
        ("quantization_config", {"quant_method": "magic"}),
        ("torch_dtype", "float999"),
        ("eos_token_id", "end"),
    ],
)
def test_values_that_mean_nothing_end_in_one_line_or_in_a_model(folder, key, value):
    """transformers itself knows which values it can live without; no traceback either way."""
    change(folder, **{key: value})
    try:
        load(find_candidate(str(folder), Registry()))
    except OhloraError as error:
        assert len(str(error).splitlines()) == 1
        assert "stranger" in str(error) or str(value) in str(error)


def test_an_architecture_of_a_catalog_is_held_to_the_same_limits():
    """`fit`, `run` and random weights build from a catalog's values, with no folder to look at."""
    values = {"model_type": "llama", "vocab_size": 100, "hidden_size": 64, "intermediate_size": 64,
              "num_hidden_layers": 10**6, "num_attention_heads": 4}  # fmt: skip
    with pytest.raises(LoadError, match="num_hidden_layers is 1000000"):
        build_config(values)
    square = {"model_type": "gpt_neo", "num_layers": 24, "max_position_embeddings": 10**6}
    with pytest.raises(LoadError, match="positions"):
        build_config(square)
    every = {"model_type": "mixtral", "num_hidden_layers": 1000, "num_local_experts": 4000}
    with pytest.raises(LoadError, match="experts"):
        build_config(every)
    huge = values | {"num_hidden_layers": 1000, "hidden_size": 10**6, "intermediate_size": 10**6}
    with pytest.raises(LoadError, match="trillion parameters"):
        build_config(huge)


def test_the_limits_hold_every_architecture_of_the_catalogs():
    from model_registry.architectures.architecture_limits import check_values

    for candidate in Registry().candidates():
        check_values(candidate.architecture, candidate.name)


@pytest.mark.slow
def test_the_limits_hold_every_language_model_that_transformers_knows():
    from huggingface_hub.errors import StrictDataclassError
    from transformers import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    from model_registry.architectures.architecture_limits import check_values

    for name in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        # Some have no defaults, or refuse their own.
        with contextlib.suppress(TypeError, ValueError, ImportError, StrictDataclassError):
            values = CONFIG_MAPPING[name]().to_dict()
            check_values(json.loads(json.dumps(values, default=str)), name)


def test_a_configuration_of_more_layers_than_there_are_weights_is_no_model(folder):
    change(folder, num_hidden_layers=1000)
    assert "They don't belong together" in str(refused(folder))


def test_weights_that_lack_a_layer_are_not_filled_with_noise(folder):
    change(folder, num_hidden_layers=3)
    said = str(refused(folder))
    assert "model.layers.2." in said and "They don't belong together" in said


def test_weights_of_other_shapes_than_the_configuration_says_are_one_line(folder):
    change(folder, intermediate_size=96)
    assert "other shapes" in str(refused(folder))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "broken or cut short"),
        (b"\x08", "broken or cut short"),
        (struct.pack("<Q", 2**62), "broken or cut short"),
        (struct.pack("<Q", 8) + b"not json", "broken or cut short"),
        (struct.pack("<Q", 10**6) + b"{}", "broken or cut short"),
        (LFS, "Git LFS"),
        (b"PK\x03\x04" + b"\0" * 64, "broken or cut short"),
        (b"<!DOCTYPE html><html>Not found</html>", "broken or cut short"),
    ],
)
def test_a_weight_file_that_is_none_is_named_with_its_cure(folder, content, said):
    (folder / "model.safetensors").write_bytes(content)
    error = refused(folder)
    assert said in str(error)
    assert "model.safetensors" in str(error)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1], "data_offsets": [0, 4 * 10**12]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]},
        {"dtype": "PICKLE", "shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": "wide", "data_offsets": [4, 0]},
        {"dtype": "F32"},
    ],
)
def test_a_header_that_lies_is_found_before_it_is_believed(folder, entry):
    header(folder, weight=entry)
    assert "broken or cut short" in str(refused(folder))


def test_a_weight_file_that_is_cut_short_is_found_before_anything_is_loaded(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert "cut short" in str(refused(folder))


def shards(folder: Path, **weight_map) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


@pytest.mark.parametrize(
    "where", ["../../etc/passwd", "/etc/passwd", "a/b.safetensors", "..", "", "a\0b", 7, None]
)
def test_an_index_that_points_out_of_its_folder_is_refused(folder, where):
    shards(folder, weight=where)
    assert "points out of its folder" in str(refused(folder))


def test_a_missing_shard_and_a_shard_without_its_tensor_are_named(folder):
    shards(folder, a="model-00001-of-00002.safetensors", b="model-00002-of-00002.safetensors")
    assert "lacks model-00002-of-00002.safetensors" in str(refused(folder))
    shutil.copy(
        folder / "model-00001-of-00002.safetensors", folder / "model-00002-of-00002.safetensors"
    )
    assert "lacks the tensor a" in str(refused(folder))


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"weight_map": []}', "[" * 100_000])
def test_a_broken_index_is_named(folder, text):
    shards(folder)
    (folder / "model.safetensors.index.json").write_text(text)
    assert "model.safetensors.index.json" in str(refused(folder))


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "[" * 100_000, '{"a":' * 5000, "\ufeff{}"])
def test_a_broken_configuration_is_named(folder, text):
    (folder / "config.json").write_text(text)
    assert "config.json" in str(refused(folder))


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"model": {"type": "BPE"}}'])
def test_a_broken_tokenizer_is_named_with_its_cure(folder, text):
    (folder / "tokenizer.json").write_text(text)
    assert "tokenizer" in str(refused(folder))


def test_a_tokenizer_whose_pattern_takes_for_ever_is_one_line(folder):
    said = json.loads((folder / "tokenizer.json").read_text())
    said["pre_tokenizer"] = {
        "type": "Split", "pattern": {"Regex": "(x+x+)+y"}, "behavior": "Isolated",
        "invert": False,
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(said))
    (folder / "chat_template.jinja").write_text("x" * 60)
    assert "tokenizer or chat template fails" in str(refused(folder))


def test_replacements_that_make_terabytes_of_one_letter_are_refused(folder):
    said = json.loads((folder / "tokenizer.json").read_text())
    double = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    said["normalizer"] = {"type": "Sequence", "normalizers": [double] * 60}
    (folder / "tokenizer.json").write_text(json.dumps(said))
    assert "times as long" in str(refused(folder))


def test_a_folder_without_a_tokenizer_says_what_to_copy(folder):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    assert "copy tokenizer.json" in str(refused(folder))


def test_a_tokenizer_of_another_model_is_refused_before_its_tokens_miss_their_rows(folder):
    change(folder, vocab_size=100)
    assert "its tokenizer has 256 tokens, its embedding 100 rows" in str(refused(folder))


def test_a_template_that_writes_a_token_without_a_row_is_named(folder):
    change(folder, vocab_size=257)
    said = str(refused(folder))
    assert "<|" in said and "257 rows" in said


def test_a_token_that_no_text_contains_may_lie_beyond_the_embedding(folder):
    """Gemma 3's tokenizer has a picture token for which its text model has no row."""
    rows = json.loads((folder / "config.json").read_text())["vocab_size"]
    said = json.loads((folder / "tokenizer.json").read_text())
    said["added_tokens"].append(
        {"id": rows + 5, "content": "<picture>", "special": True, "normalized": False,
         "lstrip": False, "rstrip": False, "single_word": False}
    )  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(said))
    assert load(find_candidate(str(folder), Registry())).model is not None


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors",
                                  "generation_config.json", "chat_template.jinja"])  # fmt: skip
def test_a_pipe_in_place_of_a_file_is_not_waited_for(folder, name):
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    assert f"{name} is no regular file" in str(refused(folder))


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "generation_config.json"])
def test_an_endless_device_in_place_of_a_file_is_not_read(folder, name):
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to("/dev/zero")
    assert name in str(refused(folder))


def test_a_link_that_goes_round_in_a_circle_is_named(folder):
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").symlink_to("other.json")
    (folder / "other.json").symlink_to("tokenizer.json")
    assert "can't be read" in str(refused(folder))


def test_a_link_to_the_file_as_the_hubs_cache_has_it_is_followed(folder, tmp_path):
    shutil.move(folder / "model.safetensors", tmp_path / "blob")
    (folder / "model.safetensors").symlink_to(tmp_path / "blob")
    assert load(tiny_candidate(folder)).source == "path"


def test_a_file_of_gigabytes_is_refused_unread(folder):
    with (folder / "generation_config.json").open("wb") as file:
        file.truncate(1 << 40)  # takes no disk
    assert "generation_config.json has 1,099,511,627,776 bytes" in str(refused(folder))


def test_what_a_training_left_beside_the_model_is_not_judged(folder):
    """A Trainer's checkpoint: transformers opens none of these."""
    (folder / "trainer_state.json").write_text("[" + "0," * (5 << 20) + "0]")
    (folder / "optimizer.pt").write_bytes(b"code")
    (folder / "best.model").mkdir()
    os.mkfifo(folder / "control")
    assert load(tiny_candidate(folder)).source == "path"


def test_a_folder_in_place_of_a_file_is_named(folder):
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").mkdir()
    assert "tokenizer.json is a folder" in str(refused(folder))


def test_looking_at_a_folder_without_loading_it_says_the_same(folder):
    from model_registry.doctor import examine_folder

    assert [(f.ok, f.value) for f in examine_folder(folder)] == [(True, f"{folder} (llama)")]
    (folder / "model.safetensors").write_bytes(LFS)
    (finding,) = examine_folder(folder)
    assert (finding.ok, finding.value) == (False, str(refused(folder)))


def test_pointers_that_git_lfs_left_are_named_wherever_they_are(folder):
    (folder / "tokenizer.json").write_bytes(LFS)
    error = refused(folder)
    assert "tokenizer.json is a pointer" in str(error)
    assert "git lfs pull" in str(error)


def test_a_model_beside_an_adapter_is_not_guessed_at(folder):
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "someone/else"}')
    assert "move adapter_config.json away" in str(refused(folder))


def put(path: Path, text: str = "{}") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda at: at.mkdir(), "the folder is empty"),
        (lambda at: put(at / "train.jsonl"), "it holds rows, for --data"),
        (lambda at: put(at / "model.Q4_K_M.gguf"), "llama.cpp"),
        (lambda at: put(at / "adapter_config.json", '{"base_model_name_or_path": "a/b"}'),
         "only an adapter of a/b"),
        (lambda at: put(at / "adapter_config.json", "{"), "only an adapter"),
        (lambda at: put(at / "run.json"), "it holds a run"),
        (lambda at: put(at / "training_state.safetensors"), "not finished"),
        (lambda at: put(at / "model.safetensors"), "no config.json"),
        (lambda at: put(at / "inner" / "config.json"), "is in the folder inner in it"),
        (lambda at: put(at / "notes.txt"), "no config.json"),
        (lambda at: put(at), "it is a file"),
    ],
)  # fmt: skip
def test_a_path_that_exists_and_is_no_model_is_called_what_it_is(make, said, tmp_path):
    make(tmp_path / "thing")
    with pytest.raises(LoadError) as caught:
        find_candidate(str(tmp_path / "thing"), Registry())
    assert said in str(caught.value)
    assert "No candidate is called" not in str(caught.value)


def test_who_reads_korean_is_told_in_korean_and_files_keep_english(tmp_path, monkeypatch):
    monkeypatch.setenv("OHLORA_LANG", "ko")
    (tmp_path / "thing").mkdir()
    with pytest.raises(LoadError) as caught:
        find_candidate(str(tmp_path / "thing"), Registry())
    assert caught.value.shown.endswith("모델이 아닙니다. 빈 폴더입니다.")
    assert str(caught.value).endswith("is no model: the folder is empty.")


@pytest.mark.parametrize(
    ("name", "said"),
    [("model.gguf", "llama.cpp"), ("rows.jsonl", "--data"), ("weights.bin", "can hold code")],
)
def test_a_file_is_called_what_it_is(name, said, tmp_path):
    with pytest.raises(LoadError, match=said):
        find_candidate(str(put(tmp_path / name)), Registry())


def test_a_pipe_is_not_opened_to_be_called_what_it_is(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder" / "adapter_config.json")
    for name in ("pipe", "folder"):
        with pytest.raises(LoadError):
            find_candidate(str(tmp_path / name), Registry())


@pytest.mark.parametrize("name", ["", "..", "a\0b", "x" * 5000, "~nobody-here/model", "\ud800"])
def test_a_name_that_no_file_can_have_is_no_traceback(name):
    with pytest.raises(OhloraError):
        find_candidate(name, Registry())


def test_a_home_folder_that_no_shell_has_expanded_is_found(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    assert find_candidate("~/stranger", Registry()).path == str(folder)


def test_a_candidate_goes_before_a_folder_of_its_name_without_a_model(tmp_path, monkeypatch):
    known = Registry().candidates("bundled")[0].name
    (tmp_path / known).mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_candidate(known, Registry()).catalog == "bundled"


def test_what_is_nowhere_is_no_candidate(tmp_path):
    with pytest.raises(UnknownName, match=r"There is no folder .*nothing\.$"):
        find_candidate(str(tmp_path / "nothing"), Registry())
    with pytest.raises(LoadError, match=r"my/nothing is not in the cache, and the hub can't be"):
        find_candidate("my/nothing", Registry())  # an id of the hub
    with pytest.raises(UnknownName, match=r"No candidate is called nothing\."):
        find_candidate("nothing", Registry())


def test_a_folder_whose_name_was_mistyped_is_named(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    with pytest.raises(UnknownName, match=rf"no folder \./{folder.name}s\. Did you mean"):
        find_candidate(f"./{folder.name}s", Registry())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("doctor FOLDER", "config.json is no JSON"),
        ("doctor ./nothing", "There is no folder ./nothing"),
        ("ask ./nothing 안녕?", "There is no folder ./nothing"),
        ("fit ./nothing", "There is no folder ./nothing"),
        ("export ./nothing --out MODEL", "There is no folder nothing"),
    ],
)
def test_a_folder_that_is_broken_or_not_there_ends_a_command_with_status_1(folder, words, said):
    put(folder / "config.json", "{")
    done = CliRunner().invoke(app, [word.replace("FOLDER", str(folder)) for word in words.split()])
    shown = "".join((done.output + str(done.exception)).split())  # lines may break in a word
    assert done.exit_code == 1 and "".join(said.split()) in shown


@pytest.mark.parametrize("template", ["Hello!", "{{ 7 }}", "{{ messages | length }}"])
def test_a_template_that_leaves_out_the_question_is_refused(folder, template):
    put(folder / "chat_template.jinja", template)
    assert "leaves out what the user asks" in str(refused(folder))


def test_the_doctor_sees_a_template_that_never_ends(folder):
    from model_registry.doctor import examine_folder

    (folder / "chat_template.jinja").write_text(
        "{% for i in range(99999) %}{{ 'a' * 99999 }}{% endfor %}"
    )
    (finding,) = examine_folder(folder)
    assert finding.ok is False and "writes without end" in finding.value


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_command_ends_in_one_line_and_in_time_on_a_folder_of_a_million_layers(folder):
    change(folder, num_hidden_layers=10**6)
    rows = put(folder.parent / "rows.jsonl", '{"prompt": "안녕", "reply": "네"}\n' * 4)
    tuned = folder.parent / "tuned"
    commands = (
        ["ask", str(folder), "안녕?"],
        ["tune", str(folder), "--data", str(rows), "--out", str(tuned)],
        ["fit", str(folder), "--gpu", "12GB"],
        ["doctor", str(folder)],
    )
    for words in commands:
        done = subprocess.run(
            [sys.executable, "-m", "ohlora_cli", *words], capture_output=True, text=True,
            timeout=280, env=os.environ | {"OHLORA_LANG": "en"}, check=False,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert "num_hidden_layers" in said, (words, said)
        assert "Traceback" not in said
        assert words[0] in ("fit", "doctor") or done.returncode == 1
