"""The traces that `fit.py` reads: made once for the catalogs' architectures, kept as data.

`python -m model_registry.memory.coefficients` adds what the catalogs have and the table lacks,
which takes seconds to minutes an architecture; reading takes a millisecond and no torch. What is
asked for and not in the table is traced on the spot and kept in the user's cache folder.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from model_registry.errors import LoadError
from model_registry.files.json_values import JsonDict
from model_registry.files.whole_file import write_whole

TABLE = Path(__file__).resolve().parent / "coefficients.json"

#: (kind, dtype, device) that every catalog architecture has, LoRA on all linear layers.
TRACED = (
    ("inference", "bfloat16", "cuda"), ("lora", "bfloat16", "cuda"), ("full", "bfloat16", "cuda"),
    ("inference", "float32", "cpu"), ("lora", "float32", "cpu"), ("full", "float32", "cpu"),
)  # fmt: skip

#: What the study `lightweighting` does after: (targets, (kind, dtype, device) …).
LIGHT_TARGETS = ("q_proj", "v_proj")
LIGHT_TRACED = (
    ("lora", "bfloat16", "cuda"), ("lora", "bfloat16", "cpu"), ("lora", "float32", "cpu"),
)  # fmt: skip

#: Counts up when a step is done in another way, so that what was traced of the old one is left.
_FORM = 6

Traced = tuple[tuple[str, str, str], ...]
#: Architectures by their key; each has its model type, its counts and its traces by their key.
Table = dict[str, JsonDict]
Coefficients = dict[str, dict[str, list[float]]]


def architecture_key(values: Mapping[str, object]) -> str:
    """Twelve hexadecimal digits that stand for an architecture's values."""
    canonical = json.dumps(dict(values), sort_keys=True, default=list)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def trace_key(
    kind: str, dtype: str, device: str, targets: str | Sequence[str], dora: bool = False
) -> str:
    """The name of one trace. Half precisions are alike, and inference and full have no targets."""
    dtype = "bfloat16" if dtype == "float16" else dtype
    if kind == "inference":
        device = "any"
    names = targets if isinstance(targets, str) else ",".join(sorted(targets))
    of_lora = [names, *(["dora"] if dora else [])] if kind == "lora" else []
    return "/".join([kind, dtype, device, *of_lora])


def skeleton_of(values: Mapping[str, object]) -> dict[str, int]:
    """Counts of an architecture: see `trace.skeleton`.

    Raises:
        LoadError: "unsupported_architecture".
    """
    entry = _known(architecture_key(values))
    if "skeleton" not in entry:
        # Imports torch, which what is in the table does without.
        from model_registry.memory.trace import skeleton

        _remember(values, "skeleton", skeleton(values))
        entry = _known(architecture_key(values))
    return dict(entry["skeleton"])


def coefficients_of(
    values: Mapping[str, object],
    kind: str,
    *,
    dtype: str,
    device: str,
    targets: str | Sequence[str] = "all-linear",
    dora: bool = False,
) -> Coefficients:
    """The coefficients of one kind of work; traced now where the table has none.

    Raises:
        LoadError: "unsupported_architecture", with the reason.
    """
    name = trace_key(kind, dtype, device, targets, dora)
    entry = _known(architecture_key(values))
    if name not in entry:
        _remember(values, name, _trace(values, kind, dtype, device, targets, dora))
        entry = _known(architecture_key(values))
    found = entry[name]
    if isinstance(found, list):  # the reason why there is none, in English and Korean
        raise LoadError("unsupported_architecture", *found)
    return dict(found)


def is_known(
    values: Mapping[str, object],
    kind: str | None,
    *,
    dtype: str,
    device: str,
    targets: str | Sequence[str] = "all-linear",
    dora: bool = False,
) -> bool:
    """Whether an architecture's counts, and a kind's coefficients, are there without a trace."""
    entry = _known(architecture_key(values))
    return "skeleton" in entry and (
        kind is None or trace_key(kind, dtype, device, targets, dora) in entry
    )


def _trace(
    values: Mapping[str, object],
    kind: str,
    dtype: str,
    device: str,
    targets: str | Sequence[str],
    dora: bool = False,
) -> Coefficients | list[str]:
    # Imports torch, which what is in the table does without.
    from model_registry.memory.trace import trace_architecture

    try:
        return trace_architecture(
            values, kind, dtype=dtype, device=device, targets=targets, dora=dora
        )
    except LoadError as error:
        return [str(error), error.korean]


@cache
def _tables() -> tuple[Table, Table]:
    """The table that comes with the project, and the user's own."""
    return _read(TABLE), _read(_own_table())


def cache_folder() -> Path:
    """Where what was traced and measured for this user is kept."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "ohlora"


def _own_table() -> Path:
    """The user's cache; traces of other library versions are left behind in files of their own."""
    try:
        library = version("transformers")
    except PackageNotFoundError:
        library = "none"
    return cache_folder() / f"fit-table-{_FORM}-{library}.json"


def _read(path: Path) -> Table:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _known(key: str) -> JsonDict:
    shipped, own = _tables()
    return {**own.get(key, {}), **shipped.get(key, {})}


def _remember(values: Mapping[str, object], name: str, value: object) -> None:
    """Keep a trace for next time; a cache that can't be written costs only the time."""
    own = _tables()[1]
    for key, row in _read(_own_table()).items():  # another process may have traced since
        own[key] = {**row, **own.get(key, {})}
    own.setdefault(architecture_key(values), {"model_type": values["model_type"]})[name] = value
    try:
        _write(_own_table(), own)
    except OSError:
        return


def _write(path: Path, table: Table) -> None:
    # One architecture a line: changes stay readable.
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(row)}" for key, row in table.items())
    write_whole(path, f"{{\n{lines}\n}}\n".encode())


def fill(
    architectures: Iterable[Mapping[str, object]],
    path: Path = TABLE,
    traced: Traced = TRACED,
    targets: str | Sequence[str] = "all-linear",
) -> None:
    """Add what the table lacks, writing after each trace so that a stop loses little."""
    # Imports torch, which what is in the table does without.
    from model_registry.memory.trace import skeleton

    table = _read(path)
    # Recurrent ones last: their loop over tokens takes minutes to follow.
    ordered = sorted((v for v in architectures if v), key=lambda v: v["model_type"] == "rwkv")
    unique = {architecture_key(values): values for values in ordered}
    for kind, dtype, device in traced:
        name = trace_key(kind, dtype, device, targets)
        for key, values in unique.items():
            row = table.setdefault(key, {"model_type": values["model_type"]})
            if "skeleton" not in row:
                row["skeleton"] = skeleton(values)
            if name not in row:
                row[name] = _trace(values, kind, dtype, device, targets)
                _write(path, table)
                print(values["model_type"], name, flush=True)


def _fill_all() -> None:
    # The catalogs are read to fill the table, and by nothing that uses it.
    from model_registry.registry import Registry

    def of(*names: str) -> list[Mapping[str, object]]:
        return [c.shapes for name in names for c in Registry().candidates(name)]

    fill(of("bundled", "diagram", "korean-small", "korean-2026", "lightweighting", "deepseek"))
    fill(of("lightweighting"), traced=LIGHT_TRACED, targets=LIGHT_TARGETS)


if __name__ == "__main__":
    _fill_all()
