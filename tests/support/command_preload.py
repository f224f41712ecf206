"""What a test's server imports so that commands forked from it begin at once."""

from __future__ import annotations

import gc
import importlib

for name in (
    "torch",  # a command looks at how long its rows are for each tokenizer
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.tokenization_utils_tokenizers",
    "transformers.models.llama.modeling_llama",
    "model_registry.bundled.tokenizer",
    "model_registry.weights.adapter",
    "benchmarks.engines.local",
    "benchmarks.study.plan",
    "benchmarks.run.progress_table",
    "benchmarks.run.runner",
    "benchmarks.study.study_files",
    "ohlora_cli",
    "tests.support.light_work",
    "tests.benchmarks.run.test_many_faults",
):
    importlib.import_module(name)

gc.freeze()


def touched_cuda() -> bool:
    """No: commands don't compute."""
    return False
