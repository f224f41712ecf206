"""Shared by all tabs: grading session, models, the visitor's identity, errors as messages."""

from __future__ import annotations

import html
import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import gradio as gr

from evaluators.grading.rater_identity import Visitor
from evaluators.grading.store.database import Busy
from evaluators.grading.submission import InvalidRequest, text
from model_registry.errors import OhloraError
from model_registry.language import read_on_page
from pages.serving.answer_slots import AnswerSlots
from pages.serving.page_shell import language_of
from pages.serving.request_filter import PASSES
from pages.serving.shared_results import SharedResults

if TYPE_CHECKING:
    from evaluators.grading.grading_session import GradingSession
    from pages.serving.page_models import Models

#: How the page's own events are called: at once, unseen, and by no other client.
OWN_EVENT: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True, slots=True)
class PageContext:
    """Shared state of the tabs: the grading session, the models, answer slots."""

    grading: GradingSession
    models: Models
    slots: AnswerSlots = field(default_factory=AnswerSlots)
    results: SharedResults = field(default_factory=SharedResults)

    def slot(self, request: gr.Request | None) -> AbstractContextManager[None]:
        """One of a visitor's answer slots; `with` holds it.

        Raises:
            InvalidRequest: their earlier questions are still being answered.
        """
        who = page_visitor(request)
        known = who.login or self.grading.knows(who)
        return self.slots.held_by(who.id if known else visit_of(request))


def part_of_request(request: gr.Request | None, name: str) -> Any:
    """One part of a request; None where it has none.

    Gradio's Request is no class of fields: it has what the call brought along, and asks the request
    of the web framework for the rest. Outside of an event there is none at all.
    """
    return getattr(request, name, None)


def visit_of(request: gr.Request | None) -> str:
    """The open page that a request comes from; empty where it names none."""
    return str(part_of_request(request, "session_hash") or "")


def prefers_korean(request: gr.Request | None) -> bool:
    """Whether the visitor reads Korean: by their choice on the page, else by their browser."""
    headers = part_of_request(request, "headers") or {}
    return language_of(address_of(request).get("lang", ""), headers) == "ko"


def address_of(request: gr.Request | None) -> dict[str, str]:
    """The query of the page that the visitor has open (`?grader=…&key=…`)."""
    headers = part_of_request(request, "headers") or {}
    page = dict(parse_qsl(urlsplit(str(headers.get("referer", ""))).query))
    own = part_of_request(request, "query_params") or {}
    # Gradio sends along the address that was opened; a grader's own link replaces it later.
    return {**{name: str(value) for name, value in dict(own).items()}, **page}


def login_of(request: gr.Request | None) -> str:
    """The name of a login: Gradio's own (`--auth`), or Hugging Face's on a Space with hf_oauth."""
    if name := part_of_request(request, "username"):
        return str(name)
    scope = getattr(part_of_request(request, "request"), "scope", None) or {}
    profile = (scope.get("session") or {}).get("oauth_info", {}).get("userinfo", {})
    return str(profile.get("preferred_username") or "")


def visitor_of(token: object, request: gr.Request | None) -> Visitor:
    """The visitor, by the link's token and the login if there is one.

    Raises:
        InvalidRequest: the token is no text, or too long.
    """
    return Visitor(text(token or "", "grader", 200), login_of(request))


def page_visitor(request: gr.Request | None) -> Visitor:
    """The visitor who has the page open, by its address or login."""
    token = address_of(request).get("grader", "")[:200]
    return Visitor(token, login_of(request))


def is_owner(context: PageContext, request: gr.Request | None) -> bool:
    """Whether the visitor is the owner: by the link with the key, or as the author of a Space."""
    author = os.environ.get("SPACE_AUTHOR_NAME")
    if author and author == login_of(request):
        return True
    return context.grading.is_owner(address_of(request).get("key", ""))


def sees_names(context: PageContext, request: gr.Request | None, run: str = "") -> bool:
    """Whether a visitor may see the candidates' names: the owner, or who has finished grading
    where graders may see anything."""
    if is_owner(context, request):
        return True
    if not context.grading.has_finished(page_visitor(request), run):
        return False
    name = context.grading.run(run).name
    return context.grading.store.management.visibility(name) != "nothing"


def is_grading(context: PageContext, request: gr.Request | None, run: str = "") -> bool:
    """Whether the visitor still has grades of a run to give."""
    visitor = page_visitor(request)
    return context.grading.knows(visitor) and not context.grading.has_finished(visitor, run)


def shows_names(
    context: PageContext, request: gr.Request | None, run: str = "", *, asked: bool = False
) -> bool:
    """Whether names of a run are shown now; if so, it is kept that this visitor has seen them.

    An owner who grades as well is not shown them by the way, but only where they have `asked`:
    what they grade afterwards counts for nothing.
    """
    if not sees_names(context, request, run) or (not asked and is_grading(context, request, run)):
        return False
    owner = is_owner(context, request)
    context.grading.note_names_seen(page_visitor(request), run, owner=owner)
    return True


def refuse_while_grading(context: PageContext, request: gr.Request | None, *texts: str) -> None:
    """Refuse to answer a prompt that is being graded blind: the answer would reveal a candidate.

    Raises:
        InvalidRequest: one of these texts is such a prompt, and the visitor has not finished.
    """
    for run in context.grading.runs_with(texts):
        if not shows_names(context, request, run):
            raise InvalidRequest(
                "This prompt is being graded blind here. Ask it again when you have finished "
                "grading, or open the owner's link.",
                "이 질문은 지금 이름을 가리고 평가하는 중이에요. 평가를 마친 뒤에 다시 물어보거나 "
                "관리자용 링크로 여세요.",
            )


def _told(message: str, request: gr.Request | None) -> gr.Error:
    """A message with a title in the visitor's language."""
    title = "알림" if prefers_korean(request) else "Note"
    return gr.Error(message, title=title, print_exception=False)


@contextmanager
def errors_as_messages(request: gr.Request | None, *, escape: bool = True) -> Iterator[None]:
    """Turn our errors into messages for the visitor, in their language.

    `escape` is for Gradio's own pop-ups, which take their text for HTML.
    """
    try:
        yield
    except Busy as error:
        if (asked := part_of_request(request, "request")) is not None:
            asked.scope[PASSES] = True
        told = "지금은 저장소가 바빠요. 잠시 뒤에 다시 시도해 주세요."
        message = told if prefers_korean(request) else str(error)
        raise _told(message, request) from None
    except OhloraError as error:
        with read_on_page(prefers_korean(request)):
            message = error.shown
        raise _told(html.escape(message) if escape else message, request) from None
    except gr.Error:
        raise
    except Exception as error:
        # What went wrong inside may hold paths: it is for the log, not for the visitor.
        logging.getLogger(__name__).exception("a visitor's request failed")
        sorry = (
            "문제가 생겼어요. 서버 기록을 확인해 주세요."
            if prefers_korean(request)
            else ("Something went wrong here. The server's log says what.")
        )
        raise _told(sorry, request) from error
