"""Options that several commands have, and the checks of their values."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import typer.main
from typer.models import TyperPath

from commands.shared.option_class import argument, option
from commands.shared.streams import only_json
from model_registry.files.ranges import out_of_range
from model_registry.language import for_files, text
from model_registry.licenses.license_uses import USES
from model_registry.selection import parse_bytes, parse_seconds
from rows import turns


def _for_programs(context: typer.Context, asked: bool) -> bool:
    """A document stands alone on standard output, the same whatever the machine speaks."""
    if only_json(asked):
        context.with_resource(for_files())
    return asked


Json = Annotated[
    bool,
    option(
        "Print one JSON document.", "JSON 문서 하나를 출력합니다.", "--json", callback=_for_programs
    ),
]
Model = Annotated[
    str,
    argument("A candidate, org/model, a folder or a URL.", "후보, org/model, 폴더, URL."),
]
CatalogName = Annotated[
    str | None, option("A catalog's name, or a file.", "카탈로그 이름 또는 파일.")
]

T = TypeVar("T")


def _at_home(value: T) -> T | str:
    """A path with `~` read as the home folder, which a shell leaves as it is inside quotes."""
    if isinstance(value, str) and (value == "~" or value.startswith("~/")):
        return str(Path(value).expanduser())
    return value


class _HomePath(TyperPath):
    """A path option. Typer makes a `TyperPath` for each; all of them read `~` by this."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return super().convert(_at_home(value), param, ctx)


typer.main.TyperPath = _HomePath  # type: ignore[attr-defined]

LEAST_BYTES = 2**20  # of a limit: less is a number whose unit was forgotten
SOURCES = ("auto", "hub", "path", "bundled", "random")
DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
#: What people call some of them.
_CALLED = {
    "gpu": "cuda", "nvidia": "cuda", "local": "bundled", "fp32": "float32", "fp16": "float16",
    "half": "float16", "bf16": "bfloat16", "4bit": "nf4", "int4": "nf4", "8bit": "int8",
}  # fmt: skip


def one_of(value: str, known: Sequence[str], option: str | None = None) -> str:
    """The value, if it is known; wrong usage that names the near one otherwise."""
    if value in known:
        return value
    folded = value.strip().lower()
    near = difflib.get_close_matches(folded, known, n=1, cutoff=0.5)
    guess = _CALLED.get(folded) if _CALLED.get(folded) in known else near[0] if near else None
    hint = text(f" Did you mean {guess}?", f" {guess}을(를) 쓰려고 했나요?") if guess else ""
    listed = ", ".join(known)
    raise typer.BadParameter(
        text(
            f"{value!r} is none of {listed}.{hint}",
            f"{value!r}: {listed} 가운데 하나여야 합니다.{hint}",
        ),
        param_hint=option,
    )


def choice(known: Sequence[str]) -> Callable[[str | None], str | None]:
    """A check of an option that takes one of these, made before a command begins."""
    return lambda value: None if value is None else one_of(value, known)


def ranged(name: str) -> Callable[[float | None], float | None]:
    """A check of an option that takes a number, by the table of ranges."""

    def check(value: float | None) -> float | None:
        problem = None if value is None else out_of_range(name, value)
        if problem:
            raise typer.BadParameter(text(*problem))
        return value

    return check


def amount_of(kind: str) -> Callable[[str | None], str | None]:
    """A check of an option that takes an amount of "bytes" or "seconds"."""

    def check(value: str | None) -> str | None:
        parse = parse_seconds if kind == "seconds" else parse_bytes
        amount = None if value is None else parse(value)
        if amount == 0:
            raise typer.BadParameter(
                text(f"must be above 0, not {value}", f"0보다 커야 합니다: {value}")
            )
        if kind == "bytes" and amount is not None and amount < LEAST_BYTES:
            raise typer.BadParameter(
                text(
                    f"{value} is {amount} bytes: write 12GB",
                    f"{value}: {amount}바이트입니다. 예: 12GB",
                )
            )
        return value

    return check


Use = Annotated[
    str | None,
    option(
        "What for, by the licence: own-service, api, on-premise, on-device, research or "
        "derivative.",
        "라이선스로 볼 용도: own-service(자체 서비스), api, on-premise(고객사 구축), "
        "on-device(온디바이스), research(연구), derivative(튜닝한 가중치 배포).",
        callback=choice(USES),
    ),
]
Weights = Annotated[
    str,
    option(
        "auto, hub, bundled or random.", "auto, hub, bundled 또는 random.", callback=choice(SOURCES)
    ),
]
Device = Annotated[
    str, option("auto, cpu or cuda.", "auto, cpu 또는 cuda.", callback=choice(DEVICES))
]
Dtype = Annotated[
    str,
    option(
        "Precision: auto, float32, bfloat16 or float16.",
        "정밀도: auto, float32, bfloat16 또는 float16.",
        callback=choice(PRECISIONS),
    ),
]
Rank = Annotated[int, option("Of LoRA.", "LoRA 랭크.", callback=ranged("rank"))]
NewTokens = Annotated[
    int, option("Most tokens of a reply.", "최대 생성 토큰 수.", callback=ranged("max_new_tokens"))
]
Temperature = Annotated[
    float,
    option(
        "0 takes the likeliest reply.",
        "0이면 항상 가장 확률 높은 답변.",
        callback=ranged("temperature"),
    ),
]
Seed = Annotated[int, option("Of sampling.", "시드(seed).", callback=ranged("seed"))]

Base = Annotated[
    Path | None,
    option("Where a tune's base is now, if it moved.", "튜닝한 베이스 모델을 옮겼다면 그 위치."),
]
Gpu = Annotated[
    str | None, option("12GB or T4; this machine else.", "12GB, T4 등. 없으면 이 장비.")
]
CureName = Annotated[
    str | None,
    option(
        "For a configuration that its own class refuses; `ohlora doctor NAME` names it.",
        "자체 클래스가 거부하는 설정의 해결책. `ohlora doctor 이름`이 알려 줍니다.",
    ),
]
MemoryLimit = Annotated[
    str | None,
    option(
        "Memory that it may take: 12GB.", "쓸 수 있는 메모리. 예: 12GB", callback=amount_of("bytes")
    ),
]
TURNS = option(
    "Answers of a conversation that are learned: every or last.",
    "대화에서 학습할 답변: every(모두) 또는 last(마지막만).",
    callback=choice(turns.TURNS),
)
