"""GPTQ in 4 bit: quantised, loaded and saved by gptqmodel.

gptqmodel works from folder to folder, computes in half precision only (on a CPU bf16), prints a
great deal, keeps hundreds of MB after quantising and leaves a folder "logs" where it stands: it
quantises in a process and stands in a folder of its own here.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from multiprocessing.util import Finalize
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from model_registry.errors import LoadError, OhloraError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_FOLDER = "_gptq_folder"  # the folder that a model was loaded from stays with it
_TEXTS = "calibration.json"


def quantize_gptq(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    calibration: Sequence[str],
    device: str,
) -> PreTrainedModel:
    """The model in 4 bit, loaded anew.

    Args:
        model: a plain model; it is not needed after.
        tokenizer: reads the calibration texts, and is written beside the model.
        calibration: texts that the rounding is measured on.
        device: where it is quantised, layer by layer, and then loaded.

    Raises:
        LoadError: nothing to calibrate on.
    """
    if tokenizer is None or not calibration:
        raise LoadError.of("gptq_needs_texts")
    out = tempfile.TemporaryDirectory(prefix="ohlora-gptq-")  # lives as long as the model
    # A worker ends without Python's own clean-up.
    Finalize(out, shutil.rmtree, args=(out.name, True), exitpriority=1)
    with tempfile.TemporaryDirectory(prefix="ohlora-gptq-") as plain:
        model.save_pretrained(plain)
        tokenizer.save_pretrained(plain)
        texts = json.dumps(list(calibration), ensure_ascii=False)
        Path(plain, _TEXTS).write_text(texts, encoding="utf-8")
        _quantize_apart(plain, out.name, device)
    tokenizer.save_pretrained(out.name)
    quantized = load_gptq(Path(out.name), device)
    vars(quantized)[_FOLDER] = out
    quantized.generation_config = model.generation_config  # gptqmodel puts its own in
    return quantized


def _quantize_apart(plain: str, out: str, device: str) -> None:
    """Quantise from folder to folder in a process of its own, whose memory ends with it.

    Raises:
        RuntimeError: it failed; with the last line of what it said.
    """
    import torch

    root = Path(__file__).resolve().parents[2]
    paths = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    done = subprocess.run(  # noqa: S603 - our own module; the paths are arguments, no shell
        [sys.executable, "-m", "model_registry.weights.gptq", plain, out, device],
        cwd=plain,
        env=os.environ | threads | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise RuntimeError(said[-1] if said else f"it ended with {done.returncode}")


def main(plain: str, out: str, device: str) -> None:
    """What that process does."""
    _die_with_parent()
    texts = json.loads(Path(plain, _TEXTS).read_text(encoding="utf-8"))
    with _apart() as gptqmodel:
        config = gptqmodel.QuantizeConfig(
            bits=4,
            group_size=group_size(Path(plain)),
            offload_to_disk=False,
            pack_impl="original",  # the others are compiled first
        )
        work = gptqmodel.GPTQModel.load(plain, config, device=device, trust_remote_code=False)
        # The least length is 10 otherwise, and short rows are dropped with a warning.
        work.quantize(texts, batch_size=1, calibration_data_min_length=1)
        work.save(out)


def _die_with_parent() -> None:
    """A case that is killed for its time or memory leaves nobody at work."""
    pr_set_pdeathsig = 1
    with contextlib.suppress(OSError, AttributeError):  # not Linux
        ctypes.CDLL("libc.so.6").prctl(pr_set_pdeathsig, signal.SIGKILL)


def load_gptq(folder: Path, device: str) -> PreTrainedModel:
    """A GPTQ model from its folder, in bf16 on a CPU and in the folder's own dtype elsewhere."""
    folder = folder.resolve()
    with _apart() as gptqmodel:
        backend = gptqmodel.BACKEND.TORCH if _needs_plain_torch(folder, device) else "auto"
        model: PreTrainedModel = gptqmodel.GPTQModel.load(
            str(folder), device=device, backend=backend, trust_remote_code=False
        ).model
    vars(model)[_FOLDER] = folder
    return model


def _needs_plain_torch(folder: Path, device: str) -> bool:
    """Whether the kernel that gptqmodel would choose fails: torch's for the CPU takes no 16."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return device == "cpu" and config.get("quantization_config", {}).get("group_size") == 16


def forgo_fast_layout(model: PreTrainedModel) -> None:
    """Keep layers from repacking their weights at the first answer.

    Raises:
        OhloraError: they did so already, which can't be undone.
    """
    for layer in model.modules():
        if getattr(layer, "linear_mode", None) == "inference":
            raise OhloraError(
                "This GPTQ model has answered: its layers have no gradient any more. Load it "
                "again.",
                "이 GPTQ 모델은 이미 답변을 만들어 레이어에 기울기가 없습니다. 다시 불러오세요.",
            )
        if type(layer).__module__.startswith("gptqmodel") and hasattr(layer, "linear_mode"):
            layer.linear_mode = "train"  # type: ignore[assignment]  # as gptqmodel has it


def is_gptq(model: PreTrainedModel) -> bool:
    """Whether this module made the model."""
    return _FOLDER in vars(model)


def gptq_layers(model: PreTrainedModel) -> list[str]:
    """The names of the layers in 4 bit, without those of what they are in; none elsewhere."""
    found = (name for name, module in model.named_modules()
             if type(module).__module__.startswith("gptqmodel"))  # fmt: skip
    return sorted({name.rpartition(".")[2] for name in found})


def save_gptq(model: PreTrainedModel, out: Path) -> None:
    """Write such a model: the folder it was loaded from, copied.

    transformers would write the zero points as they lie in memory, one higher than the format has
    them, and the model would answer nonsense when loaded.
    """
    folder = vars(model)[_FOLDER]
    shutil.copytree(folder if isinstance(folder, Path) else folder.name, out, dirs_exist_ok=True)
    model.generation_config.save_pretrained(out)


def group_size(folder: Path) -> int:
    """128 where it divides the model's widths, else the largest smaller one that does."""
    values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    widths = [values[k] for k in ("hidden_size", "intermediate_size", "ffn_dim") if k in values]
    for size in (128, 64, 32, 16):
        if all(width % size == 0 for width in widths):
            return size
    return -1  # one group a row


def import_quietly() -> None:
    """Import gptqmodel, which takes seconds and 170 MB, without its banner."""
    with _apart():
        pass


class _Nowhere(io.TextIOBase):
    """Takes what is printed. It is never closed, unlike a file: loggers keep it for ever."""

    def write(self, words: str) -> int:
        return len(words)


@contextlib.contextmanager
def _apart() -> Iterator[ModuleType]:
    """gptqmodel, silent, with a working directory of its own; the loggers stay as they were."""
    # It wants at least two on a machine of two cores, where it would take one.
    os.environ.setdefault("GPTQMODEL_CPU_WORKERS", str(max(2, os.cpu_count() or 2)))
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    nowhere = _Nowhere()
    with (
        tempfile.TemporaryDirectory(prefix="ohlora-gptq-") as folder,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        try:
            import gptqmodel

            yield gptqmodel
        finally:
            root.setLevel(level)
            root.handlers[:] = handlers


if __name__ == "__main__":
    main(*sys.argv[1:])
