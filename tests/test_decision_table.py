from __future__ import annotations

from pathlib import Path

import pytest

from evaluators.decision_table import all_decisions, decide_on, read_table
from evaluators.decision_words import sensitivity_text, winner_sentence
from evaluators.ranking import NORMALIZATIONS
from model_registry.errors import BadFile, OhloraError, UnknownName
from tests.replies import ROOT

PUBLISHED = ROOT / "datasets" / "published" / "published.csv"


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OHLORA_LANG", "en")


@pytest.fixture
def file(tmp_path: Path):
    def write(table: str, declaration: str = "") -> Path:
        path = tmp_path / "table.csv"
        path.write_text(table, encoding="utf-8")
        if declaration:
            (tmp_path / "table.toml").write_text(declaration, encoding="utf-8")
        return path

    return write


TABLE = "name,quality,seconds\nfast,1,2\ngood,3,8\n"


def test_the_published_rows_are_decided_with_the_licence_filter_first() -> None:
    decision = decide_on(read_table(PUBLISHED))
    assert {name for name, _ in decision.rejected} == {
        "gemma-2-2b-it",
        "gemma-ko-v01",
        "llama1B",
        "FinguAI-Chat-v1",
    }
    assert {row.name for row in decision.ranking.rows} == {
        "polyglot-ko-1.3b",
        "koquality-polyglot-1.3b",
        "KoAlpaca-KoRWKV-1.5B",
    }


def test_without_the_licence_filter_all_but_the_floors_are_ranked() -> None:
    decision = decide_on(read_table(PUBLISHED), ignore_license=True)
    assert [name for name, _ in decision.rejected] == ["FinguAI-Chat-v1"]
    assert len(decision.ranking.rows) == 6


def test_the_declared_costs_weigh_as_much_as_the_leaderboard() -> None:
    weights = decide_on(read_table(PUBLISHED)).ranking.weights
    assert weights == {"leaderboard": 0.25, "cost": 0.25, "human_grade": 0.5}


def test_every_normalisation_is_shown_with_and_without_the_filter() -> None:
    table = read_table(PUBLISHED)
    decisions = all_decisions(table)
    assert [list(one) for one in decisions.values()] == [list(NORMALIZATIONS)] * 2
    printed = sensitivity_text(table)
    for part in printed.split("\n\n"):
        assert "choice" in part.split("\n")[1]  # what hangs on the normalisation comes first
    for decision in (*decisions[True].values(), *decisions[False].values()):
        for row in decision.ranking.rows:
            assert f"{row.score:.3f} ({row.win_share:.1%})" in printed


def test_the_printout_is_the_same_each_time_and_speaks_korean(monkeypatch) -> None:
    table = read_table(PUBLISHED)
    assert sensitivity_text(table) == sensitivity_text(table)
    monkeypatch.setenv("OHLORA_LANG", "ko")
    assert "라이선스 조건 적용" in sensitivity_text(read_table(PUBLISHED))


def test_a_choice_that_hangs_on_the_normalisation_is_said_first(file) -> None:
    rows = "name,quality,price\na,10,1\nb,9.9,2\nc,1,100\nd,9.5,1.05\ne,9.7,90\n"
    decisions = all_decisions(read_table(file(rows)))[True]
    winners = {one.ranking.chosen for one in decisions.values()}
    sentence = winner_sentence(decisions)
    assert sentence.startswith("The choice hangs" if len(winners) > 1 else "The choice is")


def test_two_choices_are_named_with_their_normalisations() -> None:
    free, ignored = all_decisions(read_table(PUBLISHED)).values()
    mixed = {"min-max": free["min-max"], "rank": ignored["rank"]}
    assert winner_sentence(mixed) == (
        "The choice hangs on the normalisation: min-max → polyglot-ko-1.3b, rank → gemma-2-2b-it."
    )


def test_a_table_without_a_declaration_says_what_is_assumed(file) -> None:
    table = read_table(file(TABLE))
    assert [(c.name, c.better, c.group) for c in table.criteria] == [
        ("quality", "high", None),
        ("seconds", "low", "cost"),
    ]
    assert len(table.assumed) == 2
    assert "assumed" in sensitivity_text(table)


def test_columns_of_words_and_sizes_are_no_criteria(file) -> None:
    table = read_table(file("model,license,parameters_b,grade\na,MIT,1.3,최상\nb,MIT,2,하\n"))
    assert [criterion.name for criterion in table.criteria] == ["grade"]
    assert table.values == {"a": {"grade": 5}, "b": {"grade": 2}}


def test_a_missing_value_is_missing(file) -> None:
    table = read_table(file("name,quality,seconds\na,,2\nb,3,—\nc,1,1\n"))
    assert table.values["a"] == {"quality": None, "seconds": 2}
    assert table.values["b"]["seconds"] is None
    assert len(decide_on(table).ranking.rows) == 3


def test_an_unknown_licence_is_not_free(file) -> None:
    table = read_table(file("name,license,license_free,quality\na,,unknown,9\nb,MIT,yes,1\n"))
    assert decide_on(table).ranking.chosen == "b"
    assert decide_on(table, ignore_license=True).ranking.chosen == "a"


def test_nobody_left_is_said(file) -> None:
    table = read_table(file("name,license,license_free,quality\na,X,no,9\n"))
    assert decide_on(table).ranking.chosen is None
    assert "Nobody is left" in sensitivity_text(table)


@pytest.mark.parametrize(
    ("table", "declaration", "message"),
    [
        ("", "", "holds no candidates"),
        (TABLE + "fast,2,2\n", "", "table.csv:4: fast stands here twice"),
        (TABLE + ",2,2\n", "", "table.csv:4: no name"),
        (TABLE.replace("8", "slow"), '[[decision.criteria]]\nname = "seconds"', "'slow'"),
        (TABLE, '[[decision.criteria]]\nname = "qualty"', "Did you mean quality"),
        (TABLE, '[[decision.criteria]]\nname = "quality"\nwieght = 2', "no wieght"),
        (TABLE, "[decision", "no declaration"),
        ("name,text\na,b\n", "", "No criterion"),
    ],
)
def test_what_can_not_be_decided_on_is_said_with_its_place(
    file, table: str, declaration: str, message: str
) -> None:
    with pytest.raises(OhloraError) as error:
        decide_on(read_table(file(table, declaration)))
    assert isinstance(error.value, BadFile | UnknownName | OhloraError)
    assert message in str(error.value)
