"""The records in a run's files, and how they are appended and read.

Files are JSON lines. A line is written whole or not at all as far as readers are concerned: a
last line that a kill cut short is ignored by `read_rows` and cut off by the next `append_rows`.
Nothing is rewritten; where two rows share a key, the last one counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Hashable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from model_registry.errors import BadFile
from model_registry.files.appended_lines import append_lines
from model_registry.files.json_values import JsonDict, JsonObject
from model_registry.messages.notes import Note

SCHEMA = 1

#: The five grades a person gives, best first, with their value from 5 to 1.
GRADES = {"최상": 5, "상": 4, "중": 3, "하": 2, "최하": 1}


@dataclass(frozen=True, slots=True)
class Score:
    """An evaluator's judgement: a value, or None with the reason why there is none."""

    value: float | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Peak:
    """The most memory one phase held, in bytes. None where a figure does not apply.

    `allocated_bytes` and `reserved_bytes` are the CUDA allocator's; `process_bytes` is the
    high-water mark of the whole process on that device, of which `baseline_bytes` were in use
    when the phase began.
    """

    allocated_bytes: int | None
    reserved_bytes: int | None
    process_bytes: int | None
    baseline_bytes: int | None
    method: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer to one prompt."""

    case: str
    candidate: str
    prompt: str
    reply: str
    pass_: str  # "greedy", or "sample 1", "sample 2", …
    tuned: int | None  # None before tuning, else the LoRA rank
    new_tokens: int | None
    finish_reason: str  # "stop", "length" or "error"
    seconds: float | None = None
    first_token_seconds: float | None = None
    reference: str | None = None
    problems: tuple[str, ...] = ()
    connect_seconds: float | None = None  # of a remote answer; part of both times above
    thinking: str | None = None  # what the model thought before it answered: no part of the reply
    thinking_tokens: int | None = None  # part of new_tokens
    thinking_seconds: float | None = None  # from the first token until the answer began

    @property
    def key(self) -> tuple[Hashable, ...]:
        return (self.case, self.prompt, self.pass_, self.tuned)


@dataclass(frozen=True, slots=True)
class Result:
    """What one case gave. Seconds and peaks are by phase: load, warm_up, inference, training …"""

    case: str
    candidate: str
    workload: str
    settings: dict[str, object]
    contract: str  # hash of what must be equal before two results compare
    status: str
    policy: dict[str, object] = field(default_factory=dict)  # what was hashed
    stage: str | None = None
    message: str | None = None  # exception class and first line, for everything but ok
    explanation: Note | None = None  # the message in both languages, where it is one of ours
    cure: Note | None = None  # the smallest change that would help
    seconds: dict[str, float] = field(default_factory=dict)
    steps: int | None = None
    tokens: int | None = None
    peaks: dict[str, Peak] = field(default_factory=dict)
    predicted_bytes: int | None = None
    figures: JsonDict = field(default_factory=dict)  # what only this workload has
    weights: str | None = None  # hub, path, bundled or random, as it was loaded
    loaded_with: str | None = None  # a cure of architectures.cures, where its class refused it
    machine: JsonDict = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    started_at: str | None = None
    rows: dict[str, int] = field(default_factory=dict)  # of this case in other files, by name
    schema: int = SCHEMA

    @property
    def key(self) -> str:
        return self.case

    @property
    def ok(self) -> bool:
        return self.status == "ok"

    @property
    def shown(self) -> str | None:
        """The message as people read it."""
        return self.explanation.words if self.explanation else self.message

    def peak_bytes(self, phase: str) -> int | None:
        """The most memory held in a phase, weights included; None where it was not measured.

        On CUDA that is the allocator's peak. On the CPU it is the process's high-water mark less
        what the process held before it loaded anything: Python and the libraries are not counted.
        """
        peak, load = self.peaks.get(phase), self.peaks.get("load")
        if peak is None:
            return None
        if peak.allocated_bytes is not None:
            return peak.allocated_bytes
        if peak.process_bytes is None or load is None or load.baseline_bytes is None:
            return None
        return max(0, peak.process_bytes - load.baseline_bytes)


@dataclass(frozen=True, slots=True)
class Loss:
    """The loss of one training step (or of the valid rows, where `split` is "valid")."""

    case: str
    step: int
    loss: float
    split: str = "train"

    @property
    def key(self) -> tuple[Hashable, ...]:
        return (self.case, self.split, self.step)


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One evaluator's score of one reply, as `scores.jsonl` holds it."""

    case: str
    candidate: str
    prompt: str
    pass_: str
    tuned: int | None
    evaluator: str
    value: float | None
    reason: str = ""
    reply_hash: str | None = None  # of the text that was judged; None in older files
    version: int = 1  # of the evaluator's formula; older files have none

    @property
    def key(self) -> tuple[Hashable, ...]:
        return (self.case, self.prompt, self.pass_, self.tuned, self.evaluator)


@dataclass(frozen=True, slots=True)
class TaskSample:
    """What a benchmark task measured on one of its documents; `scores` by metric and filter.

    Documents of one `cluster` share a text, so that their errors go together.
    """

    case: str
    candidate: str
    task: str
    document: int
    document_hash: str
    cluster: str
    scores: dict[str, float]

    @property
    def key(self) -> tuple[Hashable, ...]:
        return (self.case, self.task, self.document)


Record = TypeVar("Record", Result, Reply, Loss, ScoreRow, TaskSample)
AnyRecord = Result | Reply | Loss | ScoreRow | TaskSample


def to_json(record: AnyRecord) -> dict[str, object]:
    """The record as it stands in a file; `pass_` is written `pass`, a Python keyword."""
    row = asdict(record)
    if "pass_" in row:
        row["pass"] = row.pop("pass_")
    return row


def from_json(kind: type[Record], row: JsonObject) -> Record:
    """A record from its row. Keys of a newer schema are dropped."""
    row = dict(row)
    if "pass" in row:
        row["pass_"] = row.pop("pass")
    known: dict[str, Any] = {name: row[name] for name in kind.__dataclass_fields__ if name in row}
    if "peaks" in known:
        known["peaks"] = {phase: Peak(**peak) for phase, peak in known["peaks"].items()}
    for name in ("cure", "explanation"):
        if known.get(name) is not None and not isinstance(known[name], Note):
            known[name] = Note.from_json(known[name])
    if "problems" in known:
        known["problems"] = tuple(known["problems"])
    return kind(**known)


def parse_row(kind: type[Record], line: bytes) -> Record:
    """One line of a file as its record.

    Raises:
        ValueError: it is no such record.
    """
    try:
        record = from_json(kind, json.loads(line))
        hash(record.key)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a {kind.__name__.lower()} row ({error})") from error
    return record


def line_of(record: AnyRecord) -> bytes:
    """A record as its line. A lone surrogate can come out of a model: it must not cost the line."""
    line = json.dumps(to_json(record), ensure_ascii=False) + "\n"
    return line.encode("utf-8", errors="replace")


def append_rows(path: Path, records: Iterable[AnyRecord]) -> None:
    """Append records to a JSON lines file and wait until they are on disk: all, or none.

    Raises:
        OSError: they can't be written; the file is as it was.
    """
    append_lines(path, b"".join(line_of(record) for record in records))


def read_rows(path: Path, kind: type[Record]) -> list[Record]:
    """All records of a file in order, the last one of each key only; none if there is no file.

    Raises:
        BadFile: a line in the middle of the file is not a record; `--resume` sets it aside.
    """
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    lines.pop()  # empty after a complete last line, else what a kill left of one
    rows: dict[Hashable, Record] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = parse_row(kind, line)
        except ValueError as error:
            english, korean = (f"{error}. {cure}" for cure in _MENDING)
            raise BadFile(path, number, english, korean) from error
        rows.pop(record.key, None)  # the later row takes the later place
        rows[record.key] = record
    return list(rows.values())


_MENDING = (
    "`ohlora run … --resume` sets such lines aside and does what is missing again.",
    "`ohlora run … --resume`으로 이런 줄을 따로 두고 빠진 것을 다시 실행할 수 있습니다.",
)


def reply_hash(reply: str) -> str:
    """Identifies a reply's text: half a SHA-256, in hexadecimal."""
    return hashlib.sha256(reply.encode("utf-8", errors="replace")).hexdigest()[:32]


def group_by(records: Iterable[Record], key: Callable[[Record], str]) -> dict[str, list[Record]]:
    """Records by the text that `key` gives, in order of first appearance."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return groups
