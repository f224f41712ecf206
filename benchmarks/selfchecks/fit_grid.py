"""The grid that `ohlora fit` is judged on: architectures × lengths × batches × ranks × ways.

`python -m benchmarks.selfchecks.fit_grid` measures what docs/fit_grid.jsonl has not yet, each cell
in a process of its own: models of 20 to 40 M parameters with random weights and vocabularies of
30,000 to 65,000. Every way meets every architecture, every length and every batch.

With `--clean` it measures docs/fit_clean.jsonl: architectures of which nothing was known when the
form of the correction was chosen, and on which no constant of it is ever fitted.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.engines.local import LocalEngine
from benchmarks.run.case import Case, Limits, Task
from benchmarks.selfchecks.campaign.card_cases import prompts, rows
from benchmarks.selfchecks.fit_cell import work
from benchmarks.study.contract import Contract
from model_registry.candidate import Candidate, License
from model_registry.files.json_values import JsonDict
from model_registry.records import Result, append_rows, read_rows
from rows.row import Row

ROOT = Path(__file__).resolve().parents[2]
RAW = ROOT / "docs" / "fit_grid.jsonl"
CLEAN_RAW = ROOT / "docs" / "fit_clean.jsonl"

LENGTHS = (128, 256, 512, 1024, 2048)
BATCHES = (1, 2, 4)
RANKS = (16, 64)
WAYS = ("lora", "nf4", "full", "checkpointing", "orpo", "adamw_8bit", "lora", "inference")
_MOST_TOKENS = 2048  # of a step: more takes minutes on two cores
_SECONDS = 1800.0
_KEPT = ("load", "inference", "training")  # phases

_GQA: JsonDict = {
    "hidden_size": 384, "intermediate_size": 1024, "num_hidden_layers": 5,
    "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 64,
    "max_position_embeddings": 4096, "tie_word_embeddings": True,
}  # fmt: skip
_WIDE_HEADS: JsonDict = {
    "hidden_size": 256, "intermediate_size": 1280, "num_hidden_layers": 4,
    "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 96,
    "max_position_embeddings": 4096, "tie_word_embeddings": True,
}  # fmt: skip

#: Each a model type of its own; sizes differ where a type's own shape does.
ARCHITECTURES: dict[str, JsonDict] = {
    "llama": {"vocab_size": 32000, **_GQA},
    "qwen2": {"vocab_size": 60000, **_GQA, "hidden_size": 320, "num_attention_heads": 5,
              "num_key_value_heads": 5},
    "gemma2": {"vocab_size": 64000, **_WIDE_HEADS, "query_pre_attn_scalar": 96},
    "gpt_neox": {"vocab_size": 30080, **_GQA, "intermediate_size": 1536, "num_hidden_layers": 6,
                 "tie_word_embeddings": False},
    "opt": {"vocab_size": 50272, "hidden_size": 384, "word_embed_proj_dim": 256, "ffn_dim": 1536,
            "num_hidden_layers": 5, "num_attention_heads": 6, "do_layer_norm_before": True,
            "max_position_embeddings": 4096, "tie_word_embeddings": True},
    "qwen3": {"vocab_size": 48000, **_GQA, "num_key_value_heads": 3},
    "gemma3_text": {"vocab_size": 65536, **_WIDE_HEADS, "sliding_window": 512},
    "mistral": {"vocab_size": 40960, **_GQA, "intermediate_size": 1344, "sliding_window": None},
    "exaone4": {"vocab_size": 51200, **_GQA, "sliding_window": None,
                "layer_types": ["full_attention"] * 5},
    "gemma": {"vocab_size": 64000, **_WIDE_HEADS, "intermediate_size": 2048},
    "gpt_neo": {"vocab_size": 50257, "hidden_size": 384, "num_layers": 4, "num_heads": 6,
                "attention_types": [[["global", "local"], 2]], "window_size": 256,
                "max_position_embeddings": 4096, "tie_word_embeddings": True},
    "lfm2": {"vocab_size": 65536, **_GQA, "block_auto_adjust_ff_dim": False,
             "num_hidden_layers": 6, "full_attn_idxs": [2, 5]},
    "smollm3": {"vocab_size": 49152, **_GQA, "pad_token_id": 0},
    "granite": {"vocab_size": 49152, **_GQA, "intermediate_size": 1536},
    "phi3": {"vocab_size": 32064, **_GQA, "num_key_value_heads": 6, "pad_token_id": 0,
             "tie_word_embeddings": False},
}  # fmt: skip

#: Judged only, never fitted on: what is left out of the choice of the correction's form, too.
CLEAN_ARCHITECTURES: dict[str, JsonDict] = {
    "cohere": {"vocab_size": 64000, **_GQA, "eos_token_id": 3},
    "falcon": {"vocab_size": 65024, "hidden_size": 384, "num_hidden_layers": 5,
               "num_attention_heads": 6, "max_position_embeddings": 4096},
    "glm": {"vocab_size": 32000, **_GQA, "tie_word_embeddings": False, "pad_token_id": 0,
            "eos_token_id": 2},
    "gpt2": {"vocab_size": 50257, "n_embd": 384, "n_layer": 6, "n_head": 6, "n_positions": 4096},
    "olmo2": {"vocab_size": 50304, **_GQA},
    "gpt_bigcode": {"vocab_size": 49152, "n_embd": 384, "n_layer": 6, "n_head": 6,
                    "n_positions": 4096, "multi_query": True},
}  # fmt: skip
CLEAN_WAYS = ("lora", "nf4", "full", "checkpointing", "orpo")  # two for each, and answering
#: Chosen after falcon had led to a mend, and before any of its cells was measured.
_LATER = ("gpt_bigcode",)
_SHAPES = ARCHITECTURES | CLEAN_ARCHITECTURES


@dataclass(frozen=True, slots=True)
class Cell:
    """One measured tune, or answering."""

    architecture: str
    way: str
    length: int
    batch: int
    rank: int

    @property
    def name(self) -> str:
        return f"{self.architecture}/{self.way}/{self.batch}x{self.length}/r{self.rank}"

    @property
    def values(self) -> JsonDict:
        """The architecture, as a catalog holds it."""
        return {"model_type": self.architecture, **_SHAPES[self.architecture]}


def cells() -> list[Cell]:
    """A fraction of the whole product in which every two levels of two factors meet."""
    found = []
    for a, architecture in enumerate(ARCHITECTURES):
        for w, way in enumerate(WAYS):
            length = LENGTHS[(a + 2 * w) % len(LENGTHS)]
            batch = _affordable(way, length, BATCHES[(a // 2 + w) % len(BATCHES)])
            found.append(Cell(architecture, way, length, batch, RANKS[(a + w) % len(RANKS)]))
    # Short ones first, and spread, so that a grid that was stopped has some of everything.
    spread = [found[n * 37 % len(found)] for n in range(len(found))]
    return sorted(spread, key=lambda cell: cell.batch * cell.length)


def _affordable(way: str, length: int, batch: int) -> int:
    each = 2 * length if way == "orpo" else length  # a chosen and a rejected row
    while batch > 1 and batch * each > _MOST_TOKENS:
        batch //= 2
    return batch


def clean_cells() -> list[Cell]:
    """Two tunes and one answering of each clean architecture; two tunes of each later one."""
    names = [name for name in CLEAN_ARCHITECTURES if name not in _LATER]
    found = [Cell(name, "inference", LENGTHS[a], 1, RANKS[0]) for a, name in enumerate(names)]
    for n in range(2 * len(names)):
        way, rank = CLEAN_WAYS[n % len(CLEAN_WAYS)], RANKS[n % len(RANKS)]
        length = LENGTHS[(2 * n + n // len(CLEAN_WAYS)) % len(LENGTHS)]
        batch = _affordable(way, length, BATCHES[n % len(BATCHES)])
        found.append(Cell(names[n // 2], way, length, batch, rank))
    for name in _LATER:
        found += [Cell(name, "lora", 512, 1, RANKS[0]), Cell(name, "full", 2048, 1, RANKS[0])]
    return sorted(found, key=lambda cell: cell.batch * cell.length)


def case_of(cell: Cell, threads: int = 1) -> Case:
    """The product's own case: two steps, of which the second has the optimiser's moments."""
    contract = Contract(
        weights="random", epochs=1, max_new_tokens=8, samples=0, threads=threads, warm_up=0,
        too_long="cut", max_length=cell.length, batch_size=cell.batch, max_steps=2,
        gradient_checkpointing=cell.way == "checkpointing",
        optimizer="adamw_8bit" if cell.way == "adamw_8bit" else "adamw",
    )  # fmt: skip
    candidate = Candidate(cell.architecture, License("none", "yes"), architecture=cell.values)
    limits = Limits(seconds=_SECONDS)
    if cell.way == "inference":
        long = tuple(replace(row, prompt=row.prompt * (cell.length // 24)) for row in prompts(1))
        task = Task(prompts=long)
        return Case(candidate, "inference", contract, task, limits=limits)
    settings: JsonDict = {"rank": cell.rank}
    if cell.way == "full":
        settings = {"tuning": "full", "learning_rate": 1e-5}
    if cell.way == "nf4":
        settings["quantization"] = "nf4"
    workload = "preference" if cell.way == "orpo" else "fine-tune"
    return Case(candidate, workload, contract, Task(_rows(cell)), settings, limits)


def _rows(cell: Cell) -> tuple[Row, ...]:
    """Rows of the length, whose question is most of every second cell's."""
    made = rows(2 * cell.batch, cell.length)
    if (cell.rank, cell.way) == (RANKS[0], "lora"):
        return tuple(replace(row, prompt=row.prompt * (cell.length // 40)) for row in made)
    return made


def measured(raw: Path = RAW) -> dict[str, Result]:
    """What is measured, by the cell's name."""
    return {result.case: result for result in read_rows(raw, Result)}


def measure(todo: Sequence[Cell], raw: Path, threads: int) -> None:
    """Run the cells that have no row yet; a failed one is a row too."""
    engine = LocalEngine(work=work)
    for cell in todo:
        if cell.name in measured(raw):
            continue
        result = engine.run(case_of(cell, threads)).result
        kept = ("batch_rows", "batch_tokens", "batch_kept", "longest_prompt_tokens")
        figures = {name: v for name, v in result.figures.items() if name in kept}
        peaks = {name: peak for name, peak in result.peaks.items() if name in _KEPT}
        small = replace(
            result, case=cell.name, policy={}, versions={}, figures=figures, peaks=peaks
        )
        append_rows(raw, [small])
        print(
            cell.name,
            result.status,
            result.message or "",
            result.peak_bytes("training"),
            flush=True,
        )


def main() -> None:
    """Measure what is left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clean", action="store_true", help="the architectures never fitted on")
    parser.add_argument("--raw", type=Path)
    parser.add_argument("--part", default="1/1", help="1/2 and 2/2 may run at once")
    parser.add_argument("--longest-first", action="store_true")
    options = parser.parse_args()
    part, parts = map(int, options.part.split("/"))
    grid, raw = (clean_cells(), CLEAN_RAW) if options.clean else (cells(), RAW)
    todo = grid[part - 1 :: parts]
    measure(todo[::-1] if options.longest_first else todo, options.raw or raw, options.threads)


if __name__ == "__main__":
    main()
