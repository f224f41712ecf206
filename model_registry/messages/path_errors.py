"""Explains a path that was named as a model and is none, and what to do instead."""

from __future__ import annotations

from pathlib import Path

from model_registry.errors import LoadError, NoSuchFolder, system_reasons
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
        return _no_model_folder(path) if path.is_dir() else _no_model_file(path)
    except OSError as error:
        return LoadError.of("path_unreadable", path=path, **system_reasons(error))


def _no_model_file(path: Path) -> LoadError:
    if path.name.endswith(".gguf"):
        return LoadError.of("path_is_gguf", path=path)
    if path.name.endswith((".safetensors", ".json")) and is_model(path.parent):
        return LoadError.of("path_is_file_of_model", path=path, folder=path.parent)
    if path.name.endswith(_ROWS):
        return LoadError.of("path_is_rows", path=path)
    if path.name.endswith((".bin", ".pt", ".pth", ".ckpt", ".pkl")):
        return LoadError.of("path_may_hold_code", path=path)
    if not path.is_file():
        return LoadError.of("path_is_no_regular_file", path=path)
    return LoadError.of("path_is_file", path=path)


def _no_model_folder(folder: Path) -> LoadError:
    names = {path.name for path in folder.iterdir()}
    if not names:
        return LoadError.of("folder_empty", path=folder)
    if ADAPTER in names:
        return _adapter_alone(folder)
    if "training_state.safetensors" in names:
        return LoadError.of("folder_holds_unfinished_tune", path=folder)
    if {"run.json", "results.jsonl"} & names:
        return LoadError.of("folder_holds_run", path=folder)
    if any(name.endswith(".gguf") for name in names):
        return LoadError.of("path_is_gguf", path=folder)
    inner = next((n for n in sorted(names) if is_model(folder / n)), None)
    if inner is not None:
        return LoadError.of("model_inside_folder", path=folder, inner=inner, there=folder / inner)
    if any(name.endswith(".safetensors") for name in names):
        return LoadError.of("folder_without_config", path=folder)
    if any(name.endswith(_ROWS) for name in names):
        return LoadError.of("folder_holds_rows", path=folder)
    return LoadError.of("folder_holds_no_model", path=folder)


def _adapter_alone(folder: Path) -> LoadError:
    """An adapter's configuration without its weights; whole ones can be named."""
    try:
        said = read_json_object(folder / ADAPTER, most_bytes=8 << 20)
        base = str(said.get("base_model_name_or_path") or "")[:100]
    except LoadError:
        base = ""
    if base:
        return LoadError.of("adapter_without_weights", path=folder, base=base)
    return LoadError.of("adapter_without_weights_or_base", path=folder)
