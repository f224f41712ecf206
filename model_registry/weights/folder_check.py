"""Checks a model's folder before transformers opens it.

A folder may come from anybody. Checked here, by reading small files and headers only: nothing waits
(a pipe in place of a file), nothing of a publisher's runs, nothing absurd is built, and whatever is
broken is one line that names the file.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from model_registry.architectures.architecture_limits import check_values, parameters_at_least
from model_registry.errors import LoadError, system_reasons
from model_registry.files.small_json import read_json_object
from model_registry.weights.weight_files import Tensor, is_lfs_pointer, read_tensors, read_weights

#: The most bytes of a file by how its name ends; the first that fits counts.
_MOST_BYTES = (
    ("tokenizer.json", 256 << 20), ("vocab.json", 64 << 20), ("added_tokens.json", 16 << 20),
    ("tokenizer_config.json", 64 << 20), (".index.json", 128 << 20), ("config.json", 8 << 20),
    ("special_tokens_map.json", 8 << 20), ("chat_template.json", 8 << 20),
    (".jinja", 1 << 20), (".model", 256 << 20), ("merges.txt", 64 << 20), ("vocab.txt", 64 << 20),
    (".tiktoken", 64 << 20),
)  # fmt: skip
#: What transformers may open; anything else in the folder is not ours to judge.
_READ = (".json", ".jinja", ".safetensors", ".model", ".txt", ".tiktoken")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model",
               "vocab.json", "vocab.txt", "tekken.json", "tiktoken.model")  # fmt: skip
#: What must be files; a folder of another name may end in ".model" as well.
_FILES = frozenset({"config.json", "generation_config.json", "tokenizer_config.json",
                    "chat_template.jinja", "model.safetensors", *_TOKENIZERS})  # fmt: skip
_MOST_ENTRIES = 20_000
ADAPTER = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"


def is_model(folder: Path) -> bool:
    """Whether a whole model is meant to be here, broken or not."""
    try:
        return (folder / "config.json").exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


#: What config.json says beside the architecture: not handed on when one is built from its values.
_NO_ARCHITECTURE = frozenset({"architectures", "auto_map", "quantization_config", "dtype",
                              "torch_dtype", "transformers_version", "_name_or_path"})  # fmt: skip


def read_architecture(folder: Path) -> dict[str, object]:
    """The values of a folder's architecture, as a catalog would hold them.

    Raises:
        LoadError: config.json can't be read, or holds what no model has.
    """
    path = folder / "config.json"
    return architecture_of(read_json_object(path, most_bytes=8 << 20), str(path))


def architecture_of(values: Mapping[str, object], whose: str) -> dict[str, object]:
    """What of a config.json's values describes the architecture.

    Raises:
        LoadError: they hold what no model has.
    """
    check_values(values, whose)
    return {key: value for key, value in values.items() if key not in _NO_ARCHITECTURE}


def check_folder(folder: Path, *, weights: bool = True) -> Mapping[str, object]:
    """Refuse a model's folder that can't be loaded, or should not be.

    Args:
        folder: with config.json, tokenizer and, as a rule, weights.
        weights: False where they are not fetched yet.

    Returns:
        The values of config.json.

    Raises:
        LoadError: "needs_remote_code", or "error" with one line that names the file and the cure.
    """
    check_files(folder)
    config: dict[str, object] = {}
    for path in _configurations(folder):
        values = read_json_object(path, most_bytes=8 << 20)
        check_values(values, str(path))
        _check_code(values, path)
        config = values if path.name == "config.json" else config
    _check_quantization(config, folder)
    if (folder / ADAPTER).exists():
        raise LoadError.of("model_and_adapter", folder=folder, adapter=ADAPTER)
    if not any((folder / name).exists() for name in _TOKENIZERS):
        raise LoadError.of("no_tokenizer", folder=folder)
    if weights:
        _check_size(config, read_weights(folder), folder)
    return config


def _configurations(folder: Path) -> list[Path]:
    """config.json and those for other versions of transformers, which may be taken instead."""
    return sorted(folder.glob("config*.json"))


def check_files(folder: Path) -> None:
    """Refuse what would be waited for or read without end: pipes, devices, giant texts.

    Raises:
        LoadError: naming the file.
    """
    for number, path in enumerate(_files(folder)):
        if number > _MOST_ENTRIES:
            raise LoadError.of("too_many_files", folder=folder, most_entries=_MOST_ENTRIES)
        try:
            found = path.stat()
        except OSError as error:  # a link to nowhere, or round in a circle
            raise LoadError.of("unreadable", path=path, **system_reasons(error)) from error
        if stat.S_ISDIR(found.st_mode):
            if path.name not in _FILES:
                continue
            raise LoadError.of("folder_in_place_of_file", path=path)
        if not stat.S_ISREG(found.st_mode):
            raise LoadError.of("no_regular_file", path=path)
        _check_file(path, found.st_size)


def _check_file(path: Path, size: int) -> None:
    most = next((most for end, most in _MOST_BYTES if path.name.endswith(end)), None)
    if most is not None and size > most:
        raise LoadError.of("file_too_large", path=path, size=size, most=most)
    try:
        pointer = size < 1024 and is_lfs_pointer(path)
    except OSError as error:
        raise LoadError.of("unreadable", path=path, **system_reasons(error)) from error
    if pointer:
        raise LoadError.of("lfs_pointer", path=path)


def _files(folder: Path) -> Iterator[Path]:
    """The files that transformers may open: those of the folder, and its further templates."""
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise LoadError.of("folder_unreadable", folder=folder, **system_reasons(error)) from error
    for path in entries:
        if path.name.endswith(_READ):
            yield path
        elif path.name == "additional_chat_templates" and path.is_dir():
            yield from (inner for inner in path.iterdir() if inner.name.endswith(_READ))


def check_adapter(folder: Path) -> None:
    """Refuse an adapter's folder that can't be loaded, or should not be.

    An adapter may name modules that peft imports (`megatron_core`, `auto_mapping`): ours name none.

    Raises:
        LoadError: naming the file.
    """
    check_files(folder)
    path = folder / ADAPTER
    said = read_json_object(path, most_bytes=8 << 20)
    if said.get("peft_type") != "LORA":
        raise LoadError.of("not_lora", path=path, kind=said.get("peft_type"))
    if said.get("megatron_config"):
        raise LoadError.of("adapter_imports_module", path=path)
    rank = said.get("r")
    if type(rank) is not int or not 1 <= rank <= 1 << 16:
        raise LoadError.of("adapter_rank_invalid", path=path, rank=rank)
    tensors = read_tensors(folder / ADAPTER_WEIGHTS)
    largest = max((max(tensor.shape, default=0) for tensor in tensors.values()), default=0)
    if rank > largest:
        raise LoadError.of("adapter_rank_differs", path=path, rank=rank)


def _check_code(values: Mapping[str, object], path: Path) -> None:
    """Refuse a model that runs only with code of its publisher; what transformers knows may stay.

    A folder may name such code (`auto_map`) beside an architecture that transformers has itself:
    that is loaded, and the folder's code is left alone.
    """
    named = values.get("auto_map")
    if not named:
        return
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    if values.get("model_type") not in CONFIG_MAPPING_NAMES:
        raise needs_code(path.parent.name, f"auto_map in {path.name}")


def needs_code(name: str, why: str) -> LoadError:
    """The refusal of a model that only its publisher's own code can load."""
    return LoadError.of("needs_code", name=name, why=why)


def _check_quantization(config: Mapping[str, object], folder: Path) -> None:
    said = config.get("quantization_config")
    if said is not None and not isinstance(said, dict):
        raise LoadError.of("quantization_config_no_table", path=folder / "config.json")


def _check_size(config: Mapping[str, object], tensors: Mapping[str, Tensor], folder: Path) -> None:
    """Refuse a configuration of a far larger model than the weights are: the rest would be noise.

    quantised weights hold up to eight numbers in one, hence the wide margin.
    """
    described = parameters_at_least(config)
    elements = sum(tensor.elements for tensor in tensors.values())
    layers = config.get("num_hidden_layers")
    if described > 16 * elements + (64 << 20):
        raise LoadError.of(
            "config_of_larger_model", folder=folder, described=described, elements=elements
        )
    if isinstance(layers, int) and layers > len(tensors):
        raise LoadError.of(
            "more_layers_than_tensors", folder=folder, layers=layers, tensors=len(tensors)
        )
