"""Predicts whether a model will load, from its small files and its weights' headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_registry.architectures.cures import cure_for, cured
from model_registry.architectures.model_config import build_config
from model_registry.architectures.parameter_count import count_parameters
from model_registry.errors import LoadError, OhloraError
from model_registry.files.json_values import JsonObject
from model_registry.language import read_texts, text
from model_registry.memory.fit_report import FitRow
from model_registry.messages.notes import Note
from model_registry.naming.model_facts import ModelFacts
from model_registry.prompting.template_facts import TemplateFacts, template_facts

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

_HEADS = ("lm_head.weight", "embed_out.weight", "output.weight")
#: What each thing looked at is called.
_LABELS = read_texts(Path(__file__).with_name("load_labels.toml"))
_NEARLY = 0.005  # of the parameters: below, biases and buffers that some writers leave out


@dataclass(frozen=True, slots=True)
class Looked:
    """One thing looked at: its key in load_labels.toml, whether it is good (None: neither), what
    was found. `status` is what a case would end with where it is bad."""

    key: str
    ok: bool | None
    note: Note
    status: str = "would_not_load"

    @property
    def label(self) -> str:
        return text(*_LABELS[self.key])


@dataclass(frozen=True, slots=True)
class LoadVerdict:
    """Whether a model will load here, and why.

    `status` is "ok", or what a case of it would end with. `cure` is the name of one that it needs
    and that was not asked for. `parameters` are counted on the meta device, `stored_parameters` by
    the headers; None where either can't be.
    """

    name: str
    looked: tuple[Looked, ...]
    cure: str | None = None
    parameters: int | None = None
    stored_parameters: int | None = None

    @property
    def status(self) -> str:
        return next((each.status for each in self.looked if each.ok is False), "ok")

    @property
    def loads(self) -> bool:
        """Whether it loads; that a tune does not fit the card is another matter."""
        return all(each.ok is not False or each.key == "fit" for each in self.looked)

    def to_json(self) -> dict[str, object]:
        """The verdict as one document, the same whatever language is read."""
        return {
            "name": self.name,
            "status": self.status,
            "cure": self.cure,
            "parameters": self.parameters,
            "stored_parameters": self.stored_parameters,
            "looked": [
                {"what": e.key, "ok": e.ok, "said": e.note.english, **e.note.to_json()}
                for e in self.looked
            ],
        }

    def with_fit(self, row: FitRow, budget_bytes: int) -> LoadVerdict:
        """The verdict with whether the work of a row fits a card."""
        work = row.work
        if row.predicted_bytes is None:
            looked = Looked("fit", None, Note("load_fits_unknown", {"name": row.name}))
        else:
            what = f"LoRA r{work.rank}" if work.kind == "lora" else work.kind
            values = {"work": what, "length": work.length, "batch": work.batch,
                      "predicted": row.predicted_bytes, "budget": budget_bytes}  # fmt: skip
            looked = Looked("fit", row.fits, Note("load_fits", values), "oom_training")
        return replace(self, looked=(*self.looked, looked))


def load_verdict(
    facts: ModelFacts, *, cure: str | None = None, dtype: str = "", count: bool = True
) -> LoadVerdict:
    """Check everything that loading depends on.

    Args:
        facts: of a folder or of the hub's repository.
        cure: of `architectures.cures`, where one was asked for.
        dtype: that this machine computes in, for the comparison with the stored one.
        count: also count on the meta device, which takes about 0.1 s and torch.
    """
    values = cured(facts.config, cure)
    config, said = _config(facts, values, cure)
    looked = [*_source(facts), *_class(facts, values), *said]
    looked += [*_tokenizer(facts), *_template(facts), *_weights(facts)]
    meta = _count(values) if count and config is not None else None
    stored = facts.parameters
    looked += [
        *_tied(facts, config),
        *_dtype(facts, dtype),
        *_parameters(meta, stored, facts, config),
    ]
    looked += _card(facts)
    needed = cure_for(values)
    return LoadVerdict(facts.name, tuple(looked), needed.name if needed else None, meta, stored)


def catalog_verdict(name: str, values: JsonObject, cure: str | None) -> LoadVerdict:
    """What a catalog's values alone tell, where the model's own files can't be had: whether the
    class is known and takes them."""
    facts = ModelFacts(name, values)
    healed = cured(values, cure)
    looked = [Looked("source", None, Note("load_catalog_only"))]
    looked += [*_class(facts, healed), *_config(facts, healed, cure)[1]]
    needed = cure_for(healed)
    return LoadVerdict(name, tuple(looked), needed.name if needed else None)


def _source(facts: ModelFacts) -> list[Looked]:
    if facts.commit is None:
        return []
    values = {"commit": facts.commit, "read_on": facts.read_on or "?"}
    return [Looked("source", None, Note("load_source", values))]


def _class(facts: ModelFacts, values: Mapping[str, object]) -> list[Looked]:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    model_type = str(values.get("model_type") or "?")[:60]
    said = {"model_type": model_type, "version": version("transformers")}
    if model_type in CONFIG_MAPPING_NAMES:
        return [Looked("class", True, Note("load_class_known", said))]
    if facts.config.get("auto_map"):
        note = Note("load_class_remote", {"model_type": model_type})
        return [Looked("class", False, note, "needs_remote_code")]
    return [Looked("class", False, Note("load_class_unknown", said), "unsupported_architecture")]


def _config(
    facts: ModelFacts, values: Mapping[str, object], cure: str | None
) -> tuple[Any, list[Looked]]:
    """The configuration, None where it can't be built, and what there is to say of it."""
    try:
        config = build_config(values)
    except LoadError as error:
        if error.status != "error":
            return None, []  # said of the class
        reason = str(error).partition("values: ")[2] or str(error)
        reason = reason.removeprefix("ValueError: ").rstrip(".")
        looked = [Looked("config", False, Note("load_config_refused", {"reason": reason}))]
        if (known := cure_for(values)) is not None:
            offered = {"cure": known.name, "means": known.name}
            looked.append(Looked("config", None, Note("load_cure_offered", offered)))
        return None, looked
    note = Note("load_config_accepted")
    if cure is not None and cure_for(facts.config) is not None:
        note = Note("load_config_cured", {"cure": cure, "means": cure})
    return config, [Looked("config", True, note)]


def _tokenizer(facts: ModelFacts) -> list[Looked]:
    if not facts.tokenizer_files:
        return [Looked("tokenizer", False, Note("load_no_tokenizer"))]
    return [Looked("tokenizer", True, Note("load_tokenizer", {"files": facts.tokenizer_files}))]


def _template(facts: ModelFacts) -> list[Looked]:
    if facts.chat_template is None:
        return [Looked("template", None, Note("load_no_template"))]
    found = template_facts(facts.chat_template, facts.tokenizer_config)
    if found.problem:
        note = Note("load_template_broken", {"problem": found.problem})
        return [Looked("template", False, note)]
    kept = found.system == "kept"
    return [
        Looked("template", True, Note("load_template")),
        Looked("system", kept or None, Note(f"load_system_{found.system}")),
        Looked("thinking", None, Note(f"load_thinking_{found.thinking}")),
        _end(found, facts),
    ]


def _end(found: TemplateFacts, facts: ModelFacts) -> Looked:
    """Whether generation stops where the template ends an answer."""
    if not found.end:
        return Looked("end", None, Note("load_no_end"))
    said = facts.generation_config.get("eos_token_id", facts.config.get("eos_token_id"))
    stops = said if isinstance(said, list) else [] if said is None else [said]
    # What follows an answer may begin the next turn: its first known token ends it.
    known = [token for token in facts.token_ids if found.end.startswith(token)]
    end = max(known, key=len, default=found.end[:40])
    values: dict[str, object] = {"end": end, "ids": [str(stop) for stop in stops] or ["?"]}
    number = facts.token_ids.get(end)
    if number is None or not stops:
        return Looked("end", None, Note("load_end", values))
    if number in stops:
        return Looked("end", True, Note("load_end", values))
    return Looked("end", None, Note("load_end_unlisted", values | {"id": number}))


def _weights(facts: ModelFacts) -> list[Looked]:
    if facts.tensors is None:
        note = Note("load_weights_problem", {"problem": facts.weights_problem or "?"})
        return [Looked("weights", False, note)]
    values = {"count": facts.weight_files or 1, "size": facts.weight_bytes}
    return [Looked("weights", True, Note("load_weights", values))]


def _stores_head(facts: ModelFacts) -> bool:
    return any(name.endswith(_HEADS) for name in facts.tensors or ())


def _tied(facts: ModelFacts, config: PreTrainedConfig) -> list[Looked]:
    if config is None or facts.tensors is None:
        return []
    tied = bool(getattr(config.get_text_config(), "tie_word_embeddings", False))
    if not tied:
        return [Looked("tied", None, Note("load_untied"))]
    return [Looked("tied", None, Note("load_tied_stored" if _stores_head(facts) else "load_tied"))]


def _dtype(facts: ModelFacts, computed: str) -> list[Looked]:
    packed = facts.config.get("quantization_config")
    if isinstance(packed, Mapping):
        method = str(packed.get("quant_method") or "?")[:40]
        return [Looked("dtype", None, Note("load_packed", {"method": method}))]
    if facts.stored_dtype is None:
        return []
    values = {"stored": facts.stored_dtype, "computed": computed or "?"}
    return [Looked("dtype", None, Note("load_dtype", values))]


def _count(values: Mapping[str, object]) -> int | None:

    try:
        return count_parameters(values)
    except OhloraError:
        return None


def _parameters(
    meta: int | None, stored: int | None, facts: ModelFacts, config: PreTrainedConfig
) -> list[Looked]:
    """Both counts; a difference is said, with what explains it."""
    if meta is None and stored is None:
        return []
    if meta is None or stored is None:
        where = "headers" if meta is None else "meta"
        values = {"count": stored if meta is None else meta, "where": where}
        return [Looked("parameters", None, Note("load_parameters_one", values))]
    both: dict[str, object] = {"meta": meta, "headers": stored}
    if meta == stored:
        return [Looked("parameters", True, Note("load_parameters_agree", both))]
    text_config = config.get_text_config()
    head = int(text_config.vocab_size) * int(text_config.hidden_size)
    difference = abs(stored - meta)
    if stored - meta == head and _stores_head(facts):
        note, ok = Note("load_why_tied"), True
    elif stored > meta:
        note, ok = Note("load_why_more", {"share": difference / stored}), None
    else:
        note = Note("load_why_less", {"share": difference / meta})
        ok = False if difference > _NEARLY * meta else None
    return [Looked("parameters", ok, Note("load_parameters_differ", both | {"why": note}))]


def _card(facts: ModelFacts) -> list[Looked]:
    looked = []
    if facts.card.gated:
        looked.append(Looked("access", None, Note("load_gated")))
    if facts.card.license:
        note = Note("load_license", {"license": facts.card.license})
        looked.append(Looked("license", None, note))
    return looked
