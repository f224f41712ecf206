"""What every answer of a chat carries: who made it, how, and of which text that is true.

The conversation lives in the visitor's browser and the choice of a candidate beside it, which may
be another by the time an answer is graded. So each answer says itself whose it is. The Chatbot
keeps a message's `metadata` as it is, and shows none of it where there is no title.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field
from typing import Any

from evaluators.grading.store.grade_records import reply_hash
from evaluators.grading.submission import Refused, text

#: A stamp holds a system prompt, a name and five numbers.
_LONGEST = 20_000


@dataclass(frozen=True, slots=True)
class Stamp:
    """Where an answer is from."""

    candidate: str
    settings: dict[str, Any]
    answer: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    text_hash: str = ""
    answered: bool = True  # else the text is the page's own words for that

    def on(self, reply: str) -> dict[str, str]:
        """The metadata of a message with this text."""
        made = {**asdict(self), "text_hash": reply_hash(reply)}
        return {"id": json.dumps(made, ensure_ascii=False)}


def read_stamp(message: Any, reply: str) -> Stamp | None:
    """The stamp of a message as a browser sends it back; None where it has none.

    Raises:
        Refused: it is none of ours, or the text is another than it was made for.
    """
    metadata = message.get("metadata") if isinstance(message, dict) else None
    written = metadata.get("id") if isinstance(metadata, dict) else None
    if written in (None, ""):
        return None
    try:
        stamp = Stamp(**json.loads(text(written, "metadata", _LONGEST)))
        texts = (stamp.candidate, stamp.answer, stamp.text_hash)
        known = all(isinstance(one, str) for one in texts) and type(stamp.answered) is bool
    except (TypeError, ValueError, RecursionError):
        known = False
    if not known or stamp.text_hash != reply_hash(reply):
        raise Refused(
            "This answer is not as it was made. Ask again, and grade the new one.",
            "만들어진 그대로의 답변이 아니에요. 다시 물어보고 새 답변을 평가해 주세요.",
        )
    return stamp
