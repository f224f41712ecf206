"""Two candidates in one unnamed conversation: who is drawn, what both say, and the verdict."""

from __future__ import annotations

import logging
import random
import secrets
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace

import gradio as gr

from evaluators.grading.store.grade_records import Vote
from evaluators.grading.submission import InvalidRequest
from model_registry.backends.backend import GenerationSettings
from model_registry.backends.partial_answers import text_so_far
from model_registry.errors import OhloraError
from pages.page_context import PageContext, address_of, refuse_while_grading
from pages.tabs.conversation import MOST_TURNS, person_of, question

#: How both candidates answer: alive enough that no reply repeats one from the Chat tab.
TEMPERATURE = 0.7
MOST_TOKENS = 160

#: Seconds between two moments at which both answers can be stopped.
BREATH = 0.5
_unchanged = tuple(gr.skip() for _ in range(8))


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
    voted: str = ""  # the stored choice

    @property
    def mark(self) -> str:
        """Which conversation this is, how far it went, and not between whom."""
        return f"{self.id}.{len(self.turns)}"

    def messages(self, side: str) -> list[dict[str, str]]:
        """The conversation of the "left" or the "right" one so far."""
        said = [(t.prompt, t.left if side == "left" else t.right) for t in self.turns]
        return [
            {"role": role, "content": content}
            for turn in said
            for role, content in zip(("user", "assistant"), turn, strict=True)
        ]


def next_question(
    context: PageContext, prompt: object, pair: object, request: gr.Request
) -> tuple[Pair, str]:
    """The pair that is asked next, a new one after a verdict, and the checked question.

    Raises:
        InvalidRequest: no question, one that is being graded, too many, or fewer than two
            candidates.
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


def answered(
    context: PageContext, pair: Pair, asked: str
) -> Generator[tuple[object, ...], None, Pair]:
    """The pair with what both say to a question, each after its own conversation. Now and then it
    yields, changing nothing on the page: there it can be stopped.

    Raises:
        InvalidRequest: one of the two gives no answer; which one, and why, is for the log.
    """
    said, due = {}, time.monotonic() + BREATH
    try:
        # In an order that says nothing about the sides.
        sides = (("left", pair.left), ("right", pair.right))
        for side, name in sorted(sides, key=lambda one: one[1]):
            messages = [*pair.messages(side), {"role": "user", "content": asked}]
            said[side] = ""
            with closing(context.models.stream(name, messages, pair.how)) as pieces:
                for said[side] in text_so_far(pieces):
                    if time.monotonic() >= due:
                        yield _unchanged
                        due = time.monotonic() + BREATH
    except OhloraError as error:
        logging.getLogger(__name__).warning("a candidate gave no answer", exc_info=error)
        raise InvalidRequest(
            "One of the two can't answer this. Ask something else or start a new conversation.",
            "두 후보 중 하나가 답하지 못했어요. 다른 것을 묻거나 새로 시작하세요.",
        ) from None
    turns = (*pair.turns, PairTurn(asked, said["left"].strip(), said["right"].strip()))
    return replace(pair, turns=turns, shown_at=time.time())


def keep_vote(
    context: PageContext, choice: str, pair: object, mark: str, request: gr.Request
) -> Pair:
    """Keep the verdict on the conversation that is seen and give its pair back, closed; voted on
    twice, the first vote stays. Of several turns the row holds all texts, `settings` each apart.

    Raises:
        InvalidRequest: there is no conversation to vote on, or it is another than what was seen.
    """
    if not isinstance(pair, Pair) or not pair.turns:
        raise InvalidRequest("Ask both first.", "두 후보에게 먼저 물어보세요.")
    if pair.voted:
        return pair
    if mark != pair.mark:
        raise InvalidRequest(
            "The conversation has changed meanwhile. Look at it and choose again.",
            "그사이 대화가 바뀌었어요. 다시 보고 판정하세요.",
        )
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
    store = context.grading.store
    if not store.add_votes([vote]):  # two clicks in one moment
        choice = next(one.choice for one in store.votes() if one.key == pair.id)
    return replace(pair, voted=choice)
