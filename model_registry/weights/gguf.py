"""Converts an exported model to GGUF with llama.cpp's converter, if installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from model_registry.errors import OhloraError
from model_registry.files.output import check_file

SCRIPT = "convert_hf_to_gguf.py"
FOLDER = "LLAMA_CPP_DIR"  # environment variable: a checkout of llama.cpp


def find_converter() -> list[str]:
    """The command that converts.

    Raises:
        OhloraError: it is not installed, with what to do.
    """
    folder = os.environ.get(FOLDER)
    if folder and (script := Path(folder).expanduser() / SCRIPT).is_file():
        return [sys.executable, str(script)]
    for name in (SCRIPT, "convert-hf-to-gguf"):
        if (found := shutil.which(name)) is not None:
            return [found]
    raise OhloraError(
        f"--gguf needs llama.cpp's converter: clone https://github.com/ggml-org/llama.cpp, "
        f"`pip install gguf`, and set {FOLDER} to its folder (or put {SCRIPT} on the PATH).",
        f"--gguf에는 llama.cpp의 변환기가 필요합니다: https://github.com/ggml-org/llama.cpp를 "
        f"내려받고 `pip install gguf` 후 {FOLDER}에 그 폴더를 지정하세요"
        f"({SCRIPT}를 PATH에 두어도 됩니다).",
    )


def convert(model: Path, out: Path) -> Path:
    """Write `out` from an exported model's folder, in the precision that the folder has.

    Raises:
        OhloraError: the converter is missing or failed; its last line is told. No half file stays.
    """
    check_file(out, "--gguf")
    beside = out.with_name(f".{out.name}.partial")
    command = [*find_converter(), str(model), "--outfile", str(beside), "--outtype", "auto"]
    # The converter that the user installed; the paths are arguments, no shell.
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode or not beside.exists():
        beside.unlink(missing_ok=True)
        lines = (done.stderr or done.stdout).strip().splitlines() or ["?"]
        raise OhloraError(
            f"llama.cpp's converter failed: {lines[-1]}. The model is in {model}.",
            f"llama.cpp 변환기가 실패했습니다: {lines[-1]}. 모델은 {model}에 있습니다.",
        )
    beside.replace(out)
    return out
