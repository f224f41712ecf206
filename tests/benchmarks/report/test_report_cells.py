"""How a report writes numbers, and marks what is best and what is missing."""

from __future__ import annotations

import pytest

from benchmarks.report.tables.table_cells import (
    Cell,
    Column,
    Table,
    decimals,
    fixed,
    make_table,
    megabytes,
    missing,
    number,
    share_text,
)


def test_the_numbers_of_a_column_have_equal_digits():
    rows = [[number(value, missing("—"))] for value in (58.7, 15.84, 104.0)]
    table = make_table([Column("s")], rows)
    assert [row[0].text for row in table.rows] == ["58.7", "15.8", "104.0"]


@pytest.mark.parametrize(
    ("numbers", "digits"),
    [
        ([], 0),
        ([3, 40], 0),
        ([58.7, 15.8], 1),
        ([0.0834, 0.9], 3),
        ([959.2, 5879.1], 0),
        ([0.0], 0),
    ],
)
def test_small_numbers_keep_the_digits_that_count(numbers, digits):
    assert decimals(numbers) == digits


def test_the_best_of_a_column_is_marked_by_its_direction():
    rows = [[number(value, missing("—"))] for value in (3.0, 1.0, 2.0)]
    low = make_table([Column("s", better="low")], rows)
    high = make_table([Column("s", better="high")], rows)
    neither = make_table([Column("s")], rows)
    assert [row[0].best for row in low.rows] == [False, True, False]
    assert [row[0].best for row in high.rows] == [True, False, False]
    assert not any(row[0].best for row in neither.rows)


def test_nobody_is_best_where_all_are_alike():
    table = make_table([Column("s", better="low")], [[number(1.0, missing("—"))]] * 2)
    assert not any(row[0].best for row in table.rows)


def test_what_is_missing_says_why_and_is_never_zero():
    rows = [[number(value, missing("not run"))] for value in (None, 2.0)]
    table = make_table([Column("s", better="low")], rows)
    assert table.rows[0][0] == Cell("not run", "missing")
    assert megabytes(None) is None


def test_infinite_and_absent_numbers_are_no_numbers():
    assert fixed(None, 1) == "—"
    assert fixed(float("inf"), 1) == "—"


def test_a_share_is_certain_only_if_it_is():
    assert [share_text(share) for share in (0.0, 0.001, 0.5, 0.999, 1.0)] == [
        "0%",
        "<1%",
        "50%",
        ">99%",
        "100%",
    ]


def test_neighbours_of_one_group_stand_under_one_head_with_their_common_unit():
    columns = [Column("name"), Column("r16", "time", "s"), Column("r32", "time", "s"),
               Column("a", "mixed", "s"), Column("b", "mixed", "MB")]  # fmt: skip
    table = make_table(columns, [])
    assert table.grouped == [("", 1), ("time (s)", 2), ("mixed", 2)]
    assert [column.head for column in columns][1] == "time r16 (s)"


def test_a_narrower_table_takes_columns_by_key_wherever_a_new_one_is_put():
    table = Table(
        (Column("Name", key="name"), Column("new"), Column("Loss", "last", "nats", key="loss")),
        ((Cell("a"), Cell("?"), Cell("1.5")),),
    )
    narrow = table.narrowed({"loss": "loss", "name": "who"})
    assert [column.head for column in narrow.columns] == ["loss", "who"]
    assert [cell.text for cell in narrow.rows[0]] == ["1.5", "a"]
