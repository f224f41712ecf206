"""The gradable part of a run: its prompts, each with all candidates' replies."""

from __future__ import annotations

import shlex
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from evaluators.grading.cards import cards_of
from evaluators.grading.masking import Mask
from evaluators.grading.store.grade_records import Screen, Shown, reply_hash
from model_registry.errors import OhloraError, system_reasons
from model_registry.records import Reply, read_rows


@dataclass(frozen=True, slots=True)
class Item:
    """One prompt and the replies to grade, at most one of each candidate and tuning."""

    prompt: str
    replies: tuple[Reply, ...]


@dataclass(frozen=True)  # no slots: what is computed once is kept
class GradableRun:
    """A run as graders see it: prompts with replies."""

    name: str
    folder: Path
    items: tuple[Item, ...]
    hidden: tuple[str, ...] = ()  # the whole run's candidates, where this is a part of it

    @cached_property
    def candidates(self) -> list[str]:
        """The names of all candidates that have a reply here, sorted."""
        return sorted({reply.candidate for item in self.items for reply in item.replies})

    @cached_property
    def parts(self) -> dict[Hashable, GradableRun]:
        """Parts of this run that were made of it, by what they are asked for."""
        return {}

    @cached_property
    def mask(self) -> Mask:
        """Hides these candidates' names in their replies."""
        return Mask(self.hidden or self.candidates)

    def part(self, items: Iterable[Item]) -> GradableRun:
        """A part of this run, in which all its candidates' names stay hidden."""
        return replace(self, items=tuple(items), hidden=self.hidden or tuple(self.candidates))

    @cached_property
    def by_identity(self) -> dict[tuple[str, Shown], Reply]:
        """Every reply by its prompt and by which one it is."""
        return {(item.prompt, identify(r)): r for item in self.items for r in item.replies}

    def alike(self, replies: Iterable[Reply]) -> list[tuple[Reply, ...]]:
        """Replies by what graders see of them: those of one group are one card."""
        replies = tuple(replies)
        cards = cards_of([self.mask(reply.reply) for reply in replies])
        return [tuple(replies[place] for place in card.places) for card in cards]

    def reply(self, prompt: str, shown: Shown) -> Reply | None:
        """The reply that a screen showed, if it is still here with the very same text."""
        return self.by_identity.get((prompt, shown))

    def shows(self, screen: Screen) -> bool:
        """Whether all replies of a screen are here."""
        return all((screen.prompt, one) in self.by_identity for one in screen.shown)


def identify(reply: Reply) -> Shown:
    """Which reply this is, as a screen records it."""
    return Shown(reply.case, reply.candidate, reply.pass_, reply.tuned, reply_hash(reply.reply))


def state_of_replies(folder: Path) -> tuple[int, int]:
    """The time in ns of the last change of a run's replies, and their size in bytes.

    Raises:
        OhloraError: they are not there now, or can't be read.
    """
    path = folder / "replies.jsonl"
    try:
        state = path.stat()
    except OSError as error:
        name = f"{folder.resolve().name}/{path.name}"
        why = system_reasons(error)
        raise OhloraError(
            f"{name} can't be read now: {why['reason']}. Try again shortly; if it stays so, put "
            "the run folder back in its place.",
            f"지금은 {name} 파일을 읽을 수 없어요({why['reason_ko']}). 잠시 뒤에 다시 "
            "시도하고, 계속 그러면 실행 결과 폴더를 제자리에 되돌려 놓으세요.",
        ) from None
    return state.st_mtime_ns, state.st_size


class NoReplies(OhloraError):
    """A run folder holds no replies to grade; `again` is the command that makes them."""

    def __init__(self, folder: Path, again: str) -> None:
        super().__init__(
            f"{folder} holds no replies to grade: its replies.jsonl is missing or empty. "
            f"Go on with the run: {again}",
            f"{folder}에 평가할 답변이 없습니다(replies.jsonl이 없거나 비어 있음). 이어서 "
            f"실행하기: {again}",
        )


def read_run(folder: Path) -> GradableRun:
    """The gradable part of a run folder: prompts in the order they were asked.

    Raises:
        NoReplies: it holds none.
        OhloraError: there is no such folder.
        BadFile: its replies.jsonl can't be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise OhloraError(
            f"{folder} is no run folder. Make one: ohlora run STUDY --out {folder}",
            f"{folder}은(는) 실행 결과 폴더가 아닙니다. 만들기: ohlora run STUDY --out {folder}",
        )
    run = gradable_run(folder, read_rows(folder / "replies.jsonl", Reply))
    if not run.items:
        raise NoReplies(folder, f"ohlora run STUDY --out {shlex.quote(str(folder))} --resume")
    return run


def gradable_run(folder: Path, replies: Iterable[Reply]) -> GradableRun:
    """The gradable part of a folder's replies."""
    made = [reply for reply in replies if reply.finish_reason != "error"]
    return GradableRun(folder.resolve().name, folder, tuple(_items(made)))


def _items(replies: Iterable[Reply]) -> list[Item]:
    """Replies by prompt. Of several passes of one candidate, greedy or else the first is taken."""
    by_prompt: dict[str, dict[tuple[str, int | None], Reply]] = {}
    for reply in replies:
        mine = by_prompt.setdefault(reply.prompt, {})
        key = (reply.candidate, reply.tuned)
        if key not in mine or (reply.pass_ == "greedy" and mine[key].pass_ != "greedy"):
            mine[key] = reply
    return [Item(prompt, tuple(mine.values())) for prompt, mine in by_prompt.items()]


def find_runs(root: Path) -> list[Path]:
    """Folders with replies, `root` itself or directly below it, the newest first."""
    if not root.is_dir():
        return []
    folders = [f for f in (root, *root.iterdir()) if (f / "replies.jsonl").is_file()]
    return sorted(folders, key=lambda f: (f / "replies.jsonl").stat().st_mtime, reverse=True)
