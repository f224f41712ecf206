"""Repairs configurations that transformers' own classes refuse.

A cure names another class with the very same tensors and arithmetic, never other weights. It is
applied only where a candidate or a study says so, and stands in the result. Adding one is one
entry, with a test that both classes give equal logits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from model_registry.errors import UnknownName
from model_registry.language import text

Values = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Cure:
    """One way to load what its own class refuses.

    `changes` are the values that replace those of config.json; a value of None is written as null.
    `means` says in (English, Korean) what is done and why it is the same model.
    """

    name: str
    applies: Callable[[Values], bool]
    changes: Callable[[Values], dict[str, object]]
    leaves_out: frozenset[str]
    means: tuple[str, str]

    @property
    def words(self) -> str:
        return text(*self.means)

    def apply(self, values: Values) -> dict[str, object]:
        """The values with this cure; those that it does not apply to as they are."""
        if not self.applies(values):
            return dict(values)
        kept = {key: value for key, value in values.items() if key not in self.leaves_out}
        return kept | self.changes(values)


def _odd_llama(values: Values) -> bool:
    """A Llama whose width is no multiple of its heads, with a head size of its own, without
    biases: Mistral's layers are the same then."""
    hidden, heads = values.get("hidden_size"), values.get("num_attention_heads")
    return (
        values.get("model_type") == "llama"
        and type(hidden) is int
        and type(heads) is int
        and heads > 0
        and hidden % heads != 0
        and type(values.get("head_dim")) is int
        and not values.get("attention_bias")
        and not values.get("mlp_bias")
    )


CURES: tuple[Cure, ...] = (
    Cure(
        "llama-as-mistral",
        _odd_llama,
        lambda values: {"model_type": "mistral", "architectures": ["MistralForCausalLM"],
                        "sliding_window": None},
        frozenset({"attention_bias", "mlp_bias", "pretraining_tp"}),
        (
            "loaded as Mistral without a sliding window, which has the same tensors and computes "
            "the same; LlamaConfig refuses a width that is no multiple of the heads",
            "슬라이딩 윈도가 없는 Mistral로 불러옵니다. 텐서와 계산이 같습니다. LlamaConfig는 헤드 "
            "수로 나누어떨어지지 않는 너비를 거부합니다",
        ),
    ),
)  # fmt: skip
BY_NAME = {cure.name: cure for cure in CURES}


def cure_of(name: str) -> Cure:
    """The cure of this name.

    Raises:
        UnknownName: there is none.
    """
    if name not in BY_NAME:
        raise UnknownName("cure", name, BY_NAME)
    return BY_NAME[name]


def cure_for(values: Values) -> Cure | None:
    """The cure that an architecture's values call for; None where there is none, or no need."""
    return next((cure for cure in CURES if cure.applies(values)), None)


def cured(values: Values, cure: str | None) -> dict[str, object]:
    """An architecture's values with a cure, where one is named and applies.

    Raises:
        UnknownName: no cure has this name.
    """
    return dict(values) if cure is None else cure_of(cure).apply(values)
