"""Chat, Compare, Candidates and Results as a person uses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from evaluators.grading.store.grade_store import GradeStore
from tests.pages.browser.test_grade_tab import compose
from tests.pages.page_server import OWNER, ROOT, Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

MESSAGE = "#chat-message textarea, #chat-message input"


def stored(page: Page) -> GradeStore:
    return GradeStore.open(f"sqlite:///{page.folder / 'data' / 'grades.db'}")


def choose(tab: Any, elem_id: str, value: str) -> None:
    """Choose in a Gradio dropdown."""
    tab.click(f"#{elem_id} input")
    tab.click(f"[role=option]:has-text('{value}')")


def talk_to(tab: Any, name: str) -> None:
    tab.wait_for_selector(MESSAGE)
    choose(tab, "chat-candidate", name)


def bubbles(tab: Any) -> list[str]:
    return [
        one.strip()
        for one in tab.locator(
            "#chat-history :is([data-testid=user], [data-testid=bot])"
        ).all_inner_texts()
    ]


def wait_for_answer(tab: Any, text: str) -> None:
    tab.wait_for_selector(f"#chat-history .message:has-text('{text}')")
    tab.wait_for_selector("#chat-send", state="visible")


def test_a_chat_in_composed_korean_is_answered_graded_and_repeated(
    visit: Callable, page: Page, picture: Callable, size: str
) -> None:
    tab = visit("?tab=chat")
    talk_to(tab, "메아리-산")
    tab.focus(MESSAGE)
    compose(tab, "ㅇ", "아", "안")
    tab.evaluate(
        """(where) => document.querySelector(where).dispatchEvent(new KeyboardEvent(
            'keydown', {key: 'Enter', keyCode: 229, isComposing: true, bubbles: true}))""",
        MESSAGE,
    )
    compose(tab, "ㄴ", "녀", "녕")
    assert tab.input_value(MESSAGE) == "안녕"
    tab.keyboard.press("Enter")
    wait_for_answer(tab, "산에서 안녕 하고 부르면 안녕 하고 돌아와요.")
    assert bubbles(tab)[0] == "안녕"
    assert len(bubbles(tab)) == 2
    tab.fill("#chat-grade-note textarea, #chat-grade-note input", f"메모 {size}")
    tab.click("#chat-grade-choice label:has-text('최상')")
    tab.wait_for_selector("#chat-grade-save:has-text('저장됨')")
    (kept,) = [g for g in stored(page).grades("chat") if g.note == f"메모 {size}"]
    assert (kept.grade, kept.candidate, kept.prompt, kept.blind) == (5, "메아리-산", "안녕", False)
    picture(tab, "chat")
    tab.click("#chat-again")
    tab.wait_for_timeout(400)
    wait_for_answer(tab, "산에서 안녕")
    assert len(bubbles(tab)) == 2
    tab.click("#chat-clear")
    tab.wait_for_function(
        "document.querySelectorAll('#chat-history [data-testid=user]').length === 0"
    )


def test_markup_of_people_and_models_is_shown_as_text(visit: Callable) -> None:
    tab = visit("?tab=chat")
    talk_to(tab, "메아리-굴")
    tab.fill(MESSAGE, "<script>document.title='뚫림'</script><b>굵게</b>")
    tab.keyboard.press("Enter")
    wait_for_answer(tab, "이에요.")
    assert bubbles(tab)[0] == "<script>document.title='뚫림'</script><b>굵게</b>"
    assert "<img src=x" in bubbles(tab)[1]
    assert tab.locator("#chat-history .message img, #chat-history .message b").count() == 0
    assert tab.title() == "Oh-LoRA"


def test_an_answer_is_stopped_in_the_middle(visit: Callable) -> None:
    tab = visit("?tab=chat")
    talk_to(tab, "메아리-산")
    tab.fill(MESSAGE, "천천히 이야기해 줘")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#chat-history .message:has-text('산에서')")
    tab.click("#chat-stop")
    tab.wait_for_selector("#chat-send", state="visible")
    tab.wait_for_timeout(500)
    stopped = bubbles(tab)[-1]
    tab.wait_for_timeout(1000)
    assert bubbles(tab)[-1] == stopped
    assert stopped.count("돌아와요.") < 40


def test_conversations_of_two_visitors_do_not_mix(visit: Callable) -> None:
    one, other = visit("?tab=chat"), visit("?tab=chat")
    for tab, name in ((one, "메아리-산"), (other, "메아리-바다")):
        talk_to(tab, name)
    one.fill(MESSAGE, "천천히 하나")
    one.keyboard.press("Enter")
    other.fill(MESSAGE, "천천히 둘")
    other.keyboard.press("Enter")
    one.wait_for_selector("#chat-history .message:has-text('하나 하고')")
    other.wait_for_selector("#chat-history .message:has-text('철썩')")
    assert "둘" not in "".join(bubbles(one)) and "하나" not in "".join(bubbles(other))


def test_a_prompt_under_grading_is_not_answered_by_name(visit: Callable) -> None:
    tab = visit("?tab=chat")
    talk_to(tab, "메아리-산")
    tab.fill(MESSAGE, "질문 0: <b>주말</b>엔 뭐 할까?")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("text=이름을 가리고 평가하는 중")


def test_a_vote_shows_the_names_and_is_kept(visit: Callable, page: Page, picture: Callable) -> None:
    tab = visit("?tab=compare")
    tab.wait_for_selector("#compare-prompt textarea, #compare-prompt input")
    before = len(stored(page).votes())
    tab.fill("#compare-prompt textarea, #compare-prompt input", "바람이 분다")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#vote-left:not([disabled])", timeout=60_000)
    shown = [tab.input_value(f"#compare-reply_{side} textarea") for side in "ab"]
    assert all(shown) and "메아리-" not in "".join(shown)
    picture(tab, "compare")
    tab.click("#vote-both_good")
    tab.wait_for_selector("#compare-outcome")
    outcome = tab.input_value("#compare-outcome textarea, #compare-outcome input")
    votes = stored(page).votes()
    assert len(votes) == before + 1
    assert votes[-1].left in outcome and votes[-1].right in outcome
    assert tab.is_disabled("#vote-both_good")


def test_candidates_are_filtered_and_the_rejected_have_a_reason(
    visit: Callable, picture: Callable
) -> None:
    tab = visit("?tab=candidates")
    tab.wait_for_selector("#candidates-accepted table")
    everybody = tab.locator("#candidates-accepted tbody tr").count()
    choose(tab, "candidates-license", "자유 이용")
    tab.wait_for_selector("#candidates-rejected tbody tr")
    accepted = tab.locator("#candidates-accepted tbody tr").count()
    rejected = tab.locator("#candidates-rejected tbody tr").count()
    assert accepted + rejected == everybody
    assert all(
        one.strip() for one in tab.locator("#candidates-rejected td:nth-child(2)").all_inner_texts()
    )
    picture(tab, "candidates")
    tab.fill("#candidates-max input[type=number]", "1")
    tab.keyboard.press("Tab")
    tab.wait_for_function(
        f"document.querySelectorAll('#candidates-accepted tbody tr').length < {accepted}"
    )


def test_the_owner_sees_results_and_downloads_them(visit: Callable, picture: Callable) -> None:
    tab = visit(f"?tab=results&key={OWNER}")
    tab.wait_for_selector("#results-decision tbody tr")
    assert tab.locator("#results-decision tbody tr").count() == 3
    assert tab.locator("#results-cost svg circle").count() in (0, 3)
    picture(tab, "results")
    with tab.expect_download() as csv:
        tab.click("#results-csv")
    content = csv.value.path().read_bytes()
    assert content.startswith("\ufeff".encode()) and b"candidate" in content
    with tab.expect_download() as document:
        tab.click("#results-json")
    assert b'"decision"' in document.value.path().read_bytes()


def test_the_owner_looks_a_model_up_and_a_guest_has_no_box(
    visit: Callable, page: Page, picture: Callable
) -> None:
    guest = visit("?tab=candidates")
    guest.wait_for_selector("#candidates-accepted tbody tr")
    assert not guest.is_visible("#lookup-name")
    tab = visit(f"?tab=candidates&key={OWNER}")
    (page.folder / "no-model").mkdir(exist_ok=True)
    tab.fill("#lookup-name :is(textarea, input)", str(page.folder / "no-model"))
    tab.click("#lookup-show")
    tab.wait_for_selector("#lookup-load tbody tr:has-text('빈 폴더')")
    picture(tab, "lookup")


def grades_in_chat(page: Page, prompt: str) -> list[tuple[str, int | None]]:
    history = stored(page).grades("chat", history=True)
    return [(g.candidate, g.grade) for g in history if g.prompt == prompt]


def say(tab: Any, message: str, answer: str) -> None:
    tab.fill(MESSAGE, message)
    tab.keyboard.press("Enter")
    wait_for_answer(tab, answer)


def grade_answer(tab: Any, level: str) -> None:
    tab.click(f"#chat-grade-choice label:has-text('{level}')")
    tab.wait_for_selector("#chat-grade-save:has-text('저장됨')")


def test_a_grade_is_kept_for_whoever_made_the_answer_whoever_is_chosen_by_now(
    visit: Callable, page: Page, size: str
) -> None:
    tab = visit("?tab=chat")
    talk_to(tab, "메아리-산")
    first, second = f"파도 {size}", f"구름 {size}"
    say(tab, first, f"산에서 {first}")
    choose(tab, "chat-candidate", "메아리-바다")
    grade_answer(tab, "최하")
    assert grades_in_chat(page, first) == [("메아리-산", 1)]
    say(tab, second, f"바다는 {second}")
    tab.locator("#chat-history [data-testid=bot]").first.click()  # back to the earlier answer
    tab.wait_for_selector("#chat-grade-save:not(:has-text('저장됨'))")
    grade_answer(tab, "최상")
    assert grades_in_chat(page, first) == [("메아리-산", 1), ("메아리-산", 5)]
    assert grades_in_chat(page, second) == []
    (kept, *_) = [g for g in stored(page).grades("chat") if g.prompt == first]
    assert kept.settings == {
        "system": "", "temperature": 0.0, "top_p": 1.0, "max_new_tokens": 120, "seed": 0,
    }  # fmt: skip


def test_an_answer_that_was_stopped_is_graded_for_whoever_made_it(
    visit: Callable, page: Page, size: str
) -> None:
    tab = visit("?tab=chat")
    talk_to(tab, "메아리-산")
    message = f"천천히 멈춤 {size}"
    tab.fill(MESSAGE, message)
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#chat-history .message:has-text('산에서')")
    tab.click("#chat-stop")
    tab.wait_for_selector("#chat-grade-choice label")
    choose(tab, "chat-candidate", "메아리-바다")
    tab.wait_for_timeout(500)
    grade_answer(tab, "하")
    assert grades_in_chat(page, message) == [("메아리-산", 2)]


def test_the_next_answer_shows_no_grade_and_takes_the_same_one_again(
    visit: Callable, page: Page, size: str
) -> None:
    tab = visit("?tab=chat")
    talk_to(tab, "메아리-산")
    messages = [f"하나 {size}", f"둘 {size}"]
    for message in messages:
        say(tab, message, f"산에서 {message}")
        tab.wait_for_selector("#chat-grade-choice label")
        assert tab.locator("#chat-grade-choice input:checked").count() == 0
        assert tab.input_value("#chat-grade-note textarea, #chat-grade-note input") == ""
        tab.fill("#chat-grade-note textarea, #chat-grade-note input", "메모")
        grade_answer(tab, "최상")
    tab.click("#chat-again")  # the same text again is another answer
    # The grades are away for a moment only, which a look may miss; what was chosen stays away.
    tab.wait_for_selector("#chat-grade-choice input:checked", state="detached")
    wait_for_answer(tab, f"산에서 {messages[1]}")
    tab.wait_for_selector("#chat-grade-choice label")
    grade_answer(tab, "최상")
    assert [grades_in_chat(page, m) for m in messages] == [
        [("메아리-산", 5)], [("메아리-산", 5), ("메아리-산", 5)],
    ]  # fmt: skip


def test_a_sorted_table_folds_its_last_rows_and_not_those_of_before(browser: Any) -> None:
    tab = browser.new_page(locale="en-US")
    tab.set_content('<div id="table"><h3></h3><div class="rows"></div></div>')
    tab.evaluate(
        "(props) => { const element = document.querySelector('#table'), watch = () => null;"
        + (ROOT / "pages/assets/table.js").read_text("utf-8")
        + "}",
        {
            "title": {"en": "", "ko": ""},
            "none": {"en": "", "ko": ""},
            "columns": [{"key": "n", "en": "Number", "ko": "", "always": True, "numeric": True}],
            "value": [{"n": n, "folded": n > 2} for n in (1, 2, 3, 4)],
        },
    )
    assert tab.locator("td").all_inner_texts() == ["1", "2"]
    tab.click("th button")
    assert tab.locator("td").all_inner_texts() == ["4", "3"], "the largest, not the largest of two"
    tab.click(".fold")
    assert tab.locator("td").all_inner_texts() == ["4", "3", "2", "1"]
    tab.close()
