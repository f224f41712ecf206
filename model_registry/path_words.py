"""What a path is that was named as a model and is none, and what to do with it instead."""

from __future__ import annotations

from pathlib import Path

from model_registry.errors import LoadError
from model_registry.folder_check import ADAPTER, is_model
from model_registry.small_json import read_json_object

_ROWS = (".jsonl", ".csv", ".tsv", ".parquet", ".arrow")


def existing_path(name: str) -> Path | None:
    """The path that a name is, `~` read as the home folder; None where nothing is there."""
    try:
        path = Path(name).expanduser()
        return path if path.exists() else None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL in it, nobody's home
        return None


def not_a_model(path: Path) -> LoadError:
    """The error for a path that exists and is no model, with the cure."""
    return LoadError("error", f"{path} is no model: {_what_it_is(path)}")


def _what_it_is(path: Path) -> str:
    try:
        return _folder_words(path) if path.is_dir() else _file_words(path)
    except OSError as error:
        return f"it can't be read ({error.strerror})."


def _file_words(path: Path) -> str:
    if path.name.endswith(".gguf"):
        return (
            "a GGUF file is for llama.cpp. Serve it there and ask the server (docs/serving.md), or "
            "name the folder of safetensors that it was made from."
        )
    if path.name.endswith((".safetensors", ".json")) and is_model(path.parent):
        return f"it is one file of a model. Name its folder: {path.parent}"
    if path.name.endswith(_ROWS):
        return "it is a file of rows, for --data."
    if path.name.endswith((".bin", ".pt", ".pth", ".ckpt", ".pkl")):
        return "such a file can hold code and stays shut. Only folders with safetensors are read."
    if not path.is_file():
        return "it is no regular file but a pipe or a device."
    return "it is a file. A model is a folder with config.json, a tokenizer and safetensors."


def _folder_words(folder: Path) -> str:
    names = {path.name for path in folder.iterdir()}
    if not names:
        return "the folder is empty."
    if ADAPTER in names:
        return _adapter_words(folder)
    if "training_state.safetensors" in names:
        return "it holds a tune that is not finished. The same `ohlora tune` command goes on."
    if {"run.json", "results.jsonl"} & names:
        return "it holds a run. `ohlora report` and `ohlora decide` read it."
    if any(name.endswith(".gguf") for name in names):
        return (
            "it holds GGUF files, which are for llama.cpp. Serve them there and ask the server "
            "(docs/serving.md)."
        )
    inner = next((n for n in sorted(names) if is_model(folder / n)), None)
    if inner is not None:
        return f"a model is in the folder {inner} in it: name {folder / inner}"
    if any(name.endswith(".safetensors") for name in names):
        return "it has weights, but no config.json. Copy it from the model that they belong to."
    if any(name.endswith(_ROWS) for name in names):
        return "it holds rows, for --data."
    return "it has no config.json. A model is a folder with config.json, tokenizer and safetensors."


def _adapter_words(folder: Path) -> str:
    """An adapter that `ohlora tune` did not make: it does not say how its base is asked."""
    try:
        said = read_json_object(folder / ADAPTER, most_bytes=8 << 20)
        base = str(said.get("base_model_name_or_path") or "")[:100]
    except LoadError:
        base = ""
    whose = f" of {base}" if base else ""
    return (
        f"it holds only an adapter{whose}. Merge it into its base with peft's merge_and_unload and "
        "name the merged folder; adapters that `ohlora tune` made can be named as they are."
    )
