"""Serves graders: who they are, their next screen, and what they submit.

Everything a grader's browser gets is made here, and nothing in it tells whose reply is whose: no
name, no order but the random one, no hash, no time. The page and the API both go through it.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from evaluators.grading.asked_texts import AskedTexts
from evaluators.grading.gradable_replies import GradableRun, read_run, state_of_replies
from evaluators.grading.grader_progress import completion_summary, has_finished, progress_of
from evaluators.grading.rater_identity import ANONYMOUS, Visitor, new_token
from evaluators.grading.scope.grading_load import scope_document
from evaluators.grading.scope.grading_scope import checked_scope, declare, scope_of
from evaluators.grading.screen_view import (
    practice_feedback,
    screen_cards,
    screen_replies,
    screen_view,
    subject_of,
)
from evaluators.grading.store.grade_records import Grade, Grader, Screen, now
from evaluators.grading.store.grade_store import GradeStore
from evaluators.grading.submission import (
    InvalidRequest,
    digest,
    parse_draft,
    parse_grades,
    parse_skip,
    seconds_taken,
    text,
)
from model_registry.errors import UnknownName

LONGEST_NAME = 60
_LONGEST_ID = 200

#: Stands for an owner who is no grader yet, where it is kept who has seen names. No digest is it.
OWNER = "owner"


class GradingSession:
    """Serves graders from run folders and stores their grades.

    Args:
        store: opens the store; called once, at the first need.
        runs: the runs on offer, by name, the first one being the default.
        owner_key: whoever knows it may see results at any time.
    """

    def __init__(
        self, store: Callable[[], GradeStore], runs: Mapping[str, Path], owner_key: str = ""
    ) -> None:
        self._open_store = store
        self._store: GradeStore | None = None
        self._opening = threading.Lock()
        self._reading = threading.Lock()
        self._runs = dict(runs)
        self._owner_key = owner_key
        self._read: dict[str, tuple[tuple[int, int], GradableRun]] = {}

    @property
    def store(self) -> GradeStore:
        with self._opening:  # the first visitors may come at once
            if self._store is None:
                self._store = self._open_store()
            return self._store

    @property
    def run_names(self) -> list[str]:
        return list(self._runs)

    def run(self, name: str = "") -> GradableRun:
        """A run by name, or the default; read anew when its file has changed.

        Raises:
            UnknownName: no such run.
            OhloraError: there are no runs at all, or this one's replies are not there now.
        """
        if not self._runs:
            raise InvalidRequest(
                "There is no run to grade. Start the page with --run FOLDER.",
                "평가할 실행 결과가 없어요. --run 폴더로 페이지를 시작하세요.",
            )
        name = text(name or "", "run", _LONGEST_ID) or next(iter(self._runs))
        if name not in self._runs:
            raise UnknownName("run", name[:80], self._runs)
        stamp = state_of_replies(self._runs[name])
        # Ten visitors at once read a new state once, not ten times beside each other.
        with self._reading:
            if name not in self._read or self._read[name][0] != stamp:
                self._read[name] = (stamp, read_run(self._runs[name]))
            return self._read[name][1]

    def join(
        self, name: str, visitor: Visitor = ANONYMOUS, *, owner: bool = False
    ) -> tuple[Grader, str]:
        """Register a new grader, or return the one that the visitor is already.

        Returns the grader and the token to come back with ("" for a login). What an `owner` has
        seen before they had a name, this grader has seen.

        Raises:
            InvalidRequest: no name, or one that is too long.
        """
        grader, token = self._joined(name, visitor)
        if owner:
            self.store.names_seen.copy(OWNER, grader.id)
        return grader, token

    def _joined(self, name: str, visitor: Visitor) -> tuple[Grader, str]:
        name = " ".join(text(name, "name", LONGEST_NAME).split()) or visitor.login
        if visitor.id and (known := self.store.grader(visitor.id)):
            return known, visitor.token
        if not name:
            raise InvalidRequest(
                "Please enter a name; a nickname will do.", "이름을 적어 주세요. 별명도 좋아요."
            )
        token = "" if visitor.login else new_token()
        mine = Visitor(token, visitor.login)
        return self.store.add_grader(Grader(mine.id, name)), token

    def knows(self, visitor: Visitor) -> bool:
        """Whether this visitor is a registered grader."""
        return bool(visitor.id) and self.store.grader(visitor.id) is not None

    def grader(self, visitor: Visitor) -> Grader:
        """The grader that a visitor is.

        Raises:
            InvalidRequest: nobody we know.
        """
        known = visitor.id and self.store.grader(visitor.id)
        if not known:
            raise InvalidRequest(
                "This invitation is not known here, or was revoked. Start again with your name.",
                "알 수 없거나 취소된 초대 링크예요. 이름을 적고 다시 시작하세요.",
            )
        return known

    def screen(
        self, visitor: Visitor, run: str = "", number: int | None = None
    ) -> dict[str, object]:
        """The next screen to grade, an earlier one by number, or the finish."""
        grader = self.grader(visitor)
        folder = self.run(run)
        scope = scope_of(folder)
        scope.check_admits(grader.name)
        work = progress_of(self.store, folder, grader.id, scope)
        if number is None:
            number = work.next
            if number is None:
                return completion_summary(grader, work)
        if type(number) is not int or not 0 <= number < len(work.screens):
            asked = repr(number)[:20]
            raise InvalidRequest(f"There is no screen {asked}.", f"{asked}번 화면은 없어요.")
        if number and work.screens[number - 1].id not in work.done:
            raise InvalidRequest("Grade the earlier ones first.", "앞의 것부터 평가해 주세요.")
        return screen_view(
            work,
            number,
            folder,
            draft=self.store.draft(work.screens[number].id),
            # Not after results or names were seen.
            counts=not self.store.names_seen.by(grader.id, folder.name),
        )

    def scope_document(
        self, run: str = "", changes: Mapping[str, object] | None = None
    ) -> dict[str, object]:
        """What of a run is graded and how much work that is; with `changes`, declared so from now.

        Raises:
            InvalidRequest: it can't be declared so.
        """
        folder = self.run(run)
        scope = scope_of(folder)
        if changes:
            scope = declare(folder, checked_scope(folder, {**asdict(scope), **changes}), now())
        return scope_document(folder, scope, self.store.grades(folder.name))

    def keep_draft(self, visitor: Visitor, screen_id: str, answers: object) -> None:
        """Keep what was chosen on a screen until it is handed in.

        Raises:
            InvalidRequest: with what is wrong.
        """
        screen = self._own_screen(visitor, screen_id)
        cards = screen_cards(self.run(screen.run), screen)
        self.store.keep_draft(screen.id, parse_draft(answers, len(cards)))

    def _own_screen(self, visitor: Visitor, screen_id: str) -> Screen:
        grader = self.grader(visitor)
        screen = self.store.screen(text(screen_id, "screen", _LONGEST_ID))
        if screen is None or screen.grader != grader.id:
            raise InvalidRequest(
                "This screen is not yours, or not known.",
                "내 평가 항목이 아니에요. 페이지를 새로 고치세요.",
            )
        scope_of(self.run(screen.run)).check_admits(grader.name)
        return screen

    def submit(
        self,
        visitor: Visitor,
        screen_id: str,
        grades: object,
        *,
        attempt: str = "",
        seconds: object = None,
        skip_reason: str = "",
    ) -> dict[str, object]:
        """Store the grades of one screen; when this returns, they are on disk.

        Args:
            visitor: who grades.
            screen_id: what was shown.
            grades: for each card in the order shown, {"grade": 1–5, "flags": […], "note": ""}.
            attempt: made by the browser once for each time a person hands in: the same attempt
                sent twice is one. Empty: the same content is.
            seconds: how long the person took.
            skip_reason: one of SKIP_REASONS leaves the screen ungraded; "other: …" says which.

        Raises:
            InvalidRequest: with what is wrong.
        """
        screen = self._own_screen(visitor, screen_id)
        run = self.run(screen.run)
        replies, cards = screen_replies(run, screen), screen_cards(run, screen)
        skip_reason, own_words = parse_skip(skip_reason)
        parsed = parse_grades(grades, len(cards), skip_reason, own_words)
        attempt = text(attempt, "attempt", 80) or digest(repr(parsed) + skip_reason)
        blind = not self.store.names_seen.by(screen.grader, screen.run)
        rows = [
            Grade(
                key=f"{screen.id}:{place}:{attempt}",
                subject=subject_of(screen, place),
                grader=screen.grader,
                run=screen.run,
                case=screen.shown[place].case,
                candidate=screen.shown[place].candidate,
                prompt=screen.prompt,
                reply=replies[place],
                grade=given["grade"],
                screen=screen.id,
                kind=screen.kind,
                pass_=screen.shown[place].pass_,
                tuned=screen.shown[place].tuned,
                reply_hash=screen.shown[place].reply_hash,
                position=position,
                shown=len(cards),
                flags=given["flags"],
                note=given["note"],
                skip_reason=skip_reason,
                seconds=seconds_taken(seconds),
                blind=blind,
            )
            for position, (card, given) in enumerate(zip(cards, parsed, strict=True))
            for place in card.places
        ]
        stored = self.store.add_grades(rows)
        self.store.keep_draft(screen.id, None)
        return {"stored": stored, "feedback": practice_feedback(screen)}

    def has_finished(self, visitor: Visitor, run: str = "") -> bool:
        """Whether this visitor has given every grade that a run asks for. A skip is none."""
        known = self.store.grader(visitor.id) if visitor.id else None
        return known is not None and has_finished(self.store, self.run(run), known)

    def note_names_seen(self, visitor: Visitor, run: str = "", *, owner: bool = False) -> None:
        """Record that a visitor sees names or results: later grades of the run are not blind.

        Of an `owner` who is no grader yet it is kept until they `join`.
        """
        login = Visitor(login=visitor.login).id  # whose link is not known grades by the login
        who = visitor.id if self.knows(visitor) else login or (OWNER if owner else "")
        if who:
            self.store.names_seen.note(who, self.run(run).name)

    def is_owner(self, key: str) -> bool:
        """Whether this is the owner's key."""
        return bool(self._owner_key) and hmac.compare_digest(
            str(key).encode(), self._owner_key.encode()
        )

    def runs_with(self, texts: Iterable[str]) -> list[str]:
        """The runs of which a prompt stands in these texts, however it is typed."""
        asked = AskedTexts(texts)
        return [
            name
            for name in self._runs
            if any(asked.contain(item.prompt) for item in self.run(name).items)
        ]
