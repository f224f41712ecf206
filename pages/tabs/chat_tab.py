"""The Chat tab: chat with a candidate and grade its answers.

A conversation lives in the visitor's own browser (the view's value) and travels with each
request; nothing of it is kept here unless an answer is graded.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import gradio as gr
from gradio.components import Component

from evaluators.grading.rubric import LEVELS
from evaluators.grading.submission import LONGEST_NOTE, InvalidRequest
from pages.page_context import (
    OWN_EVENT,
    PageContext,
    errors_as_messages,
    prefers_korean,
    refuse_while_grading,
    visit_of,
)
from pages.page_texts import word
from pages.tabs.conversation import (
    Messages,
    asked_texts,
    edited_messages,
    generation_settings,
    graded_answer,
    keep_grade,
    plain_messages,
    question,
    stream_answer,
)
from pages.tabs.conversation_view import LONGEST_MESSAGE, conversation_view, prompt_box

#: Answers made at the same time; whoever comes later sees their place in line.
MOST_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class ChatParts:
    """The components that the handlers work with."""

    history: gr.HTML
    message: gr.Textbox
    candidate: gr.Dropdown
    settings: tuple[Component, ...]  # system, temperature, top_p, max_new_tokens, seed


@dataclass(frozen=True, slots=True)
class GradeParts:
    """The row of grades below the conversation."""

    row: gr.Row
    choice: gr.Radio
    note: gr.Textbox
    save: gr.Button


#: Of another answer at temperature 0: English, Korean.
_SAME_AGAIN = (
    "At temperature 0 the answer stays the same: raise it in the settings.",
    "온도가 0이면 같은 답이 나와요. 설정에서 온도를 올려 보세요.",
)


def chat_tab(context: PageContext, _: gr.Tab) -> None:
    """Build the tab."""
    names = context.models.names
    candidate = gr.Dropdown(
        names,
        value=names[0] if names else None,
        label=word("candidate"),
        elem_id="chat-candidate",
    )
    history = conversation_view("chat-history", "edit", "grade", empty="nothing_asked")
    grades = _grade_row(context, history, candidate)
    with gr.Row(elem_id="chat-entry"):
        message = prompt_box("chat-message", "message_hint")
        send = gr.Button(
            word("send"), variant="primary", elem_id="chat-send", min_width=84, scale=0
        )
        stop = gr.Button(word("stop"), elem_id="chat-stop", min_width=84, scale=0, visible=False)
    with gr.Row(elem_id="chat-more"):
        again = gr.Button(word("again"), size="sm", elem_id="chat-again", scale=0, min_width=110)
        clear = gr.Button(word("clear"), size="sm", elem_id="chat-clear", scale=0, min_width=150)
    parts = ChatParts(history, message, candidate, _settings())
    _wire(context, parts, send=send, stop=stop, again=again, clear=clear, grades=grades)


def _settings() -> tuple[Component, ...]:
    with gr.Accordion(word("settings"), open=False, elem_id="chat-settings"):
        system = gr.Textbox(label=word("system"), lines=2, max_length=LONGEST_MESSAGE)
        with gr.Row():
            temperature = gr.Slider(0, 2, value=0, step=0.05, label=word("temperature"))
            top_p = gr.Slider(0.05, 1, value=1, step=0.05, label=word("top_p"))
        with gr.Row():
            most = gr.Slider(1, 1024, value=120, step=1, label=word("max_new_tokens"))
            seed = gr.Number(value=0, precision=0, minimum=0, label=word("seed"))
    return system, temperature, top_p, most, seed


def _grade_row(context: PageContext, history: gr.HTML, candidate: gr.Dropdown) -> GradeParts:
    """The five grades for an answer: the last one, or the one that was chosen."""
    with gr.Row(visible=False, elem_id="chat-grade") as row:
        choice = gr.Radio(
            [(word(f"grade_{level.value}"), level.value) for level in LEVELS],
            label=word("grade_last"),
            elem_id="chat-grade-choice",
            scale=3,
        )
        note = gr.Textbox(
            label=word("note"), max_length=LONGEST_NOTE, elem_id="chat-grade-note", scale=3
        )
        save = gr.Button(word("save_grade"), elem_id="chat-grade-save", scale=0, min_width=90)

    def chat_grade(
        history: Messages, candidate: str, grade: int, note: str, request: gr.Request
    ) -> gr.Button:
        with errors_as_messages(request):
            keep_grade(context, history, candidate, grade, note, request)
        return gr.Button(word("grade_kept"))

    given = [history, candidate, choice, note]
    for event in (choice.input, save.click, note.submit):
        event(chat_grade, given, save, queue=False, api_name="chat_grade", show_progress="hidden")

    # Which one was chosen is marked in the conversation itself, where everybody sees it. What was
    # said of another goes at once, in the browser: a click in the same moment would keep it.
    history.pick(None, None, [choice, note], js='() => [null, ""]', **OWN_EVENT)
    history.pick(lambda: gr.Button(word("save_grade")), None, save, **OWN_EVENT)
    return GradeParts(row, choice, note, save)


def _wire(
    context: PageContext,
    parts: ChatParts,
    *,
    send: gr.Button,
    stop: gr.Button,
    again: gr.Button,
    clear: gr.Button,
    grades: GradeParts,
) -> None:
    """Which event calls what."""
    state = [send, stop, grades.row, grades.save, grades.choice, grades.note]

    def chat(
        message: str, history: Messages, candidate: str, system: str, temperature: float,
        top_p: float, max_new_tokens: int, seed: object, event: gr.EventData, request: gr.Request,
    ) -> Generator[tuple[object, ...], None, None]:  # fmt: skip
        """What the page shows as an answer grows: conversation, message, seed, and the state."""
        with errors_as_messages(request):
            box = seed_box = gr.skip()
            if event.target is again:
                messages = _unanswered(history)
                # Another seed, or sampling would say the very same again.
                seed_box = seed = _next_seed(seed)
                if temperature == 0:
                    gr.Info(_SAME_AGAIN[prefers_korean(request)])
            elif event.target is parts.history:
                messages = edited_messages(history, event._data)
            else:
                messages, box = [*plain_messages(history), question(message)], ""
            how = generation_settings(temperature, top_p, max_new_tokens, seed)
            refuse_while_grading(context, request, *asked_texts(messages), system or "")
            with context.slot(request), context.slots.latest(visit_of(request)) as is_latest:
                korean = prefers_korean(request)
                answer = stream_answer(context, candidate, messages, system, how, korean=korean)
                for number, shown in enumerate(answer):
                    if not is_latest():
                        return
                    # The boxes change as it begins: what is typed meanwhile is the visitor's.
                    yield shown, *(_skipped if number else (box, seed_box, *running()))

    # One event, so that while an answer grows nothing else begins one in the same conversation.
    answer = gr.on(
        [parts.message.submit, send.click, parts.history.edit, again.click],
        chat,
        [parts.message, parts.history, parts.candidate, *parts.settings],
        [parts.history, parts.message, parts.settings[-1], *state],
        # One place in line for all answers: it is shown to whoever waits.
        concurrency_limit=MOST_AT_ONCE,
        concurrency_id="models",
        show_progress="minimal",
        show_progress_on=parts.history,
        preprocess=False,  # our own checks speak more clearly to other clients
        trigger_mode="once",
        api_name="chat",
    )
    answer.then(idle, parts.history, state, **OWN_EVENT)
    stop.click(idle, parts.history, state, cancels=[answer], **OWN_EVENT)
    clear.click(cleared, None, [parts.history, *state], cancels=[answer], **OWN_EVENT)


def _unanswered(history: Messages) -> Messages:
    """The conversation without its last answer, to be answered anew.

    Raises:
        InvalidRequest: nothing was asked.
    """
    messages = plain_messages(history)
    while messages and messages[-1]["role"] == "assistant":
        messages.pop()
    if not messages:
        raise InvalidRequest("There is nothing to answer yet.", "다시 생성할 답변이 없어요.")
    return messages


def _next_seed(seed: object) -> object:
    """Another seed; what is no number is left for the check of settings to refuse."""
    if isinstance(seed, bool) or not isinstance(seed, int | float):
        return seed or 1
    return seed + 1


_skipped = tuple(gr.skip() for _ in range(8))


def running() -> tuple[object, ...]:
    """Send, stop, grades, save, choice and note while an answer is made.

    The next answer must neither show the last one's grade nor take no notice of the same again.
    """
    return (
        gr.Button(visible=False),
        gr.Button(visible=True),
        gr.Row(visible=False),
        gr.Button(word("save_grade")),
        gr.Radio(value=None),
        "",
    )


def cleared() -> tuple[object, ...]:
    """The conversation and the same parts before a first question."""
    return ([], *idle([])[:-2], gr.Radio(value=None), "")


def idle(history: object) -> tuple[object, ...]:
    """The same parts once there is an answer, or none: it may be graded."""
    answered = graded_answer(history) is not None
    return (
        gr.Button(visible=True),
        gr.Button(visible=False),
        gr.Row(visible=answered),
        gr.Button(word("save_grade")),
        gr.skip(),
        gr.skip(),
    )
