"""`ohlora fit`: whether candidates fit, before any download."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from rich.markup import escape

from benchmarks.study.contract import tuned_by
from benchmarks.study.tuning_settings import TuningSettings
from benchmarks.tune_checks import (
    check_elsewhere,
    check_layers,
    check_settings,
    check_work,
    check_works,
)
from commands.shared.console import out, print_columns, print_json
from commands.shared.economy_words import DataRows, economy_by_name, print_lengths
from commands.shared.option_class import argument, option
from commands.shared.options import CatalogName, CureName, Dtype, Gpu, Json, ranged
from commands.shared.tuning_options import TuningOptions
from commands.shared.user_registry import registry
from model_registry.files.json_values import JsonDict
from model_registry.language import text
from model_registry.machine import pick_dtype
from model_registry.memory.correction import correction_for
from model_registry.memory.fit import NO_CORRECTION, Work
from model_registry.memory.fit_report import (
    FitRow,
    card_budget,
    column,
    columns,
    document,
    fit_rows,
    machine_budget,
)
from model_registry.memory.verdict import TUNED_BATCH, Said, tune_options
from model_registry.naming.resolve import find_candidates
from model_registry.prompting.context import context_of, looks_back
from model_registry.prompting.token_economy import Economy

#: Columns of the table; the JSON has every row.
_SHOWN = {"load", "inference", "inference nf4", "lora r16", "lora r32", "lora r64",
          "lora r16 nf4", "full", "orpo r16"}  # fmt: skip

#: What a column is of, in Korean; LoRA and ORPO are called so there, too.
_KOREAN = {"load": "불러오기", "inference": "추론", "full": "전체 튜닝"}

#: Levers of a tune that a change of it names itself, where they are not what they are else.
_SAID_BY_WORK = {"batch_size", "gradient_accumulation", "gradient_checkpointing", "lora_targets",
                 "dora", "packing", "optimizer", "attention"}  # fmt: skip
#: Levers that a trace is made with.
_TRACED_APART = {"lora_targets", "dora"}

#: Seconds for which `fit` follows what the table has not, about 15 s each, without being asked to.
#: What was followed is kept, so that the next call goes on with the rest.
_TRACED_FOR = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions(TuningOptions):
    """What `ohlora fit` is asked for."""

    names: Annotated[
        list[str] | None,
        argument(
            "Candidates, org/model or folders; all of the catalog else.",
            "후보, org/model, 폴더. 없으면 카탈로그의 모든 후보.",
            metavar="[NAME]...",
        ),
    ] = None
    catalog: CatalogName = None
    gpu: Gpu = None
    batch_size: Annotated[
        int | None,
        option(
            "Rows in memory at a time.",
            "한 번에 올리는 행 수.",
            "--batch-size",
            "--batch",
            callback=ranged("batch"),
        ),
    ] = 4
    max_length: Annotated[
        int,
        option(
            "Tokens a row.",
            "한 행의 토큰 수.",
            "--max-length",
            "--length",
            callback=ranged("length"),
        ),
    ] = TuningSettings().max_length
    rank: Annotated[
        int | None,
        option(
            "Of LoRA; 16, 32 and 64 else.",
            "LoRA 랭크. 없으면 16, 32, 64.",
            callback=ranged("rank"),
        ),
    ] = None
    data: DataRows = None
    dtype: Dtype = "auto"
    trace: Annotated[
        bool,
        option(
            "Follow all that is not in the table; without it, for 60 seconds.",
            "표에 없는 구조를 모두 추적합니다. 없으면 60초 동안만 추적합니다.",
            "--trace",
        ),
    ] = False
    cure: CureName = None
    as_json: Json = False

    def settings(self) -> TuningSettings:
        """What a tune is told."""
        return replace(TuningSettings(), **self.given())

    def tuned(self) -> Work:
        """How a tune is done, as far as memory hangs on it."""
        settings = self.settings()
        work = Work(
            kind="lora",
            batch=settings.batch_size,
            length=settings.max_length,
            rank=self.rank,
            quantization=self.quantization or "none",
        )
        return tuned_by(settings, work)

    @property
    def shortens(self) -> bool:
        """Whether no row that is learned is longer than `max_length`, where others are refused."""
        return self.too_long in ("cut", "drop")

    def said(self) -> Said:
        """What commands to paste say beside what a change does: levers that memory does not hang
        on, the rows, the cure. `ohlora tune` finds no candidate of a catalog of one's own."""
        others: JsonDict = {"catalog": self.catalog} if self._of_own_catalog else {}
        others |= {"gpu": self.gpu} if self.gpu else {}
        traced = {name: value for name, value in self.given().items() if name in _TRACED_APART}
        traced |= {"dtype": self.dtype} if self.dtype != "auto" else {}
        traced |= {"cure": self.cure} if self.cure else {}
        return Said(
            None if self._of_own_catalog else _as_options(self._of_tune()),
            _as_options(others | traced),
            self.max_length,
        )

    @property
    def _of_own_catalog(self) -> bool:
        return self.catalog is not None and self.catalog.endswith(".toml")

    def _of_tune(self) -> JsonDict:
        given = {name: value for name, value in self.given().items() if name not in _SAID_BY_WORK}
        del given["max_length"]  # as long as the rows that were counted need, which are predicted
        if given.get("lora_dropout") == 0:
            del given["lora_dropout"]
        if self.dtype not in ("auto", "float32"):  # a change of the last says the other itself
            given["dtype"] = self.dtype
        given |= {"cure": self.cure} if self.cure else {}
        return given | {"data": self.data or "FILE", "out": "DIR"}


def _as_options(given: Mapping[str, object]) -> str:
    return " ".join(_as_option(name, value) for name, value in given.items())


def _as_option(name: str, value: object) -> str:
    option = "--tune-seed" if name == "seed" else f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return option if value else option.replace("--", "--no-", 1)
    return f"{option} {shlex.quote(str(value))}"


def fit(options: FitOptions) -> None:
    """Predict the memory to load, answer and tune, against a card or this machine.

    Levers that memory does not hang on (learning rate, schedule, row order…) change nothing.
    """
    known = registry()
    if options.names:
        chosen = find_candidates(options.names, known, options.catalog, cure=options.cure)
    else:
        chosen = [c for c in known.candidates(options.catalog) if c.backend == "transformers"]
    tuned = options.tuned()
    budget = card_budget(options.gpu) if options.gpu else machine_budget()
    if options.dtype != "auto":
        budget = replace(budget, dtype=pick_dtype(budget.device, options.dtype))
    check_settings(options.settings(), quantization=tuned.quantization, device=budget.device)
    shapes = [c.shapes for c in chosen if c.shapes]
    check_layers(shapes, options.settings().lora_targets)
    check = check_elsewhere if options.gpu else check_work
    check_works(((shape, tuned) for shape in shapes), check)
    correction = NO_CORRECTION if options.gpu else correction_for(budget.name, budget.device)
    economy = economy_by_name(chosen, options.data)
    longest = {name: each.longest for name, each in economy.items() if each.longest}
    if options.shortens:
        longest = {name: min(each, options.max_length) for name, each in longest.items()}
    rows = fit_rows(
        chosen,
        budget,
        tuned=tuned,
        length=options.max_length,
        lengths=longest,
        correction=correction,
        trace_seconds=math.inf if options.trace else _TRACED_FOR,
        said=options.said(),
        check=check,
    )
    if options.as_json:
        economies = [each.to_json() for each in economy.values()]
        print_json(document(budget, rows, correction) | {"tokenizers": economies})
        return
    _print_table(rows, tuned)
    size = f"{budget.name}: {budget.bytes / 2**30:.1f} GiB, {budget.dtype}"
    rows_of, tokens = tuned.batch, options.max_length
    levers = tune_options(replace(tuned, batch=TUNED_BATCH))
    if tuned.rank is None:
        levers = levers.removeprefix("--rank 16").strip()
    said = f" ({levers})" if levers else ""
    out.print(
        text(
            f"{size}; tuning with batch {rows_of} and {tokens} tokens a row{said}.",
            f"{size}. 튜닝은 배치 {rows_of}, 한 행 {tokens}토큰 기준입니다{said}.",
        ),
        highlight=False,
    )
    if economy:
        _print_economy(list(economy.values()), tokens, tuned.packed, options.shortens)
    for candidate in chosen:
        context = context_of(candidate.shapes or {})
        if context is not None and context < max(tokens, longest.get(candidate.name, 0)):
            print(looks_back(candidate.name, context))
    if correction.source:
        out.print(correction.source, highlight=False)
    _print_changes(rows, tuned)


def _print_economy(found: Sequence[Economy], length: int, packed: bool, shortens: bool) -> None:
    """What the tokenizers make of the rows: the longest row is the length that is predicted for."""
    print_lengths(found, length)
    but = (f" ({length} at most)", f"(최대 {length}토큰)") if shortens else ("", "")
    print(
        text(
            f"Where a longest row is shown, memory is predicted for rows of that length{but[0]}; "
            f"{length} tokens elsewhere.",
            f"최장 길이가 보이는 후보는 그 길이로{but[1]}, 나머지는 {length}토큰으로 메모리를 "
            "예측합니다.",
        )
    )
    if packed:
        print(
            text(
                f"Packed rows are as long as --max-length: tunes are predicted for {length} tokens "
                "or more.",
                f"묶은 행은 --max-length만큼 깁니다. 튜닝은 {length}토큰 이상으로 예측합니다.",
            )
        )


def _print_table(rows: Sequence[FitRow], tuned: Work) -> None:
    table = columns(rows, text("candidate (GiB)", "후보 (GiB)"))
    asked = {
        column(row.work) for row in rows
        if (row.work.kind, row.work.rank, row.work.quantization)
        == ("lora", tuned.rank, tuned.quantization)
    }  # fmt: skip
    kept = [i for i, name in enumerate(table[0]) if i == 0 or name in _SHOWN or name in asked]
    head, *lines = [[line[i] for i in kept] for line in table]
    print_columns([list(map(_in_words, head)), *lines], right=range(1, len(kept)))


def _in_words(name: str) -> str:
    kind, *levers = name.split()
    return text(name, " ".join([_KOREAN.get(kind, kind), *levers]))


def _print_changes(rows: Sequence[FitRow], tuned: Work) -> None:
    """Why something is not known, each reason once, and the smallest change with which a tune
    would fit."""
    told = set()
    for row in rows:
        if row.work.quantization != tuned.quantization:
            continue
        if row.reason and row.work.kind in ("load", "lora"):
            line = f"  {escape(row.name)} {_in_words(row.work.kind)}: {escape(row.reason.words)}"
            if line not in told:
                out.print(line)
            told.add(line)
        elif row.smallest_change and (row.work.kind, row.work.rank) == ("lora", tuned.rank or 16):
            out.print(
                f"  {escape(row.name)} lora r{row.work.rank} → {escape(row.smallest_change)}",
                soft_wrap=True,
            )
