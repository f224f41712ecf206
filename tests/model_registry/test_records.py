from __future__ import annotations

import json
from pathlib import Path

import pytest

from model_registry.errors import BadFile
from model_registry.records import (
    GRADES,
    Loss,
    Peak,
    Reply,
    Result,
    ScoreRow,
    append_rows,
    group_by,
    read_rows,
    to_json,
)
from model_registry.statuses import STATUSES


def a_loss(step: int, loss: float = 1.0) -> Loss:
    return Loss("case", step, loss)


def a_reply(prompt: str = "안녕?", reply: str = "안녕하세요!", **values) -> Reply:
    return Reply("case", "one", prompt, reply, "greedy", None, 5, "stop", **values)


def a_result(case: str = "case", status: str = "ok") -> Result:
    return Result(
        case,
        "one",
        "inference",
        {"rank": 16},
        "abc",
        status,
        seconds={"load": 0.5},
        peaks={"load": Peak(None, None, 300, 100, "high-water mark")},
    )


def the_rows(path: Path, kind: type) -> list:
    return read_rows(path, kind)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "run" / "rows.jsonl"


@pytest.mark.parametrize(
    "record",
    [
        a_loss(1),
        a_reply(problems=("truncated",), reference="안녕"),
        a_result(),
        ScoreRow("case", "one", "안녕?", "greedy", 16, "hangul_share", None, "no letters"),
    ],
    ids=lambda record: type(record).__name__,
)
def test_a_record_comes_back_as_it_was_written(path, record):
    append_rows(path, [record])
    assert the_rows(path, type(record)) == [record]


def test_a_file_that_does_not_exist_has_no_rows(path):
    assert the_rows(path, Loss) == []


def test_appending_nothing_makes_no_file(path):
    append_rows(path, [])
    assert not path.exists()


def test_korean_stays_readable_on_disk(path):
    append_rows(path, [a_reply()])
    assert "안녕하세요!" in path.read_text(encoding="utf-8")


def test_pass_is_written_without_the_underscore_that_python_needs(path):
    append_rows(path, [a_reply()])
    row = json.loads(path.read_text(encoding="utf-8"))
    assert row["pass"] == "greedy"
    assert "pass_" not in row


def test_unknown_is_null_on_disk():
    assert to_json(a_result())["predicted_bytes"] is None


def test_a_line_break_in_a_reply_stays_within_its_row(path):
    append_rows(path, [a_reply(reply="하나\n둘\r\n셋\u2028넷")])
    [reply] = the_rows(path, Reply)
    assert reply.reply == "하나\n둘\r\n셋\u2028넷"


def test_half_a_character_from_a_model_does_not_cost_the_file(path):
    append_rows(path, [a_reply(reply="좋\ud83d"), a_reply(prompt="또?")])
    assert [r.prompt for r in the_rows(path, Reply)] == ["안녕?", "또?"]


def test_the_last_row_of_a_key_wins(path):
    append_rows(path, [a_result(status="timeout"), a_result("other")])
    append_rows(path, [a_result(status="ok")])
    assert [(r.case, r.status) for r in the_rows(path, Result)] == [("other", "ok"), ("case", "ok")]


def test_replies_of_other_passes_and_ranks_have_keys_of_their_own(path):
    before, after = a_reply(), Reply("case", "one", "안녕?", "네", "greedy", 16, 1, "stop")
    sample = Reply("case", "one", "안녕?", "응", "sample 1", None, 1, "stop")
    append_rows(path, [before, after, sample])
    assert the_rows(path, Reply) == [before, after, sample]


def test_a_line_that_a_kill_cut_short_is_ignored(path):
    append_rows(path, [a_loss(1), a_loss(2)])
    whole = path.read_bytes()
    for kept in range(1, len(whole)):
        path.write_bytes(whole[:kept])
        complete = whole[:kept].count(b"\n")
        assert [r.step for r in the_rows(path, Loss)] == [1, 2][:complete]


def test_the_next_append_cuts_the_torn_line_off(path):
    append_rows(path, [a_loss(1)])
    with path.open("ab") as file:
        file.write(b'{"case": "ca')
    append_rows(path, [a_loss(2)])
    assert [r.step for r in the_rows(path, Loss)] == [1, 2]
    assert path.read_bytes().count(b"\n") == 2


def test_a_file_that_is_one_torn_line_starts_anew(path):
    path.parent.mkdir()
    path.write_bytes(b'{"case')
    append_rows(path, [a_loss(1)])
    assert the_rows(path, Loss) == [a_loss(1)]


def test_a_character_torn_in_the_middle_is_cut_off_too(path):
    append_rows(path, [a_reply()])
    path.write_bytes(path.read_bytes() + '{"reply": "안'.encode()[:-1])
    append_rows(path, [a_reply(prompt="또?")])
    assert len(the_rows(path, Reply)) == 2


@pytest.mark.parametrize(
    "line",
    ["no json", "[1, 2]", "3", "{}", '{"case": "c", "step": 1, "loss"', '{"case": []}'],
)
def test_a_bad_line_in_the_middle_names_file_and_line(path, line):
    append_rows(path, [a_loss(1)])
    with path.open("a") as file:
        file.write(line + "\n")
    append_rows(path, [a_loss(2)])
    with pytest.raises(BadFile, match="not a loss row") as caught:
        the_rows(path, Loss)
    assert str(caught.value).startswith(f"{path}:2: ")


def test_a_row_whose_key_or_peaks_are_of_the_wrong_kind_names_file_and_line(path):
    good = to_json(a_result())
    for changed in ({"case": ["a"]}, {"peaks": [1]}, {"peaks": {"load": {"odd": 1}}}):
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(good | changed) + "\n")
        with pytest.raises(BadFile) as caught:
            the_rows(path, Result)
        assert caught.value.line == 1


def test_blank_lines_are_no_rows(path):
    append_rows(path, [a_loss(1)])
    with path.open("a") as file:
        file.write("\n  \n")
    assert the_rows(path, Loss) == [a_loss(1)]


def test_a_row_of_a_newer_schema_is_read_without_its_new_keys(path):
    append_rows(path, [a_loss(1)])
    newer = json.dumps(to_json(a_loss(2)) | {"gradient_norm": 0.5})
    with path.open("a") as file:
        file.write(newer + "\n")
    assert [r.step for r in the_rows(path, Loss)] == [1, 2]


def test_rows_are_grouped_in_order_of_appearance():
    rows = [Loss("b", 1, 1.0), Loss("a", 1, 1.0), Loss("b", 2, 0.5)]
    groups = group_by(rows, lambda row: row.case)
    assert list(groups) == ["b", "a"]
    assert [row.step for row in groups["b"]] == [1, 2]


def test_every_status_of_a_case_has_words_for_people():
    assert {"ok", "oom_training", "timeout", "killed", "needs_remote_code"} <= set(STATUSES)
    assert all(status.en and status.ko for status in STATUSES.values())


def test_the_five_grades_are_from_best_to_worst():
    assert list(GRADES.items()) == [("최상", 5), ("상", 4), ("중", 3), ("하", 2), ("최하", 1)]


def test_the_documentation_of_runs_names_every_status() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "runs.md").read_text("utf-8")
    assert [name for name in STATUSES if f"| `{name}` |" not in page] == []
