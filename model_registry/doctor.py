"""Whether this machine is ready, whether a model's folder is whole, and what would help."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_registry import machine
from model_registry.errors import OhloraError
from model_registry.files.json_values import JsonObject
from model_registry.hub import network_is_up
from model_registry.language import text
from model_registry.messages.diagnoses import DIAGNOSES, diagnose
from model_registry.messages.notes import Note
from model_registry.messages.path_errors import not_a_model
from model_registry.naming.resolve import candidate_in
from model_registry.prompting.token_check import check_tokens
from model_registry.weights.adapter import is_tuned
from model_registry.weights.folder_check import check_adapter, check_folder, is_model
from model_registry.weights.pretrained import read_tokenizer


def cure_for(message: str | None) -> Note | None:
    """The cure of the likeliest cause; None where the message says nothing known."""
    found = diagnose(message) if message else []
    return Note("known_cause", {"cause": found[0].name}) if found else None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `ok` is None where it is neither good nor bad."""

    name: str
    value: str
    ok: bool | None
    cure: str = ""

    def to_json(self) -> dict[str, object]:
        return {"name": self.name, "value": self.value, "ok": self.ok, "cure": self.cure or None}


#: Less free disk than this is told: it holds one model of the shortlist.
_DISK_BYTES = 10 * 2**30


def check(facts: JsonObject, packages: Mapping[str, str], hub: bool) -> list[Finding]:
    """What of a machine matters here. Pure: takes what `machine` found.

    Args:
        facts: `machine.describe`.
        packages: `machine.versions`.
        hub: whether the hub can be reached.
    """
    findings = [
        Finding(text("device", "장치"), f"{facts['device']}: {facts['name']}", None),
        _memory(facts),
        *_card(facts),
        Finding(
            text("hub", "허브"),
            text("reached", "연결됨") if hub else text("not reached", "연결되지 않음"),
            hub,
            "" if hub else DIAGNOSES["hub-offline"].cure,
        ),
    ]
    findings += [Finding(name, version, None) for name, version in packages.items()]
    findings += [
        Finding(
            package,
            text("not installed", "설치되지 않음"),
            None,
            text(f'for quantisation: pip install -e ".[{extra}]"',
                 f'양자화에 필요: pip install -e ".[{extra}]"'),
        )
        for package, extra in (("bitsandbytes", "quant"), ("gptqmodel", "quant"))
        if package not in packages
    ]  # fmt: skip
    return findings


def _memory(facts: JsonObject) -> Finding:
    name = text("free memory", "여유 메모리")
    free, total = facts.get("available_bytes"), facts.get("memory_bytes")
    if free is None or total is None:
        return Finding(name, "?", None)
    return Finding(name, f"{free / 2**30:.1f} / {total / 2**30:.1f} GiB", None)


def _card(facts: JsonObject) -> list[Finding]:
    """What only a graphics card has; bf16 counts where the card computes in it by itself."""
    native = bool(facts.get("native_bf16"))
    half = Finding(
        "bf16",
        text("native", "자체 지원") if native else text("not native", "자체 지원 안 함"),
        None,
        "" if native else text("float16 is used on a card, float32 on a CPU",
                               "카드에서는 float16, CPU에서는 float32를 씁니다"),
    )  # fmt: skip
    if facts["device"] != "cuda":
        return [half]
    capability = str(facts.get("capability") or "?")
    old = capability[:1].isdigit() and float(capability) < 7.0
    return [
        Finding(
            text("compute capability", "compute capability"), capability, not old,
            text("new builds of torch leave cards before 7.0 out: keep one that has this card",
                 "새 torch는 7.0 미만 카드를 지원하지 않습니다: 지원하던 버전을 쓰세요")
            if old else "",
        ),
        Finding(text("driver", "드라이버"), str(facts.get("driver") or "?"), None),
        Finding("CUDA", str(facts.get("cuda") or "?"), None),
        half,
    ]  # fmt: skip


def check_disk(folder: Path | None = None) -> Finding:
    """Free space where the hub's cache lies."""
    folder = folder or Path(os.environ.get("HF_HOME") or Path.home())
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    enough = free >= _DISK_BYTES
    return Finding(
        text("free disk", "여유 디스크"),
        f"{free / 2**30:.1f} GiB ({folder})",
        enough,
        "" if enough else DIAGNOSES["disk-full"].cure,
    )


def examine() -> list[Finding]:
    """Look at this machine."""
    facts = machine.describe(machine.pick_device())
    return [*check(facts, machine.versions(), network_is_up()), check_disk()]


def examine_folder(path: Path) -> list[Finding]:
    """Look at a model's folder, or a tuned adapter's, as loading would, without its weights."""
    name = text("model folder", "모델 폴더")
    try:
        if is_tuned(path) and not is_model(path):
            check_adapter(path)
            return [Finding(text("tuned adapter", "튜닝한 어댑터"), str(path), True)]
        if not is_model(path):
            raise not_a_model(path)
        config = check_folder(path)
        candidate = candidate_in(path)
        check_tokens(candidate, read_tokenizer(candidate, path), config)
    except OhloraError as error:
        return [Finding(name, error.shown, False)]
    return [Finding(name, f"{path} ({config.get('model_type', '?')})", True)]
