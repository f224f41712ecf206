"""An option that means nothing is refused with the near one, before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.study.plan import Options
from benchmarks.study.study_files import parse_study
from commands.shared.options import DEVICES, PRECISIONS, SOURCES
from model_registry import machine
from model_registry.errors import BadFile, OhloraError, UnknownName
from model_registry.files.ranges import RANGES, out_of_range
from model_registry.memory.fit_report import card_budget
from model_registry.registry import Registry
from model_registry.weights import loading

NEW = ["tune", "x", "--data", "rows.jsonl", "--out", "out"]


@pytest.fixture(autouse=True)
def nothing_is_loaded(monkeypatch):
    """Whatever a command would do next fails: it must have been refused before."""
    monkeypatch.setattr(Registry, "__init__", lambda *_: pytest.fail("it went on"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ask", "x", "y", "--weights", "bundeld"], "Did you mean bundled"),
        ([*NEW, "--weights", "bundeld"], "Did you mean bundled"),
        (["export", "d", "--out", "o", "--weights", "hubb"], "Did you mean hub"),
        (["run", "korean-small", "--weights", "bundeld"], "Did you mean bundled"),
        (["ask", "x", "y", "--device", "gpu"], "Did you mean cuda"),
        ([*NEW, "--device", "gpu"], "Did you mean cuda"),
        (["run", "korean-small", "--device", "gpu"], "Did you mean cuda"),
        (["run", "korean-small", "--scale", "tinny"], "Did you mean tiny"),
        (["run", "korean-small", "--engine", "lokal"], "Did you mean local"),
        (["run", "korean-small", "--dtype", "fp16"], "Did you mean float16"),
        (["run", "korean-small", "--ranks", "16,0"], "whole numbers from 1"),
        (["run", "korean-small", "--ranks", "-1"], "whole numbers from 1"),
        (["run", "korean-small", "--ranks", "1000000000"], "whole numbers from 1"),
        (["run", "korean-small", "--memory-limit", "12"], "12 is 12 bytes: write 12GB"),
        (["run", "korean-small", "--time-limit", "0"], "above 0"),
        (["run", "korean-small", "--gpu-share", "2"], "at most 1"),
        (["ask", "x", "y", "--temperature", "-1"], "0 or more"),
        (["ask", "x", "y", "--temperature", "nan"], "finite"),
        (["ask", "x", "y", "--temperature", "inf"], "finite"),
        (["ask", "x", "y", "--max-new-tokens", "0"], "above 0"),
        (["ask", "x", "y", "--max-new-tokens", "-5"], "above 0"),
        (["ask", "x", "y", "--seed", "-1"], "0 or more"),
        ([*NEW, "--rank", "0"], "above 0"),
        ([*NEW, "--rank", "1000000000"], "at most 4,096"),
        ([*NEW, "--epochs", "-1"], "above 0"),
        (["fit", "--batch", "0"], "above 0"),
        (["fit", "--length", "1"], "2 or more"),
        (["diagram", "draw", "f", "--out", "o", "--format", "pgn"], "Did you mean png"),
        (["diagram", "recommend", "f", "--keep", "0"], "above 0"),
        (["diagram", "recommend", "f", "--readability-weight", "2"], "at most 1"),
    ],
)
def test_an_option_that_means_nothing_is_wrong_usage_with_its_cure(ohlora, arguments, said):
    code, _, err = ohlora(*arguments)
    assert code == 2
    assert said in " ".join(err.replace("│", " ").split())
    option = next(each for each in reversed(arguments) if each.startswith("--"))
    assert option in err


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--memory-limit", "much", "not an amount of memory"),
        ("--time-limit", "-3m", "not a length of time"),
        ("--ray-wait", "soon", "not a length of time"),
    ],
)
def test_an_amount_that_can_not_be_read_is_refused_with_an_example(ohlora, option, value, said):
    code, _, err = ohlora("run", "korean-small", option, value)
    assert code == 1
    assert said in err


def test_the_options_name_what_there_is():
    assert loading.SOURCES == SOURCES
    assert machine.DEVICES == DEVICES
    assert ("auto", *machine.DTYPES) == PRECISIONS


@pytest.mark.parametrize(
    ("text", "hint"), [("12", "Did you mean 12GB"), ("T5", "Did you mean T4"), ("0GB", "0 bytes")]
)
def test_a_card_that_is_none_is_refused_with_the_near_one(text, hint):
    with pytest.raises(OhloraError, match=hint):
        card_budget(text)


def test_python_callers_are_told_the_same():
    with pytest.raises(UnknownName, match="device is called gpu"):
        machine.pick_device("gpu")
    with pytest.raises(UnknownName, match="Did you mean tiny"):
        Options(scale="tinny")
    with pytest.raises(OhloraError, match="rank must be at most"):
        Options(ranks=(10**9,))


@pytest.mark.parametrize("name", RANGES)
def test_a_range_takes_its_ends_and_nothing_beyond(name):
    known = RANGES[name]
    kind = int if known.whole else float
    assert out_of_range(name, kind(known.most)) is None
    assert (out_of_range(name, kind(known.least)) is None) is not known.above
    more = 1 if known.whole else max(1e-6, known.most * 1e-9)
    for wrong in (known.least - more, known.most + more):
        assert out_of_range(name, kind(wrong) if not known.whole else int(wrong))
    for wrong in (float("nan"), float("inf"), True, "3", None, 10**30):
        assert out_of_range(name, wrong), wrong


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("batch_size", 0), ("batch_size", -1), ("batch_size", 10**9), ("max_new_tokens", -5),
        ("learning_rate", "nan"), ("learning_rate", "inf"), ("learning_rate", -1.0),
        ("temperature", "inf"), ("top_p", 1.5), ("lora_dropout", 1.0), ("samples", -1),
        ("seed", 2**64), ("max_length", 1), ("epochs", 10**9), ("warm_up", -1),
    ],
)  # fmt: skip
def test_a_number_of_a_study_that_is_out_of_range_is_named_with_its_line(key, value):
    source = f'name = "x"\n[candidates]\ncatalog = "bundled"\n[contract]\n{key} = {value}\n'
    with pytest.raises(BadFile, match=key) as error:
        parse_study(source, Path("study.toml"))
    assert error.value.line == 5


@pytest.mark.parametrize("line", ["ranks = [-1]", "ranks = [1000000000]", "preference_ranks = [0]"])
def test_a_rank_of_a_study_that_is_out_of_range_is_named_with_its_line(line):
    with pytest.raises(BadFile, match="rank") as error:
        parse_study(
            f'name = "x"\n[candidates]\ncatalog = "bundled"\n[work]\n{line}\n', Path("s.toml")
        )
    assert error.value.line == 5
