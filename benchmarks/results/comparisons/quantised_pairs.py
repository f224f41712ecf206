"""Pairs a quantised case with its plain one: bytes saved, speed, change of quality."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.results.case_figures import mean_score, step_seconds
from benchmarks.results.run import Run, quantization, setting_of
from benchmarks.results.setting import PLAIN
from benchmarks.workloads.workload import workload_called
from model_registry.records import Result

#: The rule of the verdict, declared here and told below every table of it.
LEAST_SAVED = 0.10  # of the peak
MOST_QUALITY_LOST = 0.1  # of the mean score, which is 0 to 1
LEAST_SPEED = 0.5  # of the plain one's


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison comes to, in codes.

    Args:
        code: "does_not_run", "plain_not_tried", "needed", "not_measured", "not_worth_it", "helps".
        reasons: the status of the case that failed, or what speaks against quantised weights:
            "saves_too_little", "replies_get_worse", "much_slower"; "not_judged" where only memory
            and speed were seen.
    """

    code: str
    reasons: tuple[str, ...] = ()


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


def verdict_of(found: QuantizationComparison) -> Verdict:
    """Whether quantised weights are needed here, help, or are not worth it; and why."""
    if not found.quantised.ok:
        return Verdict("does_not_run", (found.quantised.status,))
    if found.plain is None:
        return Verdict("plain_not_tried")
    if not found.plain.ok:
        return Verdict("needed", (found.plain.status,))
    if found.saved_share is None:
        return Verdict("not_measured")
    against = tuple(_against(found))
    if against:
        return Verdict("not_worth_it", against)
    return Verdict("helps", ("not_judged",) if found.quality_change is None else ())


def _against(found: QuantizationComparison) -> Iterator[str]:
    """What speaks against quantised weights where plain ones run."""
    if found.saved_share is not None and found.saved_share < LEAST_SAVED:
        yield "saves_too_little"
    if found.quality_change is not None and found.quality_change < -MOST_QUALITY_LOST:
        yield "replies_get_worse"
    if found.speed is not None and found.speed < LEAST_SPEED:
        yield "much_slower"


def quantization_needed(run: Run, name: str) -> str:
    """Whether a candidate answers only when quantised, as far as that was tried."""
    cases = run.of(name, "inference")
    if any(case.ok and quantization(case) == PLAIN for case in cases):
        return "no"
    tried_plain = any(quantization(case) == PLAIN for case in cases)
    return "yes" if tried_plain and any(case.ok for case in cases) else "unknown"


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
