"""All known candidates and backends: from catalogs and plugins."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pluggy

from model_registry import backends, catalog, hookspecs
from model_registry.backends.backend import BackendFactory, BackendTraits, nothing_missing
from model_registry.candidate import Candidate
from model_registry.errors import DuplicateName, UnknownName
from model_registry.files.names import name_problem
from model_registry.language import Said
from model_registry.messages.notes import Note
from model_registry.plugins import call_each, plugin_manager, third_party_code


def registry_manager(files: Iterable[Path | str] = ()) -> pluggy.PluginManager:
    """A plugin manager for candidates and backends: built-ins, installed plugins, files."""
    return plugin_manager([hookspecs], [backends], files)


class Registry:
    """Candidates and backends by name.

    Args:
        files: plugin files named by the user.
        manager: another plugin manager, for tests.
    """

    def __init__(
        self, files: Iterable[Path | str] = (), manager: pluggy.PluginManager | None = None
    ) -> None:
        files = tuple(files)
        self.files = tuple(str(file) for file in files)
        self.manager = manager or registry_manager(files)
        self.backends: dict[str, BackendFactory] = {}
        self._traits: dict[str, BackendTraits] = {}
        self._plugin_candidates: list[Candidate] = []
        call_each(self.manager, "register_backends", self._add_backend)
        call_each(self.manager, "register_candidates", self._add_candidate)

    def _add_candidate(self, candidate: Candidate) -> None:
        if not isinstance(candidate, Candidate):
            raise TypeError(f"register takes a Candidate, not a {type(candidate).__name__}")
        if problem := name_problem(candidate.name):
            raise ValueError(problem[0])
        self._plugin_candidates.append(candidate)

    def _add_backend(
        self,
        name: str,
        factory: BackendFactory,
        *,
        missing: Callable[[Candidate], Said] = nothing_missing,
        gathers: bool = False,
    ) -> None:
        if name in self.backends:
            raise DuplicateName(
                f"Two backends are called {name}. Rename one of them.",
                f"{name}이라는 백엔드가 둘입니다. 하나의 이름을 바꾸세요.",
            )
        self.backends[name] = factory
        self._traits[name] = BackendTraits(missing, gathers)

    def candidates(self, catalog_name: str | None = None) -> list[Candidate]:
        """The candidates of one catalog (a name or a file) or of all, plugins' ones included.

        Candidates of plugins belong to every catalog whose name they bear, and to "all".

        Raises:
            UnknownName: no such catalog.
            DuplicateName: two candidates of one name.
        """
        if catalog_name is None:
            names: Iterable[str] = catalog.catalog_names()
        else:
            names = [catalog_name]
        found: list[Candidate] = []
        for name in names:
            if not self._only_of_plugins(name):
                found += catalog.read_catalog(catalog.catalog_path(name))
        found += [
            candidate
            for candidate in self._plugin_candidates
            if catalog_name in (None, candidate.catalog)
        ]
        return list(_by_name(found).values())

    def _only_of_plugins(self, name: str) -> bool:
        own = name.endswith(".toml") or name in catalog.catalog_names()
        return not own and any(c.catalog == name for c in self._plugin_candidates)

    def candidate(self, name: str, catalog_name: str | None = None) -> Candidate:
        """One candidate by its name or its hub id, of one catalog (a name or a file) or of any.

        Raises:
            UnknownName: there is none; the message names the nearest.
        """
        known = _by_name(self.candidates(catalog_name))
        for candidate in known.values():
            if name in (candidate.name, candidate.hub_id):
                return candidate
        raise UnknownName("candidate", name, known)

    def backend(self, name: str) -> BackendFactory:
        """The factory of a backend.

        Raises:
            UnknownName: there is none.
        """
        if name not in self.backends:
            raise UnknownName("backend", name, self.backends)
        return self.backends[name]

    def traits(self, backend: str) -> BackendTraits:
        """A backend's declared properties; the defaults for one that is not here."""
        return self._traits.get(backend, BackendTraits())

    def missing(self, candidate: Candidate) -> Note | None:
        """What must be set up before a candidate can be asked, by its backend; None for nothing.

        One whose backend is not here lacks nothing that could be set: asking it fails.
        """
        with third_party_code():
            said = self.traits(candidate.backend).missing(candidate)
        if isinstance(said, tuple):
            return Note.in_both(*said)
        return Note.written(said) if said else None


def _by_name(candidates: Iterable[Candidate]) -> dict[str, Candidate]:
    by_name: dict[str, Candidate] = {}
    for candidate in candidates:
        other = by_name.get(candidate.name)
        if other is not None:
            raise DuplicateName(
                f"Two candidates are called {candidate.name} (catalogs {other.catalog or '?'} and "
                f"{candidate.catalog or '?'}). Rename one of them.",
                f"{candidate.name}이라는 후보가 둘입니다(목록 {other.catalog or '?'}, "
                f"{candidate.catalog or '?'}). 하나의 이름을 바꾸세요.",
            )
        by_name[candidate.name] = candidate
    return by_name
