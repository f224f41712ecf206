"""The report as one HTML file: no script, no network, light and dark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from benchmarks.report.decision_section import answer_of
from benchmarks.report.evidence import Evidence
from benchmarks.report.pictures.drawing import Picture
from benchmarks.report.report_texts import sentence
from benchmarks.report.sections import samples, samples_note, sections
from benchmarks.report.tables.main_table import main_table
from benchmarks.report.tables.quantisation_ledger import ledger_table
from benchmarks.report.tables.record_tables import failures_table
from benchmarks.report.tables.variant_tables import variants_table
from benchmarks.results.stand_ins import banner
from model_registry.language import text

HERE = Path(__file__).resolve().parent


def to_html(evidence: Evidence, pictures: Sequence[Picture]) -> str:
    """The whole page. Everything but our own pictures and style is escaped."""
    return rendered("report.html.jinja", evidence, pictures).lstrip().replace("\x00", "")


def rendered(
    template: str,
    evidence: Evidence,
    pictures: Sequence[Picture],
    filters: Mapping[str, Callable[[str], str]] | None = None,
) -> str:
    """A template of this folder filled in; its texts are escaped by `filters`, else as HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=filters is None,  # noqa: S701 - Markdown escapes by a filter of its own
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= filters or {}
    return environment.get_template(template).render(
        t=text,
        css=Markup((HERE / "report.css.jinja").read_text(encoding="utf-8")),  # noqa: S704 - ours
        title=title_of(evidence),
        head=evidence.head,
        begun=day_and_time(str(evidence.head.begun_at)),
        banner=banner(evidence.head),
        unfinished=_unfinished(evidence),
        answer=answer_of(evidence),
        compares=evidence.compares,
        variants=variants_table(evidence),
        ledger=ledger_table(evidence) if evidence.compares else None,
        main=main_table(evidence),
        pictures=pictures,
        failures=failures_table(evidence),
        samples=samples(evidence),
        samples_note=samples_note(evidence),
        sections=sections(evidence),
    )


def _unfinished(evidence: Evidence) -> str:
    """That cases have no result yet, and how to go on; nothing where all have one."""
    missing, planned = len(evidence.run.unfinished), len(evidence.head.cases)
    return sentence("unfinished", missing=missing, planned=planned) if missing else ""


def title_of(evidence: Evidence) -> str:
    """The study's title in the reader's language."""
    title = evidence.head.title
    return text(title["en"], title["ko"])


def day_and_time(moment: str) -> str:
    """An ISO moment as "2026-01-02 03:04 UTC"; other texts unchanged."""
    try:
        return datetime.fromisoformat(moment).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return moment
