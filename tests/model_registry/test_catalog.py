from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from model_registry.architectures.parameter_count import count_parameters
from model_registry.candidate import Candidate
from model_registry.catalog import catalog_names, catalog_path, read_catalog
from model_registry.errors import BadFile, LoadError, UnknownName
from model_registry.registry import Registry

ROOT = Path(__file__).resolve().parents[2]
FACTS = ROOT.parent / "shared" / "reference" / "FACTS.md"

# What the recipe of the bundled models makes is counted by its own test.
SHIPPED = [
    candidate
    for name in catalog_names()
    if name != "bundled"
    for candidate in read_catalog(catalog_path(name))
]
BUILDABLE = [candidate for candidate in SHIPPED if candidate.shapes]

GOOD = """
[catalog]
name = "mine"
leaderboard = {name = "A board", date = 2025-04-19}

[licenses.MIT]
free = "yes"

[sources.here]
title = "a card"
read_on = 2026-11-28
standing = "read"

[architectures.tiny]
model_type = "llama"
q_lora_rank = "null"

[[candidates]]
name = "first"
license = "MIT"
parameters = 1_000
leaderboard = 40.5
architecture = "tiny"
prompting = {kind = "plain", form = "Q: {prompt} A: "}

[[candidates]]
name = "second"
license = "MIT"
"""


def named(names: list[Candidate]) -> list[str]:
    return [candidate.name for candidate in names]


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


# What comes with the project


def test_seven_catalogs_come_with_the_project():
    assert catalog_names() == [
        "backends",
        "bundled",
        "deepseek",
        "diagram",
        "korean-2026",
        "korean-small",
        "lightweighting",
    ]


def test_no_two_candidates_of_the_project_share_a_name():
    names = named(Registry().candidates())
    assert len(names) == len(set(names)) > 50


@pytest.mark.parametrize("candidate", BUILDABLE, ids=lambda candidate: candidate.name)
def test_the_stored_parameters_are_those_of_the_architecture(candidate):
    assert candidate.parameters == count_parameters(candidate.shapes)


@pytest.mark.parametrize("candidate", BUILDABLE, ids=lambda candidate: candidate.name)
def test_no_value_of_an_architecture_is_misspelt(candidate):
    """transformers accepts any key, so a misspelt one would silently leave a default in place."""
    from transformers import AutoConfig

    for values in filter(None, (candidate.architecture, candidate.same_shapes)):
        defaults = AutoConfig.for_model(values["model_type"])
        assert not [key for key in values if not hasattr(defaults, key)]


@pytest.mark.parametrize("candidate", SHIPPED, ids=lambda candidate: candidate.name)
def test_counted_and_published_sizes_agree_or_a_note_says_why_not(candidate):
    counted, published = candidate.parameters, candidate.published_parameters
    if counted is None:
        assert published is not None or candidate.parameters_note
    elif published is not None and abs(counted / published - 1) > 0.02:
        assert candidate.parameters_note


def test_the_published_size_of_polyglot_is_its_count_plus_the_causal_masks():
    polyglot = Registry().candidate("polyglot-ko-1.3b")
    masks = 24 * 2048 * 2048
    assert f"{masks:,}" in polyglot.parameters_note
    assert polyglot.parameters + masks == pytest.approx(polyglot.published_parameters, rel=0.002)


def test_opt_350m_would_have_its_published_size_with_a_full_width_embedding():
    opt = Registry().candidate("opt-350m")
    wide = count_parameters({**opt.architecture, "word_embed_proj_dim": 1024})
    assert wide == pytest.approx(356e6, rel=0.002)
    assert "356 M" in opt.parameters_note


@pytest.mark.parametrize("candidate", SHIPPED, ids=lambda candidate: candidate.name)
def test_every_licence_says_where_and_when_it_was_read(candidate):
    assert candidate.license.source
    assert isinstance(candidate.license.read_on, date)


@pytest.mark.parametrize("candidate", SHIPPED, ids=lambda candidate: candidate.name)
def test_base_models_declare_the_plain_form_they_are_asked_in(candidate):
    if "base" in candidate.traits and candidate.task == "text-generation":
        assert candidate.prompting.kind == "plain"
    if "chat" in candidate.traits:
        assert candidate.prompting.kind == "chat"


def test_a_form_ends_where_the_answer_begins():
    for candidate in SHIPPED:
        assert candidate.prompting.form.split("{prompt}")[1] in (" ### 답변: ", "\n")


def test_the_small_korean_models_carry_their_leaderboard_values_and_the_day():
    seven = Registry().candidates("korean-small")
    assert {c.hub_id: c.leaderboard.value for c in seven} == {
        "unsloth/gemma-2-2b-it": 40.43,
        "DILAB-HYU/koquality-polyglot-1.3b": 31.07,
        "cpm-ai/gemma-ko-v01": 30.78,
        "EleutherAI/polyglot-ko-1.3b": 29.95,
        "Yebin46/llama1B": 29.73,
        "beomi/KoAlpaca-KoRWKV-1.5B": 28.74,
        "FINGU-AI/FinguAI-Chat-v1": 28.09,
    }
    assert {c.leaderboard.name for c in seven} == {"Open Ko-LLM Leaderboard"}
    assert {c.leaderboard.date for c in seven} == {date(2025, 4, 19)}
    assert all("ko" in c.languages for c in seven)


# The shortlist of 2026

SHORTLIST = Registry().candidates("korean-2026")


def test_the_shortlist_of_2026_has_sixteen_korean_models_and_more_of_the_size_asked_for():
    korean = [c for c in SHORTLIST if "ko" in c.languages]
    assert len(korean) >= 16
    assert all(250_000_000 <= c.parameters <= 3_600_000_000 for c in SHORTLIST)
    assert all(c.hub_id and c.released for c in SHORTLIST)


@pytest.mark.parametrize("candidate", SHORTLIST, ids=lambda candidate: candidate.name)
def test_every_value_of_the_shortlist_says_where_and_when_it_was_read(candidate):
    needed = {"released", "parameters", "architecture", "license"}
    assert needed <= set(candidate.evidence)
    for source in [*candidate.evidence.values(), *(b.source for b in candidate.benchmarks)]:
        assert source.title
        assert isinstance(source.read_on, date)


def test_no_result_of_the_shortlist_is_from_memory():
    assert all(b.source.verified for c in SHORTLIST for b in c.benchmarks)
    assert sum(bool(c.benchmarks) for c in SHORTLIST) >= 5


def test_what_was_derived_or_recalled_is_unverified():
    midm = Registry().candidate("Midm-2.0-Mini-Instruct")
    assert midm.evidence["architecture"].standing == "derived"
    assert "architecture" in midm.unverified
    assert "parameters" not in midm.unverified  # somebody published the exact count


def test_a_model_that_this_transformers_can_not_build_is_counted_by_one_of_the_same_shapes():
    by_shapes = {c.name for c in SHORTLIST if c.same_shapes}
    assert by_shapes == {
        "kanana-2-1.3b-instruct",
        "kanana-1.5-2.1b-instruct-2505",
        "kanana-nano-2.1b-instruct",
        "EXAONE-3.5-2.4B-Instruct",
    }
    for candidate in SHORTLIST:
        if candidate.name in by_shapes:
            with pytest.raises(LoadError):
                count_parameters(candidate.architecture)
        assert candidate.architecture or candidate.needs_remote_code


def test_no_candidate_of_the_shortlist_is_one_of_the_published_selection():
    old = {c.hub_id for c in Registry().candidates("korean-small")}
    assert not old & {c.hub_id for c in SHORTLIST}


def test_a_licence_that_nobody_read_stays_visibly_unknown():
    license = Registry().candidate("llama1B").license
    assert (license.name, license.free, license.is_free) == ("unknown", "unknown", False)
    assert "unknown, verify" in license.why_not_free().words


def test_models_of_the_publishers_own_code_need_remote_code_and_are_not_counted():
    for name in ("deepseek-moe-16b-chat", "deepseek-moe-16b-base"):
        candidate = Registry().candidate(name)
        assert candidate.needs_remote_code
        assert candidate.parameters is None
        assert candidate.published_parameters == 16_400_000_000
        assert "own code" in candidate.parameters_note


def test_there_are_six_backends_and_none_holds_a_key():
    six = Registry().candidates("backends")
    assert [(c.name, c.backend) for c in six] == [
        ("ChatGPT-3.5", "openai"),
        ("ChatGPT-4", "openai"),
        ("LLaMA-7B", "transformers"),
        ("LLaMA-13B", "transformers"),
        ("Petals", "petals"),
        ("Distributed-Llama", "openai"),
    ]
    for candidate in six:
        assert set(candidate.endpoint) <= {
            "base_url",
            "base_url_env",
            "api_key_env",
            "model",
            "dialect",
        }
        for key in ("base_url_env", "api_key_env"):
            assert re.fullmatch(r"[A-Z_]+|", candidate.endpoint.get(key, ""))


def test_the_two_of_the_lightweighting_study_have_their_licences():
    licenses = {c.name: c.license for c in Registry().candidates("lightweighting")}
    assert {name: license.free for name, license in licenses.items()} == {
        "opt-350m": "no",
        "gpt-neo-1.3B": "yes",
    }
    assert "non-commercial" in licenses["opt-350m"].note


@pytest.mark.skipif(not FACTS.exists(), reason="the reference facts are not beside this checkout")
def test_every_count_of_the_reference_facts_is_the_one_stored():
    facts = FACTS.read_text(encoding="utf-8").partition("## F.")[2]
    counts = {int(n.replace(",", "")) for n in re.findall(r"\| ([\d,]{11,}) \|", facts)}
    assert len(counts) > 10
    assert counts <= {c.parameters for c in SHIPPED}


# Counting


@pytest.mark.parametrize("model_type", ["no-such-type", "deepseek", "vit"])
def test_an_architecture_that_transformers_lacks_is_unsupported(model_type):
    with pytest.raises(LoadError) as caught:
        count_parameters({"model_type": model_type})
    assert caught.value.status == "unsupported_architecture"
    assert model_type in str(caught.value)


def test_an_architecture_without_a_type_is_unsupported():
    with pytest.raises(LoadError) as caught:
        count_parameters({"hidden_size": 64})
    assert caught.value.status == "unsupported_architecture"


def test_values_that_contradict_each_other_are_named():
    with pytest.raises(LoadError, match="multiple of the number of attention heads") as caught:
        count_parameters({"model_type": "llama", "hidden_size": 100, "num_attention_heads": 3})
    assert caught.value.status == "error"


def test_tied_weights_count_once():
    small = {
        "model_type": "llama",
        "vocab_size": 1000,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
    }
    tied = count_parameters({**small, "tie_word_embeddings": True})
    untied = count_parameters({**small, "tie_word_embeddings": False})
    assert untied - tied == 1000 * 64


# A catalog of one's own


def test_a_catalog_of_ones_own_is_read_by_its_path(tmp_path):
    first, second = Registry().candidates(str(write(tmp_path, GOOD)))
    assert (first.name, first.catalog, first.license.name) == ("first", "mine", "MIT")
    assert (first.leaderboard.value, first.leaderboard.name) == (40.5, "A board")
    assert first.prompting.form == "Q: {prompt} A: "
    assert second.leaderboard is None


def test_an_architecture_can_say_none(tmp_path):
    first = read_catalog(write(tmp_path, GOOD))[0]
    assert first.architecture == {"model_type": "llama", "q_lora_rank": None}


def test_a_folder_of_weights_is_looked_for_beside_the_users_catalog(tmp_path):
    text = GOOD.replace('name = "second"', 'name = "second"\npath = "weights/mine"')
    second = read_catalog(write(tmp_path, text))[1]
    assert second.path == str(tmp_path / "weights" / "mine")


def test_a_byte_order_mark_does_no_harm(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(GOOD.encode("utf-8-sig"))
    assert named(read_catalog(path)) == ["first", "second"]


def test_an_unknown_catalog_suggests_the_near_one():
    with pytest.raises(UnknownName, match="Did you mean korean-small"):
        Registry().candidates("korean-smal")


def test_a_missing_catalog_file_says_so(tmp_path):
    with pytest.raises(BadFile, match="can't be read"):
        read_catalog(tmp_path / "none.toml")


BROKEN = {
    "no TOML": ("parameters = 1_000", "parameters = ", "Invalid value"),
    "an unknown key": ("parameters = 1_000", "paramters = 1_000", "unknown key paramters"),
    "a size as text": ("parameters = 1_000", 'parameters = "1B"', "must be int"),
    "a size of zero": ("parameters = 1_000", "parameters = 0", "above 0"),
    "a value that is no number": ("leaderboard = 40.5", "leaderboard = nan", "above 0"),
    "a truth value": ("leaderboard = 40.5", "leaderboard = true", "must be int or float"),
    "mixed languages": ("parameters = 1_000", 'languages = ["ko", 1]', "only texts"),
    "a second of one name": (
        'name = "second"',
        'name = "first"',
        "two candidates are called first",
    ),
    "an unknown licence": ('license = "MIT"', 'license = "GPL"', r"no \[licenses\] entry"),
    "an unknown architecture": ('architecture = "tiny"', 'architecture = "t"', "architectures"),
    "an unknown prompting": ('kind = "plain", form', 'kind = "odd", form', "chat"),
    "a form without the prompt": ('"Q: {prompt} A: "', '"Q: A: "', "must hold {prompt}"),
    "a form that is no text": ('form = "Q: {prompt} A: "', "form = 3", "prompting must be"),
    "an unknown table": ("[licenses.MIT]", "[licences.MIT]", "unknown table licences"),
    "a single candidate": ("[[candidates]]\nname", "[candidates]\nname", None),
    "an unknown freedom": ('free = "yes"', 'free = "maybe"', "yes, no, conditional, unknown"),
    "an unknown key of a licence": ('free = "yes"', 'fee = "yes"', "unknown key fee"),
    "a day as text": ('free = "yes"', 'free = "yes"\nread_on = "today"', "read_on must be date"),
    "a licence that is no table": ("[licenses.MIT]\nfree", "[licenses]\nMIT", "licenses.MIT"),
    "an unknown source": (
        "parameters = 1_000",
        'parameters = 1_000\nevidence = {parameters = "none"}',
        r"no \[sources\] entry",
    ),
    "evidence for nothing": (
        "parameters = 1_000",
        'parameters = 1_000\nevidence = {colour = "here"}',
        "evidence is for released",
    ),
    "a result that is no number": (
        "parameters = 1_000",
        'parameters = 1_000\nbenchmarks = [{name = "A", value = "high", source = "here"}]',
        "a benchmark is",
    ),
    "a day that there is none": (
        "parameters = 1_000",
        'parameters = 1_000\nreleased = "2026-13"',
        "released is a day",
    ),
    "an unknown standing": ('standing = "read"', 'standing = "seen"', "standing is one of"),
    "a source without a day": ("read_on = 2026-11-28\n", "", "needs a title and read_on"),
    "no model type": ('model_type = "llama"', "x = 1", "no model_type"),
}


@pytest.mark.parametrize("old, new, problem", BROKEN.values(), ids=BROKEN.keys())
def test_a_mistake_in_a_catalog_is_an_error_with_file_and_line(tmp_path, old, new, problem):
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(BadFile, match=problem) as caught:
        read_catalog(path)
    assert str(caught.value).startswith(f"{path}:{caught.value.line}: ")
    assert 1 <= caught.value.line <= path.read_text().count("\n")


@pytest.mark.parametrize(
    "old, new, line",
    [
        ("parameters = 1_000", "paramters = 1_000", "paramters"),
        ('name = "second"', 'name = "first"  # again', 'first"  # again'),
        ('form = "Q: {prompt} A: "', "form = 3", "form = 3"),
        ('free = "yes"', 'free = "maybe"', "[licenses.MIT]"),
        ('model_type = "llama"', "x = 1", "[architectures.tiny]"),
    ],
)
def test_the_line_named_is_the_one_to_mend(tmp_path, old, new, line):
    text = GOOD.replace(old, new, 1)
    with pytest.raises(BadFile) as caught:
        read_catalog(write(tmp_path, text))
    assert caught.value.line == line_of(text, line)


def test_a_licence_whose_name_needs_quotes_is_found_too(tmp_path):
    text = GOOD.replace("MIT", "Apache-2.0").replace(
        "[licenses.Apache-2.0]", '[licenses."Apache-2.0"]'
    )
    with pytest.raises(BadFile) as caught:
        read_catalog(write(tmp_path, text.replace('free = "yes"', "free = 1")))
    assert caught.value.line == line_of(text, "[licenses.")


def test_a_candidate_without_a_licence_is_refused_where_it_begins(tmp_path):
    text = GOOD.removesuffix('license = "MIT"\n')
    with pytest.raises(BadFile, match="without license") as caught:
        read_catalog(write(tmp_path, text))
    assert caught.value.line == text[: text.rindex("[[candidates]]")].count("\n") + 1


def test_a_file_that_is_not_utf_8_is_refused_with_its_line(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(GOOD.replace('"A board"', '"한국어"').encode("cp949"))
    with pytest.raises(BadFile, match="save it as UTF-8") as caught:
        read_catalog(path)
    assert caught.value.line == line_of(GOOD, "A board")
