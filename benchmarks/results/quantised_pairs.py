"""Pairs a quantised case with its plain one: bytes saved, speed, change of quality."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.results.case_figures import mean_score, step_seconds
from benchmarks.results.run import Run, quantization, setting_of
from benchmarks.results.setting import PLAIN
from benchmarks.workloads.workload import workload_called
from model_registry.records import Result


@dataclass(frozen=True, slots=True)
class QuantizationComparison:
    """A quantised case beside the plain one of the same work. Unknown is None."""

    plain: Result | None
    quantised: Result
    quality_plain: float | None = None
    quality_quantised: float | None = None

    @property
    def phase(self) -> str:
        """The phase that the work is about."""
        return workload_called(self.quantised.workload).main_phase

    @property
    def saved_bytes(self) -> int | None:
        """How much lower the peak is; negative where it is higher."""
        less, more = self.quantised.peak_bytes(self.phase), self._plain_peak
        return None if less is None or more is None else more - less

    @property
    def saved_share(self) -> float | None:
        """The same as a share of the plain peak."""
        saved, more = self.saved_bytes, self._plain_peak
        return None if saved is None or not more else saved / more

    @property
    def speed(self) -> float | None:
        """How many times as fast it is: tokens answered, or steps trained, per second."""
        ours, theirs = _pace(self.quantised), _pace(self.plain)
        return None if not ours or not theirs else ours / theirs

    @property
    def quality_change(self) -> float | None:
        """How much higher the mean quality of the replies is."""
        before, after = self.quality_plain, self.quality_quantised
        return None if before is None or after is None else after - before

    @property
    def _plain_peak(self) -> int | None:
        return self.plain.peak_bytes(self.phase) if self.plain else None


def _pace(case: Result | None) -> float | None:
    if case is None or not case.ok:
        return None
    if not workload_called(case.workload).tunes:
        return case.figures.get("tokens_per_second")
    seconds = step_seconds(case)
    return 1 / seconds if seconds else None


def compare(run: Run, quantised: Result) -> QuantizationComparison:
    """A quantised case beside its plain partner, where there is one."""
    plain = _partner(run, quantised)
    return QuantizationComparison(plain, quantised, _quality(run, plain), _quality(run, quantised))


def _partner(run: Run, case: Result) -> Result | None:
    """The plain case of the same work, whatever the study calls it."""
    work = setting_of(case).method
    return next(
        (
            other
            for other in run.of(case.candidate, case.workload)
            if quantization(other) == PLAIN and setting_of(other).method == work
        ),
        None,
    )


def _quality(run: Run, case: Result | None) -> float | None:
    return None if case is None or run.random_weights else mean_score(run, case, "quality")
