"""A cell of a table is read right, is missing for a reason that it gives, or is refused."""

from __future__ import annotations

import pytest

from evaluators.tables.cell_values import (
    Amount,
    Missing,
    NotFinite,
    Unreadable,
    missing_words,
    read_cell,
)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("71", 71), ("0.71", 0.71), (".5", 0.5), ("-0.5", -0.5), ("−0.5", -0.5), ("+3", 3),
        ("1e-3", 0.001), ("1.5E3", 1500), ("1.2×10^3", 1200), ("1,234.5", 1234.5),
        ("1,234,567", 1234567), ("３．４", 3.4), ("１２", 12), (" 7 ", 7), ("\u200b7", 7),
        ("1.2±0.1", 1.2), ("1.2 ± 0.1", 1.2), ("1.2+/-0.1", 1.2), ("1.2 (±0.1)", 1.2),
        ("1.2 (0.1)", 1.2), ("1.2 [1.0, 1.4]", 1.2), ("$1.2 \\pm 0.1$", 1.2), ("**71.2**", 71.2),
    ],
)  # fmt: skip
def test_a_number_is_read(cell, value):
    assert read_cell(cell) == Amount(pytest.approx(value))


@pytest.mark.parametrize(
    ("cell", "value", "symbol"),
    [
        ("71%", 71, "%"), ("７１％", 71, "%"), ("71.2% ± 1.1%", 71.2, "%"),
        ("71.2 ± 1.1 %", 71.2, "%"),
        ("120ms", 120, "ms"), ("120 ms", 120, "ms"), ("1.5초", 1.5, "s"), ("2분", 2, "min"),
        ("1h 20m", 4800, "s"), ("2분 30초", 150, "s"), ("01:02:03", 3723, "s"),
        ("3.4 GB", 3.4, "GB"), ("900MiB", 900, "MiB"), ("3㎇", 3, "GB"), ("512 mb", 512, "MB"),
        ("$0.12", 0.12, "$"), ("1,200원", 1200, "₩"), ("25 tok/s", 25, "tokens/s"),
        ("10m", 10, "min"), ("10M", 10, "M"), ("최상", 5, "grade"),
    ],
)  # fmt: skip
def test_a_number_keeps_its_unit(cell, value, symbol):
    found = read_cell(cell)
    assert isinstance(found, Amount)
    assert (found.value, found.unit and found.unit.symbol) == (pytest.approx(value), symbol)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("", "not_given"), ("-", "not_given"), ("—", "not_given"), ("–", "not_given"),
        ("N/A", "not_available"), ("n/a", "not_available"), ("#N/A", "not_available"),
        ("OOM", "out_of_memory"), ("oom", "out_of_memory"), ("CUDA out of memory", "out_of_memory"),
        ("OOM (24 GB)", "out_of_memory"), ("메모리 부족", "out_of_memory"),
        ("oom_training", "oom_training"), ("timeout", "timeout"), ("실패", "failed"),
    ],
)  # fmt: skip
def test_no_value_has_the_reason_that_the_cell_gives(cell, reason):
    assert read_cell(cell) == Missing(reason)
    assert all(missing_words(reason))


@pytest.mark.parametrize("cell", ["nan", "NaN", "inf", "-inf", "∞", "Infinity", "1e999", "inf ms"])
def test_what_is_not_finite_is_no_value_to_decide_by(cell):
    with pytest.raises(NotFinite):
        read_cell(cell)


@pytest.mark.parametrize(
    "cell",
    ["0,71", "1.234,5", "12,34", "1,2345", "<0.1", "~3", "10³", "½", "1:30", "17/20", "1 234",
     "1_000", "0x10", "12.5.3", "5 foo", "1위", "1ms±1s", "#DIV/0!", "true", "abc", "+", "ms"],
)  # fmt: skip
def test_what_could_be_meant_in_two_ways_or_in_none_is_refused(cell):
    with pytest.raises(Unreadable):
        read_cell(cell)
