"""The Compare tab: two candidates answer one prompt, unnamed until the vote.

Both replies appear at the same moment, in random places and with a seed nobody knows: neither
speed nor side nor a second try in the Chat tab tells who is who.
"""

from __future__ import annotations

import random
import secrets
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import gradio as gr

from evaluators.grading.masking import Mask
from evaluators.grading.store.grade_records import Vote
from evaluators.grading.submission import InvalidRequest, text
from model_registry.backends.backend import GenerationSettings
from pages.page_context import (
    PageContext,
    address_of,
    errors_as_messages,
    prefers_korean,
    refuse_while_grading,
)
from pages.page_texts import word
from pages.tabs.conversation import LONGEST_MESSAGE, NO_ANSWER, growing, person_of
from pages.tabs.prompt_box import prompt_box

#: How both candidates answer: alive enough that no reply repeats one from the Chat tab.
TEMPERATURE = 0.7
MOST_TOKENS = 160

#: The four votes: what is stored, and the button's text.
BUTTONS = (
    ("left", "a_better"),
    ("both_good", "both_good"),
    ("both_bad", "both_bad"),
    ("right", "b_better"),
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two replies that wait for a vote. Kept on the server: the names must not travel."""

    id: str
    prompt: str
    left: str
    right: str
    left_reply: str
    right_reply: str
    settings: dict[str, object]
    shown_at: float


def compare_tab(context: PageContext, _: gr.Tab) -> None:
    """Build the tab."""
    gr.Markdown(word("compare_intro"))
    pair = gr.State(None)
    with gr.Row(elem_id="compare-entry"):
        prompt = prompt_box("compare-prompt", "prompt_hint")
        ask = gr.Button(
            word("ask_both"), variant="primary", scale=0, min_width=130, elem_id="compare-ask"
        )
    with gr.Row(elem_id="compare-replies"):
        replies = [
            gr.Textbox(
                label=word(key), interactive=False, lines=7, max_lines=24, elem_id=f"compare-{key}"
            )
            for key in ("reply_a", "reply_b")
        ]
    with gr.Row(elem_id="compare-votes"):
        buttons = [
            gr.Button(word(key), interactive=False, min_width=90, elem_id=f"vote-{choice}")
            for choice, key in BUTTONS
        ]
    outcome = gr.Textbox(
        show_label=False,
        container=False,
        interactive=False,
        visible=False,
        elem_id="compare-outcome",
    )
    _wire(context, pair, prompt, ask, replies, buttons, outcome)


def _wire(
    context: PageContext,
    pair: gr.State,
    prompt: gr.Textbox,
    ask: gr.Button,
    replies: list[gr.Textbox],
    buttons: list[gr.Button],
    outcome: gr.Textbox,
) -> None:
    """Which event calls what."""

    def compare(prompt: str, request: gr.Request) -> tuple[object, ...]:
        with errors_as_messages(request), context.slot(request):
            made = make_pair(context, prompt, request)
            mask, korean = Mask(context.models.names), prefers_korean(request)
            open_ = [gr.Button(interactive=True, variant="secondary") for _ in BUTTONS]
            return (
                made,
                mask(made.left_reply) or NO_ANSWER[korean],
                mask(made.right_reply) or NO_ANSWER[korean],
                *open_,
                gr.Textbox(visible=False),
            )

    def vote(choice: str, pair: Pair | None, request: gr.Request) -> tuple[object, ...]:
        with errors_as_messages(request):
            pair = keep_vote(context, choice, pair, request)
        closed = [
            gr.Button(interactive=False, variant="primary" if choice == mine else "secondary")
            for mine, _ in BUTTONS
        ]
        names = f"A = {pair.left}    B = {pair.right}"
        said = [
            one or NO_ANSWER[prefers_korean(request)] for one in (pair.left_reply, pair.right_reply)
        ]
        return *said, *closed, gr.Textbox(names, visible=True)

    asked: dict[str, Any] = {"concurrency_limit": 2, "concurrency_id": "compare"}
    shown = [pair, *replies, *buttons, outcome]
    prompt.submit(compare, prompt, shown, api_name="compare", show_progress_on=replies, **asked)
    ask.click(compare, prompt, shown, api_visibility="private", show_progress_on=replies, **asked)
    for button, (choice, _) in zip(buttons, BUTTONS, strict=True):
        button.click(
            vote,
            [gr.State(choice), pair],
            [*replies, *buttons, outcome],
            queue=False,
            api_name=f"vote_{choice}",
            show_progress="hidden",
        )


def make_pair(context: PageContext, prompt: object, request: gr.Request) -> Pair:
    """Ask two candidates, drawn at random, the same.

    Raises:
        Refused: no prompt, one that is being graded, or fewer than two candidates.
    """
    prompt = text(prompt, "prompt", LONGEST_MESSAGE).strip()
    if not prompt:
        raise InvalidRequest("Write a prompt first.", "질문을 먼저 입력해 주세요.")
    refuse_while_grading(context, request, prompt)
    names = comparable(context, request)
    if len(names) < 2:
        raise InvalidRequest(
            "Comparing needs two candidates that chat and can answer here: `make bundled`.",
            "비교하려면 여기서 대화할 수 있는 후보가 둘 있어야 해요: `make bundled`.",
        )
    left, right = random.SystemRandom().sample(names, 2)
    how = GenerationSettings(MOST_TOKENS, TEMPERATURE, 0.95, seed=secrets.randbelow(2**31))
    said = {name: _whole_answer(context, name, prompt, how) for name in sorted((left, right))}
    settings: dict[str, object] = {
        "temperature": how.temperature,
        "top_p": how.top_p,
        "seed": how.seed,
    }
    return Pair(
        id=secrets.token_urlsafe(16),
        prompt=prompt,
        left=left,
        right=right,
        left_reply=said[left],
        right_reply=said[right],
        settings=settings,
        shown_at=time.time(),
    )


def comparable(context: PageContext, request: gr.Request | None) -> list[str]:
    """Who may be drawn: the candidates of the run on show that can answer here, else those that
    chat. A model made for diagrams would only lose."""
    here = context.models.names
    if context.grading.run_names:
        asked = address_of(request).get("run", "")
        run = context.grading.run(asked if asked in context.grading.run_names else "")
        of_run = [name for name in here if name in run.candidates]
        if len(of_run) > 1:
            return of_run
    return context.models.chatting


def _whole_answer(context: PageContext, name: str, prompt: str, how: GenerationSettings) -> str:
    messages = [{"role": "user", "content": prompt}]
    with closing(context.models.stream(name, messages, how)) as pieces:
        return ([*growing(pieces)] or [""])[-1].strip()


def keep_vote(context: PageContext, choice: str, pair: object, request: gr.Request) -> Pair:
    """Keep a vote and give its pair back; voted on twice, the first vote stays.

    Raises:
        Refused: there is no pair to vote on.
    """
    if not isinstance(pair, Pair):
        raise InvalidRequest("Ask both first.", "두 후보에게 먼저 물어보세요.")
    vote = Vote(
        key=pair.id,
        grader=person_of(context, request).id,
        prompt=pair.prompt,
        left=pair.left,
        right=pair.right,
        left_reply=pair.left_reply,
        right_reply=pair.right_reply,
        choice=choice,
        settings=pair.settings,
        seconds=round(time.time() - pair.shown_at, 1),
    )
    context.grading.store.add_votes([vote])
    return pair
