from __future__ import annotations

from datetime import date

import pytest

from model_registry.candidate import Candidate, Leaderboard, License
from model_registry.errors import OhloraError
from model_registry.registry import Registry
from model_registry.selection import (
    Criteria,
    Override,
    Rejected,
    parse_bytes,
    parse_count,
    parse_seconds,
    select,
)

FOURTEEN = {
    "DeepSeek-V2-Lite",
    "DeepSeek-V2-Lite-Chat",
    "DeepSeek-Coder-V2-Lite-Base",
    "DeepSeek-Coder-V2-Lite-Instruct",
    "deepseek-coder-6.7b-instruct",
    "deepseek-coder-6.7b-base",
    "deepseek-coder-7b-instruct-v1.5",
    "deepseek-coder-7b-base-v1.5",
    "deepseek-coder-1.3b-instruct",
    "deepseek-coder-1.3b-base",
    "deepseek-llm-7b-chat",
    "deepseek-llm-7b-base",
    "deepseek-moe-16b-chat",
    "deepseek-moe-16b-base",
}
SMALL_KOREAN = Criteria(
    license="free", min_params=250_000_000, max_params=3_000_000_000, language="ko"
)
TEXT_TO_TEXT = Criteria(
    max_params=20_000_000_000, task="text-generation", without_traits=("math", "reasoning")
)
MIT = License("MIT", "yes")


def a_candidate(name: str = "one", license: License = MIT, **values) -> Candidate:
    return Candidate(name, license, **values)


def reasons(rejected: tuple[Rejected, ...]) -> dict[str, str]:
    return {row.candidate.name: row.reason for row in rejected}


# The catalogs that come with the project


def test_exactly_fourteen_of_one_publishers_models_satisfy_the_criteria():
    chosen = select(Registry().candidates("deepseek"), TEXT_TO_TEXT)
    assert {candidate.name for candidate in chosen.accepted} == FOURTEEN
    assert len(chosen.accepted) == 14


@pytest.mark.parametrize(
    "name, reason",
    [
        ("DeepSeek-R1-Distill-Llama-8B", "reasoning"),
        ("DeepSeek-R1", "reasoning"),
        ("deepseek-math-7b-instruct", "math"),
        ("deepseek-vl-7b-chat", "image-text-to-text"),
        ("Janus-Pro-7B", "any-to-any"),
        ("deepseek-llm-67b-chat", "too large: 67.00 B, at most 20.00 B"),
        ("deepseek-coder-33b-instruct", "too large"),
        ("DeepSeek-V3", "too large"),
    ],
)
def test_a_model_that_fails_a_criterion_is_rejected_with_the_reason(name, reason):
    chosen = select(Registry().candidates("deepseek"), TEXT_TO_TEXT)
    assert reason in reasons(chosen.rejected)[name]


def test_nothing_is_dropped_silently():
    candidates = Registry().candidates("deepseek")
    chosen = select(candidates, TEXT_TO_TEXT)
    named = {c.name for c in chosen.accepted} | set(reasons(chosen.rejected))
    assert named == {c.name for c in candidates}
    assert all(reasons(chosen.rejected).values())


def test_only_what_is_known_to_be_free_passes_for_free():
    chosen = select(Registry().candidates("korean-small"), SMALL_KOREAN)
    assert [c.name for c in chosen.accepted] == [
        "koquality-polyglot-1.3b",
        "polyglot-ko-1.3b",
        "KoAlpaca-KoRWKV-1.5B",
        "FinguAI-Chat-v1",
    ]
    why = reasons(chosen.rejected)
    assert why["gemma-2-2b-it"] == why["gemma-ko-v01"] == "gemma is a conditional licence"
    assert why["llama1B"].startswith("its licence is unknown, verify: it may derive from Llama")


def test_with_recorded_overrides_all_seven_are_ranked_by_the_leaderboard():
    overrides = [
        Override(name, license, "compared all the same", "the study's author")
        for name, license in (
            ("gemma-2-2b-it", "gemma"),
            ("gemma-ko-v01", "gemma"),
            ("llama1B", "unknown"),
        )
    ]
    chosen = select(Registry().candidates("korean-small"), SMALL_KOREAN, overrides)
    assert not chosen.rejected
    assert [c.name for c in chosen.accepted] == [
        "gemma-2-2b-it",
        "koquality-polyglot-1.3b",
        "gemma-ko-v01",
        "polyglot-ko-1.3b",
        "llama1B",
        "KoAlpaca-KoRWKV-1.5B",
        "FinguAI-Chat-v1",
    ]
    assert set(chosen.overridden) == set(overrides)


def test_a_backend_of_unknown_size_is_rejected_when_a_size_is_asked_for():
    chosen = select(Registry().candidates("backends"), Criteria(max_params=8_000_000_000))
    assert [c.name for c in chosen.accepted] == ["LLaMA-7B"]
    assert "size is unknown (never published)" in reasons(chosen.rejected)["ChatGPT-4"]


# The criteria one by one


def test_no_criterion_accepts_everything():
    odd = [a_candidate("a"), a_candidate("b", License("odd", "unknown"), task="any-to-any")]
    assert len(select(odd, Criteria()).accepted) == 2


@pytest.mark.parametrize(
    "free, reason",
    [
        ("no", "odd is not a free licence"),
        ("conditional", "odd is a conditional licence"),
        ("unknown", "its licence is unknown, verify at the publisher"),
    ],
)
def test_each_kind_of_licence_that_is_not_free_has_its_words(free, reason):
    chosen = select([a_candidate(license=License("odd", free))], Criteria(license="free"))
    assert reasons(chosen.rejected) == {"one": reason}


def test_a_licence_can_be_asked_for_by_its_name_in_any_case():
    both = [a_candidate("a"), a_candidate("b", License("Apache-2.0", "yes"))]
    chosen = select(both, Criteria(license="apache-2.0"))
    assert [c.name for c in chosen.accepted] == ["b"]
    assert reasons(chosen.rejected) == {"a": "its licence is MIT"}


def test_an_override_counts_only_for_the_licence_it_names():
    gemma = a_candidate(license=License("gemma", "conditional"))
    other = Override("one", "llama", "why", "who")
    assert select([gemma], Criteria(license="free"), [other]).rejected
    assert not select([gemma], Criteria(license="free"), [other]).overridden


def test_an_override_accepts_a_licence_and_nothing_else():
    gemma = a_candidate(license=License("gemma", "conditional"), parameters=9_000_000_000)
    override = Override("one", "gemma", "why", "who")
    chosen = select([gemma], Criteria(license="free", max_params=3_000_000_000), [override])
    assert reasons(chosen.rejected) == {"one": "too large: 9.00 B, at most 3.00 B"}


def test_an_override_that_was_not_needed_is_not_reported():
    chosen = select([a_candidate()], Criteria(license="free"), [Override("one", "MIT", "-", "-")])
    assert chosen.accepted
    assert not chosen.overridden


def test_the_counted_size_decides_before_the_published_one():
    model = a_candidate(parameters=900, published_parameters=1_100)
    assert select([model], Criteria(max_params=1_000)).accepted
    assert reasons(select([model], Criteria(min_params=1_000)).rejected)["one"].startswith(
        "too small"
    )


def test_bounds_belong_to_what_they_allow():
    model = a_candidate(parameters=1_000)
    assert select([model], Criteria(min_params=1_000, max_params=1_000)).accepted


def test_a_language_and_traits_can_be_asked_for():
    model = a_candidate(languages=("en",), traits=("base", "code"))
    criteria = Criteria(language="ko", with_traits=("chat",), without_traits=("code",))
    reason = reasons(select([model], criteria).rejected)["one"]
    assert reason == "no ko: it is for en; not chat; specialised: code"


def test_those_without_a_leaderboard_value_come_last_in_order_of_name():
    board = Leaderboard("board", 1.0, date(2025, 4, 19))
    models = [a_candidate("b"), a_candidate("a"), a_candidate("z", leaderboard=board)]
    assert [c.name for c in select(models, Criteria()).accepted] == ["z", "a", "b"]


# Sizes as people write them


@pytest.mark.parametrize(
    "text, count",
    [
        ("0.25B", 250_000_000),
        ("3B", 3_000_000_000),
        ("350M", 350_000_000),
        ("0.57b", 570_000_000),
        ("1_000_000", 1_000_000),
        (" 2 k ", 2_000),
        (".5B", 500_000_000),
    ],
)
def test_a_number_of_parameters_is_read(text, count):
    assert parse_count(text) == count


@pytest.mark.parametrize(
    "text, count",
    [("12GB", 12 * 2**30), ("500MB", 500 * 2**20), ("1.5GiB", 3 * 2**29), ("80 G", 80 * 2**30)],
)
def test_an_amount_of_memory_is_read(text, count):
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text, count", [("90s", 90), ("10m", 600), ("2h", 7200), ("45", 45)])
def test_a_length_of_time_is_read(text, count):
    assert parse_seconds(text) == count


@pytest.mark.parametrize("text", ["", "B", "much", "-1B", "1.2.3B", "3BB", "1e9", "3,5B", "nan"])
def test_what_is_no_size_is_refused_with_an_example(text):
    for parse, example in (
        (parse_count, "0.25B"),
        (parse_bytes, "12GB"),
        (parse_seconds, "10m"),
    ):
        with pytest.raises(OhloraError, match=example):
            parse(text)
