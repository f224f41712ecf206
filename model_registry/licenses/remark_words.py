"""Remarks of catalogs and contracts, in the reader's language.

Catalogs hold them in English, as one-line remarks on a value. A remark that has no Korean, such as
one of a catalog of one's own, is read as it was written.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from model_registry.language import text

_TABLE = Path(__file__).with_name("remarks.toml")
_KOREAN: dict[str, str] = tomllib.loads(_TABLE.read_text(encoding="utf-8"))


def remark_words(remark: str) -> str:
    """A remark as people read it."""
    return text(remark, remark_in_korean(remark))


def remark_in_korean(remark: str) -> str:
    """A remark in Korean; as it was written where there is none."""
    return _KOREAN.get(remark, remark)
