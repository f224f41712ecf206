"""All pictures of a report; what failed is written into them."""

from __future__ import annotations

from benchmarks.report.evidence import Evidence
from benchmarks.report.pictures.cost_pictures import cost_against_quality, costs_by_rank
from benchmarks.report.pictures.drawing import Picture
from benchmarks.report.pictures.learning_pictures import before_and_after, loss_curves
from benchmarks.report.tables.asking_tables import asking_picture


def pictures(evidence: Evidence) -> list[Picture]:
    """All pictures that this run has the records for."""
    makers = (asking_picture, cost_against_quality, costs_by_rank, loss_curves, before_and_after)
    return [picture for make in makers if (picture := make(evidence)) is not None]
