"""Writes a run's report into its folder `report/`: HTML, Markdown, CSV and pictures.

A report reads files only, and the same files give the same bytes: no clock, no chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.report.evidence import Evidence
from benchmarks.report.html import to_html
from benchmarks.report.llm_report import to_csv
from benchmarks.report.markdown import to_markdown
from benchmarks.report.pictures.all_pictures import pictures
from benchmarks.results.folder import RunFolder


@dataclass(frozen=True, slots=True)
class ReportPaths:
    """Where the parts of a report are."""

    html: Path
    markdown: Path
    csv: Path
    pictures: tuple[Path, ...]


def write_report(folder: RunFolder, evidence: Evidence | None = None) -> ReportPaths:
    """Write the report of a run; one that is there is replaced.

    Args:
        folder: of the run.
        evidence: where it was read already, so that nothing is decided twice.

    Raises:
        OhloraError: there is no run, or its figures must not stand beside each other.
    """
    evidence = evidence or Evidence.read(folder)
    drawn = pictures(evidence)
    where = folder.path / "report"
    paths = ReportPaths(
        where / "report.html",
        where / "report.md",
        where / "llm_report.csv",
        tuple(where / "pictures" / f"{picture.name}.png" for picture in drawn),
    )
    for path, picture in zip(paths.pictures, drawn, strict=True):
        _write(path, picture.png)
    _write(paths.html, to_html(evidence, drawn).encode("utf-8", errors="replace"))
    _write(paths.markdown, to_markdown(evidence, drawn).encode("utf-8", errors="replace"))
    _write(paths.csv, to_csv(evidence))
    return paths


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: a reader never meets half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_bytes(data)
    draft.replace(path)
