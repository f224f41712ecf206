"""The rows of `ohlora fit`: every candidate, kind of work and rank against one budget of memory."""

from __future__ import annotations

import difflib
import shlex
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from model_registry import machine
from model_registry.candidate import Candidate
from model_registry.errors import LoadError, OhloraError
from model_registry.licenses.remark_words import remark_in_korean
from model_registry.memory.fit import NO_CORRECTION, Correction, Work, is_quick, predict
from model_registry.memory.verdict import NOTHING_ELSE, Said, as_command, margin, smallest_change
from model_registry.messages.notes import Note
from model_registry.prompting.context import context_of
from model_registry.selection import parse_bytes
from model_registry.statuses import STATUSES

#: What a card of this name offers to a program, in GiB: less than on its label.
CARDS = {
    "T4": 14.7, "P100": 15.9, "V100": 15.8, "M6000": 11.9, "RTX3060": 11.8, "RTX3090": 23.7,
    "RTX4090": 23.6, "L4": 22.2, "A10G": 22.1, "A100": 39.4, "A100-80GB": 79.2, "H100": 79.1,
    "H200": 139.8,
}  # fmt: skip
_HOPPER = ("H100", "H200")
_LEAST = 2**20  # bytes: less than this is a number whose unit was forgotten
RANKS = (16, 32, 64)
_TUNED = Work(kind="lora", batch=4)


#: Raises OhloraError where an architecture can't do a kind of work.
Check = Callable[[Mapping[str, object], Work], None]


@dataclass(frozen=True, slots=True)
class Budget:
    """How much memory there is, where, and the precision that is computed in there."""

    name: str
    bytes: int
    device: str = "cuda"
    dtype: str = "bfloat16"
    capability: str | None = None  # of the card, such as "9.0"


@dataclass(frozen=True, slots=True)
class FitRow:
    """One verdict. Figures are None where nothing could be predicted; `reason` says why."""

    name: str
    work: Work
    predicted_bytes: int | None
    fits: bool | None
    margin_bytes: int | None
    smallest_change: str | None
    terms: dict[str, int]
    reason: Note | None = None

    def to_json(self) -> dict[str, object]:
        """One row of the document of `ohlora fit --json`."""
        work = self.work
        return {
            "name": self.name,
            "workload": work.kind,
            "rank": work.rank,
            "quantization": work.quantization,
            "predicted_bytes": self.predicted_bytes,
            "fits": self.fits,
            "smallest_change": self.smallest_change,
            "margin_bytes": self.margin_bytes,
            "reason": self.reason.english if self.reason else None,
            "terms": self.terms,
            "batch": work.batch,
            "length": work.length,
            "dtype": work.dtype,
            "gradient_accumulation": work.accumulation,
            "gradient_checkpointing": work.checkpointing,
            "optimizer": work.optimizer,
            "dora": work.dora,
            "packing": work.packed,
        }


def card_budget(text: str) -> Budget:
    """A budget by a card's name or by an amount of memory, such as T4 or 12GB.

    Raises:
        OhloraError: neither.
    """
    names = {name.casefold().replace("-", ""): name for name in CARDS}
    wanted = text.casefold().replace("-", "").replace(" ", "")
    if wanted in names:
        name = names[wanted]
        dtype = "float16" if name in ("T4", "P100", "V100", "M6000") else "bfloat16"
        capability = "9.0" if name in _HOPPER else None
        return Budget(name, round(CARDS[name] * 2**30), "cuda", dtype, capability)
    try:
        amount = parse_bytes(text)
    except OhloraError:
        near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.5)
        hint = f" Did you mean {names[near[0]]}?" if near else ""
        raise OhloraError(
            f"{text!r} is no amount of memory such as 12GB, and no card known here: "
            f"{', '.join(CARDS)}.{hint}",
            f"{text!r}: 12GB 같은 메모리 양도, 아는 그래픽 카드도 아닙니다. "
            f"아는 카드: {', '.join(CARDS)}.{hint}",
        ) from None
    if amount < _LEAST:
        unit = f" Did you mean {text.strip()}GB?" if text.strip().isdecimal() else ""
        raise OhloraError(
            f"A card of {text} would hold {amount} bytes.{unit}",
            f"{text} 카드라면 {amount}바이트입니다.{unit}",
        )
    return Budget(text, amount)


def machine_budget() -> Budget:
    """The memory that is free on this machine now.

    Raises:
        OhloraError: the machine does not tell.
    """
    facts = machine.describe(machine.pick_device())
    if facts["available_bytes"] is None:
        raise OhloraError(
            "This machine does not tell how much memory is free: add --gpu 12GB.",
            "이 장비의 남은 메모리를 알 수 없습니다. --gpu 12GB를 붙이세요.",
        )
    device = str(facts["device"])
    return Budget(
        str(facts["name"]), int(facts["available_bytes"]), device, machine.pick_dtype(device),
        facts.get("capability"),
    )  # fmt: skip


def all_works(budget: Budget, tuned: Work, length: int) -> list[Work]:
    """The kinds of work that are asked about: loading, answering, tuning, with and without bits.

    `tuned` says how it is tuned; without a rank of its own, at several. Where it is packed, its
    rows are as long as it says, or as the longest of the user's.
    """
    trained = max(length, tuned.length) if tuned.packed else length
    base = Work(
        dtype=budget.dtype, device=budget.device, length=length, capability=budget.capability
    )
    tuned = replace(
        tuned, kind="lora", length=trained,
        dtype=base.dtype, device=base.device, capability=base.capability,
    )  # fmt: skip
    ranks = RANKS if tuned.rank is None else (tuned.rank,)
    bits = dict.fromkeys((tuned.quantization, "nf4"))
    plain = replace(tuned, quantization="none")
    quantized = ("int8", "nf4", "gptq")
    return [
        replace(base, kind="load"),
        *(replace(base, kind="load", quantization=q) for q in quantized),
        base,
        *(replace(base, quantization=q) for q in quantized),
        *(replace(tuned, rank=rank, quantization=q) for q in bits for rank in ranks),
        replace(plain, kind="full", rank=None, dora=False),
        replace(plain, kind="orpo", rank=ranks[0], length=length, packed=False),
    ]


def fit_rows(
    candidates: Iterable[Candidate],
    budget: Budget,
    *,
    length: int,
    tuned: Work = _TUNED,
    lengths: Mapping[str, int] | None = None,
    correction: Correction = NO_CORRECTION,
    trace_seconds: float = 0.0,
    said: Said = NOTHING_ELSE,
    check: Check | None = None,
) -> list[FitRow]:
    """A verdict for each candidate and kind of work; an unknown one carries its reason.

    `tuned` is how a tune is done: its batch, rank and levers. `lengths` are tokens of a row by
    candidate, where its tokenizer has counted the user's rows; `length` is for the others.
    Architectures that are not in the table are followed, one kind of work after the other, until
    `trace_seconds` are over; what is left then is refused. `said` are further options of
    the commands that are proposed. What `check` refuses is not predicted.
    """
    known, until = lengths or {}, time.monotonic() + trace_seconds
    return [
        fit_row(c, work, budget, correction, said, check, trace=time.monotonic() < until)
        for c in candidates
        for work in all_works(budget, *_in_context(c, tuned, known.get(c.name, length)))
    ]


def _in_context(candidate: Candidate, tuned: Work, length: int) -> tuple[Work, int]:
    """The work and a row's length, no longer than what the candidate looks back on."""
    most = context_of(candidate.shapes or {}) or max(length, tuned.length)
    return replace(tuned, length=min(tuned.length, most)), min(length, most)


def fit_row(
    candidate: Candidate,
    work: Work,
    budget: Budget,
    correction: Correction = NO_CORRECTION,
    said: Said = NOTHING_ELSE,
    check: Check | None = None,
    *,
    trace: bool = False,
) -> FitRow:
    """One verdict; `said` and `check` as `fit_rows` takes them."""
    try:
        if not candidate.shapes:
            note = candidate.parameters_note or "its catalog entry has no architecture"
            raise LoadError("unsupported_architecture", note, remark_in_korean(note))
        if check is not None:
            check(candidate.shapes, work)
        if not trace and not is_quick(candidate.shapes, work):
            again = f"{shlex.quote(candidate.name)} {said.fit}".strip()
            command = f"`ohlora fit {again} --trace`"
            raise LoadError(
                "not traced yet", f"{command} follows it now", f"{command}로 지금 추적하세요"
            )
        estimate = predict(candidate.shapes, work, correction)
    except OhloraError as error:
        return FitRow(candidate.name, work, None, None, None, None, {}, _reason(error))
    left = margin(estimate, budget.bytes, work.device)
    change = None
    if left < 0:
        smallest = smallest_change(candidate.shapes, work, budget.bytes, correction, quick=True)
        change = as_command(candidate.name, smallest, said) or _more_memory(-left, budget)
    terms = {name: count for name, count in estimate.terms.items() if count}
    return FitRow(candidate.name, work, estimate.predicted_bytes, left >= 0, left, change, terms)


def _reason(error: OhloraError) -> Note:
    """Why nothing is predicted: of what can't be loaded, with its status before it."""
    if not isinstance(error, LoadError):
        return Note.in_both(str(error), error.korean)
    korean = STATUSES[error.status].ko if error.status in STATUSES else "아직 추적하지 않음"
    return Note.in_both(f"{error.status}: {error}", f"{korean}: {error.korean}")


def _more_memory(lacking: int, budget: Budget) -> str:
    return f"more memory: at least {(budget.bytes + lacking) / 2**30:.1f} GiB"


def document(budget: Budget, rows: Sequence[FitRow], correction: Correction) -> dict[str, object]:
    """The document of `ohlora fit --json`."""
    return {
        "budget_bytes": budget.bytes,
        "budget": budget.name,
        "device": budget.device,
        "dtype": budget.dtype,
        "correction": correction.source or None,
        "rows": [row.to_json() for row in rows],
    }


def columns(rows: Sequence[FitRow], title: str) -> list[list[str]]:
    """A table of GiB for people: a line a candidate, ✓ or ✗ before each figure."""
    names = list(dict.fromkeys(column(row.work) for row in rows))
    lines = [[title, *names]]
    for candidate in dict.fromkeys(row.name for row in rows):
        cells = {column(row.work): row for row in rows if row.name == candidate}
        lines.append([candidate, *(_cell(cells[name]) for name in names)])
    return lines


def column(work: Work) -> str:
    """What a kind of work is called in the table."""
    rank = f" r{work.rank}" if work.rank else ""
    bits = "" if work.quantization == "none" else f" {work.quantization}"
    return f"{work.kind}{rank}{bits}"


def _cell(row: FitRow) -> str:
    if row.predicted_bytes is None:
        return "—"
    return f"{'✓' if row.fits else '✗'} {row.predicted_bytes / 2**30:.1f}"
