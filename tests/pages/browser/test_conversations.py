"""Chat and Compare as a person uses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from evaluators.grading.store.grade_store import GradeStore
from tests.pages.browser.conftest import axe_finds_nothing, go_to
from tests.pages.browser.test_grade_tab import compose
from tests.pages.page_plugin import MARKDOWN
from tests.pages.page_server import Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MESSAGE = "#chat-message textarea, #chat-message input"
PROMPT = "#compare-prompt textarea, #compare-prompt input"


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
    return [one.strip() for one in tab.locator("#chat-history .text").all_inner_texts()]


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
    tab.evaluate("document.querySelector('#chat-history .bot').dataset.old = ''")
    tab.click("#chat-again")
    tab.wait_for_selector("#chat-history .bot:not([data-old])")
    wait_for_answer(tab, "산에서 안녕 하고 부르면 안녕 하고 돌아와요.")
    assert len(bubbles(tab)) == 2
    tab.click("#chat-clear")
    tab.wait_for_function("document.querySelectorAll('#chat-history .message').length === 0")


def test_an_answer_takes_no_other_beside_it_and_is_stopped_in_the_middle(visit: Callable) -> None:
    tab = visit("?tab=chat")
    talk_to(tab, "메아리-산")
    tab.fill(MESSAGE, "천천히 이야기해 줘")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#chat-history .message:has-text('산에서')")
    around = "getComputedStyle(document.querySelector('#chat-history .html-container')).opacity"
    assert tab.evaluate(around) == "1", "what grows is read, not faded"
    tab.fill(MESSAGE, "그다음 질문")
    tab.keyboard.press("Enter")
    tab.evaluate("document.querySelector('#chat-again').click()")
    tab.wait_for_timeout(700)
    assert len(bubbles(tab)) == 2 and bubbles(tab)[0] == "천천히 이야기해 줘"
    assert tab.input_value(MESSAGE) == "그다음 질문"
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
    tab.locator("#chat-history .grade").first.focus()  # back to the earlier answer
    # What the server says to that must not come after what it says to the grade.
    with tab.expect_response("**/gradio_api/run/**"):
        tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.ariaPressed") == "true", "focus stays with it"
    assert tab.locator("#chat-history .graded .text").inner_text().startswith(f"산에서 {first}")
    assert tab.is_visible("#chat-history .graded:has([aria-pressed=true]) .mark")
    tab.wait_for_selector("#chat-grade-save:not(:has-text('저장됨'))")
    grade_answer(tab, "최상")
    assert grades_in_chat(page, first) == [("메아리-산", 1), ("메아리-산", 5)]
    assert grades_in_chat(page, second) == []
    (kept, *_) = [g for g in stored(page).grades("chat") if g.prompt == first]
    assert kept.settings == {
        "system": "", "temperature": 0.0, "top_p": 1.0, "max_new_tokens": 120, "seed": 0,
    }  # fmt: skip


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_a_note_stays_with_its_answer_however_late_the_server_is(visit: Callable) -> None:
    tab, note = visit("?tab=chat"), "#chat-grade-note textarea, #chat-grade-note input"
    talk_to(tab, "메아리-산")
    for asked in ("하나", "둘"):
        say(tab, asked, f"산에서 {asked}")
        tab.wait_for_selector("#chat-grade-choice label")
    tab.fill(note, "둘에 대한 메모")
    held: list[Any] = []
    tab.route("**/gradio_api/run/**", lambda route: held.append(route))
    tab.locator("#chat-history .grade").first.click()
    tab.wait_for_function("where => !document.querySelector(where).value", arg=note)
    for one in held:
        one.continue_()


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


def test_a_reply_s_markdown_is_shown_and_nothing_in_it_runs_opens_or_fetches(
    visit: Callable, picture: Callable
) -> None:
    tab = visit("?tab=chat")
    asked_outside: list[str] = []
    tab.on("request", lambda one: asked_outside.append(one.url))
    talk_to(tab, "메아리-숲")
    hostile = "바로 <script>document.title='뚫림'</script><b>굵게</b> **별**"
    say(tab, hostile, "reference")
    assert bubbles(tab)[0] == hostile
    text = tab.locator("#chat-history .bot .text")
    for tag, said in (
        ("h4", "숲의 제목"), ("h5", "작은 제목"), ("strong", "굵게"), ("em", "기울여"),
        ("code", "a<b"), ("ol[start='3'] > li", "셋째"), ("li ul li", "안쪽"), ("td", "소나무"),
    ):  # fmt: skip
        assert text.locator(tag).first.inner_text().startswith(said), tag
    assert "  들여 쓴 줄 <b>" in text.locator("pre").inner_text()
    shown = text.inner_text()
    start = MARKDOWN.index("![그림]")
    assert " ".join(MARKDOWN[start:].replace("{{", "{").replace("}}", "}").split()) in " ".join(
        shown.split()
    )
    allowed = "p,h4,h5,strong,em,code,ol,ul,li,table,thead,tbody,tr,th,td,pre,br,div.wide"
    assert text.locator(f":not({allowed})").count() == 0
    assert text.locator("[href], [src], [style], [onerror], [onload]").count() == 0
    text.get_by_text("누르세요").click()
    tab.wait_for_timeout(500)
    assert tab.title() == "Oh-LoRA" and len(tab.context.pages) == 1
    assert [url for url in asked_outside if "127.0.0.1" not in url] == []
    picture(tab, "chat-markdown")


def test_a_question_is_edited_and_asked_again_by_keyboard_and_grades_stay(
    visit: Callable, page: Page, size: str
) -> None:
    tab = visit("?tab=chat")
    talk_to(tab, "메아리-산")
    first, second = f"R&D <b> {size}", f"다음 {size}"
    say(tab, first, f"산에서 {first}")
    grade_answer(tab, "하")
    say(tab, second, f"산에서 {second}")
    tab.focus("#chat-history .user .edit >> nth=0")
    tab.keyboard.press("Enter")
    assert tab.input_value("#chat-history .rewrite") == first
    tab.keyboard.press("Escape")
    assert tab.evaluate("document.activeElement.className") == "edit"
    tab.keyboard.press("Enter")
    tab.keyboard.press("ControlOrMeta+a")
    tab.keyboard.type(f"산 {size}")
    tab.keyboard.press("Enter")
    wait_for_answer(tab, f"산에서 산 {size}")
    assert len(bubbles(tab)) == 2 and bubbles(tab)[0] == f"산 {size}"
    assert grades_in_chat(page, first) == [("메아리-산", 2)]
    tab.wait_for_selector("#chat-grade")
    grade_answer(tab, "중")
    assert grades_in_chat(page, f"산 {size}") == [("메아리-산", 3)]


@pytest.mark.parametrize("size", ["desktop"], indirect=True)
def test_a_message_is_copied_as_it_was_written(visit: Callable) -> None:
    tab = visit("?tab=chat")
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    talk_to(tab, "메아리-숲")
    say(tab, "바로 복사할 <b>말</b>", "reference")
    for which, told in (("user", "바로 복사할 <b>말</b>"), ("bot", "**굵게** 그리고 *기울여*")):
        tab.focus(f"#chat-history .{which} .copy")
        tab.keyboard.press("Enter")
        tab.wait_for_selector(f"#chat-history .{which} .copy:has-text('복사됨')")
        assert told in tab.evaluate("navigator.clipboard.readText()")


def in_view(tab: Any, selector: str) -> bool:
    box = tab.locator(selector).bounding_box()
    return box["y"] >= 0 and box["y"] + box["height"] <= tab.viewport_size["height"] + 1


@pytest.mark.parametrize(("name", "entry"), [("chat", MESSAGE), ("compare", PROMPT)])
def test_the_box_for_the_next_message_stays_in_view(visit: Callable, name: str, entry: str) -> None:
    tab = visit(f"?tab={name}")
    tab.wait_for_selector(entry)
    if name == "chat":
        talk_to(tab, "메아리-숲")
    for asked in ("바로 하나", "바로 둘"):
        tab.fill(entry, asked)
        tab.keyboard.press("Enter")
        ready = "#chat-grade" if name == "chat" else "#vote-left:not([disabled])"
        tab.wait_for_selector(f".message.user:has-text('{asked}')")
        tab.wait_for_timeout(400)
        tab.wait_for_selector(ready)
        assert in_view(tab, entry)
    for place in (0, 150, 100_000):
        tab.evaluate(f"window.scrollTo(0, {place})")
        tab.wait_for_timeout(50)
        assert in_view(tab, entry), place
    width = tab.viewport_size["width"]
    assert tab.evaluate("document.documentElement.scrollWidth") <= width, "nothing is cut off"


def test_two_candidates_are_asked_on_and_named_after_the_verdict(
    visit: Callable, page: Page, picture: Callable, size: str
) -> None:
    tab = visit("?tab=compare")
    tab.wait_for_selector(PROMPT)
    for number, asked in enumerate(("첫 질문", "이름이 뭐예요?", "끝으로"), 1):
        tab.fill(PROMPT, asked)
        tab.keyboard.press("Enter")
        tab.wait_for_function(
            f"document.querySelectorAll('#compare-view .bot .copy').length === {2 * number}"
        )
        assert "메아리-" not in tab.inner_text("#compare-view")
        assert "bundled-" not in tab.inner_text("#compare-view")
    tab.wait_for_selector("#vote-right:not([disabled])")
    a, b = tab.evaluate(
        """() => ["a", "b"].map((side) =>
            [...document.querySelectorAll(`[data-side=${side}]`)].at(-1).getBoundingClientRect().toJSON()
        )"""
    )  # at one moment
    if size == "phone":
        assert b["y"] >= a["y"] + a["height"] and a["x"] == b["x"], "one under the other"
    else:
        assert a["y"] == b["y"] and b["x"] >= a["x"] + a["width"], "side by side"
    picture(tab, "compare-turns")
    tab.focus("#vote-right")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#compare-outcome p:not(:empty)")
    vote = stored(page).votes()[-1]
    assert vote.choice == "right" and len(vote.settings["turns"]) == 3  # type: ignore[arg-type]
    heads = tab.locator("#compare-view .bot h3").all_inner_texts()
    assert heads == [f"답변 A = {vote.left}", f"답변 B = {vote.right}"] * 3
    tab.fill(PROMPT, "새 대화")
    tab.keyboard.press("Enter")
    tab.wait_for_function("document.querySelectorAll('#compare-view .copy').length === 3")
    assert tab.locator("#compare-view h3 b").count() == 0
    tab.click("#compare-clear")
    tab.wait_for_selector("#compare-view .empty")


def ask_both(tab: Any, asked: str) -> int:
    """Ask two candidates; how many replies there are when both have ended, be it by an error."""
    before = tab.locator("#compare-view .bot").count()
    tab.fill(PROMPT, asked)
    tab.keyboard.press("Enter")
    tab.wait_for_function(
        "(document.querySelector('.toast-body')"
        f" || document.querySelectorAll('#compare-view .bot .copy').length === {before + 2})"
        " && !document.querySelector('#compare-view .bot:not(:has(.copy))')"
    )
    return int(tab.locator("#compare-view .bot").count())


@pytest.mark.parametrize("size", ["phone"], indirect=True)
def test_a_candidate_that_fails_leaves_the_conversation_as_it_was(visit: Callable) -> None:
    tab = visit("?tab=compare")
    tab.wait_for_selector(PROMPT)
    for _ in range(30):  # the pair is drawn, and not everybody fails when told to
        assert ask_both(tab, "하나") == 2
        if ask_both(tab, "고장") == 2:
            break
        tab.click("#compare-clear")
        tab.wait_for_selector("#compare-view .empty")
    tab.locator(".toast-body").wait_for(state="detached")
    tab.wait_for_selector("#vote-left:not([disabled])")
    assert "고장" not in tab.inner_text("#compare-view")
    assert ask_both(tab, "둘") == 4
    assert "고장" not in tab.inner_text("#compare-view")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_or_moderate_in_conversations(
    visit: Callable, scheme: str, picture: Callable
) -> None:
    locale = "ko-KR" if scheme == "dark" else "en-GB"
    tab = visit("?tab=chat", locale=locale)
    tab.emulate_media(color_scheme=scheme)
    tab.reload()
    tab.wait_for_selector(MESSAGE)
    axe_finds_nothing(tab, "chat, empty")
    talk_to(tab, "메아리-숲")
    say(tab, "바로 말해 줘", "reference")
    tab.wait_for_selector("#chat-grade")
    axe_finds_nothing(tab, "chat")
    tab.click("#chat-history .edit")
    axe_finds_nothing(tab, "chat, editing")
    picture(tab, f"chat-edit-{scheme}")
    go_to(tab, tab.url.replace("tab=chat", "tab=compare"))
    tab.wait_for_selector(PROMPT)
    axe_finds_nothing(tab, "compare, empty")
    tab.fill(PROMPT, "바로 말해 줘")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#vote-left:not([disabled])")
    axe_finds_nothing(tab, "compare")
    tab.click("#vote-left")
    tab.wait_for_selector("#compare-outcome p:not(:empty)")
    axe_finds_nothing(tab, "compare, named")
    picture(tab, f"compare-named-{scheme}")
