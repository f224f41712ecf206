"""The product's own cases in a campaign, most valuable first.

Random weights at full size, so that nothing is downloaded: time and memory are those of the real
weights. Rows are cut to a length exactly, so that a row of 512 tokens is one of 512 tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.run.case import Case, Limits, Task
from benchmarks.selfchecks.campaign.items import Item
from benchmarks.study.contract import Contract
from benchmarks.study.study_files import read_study, study_path
from model_registry.candidate import Candidate
from model_registry.files.json_values import JsonDict
from model_registry.registry import Registry
from rows.row import Row

RANKS = (16, 32, 64)
SHORT = 64  # tokens of a row, about those of the bundled study
LENGTHS = (128, 512, 1024, 2048)
LONG_ROWS_OF = ("llama1B", "FinguAI-Chat-v1", "gemma-2-2b-it")
QUANTISED = ("llama1B", "gemma-2-2b-it")
LIMITED = "llama1B"
_CASE_SECONDS = 60.0
_MIB = 2**20
_ANSWER = "네, 오늘도 잘 보냈습니다. "


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for all cases of a campaign: found out by its first item."""

    device: str
    dtype: str
    half: str
    scale: str = "full"
    threads: int = 1
    machine: str = ""

    def contract(self, **values: Any) -> Contract:
        """The product's contract for random weights, short: two epochs of a few rows."""
        policy: JsonDict = {
            "weights": "random", "scale": self.scale, "device": self.device, "dtype": self.dtype,
            "threads": self.threads, "machine": self.machine, "epochs": 2, "max_new_tokens": 24,
            "samples": 0, "too_long": "cut",
        }  # fmt: skip
        return Contract(**policy | values)


def rows(count: int, length: int, *, mixed: bool = False) -> tuple[Row, ...]:
    """Rows with answers of more tokens than `length`: the contract cuts them to it.

    `mixed` leaves every second one short, so that batches are padded.
    """
    return tuple(
        Row(
            f"{n}번 질문입니다. 오늘은 어땠나요?",
            _ANSWER * (2 if mixed and n % 2 else length // 4 + 8),
        )
        for n in range(count)
    )


def prompts(count: int) -> tuple[Row, ...]:
    """Questions to answer."""
    return tuple(Row(f"{n}번 질문입니다. 오늘 하루는 어땠나요?", "") for n in range(count))


def tune(
    name: str, candidate: Candidate, settings: Settings, length: int, setting: Mapping[str, object],
    **policy: object,
) -> Item:  # fmt: skip
    """A short tune on rows of one length; of shrunk models no figure is told: theirs are short."""
    length = min(length, SHORT) if settings.scale == "tiny" else length
    contract = settings.contract(max_length=length, **policy)
    task = Task(rows(2 * contract.batch_size, length))
    return Item(name, _CASE_SECONDS, Case(candidate, "fine-tune", contract, task, dict(setting)))


def answer(name: str, candidate: Candidate, settings: Settings, **setting: object) -> Item:
    """A few answers, one by one and in a batch."""
    task = Task(prompts=prompts(3))
    case = Case(candidate, "inference", settings.contract(), task, setting)
    return Item(name, _CASE_SECONDS, case)


def the_seven() -> list[Candidate]:
    """The candidates of the bundled study; recurrent ones last, which take longest."""
    found = Registry().candidates("korean-small")
    return sorted(found, key=lambda candidate: candidate.architecture["model_type"] == "rwkv")


def short_rows(settings: Settings) -> Iterator[Item]:
    """Answering, and LoRA of the smallest rank on short rows, for each of the seven."""
    for candidate in the_seven():
        yield answer(f"fit/{candidate.name}/inference", candidate, settings)
        yield _rank(candidate, settings, RANKS[0])


def larger_ranks(settings: Settings) -> Iterator[Item]:
    """The other ranks, on the same rows, and the largest on long ones."""
    for rank in RANKS[1:]:
        for candidate in the_seven():
            yield _rank(candidate, settings, rank)
    for name in LONG_ROWS_OF:
        yield _rank(Registry().candidate(name), settings, RANKS[-1], 512)


def _rank(candidate: Candidate, settings: Settings, rank: int, length: int = SHORT) -> Item:
    name = f"fit/{candidate.name}/rank={rank}/{length}"
    return tune(name, candidate, settings, length, {"rank": rank})


def shortlist(settings: Settings) -> Iterator[Item]:
    """Today's shortlist: a tune on rows of 512 tokens, and answering, for all that can be built."""
    for candidate in Registry().candidates("korean-2026"):
        if candidate.architecture:
            yield _rank(candidate, settings, RANKS[0], 512)
            yield answer(f"fit/{candidate.name}/inference", candidate, settings)


def long_rows(settings: Settings) -> Iterator[Item]:
    """Rows as people have them, to where one candidate's context ends."""
    for length in LENGTHS:
        for name in LONG_ROWS_OF:
            yield _rank(Registry().candidate(name), settings, RANKS[0], length)
    for name in LONG_ROWS_OF:
        plain = _rank(Registry().candidate(name), settings, RANKS[0], 512)
        case = _case(plain)
        padded = replace(case, task=Task(rows(8, case.contract.max_length, mixed=True)))
        yield replace(plain, name=f"{plain.name} padded", work=padded)


def quantised(settings: Settings) -> Iterator[Item]:
    """LoRA on 4-bit weights and answering with them."""
    for name in QUANTISED:
        candidate = Registry().candidate(name)
        setting: dict[str, object] = {"quantization": "nf4"}
        item = f"fit/{name}/nf4 rank=16/512"
        yield tune(item, candidate, settings, 512, {"rank": 16} | setting)
        yield answer(f"fit/{name}/nf4 inference", candidate, settings, **setting)


def before_and_after(settings: Settings) -> Iterator[Item]:
    """The variants of the study `lightweighting` for the smaller model, on 128 tokens a row."""
    study = read_study(study_path("lightweighting"))
    candidate = Registry().candidate("opt-350m")
    for variant in study.work.variants:
        if not variant.only or candidate.name in variant.only:
            setting = variant.settings(settings.half)
            name = f"before and after/{candidate.name}/{variant.name}"
            yield tune(name, candidate, settings, 128, setting, batch_size=8)


def precisions(settings: Settings) -> Iterator[Item]:
    """The same tune in each precision: its time, its memory, and that its loss stays a number."""
    candidate = Registry().candidate(LIMITED)
    for dtype in ("bfloat16", "float16", "float32"):
        name = f"precision/{candidate.name}/{dtype}"
        yield tune(name, candidate, settings, 512, {"rank": 16, "dtype": dtype}, epochs=5)


#: Statuses that cases with too little memory must get, and what is left them of it: bytes beyond
#: the weights of `LIMITED`.
LIMITS = {
    "oom_load": -1024 * _MIB,
    "oom_training": 1024 * _MIB,
    "oom_inference": 64 * _MIB,
}
#: The same on a CPU with shrunk weights: bytes in all, beyond Python and its libraries.
SHRUNK_LIMITS = {"oom_load": 16 * _MIB, "oom_training": 40 * _MIB, "oom_inference": 34 * _MIB}


def too_little_memory(settings: Settings) -> Iterator[Item]:
    """Cases under a limit that ends each in another phase; and one without, which must be well."""
    candidate = Registry().candidate(LIMITED)
    weights = 2 * (candidate.parameters or 0)
    shrunk = settings.scale == "tiny"
    for status, more in LIMITS.items():
        limits = Limits(memory_bytes=SHRUNK_LIMITS[status] if shrunk else weights + more)
        if status == "oom_inference":
            item = answer(f"limit/{status}", candidate, settings)
            question = Row("오늘은 어땠나요? " * 400, "")
            case = replace(_case(item), task=Task(prompts=(question,)), limits=limits)
        else:
            item = tune(f"limit/{status}", candidate, settings, 1024, {"rank": 16})
            case = replace(_case(item), limits=limits)
        yield replace(item, work=case)
    yield tune("limit/ok", candidate, settings, 128, {"rank": 16})


def _case(item: Item) -> Case:
    assert isinstance(item.work, Case)  # noqa: S101 - for mypy
    return item.work
