"""Repairs what crashes, full disks and editors leave of a run's files.

Lines that are no rows are set aside in NAME.damaged, never thrown away; the cases that they
belonged to are then done again, because their rows are not all there any more.
"""

from __future__ import annotations

import warnings
from pathlib import Path

from model_registry.errors import OhloraWarning
from model_registry.files.whole_file import write_whole
from model_registry.language import text
from model_registry.records import Record, parse_row


class DamagedFile(OhloraWarning):
    """Something in a run's folder could not be read and was set aside."""


def mend_rows(path: Path, kind: type[Record]) -> int:
    """Move unreadable lines of a file aside; returns how many there were.

    A last line without its end goes without a word: a kill cut it, its row was never complete.
    """
    if not path.exists():
        return 0
    lines = path.read_bytes().split(b"\n")
    torn = lines.pop()
    damaged = [line for line in lines if line.strip() and not _is_row(line, kind)]
    if damaged:
        _set_aside(path, b"".join(line + b"\n" for line in damaged))
        _tell(path, len(damaged))
    if damaged or torn:
        good = [line for line in lines if line.strip() and line not in damaged]
        write_whole(path, b"".join(line + b"\n" for line in good))
    return len(damaged)


def set_aside(path: Path) -> None:
    """Move an unreadable file aside."""
    _set_aside(path, path.read_bytes())
    path.unlink()
    _tell(path, 1)


def _set_aside(path: Path, data: bytes) -> None:
    with path.with_name(path.name + ".damaged").open("ab") as file:
        file.write(data)


def _tell(path: Path, count: int) -> None:
    aside = path.name + ".damaged"
    said = text(
        f"{path}: {count} damaged lines were set aside in {aside}; what is missing is done again.",
        f"{path}: 손상된 {count}줄을 {aside}에 따로 두었습니다. 빠진 케이스는 다시 실행합니다.",
    )
    warnings.warn(said, DamagedFile, stacklevel=3)


def _is_row(line: bytes, kind: type[Record]) -> bool:
    try:
        parse_row(kind, line)
    except ValueError:
        return False
    return True
