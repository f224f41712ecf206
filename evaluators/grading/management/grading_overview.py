"""How far a grading is: each grader, each reply that people disagree on, what they remarked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, pvariance

from evaluators.grading.assignment import still_asked
from evaluators.grading.gradable_replies import GradableRun
from evaluators.grading.grader_progress import GraderProgress
from evaluators.grading.scope.grading_scope import scope_of
from evaluators.grading.statistics.agreement import blind_first_grades, reply_key
from evaluators.grading.store.grade_records import Grade, Grader, Screen, grades_that_count
from evaluators.grading.store.grade_store import GradeStore


@dataclass(frozen=True, slots=True)
class GraderRow:
    """One grader's progress. Screens and flags are without practice; seconds are the median of a
    screen.

    `state` is "invited" (has a link of the manager's) or "joined" (came alone) before it has begun,
    then "grading", "finished", or "revoked".
    """

    grader: str
    name: str
    state: str
    done: int
    screens: int
    skipped: int
    seconds: float | None
    flags: int
    last_at: str | None


@dataclass(frozen=True, slots=True)
class DisputedReply:
    """A reply on which people disagree: `spread` is its highest grade less its lowest."""

    candidate: str
    tuned: int | None
    prompt: str
    reply: str
    grades: tuple[tuple[str, int], ...]  # name of the grader, grade
    spread: int


@dataclass(frozen=True, slots=True)
class Remark:
    """Flags, a note or a reason for a skip, with what they are about."""

    grader: str  # the name
    candidate: str
    tuned: int | None
    prompt: str
    reply: str
    grade: int | None
    flags: tuple[str, ...]
    note: str
    skip_reason: str
    made_at: str


@dataclass(frozen=True, slots=True)
class PromptTime:
    """How long the screens of one prompt took: the median of all graders, in seconds."""

    prompt: str
    seconds: float
    screens: int
    skips: int


@dataclass(frozen=True, slots=True)
class GradingOverview:
    """Everything that a manager watches of one run."""

    graders: tuple[GraderRow, ...]
    prompts: tuple[PromptTime, ...]
    disputed: tuple[DisputedReply, ...]
    remarks: tuple[Remark, ...]


def overview_of(store: GradeStore, run: GradableRun) -> GradingOverview:
    """The overview of a run, as it is now."""
    history = [g for g in store.grades(run.name, history=True) if g.page == "grade"]
    counted = [g for g in grades_that_count(history) if g.kind != "practice"]
    names = {key: one.name for key, one in store.graders().items()}
    return GradingOverview(
        tuple(_graders(store, run, history)),
        prompt_times(counted),
        disputed_replies(counted, names),
        remarks_of(counted, names),
    )


def _graders(store: GradeStore, run: GradableRun, history: Sequence[Grade]) -> list[GraderRow]:
    """Those who have screens in the run's scope, and those who are invited."""
    screens: dict[str, list[Screen]] = defaultdict(list)
    done = {grade.screen for grade in history if grade.screen}
    for screen in still_asked(store.management.screens(run.name), run, scope_of(run), done):
        screens[screen.grader].append(screen)
    given: dict[str, list[Grade]] = defaultdict(list)
    for grade in history:
        given[grade.grader].append(grade)
    known, revoked = store.graders(), store.management.revoked()
    invited = dict.fromkeys(one.grader for one in store.management.invitations())
    waiting = {who: "invited" if who in invited else "joined" for who in known}
    shut = dict.fromkeys(revoked, "revoked")
    return [
        _grader_row(known[who], screens[who], given[who], waiting[who], shut.get(who))
        for who in dict.fromkeys([*screens, *given, *invited])
        if who in known
    ]


def _grader_row(
    grader: Grader,
    screens: Sequence[Screen],
    history: Sequence[Grade],
    waiting: str,
    shut: str | None,
) -> GraderRow:
    work = GraderProgress(screens, history)
    asked = [screen for screen in screens if screen.kind != "practice"]
    timed = seconds_of_screens(history)
    state = "finished" if work.finished else "grading" if history else waiting
    return GraderRow(
        grader=grader.id,
        name=grader.name,
        state=shut or state,
        done=len({screen.id for screen in asked} & work.done),
        screens=len(asked),
        skipped=len(work.skipped),
        seconds=median(timed.values()) if timed else None,
        flags=sum(len(grade.flags) for grade in work.latest.values() if grade.kind != "practice"),
        last_at=max((grade.made_at for grade in history), default=None),
    )


def seconds_of_screens(grades: Iterable[Grade]) -> dict[str, float]:
    """Seconds by screen; practice is left out, and of a screen handed in twice the last counts."""
    return {
        grade.screen: grade.seconds
        for grade in grades
        if grade.kind != "practice" and grade.screen and grade.seconds is not None
    }


def prompt_times(grades: Iterable[Grade]) -> tuple[PromptTime, ...]:
    """Each prompt's median time on a screen, the slowest first."""
    by_prompt: dict[str, list[Grade]] = defaultdict(list)
    for grade in grades:
        by_prompt[grade.prompt].append(grade)
    rows = []
    for prompt, given in by_prompt.items():
        timed = seconds_of_screens(given)
        skips = len({grade.screen for grade in given if grade.grade is None})
        if timed:
            rows.append(PromptTime(prompt, median(timed.values()), len(timed), skips))
    return tuple(sorted(rows, key=lambda row: -row.seconds))


def disputed_replies(
    grades: Iterable[Grade], names: Mapping[str, str]
) -> tuple[DisputedReply, ...]:
    """Replies that two people or more graded differently, the furthest apart first."""
    units: dict[object, list[Grade]] = defaultdict(list)
    for grade in blind_first_grades(grades):
        units[reply_key(grade)].append(grade)
    rows = [_disputed(given, names) for given in units.values() if len(given) > 1]
    differing = [row for row in rows if row.spread]
    return tuple(sorted(differing, key=lambda row: (-row.spread, -_variance(row))))


def _disputed(given: Sequence[Grade], names: Mapping[str, str]) -> DisputedReply:
    first = given[0]
    grades = tuple((names.get(one.grader, "?"), one.grade or 0) for one in given)
    values = [value for _, value in grades]
    spread = max(values) - min(values)
    return DisputedReply(first.candidate, first.tuned, first.prompt, first.reply, grades, spread)


def _variance(row: DisputedReply) -> float:
    return pvariance([value for _, value in row.grades])


def remarks_of(grades: Iterable[Grade], names: Mapping[str, str]) -> tuple[Remark, ...]:
    """Everything that people flagged, noted or gave as a reason, the newest first."""
    rows = [
        Remark(
            names.get(one.grader, "?"), one.candidate, one.tuned, one.prompt, one.reply,
            one.grade, one.flags, one.note, one.skip_reason, one.made_at,
        )
        for one in grades
        if one.flags or one.note or one.skip_reason
    ]  # fmt: skip
    return tuple(sorted(rows, key=lambda row: row.made_at, reverse=True))
