"""lm-evaluation-harness: finds tasks, hashes what they ask, and evaluates a loaded model on one."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import getproxies

from benchmarks.study.contract import Contract
from benchmarks.workloads.log import Figures
from model_registry.errors import LoadError, OhloraError, UnknownName
from model_registry.hub import network_is_up
from model_registry.language import text
from model_registry.weights.loading import LoadedModel

if TYPE_CHECKING:
    from lm_eval.tasks import TaskManager

CURE = 'pip install -e ".[benchmarks]"'
_HASHED = (".yaml", ".py", ".jsonl", ".json", ".csv", ".tsv", ".txt", ".parquet")
MISSING = "missing"  # in the place of a hash, of a task that is not there


def is_installed() -> bool:
    """Whether lm-evaluation-harness can be imported."""
    return importlib.util.find_spec("lm_eval") is not None


def check_installed() -> None:
    """Refuse where lm-evaluation-harness is not installed.

    Raises:
        OhloraError: with the cure.
    """
    if not is_installed():
        raise OhloraError(
            text(
                f"Benchmark tasks need lm-evaluation-harness: {CURE}",
                f"벤치마크 과제를 실행하려면 lm-evaluation-harness가 필요합니다: {CURE}",
            )
        )


def task_manager(
    names: Sequence[str], folder: Path | None, places: Sequence[str] = ()
) -> TaskManager:
    """A manager that knows these tasks, if there are such.

    Indexing the 14,000 files of all tasks takes some twenty seconds, so that only those folders
    are indexed whose files name the tasks or the members of their groups: `places`, where they
    were found before.
    """
    from lm_eval import tasks

    own = [folder] if folder else []
    known = [Path(tasks.__file__).parent / place for place in places]
    if known and all(place.is_dir() for place in known):
        return tasks.TaskManager(include_path=[*known, *own], include_defaults=False)
    inside = _named_in(folder) if folder else {}
    members = {each for name in names if name in inside for each in inside[name].members}
    shipped = {*names, *members} - set(inside)
    named = named_tasks() if shipped else {}
    where = {named[name].folder for name in shipped if name in named}
    for _ in range(2):  # members of groups, and of the groups among them
        manager = tasks.TaskManager(include_path=[*sorted(where), *own], include_defaults=False)
        more = {named[each].folder for each in _strangers(manager) if each in named} - where
        if not more:
            break
        where |= more
    return manager


def _strangers(manager: TaskManager) -> set[str]:
    """Members of groups that a manager does not know."""
    named = {
        str(member)
        for entry in manager.task_index.values()
        for member in _listed((entry.cfg or {}).get("task"))
        if "group" in (entry.cfg or {}) and isinstance(member, str)
    }
    return named - set(manager.all_tasks)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


@dataclass(frozen=True, slots=True)
class _Named:
    """Where a name stands: a folder, the members below it, and whether it is defined there."""

    folder: Path
    members: tuple[str, ...]
    defined: bool


@cache
def named_tasks() -> dict[str, _Named]:
    """The tasks, groups and tags that come with lm-evaluation-harness, by name."""
    from lm_eval import tasks

    found: dict[str, _Named] = {}
    for path in sorted(Path(tasks.__file__).parent.iterdir()):
        for name, named in _named_in(path).items() if path.is_dir() else ():
            if name not in found or (named.defined and not found[name].defined):
                found[name] = named
    return found


_NAMING = re.compile(
    r"""^["']?(task|group|tag)["']?[ \t]*:[ \t]*((?:\n[ \t]*-[ \t]*[^\n]+)+|[^\n]+)""", re.M
)
_NAME = re.compile(r"[^\s,\[\]\"'#-][^\s,\[\]\"'#]*")


def _named_in(folder: Path) -> dict[str, _Named]:
    """The names in the YAML files of a folder, read as text: parsing them takes far longer."""
    found: dict[str, _Named] = {}
    for path in sorted(folder.rglob("*yaml")):  # those that are only included, too
        source = path.read_text(encoding="utf-8", errors="replace")
        keys = {key: _NAME.findall(value) for key, value in _NAMING.findall(source)}
        members = tuple(keys.get("task", ())) if "group" in keys else ()
        defined = keys.get("group") or keys.get("task") or []
        for name in defined[:1]:
            if name not in found or not found[name].defined:
                found[name] = _Named(folder, members, True)
        for name in (*keys.get("tag", ()), *members):
            found.setdefault(name, _Named(folder, (), False))
    return found


def task_hashes(
    names: Sequence[str], folder: Path | None
) -> tuple[dict[str, str], tuple[str, ...]]:
    """A hash of what each task asks: its configuration, and of one's own its files too.

    With them the folders of lm-evaluation-harness that hold the tasks.

    Raises:
        OhloraError: lm-evaluation-harness is not installed.
    """
    check_installed()
    with quietly():
        manager = task_manager(names, folder)
    return {name: _hash_of(manager, name, folder) for name in names}, _places_of(manager)


def _places_of(manager: TaskManager) -> tuple[str, ...]:
    """The names of the harness's own folders that were indexed."""
    from lm_eval import tasks

    home = Path(tasks.__file__).parent
    paths = [entry.yaml_path for entry in manager.task_index.values() if entry.yaml_path]
    inside = [path.relative_to(home) for path in paths if path.is_relative_to(home)]
    return tuple(sorted({path.parts[0] for path in inside}))


def _hash_of(manager: TaskManager, name: str, folder: Path | None) -> str:
    """The same wherever the folder and the harness lie: functions are named by their whole path."""
    if name not in manager.task_index:
        return MISSING
    from lm_eval import tasks

    digest = hashlib.sha256()
    own = False
    homes = [Path(tasks.__file__).parent, *([folder, folder.resolve()] if folder else [])]
    for configuration, place in _configurations(manager, name):
        own = own or (folder is not None and place is not None and place.is_relative_to(folder))
        said = json.dumps(configuration, sort_keys=True, ensure_ascii=False, default=str)
        for home in (place, *homes):
            said = said if home is None else said.replace(str(home), "")
        digest.update(said.encode())
    for path in sorted(folder.rglob("*")) if folder and own else ():
        if path.suffix in _HASHED and path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _configurations(manager: TaskManager, name: str) -> Iterator[tuple[Figures, Path | None]]:
    """The configuration of a task and of all below it, each with its folder."""
    entry = manager.task_index.get(name)
    if entry is None:
        return
    if entry.cfg is None:  # a tag
        for other in sorted(manager.task_index.values(), key=lambda other: str(other.name)):
            if other.cfg is not None and name in other.tags:
                yield from _configurations(manager, other.name)
        return
    yield entry.cfg, entry.yaml_path.parent if entry.yaml_path else None
    members = entry.cfg.get("task") if "group" in entry.cfg else None
    for member in members if isinstance(members, list) else ():
        if isinstance(member, str):
            yield from _configurations(manager, member)


@dataclass(frozen=True, slots=True)
class Opened:
    """A task that was loaded with its documents: what `evaluate` takes."""

    specifications: Sequence[object]
    manager: TaskManager
    metrics: Sequence[str]  # that the task or group declares, the first one first


def open_task(name: str, folder: Path | None, places: Sequence[str] = ()) -> Opened:
    """Load a task with its documents, from the hub where they are not in its cache.

    Raises:
        LoadError: there is no such task, or its data can't be had or needs code of others.
    """
    manager = task_manager([name], folder, places)
    if name not in manager.task_index:
        raise LoadError(
            "error", str(UnknownName("task", name, {*named_tasks(), *manager.all_tasks}))
        )
    try:
        loaded = manager.load([name])
    except Exception as error:
        raise _failure(name, error) from error
    top = loaded["groups"].get(name)
    specifications = [top] if top is not None else list(loaded["tasks"].values())
    configuration = next(_configurations(manager, name))[0]
    declared = configuration.get("aggregate_metric_list") or configuration.get("metric_list") or []
    declared = [declared] if isinstance(declared, dict) else declared
    return Opened(specifications, manager, [str(each["metric"]) for each in declared])


def _failure(name: str, error: Exception) -> LoadError:
    """What an exception of loading a task's data means, in one line."""
    message = str(error)
    first = next((line.strip() for line in message.splitlines() if line.strip()), "")
    if "scripts are no longer supported" in message or "trust_remote_code" in message:
        return LoadError(
            "needs_remote_code", f"the data of {name} needs its publisher's code: it is not run"
        )
    if _is_gated(error):
        return LoadError(
            "gated", f"the data of {name} is gated: accept its terms on its page, `hf auth login`"
        )
    if isinstance(error, ConnectionError):  # also where HF_HUB_OFFLINE forbids to try
        cure = "run it once with the hub in reach, then it is in the cache"
        return LoadError("unreachable", f"the data of {name} can't be had: {first[:200]}: {cure}")
    if isinstance(error, OSError) or _is_of_the_hub(error):
        return LoadError("unreachable", f"the data of {name} can't be had: {first[:200]}")
    return LoadError("error", f"{name} can't be loaded: {type(error).__name__}: {first[:200]}")


_GATED = re.compile(r"\bgated (?:dataset|repo)", re.I)


def _is_gated(error: BaseException | None) -> bool:
    """Whether terms are to be accepted first, by an exception or by what it comes from."""
    from huggingface_hub.errors import GatedRepoError

    if error is None:
        return False
    if isinstance(error, GatedRepoError) or _GATED.search(str(error)):
        return True
    return _is_gated(error.__cause__)


def _is_of_the_hub(error: Exception) -> bool:
    """Whether a hub's client could not get something; DatasetNotFoundError is an OSError."""
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of its HTTP client

    return isinstance(error, HTTPError)


def evaluate(loaded: LoadedModel, opened: Opened, contract: Contract) -> Figures:
    """What lm-evaluation-harness finds, its samples included; no thinking, its own seeds.

    Raises:
        LoadError: the task is to be asked in a chat template, and there is none; or it runs code
            that models write.
    """
    import lm_eval
    from lm_eval.models.huggingface import HFLM

    if contract.task_template and not loaded.tokenizer.chat_template:
        raise LoadError("error", "its tokenizer has no chat template to ask tasks in")
    model = HFLM(
        pretrained=loaded.model,
        tokenizer=loaded.tokenizer,
        batch_size=contract.batch_size,
        enable_thinking=False,
    )
    try:
        results: Figures = lm_eval.simple_evaluate(
            model=model,
            tasks=list(opened.specifications),
            task_manager=opened.manager,
            num_fewshot=None if contract.task_shots < 0 else contract.task_shots,
            limit=contract.task_limit or None,
            apply_chat_template=contract.task_template,
            fewshot_as_multiturn=contract.task_template,
            bootstrap_iters=0,  # our intervals come from the samples
            log_samples=True,
        )
    except ValueError as error:
        if "marked as unsafe" in str(error):
            said = "the task runs code that models write: it is not run"
            raise LoadError("needs_remote_code", said) from error
        raise
    return results


@contextlib.contextmanager
def quietly(folder: Path | None = None) -> Iterator[None]:
    """Without what the libraries tell, and in a folder of tasks: their files are named from there.

    Metrics that are code on the hub stay there. Where no hub can be reached nothing waits for it:
    what was fetched before is in the cache.
    """
    os.environ.setdefault("HF_EVALUATE_OFFLINE", "1")  # read when `evaluate` is imported
    where = contextlib.chdir(folder) if folder else contextlib.nullcontext()
    kept = os.dup(2)  # programs that a library starts write there, too
    with where, Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        os.dup2(nowhere.fileno(), 2)
        try:
            with contextlib.nullcontext() if _hub_may_answer() else _offline():
                yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _hub_may_answer() -> bool:
    """Whether the hub can be reached, or a proxy may reach it: a connection of ours can't tell."""
    return any(name in getproxies() for name in ("http", "https", "all")) or network_is_up()


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """What the environment would have said, had it been known before the import; for a while."""
    from datasets import config  # type: ignore[attr-defined]  # the library, not our folder
    from huggingface_hub import constants

    before = config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = before


def numbers(row: Mapping[str, object]) -> dict[str, float]:
    """The metrics in a row of results, by metric and filter: "acc,none"."""
    return {
        name: float(value)
        for name, value in row.items()
        if "," in name and "_stderr," not in name and isinstance(value, int | float)
    }
