"""The grading desk: who sits there, what they see next, and what they hand in.

Everything a grader's browser gets is made here, and nothing in it tells whose reply is whose: no
name, no order but the random one, no hash, no time. The page and the API both go through it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluators.grading.agreement import grader_reports
from evaluators.grading.assignment import screens_of
from evaluators.grading.rubric import PRACTICE
from evaluators.grading.run_folder import GradableRun, read_run
from evaluators.grading.store import Grade, Grader, GradeStore, Screen, Shown
from evaluators.grading.submission import Refused, digest, parse_grades, seconds_taken, text
from model_registry.errors import UnknownName

LONGEST_NAME = 60
_LONGEST_ID = 200


def new_token() -> str:
    """A secret for an invitation link; whoever opens the link is that grader."""
    return secrets.token_urlsafe(16)


def grader_id(token: str, *, login: bool = False) -> str:
    """The id of a grader: a digest, so that the database holds no link that opens anything."""
    kind = "login" if login else "link"
    return hashlib.sha256(f"{kind}\0{token}".encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks: by the token of an invitation link, or by the name of a login."""

    token: str = ""
    login: str = ""

    @property
    def id(self) -> str:
        # The link first: several people may share one login, but not one link.
        if self.token:
            return grader_id(self.token)
        return grader_id(self.login, login=True) if self.login else ""


class Desk:
    """Serves graders from run folders and keeps what they say.

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
            Refused: there are no runs at all.
        """
        if not self._runs:
            raise Refused(
                "There is no run to grade. Start the page with --run FOLDER.",
                "평가할 실행 결과가 없습니다. --run 폴더 로 페이지를 시작하세요.",
            )
        name = name or next(iter(self._runs))
        if name not in self._runs:
            raise UnknownName("run", name[:80], self._runs)
        state = (self._runs[name] / "replies.jsonl").stat()
        stamp = (state.st_mtime_ns, state.st_size)
        if name not in self._read or self._read[name][0] != stamp:
            self._read[name] = (stamp, read_run(self._runs[name]))
        return self._read[name][1]

    def join(self, name: str, visitor: Visitor = Visitor()) -> tuple[Grader, str]:
        """Sit down as a new grader, or as the one that the visitor is already.

        Returns the grader and the token to come back with ("" for a login).

        Raises:
            Refused: no name, or one that is too long.
        """
        name = " ".join(text(name, "name", LONGEST_NAME).split()) or visitor.login
        if visitor.id and (known := self.store.grader(visitor.id)):
            return known, visitor.token
        if not name:
            raise Refused(
                "Please enter a name; a nickname will do.", "이름을 적어 주세요. 별명도 좋습니다."
            )
        token = "" if visitor.login else new_token()
        mine = Visitor(token, visitor.login)
        return self.store.add_grader(Grader(mine.id, name)), token

    def knows(self, visitor: Visitor) -> bool:
        """Whether this visitor has sat down before."""
        return bool(visitor.id) and self.store.grader(visitor.id) is not None

    def grader(self, visitor: Visitor) -> Grader:
        """The grader that a visitor is.

        Raises:
            Refused: nobody we know.
        """
        known = visitor.id and self.store.grader(visitor.id)
        if not known:
            raise Refused(
                "This invitation is not known here. Start again with your name.",
                "알 수 없는 초대 링크입니다. 이름을 적고 다시 시작하세요.",
            )
        return known

    def screen(self, visitor: Visitor, run: str = "", number: int | None = None) -> dict[str, Any]:
        """The next screen to grade, an earlier one by number, or the finish."""
        grader = self.grader(visitor)
        screens, mine = self._work(grader, self.run(run))
        done = {g.screen for g in mine}
        if number is not None:
            if not isinstance(number, int) or not 0 <= number < len(screens):
                raise Refused(f"There is no screen {number!r}.", f"{number!r}번 화면은 없습니다.")
            if number and screens[number - 1].id not in done:
                raise Refused("Grade the earlier ones first.", "앞의 것부터 평가해 주세요.")
            return self._show(screens, number, mine, run)
        for place, screen in enumerate(screens):
            if screen.id not in done:
                return self._show(screens, place, mine, run)
        return _finish(grader, screens, mine)

    def submit(
        self,
        visitor: Visitor,
        screen_id: str,
        grades: Any,
        *,
        attempt: str = "",
        seconds: Any = None,
        skip_reason: str = "",
    ) -> dict[str, Any]:
        """Keep the grades of one screen; when this returns, they are on disk.

        Args:
            visitor: who grades.
            screen_id: what was shown.
            grades: for each reply in the order shown, {"grade": 1–5, "flags": […], "note": ""}.
            attempt: made by the browser once for each time a person hands in: the same attempt
                sent twice is one. Empty: the same content is.
            seconds: how long the person took.
            skip_reason: one of SKIP_REASONS leaves the screen ungraded.

        Raises:
            Refused: with what is wrong.
        """
        grader = self.grader(visitor)
        screen = self.store.screen(text(screen_id, "screen", _LONGEST_ID))
        if screen is None or screen.grader != grader.id:
            raise Refused("This screen is not yours, or not known.", "내 평가 화면이 아닙니다.")
        skip_reason = text(skip_reason, "skip_reason", 40)
        parsed = parse_grades(grades, len(screen.shown), skip_reason)
        attempt = text(attempt, "attempt", 80) or digest(repr(parsed) + skip_reason)
        run = self.run(screen.run) if screen.kind != "practice" else None
        rows = [
            Grade(
                key=f"{screen.id}:{position}:{attempt}",
                subject=f"{screen.id}:{position}",
                grader=grader.id,
                run=screen.run,
                case=shown.case,
                candidate=shown.candidate,
                prompt=screen.prompt,
                reply=_reply_text(run, screen, position),
                grade=given["grade"],
                screen=screen.id,
                kind=screen.kind,
                pass_=shown.pass_,
                tuned=shown.tuned,
                reply_hash=shown.reply_hash,
                position=position,
                shown=len(screen.shown),
                flags=given["flags"],
                note=given["note"],
                skip_reason=skip_reason,
                seconds=seconds_taken(seconds),
            )
            for position, (shown, given) in enumerate(zip(screen.shown, parsed, strict=True))
        ]
        stored = self.store.add_grades(rows)
        return {"stored": stored, "feedback": _feedback(screen)}

    def _work(self, grader: Grader, run: GradableRun) -> tuple[list[Screen], list[Grade]]:
        screens = screens_of(self.store, run, grader.id)
        return screens, self.store.grades(run.name, grader=grader.id)

    def _show(
        self, screens: list[Screen], place: int, mine: list[Grade], run: str
    ) -> dict[str, Any]:
        screen = screens[place]
        folder = self.run(run)
        practice = sum(s.kind == "practice" for s in screens)
        earlier = {g.position: g for g in mine if g.screen == screen.id}
        return {
            "screen": screen.id,
            "number": place,
            # A repeated item looks like any other: knowing would spoil the comparison.
            "practice": screen.kind == "practice",
            "done": max(0, len({g.screen for g in mine if g.kind != "practice"})),
            "place": place - practice + 1 if screen.kind != "practice" else place + 1,
            "total": len(screens) - practice if screen.kind != "practice" else practice,
            "prompt": screen.prompt,
            "replies": [
                folder.mask(_reply_text(folder, screen, position))
                for position in range(len(screen.shown))
            ],
            "earlier": [_own(earlier.get(i)) for i in range(len(screen.shown))]
            if earlier
            else None,
        }

    def has_finished(self, visitor: Visitor, run: str = "") -> bool:
        """Whether this visitor has graded every screen of a run."""
        if not self.knows(visitor):
            return False
        found = self.run(run)
        screens, mine = self._work(Grader(visitor.id, ""), found)
        return {s.id for s in screens} <= {g.screen for g in mine}

    def is_owner(self, key: str) -> bool:
        """Whether this is the key of whoever started the page."""
        return bool(self._owner_key) and hmac.compare_digest(
            str(key).encode(), self._owner_key.encode()
        )

    def runs_with(self, texts: Iterable[str]) -> list[str]:
        """The runs in which one of these texts is a prompt, however it is typed."""
        asked = {_bare(one) for one in texts} - {""}
        if not asked:
            return []
        return [n for n in self._runs if asked & {_bare(i.prompt) for i in self.run(n).items}]


def _reply_text(run: GradableRun | None, screen: Screen, position: int) -> str:
    shown: Shown = screen.shown[position]
    if screen.kind == "practice" or run is None:
        practice = next(one for one in PRACTICE if one.prompt == screen.prompt)
        return practice.replies[position].reply
    reply = run.reply(screen.prompt, shown)
    if reply is None:
        raise Refused(
            "The run was made anew, and this reply is gone. Reload the page.",
            "실행 결과가 새로 만들어져 이 답이 없어졌습니다. 페이지를 새로 고치세요.",
        )
    return reply.reply


def _own(grade: Grade | None) -> dict[str, Any]:
    if grade is None:
        return {"grade": None, "flags": [], "note": ""}
    return {"grade": grade.grade, "flags": list(grade.flags), "note": grade.note}


def _feedback(screen: Screen) -> list[dict[str, Any]] | None:
    """After a practice item: how most people grade each reply, and why."""
    if screen.kind != "practice":
        return None
    practice = next(one for one in PRACTICE if one.prompt == screen.prompt)
    return [{"usual": r.usual, "why": {"en": r.why.en, "ko": r.why.ko}} for r in practice.replies]


def _finish(grader: Grader, screens: list[Screen], mine: list[Grade]) -> dict[str, Any]:
    counted = [g for g in mine if g.kind != "practice"]
    reports = [r for r in grader_reports(counted) if r.grader == grader.id]
    seconds = {g.screen: g.seconds for g in counted if g.seconds is not None}
    return {
        "finished": True,
        "name": grader.name,
        "number": len(screens),
        "screens": sum(s.kind != "practice" for s in screens),
        "grades": sum(g.grade is not None for g in counted),
        "skips": len({g.screen for g in counted if g.grade is None}),
        "minutes": round(sum(seconds.values()) / 60, 1) if seconds else None,
        "distribution": [sum(g.grade == value for g in counted) for value in (5, 4, 3, 2, 1)],
        "same": reports[0].same if reports else None,
        "repeats": reports[0].repeats if reports else 0,
        "since": min((g.made_at for g in counted), default=None),
    }


def _bare(prompt: str) -> str:
    """A prompt without what people vary when they type the same: case, blanks, marks."""
    return "".join(c for c in prompt.casefold() if c.isalnum())
