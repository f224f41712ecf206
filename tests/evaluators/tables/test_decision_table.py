from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluators.ranking.normalization import NORMALIZATIONS
from evaluators.tables.decision_sentences import sensitivity_text, winner_sentence
from evaluators.tables.decision_table import (
    all_decisions,
    decide_on,
    read_table,
)
from evaluators.tables.table_criteria import NO_COLUMN_OPTIONS, ColumnOptions
from model_registry.errors import BadFile, OhloraError, UnknownName
from tests.support.replies import ROOT

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


def chosen(path: Path, said: ColumnOptions = NO_COLUMN_OPTIONS) -> str | None:
    return decide_on(read_table(path, said)).ranking.chosen


@pytest.mark.parametrize(
    "column", ["tokens_per_second", "sentiment_accuracy", "tokensPerSecond", "정확도", "초당 토큰"]
)
def test_more_of_a_rate_or_an_accuracy_wins(file, column: str) -> None:
    assert chosen(file(f"name,{column}\nslow,10\nfast,90\n")) == "fast"


@pytest.mark.parametrize(
    "column", ["perplexity", "WER", "cer_ko", "추론 시간(초)", "메모리를", "검증손실"]
)
def test_less_of_a_fault_or_a_cost_wins(file, column: str) -> None:
    assert chosen(file(f"name,{column}\ngood,10\nbad,90\n")) == "good"


def test_a_fault_is_no_cost(file) -> None:
    table = read_table(file("name,WER,loss,seconds,메모리\na,1,2,3,4\nb,2,1,4,3\n"))
    assert {c.name: c.group for c in table.criteria} == {
        "WER": None, "loss": None, "seconds": "cost", "메모리": "cost",
    }  # fmt: skip


def test_a_column_that_nothing_is_known_of_is_asked_for_and_not_guessed(file) -> None:
    path = file("name,accuracy,foo,bar\na,1,9,1\nb,2,1,9\n")
    with pytest.raises(OhloraError, match=r"foo, bar.*--low COLUMN or --high COLUMN"):
        read_table(path)
    said = ColumnOptions(low=("foo",), skip=("bar",))
    table = read_table(path, said)
    assert {c.name: c.better for c in table.criteria} == {"accuracy": "high", "foo": "low"}
    assert table.dropped["bar"] == "left_out"
    assert chosen(path, said) == "b"


def test_what_the_user_says_of_a_column_wins_over_its_name(file) -> None:
    path = file("name,accuracy,parameters_b\na,1,1\nb,2,9\n")
    table = read_table(path, ColumnOptions(low=("accuracy",), high=("parameters_b",)))
    assert {c.name: c.better for c in table.criteria} == {
        "accuracy": "low", "parameters_b": "high",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (ColumnOptions(low=("acuracy",)), "Did you mean accuracy"),
        (ColumnOptions(low=("accuracy",), high=("accuracy",)), "named by two of"),
    ],
)
def test_an_option_that_names_no_column_or_two_directions_is_refused(file, said, message) -> None:
    with pytest.raises(OhloraError, match=message):
        read_table(file("name,accuracy\na,1\nb,2\n"), said)


def test_an_evaluator_s_own_scores_go_as_it_says(file) -> None:
    table = read_table(file("name,hangul_share,broken_text\na,1,0\nb,0,1\n"))
    assert {c.name: c.better for c in table.criteria} == {
        "hangul_share": "high", "broken_text": "low",
    }  # fmt: skip


def test_a_declared_criterion_without_a_direction_takes_that_of_its_name(file) -> None:
    declaration = '[[decision.criteria]]\nname = "seconds"\n'
    assert chosen(file("name,seconds\nslow,9\nfast,1\n", declaration)) == "fast"
    with pytest.raises(OhloraError, match="foo"):
        read_table(file("name,foo\na,9\nb,1\n", declaration.replace("seconds", "foo")))


def test_percentages_spreads_and_units_do_not_turn_a_ranking(file) -> None:
    rows = "name,accuracy,latency,메모리\na,71%,120ms,3.4 GB\nb,68.5% ± 1.2%,1.2s,900 MB\n"
    table = read_table(file(rows))
    assert table.values["a"] == {"accuracy": 71, "latency": 120, "메모리": 3.4}
    assert table.values["b"] == pytest.approx({"accuracy": 68.5, "latency": 1200, "메모리": 0.9})
    assert table.units == {"accuracy": "%", "latency": "ms", "메모리": "GB"}


def test_a_unit_in_the_name_is_that_of_its_bare_numbers(file) -> None:
    table = read_table(
        file("name,latency_ms,정확도(%),메모리(GB)\na,300,71%,3.4\nb,1.2s,68,900MB\n")
    )
    assert [row["latency_ms"] for row in table.values.values()] == [300, 1200]
    assert [row["정확도(%)"] for row in table.values.values()] == [71, 68]
    assert table.values["b"]["메모리(GB)"] == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("rows", "line", "message"),
    [
        ("accuracy\na,71%\nb,0.8\n", 3, "0.8 with no unit"),
        ("latency\na,120ms\nb,3\n", 3, "3 with no unit"),
        ("memory\na,3GB\nb,120ms\n", 3, "120ms, where the column is in GB"),
        ("memory_gb\na,3\nb,120ms\n", 3, "120ms, where the column is in GB"),
        ("price\na,$3\nb,₩1200\n", 3, "₩, where the column is in $"),
        ("accuracy\na,0.5\nb,nan\n", 3, "accuracy is 'nan': it is no finite number"),
        ("accuracy\na,inf\nb,0.5\n", 2, "accuracy is 'inf': it is no finite number"),
        ("foo\na,inf\nb,0.5\n", 2, "foo is 'inf'"),
        ('accuracy\na,"0,71"\nb,0.5\n', 2, "write a point before decimals"),
        ("accuracy\na,17/20\nb,0.5\n", 2, "'17/20'"),
        ("grade\na,최상\nb,70\n", 3, "70 with no unit"),
        ("accuracy\na,0.5\nb,0.6,7\n", 3, "3 cells for 2 columns"),
        ("accuracy,accuracy\na,1,2\nb,2,1\n", 1, "accuracy"),
        ("accuracy\na,1\nA ,2\n", 3, "stands here twice"),
        ('accuracy\na,1\n"b,2\nc,3\n', 3, "not a CSV"),
        ("accuracy\na,1\nb,2\n평균,1.5\n", 4, "sums up the others"),
        ("accuracy\na,1\nb,2\nAverage,1.5\n", 4, "sums up the others"),
    ],
)
def test_a_cell_that_can_not_be_read_is_named(file, rows: str, line: int, message: str) -> None:
    with pytest.raises(BadFile) as error:
        read_table(file("name," + rows))
    assert error.value.line == line
    assert message in str(error.value)


def test_a_name_in_two_unicode_forms_stands_there_twice(file) -> None:
    composed, parted = "\uac00", "\u1100\u1161"  # 가, as one character and as two
    with pytest.raises(BadFile, match="stands here twice"):
        read_table(file(f"name,accuracy\n{composed},1\n{parted},2\n"))


def test_a_table_without_names_is_refused(file) -> None:
    with pytest.raises(BadFile, match="no column of names"):
        read_table(file("accuracy,seconds\n1,2\n3,4\n"))


def test_why_a_value_is_missing_and_a_column_does_not_decide_is_told(file, monkeypatch) -> None:
    rows = "name,license,params_b,note,accuracy,seconds\n"
    rows += "a,MIT,1,x,0.5,OOM\nb,MIT,2,y,-,3\nc,MIT,3,z,N/A,4\n"
    table = read_table(file(rows))
    assert table.missing == (
        ("a", "seconds", "out_of_memory"),
        ("b", "accuracy", "not_given"),
        ("c", "accuracy", "not_available"),
    )
    assert table.dropped == {"license": "licence", "params_b": "describes", "note": "no_numbers"}
    printed = sensitivity_text(table)
    assert "a, seconds: out of memory" in printed
    assert "note (it holds no numbers)" in printed
    assert table.reading()["dropped"][2] == {"name": "note", "reason": "no_numbers"}
    monkeypatch.setenv("OHLORA_LANG", "ko")
    assert "a, seconds: 메모리 부족" in sensitivity_text(table)


OOM_BUT_BEST = "name,accuracy,seconds,memory,f1\na,0.9,{0},{0},{0}\nb,0.5,3,4,0.5\nc,0.4,2,5,0.4\n"


@pytest.mark.parametrize(
    "cell",
    ["OOM", "OOM (24 GB)", "timeout", "Timeout (10m)", "killed", "강제 종료", "error", "실패",
     "Error: CUDA out of memory", "torch.cuda.OutOfMemoryError", "메모리 초과", "nan_loss", "DNF"],
)  # fmt: skip
def test_a_candidate_that_failed_where_it_was_measured_is_not_chosen(file, cell: str) -> None:
    decision = decide_on(read_table(file(OOM_BUT_BEST.format(cell))))
    ranking = decision.ranking
    assert (ranking.chosen, ranking.reserve) == ("b", "c")
    ((name, why),) = decision.rejected
    assert (name, why.code, why.values["criteria"]) == (
        "a",
        "failed_in",
        ["seconds", "memory", "f1"],
    )
    assert why.english.startswith("seconds, memory, f1: ")


def test_one_failure_is_enough_and_where_all_fail_nobody_is_chosen(file) -> None:
    assert chosen(file("name,accuracy,f1,seconds\na,0.9,0.9,OOM\nb,0.5,0.5,3\n")) == "b"
    path = file("name,accuracy,seconds\na,0.9,OOM\nb,0.5,timeout\n")
    assert chosen(path) is None
    assert chosen(path, ColumnOptions(skip=("seconds",))) == "a"  # asked not to look there


def test_a_column_of_statuses_says_who_failed(file) -> None:
    rows = "name,accuracy,상태\na,0.9,OOM\nb,0.5,완료\nc,0.4,오류 없음\n"
    ranking = decide_on(read_table(file(rows))).ranking
    assert (ranking.chosen, ranking.reserve) == ("b", "c")


def test_a_failure_in_what_weighs_nothing_decides_nothing(file) -> None:
    declaration = """[[decision.criteria]]
name = "accuracy"
[[decision.criteria]]
name = "seconds"
weight = 0
"""
    path = file("name,accuracy,seconds\na,0.9,OOM\nb,0.5,3\n", declaration)
    assert chosen(path) == "a"


@pytest.mark.parametrize("cell", ["", "-", "N/A", "미측정"])
def test_who_has_values_for_less_than_half_of_the_weight_is_not_ranked(file, cell: str) -> None:
    decision = decide_on(read_table(file(OOM_BUT_BEST.format(cell))))
    ranking = decision.ranking
    assert (ranking.chosen, ranking.reserve, decision.rejected) == ("b", "c", ())
    last = ranking.rows[-1]
    assert (last.name, last.score, last.win_share) == ("a", None, 0)
    assert "less than half of the weight: not ranked" in last.note_en


def test_half_of_the_weight_is_enough(file) -> None:
    path = file("name,accuracy,f1\na,0.9,-\nb,0.5,0.5\nc,0.4,0.6\n")
    ranking = decide_on(read_table(path)).ranking
    assert ranking.chosen == "a"
    assert "don't rely on it" in ranking.rows[0].note_en


def test_the_command_tells_who_failed_in_words_and_codes(file, ohlora, monkeypatch) -> None:
    path = file(OOM_BUT_BEST.format("OOM"))
    document = json.loads(ohlora("decide", "--table", path, "--json")[1])
    assert (document["chosen"], document["reserve"]) == ("b", "c")
    (rejected,) = document["rejected"]
    assert (rejected["name"], rejected["code"]) == ("a", "failed_in")
    assert {"name": "a", "column": "seconds", "reason": "out_of_memory"} in document["table"][
        "missing"
    ]
    assert (
        "rejected: a (seconds, memory, f1: out of memory)" in ohlora("decide", "--table", path)[1]
    )


def test_a_floor_in_another_scale_than_its_column_is_refused(file) -> None:
    declaration = '[[decision.criteria]]\nname = "accuracy"\nfloor = {}\n'
    rows = "name,accuracy\na,71%\nb,60%\n"
    with pytest.raises(BadFile, match=r"write its floor as 65, not 0\.65"):
        read_table(file(rows, declaration.format(0.65)))
    assert decide_on(read_table(file(rows, declaration.format(65)))).rejected[0][0] == "b"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("floor = nan", "floor must be a finite number"),
        ("weight = inf", "weight must be a finite number"),
        ("weight = -1", "weight must be 0 or more"),
        ('weight = "heavy"', "weight must be float"),
    ],
)
def test_a_number_of_a_declaration_that_is_out_of_range_is_named(file, line, message) -> None:
    with pytest.raises(BadFile, match=message) as error:
        read_table(file(TABLE, f'[[decision.criteria]]\nname = "quality"\n{line}\n'))
    assert error.value.line == 3


def test_the_command_asks_for_directions_takes_them_and_tells_how_it_read(file, ohlora) -> None:
    path = file("name,accuracy,foo,note\na,71%,1,x\nb,68%,2,y\n")
    code, _, complaint = ohlora("decide", "--table", path)
    assert code == 1
    assert "--low COLUMN or --high COLUMN" in complaint
    code, out, _ = ohlora("decide", "--table", path, "--low", "foo", "--json")
    document = json.loads(out)
    assert (code, document["chosen"]) == (0, "a")
    assert document["table"]["dropped"] == [{"name": "note", "reason": "no_numbers"}]
    assert [c["better"] for c in document["table"]["columns"]] == ["high", "low"]
    assert ohlora("decide", "somewhere", "--low", "foo")[0] == 2
