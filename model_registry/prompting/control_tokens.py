"""Keeps control tokens in user text as plain text: only the template may write them.

User text is marked before it is rendered, so that what a template wrote itself can be told from it
afterwards. The ids are those of transformers' own `sanitize_control_tokens` (5.23), which older
versions lack.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: Around a control token in a user's text; of a private plane, which no text is written in.
_BEGIN, _END = "\U000f0000", "\U000f0001"
_MARKS = re.compile(f"[{_BEGIN}{_END}]")
#: What an assistant's turn may hold of its own: a template takes its thinking apart.
THINK_TAGS = ("<think>", "</think>")


#: What names a control token, though its tokenizer does not call it special.
_LOOKS = re.compile(r"[<\[][|｜].+[|｜][>\]]|</?[a-z]+(_[a-z0-9]+)+>|</?think>|<unused\d+>")


def control_tokens(tokenizer: PreTrainedTokenizerBase, written: str) -> tuple[str, ...]:
    """The added tokens that are special, look so, or are named in the template (or form) `written`.

    Runs of blanks are ordinary text to every template, as are tokens such as `<table>`, which many
    tokenizers add for what people write.
    """
    if tokenizer is None:
        return ()
    named = {str(token) for token in tokenizer.all_special_tokens}
    return tuple(
        token.content
        for token in tokenizer.added_tokens_decoder.values()
        if not token.content.isspace()
        and (
            token.special
            or token.content in named
            or token.content in written
            or _LOOKS.fullmatch(token.content)
        )
    )


def clean(text: str) -> str:
    """A text as it is tokenised: in NFC, without our marks and lone surrogates."""
    text = _MARKS.sub("", unicodedata.normalize("NFC", text))
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def mark(text: str, tokens: tuple[str, ...]) -> str:
    """Mark each control token in a text."""
    return _patterns(tokens)[0].sub(f"{_BEGIN}\\g<0>{_END}", text)


def unmark(text: str) -> str:
    """Remove the marks from a text."""
    return _MARKS.sub("", text)


@lru_cache(maxsize=32)
def _patterns(tokens: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A control token; a marked one, or a mark whose pair a template has cut off."""
    # The longest first: a token takes the place of those that it contains.
    one = "|".join(map(re.escape, sorted(tokens, key=len, reverse=True))) or "(?!)"
    return re.compile(one), re.compile(f"{_BEGIN}({one}){_END}|{_MARKS.pattern}")


def encode(
    tokenizer: PreTrainedTokenizerBase,
    text: str,
    tokens: tuple[str, ...],
    *,
    special: bool = False,
    within: bool = False,
) -> list[int]:
    """Token ids of a rendered text, its marked control tokens as text.

    Args:
        tokenizer: fast or slow.
        text: rendered from marked messages.
        tokens: as `mark` was given.
        special: let the tokenizer add what it begins texts with.
        within: the text stands behind another.
    """
    pieces = _patterns(tokens)[1].split(text)
    ids: list[int] = []
    for number, piece in enumerate(pieces):
        if number == 0 and not within:
            ids = list(tokenizer(piece, add_special_tokens=special)["input_ids"])
            if special and ids and ids[-1] == tokenizer.eos_token_id:
                ids.pop()  # some tokenizers close every text; an open prompt must stay open
        elif piece:
            ids += encode_within(tokenizer, piece, as_text=number % 2 == 1)
    return ids


def encode_within(
    tokenizer: PreTrainedTokenizerBase, piece: str, *, as_text: bool = False
) -> list[int]:
    """Ids of a text that stands behind another: SentencePiece begins texts with a blank."""
    encode = _as_text if as_text else _as_written
    before, ids = encode(tokenizer, "\n"), encode(tokenizer, "\n" + piece)
    return ids[len(before) :] if ids[: len(before)] == before else encode(tokenizer, piece)


_HIDDEN: WeakKeyDictionary[object, frozenset[int]] = WeakKeyDictionary()


def readable(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> str:
    """Decode generated ids without special tokens, but with the tags around thinking."""
    if tokenizer not in _HIDDEN:
        special = {n for n, t in tokenizer.added_tokens_decoder.items() if t.special}
        special.update(tokenizer.all_special_ids)
        tags = {tokenizer.convert_tokens_to_ids(tag) for tag in THINK_TAGS}
        _HIDDEN[tokenizer] = frozenset(special - tags if special & tags else ())
    hidden = _HIDDEN[tokenizer]
    if not hidden:  # no tag is special
        return str(tokenizer.decode(list(ids), skip_special_tokens=True))
    return str(tokenizer.decode([i for i in ids if i not in hidden], skip_special_tokens=False))


def _as_written(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _as_text(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Ids without any added token."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        words = tokenizer.tokenize(text, split_special_tokens=True)
        return list(tokenizer.convert_tokens_to_ids(words))  # type: ignore[arg-type]  # a list
    if backend.normalizer is not None:
        text = backend.normalizer.normalize_str(text)
    parts = [text]
    if backend.pre_tokenizer is not None:
        parts = [part for part, _ in backend.pre_tokenizer.pre_tokenize_str(text)]
    return [token.id for part in parts for token in backend.model.tokenize(part)]
