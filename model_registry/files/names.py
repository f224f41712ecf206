"""Checks names that become parts of paths and case ids."""

from __future__ import annotations

import unicodedata

LONGEST = 200  # bytes; file systems allow 255 for one part of a path


def name_problem(name: str) -> str | None:
    """What is wrong with a name of a candidate, study or variant; None where nothing is.

    "org/model" is one, and becomes a folder within a folder; blanks inside, "=" and any script are
    allowed. What would lead out of the folder of a run, or not be seen, is not.
    """
    if not name.strip():
        return "a name must hold a letter or digit"
    if name != name.strip():
        return f"the name {name!r} begins or ends with a blank"
    if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name):
        return f"the name {name!r} holds a character that can't be seen"
    if "\\" in name or any(part.strip(". ") == "" for part in name.split("/")):
        return f"the name {name!r} can't be a folder: it names another place"
    if len(name.encode()) > LONGEST:
        return f"the name {name[:20]}… is longer than {LONGEST} bytes"
    return None
