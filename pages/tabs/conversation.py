"""Conversations of the Chat tab: streaming answers, settings, stored grades."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from typing import Any

import gradio as gr

from evaluators.grading.rater_identity import grader_id
from evaluators.grading.store.grade_records import Grade, Grader, reply_hash
from evaluators.grading.submission import LONGEST_NOTE, InvalidRequest, text
from model_registry.backends.backend import GenerationSettings
from model_registry.backends.partial_answers import text_so_far
from pages.page_context import PageContext, page_visitor, part_of_request
from pages.page_texts import WORDS
from pages.serving.answer_provenance import AnswerProvenance, read_provenance
from pages.tabs.conversation_view import LONGEST_MESSAGE, Message, reply_message

MOST_TURNS = 60

#: Seconds between two updates of one visitor's page, times the visitors who are being answered; the
#: first piece goes out at once. Sending every token would cost more than making it, and what is
#: spent on sending is taken from everybody's answers.
EVERY = 0.04

#: What stands where a reply is empty, or was thinking that ended before an answer began.
NO_ANSWER = (
    "(no answer: it ended before an answer began)",
    "(답변 없음: 답변을 시작하기 전에 끝났어요)",
)

Messages = list[Message]


def stream_answer(
    context: PageContext,
    candidate: str,
    messages: Messages,
    system: str,
    how: GenerationSettings,
    *,
    korean: bool = False,
) -> Iterator[Messages]:
    """The conversation with a growing answer, as the page shows it; closing it stops the model."""
    plain = [{"role": m["role"], "content": m["content"]} for m in messages]
    shown = [
        reply_message(**{k: v for k, v in m.items() if k != "role"}) if m["role"] != "user" else m
        for m in messages
    ]
    yield shown  # what was asked stands there at once, however long a model takes to load
    provenance = AnswerProvenance(candidate, {"system": (system or "").strip(), **asdict(how)})
    asked = [{"role": "system", "content": system.strip()}] if system and system.strip() else []
    with closing(context.models.stream(candidate, [*asked, *plain], how)) as pieces:
        gathers = context.models.gathers(candidate)
        for answer in paced(
            text_so_far(pieces), lambda: EVERY * context.slots.visitors, gathers=gathers
        ):
            yield [*shown, _answer(answer, provenance, korean)]


def paced(answers: Iterator[str], pause: Callable[[], float], *, gathers: bool) -> Iterator[str]:
    """Some of the states of an answer that grows, `pause` seconds apart, and the last one.

    A source that gathers what comes meanwhile is left alone in between: asleep, this thread takes
    nothing from the model's. Any other would only be late by that.
    """
    answer, due = "", 0.0
    for answer in answers:
        if answer.strip() and time.monotonic() >= due:
            yield answer
            due = time.monotonic() + pause()
            if gathers:
                time.sleep(pause())
    yield answer


def _answer(answer: str, provenance: AnswerProvenance, korean: bool) -> Message:
    """A message of the conversation, with its stamp."""
    content = answer.strip()
    provenance = replace(provenance, answered=bool(content))
    content = content or NO_ANSWER[korean]
    return reply_message(content, metadata=provenance.on(content))


def generation_settings(
    temperature: object, top_p: object, most: object, seed: object
) -> GenerationSettings:
    """Settings as numbers within their bounds, which other clients than the page may not keep.

    Raises:
        InvalidRequest: one is out of them.
    """

    def number(value: object, name: str, low: float, high: float) -> float:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
        ):
            english, korean = (label.partition(" (")[0] for label in WORDS[name])
            raise InvalidRequest(
                f"{english} must be a number from {low:g} to {high:g}.",
                f"{korean}: {low:g}에서 {high:g} 사이의 수여야 해요.",
            )
        return value

    return GenerationSettings(
        max_new_tokens=int(number(most, "max_new_tokens", 1, 1024)),
        temperature=float(number(temperature, "temperature", 0, 2)),
        top_p=float(number(top_p, "top_p", 0.01, 1)),
        seed=int(number(seed or 0, "seed", 0, 2**31)),
    )


def plain_messages(history: Any) -> Messages:
    """The page's messages, or those of another client, as plain ones: role and text, and what an
    answer carries as its metadata.

    Raises:
        InvalidRequest: too long, or no conversation.
    """
    if not isinstance(history or [], list) or len(history or []) > MOST_TURNS:
        raise InvalidRequest(
            "This conversation is too long. Start a new one.",
            "대화가 너무 길어요. 새로 시작하세요.",
        )
    messages = []
    for one in history or []:
        content = one.get("content") if isinstance(one, dict) else None
        if isinstance(content, list):
            content = "".join(p.get("text", "") for p in content if isinstance(p, dict))
        role = one.get("role") if isinstance(one, dict) else None
        if role not in ("user", "assistant") or not isinstance(content, str):
            raise InvalidRequest("This is no conversation.", "대화를 읽을 수 없어요.")
        message = {"role": role, "content": text(content, "message", 4 * LONGEST_MESSAGE)}
        if role == "assistant" and (provenance := one.get("metadata")):
            message["metadata"] = provenance
        messages.append(message)
    return messages


def question(message: object) -> Message:
    """What a visitor asks, as a message.

    Raises:
        InvalidRequest: no text, none at all, or too long.
    """
    asked = text(message, "message", LONGEST_MESSAGE).strip()
    if not asked:
        raise InvalidRequest("Write something first.", "메시지를 먼저 입력해 주세요.")
    return {"role": "user", "content": asked}


def edited_messages(history: Messages, edited: object) -> Messages:
    """The conversation up to a question that was edited; what followed it is gone from the view,
    and grades of it stay in the store.

    Args:
        edited: `index` and `value`, as a browser or another client sends them.

    Raises:
        InvalidRequest: there is no such question, or nothing is left of it.
    """
    messages = plain_messages(history)
    place, new = (edited.get("index"), edited.get("value")) if isinstance(edited, dict) else (0, 0)
    asked = range(len(messages))
    if type(place) is not int or place not in asked or messages[place]["role"] != "user":
        raise InvalidRequest("There is no such question.", "그런 질문이 없어요.")
    return [*messages[:place], question(new)]


def asked_texts(messages: Messages) -> list[str]:
    """The visitor's own messages."""
    return [m["content"] for m in messages if m["role"] == "user"]


def graded_answer(history: Any) -> int | None:
    """The position of the answer that a grade is for: the one that was chosen, else the last one;
    None where there is no answer, or what was chosen is none."""
    given = history if isinstance(history, list) else []
    messages = [one if isinstance(one, dict) else {} for one in given]
    places = [i for i, m in enumerate(messages) if m.get("role") == "assistant"]
    chosen = [i for i, m in enumerate(messages) if m.get("graded")]
    place = [*places[-1:], *chosen][-1:]
    return place[0] if place and place[0] in places else None


def keep_grade(
    context: PageContext,
    history: Messages,
    candidate: str,
    grade: object,
    note: str,
    request: gr.Request,
) -> None:
    """Store a grade of one answer of a conversation: of the one marked `graded`, or else the last.

    It is kept for whoever made that answer, whoever is chosen by now; `candidate` is for a
    conversation that another client made up itself, whose answers carry none.

    Raises:
        InvalidRequest: there is no such answer, or the grade is none.
    """
    messages = plain_messages(history)
    if not (place := graded_answer(history)):  # none, or one that nobody has asked for
        raise InvalidRequest("Choose an answer first.", "먼저 답변을 하나 고르세요.")
    if type(grade) is not int or not 1 <= grade <= 5:
        raise InvalidRequest("Choose one of the five grades.", "다섯 등급 가운데 하나를 고르세요.")
    reply = messages[place]["content"]
    provenance = read_provenance(messages[place], reply)
    if provenance and not provenance.answered:
        reply = ""
    made_by = provenance.candidate if provenance else candidate
    if not all(isinstance(n, str) and n in context.models.names for n in (candidate, made_by)):
        raise InvalidRequest("Choose a candidate first.", "먼저 후보를 고르세요.")
    person = person_of(context, request)
    said = [provenance.answer] if provenance else [m["content"] for m in messages[: place + 1]]
    kept = Grade(
        key="",
        subject=f"chat:{_digest(person.id, made_by, *said)}",
        grader=person.id,
        run="chat",
        case="chat",
        candidate=made_by,
        prompt=next((m["content"] for m in messages[place::-1] if m["role"] == "user"), ""),
        reply=reply,
        grade=grade,
        page="chat",
        kind="chat",
        pass_="chat",
        reply_hash=reply_hash(reply),
        note=text(note or "", "note", LONGEST_NOTE),
        blind=False,
        settings=_settings(provenance),
    )
    _keep_once(context, kept)


def _keep_once(context: PageContext, grade: Grade) -> None:
    """Keep a grade unless it says what the last one of this answer by this person did."""
    history = context.grading.store.grades("chat", grader=grade.grader, history=True)
    earlier = [one for one in history if one.subject == grade.subject]
    if earlier and (earlier[-1].grade, earlier[-1].note) == (grade.grade, grade.note):
        return
    # Numbered, so that a double click makes the same key and a change of mind another.
    numbered = replace(grade, key=f"{grade.subject}:{len(earlier)}")
    context.grading.store.add_grades([numbered])


def _settings(provenance: AnswerProvenance | None) -> dict[str, object] | None:
    """The settings of a stamp, which has been in a browser, checked as those of a question."""
    if provenance is None:
        return None
    given = provenance.settings if isinstance(provenance.settings, dict) else {}
    numbers = ("temperature", "top_p", "max_new_tokens", "seed")
    how = generation_settings(*(given.get(name) for name in numbers))
    system = text(given.get("system") or "", "system", LONGEST_MESSAGE)
    return {"system": system, **asdict(how)}


def person_of(context: PageContext, request: gr.Request) -> Grader:
    """The grader that the visitor is, or a guest of this one visit."""
    visitor = page_visitor(request)
    if visitor.login or context.grading.knows(visitor):
        return context.grading.join("", visitor)[0]
    visit = str(part_of_request(request, "session_hash"))
    return context.grading.store.add_grader(Grader(grader_id(visit, guest=True), "guest"))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()[:24]
