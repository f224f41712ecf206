"""The pictures of a report. Each is drawn from records alone; what failed stands there in words."""

from __future__ import annotations

from benchmarks.report.asking import asking_picture
from benchmarks.report.cost_pictures import cost_against_quality, costs_by_rank
from benchmarks.report.drawing import Picture
from benchmarks.report.evidence import Evidence
from benchmarks.report.learning_pictures import before_and_after, loss_curves


def pictures(evidence: Evidence) -> list[Picture]:
    """All pictures that this run has the records for."""
    makers = (asking_picture, cost_against_quality, costs_by_rank, loss_curves, before_and_after)
    return [picture for make in makers if (picture := make(evidence)) is not None]
