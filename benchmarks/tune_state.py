"""Checkpoint of a tune between epochs, and what must be the same to resume from it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.study.contract import Contract
from benchmarks.study.tuning_settings import TuningSettings
from benchmarks.tune_rows import TuneRows, short_hash
from model_registry.candidate import Candidate
from model_registry.errors import OhloraError
from model_registry.files.json_values import JsonDict, JsonObject
from model_registry.files.output import saving
from model_registry.language import text
from model_registry.prompting.tokenization import resolved_policy
from model_registry.weights.adapter import base_of, weights_fingerprint

if TYPE_CHECKING:
    import torch
    from torch import nn
    from transformers import PreTrainedTokenizerBase

STATE = "training_state.safetensors"
BEST = "best_state.safetensors"  # of the epoch with the lowest valid loss, where that decides

#: What of a contract a tune hangs on, with what a tune has that was begun before it could be told.
_POLICY = {field.name: field.default for field in fields(TuningSettings)}


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """What one epoch gave. `valid_loss` is None where there are no valid rows."""

    epoch: int
    train_loss: float
    valid_loss: float | None


def identity_of(
    candidate: Candidate,
    tokenizer: PreTrainedTokenizerBase,
    rows: TuneRows,
    contract: Contract,
    rank: int,
    quantization: str = "none",
) -> dict[str, object]:
    """What identifies a tune: base, revision, template, settings and rows."""
    policy = resolved_policy(candidate.prompting, tokenizer)
    template = getattr(tokenizer, "chat_template", None) or ""
    return {
        "base": base_of(candidate),
        "revision": candidate.revision,
        "base_weights": weights_fingerprint(candidate),
        "weights": "random" if contract.weights == "random" else "own",
        "template": short_hash(json.dumps([asdict(policy), template], default=str)),
        "rank": rank,
        "quantization": quantization,
        **{name: getattr(contract, name) for name in _POLICY},
        "learning_rate": candidate.learning_rate or contract.learning_rate,
        "rows": len(rows.train),
        "valid_rows": len(rows.valid),
        "rows_content": rows.mark(),
    }


def check_state(out: Path, identity: Mapping[str, object]) -> None:
    """Check that a tune begun in `out` is this one; loads nothing.

    Raises:
        OhloraError: it is another one; what differs is named.
    """
    path = out / STATE
    if not path.exists():
        return
    found = differences(_place(path)["settings"], identity)
    if found:
        raise OhloraError(
            f"{out} holds a tune that was begun with other settings: {'; '.join(found)}. Use "
            "the same, or another --out.",
            f"{out}에는 다른 설정으로 시작한 튜닝이 있습니다: {'; '.join(found)}. 같은 설정을 "
            "쓰거나 다른 --out을 지정하세요.",
        )


def differences(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """What differs between two identities, in words."""
    before = _POLICY | {"quantization": "none"} | dict(before)
    changed = [name for name in now if before.get(name) != now[name]]
    counts = {"rows", "valid_rows"} & set(changed)
    return [
        _difference(name, before.get(name), now[name])
        for name in changed
        if not (name == "rows_content" and counts)  # said with their number
        and not (name == "base_weights" and "base" in changed)
    ]


def _difference(name: str, before: object, now: object) -> str:
    contents = {
        "base_weights": text("the base's weights are others", "베이스 모델의 가중치가 다릅니다"),
        "template": text("the chat template is another", "채팅 템플릿이 다릅니다"),
        "rows_content": text("the rows' contents are others", "행의 내용이 다릅니다"),
    }
    if name in contents:
        return contents[name]
    return text(f"{name} was {before}, is {now}", f"{name}: 전에는 {before}, 지금은 {now}")


def _place(path: Path) -> JsonDict:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as state:
            place: JsonDict = json.loads(state.metadata()["place"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise OhloraError(
            f"{path} can't be read: remove it to begin anew, or choose another --out.",
            f"{path} 파일을 읽을 수 없습니다: 지우고 처음부터 시작하거나 다른 --out을 지정하세요.",
        ) from error
    return place


def save(
    path: Path,
    identity: Mapping[str, object],
    parameters: Sequence[nn.Parameter],
    optimiser: torch.optim.Optimizer,
    history: list[EpochEnd],
) -> None:
    """Save the state between two epochs, atomically: a kill leaves the old file or the new one.

    Raises:
        OhloraError: the disk is full; the state before stays.
    """
    from safetensors.torch import save_file

    tensors = {f"parameter.{i}": p.detach() for i, p in enumerate(parameters)}
    for i, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"{name}.{i}": value for name, value in _flat(moments)}
    place = {"settings": dict(identity), "history": [asdict(end) for end in history]}
    beside = path.with_suffix(".tmp")
    try:
        with saving(path):
            save_file(tensors, beside, metadata={"place": json.dumps(place)})
            beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def restore(
    path: Path, parameters: Sequence[nn.Parameter], optimiser: torch.optim.Optimizer
) -> list[EpochEnd]:
    """Restore a saved state; returns the epochs it had done.

    Raises:
        OhloraError: it is missing, or can't be read.
    """
    import torch
    from safetensors import safe_open

    if not path.exists():
        raise OhloraError(
            f"{path} is missing: begin anew with another --out.",
            f"{path} 파일이 없습니다: 다른 --out을 지정해 처음부터 시작하세요.",
        )
    place = _place(path)
    with safe_open(path, framework="pt") as state:
        tensors = {name: state.get_tensor(name) for name in state.keys()}  # noqa: SIM118
    moments: dict[int, JsonDict] = {i: {} for i in range(len(parameters))}
    for name, value in tensors.items():
        kind, _, number = name.rpartition(".")
        if kind != "parameter":
            _put(moments[int(number)], kind, value)
    with torch.no_grad():
        for i, parameter in enumerate(parameters):
            parameter.copy_(tensors[f"parameter.{i}"])
    optimiser.load_state_dict(optimiser.state_dict() | {"state": moments})
    return [EpochEnd(**row) for row in place["history"]]


def _flat(moments: JsonObject, above: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """One parameter's state as tensors of its own, nested names joined by a slash."""
    import torch

    for name, value in moments.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}/")
        elif isinstance(value, torch.Tensor):
            yield above + name, value.detach().clone()  # bitsandbytes shares its tables
        elif isinstance(value, int):
            yield f"{above}{name}#", torch.tensor(value)


def _put(moments: JsonDict, name: str, value: torch.Tensor) -> None:
    """The reverse of `_flat` for one of its tensors; a # stood for a plain number."""
    *above, last = name.split("/")
    for each in above:
        moments = moments.setdefault(each, {})
    moments[last.rstrip("#")] = int(value) if last.endswith("#") else value
