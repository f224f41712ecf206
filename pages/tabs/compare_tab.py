"""The Compare tab: two candidates answer the same prompt, unnamed until the vote.

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
from evaluators.grading.store.grade_store import Vote
from evaluators.grading.submission import Refused, text
from model_registry.backends.backend import GenerationSettings
from pages.page_context import Site, address_of, answering, guard_blindness, wants_korean
from pages.page_words import word
from pages.tabs.conversation import LONGEST_MESSAGE, NO_ANSWER, growing, person_of

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
    settings: dict[str, Any]
    shown_at: float


def compare_tab(site: Site, _: gr.Tab) -> None:
    """Build the tab."""
    gr.Markdown(word("compare_intro"))
    pair = gr.State(None)
    with gr.Row(elem_id="compare-entry"):
        prompt = gr.Textbox(
            show_label=False,
            container=False,
            placeholder=word("prompt_hint"),
            max_length=LONGEST_MESSAGE,
            scale=5,
            min_width=120,
            elem_id="compare-prompt",
        )
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
    _wire(site, pair, prompt, ask, replies, buttons, outcome)


def _wire(
    site: Site,
    pair: gr.State,
    prompt: gr.Textbox,
    ask: gr.Button,
    replies: list[gr.Textbox],
    buttons: list[gr.Button],
    outcome: gr.Textbox,
) -> None:
    """Which event calls what."""

    def compare(prompt: str, request: gr.Request) -> tuple[Any, ...]:
        with answering(request), site.turn(request):
            made = make_pair(site, prompt, request)
            mask, korean = Mask(site.models.names), wants_korean(request)
            open_ = [gr.Button(interactive=True, variant="secondary") for _ in BUTTONS]
            return (
                made,
                mask(made.left_reply) or NO_ANSWER[korean],
                mask(made.right_reply) or NO_ANSWER[korean],
                *open_,
                gr.Textbox(visible=False),
            )

    def vote(choice: str, pair: Pair | None, request: gr.Request) -> tuple[Any, ...]:
        with answering(request):
            pair = keep_vote(site, choice, pair, request)
        closed = [
            gr.Button(interactive=False, variant="primary" if choice == mine else "secondary")
            for mine, _ in BUTTONS
        ]
        names = f"A = {pair.left}    B = {pair.right}"
        said = [
            one or NO_ANSWER[wants_korean(request)] for one in (pair.left_reply, pair.right_reply)
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


def make_pair(site: Site, prompt: Any, request: gr.Request) -> Pair:
    """Ask two candidates, drawn at random, the same.

    Raises:
        Refused: no prompt, one that is being graded, or fewer than two candidates.
    """
    prompt = text(prompt, "prompt", LONGEST_MESSAGE).strip()
    if not prompt:
        raise Refused("Write a prompt first.", "질문을 먼저 입력해 주세요.")
    guard_blindness(site, request, prompt)
    names = comparable(site, request)
    if len(names) < 2:
        raise Refused(
            "Comparing needs two candidates that chat and can answer here: `make bundled`.",
            "비교하려면 여기서 대화할 수 있는 후보가 둘 있어야 해요: `make bundled`.",
        )
    left, right = random.SystemRandom().sample(names, 2)
    how = GenerationSettings(MOST_TOKENS, TEMPERATURE, 0.95, seed=secrets.randbelow(2**31))
    said = {name: _whole_answer(site, name, prompt, how) for name in sorted((left, right))}
    settings = {"temperature": how.temperature, "top_p": how.top_p, "seed": how.seed}
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


def comparable(site: Site, request: gr.Request | None) -> list[str]:
    """Who may be drawn: the candidates of the run on show that can answer here, else those that
    chat. A model made for diagrams would only lose."""
    here = site.models.names
    if site.desk.run_names:
        asked = address_of(request).get("run", "")
        run = site.desk.run(asked if asked in site.desk.run_names else "")
        of_run = [name for name in here if name in run.candidates]
        if len(of_run) > 1:
            return of_run
    return site.models.chatting


def _whole_answer(site: Site, name: str, prompt: str, how: GenerationSettings) -> str:
    messages = [{"role": "user", "content": prompt}]
    with closing(site.models.stream(name, messages, how)) as pieces:
        return ([*growing(pieces)] or [""])[-1].strip()


def keep_vote(site: Site, choice: str, pair: Any, request: gr.Request) -> Pair:
    """Keep a vote and give its pair back; voted on twice, the first vote stays.

    Raises:
        Refused: there is no pair to vote on.
    """
    if not isinstance(pair, Pair):
        raise Refused("Ask both first.", "두 후보에게 먼저 물어보세요.")
    vote = Vote(
        key=pair.id,
        grader=person_of(site, request).id,
        prompt=pair.prompt,
        left=pair.left,
        right=pair.right,
        left_reply=pair.left_reply,
        right_reply=pair.right_reply,
        choice=choice,
        settings=pair.settings,
        seconds=round(time.time() - pair.shown_at, 1),
    )
    site.desk.store.add_votes([vote])
    return pair
