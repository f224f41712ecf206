"""Checks safetensors files by their headers before loading.

Only headers are read. A pointer that Git LFS left, a file that is cut short, a missing shard and an
index that points out of its folder are each one line here; transformers would end in a
traceback, or load a part and fill the rest with noise.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_registry.errors import LoadError
from model_registry.files.small_json import read_json_object

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
MOST_SHARDS = 4096

_FILE = re.compile(r"[\w.\- ]{1,200}\.safetensors")  # no separator: it stays in its folder
_LFS = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, slots=True)
class Tensor:
    """A stored tensor: its dtype in safetensors' words (BF16, F32, U8 …), and its shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


def is_lfs_pointer(path: Path) -> bool:
    """Whether Git LFS left a pointer here, in place of the file."""
    with path.open("rb") as file:
        return file.read(len(_LFS)) == _LFS


def shard_names(folder: Path) -> dict[str, list[str]]:
    """The weight files of a model's folder, each with the tensors that the index wants of it.

    Raises:
        LoadError: there are none, or the index is broken or points elsewhere.
    """
    if (folder / WEIGHTS).exists():
        return {WEIGHTS: []}
    if not (folder / INDEX).exists():
        raise LoadError.of("no_safetensors", folder=folder, weights=WEIGHTS)
    index = folder / INDEX
    weight_map = read_json_object(index, most_bytes=128 << 20).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise LoadError.of("index_without_map", index=index)
    wanted: dict[str, list[str]] = {}
    for tensor, name in weight_map.items():
        if not isinstance(name, str) or not _FILE.fullmatch(name):
            raise LoadError.of("index_points_outside", index=index, name=str(name)[:80])
        wanted.setdefault(name, []).append(tensor)
    if len(wanted) > MOST_SHARDS:
        raise LoadError.of("too_many_shards", index=index, count=len(wanted))
    return wanted


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The tensors of a model's folder, by the headers of all its weight files.

    Raises:
        LoadError: one is missing, broken, cut short or a pointer; the message names it.
    """
    found: dict[str, Tensor] = {}
    wanted = shard_names(folder)
    missing = [name for name in wanted if not (folder / name).exists()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise LoadError.of(
            "files_missing", folder=folder, first=missing[0], more=more, count=len(missing)
        )
    for name, names in wanted.items():
        tensors = read_tensors(folder / name)
        lacking = next((tensor for tensor in names if tensor not in tensors), None)
        if lacking is not None:
            raise LoadError.of("tensor_missing", path=folder / name, tensor=lacking[:80])
        found |= tensors
    return found


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, from its header alone.

    Raises:
        LoadError: it is no whole safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    if is_lfs_pointer(path):
        raise LoadError.of("lfs_pointer_weights", path=path)
    try:
        with safe_open(str(path), framework="numpy") as file:
            parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - no __iter__
            return {n: Tensor(str(p.get_dtype()), tuple(p.get_shape())) for n, p in parts.items()}
    except (SafetensorError, OSError, ValueError, OverflowError) as error:
        size = path.stat().st_size
        raise LoadError.of(
            "weights_broken", path=path, size=size, reason=str(error).splitlines()[0][:160]
        ) from error


_DTYPES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}


def stored_dtype(folder: Path) -> str | None:
    """The precision that most of a folder's weights are stored in, by torch's name."""
    try:
        return _DTYPES.get(dtype_of_most(read_weights(folder)) or "")
    except LoadError:
        return None


def dtype_of_most(tensors: Mapping[str, Tensor]) -> str | None:
    """The dtype that most of the numbers in these tensors are stored in."""
    counts = Counter[str]()
    for tensor in tensors.values():
        counts[tensor.dtype] += tensor.elements
    return counts.most_common(1)[0][0] if counts else None
