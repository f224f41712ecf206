"""`ohlora candidates`: who may be chosen, by criteria."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from commands.shared.console import err, print_columns, print_json
from commands.shared.economy_words import DataRows, economy_by_name, per_100_cell
from commands.shared.licence_words import tell_licences, use_cells
from commands.shared.option_class import argument, option
from commands.shared.options import Base, CatalogName, CureName, Json, Use
from commands.shared.user_registry import registry
from model_registry.candidate import Candidate
from model_registry.errors import OhloraError
from model_registry.language import text
from model_registry.licenses.license_uses import document_of, free_in_korean
from model_registry.licenses.provenance import Source, group_words
from model_registry.licenses.remark_words import remark_words
from model_registry.naming.candidate_check import counted
from model_registry.naming.catalog_entry import add_to_catalog
from model_registry.naming.resolve import find_candidate
from model_registry.prompting.token_economy import Economy
from model_registry.selection import Criteria, Selection, parse_count, select


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidatesOptions:
    """What `ohlora candidates` is asked for."""

    catalog: CatalogName = None
    license: Annotated[
        str | None, option('"free", or a licence.', '"free" 또는 라이선스 이름.')
    ] = None
    use: Use = None
    min_params: Annotated[
        str | None, option("At least, such as 0.25B.", "최소 크기. 예: 0.25B")
    ] = None
    max_params: Annotated[str | None, option("At most, such as 3B.", "최대 크기. 예: 3B")] = None
    language: Annotated[str | None, option("Such as ko.", "예: ko")] = None
    task: Annotated[str | None, option("Such as text-generation.", "예: text-generation")] = None
    with_: Annotated[
        list[str] | None, option("A trait it must have.", "포함할 특성.", "--with")
    ] = None
    without: Annotated[
        list[str] | None, option("A trait it must not have.", "제외할 특성.", "--without")
    ] = None
    data: DataRows = None
    explain: Annotated[
        bool, option("Show who was rejected, and why.", "제외 이유도 표시합니다.", "--explain")
    ] = False
    as_json: Json = False


def candidates(options: CandidatesOptions) -> None:
    """List candidates by criteria."""
    criteria = Criteria(
        license=options.license,
        use=options.use,
        min_params=parse_count(options.min_params) if options.min_params else None,
        max_params=parse_count(options.max_params) if options.max_params else None,
        language=options.language,
        task=options.task,
        with_traits=tuple(options.with_ or ()),
        without_traits=tuple(options.without or ()),
    )
    selection = select(registry().candidates(options.catalog), criteria)
    economy = economy_by_name(selection.accepted, options.data)
    if options.as_json:
        print_json(_selection_document(selection, options.use, economy))
        return
    _print_selection(selection, options.explain, options.use, economy)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOptions:
    """What `ohlora candidates add` is asked for."""

    names: Annotated[
        list[str],
        argument(
            "org/model[@revision], a folder, a URL.",
            "org/model[@revision], 폴더, URL.",
            metavar="NAME...",
        ),
    ]
    catalog: Annotated[Path, option("The .toml file, made if need be.", ".toml 파일(없으면 생성).")]
    base: Base = None
    cure: CureName = None


def add(options: AddOptions) -> None:
    """Look models up, count them, and append them to a catalog."""
    known, found, failed = registry(), list[Candidate](), list[OhloraError]()
    for name in options.names:
        try:
            found.append(counted(find_candidate(name, known, base=options.base, cure=options.cure)))
        except OhloraError as error:
            failed.append(error)
    if not found and len(failed) == 1:
        raise failed[0]
    if found:
        add_to_catalog(options.catalog, found)
    for candidate in found:
        remark = remark_words(candidate.parameters_note)
        note = f" ({remark})" if remark else ""
        print(f"{candidate.name}: {candidate.size()}{note}, {candidate.license.name}")
    where = options.catalog
    if found:
        print(
            text(
                f"Written to {where}. --catalog {where} takes them.",
                f"{where}에 적었습니다. --catalog {where}로 사용합니다.",
            )
        )
    for missed in failed:
        err.print(f"{text('Not added', '추가하지 못함')}: {escape(missed.shown)}", highlight=False)
    if failed:
        raise typer.Exit(1)


def _selection_document(
    selection: Selection, use: str | None, economy: Mapping[str, Economy]
) -> dict[str, object]:
    return {
        "use": use,
        "accepted": [
            {
                "name": c.name,
                "hub_id": c.hub_id,
                "parameters": c.parameters,
                "published_parameters": c.published_parameters,
                "parameters_note": c.parameters_note,
                "license": c.license.name,
                "license_free": c.license.free,
                "license_uses": document_of(c.license.name),
                "languages": list(c.languages),
                "traits": list(c.traits),
                "leaderboard": c.leaderboard.value if c.leaderboard else None,
                "catalog": c.catalog,
                "released": c.released or None,
                "unverified": list(c.unverified),
                "evidence": {group: source.to_json() for group, source in c.evidence.items()},
                "benchmarks": [benchmark.to_json() for benchmark in c.benchmarks],
                "tokenizer": economy[c.name].to_json() if c.name in economy else None,
            }
            for c in selection.accepted
        ],
        "rejected": [
            {
                "name": r.candidate.name,
                "reason": r.reason,
                "reasons": [reason.to_json() for reason in r.reasons],
            }
            for r in selection.rejected
        ],
    }


def _print_selection(
    selection: Selection, explain: bool, use: str | None, economy: Mapping[str, Economy]
) -> None:
    header = (
        text("candidate", "후보"),
        text("parameters", "파라미터"),
        text("licence", "라이선스"),
        text("free", "자유 이용"),
        *use_cells(use),
        *([text("tokens/100 characters", "100자당 토큰")] if economy else []),
        text("leaderboard", "리더보드"),
        text("traits", "특성"),
    )
    rows = [
        (
            c.name,
            c.size() + ("*" if {"parameters", "architecture"} & set(c.unverified) else ""),
            c.license.name + ("*" if "license" in c.unverified else ""),
            _free(c),
            *use_cells(use, c),
            *([per_100_cell(economy.get(c.name))] if economy else []),
            f"{c.leaderboard.value:.2f}" if c.leaderboard else "",
            ", ".join(c.traits),
        )
        for c in selection.accepted
    ]
    print_columns([header, *rows], right=(1, len(header) - 2))
    count = len(selection.rejected)
    print(
        text(
            f"{len(selection.accepted)} accepted, {count} rejected.",
            f"{len(selection.accepted)}개가 조건에 맞고, {count}개는 제외되었습니다.",
        )
    )
    if any(c.unverified for c in selection.accepted):
        print(
            text(
                "* derived or recalled, not verified: read again on the hub at first use.",
                "* 계산하거나 기억으로 적은 값(미확인). 처음 쓸 때 허브에서 다시 읽습니다.",
            )
        )
    if use is not None:
        tell_licences(selection.accepted, use)
    if explain:
        _print_facts(selection.accepted)
        for rejected in selection.rejected:
            print(f"  {rejected.candidate.name}: {rejected.reason}")
    elif count:
        print(text("`--explain` says why.", "이유는 `--explain`으로 볼 수 있습니다."))


def _print_facts(candidates: Sequence[Candidate]) -> None:
    """When each was released, what was published of it, and where its values stand."""
    for c in candidates:
        if not c.evidence:
            continue
        results = ", ".join(f"{b.name} {b.value:g} ({b.source.read_on})" for b in c.benchmarks)
        print(f"  {c.name} ({c.released})" + (f": {results}" if results else ""))
        by_source: dict[Source, list[str]] = {}
        for group, source in c.evidence.items():
            by_source.setdefault(source, []).append(group)
        for source, groups in by_source.items():
            named = ", ".join(group_words(group) for group in groups)
            print(f"    {named}: {source.words} ({source.standing_words}, {source.read_on})")


def _free(candidate: Candidate) -> str:
    free = candidate.license.free
    return text("unknown, verify" if free == "unknown" else free, free_in_korean(free))
