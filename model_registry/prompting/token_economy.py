"""Token economy: how many tokens a tokenizer makes of Korean text.

Counted on the user's own rows by the tokenizer alone: no weight is read. Of many rows the longest
and some spread over all of them are counted.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model_registry.candidate import Candidate
from model_registry.errors import LoadError, OhloraError
from model_registry.hub import cached_file, network_is_up
from model_registry.naming.facts_cache import tokenizer_folder
from model_registry.naming.references import HubReference
from model_registry.prompting.tokenization import IGNORED, TrainableRow, encode_row, end_token_id
from model_registry.weights.pretrained import read_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MOST_ROWS = 1000  # that are counted; of more, this many
_LONGEST = 100  # of these, the longest by characters
_HANGUL = re.compile("[가-힣]")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json")


@dataclass(frozen=True, slots=True)
class Economy:
    """What a candidate's tokenizer makes of rows.

    `per_100` is tokens for 100 characters (blanks and marks included) of the texts that hold
    Hangul. `lengths` are tokens of whole rows, in the candidate's own form with its end token.
    `problem` is the status that its tokenizer could not be had with, "" where it could.
    """

    name: str
    per_100: float | None = None
    lengths: tuple[int, ...] = ()
    end_token: str = ""
    rows: int = 0  # with an answer, counted or not
    problem: str = ""
    message: str = ""

    @property
    def longest(self) -> int | None:
        """Tokens of the longest row; None where none was counted."""
        return max(self.lengths, default=None)

    @property
    def median(self) -> int | None:
        """Tokens of the middle row; None where none was counted."""
        return round(statistics.median(self.lengths)) if self.lengths else None

    def over(self, most: int) -> int:
        """How many of the counted rows are longer than so many tokens."""
        return sum(length > most for length in self.lengths)

    def to_json(self, most: int | None = None) -> dict[str, object]:
        """The candidate's line in documents; `most` is the limit that rows are held against."""
        return {
            "name": self.name,
            "tokens_per_100_characters": self.per_100 and round(self.per_100, 2),
            "median_tokens": self.median,
            "longest_tokens": self.longest,
            "rows_counted": len(self.lengths),
            "rows": self.rows,
            "too_long": None if most is None or not self.lengths else self.over(most),
            "max_length": most,
            "end_token": self.end_token or None,
            "problem": self.problem or None,
            "message": self.message or None,
        }


def economy_of(
    candidate: Candidate, tokenizer: PreTrainedTokenizerBase, rows: Sequence[TrainableRow]
) -> Economy:
    """Tokens for 100 characters, and of every row as it would be tuned on.

    Raises:
        BadTrainingRow, BadTemplate: the tokenizer has no end token, or its template can't be used.
    """
    policy = candidate.prompting
    end = tokenizer.convert_ids_to_tokens(end_token_id(policy, tokenizer))
    counted = sample(rows)
    lengths = [
        len(encode_row(policy, tokenizer, row.messages, row.reply).input_ids) for row in counted
    ]
    return Economy(
        candidate.name, tokens_per_100(tokenizer, counted), tuple(lengths), str(end), len(rows)
    )


def tokens_per_100(
    tokenizer: PreTrainedTokenizerBase, rows: Sequence[TrainableRow]
) -> float | None:
    """Tokens for 100 characters of the texts that hold Hangul; None where none does."""
    texts = [t for row in rows for t in _texts(row) if _HANGUL.search(t)]
    if not texts:
        return None
    tokens = sum(map(len, tokenizer(texts, add_special_tokens=False)["input_ids"]))
    return 100 * tokens / sum(map(len, texts))


def _texts(row: TrainableRow) -> list[str]:
    return [*(str(turn["content"]) for turn in row.messages), row.reply]


def sample(rows: Sequence[TrainableRow]) -> list[TrainableRow]:
    """All rows; of many, the longest by characters and others at even distances."""
    if len(rows) <= MOST_ROWS:
        return list(rows)
    by_length = sorted(range(len(rows)), key=lambda n: -sum(map(len, _texts(rows[n]))))
    kept = set(by_length[:_LONGEST])
    others = [n for n in range(len(rows)) if n not in kept]
    step = len(others) / (MOST_ROWS - _LONGEST)
    kept |= {others[int(n * step)] for n in range(MOST_ROWS - _LONGEST)}
    return [rows[n] for n in sorted(kept)]


def economies(
    candidates: Sequence[Candidate], rows: Sequence[TrainableRow], *, fetch: bool = True
) -> list[Economy]:
    """The economy of each candidate; one whose tokenizer can't be had says why.

    Args:
        candidates: with their tokenizers in a folder, in the hub's cache or on the hub.
        rows: with an answer each.
        fetch: whether tokenizers may be fetched from the hub; only its cache is looked at else.
    """
    online = fetch and any(_folder(c) is None for c in candidates) and network_is_up()
    return [_economy(candidate, rows, online) for candidate in candidates]


def _economy(candidate: Candidate, rows: Sequence[TrainableRow], online: bool) -> Economy:
    try:
        return economy_of(candidate, tokenizer_of(candidate, online=online), rows)
    except OhloraError as error:
        status = error.status if isinstance(error, LoadError) else "error"
        return Economy(candidate.name, rows=len(rows), problem=status, message=error.shown)


def tokenizer_of(candidate: Candidate, *, online: bool) -> PreTrainedTokenizerBase:
    """A candidate's tokenizer: of its folder, of the hub's cache, else from the hub.

    Raises:
        LoadError: with the status of the case; "unreachable" where it is on the hub alone and that
            must not be asked, or does not answer.
    """
    folder = _folder(candidate)
    if folder is None and online and candidate.hub_id is not None:
        folder = tokenizer_folder(HubReference(candidate.hub_id, candidate.revision))
    if folder is None:
        raise LoadError.of("tokenizer_not_here", name=candidate.name)
    return read_tokenizer(candidate, folder)


def has_tokenizer_here(candidate: Candidate) -> bool:
    """Whether a candidate's tokenizer can be read without asking anybody."""
    return _folder(candidate) is not None


def _folder(candidate: Candidate) -> Path | None:
    """Where a candidate's tokenizer lies on this machine; None where it does not."""
    if candidate.path is not None:
        return Path(candidate.path)
    if candidate.hub_id is None:
        return None
    places = (cached_file(candidate.hub_id, name, candidate.revision) for name in _TOKENIZERS)
    return next((place.parent for place in places if place is not None), None)


@dataclass(frozen=True, slots=True)
class RenderedRow:
    """A row as a candidate is tuned on it: only `labelled` is learned."""

    before: str
    labelled: str
    behind: str


def rendered(
    candidate: Candidate, tokenizer: PreTrainedTokenizerBase, row: TrainableRow
) -> RenderedRow:
    """A row's text, in three parts by its labels.

    Raises:
        BadTrainingRow, BadTemplate: it can't be tuned on.
    """
    encoded = encode_row(candidate.prompting, tokenizer, row.messages, row.reply)
    kept = [n for n, label in enumerate(encoded.labels) if label != IGNORED]
    first, last = kept[0], kept[-1] + 1
    ids = encoded.input_ids
    before, labelled, behind = (
        str(tokenizer.decode(list(part))) for part in (ids[:first], ids[first:last], ids[last:])
    )
    return RenderedRow(before, labelled, behind)
