"""What the terminal says of licences: the answer for a use, its clause, what must be shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from model_registry.candidate import Candidate
from model_registry.language import text
from model_registry.licenses.license_uses import answer_words, clause_of, terms_of, use_words


def use_cells(use: str | None, candidate: Candidate | None = None) -> tuple[str, ...]:
    """The column of a use: its head, or a candidate's cell; nothing where no use was named."""
    if use is None:
        return ()
    if candidate is None:
        return (use_words(use),)
    return (answer_words(clause_of(candidate.license.name, use).answer),)


def tell_licences(candidates: Sequence[Candidate], use: str) -> None:
    """The clause of each licence among these, once, with what must be shown and where it stands."""
    for line in licence_lines((c.license.name for c in candidates), use):
        print(line)


def licence_lines(names: Iterable[str], use: str) -> list[str]:
    """Two or three lines a licence: the clause for this use, what must be shown, the source."""
    lines = []
    for name in dict.fromkeys(names):
        terms = terms_of(name)
        if terms is None:
            lines.append(f"  {name}: {answer_words('unknown')}")
            continue
        clause = terms.uses[use]
        lines.append(f"  {terms.title}: {answer_words(clause.answer)}. {clause.words}")
        if terms.attribution is not None and clause.allows:
            lines.append(text("    to show: ", "    표시: ") + terms.attribution.words)
        lines.append(f"    {terms.source} ({terms.reading_words}, {terms.read_on})")
    return lines
