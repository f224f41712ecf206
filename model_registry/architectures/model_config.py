"""Builds a transformers configuration from architecture values, or says why it can't."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_registry.architectures.architecture_limits import check_values
from model_registry.architectures.cures import cure_for, cured
from model_registry.errors import LoadError, first_line
from model_registry.language import read_by


def build_config(values: Mapping[str, object]) -> Any:
    """A transformers configuration from an architecture's values.

    Raises:
        LoadError: "unsupported_architecture" where transformers does not know the model type,
            "error" where the values can't be.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers import CONFIG_MAPPING, AutoConfig

    check_values(values, "This architecture")
    model_type = str(values["model_type"])
    if model_type not in CONFIG_MAPPING:
        raise LoadError.of("model_type_unknown", model_type=model_type)
    rest = {key: value for key, value in values.items() if key != "model_type"}
    try:
        return AutoConfig.for_model(model_type, **rest)
    except StrictDataclassError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise LoadError("error", f"{_REFUSED}{reason}", f"{_REFUSED_KO}{reason}") from error
    except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError) as error:
        raise LoadError(
            "error", f"{_REFUSED}{first_line(error)}", f"{_REFUSED_KO}{first_line(error)}"
        ) from error


_REFUSED = "An architecture can't have these values: "
_REFUSED_KO = "구조의 값이 맞지 않습니다: "


def config_of_file(values: Mapping[str, object], whose: str, cure: str | None = None) -> Any:
    """The configuration that a model's config.json comes to, as its own class reads it.

    Args:
        values: of config.json.
        whose: the model, for the message.
        cure: a name of `cures.CURES`; changes only what it applies to.

    Raises:
        LoadError: "would_not_load" with the reason and the cure, where its class refuses it;
            "unsupported_architecture" where there is no such class.
    """
    try:
        return build_config(cured(values, cure))
    except LoadError as error:
        if error.status != "error":
            raise
        raise would_not_load(values, whose, str(error).removeprefix(_REFUSED)) from error


def check_config(values: Mapping[str, object], whose: str, cure: str | None = None) -> None:
    """Refuse a configuration that its own class would refuse once its weights were fetched.

    What no class of transformers knows is left to whoever loads it.

    Raises:
        LoadError: "would_not_load", with the cure.
    """
    try:
        config_of_file(values, whose, cure)
    except LoadError as error:
        if error.status == "would_not_load":
            raise


def would_not_load(values: Mapping[str, object], whose: str, reason: str) -> LoadError:
    """The refusal of a model whose own class does not take its configuration."""
    known, reason = cure_for(values), reason.removeprefix("ValueError: ").rstrip(".")
    with read_by(korean=False):
        english = f" Cure: --cure {known.name} ({known.words})." if known else ""
    with read_by(korean=True):
        korean = f" 해결: --cure {known.name} ({known.words})." if known else ""
    return LoadError(
        "would_not_load",
        f"{whose} would not load: its own class refuses config.json ({reason}).{english}",
        f"{whose}: 자체 클래스가 config.json을 거부하여 불러올 수 없습니다({reason}).{korean}",
    )
