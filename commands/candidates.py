"""Commands about who can answer: candidates, ask, plugins."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from commands.terminal import (
    Base,
    CatalogName,
    Device,
    Dtype,
    Json,
    NewTokens,
    Seed,
    Temperature,
    Weights,
    err,
    out,
    plugin_files,
    print_columns,
    print_json,
    registry,
)
from model_registry.errors import OhloraError
from model_registry.language import text
from model_registry.prompting.thinking import NO_ANSWER

if TYPE_CHECKING:
    from model_registry.backends.backend import Answer
    from model_registry.candidate import Candidate
    from model_registry.selection import Selection

app = typer.Typer()


@app.command(help=text("List candidates by criteria.", "조건에 맞는 후보를 나열합니다."))
def candidates(
    catalog: CatalogName = None,
    license: Annotated[
        str | None, typer.Option(help=text('"free", or a licence.', '"free" 또는 라이선스 이름.'))
    ] = None,
    min_params: Annotated[
        str | None, typer.Option(help=text("At least, such as 0.25B.", "최소 크기. 예: 0.25B"))
    ] = None,
    max_params: Annotated[
        str | None, typer.Option(help=text("At most, such as 3B.", "최대 크기. 예: 3B"))
    ] = None,
    language: Annotated[str | None, typer.Option(help=text("Such as ko.", "예: ko"))] = None,
    task: Annotated[
        str | None, typer.Option(help=text("Such as text-generation.", "예: text-generation"))
    ] = None,
    with_: Annotated[
        list[str] | None,
        typer.Option("--with", help=text("A trait it must have.", "있어야 하는 특성.")),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", help=text("A trait it must not have.", "없어야 하는 특성.")),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help=text("Show who was rejected, and why.", "탈락 이유도 표시.")
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """List candidates by criteria."""
    from model_registry.selection import Criteria, parse_count, select

    criteria = Criteria(
        license=license,
        min_params=parse_count(min_params) if min_params else None,
        max_params=parse_count(max_params) if max_params else None,
        language=language,
        task=task,
        with_traits=tuple(with_ or ()),
        without_traits=tuple(without or ()),
    )
    selection = select(registry().candidates(catalog), criteria)
    if as_json:
        print_json(_selection_document(selection))
        return
    _print_selection(selection, explain)


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


@app.command(
    help=text("Ask a candidate, or a model in a folder.", "후보나 폴더의 모델에게 묻습니다.")
)
def ask(
    name: str,
    question: str,
    weights: Weights = "auto",
    device: Device = "auto",
    dtype: Dtype = "auto",
    base: Base = None,
    max_new_tokens: NewTokens = 200,
    temperature: Temperature = 0.0,
    seed: Seed = 0,
) -> None:
    """Ask a candidate, a tuned adapter or a model in a folder; the reply is streamed."""
    from model_registry.backends.backend import GenerationSettings, conversation
    from model_registry.backends.open_backend import open_backend
    from rows.encoding import nfc

    if not question.strip():
        raise OhloraError(text("The question is empty.", "질문이 비어 있습니다."))
    backend = open_backend(
        name, registry(), weights=weights, device=device, dtype=dtype, base_folder=base
    )
    settings = GenerationSettings(max_new_tokens, temperature, seed=seed)
    try:
        answer = _printed(backend.stream(conversation(nfc(question)), settings))
        if note := _said_of(answer):
            err.print(note, highlight=False, soft_wrap=True)
    finally:
        backend.close()


def _printed(pieces: Generator[str, None, Answer]) -> Answer:
    """The answer, printed as it comes."""
    shown = ""
    while True:
        try:
            piece = next(pieces)
        except StopIteration as end:
            answer: Answer = end.value
            break
        shown += piece
        print(piece, end="", flush=True)
    if answer.text not in shown:  # what was shown turned out to be thinking
        print(f"\n\n{answer.text}", end="")
    print()
    return answer


def _said_of(answer: Answer) -> str:
    """What has to be said of an answer that is none."""
    if NO_ANSWER not in answer.problems:
        return ""
    thought = answer.thinking_tokens or answer.new_tokens or 0
    return text(
        f"No answer: it was still thinking after {thought} tokens. Raise --max-new-tokens.",
        f"답변이 없습니다. {thought}토큰 동안 생각만 했습니다. --max-new-tokens를 늘려 보세요.",
    )


@app.command(help=text("List the plugins that are loaded.", "불러온 플러그인을 나열합니다."))
def plugins(as_json: Json = False) -> None:
    """List what is loaded and from where."""
    from evaluators.evaluator_registry import evaluator_manager
    from model_registry.plugins import offered
    from model_registry.registry import registry_manager

    registry, evaluators = registry_manager(plugin_files), evaluator_manager(plugin_files)
    rows = [
        *offered(registry, "register_candidates"),
        *offered(registry, "register_backends"),
        *offered(evaluators, "register_evaluators"),
    ]
    if as_json:
        print_json({"plugins": rows})
        return
    for row in rows:
        names = row["problem"] or ", ".join(row["names"]) or text("nothing", "없음")
        out.print(f"[bold]{escape(row['plugin'])}[/]  {row['offers']}: {escape(names)}")
