"""Errors of the operating system (full disk, too many open files) in one line with a cure."""

from __future__ import annotations

import errno
from pathlib import Path

from model_registry.language import read_texts, text

_CURES = read_texts(Path(__file__).with_name("machine_errors.toml"))


def error_words(error: OSError) -> str:
    """Which file, what is wrong, and what helps."""
    cure = _CURES.get(errno.errorcode.get(error.errno or 0, ""))
    said = text(*cure) + "." if cure else error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {said}" if error.filename else said[:1].upper() + said[1:]
