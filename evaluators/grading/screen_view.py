"""What a grader's browser gets: one screen with its texts, and the strip of all screens.

Nothing in it tells whose reply is whose: no name, no order but the random one, no hash, no time.
"""

from __future__ import annotations

from evaluators.grading.cards import Card, cards_of
from evaluators.grading.gradable_replies import GradableRun
from evaluators.grading.grader_progress import GraderProgress
from evaluators.grading.rubric import PRACTICE, Practice
from evaluators.grading.store.grade_records import Grade, Screen
from evaluators.grading.submission import InvalidRequest


def screen_view(
    work: GraderProgress,
    number: int,
    run: GradableRun,
    *,
    draft: list[dict[str, object]] | None,
    counts: bool,
) -> dict[str, object]:
    """One screen of a grader, with what they gave or began to give.

    Args:
        work: the grader's screens and grades.
        number: of the screen to show.
        run: the whole run.
        draft: what was chosen and not handed in yet.
        counts: whether what is given from now on counts.
    """
    screen = work.screens[number]
    practice = sum(s.kind == "practice" for s in work.screens)
    cards = screen_cards(run, screen)
    given = [work.latest.get(subject_of(screen, card.places[0])) for card in cards]
    counted = [s for s in work.screens if s.kind != "practice"]
    return {
        "screen": screen.id,
        "number": number,
        # A repeated item looks like any other: knowing would spoil the comparison.
        "practice": screen.kind == "practice",
        "done": len({s.id for s in counted} & work.done),
        "place": number - practice + 1 if screen.kind != "practice" else number + 1,
        "total": len(counted) if screen.kind != "practice" else practice,
        "prompt": screen.prompt,
        "replies": [card.text for card in cards],
        "earlier": _given(given) if any(given) else None,
        "draft": draft if draft and len(draft) == len(cards) else None,
        "counts": counts,
        "strip": _strip(work),
    }


def _strip(work: GraderProgress) -> list[str]:
    """The state of every screen in order: practice ones apart by a mark, the rest alike."""
    skipped = set(work.skipped)
    states = []
    for place, screen in enumerate(work.screens):
        state = "skipped" if place in skipped else "done" if screen.id in work.done else "open"
        states.append(f"practice {state}" if screen.kind == "practice" else state)
    return states


def subject_of(screen: Screen, place: int) -> str:
    """What revisions of one reply's grade on one screen share."""
    return f"{screen.id}:{place}"


def screen_replies(run: GradableRun, screen: Screen) -> list[str]:
    """The texts of a screen's replies, as their models wrote them.

    Raises:
        InvalidRequest: one of them is no longer in the run.
    """
    if screen.kind == "practice":
        return [one.reply for one in _practice(screen).replies]
    replies = [run.reply(screen.prompt, shown) for shown in screen.shown]
    if None in replies:
        raise InvalidRequest(
            "The run was made anew, and this reply is gone. Reload the page.",
            "실행 결과가 새로 만들어져 이 답변이 없어졌어요. 페이지를 새로 고치세요.",
        )
    return [reply.reply for reply in replies if reply is not None]


def screen_cards(run: GradableRun, screen: Screen) -> list[Card]:
    """The texts of a screen as graders see them, names hidden and like ones together."""
    return cards_of([run.mask(reply) for reply in screen_replies(run, screen)])


def _practice(screen: Screen) -> Practice:
    return next(one for one in PRACTICE if one.prompt == screen.prompt)


def _given(grades: list[Grade | None]) -> list[dict[str, object]]:
    """What was given for each card.

    Where a screen was skipped for another reason, its words stand as the note of each reply that
    had none. They are said of the screen: who grades it after all has not noted them.
    """
    given = [_own(grade) for grade in grades]
    if any(grade and grade.skip_reason == "other" for grade in grades):
        notes = [one["note"] for one in given]
        for one in given:
            if len(notes) == 1 or notes.count(one["note"]) > 1:
                one["note"] = ""
    return given


def _own(grade: Grade | None) -> dict[str, object]:
    if grade is None:
        return {"grade": None, "flags": [], "note": ""}
    return {"grade": grade.grade, "flags": list(grade.flags), "note": grade.note}


def practice_feedback(screen: Screen) -> list[dict[str, object]] | None:
    """After a practice item: how most people grade each reply, and why."""
    if screen.kind != "practice":
        return None
    return [
        {"usual": r.usual, "why": {"en": r.why.en, "ko": r.why.ko}}
        for r in _practice(screen).replies
    ]
