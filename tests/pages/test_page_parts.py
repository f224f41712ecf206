"""The parts of the page that need no server: conversations, models, pairs, rows, who asks."""

from __future__ import annotations

import asyncio
import builtins
import io
import itertools
import os
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.blocks import BlockFunction

from benchmarks.results.folder import RunFolder
from benchmarks.results.run import Run
from benchmarks.results.shown_rows import (
    cost_and_quality,
    decision_rows,
    difference_rows,
    grade_rows,
    rating_rows,
)
from evaluators.grading.grading_session import GradingSession
from evaluators.grading.masking import Mask
from evaluators.grading.rater_identity import Visitor
from evaluators.grading.statistics.agreement import Agreement
from evaluators.grading.statistics.grade_summary import summarize, summary_of
from evaluators.grading.store.grade_records import Grader, Vote
from evaluators.grading.store.grade_store import GradeStore
from evaluators.grading.submission import InvalidRequest
from model_registry.backends.backend import Answer, GenerationSettings
from model_registry.backends.remote.failures import AskError
from model_registry.candidate import Candidate, License
from model_registry.errors import UnknownName
from model_registry.language import read_on_page
from model_registry.records import append_rows
from model_registry.registry import Registry
from pages.management.management_tab import exported
from pages.page_context import (
    PageContext,
    address_of,
    login_of,
    page_visitor,
    prefers_korean,
    sees_names,
    shows_names,
)
from pages.page_layout import serving
from pages.results_words import notice_words
from pages.serving.page_models import Models, is_at_hand, on_gpu
from pages.serving.shared_results import SharedResults
from pages.tabs import candidate_pair, conversation
from pages.tabs.candidate_pair import Pair, answered, keep_vote, next_question
from pages.tabs.candidate_rows import candidate_row
from pages.tabs.candidates_tab import economy, tables
from pages.tabs.chat_tab import chat_tab
from pages.tabs.compare_tab import compare_tab
from pages.tabs.conversation import (
    edited_messages,
    generation_settings,
    keep_grade,
    plain_messages,
    stream_answer,
)
from pages.tabs.grade_tab import grading_visitor
from pages.tabs.markdown_nodes import markdown_nodes
from pages.tabs.results_tab import (
    make_first_results,
    results_tab,
    run_to_show,
    show_results,
)
from tests.pages.event_loops import finish
from tests.support import report_fixtures
from tests.support.grading_fixtures import CANDIDATES, PROMPTS, make_run

PLUGIN = Path(__file__).parent / "page_plugin.py"


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PageContext:
    monkeypatch.setattr(conversation, "EVERY", 0.0)
    store = GradeStore.open(f"sqlite:///{tmp_path / 'grades.db'}")
    grading = GradingSession(lambda: store, {"run": make_run(tmp_path / "run")}, owner_key="key")
    return PageContext(grading, Models(Registry([PLUGIN])), results=SharedResults(apart=False))


def a_request(query: str = "", username: str | None = None, **headers: str) -> Any:
    """What Gradio hands to a handler."""
    headers["referer"] = f"http://x/?{query}"
    return SimpleNamespace(
        headers=headers, query_params={}, username=username, session_hash="s", request=None
    )


def test_an_answer_grows_and_is_closed_with_its_model(context: PageContext) -> None:
    messages = [{"role": "user", "content": "안녕"}]
    grown = list(stream_answer(context, "메아리-산", messages, "", GenerationSettings()))
    assert grown[0] == messages
    said = [one[-1]["content"] for one in grown[1:]]
    assert said[-1].strip() == "산에서 안녕 하고 부르면 안녕 하고 돌아와요."
    assert all(later.startswith(earlier) for earlier, later in itertools.pairwise(said))
    assert context.models.busy == 0


class Clock:
    """A time of the test's own, in which only what it says takes any."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(("gathers", "took"), [(False, 2.0), (True, 42.0)])
def test_a_source_that_works_when_asked_is_not_made_slower_by_the_pauses(
    monkeypatch: pytest.MonkeyPatch, gathers: bool, took: float
) -> None:
    clock = Clock()
    monkeypatch.setattr(conversation, "time", clock)

    def source() -> Generator[str, None, None]:
        for number in range(1, 201):
            clock.sleep(0.01)
            yield "가" * number

    shown = list(conversation.paced(source(), lambda: 0.2, gathers=gathers))
    assert clock.now == pytest.approx(took)  # 200 pauses at most for one that gathers meanwhile
    assert (shown[0], shown[-1]) == ("가", "가" * 200)
    assert gathers or len(shown) < 20


def test_answers_of_one_visitor_count_once_for_the_pauses(context: PageContext) -> None:
    with context.slots.held_by("a"), context.slots.held_by("a"), context.slots.held_by("b"):
        assert context.slots.visitors == 2
    assert context.slots.visitors == 0


def the_tab(context: PageContext, build: Callable[[PageContext, gr.Tab], object]) -> gr.Blocks:
    with gr.Blocks() as page, gr.Tab() as tab:
        build(context, tab)
    return page


def endpoint(page: gr.Blocks, name: str) -> BlockFunction:
    return next(fn for fn in page.fns.values() if fn.api_name == name)


def asked_in_chat(fn: BlockFunction, message: str) -> Iterator[tuple[Any, ...]]:
    settings = (message, [], "메아리-산", "", 0.0, 1.0, 60, 0)
    return fn.fn(*settings, gr.EventData(None, None), a_request())  # type: ignore[misc,union-attr]


def test_whatever_asks_in_the_chat_is_one_event_that_waits_for_its_answer(
    context: PageContext,
) -> None:
    chat = endpoint(the_tab(context, chat_tab), "chat")
    assert [event for _, event in chat.targets] == ["submit", "click", "edit", "click"]
    assert chat.trigger_mode == "once"


def test_what_is_typed_while_an_answer_grows_stays_in_its_box(context: PageContext) -> None:
    first, *later = asked_in_chat(endpoint(the_tab(context, chat_tab), "chat"), "안녕")
    assert first[1] == "" and len(later) > 1
    assert {str(shown[1:]) for shown in later} == {str((gr.skip(),) * 8)}


def test_a_second_answer_of_the_same_visit_ends_the_first(context: PageContext) -> None:
    chat = endpoint(the_tab(context, chat_tab), "chat")
    first, second = (asked_in_chat(chat, asked) for asked in ("천천히 하나", "둘"))
    next(first), next(first), next(second)
    assert list(first) == []
    (*_, said) = second
    assert said[0][-1]["content"].startswith("산에서 둘")
    assert context.models.busy == 0


def test_a_setting_out_of_bounds_is_named_as_the_page_names_it() -> None:
    with pytest.raises(InvalidRequest) as told:
        generation_settings(0, 1, 10**9, 0)
    assert told.value.korean == "최대 생성 토큰 수: 1에서 1024 사이의 수여야 해요."
    assert str(told.value) == "Most new tokens must be a number from 1 to 1024."


@pytest.mark.parametrize("korean", [False, True])
def test_a_reply_that_is_only_thinking_is_said_to_be_no_answer(
    context: PageContext, monkeypatch: pytest.MonkeyPatch, korean: bool
) -> None:
    def thinks(*_: Any) -> Generator[str, None, Answer]:
        yield from ()
        return Answer("", 9, "length", problems=("truncated", "no_answer"), thinking="음")

    monkeypatch.setattr(context.models, "stream", thinks)
    asked = [{"role": "user", "content": "안녕"}]
    *_, said = stream_answer(context, "메아리-산", asked, "", GenerationSettings(), korean=korean)
    assert ("답변 없음" if korean else "no answer") in said[-1]["content"]
    keep_grade(context, said, "메아리-산", 1, "", a_request())
    (kept,) = context.grading.store.grades("chat")
    assert (kept.reply, kept.grade, kept.candidate) == ("", 1, "메아리-산")


def test_a_look_at_the_results_leaves_no_folder_behind(
    context: PageContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    (tmp_path / "temporary").mkdir()
    for _ in range(3):
        shown = finish(show_results(context, "run", a_request("key=key")))
        assert Path(shown.as_csv).is_file() and Path(shown.as_json).is_file()
    assert list((tmp_path / "temporary").iterdir()) == []
    assert len(list((tmp_path / "served").rglob("*.csv"))) == 1


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file that is opened from now on."""
    found: list[Path] = []

    def counting(really: Callable[..., Any]) -> Callable[..., Any]:
        def counted(file: Any, *arguments: Any, **given: Any) -> Any:
            found.extend([] if isinstance(file, int) else [Path(os.fsdecode(file))])
            return really(file, *arguments, **given)

        return counted

    for module in (builtins, io, os):
        monkeypatch.setattr(module, "open", counting(module.open))
    return found


def test_a_look_at_results_that_are_there_opens_no_file_of_the_run(
    tmp_path: Path, opened: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    run = report_fixtures.make_run(tmp_path / "run", weights="bundled").path
    store = GradeStore.open(f"sqlite:///{tmp_path / 'grades.db'}")
    grading = GradingSession(lambda: store, {"run": run}, owner_key="key")
    context = PageContext(grading, Models(Registry()), results=SharedResults(apart=False))
    _, token = grading.join("민지")
    who = Visitor(token)
    while "finished" not in (screen := grading.screen(who)):
        grading.submit(who, screen["screen"], [{"grade": 4} for _ in screen["replies"]])
    links = ("key=key", f"grader={token}")
    visitors = [a_request(f"{link}&lang={lang}") for link in links for lang in ("ko", "en")]
    first = [finish(show_results(context, "run", one)) for one in visitors]
    assert run / "run.json" in opened
    opened.clear()
    warm = [finish(show_results(context, "run", one)) for one in visitors]
    assert [file for file in opened if file.is_relative_to(run)] == []
    assert [look.notice for look in warm] == [look.notice for look in first]
    korean, english = ({look.notice.partition(".")[0] for look in warm[i::2]} for i in (0, 1))
    assert korean == {"실제 후보가 아닌 내장 대역 모델"}
    assert english == {"Bundled stand-ins, not the real candidates"}


def test_a_page_that_serves_makes_its_first_results_before_anybody_asks(
    context: PageContext, opened: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    monkeypatch.setattr("pages.tabs.results_tab.AFTER_START", 0.0)
    folder = context.grading.run("run").folder

    async def serve_and_look() -> str:
        lifespan: Any = serving(the_tab(context, results_tab), context)["lifespan"]
        async with lifespan(None):
            while not list((tmp_path / "served").rglob("summary.json")):
                await asyncio.sleep(0.01)
            opened.clear()
            return (await show_results(context, "run", a_request("key=key"))).notice

    assert "0 graders gave 0 grades" in finish(serve_and_look())
    assert [file for file in opened if file.is_relative_to(folder)] == []


def test_a_page_without_runs_has_nothing_to_make_and_says_so_to_who_looks(
    context: PageContext, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pages.tabs.results_tab.AFTER_START", 0.0)
    grading = GradingSession(lambda: context.grading.store, {}, owner_key="key")
    empty = replace(context, grading=grading)
    finish(make_first_results(empty))
    assert caplog.text == ""
    with pytest.raises(InvalidRequest, match="no run to grade"):
        finish(show_results(empty, "", a_request("key=key")))


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "4 graders gave 90 grades. Agreement (alpha) 0.51 (0.40–0.60). 2 pairs are not "
         "separated yet. Each place further down changes a grade by -0.25."),
        ("ko", "평가자 4명이 등급 90개를 매겼어요. 일치도(알파) 0.51 (0.40–0.60). 아직 차이가 "
         "확인되지 않은 쌍이 2개예요. 화면에서 한 자리 아래로 갈 때마다 등급이 -0.25 달라져요."),
    ],
)  # fmt: skip
def test_the_head_of_the_results_says_how_far_they_hold(language: str, told: str) -> None:
    summary = {
        "graders": 4,
        "grades": 90,
        "agreement": asdict(Agreement(0.51, 0.4, 0.6, 30, 4)),
        "differences": [{"p_holm": p} for p in (None, 0.2, 0.01)],
        "position": {"slope": -0.25, "p": 0.02},
    }
    no_words = {"en": "", "ko": ""}
    no_raters = {language: {"said": []} for language in no_words}
    document = {"warned": no_words, "decided": no_words, "raters": no_raters, "summary": summary}
    with read_on_page(korean=language == "ko"):
        assert notice_words(document, language) == told


@pytest.mark.parametrize(("korean", "said"), [(True, "알 수 없음"), (False, "unknown")])
def test_a_licence_that_nobody_knows_is_said_so_in_the_reader_s_language(
    korean: bool, said: str
) -> None:
    with read_on_page(korean=korean):
        names = ("unknown", "MIT")
        rows = [candidate_row(Candidate("가온", License(name, "unknown"))) for name in names]
        assert [row["license"] for row in rows] == [said, "MIT"]


def handler(context: PageContext, name: str) -> Any:
    """One of the Results tab's handlers, as Gradio has it."""
    fns = the_tab(context, results_tab).fns.values()
    (found,) = (fn for fn in fns if fn.name == name and fn.targets[0][1] != "select")
    return found


def test_results_of_a_run_that_is_no_longer_chosen_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    store = GradeStore.open(f"sqlite:///{tmp_path / 'grades.db'}")
    runs = {name: make_run(tmp_path / name) for name in ("run", "other")}
    grading = GradingSession(lambda: store, runs, owner_key="key")
    context = PageContext(grading, Models(Registry()), results=SharedResults(apart=False))
    owner = a_request("key=key")
    age = finish(show_results(context, "run", owner)).age
    assert age["run"] == "run"
    choose = handler(context, "results_in_passing")
    assert choose.trigger_mode == "always_last", "the second of two quick choices counts"
    *_, age = finish(handler(context, "newer_results").fn("other", age, owner))
    assert age["run"] == "other", "though nothing is new in it"
    (runs["run"] / "results.jsonl").write_text("no json\n{}\n")
    context = replace(context, results=SharedResults(apart=False))
    notice, shown, *_, age = finish(handler(context, choose.name).fn("run", owner))
    assert "results.jsonl" in notice and not shown.visible and age["run"] == "run"


def test_an_owner_who_grades_and_has_asked_keeps_the_results_that_come(
    context: PageContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    _, token = context.grading.join("민지", owner=True)
    owner = a_request(f"key=key&grader={token}")
    waits = finish(show_results(context, "run", owner, asked=False))
    assert not waits.shown.visible
    age = finish(show_results(context, "run", owner, asked=True)).age
    _, shown, *_ = finish(handler(context, "newer_results").fn("run", age, owner))
    assert shown.visible


def test_results_open_with_the_run_of_the_address(context: PageContext) -> None:
    assert run_to_show(context, a_request("run=run")).value == "run"
    assert not hasattr(run_to_show(context, a_request("run=none")), "value")


def test_closing_the_conversation_stops_the_model(context: PageContext) -> None:
    answer = stream_answer(
        context, "메아리-산", [{"role": "user", "content": "천천히"}], "", GenerationSettings()
    )
    next(answer), next(answer)
    assert context.models.busy == 1
    answer.close()
    assert context.models.busy == 0


def test_messages_of_the_page_and_of_other_clients_are_read_as_they_were_typed(
    context: PageContext,
) -> None:
    messages = [{"role": "user", "content": "<b>&amp;"}]
    shown = next(stream_answer(context, "메아리-산", messages, "", GenerationSettings()))
    assert plain_messages(shown) == messages
    content = [{"type": "text", "text": "<b>&amp;"}]
    assert plain_messages([{"role": "user", "content": content}]) == messages


def test_a_part_of_markdown_becomes_nodes_and_the_rest_stays_text() -> None:
    assert markdown_nodes("**굵게** *기울여* ~~그어~~ `a<b`\n다음") == [
        ["p", ["strong", "굵게"], " ", ["em", "기울여"], " ", ["s", "그어"], " ", ["code", "a<b"],
         ["br"], "다음"],
    ]  # fmt: skip
    assert markdown_nodes("3. 셋\n4. 넷\n   - 안") == [
        ["ol", 3, ["li", "셋"], ["li", "넷", ["ul", ["li", "안"]]]],
    ]
    assert markdown_nodes("# 하나\n### 셋\n# 하나") == [
        ["h4", "하나"],
        ["h5", "셋"],
        ["h4", "하나"],
    ]
    assert markdown_nodes("```py\n  if a < b:\n```") == [["pre", ["code", "  if a < b:\n"]]]
    for text in (
        "<script>x</script>", "[a](javascript:x)", "![a](http://x/y.png)", "<http://x>",
        "&lt;b&gt;", "<!-- x -->", "http://x", "[a]: http://x", "<div>", '<a href="x">y</a>',
    ):  # fmt: skip
        assert markdown_nodes(text) == [["p", text]]
    assert markdown_nodes("") == []


def history(context: PageContext) -> list[dict[str, str]]:
    messages = [{"role": "user", "content": "안녕"}]
    return list(stream_answer(context, "메아리-산", messages, "", GenerationSettings()))[-1]


def test_a_grade_of_a_chat_is_kept_once_and_revised_by_another(context: PageContext) -> None:
    said, who = history(context), a_request()
    for grade, note in ((5, ""), (5, ""), (2, "다시"), (5, "")):
        keep_grade(context, said, "메아리-산", grade, note, who)
    kept = context.grading.store.grades("chat", history=True)
    assert [g.grade for g in kept] == [5, 2, 5]
    assert len({g.subject for g in kept}) == 1
    assert (kept[0].prompt, kept[0].blind, kept[0].page) == ("안녕", False, "chat")


@pytest.mark.parametrize(
    ("chosen", "grade", "candidate"),
    [(0, 5, "메아리-산"), (1, 6, "메아리-산"), (1, None, "메아리-산"), (1, True, "메아리-산"),
     (1, 5, "none")],
)  # fmt: skip
def test_a_grade_of_nothing_is_refused(
    context: PageContext, chosen: int, grade: Any, candidate: str
) -> None:
    said = history(context)
    said[chosen] = {**said[chosen], "graded": True}
    with pytest.raises(InvalidRequest):
        keep_grade(context, said, candidate, grade, "", a_request())
    with pytest.raises(InvalidRequest):
        keep_grade(context, said[1:], candidate, 5, "", a_request())  # an answer to nothing
    assert context.grading.store.grades("chat") == []


def test_a_question_is_edited_and_what_followed_it_goes_but_no_grade(context: PageContext) -> None:
    said = history(context)
    keep_grade(context, said, "메아리-산", 4, "", a_request())
    longer = [*said, {"role": "user", "content": "그다음"}, said[1]]
    edited = edited_messages(longer, {"index": 0, "value": " 새 질문 "})
    assert edited == [{"role": "user", "content": "새 질문"}]
    assert [m["role"] for m in edited_messages(longer, {"index": 2, "value": "둘"})] == [
        "user", "assistant", "user",
    ]  # fmt: skip
    assert [g.grade for g in context.grading.store.grades("chat")] == [4]
    no_question = [{"index": place, "value": "x"} for place in (1, 4, -1, "0", True, None)]
    for wrong in (*no_question, {"index": 0, "value": " "}, {"index": 0}, None, [], "0"):
        with pytest.raises(InvalidRequest):
            edited_messages(longer, wrong)


def ask_pair(context: PageContext, asked: str = "바다", pair: object = None) -> Pair:
    work = answered(context, *next_question(context, asked, pair, a_request()))
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def test_a_pair_is_two_candidates_with_one_seed_and_one_vote(context: PageContext) -> None:
    pair = ask_pair(context)
    assert pair.left != pair.right
    voted = keep_vote(context, "left", pair, pair.mark, a_request())
    assert voted.voted == "left" and voted.id == pair.id
    # A second click, in the same moment and later: what is shown as kept is what was kept.
    for known in (pair, voted):
        assert keep_vote(context, "right", known, pair.mark, a_request()).voted == "left"
    (vote,) = context.grading.store.votes()
    assert (vote.choice, vote.left, vote.right) == ("left", pair.left, pair.right)
    assert set(vote.settings) == {"temperature", "top_p", "seed"}
    assert ask_pair(context, "또", voted).id != pair.id, "names are known: others are drawn"


def test_a_vote_is_for_the_conversation_that_was_seen(context: PageContext) -> None:
    seen = ask_pair(context)
    for other in (ask_pair(context, "또", seen), ask_pair(context)):
        with pytest.raises(InvalidRequest, match="changed meanwhile"):
            keep_vote(context, "left", other, seen.mark, a_request())
    assert context.grading.store.votes() == []


def fails(*_: Any) -> Generator[str, None, Answer]:
    yield "처음"
    raise AskError(
        "unreachable", "runs/x holds no answer of 메아리-산", "메아리-산의 답변이 없습니다"
    )


@pytest.mark.parametrize(("language", "told"), [("en", "One of the two"), ("ko", "두 후보 중")])
def test_a_candidate_that_fails_is_named_in_the_log_only_and_its_new_pair_is_dropped(
    context: PageContext, monkeypatch: pytest.MonkeyPatch, caplog: Any, language: str, told: str
) -> None:
    page = the_tab(context, compare_tab)
    monkeypatch.setattr(context.models, "stream", fails)
    work = endpoint(page, "compare").fn("하나", None, a_request(f"lang={language}"))  # type: ignore[misc]
    begun = next(work)
    with pytest.raises(gr.Error, match=told) as error:
        next(work)
    assert "메아리" not in str(error.value) and "메아리-산" in caplog.text
    restore = next(fn for fn in page.fns.values() if fn.name == "restore")
    assert restore.fn(begun[1], a_request())[0] is None  # type: ignore[misc]


def test_both_are_asked_by_one_event_that_can_be_stopped_and_leaves_the_box_alone(
    context: PageContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidate_pair, "BREATH", 0.0)
    compare = endpoint(the_tab(context, compare_tab), "compare")
    assert [event for _, event in compare.targets] == ["submit", "click"]
    work = compare.fn("천천히", None, a_request())  # type: ignore[misc]
    first, second = next(work), next(work)
    assert first[0] == "" and second == (gr.skip(),) * 8 and context.models.busy == 1
    work.close()
    assert context.models.busy == 0
    *_, last = compare.fn("하나", None, a_request())  # type: ignore[misc]
    assert last[0] == gr.skip()


@pytest.mark.parametrize("said", ["저는 Ge**mm**a 예요", "저는 Q`wen`2", "저는 *메아*리-산이에요"])
def test_a_name_that_markdown_would_put_together_is_masked(context: PageContext, said: str) -> None:
    from pages.tabs.compare_tab import _masked

    shown = _masked(said, Mask(context.models.names))
    assert shown == {"role": "assistant", "content": shown["content"]}
    assert shown["content"].startswith("저는 ▇▇▇")
    assert "nodes" in _masked("- **굵게**\n- 저는 Gemma", Mask())


def test_a_conversation_of_two_keeps_its_sides_and_gives_each_its_own_history(
    context: PageContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = []
    real = context.models.stream

    def stream(name: str, messages: Any, how: Any) -> Any:
        heard.append((name, [m["content"] for m in messages], how))
        return real(name, messages, how)

    monkeypatch.setattr(context.models, "stream", stream)
    pair = ask_pair(context, "하나")
    pair = ask_pair(context, "둘", pair)
    assert len({how for *_, how in heard}) == 1
    for name, side in ((pair.left, "left"), (pair.right, "right")):
        first, second = [said for who, said, _ in heard if who == name]
        own = [m["content"] for m in pair.messages(side)]
        assert first == ["하나"] and second == own[:3] and own[2] == "둘"
    keep_vote(context, "right", pair, pair.mark, a_request())
    (vote,) = context.grading.store.votes()
    assert vote.prompt == "하나\n\n둘"
    assert [turn["left"] for turn in vote.settings["turns"]] == [t.left for t in pair.turns]  # type: ignore[attr-defined]
    assert vote.right_reply == "\n\n".join(t.right for t in pair.turns)


def test_a_conversation_of_two_takes_no_prompt_under_grading_not_even_in_pieces(
    context: PageContext,
) -> None:
    context.grading.join("민지", Visitor(""))
    middle = len(PROMPTS[0]) // 2
    pair = ask_pair(context, PROMPTS[0][:middle])
    for asked in (PROMPTS[0], PROMPTS[0][middle:]):
        with pytest.raises(InvalidRequest, match="graded blind"):
            ask_pair(context, asked, pair)


def a_site(tmp_path: Path, candidates: list[str]) -> PageContext:
    """A page on a run of these candidates, with the echoes to ask."""
    store = GradeStore.open(f"sqlite:///{tmp_path / 'grades.db'}")
    run = make_run(tmp_path / "run", candidates=candidates)
    return PageContext(
        GradingSession(lambda: store, {"run": run}, owner_key="key"), Models(Registry([PLUGIN]))
    )


def drawn(context: PageContext) -> set[str]:
    pairs = [ask_pair(context) for _ in range(30)]
    return {name for pair in pairs for name in (pair.left, pair.right)}


def test_only_candidates_of_the_run_are_compared(tmp_path: Path) -> None:
    context = a_site(tmp_path, ["메아리-산", "메아리-굴", "gemma-2-2b-it"])
    assert drawn(context) == {"메아리-산", "메아리-굴"}


@pytest.mark.parametrize(
    ("traits", "task", "chats"),
    [
        (("bundled", "diagram"), "text-generation", False),
        (("math",), "text-generation", False),
        (("base",), "text-generation", False),
        ((), "image-text-to-text", False),
        (("instruct", "math"), "text-generation", True),
        (("chat", "multimodal"), "image-text-to-text", True),
        (("moe",), "text-generation", True),
        ((), "text-generation", True),
    ],
)
def test_a_model_made_for_one_purpose_does_not_chat(
    traits: tuple[str, ...], task: str, chats: bool
) -> None:
    candidate = Candidate("x", License("MIT", "yes"), traits=traits, task=task)
    assert candidate.chats == chats


def test_where_the_run_cannot_answer_those_that_chat_are_compared(tmp_path: Path) -> None:
    context = a_site(tmp_path, CANDIDATES)
    assert "diagram-1m" not in context.models.chatting
    assert {"메아리-산", "메아리-바다", "메아리-굴"} <= set(context.models.chatting)


def test_votes_between_models_outside_the_run_are_in_none_of_its_figures(tmp_path: Path) -> None:
    context = a_site(tmp_path, ["메아리-산", "메아리-굴"])
    store = context.grading.store
    store.add_grader(Grader("g", "민지"))
    pairs = [("메아리-산", "메아리-굴"), ("메아리-산", "diagram-1m"), ("다른-1b", "diagram-1m")]
    store.add_votes(
        [
            Vote(f"v{i}", "g", f"질문 {i}", left, right, "하나", "둘", "left", {})
            for i, (left, right) in enumerate(pairs)
        ]
    )
    votes = summary_of(store, context.grading.run())["votes"]
    assert votes["count"] == 1
    assert {row["candidate"] for row in votes["strengths"]} == {"메아리-산", "메아리-굴"}
    assert votes["side"]["votes"] == 1


def test_sides_are_drawn_at_random(context: PageContext) -> None:
    pairs = [ask_pair(context) for _ in range(40)]
    assert len({(p.left, p.right) for p in pairs}) >= 4


def test_a_pair_can_not_be_made_up(context: PageContext) -> None:
    for made_up in (None, {}, "pair", Pair):
        with pytest.raises(InvalidRequest):
            keep_vote(context, "left", made_up, "", a_request())


def test_a_prompt_under_grading_is_refused_until_one_has_finished(context: PageContext) -> None:
    with pytest.raises(InvalidRequest, match="graded blind"):
        ask_pair(context, PROMPTS[0])
    assert next_question(context, PROMPTS[0], None, a_request("key=key"))[1] == PROMPTS[0]


def test_models_names_those_that_can_answer_here_and_no_other(
    context: PageContext, tmp_path: Path
) -> None:
    assert {"메아리-산", "메아리-바다", "메아리-굴"} <= set(context.models.names)
    assert "gemma-2-2b-it" not in context.models.names
    with pytest.raises(UnknownName):
        next(context.models.stream("gemma-2-2b-it", [], GenerationSettings()))
    free = License("MIT", "yes")
    assert not is_at_hand(Candidate("a", free, path=str(tmp_path)))
    assert not is_at_hand(Candidate("b", free, hub_id="no/such"))
    assert not is_at_hand(Candidate("c", free, backend="x", endpoint={"base_url_env": "NO_SUCH"}))
    assert not is_at_hand(Candidate("d", free, backend="x", traits=("remote-code",)))
    assert is_at_hand(Candidate("e", free, backend="x"))


def test_chatgpt_is_offered_once_the_environment_holds_a_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    endpoint = {
        "base_url": "https://api.openai.com/v1",
        "base_url_env": "OPENAI_BASE_URL",
        "api_key_env": "OPENAI_API_KEY",
    }
    chatgpt = Candidate("a", License("MIT", "yes"), backend="openai", endpoint=endpoint)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert not is_at_hand(chatgpt)
    monkeypatch.setenv("OPENAI_API_KEY", "a key")
    assert is_at_hand(chatgpt)


def test_a_model_is_loaded_once_however_many_ask(context: PageContext) -> None:
    loads = []

    class Slow:
        def stream(
            self, messages: Sequence[Any], settings: GenerationSettings
        ) -> Generator[str, None, Answer]:
            yield "x"
            return Answer("x", 1, "stop")

    def load(candidate: Candidate, **_: Any) -> Slow:
        loads.append(candidate.name)
        return Slow()

    context.models.registry.backends["echo"] = load  # type: ignore[assignment]
    asked = [
        threading.Thread(
            target=lambda: list(context.models.stream("메아리-산", [], GenerationSettings()))
        )
        for _ in range(8)
    ]
    for one in asked:
        one.start()
    for one in asked:
        one.join()
    assert loads == ["메아리-산"]


def test_a_function_stays_as_it_is_where_no_gpu_is_lent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert on_gpu(len) is len


def test_who_asks_is_told_by_link_login_or_oauth() -> None:
    assert page_visitor(a_request("grader=abc")).token == "abc"
    assert login_of(a_request(username="minji")) == "minji"
    session = {"oauth_info": {"userinfo": {"preferred_username": "seoyeon"}}}
    oauth = SimpleNamespace(username=None, request=SimpleNamespace(scope={"session": session}))
    assert login_of(oauth) == "seoyeon"
    assert login_of(None) == ""
    assert address_of(a_request("tab=chat&key=%EC%97%B4"))["key"] == "열"


def test_the_author_of_a_space_sees_results(
    context: PageContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPACE_AUTHOR_NAME", "minji")
    assert sees_names(context, a_request(username="minji"))
    assert not sees_names(context, a_request(username="other"))
    assert not sees_names(context, a_request())


def test_the_choice_on_the_page_decides_on_the_language_then_the_browser() -> None:
    assert prefers_korean(a_request("lang=ko", **{"accept-language": "en"}))
    assert not prefers_korean(a_request(**{"accept-language": "ko", "cookie": "ohlora_lang=en"}))
    assert prefers_korean(a_request(**{"accept-language": "ko", "cookie": "ohlora_lang=<b>"}))
    assert prefers_korean(SimpleNamespace(headers={"accept-language": "ko-KR,en"}))
    assert not prefers_korean(SimpleNamespace(headers={"accept-language": "en-US,ko"}))


def test_a_failed_candidate_has_a_row_with_its_status(context: PageContext) -> None:
    from dataclasses import replace

    from model_registry.records import Result, read_rows

    folder = context.grading.run("run").folder
    first = read_rows(folder / "results.jsonl", Result)[0]
    append_rows(
        folder / "results.jsonl",
        [replace(first, case="x", candidate="못 푼 후보", status="oom_load", seconds={})],
    )
    run = Run.read(RunFolder(folder), context.grading.store, needs_head=False)
    rows = {row["candidate"]: row for row in decision_rows(run, None)}
    assert set(rows) == {*CANDIDATES, "못 푼 후보"}
    assert rows["못 푼 후보"]["remark"] == "inference: oom_load"
    assert rows["못 푼 후보"]["inference_s"] is None
    assert rows[CANDIDATES[0]]["inference_s"] == 2.0


def test_without_grades_there_are_no_points_but_no_failure_either() -> None:
    empty = summarize([])
    assert (
        cost_and_quality([])
        == grade_rows(empty)
        == difference_rows(empty)
        == rating_rows(empty)
        == []
    )


def test_unknown_sizes_are_none_and_every_rejection_has_a_reason() -> None:
    from model_registry.selection import Criteria, select

    free = License("MIT", "yes")
    found = select(
        [Candidate("a", free), Candidate("b", free, parameters=1)], Criteria(min_params=2)
    )
    accepted, rejected = tables(found)
    assert accepted == []
    assert all(row["reason"] for row in rejected)
    (row, *_), _ = tables(select([Candidate("a", free)], Criteria()))
    assert row["parameters"] is None and row["leaderboard"] is None


def test_tokens_of_the_run_are_a_column_for_who_may_know_who_takes_part(
    tmp_path: Path, context: PageContext
) -> None:
    from model_registry.selection import Criteria, select

    note = {"code": "tokens_per_100", "values": {"tokens": {"beta-1.3b": 63.2}}}
    run = report_fixtures.make_run(tmp_path / "counted", notes=[note])
    store = GradeStore.open(f"sqlite:///{tmp_path / 'others.db'}")
    grading = GradingSession(lambda: store, {"counted": run.path}, owner_key="key")
    page = PageContext(grading, context.models)
    found = economy(page, a_request("key=key"))
    assert found == {"beta-1.3b": 63.2}
    assert economy(page, a_request()) == {}
    assert economy(context, a_request("key=key")) == {}  # nobody counted there
    free = License("MIT", "yes")
    both = select([Candidate("beta-1.3b", free), Candidate("other", free)], Criteria())
    assert [row["tokens"] for row in tables(both, None, found)[0]] == [63.2, None]


def test_an_owner_who_looks_before_they_have_a_name_does_not_grade_blind(
    context: PageContext,
) -> None:
    grading = context.grading
    assert shows_names(context, a_request("key=key"), "run", asked=True)
    _, stranger = grading.join("바다")
    _, owner = grading.join("민지", owner=True)
    assert not grading.store.names_seen.by(Visitor(stranger).id, "run")
    assert grading.store.names_seen.by(Visitor(owner).id, "run")


def test_an_owner_who_comes_back_to_grade_has_seen_what_they_looked_at(
    context: PageContext,
) -> None:
    grading = context.grading
    _, token = grading.join("민지", owner=True)
    assert not grading.store.names_seen.by(Visitor(token).id, "run")
    assert shows_names(context, a_request("key=key"), "run", asked=True)
    grading.join("민지", Visitor(token), owner=True)
    assert grading.store.names_seen.by(Visitor(token).id, "run")


def test_a_login_with_a_link_that_is_not_known_has_seen_names_as_the_login(
    context: PageContext,
) -> None:
    assert shows_names(context, a_request("key=key&grader=none", "minji"), "run", asked=True)
    context.grading.join("", Visitor(login="minji"))
    assert context.grading.store.names_seen.by(Visitor(login="minji").id, "run")


def test_a_manager_who_exports_grades_has_seen_names(context: PageContext) -> None:
    _, token = context.grading.join("민지")
    exported(context, "run", "jsonl", a_request(f"key=key&grader={token}"))
    assert context.grading.store.names_seen.by(Visitor(token).id, "run")


def test_an_owner_who_looks_by_the_bare_link_while_they_grade_has_seen_names(
    context: PageContext,
) -> None:
    _, token = context.grading.join("민지", owner=True)
    assert shows_names(context, a_request("key=key"), "run", asked=True)
    grading_visitor(context, token, a_request(f"grader={token}"))
    assert not context.grading.store.names_seen.by(Visitor(token).id, "run")
    assert grading_visitor(context, token, a_request(f"key=key&grader={token}")).token == token
    assert context.grading.store.names_seen.by(Visitor(token).id, "run")
