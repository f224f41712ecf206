"""Loads a model from the hub, a folder, the bundled ones, or random weights.

Remote code is never run and only safetensors are read. What can't be loaded is a LoadError with
the status that the case gets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from model_registry import machine
from model_registry.architectures.architecture import architecture_values
from model_registry.architectures.model_config import build_config
from model_registry.candidate import Candidate, PromptPolicy
from model_registry.catalog import HERE
from model_registry.errors import LoadError
from model_registry.hub import cached_folder, network_is_up
from model_registry.naming.facts_cache import tokenizer_folder
from model_registry.naming.references import HubReference
from model_registry.prompting.tokenization import end_token_id, end_token_ids, resolved_policy
from model_registry.weights import rwkv
from model_registry.weights.folder_check import needs_code
from model_registry.weights.lora import with_adapter_merged
from model_registry.weights.pretrained import own_folder, read_pretrained, read_tokenizer
from model_registry.weights.random_weights import random_model

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SOURCES = ("auto", "hub", "path", "bundled", "random")
BUNDLED = HERE / "bundled" / "weights"

#: The tokenizer that random weights answer with: their own would need a download.
STAND_IN_TOKENIZER = "bundled-llama-2.5m"


@dataclass(slots=True)
class LoadedModel:
    """A model ready to work, with what it takes to speak to it."""

    candidate: Candidate
    model: PreTrainedModel  # transformers.PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    source: str  # hub, path, bundled or random: what it really is
    scale: str  # full or tiny
    end_ids: tuple[int, ...]  # tokens at which an answer ends

    @property
    def dtype(self) -> str:
        """The precision it computes in, by torch's name."""
        return str(self.model.dtype).removeprefix("torch.")


def resolve_source(source: str, candidates: Iterable[Candidate] = ()) -> str:
    """Resolve "auto": hub where there is a network or all candidates are in the hub's cache
    (those with a folder of their own aside), else bundled."""
    if source != "auto":
        return source
    fetched = [candidate for candidate in candidates if candidate.path is None]
    cached = bool(fetched) and all(cached_folder(candidate) for candidate in fetched)
    return "hub" if cached or network_is_up() else "bundled"


def load(
    candidate: Candidate,
    *,
    source: str = "hub",
    scale: str = "full",
    device: str = "cpu",
    dtype: str = "auto",
    seed: int = 0,
) -> LoadedModel:
    """Load a candidate for answering (evaluation mode; gradients as they come).

    Args:
        candidate: whose weights.
        source: hub, path, bundled or random. A candidate that has a `path` always takes it,
            except for random.
        scale: "full", or "tiny" for random weights of the same architecture, shrunk.
        device: "cpu" or "cuda".
        dtype: a torch dtype's name; "auto" is what this device computes in.
        seed: of random weights.

    Raises:
        LoadError: with the status of the case.
    """
    import torch

    kind = getattr(torch, machine.pick_dtype(device, dtype))
    if source == "random":
        return _load_random(candidate, scale, device, kind, seed)
    if candidate.path is not None:
        kept = "bundled" if "bundled" in candidate.traits else "path"
        return _load_pretrained(candidate, candidate.path, kept, device, kind)
    if source == "bundled":
        raise LoadError.of("not_bundled", name=candidate.name)
    if candidate.hub_id is None:
        raise LoadError.of("no_place", name=candidate.name)
    if candidate.needs_remote_code:
        raise needs_code(candidate.hub_id, "its catalog entry says so")
    return _load_pretrained(candidate, candidate.hub_id, "hub", device, kind)


def load_tokenizer(candidate: Candidate, *, source: str = "hub") -> PreTrainedTokenizerBase:
    """The tokenizer that `load` would give, without the weights.

    Raises:
        LoadError: with the status of the case.
    """
    if source == "random":
        return _with_padding(_stand_in_tokenizer(), candidate.prompting)
    if candidate.path is not None:
        return _with_padding(
            read_tokenizer(candidate, own_folder(candidate.path, source)), candidate.prompting
        )
    if source == "bundled" or candidate.hub_id is None or candidate.needs_remote_code:
        load(candidate, source=source)  # says why not
    folder = cached_folder(candidate)
    if folder is None:
        reference = HubReference(str(candidate.hub_id), candidate.revision)
        folder = tokenizer_folder(reference)
    return _with_padding(read_tokenizer(candidate, folder), candidate.prompting)


def _with_padding(
    tokenizer: PreTrainedTokenizerBase, policy: PromptPolicy
) -> PreTrainedTokenizerBase:
    """The tokenizer, padding with what ends its texts, or else its answers, where it says none."""
    if tokenizer.pad_token_id is None:
        end = tokenizer.eos_token_id
        tokenizer.pad_token_id = end_token_id(policy, tokenizer) if end is None else end
    return tokenizer


def _stand_in_tokenizer() -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(BUNDLED / STAND_IN_TOKENIZER), trust_remote_code=False)


def _load_pretrained(
    candidate: Candidate, where: str, source: str, device: str, dtype: torch.dtype
) -> LoadedModel:
    folder = None if source == "hub" else own_folder(where, source)
    model, tokenizer = read_pretrained(candidate, folder, device, dtype)
    if candidate.adapter is not None:
        model = with_adapter_merged(model, Path(candidate.adapter))
    return _ready(candidate, model, tokenizer, source, "full")


def _ready(
    candidate: Candidate,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    source: str,
    scale: str,
) -> LoadedModel:
    model.eval()
    rwkv.prepare(model)
    _with_padding(tokenizer, candidate.prompting)
    policy = resolved_policy(candidate.prompting, tokenizer)
    end_ids = end_token_ids(policy, tokenizer, model.generation_config.eos_token_id)
    spoken_to = replace(candidate, prompting=policy)
    return LoadedModel(spoken_to, model, tokenizer, source, scale, end_ids)


def _load_random(
    candidate: Candidate, scale: str, device: str, dtype: torch.dtype, seed: int
) -> LoadedModel:
    tokenizer = _stand_in_tokenizer()
    values = architecture_values(candidate, scale, vocab_size=len(tokenizer))
    config = build_config(values)
    # The stand-in tokenizer's ids are all below the architecture's own vocabulary size.
    config.eos_token_id, config.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    config.bos_token_id = tokenizer.bos_token_id
    model = random_model(config, device, dtype, seed)
    return _ready(candidate, model, tokenizer, "random", scale)
