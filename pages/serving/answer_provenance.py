"""The provenance of a chat answer: candidate, settings, and a hash of the text.

The conversation lives in the visitor's browser and the choice of a candidate beside it, which may
be another by the time an answer is graded. So each answer says itself whose it is, in its
`metadata`.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field

from evaluators.grading.store.grade_records import reply_hash
from evaluators.grading.submission import InvalidRequest, text

#: A provenance holds a system prompt, a name and five numbers.
_LONGEST = 20_000


@dataclass(frozen=True, slots=True)
class AnswerProvenance:
    """Where an answer comes from."""

    candidate: str
    settings: dict[str, object]
    answer: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    text_hash: str = ""
    answered: bool = True  # else the text is the page's own words for that

    def on(self, reply: str) -> dict[str, str]:
        """The metadata of a message with this text."""
        made = {**asdict(self), "text_hash": reply_hash(reply)}
        return {"id": json.dumps(made, ensure_ascii=False)}


def read_provenance(message: object, reply: str) -> AnswerProvenance | None:
    """The provenance in a message that a browser sends back; None where it has none.

    Raises:
        InvalidRequest: it is none of ours, or the text is another than it was made for.
    """
    metadata = message.get("metadata") if isinstance(message, dict) else None
    written = metadata.get("id") if isinstance(metadata, dict) else None
    if written in (None, ""):
        return None
    try:
        provenance = AnswerProvenance(**json.loads(text(written, "metadata", _LONGEST)))
        texts = (provenance.candidate, provenance.answer, provenance.text_hash)
        known = all(isinstance(one, str) for one in texts) and type(provenance.answered) is bool
    except (TypeError, ValueError, RecursionError):
        known = False
    if not known or provenance.text_hash != reply_hash(reply):
        raise InvalidRequest(
            "This answer is not as it was made. Ask again, and grade the new one.",
            "만들어진 그대로의 답변이 아니에요. 다시 물어보고 새 답변을 평가해 주세요.",
        )
    return provenance
