"""A candidate as a row of the page's tables."""

from __future__ import annotations

from model_registry.candidate import Candidate
from model_registry.files.json_values import JsonDict
from model_registry.language import text
from model_registry.licenses.license_uses import (
    USES,
    answer_words,
    clause_of,
    free_in_korean,
    terms_of,
    use_words,
)
from model_registry.licenses.remark_words import remark_words
from pages.page_table import Rows, column
from pages.page_texts import WORDS

COLUMNS = [
    column("name", "Candidate", "후보", always=True),
    column("parameters", "Parameters (B)", "파라미터 (B)", digits=2),
    column("license", "Licence", "라이선스"),
    column("free", "Free", "자유 이용"),
    column("use", "For this use", "이 용도로"),
    column("unverified", "Not verified", "미확인"),
    column("languages", "Languages", "언어"),
    column("traits", "Traits", "특성"),
    column("leaderboard", "Leaderboard", "리더보드", digits=2),
    column("tokens", "Tokens per 100 characters", "100자당 토큰", digits=1),
    column("hub_id", "Hub id", "허브 주소"),
]
USE_COLUMNS = [
    column("use", "What for", "용도", always=True),
    column("answer", "Allowed", "허용", always=True),
    column("clause", "Clause", "조항"),
    column("shown", "To show", "표시할 것"),
]


def candidate_row(candidate: Candidate, use: str | None = None) -> JsonDict:
    """One candidate; what is unknown is None, never zero. `use` is what its licence is read for."""
    count = candidate.parameters or candidate.published_parameters
    board = candidate.leaderboard
    return {
        "name": candidate.name,
        "parameters": count / 1e9 if count else None,
        "parameters_note": remark_words(candidate.parameters_note),
        "license": _license_words(candidate.license.name),
        "free": text(candidate.license.free, free_in_korean(candidate.license.free)),
        "free_note": remark_words(candidate.license.note),
        "use": use and _for_use(candidate.license.name, use),
        "unverified": ", ".join(candidate.unverified),
        "languages": ", ".join(candidate.languages),
        "traits": ", ".join(candidate.traits),
        "leaderboard": board.value if board else None,
        "hub_id": candidate.hub_id,
    }


def _license_words(name: str) -> str:
    """A licence's name, which is the same in every language but where none is known."""
    return text(*WORDS["unknown"]) if name == "unknown" else name


def _for_use(license_name: str, use: str) -> str:
    """The licence's answer for a use, its clause, and what must be shown."""
    clause, terms = clause_of(license_name, use), terms_of(license_name)
    shown = terms.attribution.words if terms and terms.attribution and clause.allows else ""
    parts = [answer_words(clause.answer), clause.words, shown]
    return ". ".join(dict.fromkeys(part for part in parts if part))


def use_rows(license_name: str) -> Rows:
    """A licence's answer for each use, its clause, and what must be shown."""
    terms = terms_of(license_name)
    attribution = terms.attribution if terms else None
    return [
        {
            "use": use_words(use),
            "answer": answer_words(clause.answer),
            "clause": clause.words,
            "shown": attribution.words if attribution and clause.allows else "",
        }
        for use in USES
        for clause in [clause_of(license_name, use)]
    ]
