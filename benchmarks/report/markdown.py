"""The report as Markdown, with its pictures as files beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from benchmarks.report.decision_section import Answer, answer_of
from benchmarks.report.evidence import Evidence
from benchmarks.report.html import day_and_time, title_of
from benchmarks.report.pictures.drawing import Picture
from benchmarks.report.report_texts import banner
from benchmarks.report.sections import samples, samples_note, sections
from benchmarks.report.tables.main_table import main_table
from benchmarks.report.tables.quantisation_ledger import ledger_table
from benchmarks.report.tables.record_tables import failures_table
from benchmarks.report.tables.table_cells import Cell, Table
from benchmarks.report.tables.variant_tables import variants_table
from model_registry.language import text
from model_registry.records import Reply

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~&$])")


def escape(words: str) -> str:
    """A text that Markdown takes as it stands, on one line."""
    flat = " ".join(words.replace("\x00", "").split())
    return _SPECIAL.sub(r"\\\1", flat)


def to_markdown(evidence: Evidence, pictures: Sequence[Picture]) -> str:
    """The whole document."""
    return "\n".join(_lines(evidence, pictures)).rstrip() + "\n"


def _lines(evidence: Evidence, pictures: Sequence[Picture]) -> Iterator[str]:
    head = evidence.head
    yield f"# {escape(title_of(evidence))}"
    yield ""
    yield (
        f"{text('Study', '연구')} {escape(head.study)} · {text('begun', '시작')} "
        f"{day_and_time(str(head.begun_at))} · {text('contract', '계약')} "
        f"`{head.contract_hash}` · {text('weights', '가중치')} {head.weights}"
    )
    yield ""
    warning = banner(head)
    if warning:
        yield f"> **{warning[0]}.** {warning[1]}"
        yield ""
    if evidence.run.unfinished:
        count, total = len(evidence.run.unfinished), len(head.cases)
        yield text(
            f"> This run is not finished: {count} of {total} cases have no result yet.",
            f"> 실행이 끝나지 않았습니다: 케이스 {total}개 중 {count}개에 결과가 없습니다.",
        )
        yield ""
    yield from _answer(answer_of(evidence), evidence.compares)
    for note in head.notes:
        yield f"- {escape(note.words)}"
    yield ""
    if evidence.compares:
        title = text("What quantisation saves and costs", "양자화의 이득과 비용")
        yield from _titled(title, ledger_table(evidence))
    yield from _titled(text("Before and after", "전과 후"), variants_table(evidence))
    yield from _titled(text("The candidates", "후보 비교"), main_table(evidence))
    for picture in pictures:
        yield f"![{escape(picture.title)}](pictures/{picture.name}.png)"
        yield ""
        yield f"*{escape(picture.title)}.* {escape(picture.caption)}"
        yield ""
    yield from _titled(text("What failed", "실패한 케이스"), failures_table(evidence))
    yield from _samples(evidence)
    for section in sections(evidence):
        yield f"## {section.title}"
        yield ""
        for part in section.parts:
            yield from _titled(part.title, part.table, part.before, "###")
            if part.source:
                yield from _source(part.title, part.source)


def _answer(answer: Answer, compares: bool) -> Iterator[str]:
    chosen = (
        (text("Chosen", "선택"), answer.chosen, answer.chosen_label),
        (text("Reserve", "예비"), answer.reserve, answer.reserve_label),
    )
    for words, name, label in () if compares else chosen:
        suffix = f" ({label})" if label else ""
        yield f"**{words}: {escape(name or text('none', '없음'))}**{suffix}  "
    yield ""
    yield escape(answer.reason)
    yield ""
    for line in (*answer.findings, *answer.fragility):
        yield f"- {escape(line)}"


def _titled(title: str, table: Table | None, before: str = "", level: str = "##") -> Iterator[str]:
    if table is None or not table.rows:
        return
    yield f"{level} {escape(title)}"
    yield ""
    if before:
        yield before
        yield ""
    yield from table_lines(table)
    yield ""
    if table.note:
        yield escape(table.note)
        yield ""


def table_lines(table: Table) -> Iterator[str]:
    """A table, numbers on the right; the best of a column in bold."""
    yield "| " + " | ".join(escape(column.head) for column in table.columns) + " |"
    yield "|" + "|".join("---:" if column.numeric else "---" for column in table.columns) + "|"
    for row in table.rows:
        yield "| " + " | ".join(_cell(cell) for cell in row) + " |"


def _cell(cell: Cell) -> str:
    words = escape(cell.text)
    if cell.best and words:
        words = f"**{words}**"
    under = f" ({escape(cell.under)})" if cell.under else ""
    return words + under


def _samples(evidence: Evidence) -> Iterator[str]:
    found = samples(evidence)
    if not found:
        return
    yield f"## {text('Replies before and after the tune', '튜닝 전후의 답변')}"
    yield ""
    yield escape(samples_note(evidence))
    yield ""
    heads = (text("Candidate", "후보"), text("Before", "튜닝 전"), text("After", "튜닝 후"))
    for sample in found:
        yield f"### {escape(sample.prompt)}"
        yield ""
        yield f"| {' | '.join(heads)} |"
        yield "|---|---|---|"
        for row in sample.rows:
            label = f" ({row.label})" if row.label else ""
            yield f"| {escape(row.name)}{label} | {_reply(row.before)} | {_reply(row.after)} |"
        yield ""


def _reply(reply: Reply | None) -> str:
    if reply is None:
        return text("no reply", "답변 없음")
    words = escape(reply.reply) or text("(empty)", "(빈 답변)")
    if reply.finish_reason == "length":
        return f"{words} *{text('cut off', '잘림')}*"
    return words


def _source(title: str, source: str) -> Iterator[str]:
    yield f"### {escape(title)}"
    yield ""
    # A fence longer than any in the text, so that the text can't close it.
    longest = max((len(run) for run in re.findall(r"`+", source)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{fence}toml"
    yield source.rstrip()
    yield fence
    yield ""
