"""The Compare tab: two candidates in one conversation each, unnamed until the verdict.

Every question goes to both, each with its own history. Both replies appear at the same moment, on
sides that are drawn once for the conversation and with a seed nobody knows: neither speed nor side
nor a second try in the Chat tab tells who is who. A verdict is on the whole conversation, since it
shows the names, and turns of one conversation are no independent comparisons.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import gradio as gr

from evaluators.grading.masking import Mask
from pages.page_context import OWN_EVENT, PageContext, errors_as_messages, prefers_korean
from pages.page_table import AS_TEXT
from pages.page_texts import word
from pages.tabs.candidate_pair import Pair, answered, keep_vote, next_question
from pages.tabs.conversation import NO_ANSWER
from pages.tabs.conversation_view import Message, conversation_view, prompt_box, reply_message
from pages.tabs.markdown_nodes import drawn_text

#: The four votes: what is stored, and the button's text.
BUTTONS = (
    ("left", "a_better"),
    ("both_good", "both_good"),
    ("both_bad", "both_bad"),
    ("right", "b_better"),
)


@dataclass(frozen=True, slots=True)
class CompareParts:
    """The components that the handlers work with."""

    pair: gr.State
    view: gr.HTML
    prompt: gr.Textbox
    votes: list[gr.Button]
    outcome: gr.HTML


def compare_tab(context: PageContext, _: gr.Tab) -> None:
    """Build the tab."""
    view = conversation_view("compare-view", empty="nothing_compared")
    outcome = gr.HTML(
        "",
        elem_id="compare-outcome",
        html_template='<p role="status"></p>',
        js_on_load=AS_TEXT,
    )
    with gr.Row(elem_id="compare-votes"):
        votes = [
            gr.Button(word(key), interactive=False, min_width=90, elem_id=f"vote-{choice}")
            for choice, key in BUTTONS
        ]
    with gr.Row(elem_id="compare-entry"):
        prompt = prompt_box("compare-prompt", "prompt_hint")
        ask = gr.Button(
            word("ask_both"), variant="primary", scale=0, min_width=150, elem_id="compare-ask"
        )
    with gr.Row(elem_id="compare-more"):
        clear = gr.Button(word("clear"), size="sm", elem_id="compare-clear", scale=0, min_width=150)
    _wire(context, CompareParts(gr.State(None), view, prompt, votes, outcome), ask, clear)


def _wire(context: PageContext, parts: CompareParts, ask: gr.Button, clear: gr.Button) -> None:
    """Which event calls what."""
    shown = [parts.pair, parts.view, *parts.votes, parts.outcome]

    def compare(
        prompt: str, pair: Pair | None, request: gr.Request
    ) -> Iterator[tuple[object, ...]]:
        with errors_as_messages(request), context.slot(request):
            korean = prefers_korean(request)
            pair, asked = next_question(context, prompt, pair, request)
            waiting: list[Message] = [
                {"role": "user", "content": asked},
                *({"role": "assistant", "side": side, "waiting": True} for side in "ab"),
            ]
            yield "", *_shown(context, pair, korean=korean, waiting=waiting)
            pair = yield from answered(context, pair, asked)
            yield gr.skip(), *_shown(context, pair, korean=korean)

    def restore(pair: object, request: gr.Request) -> tuple[object, ...]:
        known = pair if isinstance(pair, Pair) and pair.turns else None
        return _shown(context, known, korean=prefers_korean(request))

    def vote(
        choice: str, pair: Pair | None, seen: object, request: gr.Request
    ) -> tuple[object, ...]:
        with errors_as_messages(request):
            pair = keep_vote(context, choice, pair, _mark(seen), request)
        return _shown(context, pair, korean=prefers_korean(request))

    def start_anew() -> tuple[object, ...]:
        return _shown(context, None, korean=False)

    asking = gr.on(
        [parts.prompt.submit, ask.click],
        compare,
        [parts.prompt, parts.pair],
        [parts.prompt, *shown],
        concurrency_limit=2,
        concurrency_id="compare",
        show_progress_on=parts.view,
        trigger_mode="once",
        api_name="compare",
    )
    asking.failure(restore, parts.pair, shown, **OWN_EVENT)
    clear.click(start_anew, None, shown, cancels=[asking], **OWN_EVENT)
    for button, (choice, _) in zip(parts.votes, BUTTONS, strict=True):
        given = [gr.State(choice), parts.pair, parts.view]
        name = f"vote_{choice}"
        button.click(vote, given, shown, queue=False, show_progress="hidden", api_name=name)


def _shown(
    context: PageContext,
    pair: Pair | None,
    *,
    korean: bool,
    waiting: list[Message] | None = None,
) -> tuple[object, ...]:
    """Pair, conversation, the four buttons and the outcome."""
    messages = _messages(context, pair, korean) if pair else []
    voted = pair.voted if pair else ""
    open_ = bool(messages) and not waiting and not voted
    buttons = [
        gr.Button(interactive=open_, variant="primary" if mine == voted else "secondary")
        for mine, _ in BUTTONS
    ]
    return pair, [*messages, *(waiting or [])], *buttons, _outcome(pair, korean)


def _messages(context: PageContext, pair: Pair, korean: bool) -> list[Message]:
    """The conversation as it is shown: until the verdict without names, whatever replies say."""
    mask = Mask(context.models.names)
    messages: list[Message] = []
    for number, turn in enumerate(pair.turns, 1):
        messages.append({"role": "user", "content": turn.prompt})
        for side, said, name in (("a", turn.left, pair.left), ("b", turn.right, pair.right)):
            more = {"side": side, "mark": f"{pair.id}.{number}"}
            if pair.voted:
                reply = reply_message(said or NO_ANSWER[korean], name=name, **more)
            else:
                reply = _masked(said or NO_ANSWER[korean], mask, **more)
            messages.append(reply)
    return messages


def _masked(said: str, mask: Mask, **more: object) -> Message:
    """A reply without names, as plain text where its Markdown would put one together again."""
    reply = reply_message(mask(said), **more)
    text = drawn_text(reply["nodes"])
    if mask(text) == text:
        return reply
    return {"role": "assistant", "content": mask(text).strip(), **more}


def _mark(seen: object) -> str:
    """The mark of the conversation that a browser shows; none where it waits for replies."""
    last = seen[-1] if isinstance(seen, list) and seen else {}
    return str(last.get("mark", "")) if isinstance(last, dict) else ""


def _outcome(pair: Pair | None, korean: bool) -> str:
    if not pair or not pair.voted:
        return ""
    names = f"A = {pair.left}, B = {pair.right}"
    return (
        f"판정을 저장했어요. {names}. 다음 메시지부터는 새로 뽑은 두 후보가 답해요."
        if korean
        else f"Kept. {names}. Your next message goes to two newly drawn candidates."
    )
