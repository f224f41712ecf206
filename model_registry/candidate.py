"""A candidate: one model that may be chosen, as a frozen row of comparable values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from model_registry.files.json_values import JsonObject
from model_registry.licenses.provenance import Benchmark, Source
from model_registry.messages.notes import Note

Free = Literal["yes", "no", "conditional", "unknown"]


@dataclass(frozen=True, slots=True)
class License:
    """Under which terms the weights may be used, and where that was read."""

    name: str  # SPDX identifier, or the name of the vendor's terms
    free: Free
    source: str = ""  # where it was read
    read_on: date | None = None
    note: str = ""

    @property
    def is_free(self) -> bool:
        """Whether the licence is known to be free: "conditional" and "unknown" are not."""
        return self.free == "yes"

    def why_not_free(self) -> Note:
        """The reason, for a rejection."""
        if self.free == "unknown":
            known = self.note and Note("license_unverified", {"note": self.note})
            return known or Note("license_unknown")
        kind = "license_conditional" if self.free == "conditional" else "license_not_free"
        return Note(kind, {"license": self.name})


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """A published average, with the day it was read."""

    name: str
    value: float
    date: date


@dataclass(frozen=True, slots=True)
class PromptPolicy:
    """How a prompt becomes the model's input.

    `kind` "chat" uses the tokenizer's own chat template; "plain" uses `form`, in which
    `{prompt}` stands for the question and which ends where the answer begins. `thinking` is for
    templates that let a model think before it answers: "off", "on", or "template" for what the
    template does by itself.
    """

    kind: Literal["chat", "plain"] = "chat"
    form: str = "### 질문: {prompt} ### 답변: "
    thinking: Literal["off", "on", "template"] = "off"


#: Traits of models that don't chat unless another trait says that they do.
SPECIAL_TRAITS = frozenset(["base", "code", "diagram", "math", "multimodal", "translation"])


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model that may be chosen.

    `parameters` is counted from the architecture, tied weights once (None where nothing can be
    counted, as for a model behind an API; `parameters_note` then says why, as it does where the
    count is further than 2 % from `published_parameters`).
    """

    name: str
    license: License
    hub_id: str | None = None
    revision: str | None = None
    path: str | None = None  # a folder with weights, instead of a hub
    publisher: str = ""
    parameters: int | None = None
    published_parameters: int | None = None
    parameters_note: str = ""
    languages: tuple[str, ...] = ()
    traits: tuple[str, ...] = ()
    task: str = "text-generation"
    leaderboard: Leaderboard | None = None
    prompting: PromptPolicy = PromptPolicy()
    learning_rate: float | None = None  # for LoRA; None takes the study's
    architecture: JsonObject = field(default_factory=dict, hash=False)  # of its configuration
    backend: str = "transformers"
    endpoint: Mapping[str, object] = field(default_factory=dict, hash=False)  # for remote backends
    cure: str | None = None  # of architectures.cures, for a configuration its class refuses
    adapter: str | None = None  # a LoRA adapter's folder, merged into the weights when loaded
    catalog: str = ""
    note: str = ""
    released: str = ""  # a day, a month or a year
    #: An architecture that this transformers builds, with tensors of the same shapes, where its own
    #: needs its publisher's code or is refused: memory is counted by it, nothing is loaded from it.
    same_shapes: JsonObject = field(default_factory=dict, hash=False)
    #: Where its values were read, by group (`provenance.GROUPS`).
    evidence: Mapping[str, Source] = field(default_factory=dict, hash=False)
    benchmarks: tuple[Benchmark, ...] = ()

    @property
    def shapes(self) -> JsonObject:
        """The architecture that its memory is counted by; empty where none is known."""
        return self.same_shapes or self.architecture

    @property
    def unverified(self) -> tuple[str, ...]:
        """Groups of its values that were derived or recalled: to be read again first."""
        return tuple(group for group, source in self.evidence.items() if not source.verified)

    @property
    def chats(self) -> bool:
        """Whether it talks about anything: by its traits, and where they don't say by its task.

        What was made for one purpose, or never learned to answer, does not.
        """
        if {"chat", "instruct"} & set(self.traits):
            return True
        return self.task == "text-generation" and not SPECIAL_TRAITS & set(self.traits)

    @property
    def needs_remote_code(self) -> bool:
        return "remote-code" in self.traits

    def size(self) -> str:
        """The counted parameters for people: 2.61 B, 464 M, 0.4 M."""
        if self.parameters is None:
            return "?"
        if self.parameters >= 999.5e6:
            return f"{self.parameters / 1e9:.2f} B"
        millions = self.parameters / 1e6
        return f"{millions:.0f} M" if millions >= 10 else f"{millions:.1f} M"
