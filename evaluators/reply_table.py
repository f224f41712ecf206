"""Reading replies from any CSV file: by column names, in the encodings that Korean files have."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from evaluators.korean_text import SYLLABLE_RUN
from model_registry.errors import BadFile, UnknownName
from model_registry.records import Reply

ENCODINGS = ("utf-8-sig", "cp949")
#: A file is refused as mojibake if undoing a wrong decoding brings out this many Hangul
#: syllables for each character that is not ASCII. Sound Korean gives less than 0.02.
RECOVERED = 0.2
LOST = 0.2  # or if this share of the characters that are not ASCII are U+FFFD


def read_replies(
    path: Path | str,
    prompt_column: str = "prompt",
    reply_column: str = "reply",
    reference_column: str | None = None,
) -> list[Reply]:
    """The replies of a table, one a row; an empty cell is an empty reply.

    Raises:
        BadFile: the file is missing, is no such table, or its Korean is broken.
        UnknownName: it has no such column.
    """
    path = Path(path)
    rows = _rows(path, decode(path))
    columns = [prompt_column, reply_column] + ([reference_column] if reference_column else [])
    for column in columns:
        if column not in rows[0]:
            raise UnknownName(f"column of {path}", column, (name for name in rows[0] if name))
    table = [dict(zip(rows[0], row, strict=False)) for row in rows[1:] if any(row)]
    _refuse_mojibake(path, "\n".join(row.get(c) or "" for row in table for c in columns))
    return [
        Reply(
            case=path.stem,
            candidate=path.stem,
            prompt=row[prompt_column] or "",
            reply=row.get(reply_column) or "",
            pass_="greedy",
            tuned=None,
            new_tokens=None,
            finish_reason="",
            reference=(row.get(reference_column) or None) if reference_column else None,
        )
        for row in table
        if prompt_column in row
    ]


def decode(path: Path) -> str:
    """The text of a file in UTF-8 (with or without BOM), UTF-16 with BOM, or cp949.

    Raises:
        BadFile: it can't be read, or is in none of them.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadFile(path, None, f"can't be read ({error.strerror})") from error
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", errors="replace")
    for encoding in ENCODINGS:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadFile(
        path, None, "its text is neither UTF-8 nor cp949; save it as UTF-8 (Excel: CSV UTF-8)"
    )


def _rows(path: Path, text: str) -> list[list[str]]:
    """All rows, the header first. Tabs and semicolons also part columns, as Excel writes them."""
    header = text.split("\n", 1)[0]
    delimiter = max(",\t;", key=header.count)
    limit = csv.field_size_limit(2**31 - 1)  # a C long, everywhere
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise BadFile(path, None, f"is no CSV file ({error})") from error
    finally:
        csv.field_size_limit(limit)
    if not rows:
        raise BadFile(path, None, "is empty; its first line must hold the column names")
    rows[0] = [name.strip() for name in rows[0]]
    return rows


def _refuse_mojibake(path: Path, text: str) -> None:
    """Refuse text that was decoded wrongly once and saved like that."""
    strange = "".join(character for character in text if character > "\x7f")
    if not strange:
        return
    if strange.count("\ufffd") > LOST * len(strange):
        raise BadFile(path, None, _broken("its characters are lost (U+FFFD)", strange))
    for wrong, right in _WRONG_DECODINGS:
        found = strange.encode(wrong, errors="ignore").decode(right, errors="ignore")
        if sum(map(len, SYLLABLE_RUN.findall(found))) > RECOVERED * len(strange):
            raise BadFile(path, None, _broken(f"it is {right} text read as {wrong}", strange))


#: (how it was read, how it was written): reading Korean the wrong way gives ì•ˆë…• or ¾È³ç.
_WRONG_DECODINGS = (
    ("latin-1", "utf-8"),
    ("cp1252", "utf-8"),
    ("cp949", "utf-8"),
    ("latin-1", "cp949"),
    ("cp1252", "cp949"),
)


def _broken(how: str, text: str) -> str:
    return (
        f"the Korean in it is broken ({text[:12]}…): {how}. "
        "Save it again from its source as UTF-8 (Excel: CSV UTF-8)"
    )
