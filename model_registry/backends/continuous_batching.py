"""Answers to many prompts at once: a row that has ended gives its place to the next prompt.

When few rows are left, their next tokens are drafted from what they have said before, and one pass
reads as many as there were places for rows. A drafted token stays only where it is the one that is
drawn after those before it. Answers that never end go round in a loop, where nearly all stay.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

from model_registry.backends.answering_rows import AnsweringRows, Reader
from model_registry.backends.backend import GenerationSettings
from model_registry.backends.sampling import Draws, pick
from model_registry.weights.finite import LogitsWatch
from model_registry.weights.loading import LoadedModel

if TYPE_CHECKING:
    import torch

#: Rows that are answered at a time, unless told otherwise.
SLOTS = 32
#: Prompts are read when this share of the places is free: to read takes a pass of its own.
_WORTH_READING = 0.25
#: A draft begins where these many tokens have stood before,
_ALIKE = 3
#: with so many at first; then twice as many as stayed.
_DRAFTED = 4

#: Told the tokens of all answers begun, by number; gives the numbers of those that end here.
EachStep = Callable[[Mapping[int, Sequence[int]]], Collection[int]]


@dataclass(slots=True)
class _Seat:
    """An answer under way."""

    number: int  # of its prompt
    limit: int
    draws: Draws
    made: list[int] = field(default_factory=list)


def generate_continuously(
    loaded: LoadedModel,
    reader: Reader,
    prompts: Sequence[Sequence[int]],
    settings: Sequence[GenerationSettings],
    *,
    slots: int = SLOTS,
    stop: bool = True,
    ended: Callable[[int], None] = lambda count: None,
    each_step: EachStep = lambda made: (),
) -> list[list[int]]:
    """New token ids for each prompt, its end token included.

    Args:
        loaded: the model.
        reader: of that model.
        prompts: token ids of each.
        settings: of each; sampling draws from each one's own seed.
        slots: rows at a time.
        stop: False goes on past end tokens to the limit, which only benchmarks want.
        ended: told how many answers are made, whenever some have ended.
        each_step: told of all answers after each pass; may end some of them.

    Raises:
        NotFinite: a logit was NaN.
    """
    import torch

    work = _Work(loaded, reader, prompts, settings, slots, stop)
    with torch.inference_mode():
        while work.waiting or work.seats:
            before = len(work.answers)
            work.read() if work.should_read else work.step()
            work.end(each_step(work.so_far))
            if len(work.answers) > before:
                ended(len(work.answers))
    work.watch.check()
    return [work.answers[number] for number in range(len(prompts))]


class _Work:
    """The prompts that wait, the answers under way, and those made."""

    def __init__(
        self,
        loaded: LoadedModel,
        reader: Reader,
        prompts: Sequence[Sequence[int]],
        settings: Sequence[GenerationSettings],
        slots: int,
        stop: bool,
    ) -> None:
        self._reader, self._prompts, self._settings = reader, prompts, settings
        self._slots, self._ends = slots, frozenset(loaded.end_ids if stop else ())
        self.watch = LogitsWatch(loaded.model)
        self._device = next(loaded.model.parameters()).device
        # The longest are read first: they cost most, and the last ones end among short ones.
        self.waiting = sorted(range(len(prompts)), key=lambda n: (len(prompts[n]), -n))
        self.seats: list[_Seat] = []
        self.answers: dict[int, list[int]] = {}
        self._rows: AnsweringRows | None = None
        self._drafted = _DRAFTED

    @property
    def should_read(self) -> bool:
        """Whether prompts are read next, instead of a token more of each answer."""
        free = self._slots - len(self.seats)
        return bool(self.waiting) and (not self.seats or free >= self._slots * _WORTH_READING)

    def read(self) -> None:
        """Give free places to prompts, and make their first tokens."""
        numbers = self._next(self._slots - len(self.seats))
        rows, logits = self._reader.read([self._prompts[n] for n in numbers])
        seats = [
            _Seat(n, self._settings[n].max_new_tokens, Draws.under(self._settings[n]))
            for n in numbers
        ]
        left = self._add(seats, logits)
        if len(left) < len(seats) and left:
            rows.keep(left)
        if left and self._rows is not None:
            self._rows.join(rows)
        elif left:
            self._rows = rows
        self.seats += [seats[place] for place in left]

    def _next(self, most: int) -> list[int]:
        """Prompts to be read together, the longest ones that wait."""
        count = min(most, len(self.waiting))
        if self._reader.even:
            length = len(self._prompts[self.waiting[-1]])
            alike = sum(len(self._prompts[n]) == length for n in self.waiting)
            count = min(count, alike)
        taken = self.waiting[len(self.waiting) - count :]
        del self.waiting[len(self.waiting) - count :]
        return taken[::-1]

    def step(self) -> None:
        """One token more of each answer under way, or several that were drafted."""
        import torch

        assert self._rows is not None  # noqa: S101 - for mypy: there are seats
        drafts = self._drafts(self._rows.at_once)
        given = [[seat.made[-1], *draft] for seat, draft in zip(self.seats, drafts, strict=True)]
        logits = self._rows.step(torch.tensor(given, device=self._device))
        for read in range(1, len(given[0]) + 1):
            left = self._add(self.seats, logits[:, read - 1])
            said = [[seat.made[-1]] for seat in self.seats]
            if len(left) < len(self.seats) or said != [ids[read : read + 1] for ids in given]:
                break
        self._rows.drop(len(given[0]) - read)
        if len(given[0]) > 1:
            self._drafted = max(2, 2 * (read - 1))
        self._leave(left)

    @property
    def so_far(self) -> dict[int, list[int]]:
        """The tokens of all answers begun."""
        return self.answers | {seat.number: seat.made for seat in self.seats}

    def end(self, numbers: Collection[int]) -> None:
        """Leave these answers as they are."""
        if not numbers:
            return
        self.answers |= {n: [] for n in self.waiting if n in numbers}
        self.waiting = [n for n in self.waiting if n not in numbers]
        self.answers |= {seat.number: seat.made for seat in self.seats if seat.number in numbers}
        self._leave([p for p, seat in enumerate(self.seats) if seat.number not in numbers])

    def _leave(self, left: Sequence[int]) -> None:
        """Take away all rows but these."""
        if len(left) == len(self.seats):
            return
        self.seats = [self.seats[place] for place in left]
        if left and self._rows is not None:
            self._rows.keep(left)
        else:
            self._rows = None

    def _drafts(self, at_once: int) -> list[list[int]]:
        """What each answer may say next, equally many tokens; none where one says all new."""
        room = min(
            self._slots // len(self.seats), at_once, *(s.limit - len(s.made) for s in self.seats)
        )
        count = min(self._drafted, room - 1)
        found = (drafted(seat.made, count) for seat in self.seats if count > 0)
        drafts = list(takewhile(bool, found))  # no further than the first that says all new
        return drafts if len(drafts) == len(self.seats) else [[]] * len(self.seats)

    def _add(self, seats: Sequence[_Seat], logits: torch.Tensor) -> list[int]:
        """Draw a token for each; the places of those that have not ended."""
        self.watch(logits, logits)
        how = [seat.draws for seat in seats]
        tokens = pick(logits, how, [len(seat.made) for seat in seats]).tolist()
        left = []
        for place, (seat, token) in enumerate(zip(seats, tokens, strict=True)):
            seat.made.append(token)
            if token in self._ends or len(seat.made) >= seat.limit:
                self.answers[seat.number] = seat.made
            else:
                left.append(place)
        return left


def drafted(said: Sequence[int], count: int) -> list[int]:
    """So many tokens as followed the last ones where these stood before, round and round; none
    where they are new."""
    last = said[-_ALIKE:]
    for end in range(len(said) - 1, _ALIKE - 1, -1):
        if said[end - _ALIKE : end] == last:
            return [said[end + n % (len(said) - end)] for n in range(count)]
    return []
