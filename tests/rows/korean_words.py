"""Tells whether a message is Korean, with names and calls but no sentence of English."""

from __future__ import annotations

import re

_ENGLISH = re.compile(r"(?:\b[A-Za-z']{2,} ){3}[A-Za-z']{2,}")


def is_korean(message: str) -> bool:
    """Whether a message has Hangul and no four English words in a row."""
    return re.search("[가-힣]", message) is not None and not _ENGLISH.search(message)
