"""Reads names written with commas; checks those that become parts of paths and case ids."""

from __future__ import annotations

import unicodedata

from model_registry.language import Both

LONGEST = 200  # bytes; file systems allow 255 for one part of a path


def names_in(written: str | None) -> tuple[str, ...]:
    """The names in a text with commas between them; blanks around a name say nothing."""
    return tuple(name.strip() for name in (written or "").split(",") if name.strip())


def name_problem(name: str) -> Both | None:
    """What is wrong with a name of a candidate, study or variant; None where nothing is.

    "org/model" is one, and becomes a folder within a folder; blanks inside, "=" and any script are
    allowed. What would lead out of the folder of a run, or not be seen, is not.
    """
    if not name.strip():
        return "a name must hold a letter or digit", "이름에는 글자나 숫자가 있어야 합니다"
    if name != name.strip():
        return (
            f"the name {name!r} begins or ends with a blank",
            f"이름 {name!r}이(가) 빈칸으로 시작하거나 끝납니다",
        )
    if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name):
        return (
            f"the name {name!r} holds a character that can't be seen",
            f"이름 {name!r}에 보이지 않는 글자가 있습니다",
        )
    if "\\" in name or any(part.strip(". ") == "" for part in name.split("/")):
        return (
            f"the name {name!r} can't be a folder: it names another place",
            f"이름 {name!r}은(는) 다른 위치를 가리켜 폴더로 쓸 수 없습니다",
        )
    if len(name.encode()) > LONGEST:
        return (
            f"the name {name[:20]}… is longer than {LONGEST} bytes",
            f"이름 {name[:20]}…이(가) {LONGEST}바이트보다 깁니다",
        )
    return None
