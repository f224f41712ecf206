"""A setting: variant, tuning, rank and quantisation. Case ids are written and parsed here.

The id of a case reads gemma-2-2b-it/fine-tune/rank=16. A variant that a study names stands for all
that it sets: gemma-2-2b-it/fine-tune/after.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from model_registry.files.json_values import JsonObject

PLAIN = "none"  # weights as they are published

_OWN = ("variant", "tuning", "rank", "quantization")


@dataclass(frozen=True, slots=True)
class Setting:
    """Variant, tuning ("lora" or "full"), rank and quantisation; `others` is what else was set."""

    variant: str | None = None
    tuning: str | None = None
    rank: int | None = None
    quantization: str = PLAIN
    others: tuple[tuple[str, object], ...] = ()

    @classmethod
    def of(cls, settings: JsonObject) -> Setting:
        """The setting that a result or a case carries as plain values."""
        own = {name: settings[name] for name in _OWN if settings.get(name) is not None}
        others = sorted((name, value) for name, value in settings.items() if name not in _OWN)
        return cls(**own, others=tuple(others))

    @classmethod
    def parse(cls, words: str, variants: Collection[str] = ()) -> Setting:
        """Parse the setting at the end of a case's id; `variants` are the study's variant names.

        Only runs that were begun before `run.json` held settings need it.
        """
        parts = [part.partition("=") for part in words.split("/")] if words else []
        if words and (words in variants or not all(sign for _, sign, _ in parts)):
            return cls(variant=words)
        return cls.of({name: _value(value) for name, _, value in parts})

    def to_json(self) -> dict[str, object]:
        """Plain values, only those that are set."""
        own = {name: getattr(self, name) for name in _OWN}
        plain = {"quantization": PLAIN}  # only there: a variant may be called none
        set_ = {n: value for n, value in own.items() if value not in (None, plain.get(n))}
        return {**set_, **dict(self.others)}

    @property
    def id(self) -> str:
        """How the id of its case ends; nothing where nothing is set."""
        if self.variant is not None:
            return self.variant
        return "/".join(f"{name}={value}" for name, value in sorted(self.to_json().items()))

    @property
    def work(self) -> Setting:
        """What is done, however the weights are held: settings with equal work are compared.

        A variant goes by its name: it is what a study compares, quantisation and all.
        """
        if self.variant is not None:
            return Setting(variant=self.variant)
        return replace(self, quantization=PLAIN)

    @property
    def method(self) -> Setting:
        """The way of tuning whatever a study calls it; LoRA unless the settings say otherwise."""
        return replace(self, variant=None, tuning=self.tuning or "lora", quantization=PLAIN)

    @property
    def label(self) -> str:
        """r16 for a rank of 16; for others what they set."""
        if self.variant is not None:
            return self.variant
        labels = [f"r{self.rank}"] if self.rank is not None else []
        labels += [self.tuning] if self.tuning else []
        return " ".join([*labels, *(n if v is True else str(v) for n, v in self.others)])


def _value(words: str) -> bool | int | str:
    """A value of an id: a number or a yes where it reads as one."""
    if words in ("True", "False"):
        return words == "True"
    return int(words) if words.isdecimal() else words


def case_id(candidate: str, workload: str, setting: Setting) -> str:
    """The key of a case's rows in every file of a run, readable and unique within it."""
    return "/".join(filter(None, (candidate, workload, setting.id)))
