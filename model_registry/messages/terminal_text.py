"""Removes control characters from third-party text before a terminal shows it."""

from __future__ import annotations

import re

# A terminal obeys these: C0 but for tab and line feed, DELETE, and C1. They move the cursor, name
# the window, write into the clipboard and answer as if it were typed.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def strip_control_characters(text: str) -> str:
    """The text without the characters that a terminal obeys instead of showing them."""
    return _CONTROLS.sub("", text.replace("\r\n", "\n"))


def escaped(document: str) -> str:
    """The same JSON with its DELETE and C1 characters escaped; C0 ones are already."""
    return re.sub(r"[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", document)
