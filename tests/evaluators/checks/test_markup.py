from __future__ import annotations

import pytest

from evaluators.checks.markup import layout, markup


@pytest.mark.parametrize(
    "reply",
    [
        "오늘 3시에 만나! (기대된다) *웃음*",
        "A형이야? 난 B형. 1학년 때 만났지.",
        "진짜?? :) ^^ ㅋㅋ <3",
        "로라: 안녕",
        "첫째, 쉬세요. 둘째, 드세요.",
    ],
)
def test_chat_is_no_markup(reply: str) -> None:
    assert markup(reply).value == 0


@pytest.mark.parametrize(
    ("reply", "least"),
    [
        ("```python\nprint(1)\n```", 1.0),
        ("### 질문: 뭐 해? ### 답변: 그냥", 0.3),
        ("좋아요.\n질문: 오늘 뭐 해?\n답변: 쉬어요", 1.0),
        ("* 하나\n* 둘\n* 셋", 0.6),
        ("1. 하나\n2. 둘", 0.4),
        ("**중요**한 **규칙**", 0.4),
        ("<|endoftext|>", 0.5),
        ("자세히: https://example.com", 0.3),
        ("#온라인 #세상", 0.4),
        ("| 이름 | 값 |\n| a | b |", 0.6),
        ("좋아! ### 질문: 뭐 해? ### 답변: 쉬어", 1.0),
        ("남자: 춥다\n여자: 그러게", 0.4),
        ("좋은 하루 되세요. 무단 전재 및 재배포 금지 ⓒ 신문", 0.6),
        ("안녕&nbsp;하세요<br/>", 0.8),
        ("for i in range(3):\n    print(i)", 0.6),
    ],
)
def test_code_and_markup_add_up(reply: str, least: float) -> None:
    assert (markup(reply).value or 0) >= least - 1e-9


def test_markup_never_exceeds_one() -> None:
    assert markup("```\n" * 50).value == 1


def test_layout_counts_four_ways_of_ordering_a_text_each_up_to_a_quarter() -> None:
    assert layout("한 문단뿐인 글입니다.").value == 0
    assert layout("**굵게** 쓴 글입니다.").value == pytest.approx(1 / 5 / 4)
    assert layout("\n".join(f"{n}. 항목" for n in range(1, 30))).value == pytest.approx(1 / 4)
    everything = "# 제목\n\n**가** **나** **다** **라** **마**\n\n## 소제목\n" + "\n\n- 항목" * 9
    assert layout(everything).value == 1
