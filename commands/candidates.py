"""`ohlora candidates`: who may be chosen, by criteria."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from commands.shared.console import out, print_columns, print_json
from commands.shared.options import Base, CatalogName, CureName, Json
from commands.shared.user_registry import registry
from model_registry.candidate import Candidate
from model_registry.language import text
from model_registry.naming.candidate_check import counted
from model_registry.naming.catalog_entry import add_to_catalog
from model_registry.naming.resolve import find_candidate
from model_registry.selection import Criteria, Selection, parse_count, select


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidatesOptions:
    """What `ohlora candidates` is asked for."""

    catalog: CatalogName = None
    license: Annotated[
        str | None, typer.Option(help=text('"free", or a licence.', '"free" 또는 라이선스 이름.'))
    ] = None
    min_params: Annotated[
        str | None, typer.Option(help=text("At least, such as 0.25B.", "최소 크기. 예: 0.25B"))
    ] = None
    max_params: Annotated[
        str | None, typer.Option(help=text("At most, such as 3B.", "최대 크기. 예: 3B"))
    ] = None
    language: Annotated[str | None, typer.Option(help=text("Such as ko.", "예: ko"))] = None
    task: Annotated[
        str | None, typer.Option(help=text("Such as text-generation.", "예: text-generation"))
    ] = None
    with_: Annotated[
        list[str] | None,
        typer.Option("--with", help=text("A trait it must have.", "있어야 하는 특성.")),
    ] = None
    without: Annotated[
        list[str] | None,
        typer.Option("--without", help=text("A trait it must not have.", "없어야 하는 특성.")),
    ] = None
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help=text("Show who was rejected, and why.", "탈락 이유도 표시.")
        ),
    ] = False
    as_json: Json = False


def candidates(options: CandidatesOptions) -> None:
    """List candidates by criteria."""
    criteria = Criteria(
        license=options.license,
        min_params=parse_count(options.min_params) if options.min_params else None,
        max_params=parse_count(options.max_params) if options.max_params else None,
        language=options.language,
        task=options.task,
        with_traits=tuple(options.with_ or ()),
        without_traits=tuple(options.without or ()),
    )
    selection = select(registry().candidates(options.catalog), criteria)
    if options.as_json:
        print_json(_selection_document(selection))
        return
    _print_selection(selection, options.explain)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddOptions:
    """What `ohlora candidates add` is asked for."""

    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...",
            help=text("org/model[@revision], a folder, a URL.", "org/model[@revision], 폴더, URL."),
        ),
    ]
    catalog: Annotated[
        Path,
        typer.Option(help=text("The .toml file, made if need be.", ".toml 파일(없으면 생성).")),
    ]
    base: Base = None
    cure: CureName = None


def add(options: AddOptions) -> None:
    """Look models up, count them, and append them to a catalog."""
    known = registry()
    found = [
        counted(find_candidate(name, known, base=options.base, cure=options.cure))
        for name in options.names
    ]
    add_to_catalog(options.catalog, found)
    for candidate in found:
        note = f" ({candidate.parameters_note})" if candidate.parameters_note else ""
        said = f"{candidate.name}: {candidate.size()}{note}, {candidate.license.name}"
        out.print(escape(said), highlight=False, soft_wrap=True)
    where = options.catalog
    out.print(
        text(
            f"Written to {where}. --catalog {where} takes them.",
            f"{where}에 적었습니다. --catalog {where}로 사용합니다.",
        ),
        highlight=False,
        soft_wrap=True,
    )


def _selection_document(selection: Selection) -> dict[str, Any]:
    return {
        "accepted": [
            {
                "name": c.name,
                "hub_id": c.hub_id,
                "parameters": c.parameters,
                "published_parameters": c.published_parameters,
                "parameters_note": c.parameters_note,
                "license": c.license.name,
                "license_free": c.license.free,
                "languages": list(c.languages),
                "traits": list(c.traits),
                "leaderboard": c.leaderboard.value if c.leaderboard else None,
                "catalog": c.catalog,
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


def _print_selection(selection: Selection, explain: bool) -> None:
    header = (
        text("candidate", "후보"),
        text("parameters", "파라미터"),
        text("licence", "라이선스"),
        text("free", "자유"),
        text("leaderboard", "리더보드"),
        text("traits", "특성"),
    )
    rows = [
        (
            c.name,
            c.size(),
            c.license.name,
            _free(c),
            f"{c.leaderboard.value:.2f}" if c.leaderboard else "",
            ", ".join(c.traits),
        )
        for c in selection.accepted
    ]
    print_columns([header, *rows], right=(1, 4))
    count = len(selection.rejected)
    print(
        text(
            f"{len(selection.accepted)} accepted, {count} rejected.",
            f"{len(selection.accepted)}개 통과, {count}개 탈락.",
        )
    )
    if explain:
        for rejected in selection.rejected:
            print(f"  {rejected.candidate.name}: {rejected.reason}")
    elif count:
        print(text("`--explain` says why.", "이유는 `--explain`으로 볼 수 있습니다."))


def _free(candidate: Candidate) -> str:
    if candidate.license.free == "unknown":
        return text("unknown, verify", "불명, 확인 필요")
    return candidate.license.free
