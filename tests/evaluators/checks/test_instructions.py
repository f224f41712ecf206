from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from evaluators.checks.instructions import (
    INSTRUCTION_PROMPTS,
    INSTRUCTIONS,
    INSTRUCTIONS_LOOSE,
    instructions,
    instructions_loose,
    with_declared,
)
from evaluators.csv_scoring import score_csv
from evaluators.instructions.instruction_declarations import declared_in, parse_checks
from evaluators.instructions.instruction_rules import RULES
from model_registry.errors import BadFile
from rows.reading import read_data
from tests.rows.korean_words import is_korean
from tests.support.replies import a_reply


def follows(code: str, reply: str, evaluator=INSTRUCTIONS, **values) -> bool:
    declared = {"물음": parse_checks([{"check": code, **values}])}
    return with_declared(evaluator, declared).check(a_reply(reply, "물음")).value == 1


TABLE = "다음과 같습니다.\n| 이름 | 맛 |\n|:--|--:|\n| 냉이 | 향긋함 |\n| 쑥 | 씀 |"

ONE_EMOJI = ("🎉", "⭐", "⏰", "🇰🇷", "▶️", "👍🏽", "👨‍👩‍👧", "❤️", "🏳️‍🌈", "1️⃣")

KEPT = [
    ("speech", "네, 좋아요. 내일 봬요!", {"level": "polite"}),
    ("speech", "그래, 내일 봐. 사과 하나", {"level": "plain"}),
    ("speech", "어서 오십시오. 반갑습니다！", {"level": "hapsyo"}),
    ("speech", "좋지요. 갈게요~ 👍", {"level": "haeyo"}),
    ("characters", "가나 다", {"min": 4, "max": 4}),
    ("characters", "가나 다\n라", {"max": 4, "spaces": False}),
    ("characters", unicodedata.normalize("NFD", "한글"), {"min": 2, "max": 2}),
    ("words", "오늘은 날씨가 - 참 좋다", {"min": 4, "max": 4}),
    ("sentences", "값은 3.5배입니다. 정말요? 네!", {"min": 3, "max": 3}),
    ("sentences", "좋아요.가요。그래요", {"min": 3, "max": 3}),
    ("sentences", "1. 물을 끓입니다.\n2. 면을 넣습니다.", {"min": 2, "max": 2}),
    ("sentences", "“갈게요.” 그가 말했다.", {"min": 2, "max": 2}),
    ("lines", "봄\n\n여름\n", {"min": 2, "max": 2}),
    ("paragraphs", "하나\n둘\n \n셋", {"min": 2, "max": 2}),
    ("items", "준비물:\n- 물\n  - 찬물\n- 빵", {"min": 2, "max": 2}),
    ("items", "1. 하나\n2) 둘\n(3) 셋", {"min": 3, "max": 3, "style": "number"}),
    ("items", "①하나\n② 둘", {"min": 2, "max": 2, "style": "number"}),
    ("items", "• 하나\n• 둘", {"min": 2, "max": 2, "style": "bullet"}),
    ("items", "가. 하나\n나. 둘", {"min": 2, "max": 2}),
    ("items", "네. 그렇습니다.\n음. 글쎄요.", {"max": 0}),
    ("include", "ＡＩ와 봄", {"words": ["ai", "봄"]}),
    ("include", unicodedata.normalize("NFD", "꽃이 핀다"), {"words": ["꽃"]}),
    ("include_any", "불이 난다", {"words": ["물", "불"]}),
    ("exclude", "봄이 온다", {"words": ["꽃", ","]}),
    ("mentions", "감사, 또 감사", {"word": "감사", "min": 2, "max": 2}),
    ("starts", "책벌레 여러분, 안녕", {"text": "책벌레 여러분,"}),
    ("ends", "늘 감사합니다！", {"text": "감사합니다"}),
    ("ends", "갈까요？", {"text": "?"}),
    ("json", '```json\n{"이름": "김", "나이": 3}\n```', {"keys": ["이름", "나이"], "only": True}),
    ("json", '{"' + unicodedata.normalize("NFD", "이름") + '": 1}', {"keys": ["이름"]}),
    ("json", '["가", "나"]', {"min": 2, "max": 2}),
    ("json", '[{"a": 1}, {"a": 2}]', {"keys": ["a"], "min": 2}),
    ("table", TABLE, {"columns": ["이름", "맛"], "min": 2, "max": 2}),
    ("korean_only", "오늘은 2일입니다 ① ㅋㅋ!", {}),
    ("korean_only", "비타민 C는 좋다", {"allow": ["C"]}),
    ("digits", "열두 달", {"max": 0}),
    *[("emoji", f"가{one} 나", {"min": 1, "max": 1}) for one in ONE_EMOJI],
    ("emoji", "".join(ONE_EMOJI), {"min": len(ONE_EMOJI), "max": len(ONE_EMOJI)}),
    ("emoji", "● 하나\n▶ 둘\n1. 셋 ⓒ → 넷", {"max": 0}),
    ("headings", "## 준비\n글\n## 쓰기", {"min": 2, "max": 2}),
    ("bold", "**물**과 **불**", {"min": 2}),
    ("questions", "갈래？ 좋지. 언제 갈까?", {"min": 2, "max": 2}),
    ("quoted", "“시간은 흐른다.”", {}),
    ("acrostic", "바: 바람이 분다\n다: 다시 봄", {"word": "바다"}),
]  # fmt: skip

BROKEN = [
    ("speech", "좋아요. 근데 난 안 가.", {"level": "polite"}),
    ("speech", "좋아. 갈게요.", {"level": "plain"}),
    ("speech", "반갑습니다. 좋아요.", {"level": "hapsyo"}),
    ("speech", "반갑습니다.", {"level": "haeyo"}),
    ("speech", "사과, 배, 포도", {"level": "polite"}),
    ("characters", "가나다라마", {"max": 4}),
    ("words", "하나 둘", {"min": 3}),
    ("sentences", "하나다. 둘이다.", {"max": 1}),
    ("lines", "한 줄", {"min": 2}),
    ("paragraphs", "하나\n둘", {"min": 2}),
    ("items", "1.5배와 -3도", {"min": 1}),
    ("items", "- 하나\n- 둘", {"min": 2, "style": "number"}),
    ("include", "여름", {"words": ["봄"]}),
    ("include_any", "바람", {"words": ["물", "불"]}),
    ("exclude", "봄，여름", {"words": [","]}),
    ("mentions", "감사", {"word": "감사", "min": 2}),
    ("starts", "안녕, 책벌레 여러분", {"text": "책벌레"}),
    ("ends", "감사합니다 그럼 이만", {"text": "감사합니다"}),
    ("json", '여기 있습니다: {"이름": 1}', {"keys": ["이름"]}),
    ("json", '{"이름": 1', {}),
    ("json", '{"값": NaN}', {}),
    ("json", '{"이름": 1, "더": 2}', {"keys": ["이름"], "only": True}),
    ("json", '{"나이": 1}', {"keys": ["이름"]}),
    ("json", '"이름"', {"keys": ["이름"]}),
    ("json", "[" * 100_000, {}),
    ("table", "| 이름 | 맛 |\n| 냉이 | 향 |", {"columns": ["이름"]}),
    ("table", TABLE, {"columns": ["색"]}),
    ("table", TABLE, {"max": 1}),
    ("korean_only", "컴퓨터 CPU", {}),
    ("korean_only", "民主主義는", {}),
    ("korean_only", "123", {}),
    ("digits", "１２월", {"max": 0}),
    ("emoji", "축하해", {"min": 1}),
    ("headings", "#태그", {"min": 1}),
    ("bold", "* 물", {"min": 1}),
    ("questions", "간다.", {"min": 1}),
    ("quoted", "“하나” 그리고 “둘”", {}),
    ("acrostic", "바람\n나무", {"word": "바다"}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "reply", "values"), KEPT)
def test_a_reply_that_does_what_is_asked_follows_it(code: str, reply: str, values: dict) -> None:
    assert follows(code, reply, **values)


@pytest.mark.parametrize(("code", "reply", "values"), BROKEN)
def test_a_reply_that_does_not_is_found_out_by_both(code: str, reply: str, values: dict) -> None:
    assert not follows(code, reply, **values)


def test_every_rule_is_tried_both_ways() -> None:
    assert {code for code, *_ in KEPT} == {code for code, *_ in BROKEN} == set(RULES)


def test_an_empty_reply_follows_nothing() -> None:
    for evaluator in (INSTRUCTIONS, INSTRUCTIONS_LOOSE):
        assert not follows("exclude", " \n", evaluator, words=["꽃"])


@pytest.mark.parametrize(
    ("code", "reply", "values"),
    [
        ("json", '네, 여기 있습니다:\n{"이름": 1}', {"keys": ["이름"]}),
        ("starts", "**봄**이 왔다", {"text": "봄이"}),
        ("ends", "늘 감사합니다.\n더 궁금한 점이 있나요", {"text": "감사합니다"}),
        ("items", "네!\n* 물\n* 빵\n끝", {"min": 2, "max": 2}),
    ],
)
def test_a_greeting_or_emphasis_is_forgiven_only_loosely(code, reply, values) -> None:
    assert follows(code, reply, INSTRUCTIONS_LOOSE, **values)
    assert follows(code, reply, **values) == (code == "items")


def test_the_score_is_the_share_followed_and_the_reason_says_what_failed() -> None:
    checks = [{"check": "sentences", "max": 1}, {"check": "include", "words": ["봄"]}]
    judge = with_declared(INSTRUCTIONS, {"물음": parse_checks(checks)})
    score = judge.check(a_reply("하나다. 봄이다.", " 물음 "))
    assert (score.value, score.reason) == (0.5, "sentences: 2, wanted at most 1")


def test_a_prompt_without_checks_is_not_judged() -> None:
    assert instructions(a_reply("봄", "오늘 춥다")).value is None


def test_our_prompts_are_many_and_our_own_replies_follow_all_of_their_checks() -> None:
    rows = read_data(INSTRUCTION_PROMPTS)
    asked = [row.prompt for row in rows.rows if row.split == "test"]
    declared = declared_in(rows)
    assert len(set(asked)) == len(asked) >= 120
    assert len(declared) == len(rows.rows)
    assert {check.code for checks in declared.values() for check in checks} == set(RULES)
    assert all(1 <= len(checks) <= 3 for checks in declared.values())
    for row in rows.of("train"):
        score = instructions(a_reply(row.reply, row.prompt))
        assert (score.value, score.reason) == (1, "")


def test_a_reply_that_says_nothing_follows_less_than_half_of_our_instructions() -> None:
    asked = [row.prompt for row in read_data(INSTRUCTION_PROMPTS).rows if row.split == "test"]
    for said in ("네.", "좋아요!", "음"):
        scores = [instructions_loose(a_reply(said, prompt)).value or 0 for prompt in asked]
        assert sum(scores) / len(scores) < 0.5


WRONG = [
    ("not JSON [", "not JSON"),
    ([], "a list of objects"),
    ([{"max": 3}], 'each needs "check"'),
    ([{"check": "sentence", "max": 3}], "Did you mean sentences?"),
    ([{"check": "sentences", "most": 3}], "sentences has no parameter most; there are: min, max"),
    ([{"check": "sentences", "max": "3"}], "max must be a whole number"),
    ([{"check": "sentences", "max": True}], "max must be a whole number"),
    ([{"check": "sentences"}], "sentences needs min or max"),
    ([{"check": "sentences", "min": 3, "max": 2}], "min 3 above max 2"),
    ([{"check": "include", "words": "봄"}], "words must be a list of texts"),
    ([{"check": "include", "words": [" "]}], "words must be a list of texts"),
    ([{"check": "include"}], "include needs words"),
    ([{"check": "speech", "level": "반말"}], "level must be one of polite, plain, hapsyo, haeyo"),
    ([{"check": "json", "only": 1}], "only must be true or false"),
    ([{"check": "ends", "text": ""}], "text must be a text"),
]


@pytest.mark.parametrize(("cell", "said"), WRONG)
def test_a_wrong_declaration_is_refused_with_file_and_line(tmp_path: Path, cell, said: str) -> None:
    path = tmp_path / "train.jsonl"
    right = {"prompt": "하나", "reply": "봄", "checks": [{"check": "quoted"}]}
    rows = [right, {"prompt": "둘", "reply": "봄", "checks": cell}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for read in (lambda: declared_in(read_data(tmp_path)), lambda: score_csv(path)):
        with pytest.raises(BadFile) as refused:
            read()
        assert f"{path}:2" in str(refused.value)
        assert said in str(refused.value)
        assert is_korean(refused.value.korean), refused.value.korean


def test_one_prompt_can_not_have_two_declarations(tmp_path: Path) -> None:
    rows = [
        {"prompt": "봄", "reply": "봄", "checks": [{"check": "digits", "max": n}]} for n in (0, 1)
    ]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(BadFile, match=r"train\.jsonl:2.*other checks") as refused:
        declared_in(read_data(tmp_path))
    assert is_korean(refused.value.korean)


LIMITS = {"하나": 0, "둘": 1, "셋": 1}


def checked_rows() -> list[dict[str, object]]:
    return [
        {"prompt": prompt, "reply": "봄", "checks": [{"check": "digits", "max": most}]}
        for prompt, most in LIMITS.items()
    ]


@pytest.mark.parametrize("shape", [list, lambda rows: {"train": rows[:1], "valid": rows[1:]}])
def test_rows_on_one_line_keep_their_own_checks(tmp_path: Path, shape) -> None:
    path = tmp_path / "train.json"
    path.write_text(json.dumps(shape(checked_rows()), ensure_ascii=False), encoding="utf-8")
    declared = declared_in(read_data(path))
    assert {prompt: checks[0].values["max"] for prompt, checks in declared.items()} == LIMITS
    if shape is list:
        assert [row["scores"]["instructions"]["value"] for row in score_csv(path)["rows"]] == [
            1
        ] * 3


def test_sheets_of_a_workbook_keep_their_own_checks(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in (("train", checked_rows()[:1]), ("valid", checked_rows()[1:])):
        sheet = book.create_sheet(name)
        sheet.append(list(rows[0]))
        for row in rows:
            sheet.append([row["prompt"], row["reply"], json.dumps(row["checks"])])
    book.save(tmp_path / "rows.xlsx")
    declared = declared_in(read_data(tmp_path / "rows.xlsx"))
    assert {prompt: checks[0].values["max"] for prompt, checks in declared.items()} == LIMITS


def test_a_list_of_turns_keeps_the_checks_of_its_questions(tmp_path: Path) -> None:
    turns = [
        turn
        for row in checked_rows()
        for turn in (
            {"role": "user", "content": row["prompt"], "checks": row["checks"]},
            {"role": "assistant", "content": row["reply"]},
        )
    ]
    path = tmp_path / "turns.json"
    path.write_text(json.dumps(turns, ensure_ascii=False), encoding="utf-8")
    declared = declared_in(read_data(path))
    assert {prompt: checks[0].values["max"] for prompt, checks in declared.items()} == LIMITS


def test_a_column_of_that_name_that_declares_nothing_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "replies.csv"
    path.write_text("prompt,reply,checks\n안녕,네,3\n", encoding="utf-8")
    assert score_csv(path)["rows"][0]["scores"]["instructions"]["value"] is None


def test_score_uses_the_checks_of_a_file_for_every_model(tmp_path: Path) -> None:
    path = tmp_path / "replies.csv"
    checks = json.dumps([{"check": "include", "words": ["봄"]}], ensure_ascii=False)
    cell = '"' + checks.replace('"', '""') + '"'
    path.write_text(f"prompt,checks,reply_a,reply_b\n물음,{cell},봄,여름\n", encoding="utf-8")
    document = score_csv(path)
    values = {row["model"]: row["scores"]["instructions"]["value"] for row in document["rows"]}
    assert values == {"a": 1.0, "b": 0.0}
    assert document["read"]["columns"]["checks"] == ["checks"]
