"""Studies are files that a person writes: a mistake in one is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.study.study import Span
from benchmarks.study.study_files import parse_study, read_study, study_names, study_path, template
from model_registry.errors import BadFile, UnknownName
from model_registry.registry import Registry
from model_registry.selection import select

MINIMAL = 'name = "mine"\n[candidates]\ncatalog = "bundled"\n'
HERE = Path("mine.toml")


def refused(text: str) -> str:
    with pytest.raises(BadFile) as caught:
        parse_study(text, HERE)
    return str(caught.value)


def test_a_study_of_three_lines_has_sensible_defaults():
    study = parse_study(MINIMAL, HERE)
    assert study.name == study.title == "mine"
    assert study.work.ranks == (16, 32, 64)
    assert study.work.inference
    assert study.data.tuned_on == Span(0, 20)
    assert study.source == MINIMAL


@pytest.mark.parametrize("name", study_names())
def test_every_study_that_comes_with_the_project_can_be_read(name):
    study = read_study(study_path(name))
    assert study.name == name
    assert set(study.titles) == {"en", "ko"}


def test_a_study_that_is_not_utf_8_is_refused_with_its_line(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(MINIMAL.encode() + 'title = "제목"\n'.encode("cp949"))
    with pytest.raises(BadFile, match=r"mine\.toml:4: is not UTF-8"):
        read_study(path)


def test_a_study_saved_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(MINIMAL.encode("utf-8-sig"))
    assert read_study(path).name == "mine"


def test_one_override_may_be_for_several_candidates():
    entry = 'candidates = ["a", "b"]\nlicense = "L"\nreason = "r"\ndecided_by = "me"\n'
    study = parse_study(f"{MINIMAL}[[overrides]]\n{entry}", HERE)
    assert [(o.candidate, o.license) for o in study.overrides] == [("a", "L"), ("b", "L")]


def test_korean_small_keeps_the_published_rows_ranks_and_its_overrides():
    study = read_study(study_path("korean-small"))
    assert study.data.other_tuned_on == Span(120, 140)
    assert study.data.other_prompts == Span(81, 106)
    assert study.work.ranks == (16, 32, 64)
    assert {o.candidate for o in study.overrides} >= {"gemma-2-2b-it", "gemma-ko-v01", "llama1B"}
    assert all(o.reason and o.decided_by for o in study.overrides)


def test_the_template_is_a_study():
    assert parse_study(template(), HERE).name


def test_a_title_in_one_language_serves_for_both(monkeypatch):
    study = parse_study('title = "A question"\n' + MINIMAL, HERE)
    assert study.titles == {"en": "A question", "ko": "A question"}
    monkeypatch.setenv("OHLORA_LANG", "ko")
    both = parse_study('title = {en = "one", ko = "하나"}\n' + MINIMAL, HERE)
    assert both.title == "하나"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("name = mine\n", 1, "Invalid value"),
        (MINIMAL + "[work]\nrank = [16]\n", 5, "unknown key rank in [work]; there are"),
        (MINIMAL + "[wrk]\nranks = [16]\n", 4, "unknown key wrk"),
        (MINIMAL + "[work]\nranks = [0]\n", 5, "ranks must be whole numbers above 0"),
        (MINIMAL + "[work]\nranks = 16\n", 5, "ranks must be a list"),
        (MINIMAL + '[work]\nranks = ["16"]\n', 5, "ranks must be int, not '16'"),
        (MINIMAL + '[work]\ninference = "no"\n', 5, "inference must be true or false"),
        ("work = 3\n" + MINIMAL, 1, "work must be a table: [work]"),
        ('name = "x"\ncandidates = "bundled"\n', 2, "candidates must be a table"),
        ("title = 3\n" + MINIMAL, 1, "title must be a table"),
        (MINIMAL + 'with = "instruct"\n', 4, "with must be a list: ['instruct']"),
        (MINIMAL + "language = 3\n", 4, "language must be str, not 3"),
        (MINIMAL + "[contract]\nepochs = 0\n", 5, "epochs must be above 0, not 0"),
        (MINIMAL + "[contract]\nseed = -1\n", 5, "seed must be 0 or more, not -1"),
        (MINIMAL + '[contract]\ndtype = "int3"\n', 5, "dtype must be one of float32, bfloat16"),
        (MINIMAL + '[overrides]\ncandidate = "a"\n', 4, "write [[overrides]], twice [ ]"),
        (
            MINIMAL + '[decision]\nnormalization = "most"\n[[decision.criteria]]\nname = "a"\n'
            'label_en = "A"\nlabel_ko = "가"\n',
            4,
            "No normalisation is called most",
        ),
        (
            MINIMAL + '[[decision.criteria]]\nname = "a"\nlabel_en = "A"\nlabel_ko = "가"\n'
            'weight = "heavy"\n',
            8,
            "weight must be float, not 'heavy'",
        ),
        (MINIMAL + 'min_params = "many"\n', 4, "'many' is not a number of parameters"),
        (MINIMAL + "[data]\ntuned_on = [20, 0]\n", 5, "tuned_on must be [first, last]"),
        (MINIMAL + '[data]\nprompts = "tests"\n', 5, "prompts must be [first, last]"),
        (MINIMAL + '[contract]\nseed = "x"\n', 5, "seed must be int, not 'x'"),
        (MINIMAL + "[contract]\nepochs = true\n", 5, "epochs must be int, not True"),
        (MINIMAL + '[contract]\ndevice = "cuda"\n', 5, "unknown key device in [contract]"),
        (MINIMAL + '[[overrides]]\ncandidate = "a"\n', 4, "overrides needs license"),
        (MINIMAL + '[[decision.criteria]]\nname = "a"\nwieght = 1\n', 6, "unknown key wieght"),
    ],
)
def test_a_mistake_is_named_with_its_line(text, line, problem):
    message = refused(text)
    assert message.startswith(f"mine.toml:{line}: "), message
    assert problem in message


@pytest.mark.parametrize("key", ["name", "candidates"])
def test_a_study_needs_a_name_and_candidates(key):
    text = {"name": '[candidates]\ncatalog = "x"\n', "candidates": 'name = "x"\n'}[key]
    assert f"a study needs {key}" in refused(text)


def test_an_unknown_study_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownName, match="Did you mean korean-small"):
        study_path("korean-smal")


def test_a_study_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadFile, match=r"gone\.toml: can't be read"):
        read_study(tmp_path / "gone.toml")


def test_a_line_separator_within_a_text_moves_no_line_of_an_error(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('title = "한\u2028줄\u0085"\nno_such_key = 1\n', encoding="utf-8")
    with pytest.raises(BadFile, match=r"own\.toml:2"):
        read_study(path)


def test_a_run_from_before_a_field_of_the_contract_keeps_its_hash_and_can_be_gone_on_with() -> None:
    from benchmarks.study.contract import Contract, differences

    now = Contract(device="cpu")
    older = {n: v for n, v in now.shared().items() if n not in ("thinking", "too_long")}
    assert differences(older, now.shared()) == []
    assert differences(older, Contract(device="cpu", thinking="on").shared()) == [
        "thinking: off / on"
    ]
    assert Contract(device="cpu", thinking="on").hash != now.hash


def test_the_study_of_2026_asks_for_a_use_and_sixteen_candidates_take_part() -> None:
    study = read_study(study_path("korean-2026"))
    assert study.criteria.use == "own-service"
    taking_part = select(Registry().candidates(study.catalog), study.criteria, study.overrides)
    assert len(taking_part.accepted) >= 16
    assert {r.candidate.name for r in taking_part.rejected} >= {"EXAONE-4.0-1.2B"}


def test_a_use_named_for_a_run_takes_the_place_of_free() -> None:
    study = read_study(study_path("korean-small")).for_use("research")
    assert (study.criteria.use, study.criteria.license) == ("research", None)


def test_an_unknown_use_in_a_study_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "x"\n[candidates]\nuse = "saas"\n', encoding="utf-8")
    with pytest.raises(BadFile, match=r"mine\.toml:3: No use is called saas"):
        read_study(path)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("gradient_checkpointing = 1", "gradient_checkpointing"),
        ("gradient_accumulation = 0", "gradient_accumulation must be above 0"),
        ('schedule = "step"', "schedule must be one of linear, cosine, constant"),
        ('optimizer = "sgd"', "optimizer must be one of adamw"),
        ("warmup_steps = -1", "warmup_steps must be 0 or more"),
        ("patience = -1", "patience must be 0 or more"),
    ],
)
def test_a_lever_that_can_not_be_is_refused_with_its_line(line: str, reason: str) -> None:
    said = refused(f"{MINIMAL}[contract]\n{line}\n")
    assert "mine.toml:5" in said
    assert reason in said
