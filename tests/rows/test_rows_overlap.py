"""Rows that ask what other rows ask are found: equal, nearly equal, and no others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from model_registry.messages.notes import WORDS
from rows.overlap import matching_rows, split_overlapping
from rows.reading import read_data
from rows.reading_report import document, left_out_note, without_overlap
from rows.row import LeftOut, Row
from tests.support.small_study import plan_study, write_study

LONG = "오늘 서울에서 부산까지 기차를 타고 가려면 시간이 얼마나 걸리는지 알려 줄래?"
REASONS = (
    "no_answer", "blank_row", "unknown_split", "unanswered_turn", "unasked_turn", "tool_turn",
    "not_text", "system_inside", "asks_a_prompt", "asks_a_train_row", "asks_a_train_row_or_prompt",
    "asks_an_earlier_prompt",
)  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("안녕?", "안녕!! ", True),
        ("Hello there", "hello  THERE.", True),
        (LONG, LONG.replace("시간이 얼마나", "시간은 얼마나"), True),
        (LONG, LONG.replace("알려 줄래", "알려 주세요"), True),
        ("대한민국의 수도는 어디야?", "대한민국의 수도가 어디인가요?", True),
        ("이름이 뭐야?", "이름은 뭐예요?", True),
        ("중국의 수도는 어디야?", "영국의 수도는 어디야?", False),
        ("서울역에서 가는 길", "서울역까지 가는 길", False),
        ("3 더하기 4는 얼마인지 알려 주세요", "3 더하기 5는 얼마인지 알려 주세요", False),
        (LONG, LONG.replace("부산까지 기차를", "대전까지 버스를"), False),
        ("안녕", "안심", False),
        ("??", "!!", False),
        ("🌟", "🌟", True),
    ],
)
def test_prompts_that_ask_the_same_are_twins(one: str, other: str, same: bool) -> None:
    assert (matching_rows([Row(one, "")], [Row(other, "")]) == [0]) is same


def test_the_same_words_after_other_turns_ask_something_else() -> None:
    earlier = ({"role": "user", "content": "배고파"}, {"role": "assistant", "content": "뭐 줄까?"})
    row = Row("라면", "응")
    assert matching_rows([row], [replace(row, before=earlier)]) == [None]
    system = ({"role": "system", "content": "짧게 답해."},)
    assert matching_rows([row], [replace(row, before=system)]) == [0]


def test_a_form_that_all_prompts_are_written_in_makes_no_twins() -> None:
    form = "다음 문장을 영어로 옮기세요. 문장 부호는 그대로 두고 설명은 덧붙이지 마세요: "
    words = [
        "사과",
        "바다",
        "구름",
        "나무",
        "의자",
        "연필",
        "시계",
        "전화",
        "모자",
        "신발",
        "가방",
        "안경",
        "우산",
        "장갑",
        "양말",
    ]
    rows = [Row(f"{form}{one} {other}", "") for one in words for other in words if one != other]
    train, valid = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    assert len(split_overlapping(valid, train)[0]) > 0.9 * len(valid)
    assert split_overlapping(train[:3], train)[0] == []


def test_questions_on_one_long_text_are_no_twins() -> None:
    passage = " ".join(f"{n}번째 문장은 여기에 서 있다." for n in range(60))
    ask = "{} 질문: {}"
    asked = ("글쓴이가 말하는 주제는?", "주인공이 떠난 까닭은?", "주인공이 떠난 까닭이 뭐야?")
    rows = [Row(ask.format(passage, question), "") for question in asked]
    assert matching_rows(rows, rows[1:2]) == [None, 0, 0]


def test_splits_of_a_file_that_overlap_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(
        "split,prompt,reply\ntrain,안녕?,응\ntrain,잘 자,응\nvalid,안녕!,네\nvalid,새것,네\n"
        "test,잘 자!!,\n",
        encoding="utf-8",
    )
    kept, out = without_overlap(read_data(path))
    assert [row.prompt for row in kept.of("valid")] == ["새것"]
    assert [(o.reason, o.split, o.lines) for o in out] == [
        ("asks_a_prompt", "train", (3,)),
        ("asks_a_train_row", "valid", (4,)),
    ]
    assert [o["count"] for o in document(read_data(path))["overlaps"]] == [1, 1]


def test_a_run_tunes_on_nothing_that_it_asks(tmp_path: Path) -> None:
    study = write_study(tmp_path, tmp_path / "no-model-is-needed-to-plan")
    plain = plan_study(study, tmp_path / "out")
    asked = plain.task.prompts[0].prompt
    train = tmp_path / "rows" / "train.jsonl"
    line = json.dumps({"prompt": f"{asked}!!", "reply": "외운 답"}, ensure_ascii=False) + "\n"
    train.write_text(line + train.read_text(encoding="utf-8"), encoding="utf-8")
    plan = plan_study(study, tmp_path / "out")
    assert plan.task.train == plain.task.train
    assert any("1 train row that asks what a prompt asks" in n.words for n in plan.notes)


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_words(reason: str) -> None:
    assert reason in WORDS
    words = left_out_note(LeftOut(reason, 3, "train", (1, 2, 3), "fold1")).words
    assert "3" in words and reason not in words


#: No two of these syllables alike, and none of a particle or an ending among them.
SYLLABLES = [chr(ord("가") + 11 * n) for n in range(1000)]


def prompts_of(mine: int, theirs: int, common: int) -> tuple[Row, Row]:
    """Two prompts of so many 3-grams, so many of which both have."""
    one = SYLLABLES[: mine + 2]
    other = SYLLABLES[: common + 2] + SYLLABLES[500 : 500 + theirs - common]
    return Row("".join(one), ""), Row("".join(other), "")


@pytest.mark.parametrize(
    ("mine", "theirs", "common", "same"),
    [
        (40, 40, 36, True),  # 36 of 44
        (40, 40, 35, False),  # 35 of 45
        (40, 32, 32, True),  # 32 of 40, which is just enough
        (40, 31, 31, False),
        (4, 5, 4, True),  # six letters and seven
        (3, 4, 3, False),
        (200, 200, 192, True),  # 16 apart
        (200, 201, 192, False),  # 17 apart, though 192 of 209 are common
    ],
)
def test_twins_share_four_fifths_of_their_grams_and_lack_sixteen_at_most(
    mine: int, theirs: int, common: int, same: bool
) -> None:
    one, other = prompts_of(mine, theirs, common)
    assert (matching_rows([one], [other]) == [0]) is same
    assert (matching_rows([other], [one]) == [0]) is same


def test_another_number_in_a_long_prompt_asks_something_else() -> None:
    half, rest = "".join(SYLLABLES[:40]), "".join(SYLLABLES[40:80])
    rows = [Row(f"{half} {number} {rest}", "") for number in (7, 8)]
    assert matching_rows(rows[:1], rows[1:]) == [None]
    assert matching_rows([Row(f"{half} 7 {rest}{SYLLABLES[90]}", "")], rows[:1]) == [0]


@pytest.mark.parametrize(
    ("alike", "prompts", "is_form"), [(6, 50, True), (5, 50, False), (6, 49, False)]
)
def test_what_more_than_a_tenth_of_fifty_prompts_hold_is_a_form(
    alike: int, prompts: int, is_form: bool
) -> None:
    form = "".join(SYLLABLES[:40])
    rows = [Row(form + "".join(SYLLABLES[100 + 3 * n :][:3]), "") for n in range(alike)]
    rows += [Row("".join(SYLLABLES[200 + 10 * n :][:10]), "") for n in range(prompts - alike)]
    asked = Row(form + "".join(SYLLABLES[90:93]), "")
    assert matching_rows([asked], rows) == [None if is_form else 0]
