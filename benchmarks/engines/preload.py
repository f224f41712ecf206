"""What the fork server imports once for all cases: torch, transformers, peft, modelling code.

Importing must never touch CUDA: a forked child could not use it any more. `touched_cuda` is how
the server proves that this held; peft imports bitsandbytes, which asks which cards there are.
"""

from __future__ import annotations

import gc
import logging
import os
import warnings

from model_registry import cuda

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
# What peft imports where it is installed: these tell of kernels that nobody asked for.
for name in ("bitsandbytes", "torchao", "torch.utils._pytree"):
    logging.getLogger(name).setLevel(logging.ERROR)

with warnings.catch_warnings(action="ignore"), cuda.left_uninitialised():
    import peft  # noqa: F401
    import torch  # noqa: F401
    import transformers
    import transformers.models.auto.modeling_auto
    import transformers.models.gemma2.modeling_gemma2
    import transformers.models.gpt_neox.modeling_gpt_neox
    import transformers.models.llama.modeling_llama
    import transformers.models.qwen2.modeling_qwen2

    import benchmarks.run.worker
    import benchmarks.workloads.fine_tune
    import benchmarks.workloads.preference  # noqa: F401

# peft asks transformers by an old name; the user can do nothing about it.
warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

# Out of the collector's sight: each phase collects garbage first, and looking through all that
# the libraries made takes 0.25 s a time. It also leaves the pages shared with the fork server.
gc.collect()
gc.freeze()


def touched_cuda() -> bool:
    """Whether a process that is forked from this one can't use CUDA any more."""
    return cuda.is_initialised()
