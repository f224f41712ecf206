"""One way in for weights: from the hub, a folder, the bundled ones, or random at any size.

Remote code is never run and only safetensors are read. What can't be loaded is a LoadError with
the status that the case gets.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_registry import rwkv
from model_registry.architectures import architecture_values
from model_registry.candidate import Candidate
from model_registry.catalog import HERE
from model_registry.errors import LoadError
from model_registry.prompting import end_token_id
from model_registry.quantization import load_packed, packed_method

if TYPE_CHECKING:
    import torch

SOURCES = ("auto", "hub", "path", "bundled", "random")
BUNDLED = HERE / "bundled" / "weights"

#: The tokenizer that random weights answer with: their own would need a download.
STAND_IN_TOKENIZER = "bundled-llama-2.5m"


@dataclass(slots=True)
class LoadedModel:
    """A model ready to work, with what it takes to speak to it."""

    candidate: Candidate
    model: Any  # transformers.PreTrainedModel
    tokenizer: Any
    source: str  # hub, path, bundled or random: what it really is
    scale: str  # full or tiny
    end_ids: tuple[int, ...]  # tokens at which an answer ends


def network_is_up(host: str = "huggingface.co", seconds: float = 3.0) -> bool:
    """Whether the hub can be reached. HF_HUB_OFFLINE=1 answers without trying."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON"):
        return False
    try:
        socket.create_connection((host, 443), timeout=seconds).close()
    except OSError:
        return False
    return True


def resolve_source(source: str) -> str:
    """ "auto" as what it comes to here: hub where there is a network, else bundled."""
    if source != "auto":
        return source
    return "hub" if network_is_up() else "bundled"


def load(
    candidate: Candidate,
    *,
    source: str = "hub",
    scale: str = "full",
    device: str = "cpu",
    dtype: str = "float32",
    seed: int = 0,
) -> LoadedModel:
    """Load a candidate for answering (evaluation mode; gradients as they come).

    Args:
        candidate: whose weights.
        source: hub, path, bundled or random. A candidate that has a `path` always takes it,
            except for random.
        scale: "full", or "tiny" for random weights of the same architecture, shrunk.
        device: "cpu" or "cuda".
        dtype: a torch dtype's name.
        seed: of random weights.

    Raises:
        LoadError: with the status of the case.
    """
    import torch

    kind = getattr(torch, dtype)
    if source == "random":
        return _load_random(candidate, scale, device, kind, seed)
    if candidate.path is not None:
        kept = "bundled" if "bundled" in candidate.traits else "path"
        return _load_pretrained(candidate, candidate.path, kept, device, kind)
    if source == "bundled":
        raise LoadError(
            "error", f"{candidate.name} is not bundled: --weights bundled replaces the candidates."
        )
    if candidate.hub_id is None:
        raise LoadError("unreachable", f"{candidate.name} has neither a hub id nor a path.")
    if candidate.needs_remote_code:
        raise LoadError(
            "needs_remote_code",
            f"{candidate.hub_id} needs its publisher's own code, which is never run here.",
        )
    return _load_pretrained(candidate, candidate.hub_id, "hub", device, kind)


def _load_pretrained(
    candidate: Candidate, where: str, source: str, device: str, dtype: torch.dtype
) -> LoadedModel:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if source != "hub" and not Path(where, "config.json").exists():
        cure = "Make it with `make bundled`." if source == "bundled" else "Is the path right?"
        raise LoadError("unreachable", f"No model in {where}. {cure}")
    options = {"revision": candidate.revision} if source == "hub" and candidate.revision else {}
    packed = None if source == "hub" else packed_method(Path(where))
    try:
        tokenizer = AutoTokenizer.from_pretrained(where, **options)
        if packed is not None:
            model = load_packed(Path(where), packed, device, dtype)
        else:
            model = AutoModelForCausalLM.from_pretrained(
                where, dtype=dtype, use_safetensors=True, **options
            ).to(device)  # type: ignore[arg-type]
    except LoadError:
        raise
    except Exception as error:
        known = load_error(candidate, error)
        if known is None:
            raise
        raise known from error
    return _ready(candidate, model, tokenizer, source, "full")


def load_error(candidate: Candidate, error: Exception) -> LoadError | None:
    """The LoadError that a library's exception means, None where it means nothing special."""
    names = {kind.__name__ for kind in type(error).__mro__}
    message = str(error)
    if "GatedRepoError" in names or "gated repo" in message:
        return LoadError(
            "gated",
            f"{candidate.hub_id} is gated: accept its terms on its page, then `hf auth login`.",
        )
    if "trust_remote_code" in message:
        return LoadError(
            "needs_remote_code",
            f"{candidate.hub_id} needs its publisher's own code, which is never run here.",
        )
    if "does not recognize this architecture" in message or "Unrecognized model" in message:
        return LoadError(
            "unsupported_architecture",
            f"transformers does not know the architecture of {candidate.name}: upgrade it.",
        )
    if "safetensors" in message and "OSError" in names:
        return LoadError("error", f"{candidate.name} has no safetensors weights; others stay shut.")
    if names & {"OSError", "ConnectionError", "HTTPError", "LocalEntryNotFoundError"}:
        return LoadError(
            "unreachable",
            f"{candidate.hub_id or candidate.path} could not be fetched: is the network up? "
            "`--weights bundled` or `--weights random` need none.",
        )
    return None


def _ready(
    candidate: Candidate, model: Any, tokenizer: Any, source: str, scale: str
) -> LoadedModel:
    model.eval()
    rwkv.prepare(model)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    end_ids = {end_token_id(candidate.prompting, tokenizer)}
    configured = model.generation_config.eos_token_id
    end_ids.update([configured] if isinstance(configured, int) else configured or [])
    return LoadedModel(candidate, model, tokenizer, source, scale, tuple(sorted(end_ids)))


def build_config(values: Mapping[str, Any]) -> Any:
    """A transformers configuration from an architecture's values.

    Raises:
        LoadError: "unsupported_architecture" where transformers does not know the model type,
            "error" where the values can't be.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig

    rest = {key: value for key, value in values.items() if key != "model_type"}
    try:
        return AutoConfig.for_model(values["model_type"], **rest)
    except StrictDataclassError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise LoadError("error", f"An architecture can't have these values: {reason}") from error
    except ValueError as error:
        raise LoadError(
            "unsupported_architecture",
            f"transformers does not know the model type {values['model_type']}.",
        ) from error


def _load_random(
    candidate: Candidate, scale: str, device: str, dtype: torch.dtype, seed: int
) -> LoadedModel:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(BUNDLED / STAND_IN_TOKENIZER))
    values = architecture_values(candidate, scale, vocab_size=len(tokenizer))
    config = build_config(values)
    # The stand-in tokenizer's ids are all below the architecture's own vocabulary size.
    config.eos_token_id, config.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    config.bos_token_id = tokenizer.bos_token_id
    model = random_model(config, device, dtype, seed)
    return _ready(candidate, model, tokenizer, "random", scale)


def random_model(config: Any, device: str, dtype: torch.dtype, seed: int) -> Any:
    """A model of this configuration with random weights, about ten times as fast as drawing each.

    Large matrices are filled by repeating one block of draws from N(0, 0.02²); norms, biases and
    buffers (rotary frequencies among them) are initialised by transformers itself.
    """
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.to_empty(device=device)
    model.tie_weights()
    block = torch.empty(1 << 20, dtype=dtype, device=device)
    torch.manual_seed(seed)
    block.normal_(0.0, 0.02)
    with torch.no_grad():
        for module in model.modules():
            own = list(module.parameters(recurse=False))
            if own and all(p.numel() > 1 << 20 for p in own):
                for parameter in own:
                    _fill(parameter, block)
                    # transformers leaves such a tensor as it is, and does the module's buffers.
                    parameter._is_hf_initialized = True
            model._init_weights(module)
    model.tie_weights()
    return model


def _fill(parameter: torch.Tensor, block: torch.Tensor) -> None:
    flat = parameter.view(-1)
    for start in range(0, flat.numel(), block.numel()):
        part = flat[start : start + block.numel()]
        part.copy_(block[: part.numel()])
