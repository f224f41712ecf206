"""Terminal output on token economy: tokens per 100 characters, row lengths, rows too long."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from commands.shared.console import print_columns
from commands.shared.option_class import option
from model_registry.candidate import Candidate
from model_registry.language import text
from model_registry.prompting.token_economy import Economy, economies
from rows.reading import read_data
from rows.row import Row

DataRows = Annotated[
    Path | None,
    option(
        "Your rows: counts their tokens with each candidate's tokenizer (no weights).",
        "직접 준비한 데이터: 후보마다 토크나이저만 받아 토큰 수를 셉니다(가중치는 받지 않음).",
    ),
]


def rows_with_answers(data: Path) -> list[Row]:
    """The rows of a file that a model would be tuned on or held against."""
    return [row for row in read_data(data).rows if row.reply]


def economy_by_name(candidates: Sequence[Candidate], data: Path | None) -> dict[str, Economy]:
    """The economy of each candidate on the rows of a file; nothing where no file was named."""
    if data is None:
        return {}
    return {each.name: each for each in economies(candidates, rows_with_answers(data))}


def per_100_cell(economy: Economy | None) -> str:
    """Tokens for 100 characters; a dash where they could not be counted."""
    return "—" if economy is None or economy.per_100 is None else f"{economy.per_100:.1f}"


def print_lengths(found: Sequence[Economy], most: int) -> None:
    """A line a candidate: tokens for 100 characters, lengths, rows too long, the end token."""
    head = (
        text("candidate", "후보"),
        text("tokens/100 characters", "100자당 토큰"),
        text("median", "중앙값"),
        text("longest", "최장"),
        text(f"over {most}", f"{most} 초과"),
        text("end token", "종료 토큰"),
    )
    rows = [
        (
            each.name,
            per_100_cell(each),
            *("—" if n is None else str(n) for n in (each.median, each.longest)),
            str(each.over(most)) if each.lengths else "—",
            each.end_token or each.problem,
        )
        for each in found
    ]
    print_columns([head, *rows], right=range(1, 5))
    for line in _problems(found):
        print(line)
    for each in found:
        if not each.message and len(each.lengths) < each.rows:
            print(
                text(
                    f"  {each.name}: counted on {len(each.lengths)} of {each.rows} rows.",
                    f"  {each.name}: {each.rows}개 행 중 {len(each.lengths)}개로 셌습니다.",
                )
            )


def _problems(found: Sequence[Economy]) -> list[str]:
    """Why tokens were not counted, a line each; what several have alike is said once."""
    alike: dict[str, list[Economy]] = {}
    for each in found:
        if each.message:
            alike.setdefault(each.message.replace(each.name, "…"), []).append(each)
    return [
        f"  {same[0].name}: {same[0].message}"
        if len(same) == 1
        else text(f"  {len(same)} candidates: {words}", f"  후보 {len(same)}개: {words}")
        for words, same in alike.items()
    ]
