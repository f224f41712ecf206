"""Grades leave as CSV and JSON lines and come back the same."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pandas
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evaluators.grading.grade_export import export_grades, formula_safe
from evaluators.grading.grade_import import import_grades
from evaluators.grading.store.grade_records import Grade, Grader, reply_hash
from evaluators.grading.store.grade_store import GradeStore
from model_registry.errors import BadFile, OhloraError
from tests.rows.korean_words import is_korean

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
@example("\x1f=")
def test_a_neutral_text_never_starts_a_formula(text: str) -> None:
    assert (
        not formula_safe(text).strip().startswith(("=", "+", "-", "@"))
        or formula_safe(text)[0] == "'"
    )


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
    with pytest.raises(BadFile, match=problem) as refused:
        import_grades(store, tmp_path / "bad.jsonl")
    assert is_korean(refused.value.korean), refused.value.korean


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
    with pytest.raises(BadFile, match=problem) as refused:
        import_grades(store, path)
    assert is_korean(refused.value.korean), refused.value.korean


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


VALUES = [
    "007",
    "3/4",
    "1e5",
    "3월 4일",
    "TRUE",
    "None",
    "NA",
    "2026-01-01",
    "1,000원",
    "오후 3:00",
]


def as_excel_saves(path: Path, delimiter: str = ",", encoding: str = "cp949") -> None:
    """What a Korean Excel makes of an exported CSV when it saves it."""
    rows = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    for row in rows:
        cells = [cell.replace("\r\n", "\n") for cell in row]
        cells = [cell.upper() if cell in ("True", "False") else cell for cell in cells]
        cells = [
            re.sub(r"^(2026-01-01)T00:00:00\.000\+00:00$", r"\1  오전 12:00:00", cell)
            for cell in cells
        ]
        writer.writerow(cells)
    path.write_bytes(out.getvalue().encode(encoding))


def fill_with(store: GradeStore, replies: list[str], **changes: object) -> list[Grade]:
    given = [
        replace(
            grade, key=f"{n}e{n}", reply=reply, reply_hash=reply_hash(reply), note=reply,
            prompt=reply or "물음", **changes,
        )
        for n, (grade, reply) in enumerate(zip(fill(a_store_beside(store)), replies, strict=False))
    ]  # fmt: skip
    store.add_grader(Grader("g1", "=민지"))
    store.add_grades(given)
    return given


def a_store_beside(store: GradeStore) -> GradeStore:
    return GradeStore.open("sqlite://")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["cp949", "utf-8-sig", "utf-16"])
def test_grades_that_excel_saved_come_back_the_same(
    store: GradeStore, tmp_path: Path, delimiter: str, encoding: str
) -> None:
    given = fill_with(store, [*VALUES[:8], "두\r\n줄", "세\n줄"], blind=False)
    export_grades(store, tmp_path / "grades.csv")
    as_excel_saves(tmp_path / "grades.csv", delimiter, encoding)
    other = a_store(tmp_path / "two.db")
    assert import_grades(other, tmp_path / "grades.csv").new == len(given)
    for was, now in zip(given, other.grades(history=True), strict=True):
        assert replace(now, note="", prompt="") == replace(was, note="", prompt="")


def test_grades_that_pandas_wrote_come_back_the_same(store: GradeStore, tmp_path: Path) -> None:
    given = fill_with(store, VALUES, settings={"temperature": 0.7})
    export_grades(store, tmp_path / "grades.csv")
    frame = pandas.read_csv(tmp_path / "grades.csv")
    assert str(frame["grade"].dtype) == "float64"  # a skip has none: 3 becomes 3.0
    frame.to_csv(tmp_path / "pandas.csv")  # with its index
    frame.to_excel(tmp_path / "pandas.xlsx")
    for name in ("pandas.csv", "pandas.xlsx"):
        other = a_store(tmp_path / f"{name}.db")
        import_grades(other, tmp_path / name)
        assert other.grades(history=True) == given


def test_json_lines_that_pandas_wrote_come_back_the_same(store: GradeStore, tmp_path: Path) -> None:
    given = fill(store)
    export_grades(store, tmp_path / "grades.jsonl")
    frame = pandas.read_json(tmp_path / "grades.jsonl", lines=True)
    frame.to_json(
        tmp_path / "pandas.jsonl", orient="records", lines=True, date_format="epoch",
        date_unit="ms", force_ascii=False,
    )  # fmt: skip
    other = a_store(tmp_path / "two.db")
    import_grades(other, tmp_path / "pandas.jsonl")
    assert other.grades(history=True) == given


@pytest.mark.parametrize(
    ("written", "blind"),
    [("FALSE", False), ("False", False), ("0", False), ("0.0", False), ("거짓", False),
     ("TRUE", True), ("1", True), ("", True)],
)  # fmt: skip
def test_false_is_false_however_a_spreadsheet_writes_it(
    store: GradeStore, tmp_path: Path, written: str, blind: bool
) -> None:
    export_and_change(store, tmp_path, "blind", written)
    other = a_store(tmp_path / "two.db")
    import_grades(other, tmp_path / "grades.csv")
    assert {grade.blind for grade in other.grades(history=True)} == {blind}


@pytest.mark.parametrize(
    ("column", "written", "problem"),
    [
        ("blind", "maybe", "blind must be true or false, not 'maybe'"),
        ("grade", "3.5", "grade must be a whole number"),
        ("made_at", "gestern", "made_at must be a time, not 'gestern'"),
    ],
)
def test_a_cell_that_means_nothing_is_refused_with_its_line(
    store: GradeStore, tmp_path: Path, column: str, written: str, problem: str
) -> None:
    export_and_change(store, tmp_path, column, written)
    with pytest.raises(BadFile, match=rf"grades\.csv:2: not a grade \({problem}") as refused:
        import_grades(a_store(tmp_path / "two.db"), tmp_path / "grades.csv")
    assert is_korean(refused.value.korean), refused.value.korean


@pytest.mark.parametrize(
    "written",
    ["2026-01-01T00:00:00.000+00:00", "2026-01-01 00:00:00+00:00", "2026-01-01 0:00",
     "2026-01-01 오전 12:00:00", "2026. 1. 1. 오전 12:00", "1/1/2026 0:00", "1767225600000",
     "46023"],
)  # fmt: skip
def test_times_are_read_as_spreadsheets_write_them(
    store: GradeStore, tmp_path: Path, written: str
) -> None:
    export_and_change(store, tmp_path, "made_at", written)
    other = a_store(tmp_path / "two.db")
    import_grades(other, tmp_path / "grades.csv")
    assert {g.made_at for g in other.grades(history=True)} == {"2026-01-01T00:00:00.000+00:00"}


def test_a_reply_that_lost_characters_in_cp949_is_refused_with_the_cure(
    store: GradeStore, tmp_path: Path
) -> None:
    fill_with(store, ["안녕 🌟"])
    export_grades(store, tmp_path / "grades.csv")
    text = (tmp_path / "grades.csv").read_bytes().decode("utf-8-sig")
    (tmp_path / "grades.csv").write_bytes(text.encode("cp949", errors="replace"))
    with pytest.raises(BadFile, match=r"grades\.csv:2: .*cp949 has no such characters") as refused:
        import_grades(a_store(tmp_path / "two.db"), tmp_path / "grades.csv")
    assert is_korean(refused.value.korean), refused.value.korean


def test_an_export_of_nothing_comes_back_as_nothing(store: GradeStore, tmp_path: Path) -> None:
    for name in ("grades.csv", "grades.jsonl"):
        export_grades(store, tmp_path / name)
        assert import_grades(store, tmp_path / name).rows == 0


def export_and_change(store: GradeStore, folder: Path, column: str, written: str) -> None:
    fill_with(store, ["안녕"])
    export_grades(store, folder / "grades.csv")
    text = (folder / "grades.csv").read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    with (folder / "grades.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, column: written} for row in rows)


def edited(store: GradeStore, path: Path, change: dict[str, str], line: int = 3) -> Path:
    """An export with the cells of one line changed in a spreadsheet."""
    export_grades(store, path)
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
    rows[line - 2].update(change)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_a_grade_that_was_changed_in_the_file_is_refused_and_nothing_is_imported(
    store: GradeStore, tmp_path: Path
) -> None:
    fill(store)
    path = edited(store, tmp_path / "grades.csv", {"grade": "5"})
    with pytest.raises(BadFile, match="the grade k1 is kept already, as 2 and not 5") as refused:
        import_grades(store, path)
    assert is_korean(refused.value.korean), refused.value.korean
    other = a_store(tmp_path / "two.db")
    assert import_grades(other, path).new == len(HOSTILE)  # where it is new it is only a grade
    with pytest.raises(BadFile, match="the grade k1 is kept already, as 5 and not 2"):
        export_grades(store, path)
        import_grades(other, path)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"grade": "최상"}, "grade must be a number, not '최상'"),
        ({"seconds": "nan"}, "seconds must be a number, not 'nan'"),
        ({"seconds": "1e999"}, "seconds must be a number"),
        ({"grade": "2024-03-04"}, "grade must be a number"),
    ],
)
def test_one_bad_line_keeps_the_whole_file_out(store, tmp_path, change, problem) -> None:
    fill(store)
    path = edited(store, tmp_path / "grades.csv", change)
    other = a_store(tmp_path / "two.db")
    with pytest.raises(BadFile, match=problem) as refused:
        import_grades(other, path)
    assert is_korean(refused.value.korean), refused.value.korean
    assert not other.grades(history=True)
    assert not other.graders()


def test_texts_that_became_nfd_on_the_way_are_what_was_exported(store, tmp_path) -> None:
    store.add_grader(Grader("g", "민지"))
    given = Grade(key="k", subject="s", grader="g", run="실행", case="c", candidate="모델",
                  prompt="물음", reply="답", reply_hash=reply_hash("답"), grade=3)  # fmt: skip
    store.add_grades([given])
    texts = {"prompt": "물음", "reply": "답", "candidate": "모델", "run": "실행"}
    parted = {name: unicodedata.normalize("NFD", text) for name, text in texts.items()}
    path = edited(store, tmp_path / "grades.csv", parted, line=2)
    other = a_store(tmp_path / "two.db")
    assert import_grades(other, path).new == 1
    (found,) = other.grades()
    assert {name: getattr(found, name) for name in texts} == texts
