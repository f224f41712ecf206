"""The adapter folder that a tune leaves, and loading a model with it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

from model_registry.candidate import Candidate, PromptPolicy
from model_registry.errors import LoadError, OhloraError, UnknownName
from model_registry.files.json_values import JsonDict, JsonObject
from model_registry.files.small_json import read_json_object
from model_registry.messages.path_errors import nothing_there
from model_registry.naming.resolve import TUNE_CARD, find_candidate
from model_registry.registry import Registry
from model_registry.weights.folder_check import ADAPTER_WEIGHTS, check_adapter
from model_registry.weights.loading import LoadedModel, load
from model_registry.weights.lora import with_adapter

CARD = TUNE_CARD  # which base, asked in which form
_MARKED_BYTES = 1 << 20
WEIGHTS = ADAPTER_WEIGHTS


def base_of(candidate: Candidate) -> str | None:
    """How a card names a base: a registered candidate, or a model's folder."""
    if candidate.adapter is not None:
        return candidate.adapter
    return candidate.name if candidate.catalog else candidate.path or candidate.name


def weights_fingerprint(candidate: Candidate) -> str | None:
    """A fingerprint of the weights in a candidate's folder, by each file's size and beginning,
    which takes no time; None where they come from elsewhere."""
    if candidate.path is None:
        return None
    digest = hashlib.sha256()
    files = sorted(Path(candidate.path).glob("*.safetensors"))
    if candidate.adapter is not None:
        files += sorted(Path(candidate.adapter).glob("*.safetensors"))
    for file in files:
        with file.open("rb") as opened:
            digest.update(f"{file.name} {file.stat().st_size} ".encode())
            digest.update(opened.read(_MARKED_BYTES))
    return digest.hexdigest()[:12]


def write_card(folder: Path, candidate: Candidate, figures: dict[str, object]) -> None:
    """Write the card of an adapter: its base, a registered candidate or a model's folder."""
    card = {
        "base": base_of(candidate),
        "base_weights": weights_fingerprint(candidate),
        "hub_id": candidate.hub_id,
        "revision": candidate.revision,
        "prompting": asdict(candidate.prompting),
        **figures,
    }
    words = json.dumps(card, ensure_ascii=False, indent=2)
    (folder / CARD).write_text(words + "\n", encoding="utf-8")


def read_card(folder: Path) -> JsonDict:
    """What `write_card` wrote.

    Raises:
        OhloraError: the folder holds no finished tune.
        LoadError: its card is broken, or names no base.
    """
    path = folder / CARD
    if not folder.exists():
        raise nothing_there(str(folder))
    if not path.exists() or not (folder / WEIGHTS).exists():
        raise OhloraError(
            f"{folder} holds no finished tune. `ohlora tune … --out DIR` makes one.",
            f"{folder}에 끝난 튜닝이 없습니다. `ohlora tune … --out DIR`로 만드세요.",
        )
    card = read_json_object(path, most_bytes=8 << 20)
    if not isinstance(card.get("base"), str):
        raise LoadError.of("card_names_no_base", path=path)
    return card


def is_tuned(folder: Path) -> bool:
    """Whether a folder holds a finished tune."""
    return (folder / CARD).exists()


def load_tuned(
    folder: Path,
    registry: Registry,
    *,
    source: str,
    device: str,
    dtype: str = "auto",
    base_folder: Path | None = None,
) -> LoadedModel:
    """The base model with the adapter of this folder on it.

    `base_folder` is where the base is now, where it is no longer where it was.

    Raises:
        OhloraError: no finished tune is there, or its base is elsewhere or another.
        LoadError: the base can't be loaded.
    """
    card = read_card(folder)
    check_adapter(folder)
    if source == "random" and card.get("weights", "random") != "random":
        raise OhloraError(
            f"{folder} was tuned on weights of its own: it can't be put on random ones.",
            f"{folder} 폴더의 어댑터는 실제 가중치로 튜닝했습니다. 무작위 가중치에는 쓸 수 "
            "없습니다.",
        )
    base = _base_in(card, folder, registry, base_folder)
    if "prompting" in card:  # asked in the form that it was tuned in, whatever the base says now
        base = replace(base, prompting=_policy(folder / CARD, card["prompting"]))
    loaded = load(base, source=source, device=device, dtype=dtype)
    loaded.model = with_adapter(loaded.model, folder)
    loaded.candidate = replace(loaded.candidate, name=f"{base.name} + {folder.name}")
    return loaded


def _base_in(
    card: JsonObject, folder: Path, registry: Registry, base_folder: Path | None
) -> Candidate:
    """The base that a card names, or the folder that a user names for it."""
    named = card["base"] if base_folder is None else str(base_folder)
    try:
        base = find_candidate(named, registry)
    except UnknownName as error:
        if base_folder is not None or "/" not in named:
            raise
        raise LoadError("unreachable", *_moved_words(folder, named)) from error
    mark = card.get("base_weights")
    if mark is not None and base.path is not None and mark != weights_fingerprint(base):
        raise LoadError.of("other_base", path=base.path, folder=folder)
    return base


def _moved_words(folder: Path, named: str) -> tuple[str, str]:
    return (
        f"{folder} was tuned on {named}, which is no longer there. Name the base's folder with "
        "--base FOLDER.",
        f"{folder}은(는) {named}을(를) 튜닝한 것인데 그 폴더가 없습니다. --base 폴더로 베이스 "
        "모델의 위치를 지정하세요.",
    )


def _policy(path: Path, said: object) -> PromptPolicy:
    """The form that a card says.

    Raises:
        LoadError: it says none that there is.
    """
    known = {name: type(value) for name, value in asdict(PromptPolicy()).items()}
    if not isinstance(said, dict) or any(
        name not in known or not isinstance(value, known[name]) for name, value in said.items()
    ):
        raise LoadError.of("card_prompting_unknown", path=path)
    return PromptPolicy(**said)
