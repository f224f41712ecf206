"""Tasks of lm-evaluation-harness: finds them by name, and hashes what they ask."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.workloads.log import Figures
from model_registry.errors import OhloraError

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
            f"Benchmark tasks need lm-evaluation-harness: {CURE}",
            f"벤치마크 과제를 실행하려면 lm-evaluation-harness가 필요합니다: {CURE}",
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
        more = {named[each].folder for each in _unknown_members(manager) if each in named} - where
        if not more:
            break
        where |= more
    return manager


def _unknown_members(manager: TaskManager) -> set[str]:
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
    for configuration, place in configurations(manager, name):
        own = own or (folder is not None and place is not None and place.is_relative_to(folder))
        said = json.dumps(configuration, sort_keys=True, ensure_ascii=False, default=str)
        for home in (place, *homes):
            said = said if home is None else said.replace(str(home), "")
        digest.update(said.encode())
    for path in sorted(folder.rglob("*")) if folder and own else ():
        if path.suffix in _HASHED and path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def configurations(manager: TaskManager, name: str) -> Iterator[tuple[Figures, Path | None]]:
    """The configuration of a task and of all below it, each with its folder."""
    entry = manager.task_index.get(name)
    if entry is None:
        return
    if entry.cfg is None:  # a tag
        for other in sorted(manager.task_index.values(), key=lambda other: str(other.name)):
            if other.cfg is not None and name in other.tags:
                yield from configurations(manager, other.name)
        return
    yield entry.cfg, entry.yaml_path.parent if entry.yaml_path else None
    members = entry.cfg.get("task") if "group" in entry.cfg else None
    for member in members if isinstance(members, list) else ():
        if isinstance(member, str):
            yield from configurations(manager, member)
