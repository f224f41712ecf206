"""Korean that is written once, in 합니다체, is spoken in 해요체 on the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from model_registry.language import read_by, read_on_page, text
from model_registry.messages.polite_endings import polite

ROOT = Path(__file__).resolve().parents[3]
ROOMS = ("model_registry", "rows", "diagrams", "evaluators", "benchmarks", "pages")


@pytest.mark.parametrize(
    ("formal", "spoken"),
    [
        ("파일이 없습니다.", "파일이 없어요."),
        ("값이 같습니다.", "값이 같아요."),
        ("측정했습니다.", "측정했어요."),
        ("끝났습니다", "끝났어요"),
        ("저장합니다.", "저장해요."),
        ("실행됩니다.", "실행돼요."),
        ("1위가 바뀝니다.", "1위가 바뀌어요."),
        ("더 느립니다.", "더 느려요."),
        ("둘로 나옵니다.", "둘로 나와요."),
        ("기록을 둡니다.", "기록을 둬요."),
        ("서로 다릅니다.", "서로 달라요."),
        ("아직 모릅니다.", "아직 몰라요."),
        ("너무 큽니다.", "너무 커요."),
        ("행이 깁니다.", "행이 길어요."),
        ("표를 만듭니다.", "표를 만들어요."),
        ("등급을 매깁니다.", "등급을 매겨요."),
        ("한데 섞입니다.", "한데 섞여요."),
        ("결과가 아닙니다.", "결과가 아니에요."),
        ("실제 파일입니다.", "실제 파일이에요."),
        ("아직 후보입니다.", "아직 후보예요."),
        ("모두 12입니다.", "모두 12이에요."),
        ("계속 합니까?", "계속 하나요?"),
        ("이것이 없습니까?", "이것이 없나요?"),
        ("다른 후보입니까?", "다른 후보인가요?"),
        ("있습니다. (없습니다)", "있어요. (없어요)"),
        ("평가를 마쳤어요. 고맙습니다!", "평가를 마쳤어요. 고맙습니다!"),
        ("그곳에 다니다, 아니다, 하십니다만", "그곳에 다니다, 아니다, 하십니다만"),
        ("습니다", "습니다"),
        ("nothing 한국어", "nothing 한국어"),
    ],
)
def test_an_ending_changes_and_nothing_else(formal: str, spoken: str) -> None:
    assert polite(formal) == spoken


def test_no_sentence_of_ours_keeps_a_formal_ending() -> None:
    formal = re.compile(r"[가-힣]+[습입합됩]니[다까](?![가-힣])")
    texts = [
        path.read_text(encoding="utf-8")
        for room in ROOMS
        for ending in ("*.py", "*.toml")
        for path in (ROOT / room).rglob(ending)
        if path.name != "polite_endings.py"
    ]
    words = {word for one in texts for word in formal.findall(one)}
    assert len(words) > 100, "something was looked at"
    assert {word for word in words if polite(word) == word} <= {"고맙습니다"}


def test_a_text_is_formal_in_the_terminal_spoken_on_a_page_and_english_where_english_is_read() -> (
    None
):
    def said() -> str:
        return text("There is none.", "없습니다.")

    with read_by(korean=True):
        assert said() == "없습니다."
        with read_on_page(korean=True):
            assert said() == "없어요."
        assert said() == "없습니다."
    with read_on_page(korean=False):
        assert said() == "There is none."
