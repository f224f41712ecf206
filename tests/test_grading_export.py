"""Grades leave as CSV and JSON lines and come back the same."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.grading.export import export_grades, import_grades, neutral
from evaluators.grading.store import Grade, Grader, GradeStore, reply_hash
from model_registry.errors import BadFile, OhloraError

HOSTILE = [
    '=HYPERLINK("http://x","클릭")',
    "+1+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    " =1",
    "'이미 따옴표",
    '그냥, 쉼표와\n줄바꿈 "따옴표"',
    "",
]


@pytest.fixture
def store(tmp_path: Path) -> GradeStore:
    return a_store(tmp_path / "one.db")


def a_store(path: Path) -> GradeStore:
    return GradeStore.open(f"sqlite:///{path}")


def fill(store: GradeStore) -> list[Grade]:
    store.add_grader(Grader("g1", "=민지"))
    grades = [
        Grade(
            key=f"k{i}",
            subject=f"s{i}",
            grader="g1",
            run="run",
            case="c",
            candidate="모델",
            prompt="물음",
            reply=reply,
            reply_hash=reply_hash(reply),
            grade=i % 5 + 1 if i else None,
            flags=("foreign", "off_topic") if i % 2 else (),
            note=reply,
            seconds=1.25,
            tuned=16 if i % 3 else None,
            position=i,
            shown=7,
            screen="x" if i else None,
            made_at="2026-01-01T00:00:00.000+00:00",
        )
        for i, reply in enumerate(HOSTILE)
    ]
    store.add_grades(grades)
    return grades


@pytest.mark.parametrize("name", ["grades.csv", "grades.jsonl"])
def test_exported_grades_come_back_the_same_in_another_database(
    store: GradeStore, tmp_path: Path, name: str
) -> None:
    given = fill(store)
    assert export_grades(store, tmp_path / name) == len(given)
    other = a_store(tmp_path / "two.db")
    assert import_grades(other, tmp_path / name).new == len(given)
    assert other.grades(history=True) == given
    assert other.graders()["g1"].name == "=민지"


def test_importing_twice_adds_nothing(store: GradeStore, tmp_path: Path) -> None:
    given = fill(store)
    export_grades(store, tmp_path / "grades.jsonl")
    again = import_grades(store, tmp_path / "grades.jsonl")
    assert (again.rows, again.new) == (len(given), 0)


def test_no_cell_of_the_csv_is_a_formula(store: GradeStore, tmp_path: Path) -> None:
    fill(store)
    export_grades(store, tmp_path / "grades.csv")
    raw = (tmp_path / "grades.csv").read_bytes()
    assert raw.startswith("\ufeff".encode())
    cells = [c for row in csv.reader(raw.decode("utf-8-sig").splitlines(True)) for c in row]
    assert any(c.startswith("'=HYPERLINK") for c in cells)
    assert not [c for c in cells if c.strip().startswith(("=", "+", "-", "@"))]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=20))
def test_a_neutral_text_never_starts_a_formula(text: str) -> None:
    assert not neutral(text).strip().startswith(("=", "+", "-", "@")) or neutral(text)[0] == "'"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("not json", ":2: not JSON"),
        ("[1]", ":2: not a JSON object"),
        ('{"key": "a"}', ":2: a grade needs subject, grader, run"),
    ],
)
def test_a_bad_line_is_named(store: GradeStore, tmp_path: Path, line: str, problem: str) -> None:
    (tmp_path / "bad.jsonl").write_text("\n" + line + "\n")
    with pytest.raises(BadFile, match=problem):
        import_grades(store, tmp_path / "bad.jsonl")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"grade": 9}, "1 to 5"),
        ({"grade": "good"}, "not a grade"),
        ({"reply": "something else"}, "its hash differs"),
    ],
)
def test_a_row_that_was_tampered_with_is_refused(
    store: GradeStore, tmp_path: Path, change: dict[str, object], problem: str
) -> None:
    fill(store)
    path = tmp_path / "grades.jsonl"
    export_grades(store, path)
    row = json.loads(path.read_text().splitlines()[0])
    path.write_text(json.dumps({**row, **change, "key": "new"}) + "\n")
    with pytest.raises(BadFile, match=problem):
        import_grades(store, path)


def test_a_missing_file_and_a_wrong_ending_are_told(store: GradeStore, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no such file"):
        import_grades(store, tmp_path / "none.csv")
    with pytest.raises(OhloraError, match=r"\.csv or \.jsonl"):
        export_grades(store, tmp_path / "grades.xlsx")


def test_revisions_are_exported_too(store: GradeStore, tmp_path: Path) -> None:
    first = fill(store)[0]
    store.add_grades([replace(first, key="later", grade=5)])
    export_grades(store, tmp_path / "grades.jsonl")
    other = a_store(tmp_path / "two.db")
    import_grades(other, tmp_path / "grades.jsonl")
    assert [g.grade for g in other.grades() if g.subject == first.subject] == [5]
