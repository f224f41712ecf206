"""Checks safetensors files by their headers before loading.

Only headers are read. A pointer that Git LFS left, a file that is cut short, a missing shard and an
index that points out of its folder are each one line here; transformers would end in a
traceback, or load a part and fill the rest with noise.
"""

from __future__ import annotations

import math
import re
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
class Headers:
    """What the headers of a model's weights say: how many tensors, and numbers in them."""

    tensors: int
    elements: int


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
        raise LoadError(
            "error",
            f"{folder} has no safetensors weights ({WEIGHTS}); other kinds can hold code and "
            "stay shut.",
            f"{folder}에 safetensors 가중치({WEIGHTS})가 없습니다. 다른 형식은 코드를 담을 수 있어 "
            "열지 않습니다.",
        )
    index = folder / INDEX
    weight_map = read_json_object(index, most_bytes=128 << 20).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise LoadError(
            "error",
            f"{index} has no weight_map: download it again.",
            f"{index}에 weight_map이 없습니다. 다시 내려받으세요.",
        )
    wanted: dict[str, list[str]] = {}
    for tensor, name in weight_map.items():
        if not isinstance(name, str) or not _FILE.fullmatch(name):
            raise LoadError(
                "error",
                f"{index} points out of its folder: {str(name)[:80]!r}.",
                f"{index} 파일이 폴더 밖을 가리킵니다: {str(name)[:80]!r}.",
            )
        wanted.setdefault(name, []).append(tensor)
    if len(wanted) > MOST_SHARDS:
        raise LoadError(
            "error",
            f"{index} names {len(wanted)} files. Is it broken?",
            f"{index}에 파일 {len(wanted)}개가 적혀 있습니다. 파일이 손상되었는지 확인하세요.",
        )
    return wanted


def check_weights(folder: Path) -> Headers:
    """Read the headers of all weight files of a model's folder.

    Raises:
        LoadError: one is missing, broken, cut short or a pointer; the message names it.
    """
    tensors = elements = 0
    wanted = shard_names(folder)
    missing = [name for name in wanted if not (folder / name).exists()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise LoadError(
            "error",
            f"{folder} lacks {missing[0]}{more}: download it again.",
            f"{folder}에 {missing[0]} 등 파일 {len(missing)}개가 없습니다. 다시 내려받으세요.",
        )
    for name, names in wanted.items():
        shapes = tensor_shapes(folder / name)
        lacking = next((tensor for tensor in names if tensor not in shapes), None)
        if lacking is not None:
            raise LoadError(
                "error",
                f"{folder / name} lacks the tensor {lacking[:80]}.",
                f"{folder / name}에 텐서 {lacking[:80]}이(가) 없습니다.",
            )
        tensors += len(shapes)
        elements += sum(math.prod(shape) for shape in shapes.values())
    return Headers(tensors, elements)


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of a safetensors file's tensors, from its header alone.

    Raises:
        LoadError: it is no whole safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    if is_lfs_pointer(path):
        raise LoadError(
            "error",
            f"{path} is a pointer that Git LFS left: `git lfs pull` fetches the weights.",
            f"{path} 파일은 Git LFS 포인터입니다. `git lfs pull`로 가중치를 받으세요.",
        )
    try:
        with safe_open(str(path), framework="numpy") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, OverflowError) as error:
        size = path.stat().st_size
        raise LoadError(
            "error",
            f"{path} ({size:,} bytes) is broken or cut short: download it again. "
            f"({str(error).splitlines()[0][:160]})",
            f"{path} 파일({size:,}바이트)이 손상되었거나 잘렸습니다. 다시 내려받으세요.",
        ) from error


_DTYPES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}


def stored_dtype(folder: Path) -> str | None:
    """The precision that most of a folder's weights are stored in, by torch's name."""
    from safetensors import SafetensorError, safe_open

    counts: dict[str, int] = {}
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(file, framework="pt") as opened:
                for name in opened.keys():  # noqa: SIM118 - it has no __iter__
                    tensor = opened.get_slice(name)
                    kind = tensor.get_dtype()
                    counts[kind] = counts.get(kind, 0) + math.prod(tensor.get_shape())
        except (OSError, SafetensorError):
            return None
    return _DTYPES.get(max(counts, key=counts.__getitem__)) if counts else None
