"""Finds prompts in what a visitor types, however typed: they may be under blind grading."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

#: A shorter prompt ("안녕?") stands in many messages that have nothing to do with it.
_TELLING = 10


class AskedTexts:
    """The texts of a conversation, each alone and all together."""

    def __init__(self, texts: Iterable[str]) -> None:
        asked = [_bare(one) for one in texts]
        self._texts = {*asked, "".join(asked)} - {""}

    def contain(self, prompt: str) -> bool:
        """Whether a prompt is asked here.

        A longer one is found in the middle of a text: words around it would be answered much like
        the prompt itself.
        """
        bare = _bare(prompt)
        inside = len(bare) >= _TELLING and any(bare in one for one in self._texts)
        return bare in self._texts or inside


def _bare(prompt: str) -> str:
    """A prompt without what people vary when they type the same: case, width, blanks, marks."""
    plain = unicodedata.normalize("NFKC", prompt).casefold()
    return "".join(c for c in plain if c.isalnum())
