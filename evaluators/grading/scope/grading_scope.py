"""The declared scope of a run's grading: which replies, how many prompts, by how many and by whom.

A declaration is a line of `grading_scope.jsonl` in the run folder, so that it goes where the
replies go. Lines are added and never changed; the last one counts.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace

from evaluators.grading.gradable_replies import GradableRun, Item
from evaluators.grading.submission import InvalidRequest
from model_registry.errors import BadFile, system_reasons
from model_registry.records import Reply

FILE = "grading_scope.jsonl"

#: Which replies are graded: before the tune, after it at one rank, both of these, or everything.
STATES = ("untuned", "tuned", "before_after", "all")

_DEFAULT = "default"  # in a line of the file: whatever the default is when the line is read
_RESET = "ohlora grades plan RUN --reset"

#: Without a declaration one person is asked for about this many grades: twenty minutes.
ENOUGH_GRADES = 120

_MOST = 10_000  # prompts or graders: far more than there can be


@dataclass(frozen=True, slots=True)
class GradingScope:
    """What a manager declared; None stands for all prompts, or for every grader."""

    replies: str
    rank: int | None = None  # of the tuned replies; None where only untuned ones are graded
    prompts: int | None = None
    overlap: int | None = None  # how many graders grade each prompt
    graders: int | None = None  # how many are expected
    names: tuple[str, ...] = ()  # who may grade; empty: whoever has the link
    declared_at: str | None = None

    @property
    def expected(self) -> int | None:
        """How many graders are expected."""
        return len(self.names) or self.graders

    def admits(self, name: str) -> bool:
        """Whether a person of this name may grade."""
        return not self.names or _folded(name) in {_folded(one) for one in self.names}

    def check_admits(self, name: str) -> None:
        """Check that a person of this name may grade.

        Raises:
            InvalidRequest: they may not.
        """
        if not self.admits(name):
            raise InvalidRequest(
                f"{name} is not among those who were asked to grade this. Ask the manager.",
                f"{name} 님은 이 평가의 평가자로 등록되어 있지 않아요. 관리자에게 문의하세요.",
            )

    def covers(self, reply: Reply) -> bool:
        """Whether a reply is in the scope, whatever its prompt."""
        untuned = reply.tuned is None and self.replies in ("untuned", "before_after")
        tuned = reply.tuned == self.rank and self.replies in ("tuned", "before_after")
        return self.replies == "all" or untuned or (tuned and self.rank is not None)


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


def ranks_of(run: GradableRun) -> list[int]:
    """The LoRA ranks that the run has replies of."""
    return sorted({r.tuned for item in run.items for r in item.replies if r.tuned is not None})


def default_scope(run: GradableRun) -> GradingScope:
    """What is graded where nothing was declared: one state, and prompts for `ENOUGH_GRADES`.

    The state is the one that is chosen for: after the tune, at the rank that most replies have
    (the smallest of several), or before it in a run without tunes.
    """
    counts = Counter(r.tuned for item in run.items for r in item.replies if r.tuned is not None)
    rank = min(counts, key=lambda one: (-counts[one], one)) if counts else None
    scope = GradingScope("untuned" if rank is None else "tuned", rank)
    items = list(_items_of(run, scope))
    cards = sum(len(run.alike(item.replies)) for item in items)
    if cards <= ENOUGH_GRADES:
        return scope
    return replace(scope, prompts=max(1, ENOUGH_GRADES * len(items) // cards))


def scope_of(run: GradableRun) -> GradingScope:
    """The last declaration of a run, or the default.

    A last line that was cut while it was written (a crash, a full disk) was never declared.

    Raises:
        BadFile: the declaration can't be read. It names the file alone: graders read it.
    """
    path = run.folder / FILE
    *lines, cut = path.read_bytes().split(b"\n") if path.is_file() else [b""]
    if scope := _declared(run, cut):
        return scope
    written = [(place, line) for place, line in enumerate(lines, 1) if line.strip()]
    if not written:
        return default_scope(run)
    place, line = written[-1]
    if scope := _declared(run, line):
        return scope
    raise BadFile(
        FILE,
        place,
        f"is no declaration of what is graded. Declare it anew: {_RESET}",
        f"평가 범위로 읽을 수 없는 줄이 있습니다. 다시 정하세요: {_RESET}",
    )


def _declared(run: GradableRun, line: bytes) -> GradingScope | None:
    """What a line declares; None where it can't be read."""
    try:
        values = json.loads(line)
        return default_scope(run) if values["replies"] == _DEFAULT else _read(values)
    except (ValueError, TypeError, KeyError, AttributeError, InvalidRequest):
        return None


def _read(values: Mapping[str, object]) -> GradingScope:
    names = values.get("names") or []
    if values["replies"] not in STATES or not isinstance(names, list):
        raise ValueError(f"replies must be one of {', '.join(STATES)}")
    return GradingScope(
        replies=str(values["replies"]),
        rank=_number(values.get("rank"), "rank"),
        prompts=_number(values.get("prompts"), "prompts"),
        overlap=_number(values.get("overlap"), "overlap"),
        graders=_number(values.get("graders"), "graders"),
        names=tuple(str(name) for name in names),
        declared_at=str(values["declared_at"]) if values.get("declared_at") else None,
    )


def _number(value: object, what: str) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 1 <= value <= _MOST:
        raise InvalidRequest(
            f"{what} must be a whole number from 1 to {_MOST}.",
            f"{_KOREAN[what]}에는 1부터 {_MOST} 사이의 정수를 적으세요.",
        )
    return value


_KOREAN = {
    "rank": "랭크",
    "prompts": "질문 수",
    "overlap": "질문마다 평가할 사람 수",
    "graders": "평가자 수",
}


def checked_scope(run: GradableRun, values: Mapping[str, object]) -> GradingScope:
    """A scope from what a manager sent, with what the run has.

    Raises:
        InvalidRequest: a value that can't be, or one that this run has nothing for.
    """
    if values.get("replies") not in STATES:
        raise InvalidRequest(
            f"Replies to grade are one of: {', '.join(STATES)}.",
            f"평가할 답변은 이 가운데서 고르세요: {', '.join(STATES)}.",
        )
    names = values.get("names") or []
    if not isinstance(names, list) or not all(isinstance(n, str) and len(n) <= 60 for n in names):
        raise InvalidRequest(
            "Names of graders are a list of short texts.", "평가자 이름은 60자 이내로 적으세요."
        )
    kept = tuple(dict.fromkeys(" ".join(name.split()) for name in names if name.strip()))
    scope = _read({**values, "names": list(kept), "declared_at": None})
    if scope.replies in ("untuned", "all"):
        scope = replace(scope, rank=None)
    elif scope.rank is None:
        scope = replace(scope, rank=default_scope(run).rank)
    _check_against(run, scope)
    return scope


def _check_against(run: GradableRun, scope: GradingScope) -> None:
    """A scope that holds nothing, or an overlap that nobody can give, is refused."""
    ranks = ranks_of(run)
    if scope.replies in ("tuned", "before_after") and scope.rank not in ranks:
        has = ", ".join(map(str, ranks))
        raise InvalidRequest(
            f"Choose a rank that this run has replies of: {has or 'it has none'}.",
            f"답변이 있는 랭크를 고르세요: {has or '튜닝한 답변 없음'}.",
        )
    if not any(True for _ in _items_of(run, scope)):
        raise InvalidRequest(
            "This run has no such replies. Choose others.",
            "이 실행에 있는 답변을 고르세요.",
        )
    if scope.overlap is not None and scope.expected is None:
        raise InvalidRequest(
            "Graders a prompt needs the number of graders, or their names.",
            "질문마다 평가할 사람 수를 정하려면 평가자 수나 이름도 적으세요.",
        )
    if scope.overlap is not None and scope.overlap > (scope.expected or 0):
        raise InvalidRequest(
            f"{scope.expected} graders can't grade each prompt {scope.overlap} times.",
            f"질문마다 평가할 사람 수를 평가자 수({scope.expected}명) 이하로 적으세요.",
        )


def declare(run: GradableRun, scope: GradingScope, declared_at: str) -> GradingScope:
    """Add a declaration to the run folder.

    Raises:
        InvalidRequest: the folder can't be written to.
    """
    scope = replace(scope, declared_at=declared_at)
    _add_line(run, asdict(scope))
    return scope


def take_back(run: GradableRun, declared_at: str) -> None:
    """Add a line that goes back to the default, which then follows the run as it grows.

    Raises:
        InvalidRequest: the folder can't be written to.
    """
    _add_line(run, {"replies": _DEFAULT, "declared_at": declared_at})


def _add_line(run: GradableRun, values: Mapping[str, object]) -> None:
    line = json.dumps(values, ensure_ascii=False).encode() + b"\n"
    try:
        with (run.folder / FILE).open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else b"\n" + line  # after one that was cut
            file.write(line)
    except OSError as error:
        why = system_reasons(error)
        raise InvalidRequest(
            f"What is graded can't be kept in the folder of {run.name}: {why['reason']}. "
            "Allow writing there, or declare it where the run was made: ohlora grades plan RUN.",
            f"평가 범위를 저장하려면 실행 결과 폴더에 쓸 수 있게 하거나({why['reason_ko']}), "
            "결과를 만든 컴퓨터에서 ohlora grades plan으로 정하세요.",
        ) from None


def graded_part(run: GradableRun, scope: GradingScope) -> GradableRun:
    """The part of a run that is graded, prompts in the run's order; made once for each scope."""
    if scope not in run.parts:
        run.parts[scope] = run.part(_drawn(run, scope))
    return run.parts[scope]


def _drawn(run: GradableRun, scope: GradingScope) -> list[Item]:
    """The scope's prompts with its replies.

    Fewer prompts than there are are drawn once for all graders, so that candidates are compared
    over the same ones; a larger number only adds to a smaller one.
    """
    items = list(_items_of(run, scope))
    if scope.prompts is None or scope.prompts >= len(items):
        return items
    drawn = sorted(items, key=lambda item: draw_order(run.name, item.prompt))[: scope.prompts]
    kept = {item.prompt for item in drawn}
    return [item for item in items if item.prompt in kept]


def _items_of(run: GradableRun, scope: GradingScope) -> Iterator[Item]:
    for item in run.items:
        replies = tuple(reply for reply in item.replies if scope.covers(reply))
        if replies:
            yield Item(item.prompt, replies)


def draw_order(*parts: str) -> bytes:
    """A place by chance, the same every time: of equals none comes first for its place."""
    return hashlib.sha256("\0".join(parts).encode()).digest()


def prompts_a_grader(scope: GradingScope, prompts: int) -> int:
    """How many of so many prompts one grader is asked for."""
    if scope.overlap is None or not scope.expected:
        return prompts
    return min(prompts, math.ceil(prompts * scope.overlap / scope.expected))
