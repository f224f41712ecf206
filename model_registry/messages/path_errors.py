"""Explains a path that was named as a model and is none, and what to do instead."""

from __future__ import annotations

from pathlib import Path

from model_registry.errors import LoadError, NoSuchFolder
from model_registry.files.small_json import read_json_object
from model_registry.weights.folder_check import ADAPTER, is_model

_ROWS = (".jsonl", ".csv", ".tsv", ".parquet", ".arrow")


def existing_path(name: str) -> Path | None:
    """The path that a name is, `~` read as the home folder; None where nothing is there."""
    try:
        path = Path(name).expanduser()
        return path if path.exists() else None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL in it, nobody's home
        return None


def names_a_path(name: str) -> bool:
    """Whether a name can only be meant as a path: candidates and hub ids bear no such names."""
    return name.startswith((".", "/", "~")) or name.count("/") > 1 or name.endswith("/")


def nothing_there(name: str) -> NoSuchFolder:
    """The error for a path where nothing is; a folder beside it that is called alike is named."""
    try:
        parent = Path(name).expanduser().parent
        beside = [path.name for path in parent.iterdir() if path.is_dir()]
    except (OSError, ValueError, RuntimeError):
        beside = []
    return NoSuchFolder(name, beside)


def not_a_model(path: Path) -> LoadError:
    """The error for a path that exists and is no model, with the cure."""
    try:
        english, korean = _folder_words(path) if path.is_dir() else _file_words(path)
    except OSError as error:
        english, korean = f"it can't be read ({error.strerror}).", "읽을 수 없습니다."
    return LoadError(
        "error", f"{path} is no model: {english}", f"{path}: 모델이 아닙니다. {korean}"
    )


_WHAT_A_MODEL_IS = (
    "A model is a folder with config.json, a tokenizer and safetensors.",
    "모델은 config.json, 토크나이저, safetensors가 있는 폴더입니다.",
)
_GGUF = (
    "GGUF is for llama.cpp. Serve it there and ask the server (docs/serving.md), or name the "
    "folder of safetensors that it was made from.",
    "GGUF는 llama.cpp용입니다. llama.cpp로 서빙해서 묻거나(docs/serving.md) 원본 safetensors "
    "폴더를 지정하세요.",
)


def _file_words(path: Path) -> tuple[str, str]:
    """What a file is, in English and Korean."""
    if path.name.endswith(".gguf"):
        return _GGUF
    if path.name.endswith((".safetensors", ".json")) and is_model(path.parent):
        return (
            f"it is one file of a model. Name its folder: {path.parent}",
            f"모델의 파일 하나입니다. 폴더를 지정하세요: {path.parent}",
        )
    if path.name.endswith(_ROWS):
        return "it is a file of rows, for --data.", "데이터 파일입니다. --data로 지정하세요."
    if path.name.endswith((".bin", ".pt", ".pth", ".ckpt", ".pkl")):
        return (
            "such a file can hold code and stays shut. Only folders with safetensors are read.",
            "이런 파일은 코드를 담을 수 있어 열지 않습니다. safetensors 폴더만 읽습니다.",
        )
    if not path.is_file():
        return "it is no regular file but a pipe or a device.", "일반 파일이 아닙니다."
    return f"it is a file. {_WHAT_A_MODEL_IS[0]}", f"파일입니다. {_WHAT_A_MODEL_IS[1]}"


def _folder_words(folder: Path) -> tuple[str, str]:
    """What a folder holds, in English and Korean."""
    names = {path.name for path in folder.iterdir()}
    if not names:
        return "the folder is empty.", "빈 폴더입니다."
    if ADAPTER in names:
        return _adapter_words(folder)
    if "training_state.safetensors" in names:
        return (
            "it holds a tune that is not finished. The same `ohlora tune` command goes on.",
            "끝나지 않은 튜닝이 있습니다. 같은 `ohlora tune` 명령으로 이어서 실행하세요.",
        )
    if {"run.json", "results.jsonl"} & names:
        return (
            "it holds a run. `ohlora report` and `ohlora decide` read it.",
            "실행 결과 폴더입니다. `ohlora report`와 `ohlora decide`로 읽습니다.",
        )
    if any(name.endswith(".gguf") for name in names):
        return _GGUF
    inner = next((n for n in sorted(names) if is_model(folder / n)), None)
    if inner is not None:
        return (
            f"a model is in the folder {inner} in it: name {folder / inner}",
            f"모델은 그 안의 {inner} 폴더에 있습니다. 이 경로를 지정하세요: {folder / inner}",
        )
    if any(name.endswith(".safetensors") for name in names):
        return (
            "it has weights, but no config.json. Copy it from the model that they belong to.",
            "가중치는 있지만 config.json이 없습니다. 원본 모델에서 복사하세요.",
        )
    if any(name.endswith(_ROWS) for name in names):
        return "it holds rows, for --data.", "데이터 폴더입니다. --data로 지정하세요."
    return (
        f"it has no config.json. {_WHAT_A_MODEL_IS[0]}",
        f"config.json이 없습니다. {_WHAT_A_MODEL_IS[1]}",
    )


def _adapter_words(folder: Path) -> tuple[str, str]:
    """An adapter's configuration without its weights; whole ones can be named."""
    try:
        said = read_json_object(folder / ADAPTER, most_bytes=8 << 20)
        base = str(said.get("base_model_name_or_path") or "")[:100]
    except LoadError:
        base = ""
    whose = f" of {base}" if base else ""
    return (
        f"it holds only an adapter{whose}, without its weights (adapter_model.safetensors).",
        f"어댑터만 있고({base or '베이스 모델 불명'}) 가중치(adapter_model.safetensors)가 "
        "없습니다.",
    )
