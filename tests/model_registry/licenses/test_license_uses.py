"""What each licence says of each use: a table that names its sources and admits what it lacks."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from model_registry.candidate import Candidate, License
from model_registry.errors import BadFile, OhloraError
from model_registry.language import read_by
from model_registry.licenses import license_uses
from model_registry.licenses.license_uses import (
    TABLE,
    USES,
    all_terms,
    clause_of,
    parse_use,
    read_terms,
    terms_of,
    use_words,
)
from model_registry.messages.notes import Note
from model_registry.registry import Registry
from model_registry.selection import Criteria, Override, select
from tests.model_registry.licenses.licence_document import DOCUMENT, written


def test_the_table_has_an_entry_for_each_licence_that_users_meet() -> None:
    titles = {terms.title for terms in all_terms()}
    assert {
        "Apache License 2.0", "MIT License", "Gemma Terms of Use", "Llama 3.2 Community License",
        "Kanana Open License", "HyperCLOVA X SEED Model License", "EXAONE AI Model License - NC",
        "LFM Open License 1.0", "Qwen Research License", "OPT-175B License",
        "DeepSeek License Agreement",
    } <= titles  # fmt: skip


@pytest.mark.parametrize("terms", all_terms(), ids=lambda terms: terms.title)
def test_a_licence_answers_for_every_use_in_both_languages_and_says_where_it_was_read(
    terms,
) -> None:
    assert set(terms.uses) == set(USES)
    for use, clause in terms.uses.items():
        assert clause.english, use
        assert any("가" <= letter <= "힣" for letter in clause.korean), use
        assert len(clause.english) < 140, "a clause in a few words"
    assert terms.source
    assert isinstance(terms.read_on, date)
    bound = any(clause.answer == "conditions" for clause in terms.uses.values())
    assert terms.attribution or not bound


def test_every_licence_of_the_shortlist_is_in_the_table() -> None:
    for candidate in Registry().candidates("korean-2026"):
        assert terms_of(candidate.license.name), candidate.license.name


def test_a_licence_is_found_by_the_names_that_catalogs_and_the_hub_give_it() -> None:
    names = ["apache-2.0", "Apache-2.0", "llama3.2", "gemma", "hyperclovax-seed", "qwen-research"]
    for name in [*names, "LFM Open License v1.0", "DeepSeek License Agreement"]:
        assert terms_of(name), name


def test_what_nobody_read_is_unknown_and_not_allowed() -> None:
    clause = clause_of("a vendor's own terms", "own-service")
    assert clause.answer == "unknown"
    assert not clause.allows
    assert clause_of("EXAONE AI Model License 1.2-NC", "derivative").answer == "unknown"


@pytest.mark.parametrize(
    ("license", "use", "answer"),
    [
        ("Apache-2.0", "on-device", "yes"),
        ("Kanana Open License", "own-service", "conditions"),
        ("Kanana Open License", "api", "no"),
        ("HyperCLOVA X SEED", "own-service", "conditions"),
        ("EXAONE AI Model License 1.2-NC", "own-service", "no"),
        ("EXAONE AI Model License 1.2-NC", "research", "yes"),
        ("Qwen Research License", "derivative", "conditions"),
        ("OPT-175B License Agreement", "api", "no"),
    ],
)
def test_licences_that_a_choice_hangs_on(license: str, use: str, answer: str) -> None:
    assert clause_of(license, use).answer == answer


def test_a_use_is_taken_in_any_case_and_an_unknown_one_names_those_there_are() -> None:
    assert parse_use("Own_Service") == "own-service"
    with pytest.raises(OhloraError, match=r"No use is called saas.*api, .*own-service") as caught:
        parse_use("saas")
    with read_by(korean=True):
        assert "그런 용도가 없습니다" in caught.value.shown
        assert use_words("on-device") == "온디바이스 탑재"


def of_licence(name: str, license: str, free: str = "conditional") -> Candidate:
    return Candidate(name, License(license, free))  # type: ignore[arg-type]


SHELF = (
    of_licence("apache", "Apache-2.0", "yes"),
    of_licence("kanana", "Kanana Open License"),
    of_licence("exaone", "EXAONE AI Model License 1.2-NC", "no"),
    of_licence("odd", "a vendor's own terms", "unknown"),
)


def test_candidates_pass_for_a_use_where_their_licence_allows_it_be_it_with_conditions() -> None:
    found = select(SHELF, Criteria(use="own-service"))
    assert [c.name for c in found.accepted] == ["apache", "kanana"]
    why = {r.candidate.name: r.reasons[0] for r in found.rejected}
    assert why["exaone"].code == "use_not_allowed"
    assert "not for commercial purposes" in why["exaone"].english
    assert why["odd"].code == "use_unknown"


def test_another_use_lets_others_pass() -> None:
    found = select(SHELF, Criteria(use="research"))
    assert [c.name for c in found.accepted] == ["apache", "exaone", "kanana"]


def test_a_licence_that_was_accepted_on_the_record_passes_for_any_use() -> None:
    accepted = Override("odd", "a vendor's own terms", "we have a contract", "legal")
    found = select(SHELF, Criteria(use="api"), [accepted])
    assert [c.name for c in found.accepted] == ["apache", "odd"]
    assert found.overridden == (accepted,)


def test_a_file_holds_names_and_the_words_are_looked_up_in_the_reader_s_language() -> None:
    note = select(SHELF, Criteria(use="api")).rejected[0].reasons[0]
    kept = Note.from_json(note.to_json())
    assert kept == note
    with read_by(korean=True):
        assert "원격 접근 판매" in kept.words


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('answer = "yes"', 'answer = "maybe"', "an answer is one of yes, no, conditions, unknown"),
        ("own-service =", "own-servise =", "own-service"),
        ('read = "text"', 'read = "seen"', "read is one of"),
        ('names = ["MIT"]', 'names = ["MIT", "apache"]', "names both"),
    ],
)
def test_a_mistake_in_the_table_is_an_error(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    text = TABLE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "licenses.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BadFile, match=problem):
        read_terms(path)


def test_the_document_shows_the_table_as_the_data_has_it() -> None:
    assert written() == DOCUMENT.read_text(encoding="utf-8")


def test_a_new_use_is_one_entry_which_no_licence_allows_before_somebody_reads_it(
    monkeypatch,
) -> None:
    monkeypatch.setitem(license_uses.USE_WORDS, "teaching", ("in class", "수업"))
    monkeypatch.setattr(license_uses, "USES", tuple(license_uses.USE_WORDS))
    (terms, *_) = read_terms(TABLE)
    assert terms.uses["teaching"].answer == "unknown" and not terms.uses["teaching"].allows
    assert parse_use("Teaching") == "teaching"
    assert use_words("teaching") == "in class"
