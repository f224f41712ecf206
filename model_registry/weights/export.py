"""Exports a finished tune as a whole model, its adapter merged into the base."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from model_registry import machine
from model_registry.errors import OhloraError
from model_registry.files.output import check_folder, whole_folder
from model_registry.hub import cached_folder
from model_registry.prompting.served_template import response_template, served_template
from model_registry.registry import Registry
from model_registry.weights.adapter import load_tuned, read_card
from model_registry.weights.gptq import is_gptq
from model_registry.weights.loading import LoadedModel
from model_registry.weights.quantization import export as write
from model_registry.weights.quantization import keep_gradients, quantize
from model_registry.weights.weight_files import stored_dtype

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


def export(
    folder: Path,
    out: Path,
    registry: Registry,
    *,
    source: str,
    method: str | None = None,
    calibration: Sequence[str] = (),
    dtype: str = "auto",
    base_folder: Path | None = None,
) -> Path:
    """Merge the adapter into its base and write a whole model that anything can load.

    Whoever serves the model asks it by its chat template, so that one writes the form that it was
    tuned in: see `served_template`. Servers are told how its answers end, too.

    Args:
        folder: a finished tune.
        out: for the model.
        registry: knows the base.
        source: of the base's weights.
        method: int8, nf4 or gptq, to write it quantised.
        calibration: texts for gptq.
        dtype: of the weights written; "auto" is what the base's own are stored in.
        base_folder: where the base is now, where it moved.

    Raises:
        OhloraError: no finished tune is there, `out` can't be written or holds something, or the
            base is quantised in a way that nothing can be merged into.
    """
    check_folder(out)
    if out.exists() and any(out.iterdir()):
        raise OhloraError(
            f"{out} is not empty. Choose another --out.",
            f"{out}에 이미 파일이 있습니다. 다른 --out을 지정하세요.",
        )
    if dtype != "auto":
        machine.pick_dtype("cpu", dtype)  # says what is wrong with it
    # What is merged is what was tuned: in the precision that it was tuned in.
    tuned_in = read_card(folder).get("dtype") if method is None else "float32"
    loaded = load_tuned(
        folder, registry, source=source, device="cpu", dtype=_known_dtype(tuned_in),
        base_folder=base_folder,
    )  # fmt: skip
    model = _merged(loaded, method)
    if method is None and getattr(model.config, "quantization_config", None) is None:
        import torch

        model = model.to(getattr(torch, _written_in(loaded, dtype)))
    tokenizer = loaded.tokenizer
    policy = loaded.candidate.prompting
    tokenizer.chat_template = served_template(policy, tokenizer)
    tokenizer.response_template = response_template(tokenizer)
    model.generation_config.eos_token_id = list(loaded.end_ids)
    # A limit of ours would override that of whoever asks the model, lm-evaluation-harness for one.
    model.generation_config.max_new_tokens = model.generation_config.max_length = None
    if method is not None:
        model, _ = quantize(model, method, tokenizer=tokenizer, calibration=calibration)
    with whole_folder(out) as whole:
        write(model, tokenizer, whole)
    return out


def _known_dtype(said: object) -> str:
    return said if said in machine.DTYPES else "auto"


def _written_in(loaded: LoadedModel, dtype: str) -> str:
    """The precision of an export: what was asked for, else that of the base's files."""
    if dtype != "auto":
        return machine.pick_dtype("cpu", dtype)
    folder = loaded.candidate.path or cached_folder(loaded.candidate)
    if folder is None or loaded.source == "random":
        return loaded.dtype
    return stored_dtype(Path(folder)) or loaded.dtype


def _merged(loaded: LoadedModel, method: str | None) -> PreTrainedModel:
    model: PeftModel = loaded.model  # type: ignore[assignment]  # with an adapter it is one
    base: PreTrainedModel = model.get_base_model()  # type: ignore[assignment]  # one of transformers'
    if is_gptq(base):
        raise OhloraError(
            "Nothing can be merged into a GPTQ base. Tune the plain model, then export it with "
            "--quantization gptq.",
            "GPTQ 모델에는 합칠 수 없습니다. 원래 모델을 튜닝한 뒤 --quantization gptq로 "
            "내보내세요.",
        )
    if method is not None and getattr(base.config, "quantization_config", None) is not None:
        raise OhloraError(
            "The base is quantised already: export it without --quantization.",
            "이미 양자화된 모델입니다. --quantization 없이 내보내세요.",
        )
    keep_gradients(base)
    merged: PreTrainedModel = model.merge_and_unload()
    return merged
