"""A note: a code and its values, stored in files, put into words when shown.

The words of every code stand in the files `*notes.toml` beside this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter
from typing import Any

from model_registry.architectures.cures import BY_NAME
from model_registry.errors import OhloraError
from model_registry.files.json_values import JsonObject
from model_registry.language import read_by, read_texts, text
from model_registry.licenses.license_uses import clause_of, use_words
from model_registry.licenses.remark_words import remark_words
from model_registry.messages.diagnoses import cure_of_cause
from model_registry.statuses import status_words

#: (English, Korean) of every code; values stand in braces.
WORDS = {
    code: words
    for path in sorted(Path(__file__).parent.glob("*notes.toml"))
    for code, words in read_texts(path).items()
}


@dataclass(frozen=True, slots=True)
class Note:
    """A code of `WORDS` and the values in its text."""

    code: str
    values: Mapping[str, object] = field(default_factory=dict, hash=False)

    @classmethod
    def written(cls, words: str) -> Note:
        """A sentence that has no code."""
        return cls("as_written", {"words": words})

    @classmethod
    def in_both(cls, english: str, korean: str) -> Note:
        """A sentence that has no code, in both languages."""
        return cls("in_both", {"english": english, "korean": korean})

    @classmethod
    def of_error(cls, error: OhloraError) -> Note:
        """What an error says."""
        return cls.in_both(str(error), error.korean)

    @classmethod
    def from_json(cls, value: object) -> Note:
        """The note of a file; older files hold sentences."""
        if not isinstance(value, Mapping) or "code" not in value:
            return cls.written(str(value))
        return cls(str(value["code"]), dict(value.get("values") or {}))

    def to_json(self) -> dict[str, object]:
        """Code and values, the same in every language."""
        return {"code": self.code, "values": {n: _plain(v) for n, v in self.values.items()}}

    @property
    def words(self) -> str:
        """The sentence in the reader's language; code and values where a plugin's is unknown."""
        try:
            return _WORDING.vformat(text(*WORDS[self.code]), (), self.values)
        except (KeyError, ValueError, TypeError):
            values = ", ".join(f"{name}={value}" for name, value in self.values.items())
            return f"{self.code}: {values}" if values else self.code

    @property
    def english(self) -> str:
        """The sentence in English, for documents that must not hang on the machine's language."""
        with read_by(korean=False):
            return self.words


def all_words(notes: Iterable[Note]) -> str:
    """Several notes in one line."""
    return "; ".join(note.words for note in notes)


def _plain(value: object) -> object:
    return value.to_json() if isinstance(value, Note) else value


class _Wording(Formatter):
    """Writes values by the forms that the words name: {size:parameters}, {count:row|rows}."""

    def format_field(self, value: object, form: str) -> str:
        one, several, more = form.partition("|")
        if several:
            return one if value == 1 else more
        return FORMS[form](value) if form in FORMS else str(super().format_field(value, form))


_WORDING = _Wording()


def _parameters(count: float) -> str:
    return f"{count / 1e9:.2f} B" if count >= 1e9 else f"{count / 1e6:.0f} M"


def _said(value: object) -> str:
    """A value that may be a note itself, or nothing."""
    if isinstance(value, Note):
        return value.words
    if isinstance(value, Mapping):
        return Note.from_json(value).words
    return "" if value is None else str(value)


def _freedom(free: str) -> str:
    words = {
        "no": ("not free", "자유 아님"),
        "conditional": ("conditional, not free", "조건부"),
        "unknown": ("unknown, not free", "확인 필요"),
    }
    return text(*words.get(free, (f"{free}, not free", free)))


def _lines(numbers: Sequence[int], count: int) -> str:
    """(lines 2, 5…): the first of them."""
    said = ", ".join(map(str, numbers)) + ("…" if count > len(numbers) else "")
    word = "lines" if count > 1 else "line"
    return text(f" ({word} {said})", f" ({said}번째 줄)") if numbers else ""


_DELIMITERS = {",": ("comma", "쉼표"), ";": ("semicolon", "세미콜론"), "\t": ("tab", "탭")}


def _how_read(source: JsonObject) -> str:
    """CSV, utf-8, comma; columns prompt=question; not used: id."""
    delimiter = source.get("delimiter")
    parts = [source["format"], source.get("encoding")]
    parts += [text(*_DELIMITERS.get(delimiter, (delimiter, delimiter)))] if delimiter else []
    said = ", ".join(part for part in parts if part)
    if columns := source.get("columns"):
        taken = ", ".join(f"{role}={name}" for role, name in columns.items())
        said += text(f"; columns {taken}", f"; 열 {taken}")
    if unused := source.get("unused"):
        said += text("; not used: ", "; 쓰지 않은 열: ") + ", ".join(unused)
    return said


def _cure_means(name: str) -> str:
    return BY_NAME[name].words if name in BY_NAME else name


def _clause(asked: Mapping[str, str]) -> str:
    return clause_of(asked["license"], asked["use"]).words


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{split} {count}" for split, count in counts.items()) or "0"


#: How a value is written where its words ask for it.
FORMS: dict[str, Callable[[Any], str]] = {
    "parameters": _parameters,
    "gib": lambda size: f"{size / 2**30:.1f} GiB",
    "status": status_words,
    "note": _said,
    "free": _freedom,
    "brackets": lambda said: f" ({remark_words(_said(said))})" if said else "",
    "remark": remark_words,
    "names": ", ".join,
    "split": lambda split: f"{split} " if split else "",
    "lines": lambda found: _lines(found["lines"], found["count"]),
    "how": _how_read,
    "counts": _counts,
    "cure": cure_of_cause,
    "cure_means": _cure_means,
    "bytes_in_brackets": lambda size: f" ({size / 1e9:.2f} GB)" if size else "",
    "by_name": lambda values: ", ".join(f"{name} {value:g}" for name, value in values.items()),
    "use": use_words,
    "clause": _clause,
}
