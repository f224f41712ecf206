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
from model_registry.files.whole_file import write_whole


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
        write_whole(path, picture.png)
    write_whole(paths.html, to_html(evidence, drawn).encode("utf-8", errors="replace"))
    write_whole(paths.markdown, to_markdown(evidence, drawn).encode("utf-8", errors="replace"))
    write_whole(paths.csv, to_csv(evidence))
    return paths
