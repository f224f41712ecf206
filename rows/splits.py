"""Recognises names of splits (Train, dev, 검증, train-00000-of-00001 …) as train, valid or test."""

from __future__ import annotations

import re

from rows.columns import TABLES
from rows.encoding import nfc

_SPLIT_OF = {name: split for split, names in TABLES["splits"].items() for name in names}
_FIRST_WORD = re.compile(r"[^\W\d_]+")


def split_of(name: str) -> str | None:
    """The split that a name means, by its first word; None where it means none."""
    word = _FIRST_WORD.match(nfc(name).strip().casefold())
    if word is None:
        return None
    # 학습용, 검증셋, 테스트데이터: Korean writes on without a space.
    return _SPLIT_OF.get(re.sub(r"(?<=[가-힣])(?:용|셋|세트|데이터|용데이터)$", "", word.group()))
