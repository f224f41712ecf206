"""The Compare tab: two candidates in one conversation each, unnamed until the verdict.

Every question goes to both, each with its own history. Both replies appear at the same moment, on
sides that are drawn once for the conversation and with a seed nobody knows: neither speed nor side
nor a second try in the Chat tab tells who is who. A verdict is on the whole conversation, since it
shows the names, and turns of one conversation are no independent comparisons.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import gradio as gr

from evaluators.grading.masking import Mask
from evaluators.grading.store.grade_records import Vote
from evaluators.grading.submission import InvalidRequest
from model_registry.backends.backend import GenerationSettings
from pages.page_context import (
    PageContext,
    address_of,
    errors_as_messages,
    prefers_korean,
    refuse_while_grading,
)
from pages.page_table import AS_TEXT
from pages.page_texts import word
from pages.tabs.conversation import MOST_TURNS, NO_ANSWER, growing, person_of, question
from pages.tabs.conversation_view import Message, conversation_view, reply_message
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
class PairTurn:
    """One question and what both sides said to it."""

    prompt: str
    left: str
    right: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two candidates in a conversation that waits for a verdict. Kept on the server: the names must
    not travel."""

    left: str
    right: str
    how: GenerationSettings
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    turns: tuple[PairTurn, ...] = ()
    shown_at: float = 0.0  # the last replies
    voted: bool = False

    def messages(self, side: str) -> list[dict[str, str]]:
        """The conversation of the "left" or the "right" one so far."""
        said = [(t.prompt, t.left if side == "left" else t.right) for t in self.turns]
        return [
            {"role": role, "content": content}
            for turn in said
            for role, content in zip(("user", "assistant"), turn, strict=True)
        ]


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
            pair = answered(context, pair, asked)
            yield "", *_shown(context, pair, korean=korean)

    def restore(pair: object, request: gr.Request) -> tuple[object, ...]:
        known = pair if isinstance(pair, Pair) else None
        return _shown(context, known, korean=prefers_korean(request))

    def vote(choice: str, pair: Pair | None, request: gr.Request) -> tuple[object, ...]:
        with errors_as_messages(request):
            pair = keep_vote(context, choice, pair, request)
        return _shown(context, pair, korean=prefers_korean(request), choice=choice)

    def start_anew() -> tuple[object, ...]:
        return _shown(context, None, korean=False)

    asked: dict[str, Any] = {"concurrency_limit": 2, "concurrency_id": "compare"}
    given, gets = [parts.prompt, parts.pair], [parts.prompt, *shown]
    at_once: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
    asked |= {"show_progress_on": parts.view}
    asking: list[Any] = [
        parts.prompt.submit(compare, given, gets, api_name="compare", **asked),
        ask.click(compare, given, gets, api_visibility="private", **asked),
    ]
    for one in asking:
        one.failure(restore, parts.pair, shown, **at_once, api_visibility="private")
    clear.click(start_anew, None, shown, cancels=asking, **at_once, api_visibility="private")
    for button, (choice, _) in zip(parts.votes, BUTTONS, strict=True):
        button.click(
            vote, [gr.State(choice), parts.pair], shown, **at_once, api_name=f"vote_{choice}"
        )


def _shown(
    context: PageContext,
    pair: Pair | None,
    *,
    korean: bool,
    waiting: list[Message] | None = None,
    choice: str = "",
) -> tuple[object, ...]:
    """Pair, conversation, the four buttons and the outcome."""
    messages = _messages(context, pair, korean) if pair else []
    open_ = bool(messages) and not waiting and not (pair and pair.voted)
    buttons = [
        gr.Button(interactive=open_, variant="primary" if mine == choice else "secondary")
        for mine, _ in BUTTONS
    ]
    return pair, [*messages, *(waiting or [])], *buttons, _outcome(pair, korean)


def _messages(context: PageContext, pair: Pair, korean: bool) -> list[Message]:
    """The conversation as it is shown: until the verdict without names, whatever replies say."""
    mask = Mask(context.models.names)
    messages: list[Message] = []
    for turn in pair.turns:
        messages.append({"role": "user", "content": turn.prompt})
        for side, said, name in (("a", turn.left, pair.left), ("b", turn.right, pair.right)):
            content = (said if pair.voted else mask(said)) or NO_ANSWER[korean]
            messages.append(
                reply_message(content, side=side, **({"name": name} if pair.voted else {}))
            )
    return messages


def _outcome(pair: Pair | None, korean: bool) -> str:
    if not pair or not pair.voted:
        return ""
    names = f"A = {pair.left}, B = {pair.right}"
    return (
        f"판정을 저장했어요. {names}. 다음 메시지부터는 새로 뽑은 두 후보가 답해요."
        if korean
        else f"Kept. {names}. Your next message goes to two newly drawn candidates."
    )


def next_question(
    context: PageContext, prompt: object, pair: object, request: gr.Request
) -> tuple[Pair, str]:
    """The pair that is asked next, a new one after a verdict, and the checked question.

    Raises:
        Refused: no question, one that is being graded, too many, or fewer than two candidates.
    """
    asked = question(prompt)["content"]
    going_on = isinstance(pair, Pair) and not pair.voted
    before = pair.turns if isinstance(pair, Pair) and going_on else ()
    # Alone and together: a prompt under grading may be asked in pieces.
    refuse_while_grading(context, request, *(turn.prompt for turn in before), asked)
    if 2 * len(before) >= MOST_TURNS:
        raise InvalidRequest(
            "This conversation is too long. Give a verdict or start a new one.",
            "대화가 너무 길어요. 판정하거나 새로 시작하세요.",
        )
    if isinstance(pair, Pair) and going_on:
        return pair, asked
    names = comparable(context, request)
    if len(names) < 2:
        raise InvalidRequest(
            "Comparing needs two candidates that chat and can answer here: `make bundled`.",
            "비교하려면 여기서 대화할 수 있는 후보가 둘 있어야 해요: `make bundled`.",
        )
    left, right = random.SystemRandom().sample(names, 2)
    seed = secrets.randbelow(2**31)
    return Pair(left, right, GenerationSettings(MOST_TOKENS, TEMPERATURE, 0.95, seed)), asked


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


def answered(context: PageContext, pair: Pair, asked: str) -> Pair:
    """The pair with what both say to a question, each after its own conversation."""
    said = {}
    # In an order that says nothing about the sides.
    for side, name in sorted((("left", pair.left), ("right", pair.right)), key=lambda one: one[1]):
        messages = [*pair.messages(side), {"role": "user", "content": asked}]
        with closing(context.models.stream(name, messages, pair.how)) as pieces:
            said[side] = ([*growing(pieces)] or [""])[-1].strip()
    turns = (*pair.turns, PairTurn(asked, said["left"], said["right"]))
    return replace(pair, turns=turns, shown_at=time.time())


def keep_vote(context: PageContext, choice: str, pair: object, request: gr.Request) -> Pair:
    """Keep the verdict on a conversation and give its pair back, closed; voted on twice, the first
    vote stays. Of several turns the row holds all texts, and `settings` each turn apart.

    Raises:
        Refused: there is no conversation to vote on.
    """
    if not isinstance(pair, Pair) or not pair.turns:
        raise InvalidRequest("Ask both first.", "두 후보에게 먼저 물어보세요.")
    how, turns = pair.how, [asdict(turn) for turn in pair.turns]
    vote = Vote(
        key=pair.id,
        grader=person_of(context, request).id,
        prompt="\n\n".join(turn["prompt"] for turn in turns),
        left=pair.left,
        right=pair.right,
        left_reply="\n\n".join(turn["left"] for turn in turns),
        right_reply="\n\n".join(turn["right"] for turn in turns),
        choice=choice,
        settings={
            "temperature": how.temperature,
            "top_p": how.top_p,
            "seed": how.seed,
            **({"turns": turns} if len(turns) > 1 else {}),
        },
        seconds=round(time.time() - pair.shown_at, 1),
    )
    context.grading.store.add_votes([vote])
    return replace(pair, voted=True)
