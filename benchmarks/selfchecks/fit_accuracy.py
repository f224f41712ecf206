"""Accuracy of `ohlora fit`: predicted against measured memory.

`python -m benchmarks.selfchecks.fit_accuracy` measures models of about 100 M parameters with random
weights, five architectures, each case in a process of its own; `--table` only writes the table in
docs/fit.md from what was measured. A correction is judged on architectures it was not fitted on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.engines.local import LocalEngine
from benchmarks.run.case import Case, Task
from benchmarks.run.prediction import works
from benchmarks.study.contract import Contract
from benchmarks.workloads.workload import workload_called
from model_registry import machine
from model_registry.candidate import Candidate, License
from model_registry.memory.correction import fitted
from model_registry.memory.fit import Correction, Work, predict
from model_registry.records import Result, append_rows, read_rows
from model_registry.registry import Registry
from rows.row import Row

ROOT = Path(__file__).resolve().parents[2]
RAW = ROOT / "docs" / "fit_accuracy.jsonl"
PAGE = ROOT / "docs" / "fit.md"
RANKS = (16, 32, 64)

#: About 100 M parameters each; the sizes differ so that no two share a layer.
ARCHITECTURES: dict[str, dict[str, object]] = {
    "llama": {
        "model_type": "llama", "vocab_size": 32000, "hidden_size": 768, "intermediate_size": 2048,
        "num_hidden_layers": 12, "num_attention_heads": 12, "num_key_value_heads": 4,
        "max_position_embeddings": 2048, "tie_word_embeddings": True,
    },
    "gemma2": {
        "model_type": "gemma2", "vocab_size": 64000, "hidden_size": 640, "intermediate_size": 2560,
        "num_hidden_layers": 10, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 80,
        "query_pre_attn_scalar": 80, "max_position_embeddings": 2048, "tie_word_embeddings": True,
    },
    "qwen2": {
        "model_type": "qwen2", "vocab_size": 50000, "hidden_size": 704, "intermediate_size": 1920,
        "num_hidden_layers": 12, "num_attention_heads": 11, "num_key_value_heads": 11,
        "max_position_embeddings": 2048, "tie_word_embeddings": True,
    },
    "gpt_neox": {
        "model_type": "gpt_neox", "vocab_size": 30080, "hidden_size": 704,
        "intermediate_size": 2816, "num_hidden_layers": 10, "num_attention_heads": 11,
        "max_position_embeddings": 2048, "tie_word_embeddings": False,
    },
    "opt": {
        "model_type": "opt", "vocab_size": 50272, "hidden_size": 768, "word_embed_proj_dim": 512,
        "ffn_dim": 3072, "num_hidden_layers": 11, "num_attention_heads": 12,
        "do_layer_norm_before": True, "max_position_embeddings": 2048, "tie_word_embeddings": True,
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pair:
    """One predicted phase of one case, without correction, and its measured bytes."""

    architecture: str
    what: str
    work: Work
    measured: int

    def predicted(self, correction: Correction) -> int:
        return predict(ARCHITECTURES[self.architecture], self.work, correction).predicted_bytes


def cases(steps: int, threads: int) -> list[Case]:
    """All cases: inference, LoRA of three ranks and full tuning, on the same short rows."""
    rows = tuple(
        Row(
            f"오늘 하루는 어땠는지 {n}번 질문으로 물어볼게요.", f"네, {n}번 답변을 적어 보겠습니다."
        )
        for n in range(4 * steps)
    )
    contract = Contract(
        weights="random", epochs=1, max_new_tokens=24, samples=0, threads=threads,
        machine=machine.cpu_name(),
    )  # fmt: skip
    task = Task(rows, (), rows[:3])
    found = []
    settings_of_tunes: list[dict[str, object]] = [{"rank": rank} for rank in RANKS]
    settings_of_tunes.append({"tuning": "full", "learning_rate": 1e-5})
    for name, values in ARCHITECTURES.items():
        candidate = Candidate(name, License("none", "yes"), architecture=values)
        found.append(Case(candidate, "inference", contract, task))
        tuned = Task(rows)
        for settings in settings_of_tunes:
            found.append(Case(candidate, "fine-tune", contract, tuned, settings))
    return found


def measure(todo: Sequence[Case], raw: Path) -> None:
    """Run the cases that have no row yet."""
    engine = LocalEngine()
    done = {result.case for result in read_rows(raw, Result)}
    for case in todo:
        if case.id in done:
            continue
        result = engine.run(case).result
        append_rows(raw, [result])
        phase = workload_called(case.workload).main_phase
        print(case.id, result.status, result.message or "", result.peak_bytes(phase), flush=True)


def pairs_of(todo: Iterable[Case], raw: Path) -> list[Pair]:
    """What was measured, beside the work it was."""
    results = {result.case: result for result in read_rows(raw, Result)}
    found = []
    for case in todo:
        result = results.get(case.id)
        if result is None or not result.ok:
            continue
        for phase, work in works(case, result.figures).items():
            measured = result.peak_bytes(phase)
            if measured is not None and (phase != "load" or case.workload == "inference"):
                what = {"load": "load", "inference": "inference", "full": "full"}.get(
                    work.kind, f"LoRA {work.rank}"
                )
                found.append(Pair(case.candidate.name, what, work, measured))
    return found


def correction_of(pairs: Sequence[Pair], without: str | None = None) -> Correction:
    """Fitted to all pairs, or to those of the other architectures."""
    return fitted(
        [
            (predict(ARCHITECTURES[pair.architecture], pair.work), pair.measured)
            for pair in pairs
            if pair.architecture != without
        ]
    )


def errors(pairs: Sequence[Pair]) -> dict[tuple[str, str], tuple[int, float, float]]:
    """(predicted, error %, uncorrected error %) by architecture and work, each held out."""
    found = {}
    for name in dict.fromkeys(pair.architecture for pair in pairs):
        correction = correction_of(pairs, without=name)
        for pair in pairs:
            if pair.architecture == name:
                predicted = pair.predicted(correction)
                plain = pair.predicted(Correction())
                found[name, pair.what] = (
                    predicted,
                    100 * (predicted / pair.measured - 1),
                    100 * (plain / pair.measured - 1),
                )
    return found


def table(pairs: Sequence[Pair], facts: dict[str, object]) -> str:
    """The table of docs/fit.md, in Markdown."""
    found = errors(pairs)
    sizes = [abs(error) for _, error, _ in found.values()]
    everything = correction_of(pairs)
    lines = [
        f"Measured on: {facts.get('name')}, {facts.get('cores')} cores, CPU, fp32. "
        f"Median error {median(sizes):.1f} %, worst {max(sizes):.1f} % "
        f"({len(sizes)} figures; each architecture predicted with a correction fitted on the "
        f"other four).",
        "",
        f"The correction fitted on all five: {everything.overhead_bytes / 2**20:.0f} MiB for the "
        f"process, and {everything.scratch_factor:.2f} times the activations and logits.",
        "",
        "| architecture | work | predicted (MiB) | measured (MiB) | error | without correction |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for pair in pairs:
        predicted, error, plain = found[pair.architecture, pair.what]
        lines.append(
            f"| {pair.architecture} | {pair.what} | {predicted / 2**20:,.0f} | "
            f"{pair.measured / 2**20:,.0f} | {error:+.1f} % | {plain:+.1f} % |"
        )
    return "\n".join(lines)


#: Published on a Colab T4, in MB still allocated after the run: rank 16, 32, 64 and answering.
PUBLISHED = {
    "gemma-2-2b-it": (5249, 5553, 5969, 4987),
    "koquality-polyglot-1.3b": (2593, 2629, 2715, 2541),
    "gemma-ko-v01": (5021, 5246, 5694, 4780),
    "polyglot-ko-1.3b": (2593, 2629, 2715, 2541),
    "llama1B": (2503, 2632, 2894, 2358),
    "KoAlpaca-KoRWKV-1.5B": (3083, 3245, 3572, 2905),
    "FinguAI-Chat-v1": (1009, 1096, 1269, 906),
}


def published_table() -> str:
    """Predictions beside the published figures of the seven, in Markdown."""
    lines = [
        "| candidate | r16 | r32 | r64 | answering | published r16 / r32 / r64 / answering |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, published in PUBLISHED.items():
        values = Registry().candidate(name).architecture
        tuned = Work(kind="lora", batch=4, length=64, kept=32)
        asked = [replace(tuned, rank=rank) for rank in RANKS]
        asked.append(Work(kind="inference", length=80, new_tokens=40))
        figures = [f"{predict(values, work).predicted_bytes / 2**20:,.0f}" for work in asked]
        given = " / ".join(f"{figure:,}" for figure in published)
        lines.append(f"| {name} | {' | '.join(figures)} | {given} |")
    return "\n".join(lines)


def write_table(text: str, page: Path, name: str) -> None:
    """Put a table between its marks in a page."""
    begin, end = f"<!-- {name}: generated -->", f"<!-- {name}: end -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def write_correction(pairs: Sequence[Pair], facts: dict[str, object]) -> None:
    """Keep what was fitted as the default for machines that have measured nothing."""
    found = correction_of(pairs)
    row = {
        "machine": facts.get("name"),
        "cases": found.cases,
        "overhead_bytes": found.overhead_bytes,
        "scratch_factor": round(found.scratch_factor, 3),
    }
    path = ROOT / "model_registry" / "memory" / "correction.json"
    path.write_text(json.dumps({"cpu": row}, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Measure, and write the table and the correction."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--raw", type=Path, default=RAW)
    parser.add_argument("--table", action="store_true", help="write the table only")
    options = parser.parse_args()
    todo = cases(options.steps, options.threads)
    if not options.table:
        measure(todo, options.raw)
    pairs = pairs_of(todo, options.raw)
    facts = next((r.machine for r in read_rows(options.raw, Result) if r.machine), {})
    write_correction(pairs, facts)
    text = table(pairs, facts)
    write_table(text, PAGE, "accuracy")
    write_table(published_table(), PAGE, "published")
    print(text)


if __name__ == "__main__":
    main()
