"""What the chat works with: a conversation, an answer that grows, a grade that is kept."""

from __future__ import annotations

import hashlib
import html
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import gradio as gr

from evaluators.grading.desk import Visitor
from evaluators.grading.store import Grade, Grader, reply_hash
from evaluators.grading.submission import LONGEST_NOTE, Refused, text
from model_registry.backends.backend import GenerationSettings
from pages.site import Site, page_visitor

LONGEST_MESSAGE = 4000
MOST_TURNS = 60

#: Seconds between two updates of one visitor's page, times the answers that are under way; the
#: first piece goes out at once. Sending every token would cost more than making it, and what is
#: spent on sending is taken from everybody's answers.
EVERY = 0.04

Messages = list[dict[str, Any]]


def stream_answer(
    site: Site, candidate: str, messages: Messages, system: str, how: GenerationSettings
) -> Iterator[Messages]:
    """The conversation with a growing answer, as the page shows it; closing it stops the model."""
    shown = [{**m, "content": as_text(m["content"])} for m in messages]
    yield shown  # what was asked stands there at once, however long a model takes to load
    asked = [{"role": "system", "content": system.strip()}] if system and system.strip() else []
    answer = ""
    with closing(site.models.stream(candidate, [*asked, *messages], how)) as pieces:
        for piece in pieces:
            answer += piece
            if answer.strip():
                yield [*shown, {"role": "assistant", "content": as_text(answer)}]
                # Asleep this thread takes nothing from the model's; the rest comes at once.
                time.sleep(EVERY * site.models.busy)
    yield [*shown, {"role": "assistant", "content": as_text(answer) or "…"}]


def as_text(content: str) -> str:
    """Text that the Chatbot shows as it is: it takes what it is given for HTML."""
    return html.escape(content, quote=False)


def generation_settings(temperature: Any, top_p: Any, most: Any, seed: Any) -> GenerationSettings:
    """Settings as numbers within their bounds, which other clients than the page may not keep.

    Raises:
        Refused: one is out of them.
    """

    def number(value: Any, name: str, low: float, high: float) -> float:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
        ):
            raise Refused(
                f"{name} must be a number from {low:g} to {high:g}.",
                f"{name} 값은 {low:g}에서 {high:g} 사이의 수여야 합니다.",
            )
        return value

    return GenerationSettings(
        max_new_tokens=int(number(most, "max_new_tokens", 1, 1024)),
        temperature=float(number(temperature, "temperature", 0, 2)),
        top_p=float(number(top_p, "top_p", 0.01, 1)),
        seed=int(number(seed or 0, "seed", 0, 2**31)),
    )


def plain_messages(history: Any) -> Messages:
    """The Chatbot's messages as plain ones: role and text, without the escapes of `as_text`.

    Raises:
        Refused: too long, or no conversation.
    """
    if not isinstance(history or [], list) or len(history or []) > MOST_TURNS:
        raise Refused(
            "This conversation is too long. Start a new one.",
            "대화가 너무 깁니다. 새로 시작하세요.",
        )
    messages = []
    for one in history or []:
        content = one.get("content") if isinstance(one, dict) else None
        if isinstance(content, list):
            content = "".join(p.get("text", "") for p in content if isinstance(p, dict))
        role = one.get("role") if isinstance(one, dict) else None
        if role not in ("user", "assistant") or not isinstance(content, str):
            raise Refused("This is no conversation.", "대화를 읽을 수 없습니다.")
        messages.append(
            {"role": role, "content": text(html.unescape(content), "message", 4 * LONGEST_MESSAGE)}
        )
    return messages


def asked_texts(messages: Messages) -> list[str]:
    """What the visitor wrote."""
    return [m["content"] for m in messages if m["role"] == "user"]


def last_answer(history: Any) -> int | None:
    """Where the last answer stands, if there is one."""
    places = [i for i, m in enumerate(history or []) if m.get("role") == "assistant"]
    return places[-1] if places else None


def keep_grade(
    site: Site,
    history: Messages,
    candidate: str,
    target: int | None,
    grade: Any,
    note: str,
    request: gr.Request,
) -> None:
    """Keep a grade of one answer of a conversation; the last one unless `target` says which.

    Raises:
        Refused: there is no such answer, or the grade is none.
    """
    messages = plain_messages(history)
    place = target if target is not None else last_answer(messages)
    if place is None or not 0 < place < len(messages) or messages[place]["role"] != "assistant":
        raise Refused("Choose an answer first.", "먼저 답을 하나 고르세요.")
    if type(grade) is not int or not 1 <= grade <= 5:
        raise Refused("Choose one of the five grades.", "다섯 등급 가운데 하나를 고르세요.")
    if candidate not in site.models.names:
        raise Refused("Choose a candidate first.", "먼저 후보를 고르세요.")
    reply = messages[place]["content"]
    person = person_of(site, request)
    said = [m["content"] for m in messages[: place + 1]]
    subject = f"chat:{_digest(person.id, candidate, *said)}"
    note = text(note or "", "note", LONGEST_NOTE)
    earlier = [
        g
        for g in site.desk.store.grades("chat", grader=person.id, history=True)
        if g.subject == subject
    ]
    if earlier and (earlier[-1].grade, earlier[-1].note) == (grade, note):
        return
    kept = Grade(
        # Numbered, so that a double click makes the same key and a change of mind another.
        key=f"{subject}:{len(earlier)}",
        subject=subject,
        grader=person.id,
        run="chat",
        case="chat",
        candidate=candidate,
        prompt=next(m["content"] for m in reversed(messages[:place]) if m["role"] == "user"),
        reply=reply,
        grade=grade,
        page="chat",
        kind="chat",
        pass_="chat",
        reply_hash=reply_hash(reply),
        note=note,
        blind=False,
    )
    site.desk.store.add_grades([kept])


def person_of(site: Site, request: gr.Request) -> Grader:
    """The grader that the visitor is, or a guest of this one visit."""
    visitor = page_visitor(request)
    if visitor.login or site.desk.knows(visitor):
        return site.desk.join("", visitor)[0]
    guest = Visitor(f"guest {getattr(request, 'session_hash', None)}")
    return site.desk.store.add_grader(Grader(guest.id, "guest"))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()[:24]
