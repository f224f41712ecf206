"""Lines appended to a file: all of them or none, after a last line that is whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO


def append_lines(path: Path, lines: bytes) -> None:
    """Append whole lines and wait until they are on disk; a torn last line is cut off before.

    Raises:
        OSError: they can't be written; the file is as it was.
    """
    if not lines:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b", buffering=0) as file:
        _cut_torn_line(file)
        end = file.seek(0, os.SEEK_END)
        try:
            written = 0
            while written < len(lines):  # a file that is nearly full takes a part
                written += file.write(lines[written:])
            os.fsync(file.fileno())
        except BaseException:
            file.truncate(end)
            raise


def _cut_torn_line(file: BinaryIO) -> None:
    """Drop a last line without its newline: a kill cut it, and its row was never complete."""
    end = file.seek(0, os.SEEK_END)
    if end == 0:
        return
    file.seek(end - 1)
    if file.read(1) == b"\n":
        return
    file.seek(0)
    file.truncate(file.read().rfind(b"\n") + 1)
    file.seek(0, os.SEEK_END)
