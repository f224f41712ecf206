"""Reads a pretrained model and tokenizer from a folder or the hub, checked first.

Code in a folder is never run, whatever its files say, and nobody is asked whether it should be.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_registry import cuda
from model_registry.architectures.cures import cure_for, cure_of
from model_registry.architectures.model_config import check_config, config_of_file
from model_registry.candidate import Candidate
from model_registry.errors import LoadError, OhloraError, first_line
from model_registry.files.json_values import JsonDict
from model_registry.files.small_json import read_json_object
from model_registry.hub import fetch
from model_registry.messages.path_errors import existing_path, not_a_model
from model_registry.prompting.token_check import check_tokens
from model_registry.prompting.tokenization import end_token_id, resolved_policy
from model_registry.weights.folder_check import check_folder, is_model, needs_code
from model_registry.weights.quantization import load_quantized, quantization_of_folder, weight_bytes

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def own_folder(where: str, source: str) -> Path:
    """The folder that a candidate brings its weights in.

    Raises:
        LoadError: "unreachable", where no model is in it.
    """
    folder = Path(where)
    if is_model(folder):
        return folder
    if source != "bundled" and (there := existing_path(where)) is not None:
        known = not_a_model(there)
        raise LoadError("unreachable", f"{known} Is the path right?", known.korean)
    cure, cure_ko = "Is the path right?", "경로를 확인하세요."
    if source == "bundled":
        cure, cure_ko = "Make it with `make bundled`.", "`make bundled`로 만드세요."
    raise LoadError(
        "unreachable", f"No model in {where}. {cure}", f"{where}에 모델이 없습니다. {cure_ko}"
    )


def read_pretrained(
    candidate: Candidate, folder: Path | None, device: str, dtype: torch.dtype
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model and the tokenizer of a folder; of the hub's repository, where there is none.

    Raises:
        LoadError: with the status of the case. Running out of memory stays what it is.
        BadTemplate: the chat template can't be used.
        BadTrainingRow: the tokenizer has no end token.
    """
    try:
        if folder is None:
            folder = fetch(candidate)
        config = check_folder(folder)
        check_config(config, candidate.name, candidate.cure)
        tokenizer = _tokenizer(candidate, folder)
        check_tokens(candidate, tokenizer, config)
        # Whether its template can be used at all is known before minutes of reading weights.
        end_token_id(resolved_policy(candidate.prompting, tokenizer), tokenizer)
        return _model(folder, device, dtype, candidate.cure), tokenizer
    except OhloraError:
        raise
    except Exception as error:
        if _out_of_memory(error):
            raise
        raise load_error(candidate, error) or _unknown_failure(candidate, error) from error


def read_tokenizer(candidate: Candidate, folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder, which needs no weights.

    Raises:
        LoadError: with the status of the case.
    """
    check_folder(folder, weights=False)
    return _tokenizer(candidate, folder)


def _tokenizer(candidate: Candidate, folder: Path) -> PreTrainedTokenizerBase:
    """The folder's tokenizer.

    Raises:
        LoadError: "needs_remote_code", or "error" where its files are broken.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            str(folder),
            trust_remote_code=False,
            **_config_for(folder, candidate.cure, any_cure=True),
        )
    except Exception as error:
        known = load_error(candidate, error)
        if known is not None and known.status == "needs_remote_code":
            raise needs_code(candidate.hub_id or candidate.name, "its tokenizer") from error
        raise LoadError.of(
            "tokenizer_unreadable", folder=folder, reason=first_line(error)
        ) from error
    apart = folder / "chat_template.json"  # where models that see have theirs
    if not getattr(tokenizer, "chat_template", None) and apart.exists():
        said = read_json_object(apart, most_bytes=8 << 20).get("chat_template")
        tokenizer.chat_template = said if isinstance(said, str) else None
    return tokenizer


def _config_for(folder: Path, cure: str | None, *, any_cure: bool = False) -> JsonDict:
    """What to read a folder with beside its own files: the configuration that a cure makes.

    `any_cure` takes the one that is called for though nobody named it: a tokenizer reads the
    configuration, and writes the same tokens whatever it says.
    """
    if cure is None and not any_cure:
        return {}
    values = read_json_object(folder / "config.json", most_bytes=8 << 20)
    known = cure_for(values) if cure is None else cure_of(cure)
    return {"config": config_of_file(values, folder.name, known.name)} if known else {}


def _model(folder: Path, device: str, dtype: torch.dtype, cure: str | None) -> PreTrainedModel:
    """The folder's model, every weight of it from the folder.

    Raises:
        LoadError: weights are missing, which transformers would fill with noise.
    """
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()  # of loading and saving: they would mix into what is printed
    quantized = quantization_of_folder(folder)
    if quantized is not None:
        return load_quantized(folder, quantized, device, dtype)
    # With the second argument it is a pair: (model, what was loaded).
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        str(folder), dtype=dtype, use_safetensors=True, trust_remote_code=False,
        output_loading_info=True, **_config_for(folder, cure),
    )  # fmt: skip
    model: PreTrainedModel
    model, told = loaded
    missing = sorted(told["missing_keys"])
    if missing:
        raise LoadError.of(
            "weights_lack_tensors", folder=folder, count=len(missing), first=missing[0]
        )
    cuda.make_room(weight_bytes(model), device)
    model.to(device)  # type: ignore[arg-type]  # wrapped untyped
    return model


def _out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or "memory" in str(error).lower()


def _unknown_failure(candidate: Candidate, error: Exception) -> LoadError:
    whose = candidate.hub_id or candidate.path
    if "ignore_mismatched_sizes" in str(error):
        return LoadError.of("other_shapes", whose=whose)
    return LoadError.of("not_loadable", whose=whose, reason=first_line(error))


def load_error(candidate: Candidate, error: Exception) -> LoadError | None:
    """The LoadError that a library's exception means, None where it means nothing special."""
    # Imported where something went wrong: reading a folder needs no client of the hub. HTTPError is
    # that of whichever HTTP library this version of the client uses.
    from huggingface_hub.errors import (  # type: ignore[attr-defined]
        GatedRepoError,
        HTTPError,
    )

    message = str(error)
    if isinstance(error, GatedRepoError) or "gated repo" in message:
        return LoadError.of("gated", hub_id=candidate.hub_id)
    if "trust_remote_code" in message:
        return needs_code(candidate.hub_id or candidate.name, "auto_map")
    if "does not recognize this architecture" in message or "Unrecognized model" in message:
        return LoadError.of("architecture_unknown", name=candidate.name)
    if "safetensors" in message and isinstance(error, OSError):
        return LoadError.of("no_safetensors_of_candidate", name=candidate.name)
    if candidate.path is None and isinstance(error, OSError | HTTPError):
        return LoadError.of("not_fetched", whose=candidate.hub_id or candidate.path)
    return None
