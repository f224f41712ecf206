"""Finds which optional field of a request a server refused, from its message.

Servers that speak OpenAI's API read different subsets of it; some refuse what they don't read. A
field that is not needed is then left out, and the answer says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

#: What an answer can do without, and what each may be asked for by instead.
OPTIONAL: dict[str, str | None] = {
    "stream_options": None,
    "seed": None,
    "temperature": None,
    "top_p": None,
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}

_TOO_LONG = re.compile(
    r"context[ _]?(?:length|window|size)|maximum context|prompt (?:is )?too long"
    r"|too many tokens|tokens? \+ `?max_new_tokens",
    re.IGNORECASE,
)


def refused_field(said: str, param: str | None, body: Mapping[str, object]) -> str | None:
    """The optional field of `body` that a refusal speaks of; None where it speaks of none.

    Args:
        said: the server's words.
        param: what it names in its error's own field for that, as OpenAI does.
        body: what was sent.
    """
    sent = [field for field in OPTIONAL if field in body]
    if param in sent:
        return param
    if is_too_long(said):
        return None
    return next((field for field in sent if re.search(rf"\b{field}\b", said)), None)


def is_too_long(said: str) -> bool:
    """Whether a server reports a prompt longer than its model's context."""
    return bool(_TOO_LONG.search(said))


def without(body: Mapping[str, object], refused: tuple[str, ...]) -> dict[str, object]:
    """The request without these fields, each replaced by its substitute if it has one."""
    kept = dict(body)
    for field in refused:
        value = kept.pop(field, None)
        other = OPTIONAL[field]
        if other is not None and value is not None and other not in refused:
            kept[other] = value
    return kept
