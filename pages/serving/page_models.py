"""The models behind the page: which candidates can answer here, loaded on first use."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from evaluators.grading.submission import InvalidRequest
from model_registry import machine
from model_registry.backends.partial_answers import Enough, Growing, partial_answers
from model_registry.backends.remote.endpoint import missing_settings
from model_registry.errors import UnknownName
from model_registry.naming.resolve import find_candidate
from model_registry.registry import Registry

if TYPE_CHECKING:
    from model_registry.backends.backend import Answer, Backend, GenerationSettings
    from model_registry.backends.transformers_local import Question
    from model_registry.candidate import Candidate

P = ParamSpec("P")
R = TypeVar("R")

#: Models kept in memory at once; one more lets go of the one that was asked longest ago.
KEPT = 4


class Models:
    """Candidates that can answer on this machine without a download, and those named by the owner.

    Args:
        registry: all candidates and backends that are known.
        named: names to offer although their weights must be fetched first.
    """

    def __init__(self, registry: Registry | None = None, named: Sequence[str] = ()) -> None:
        self.registry = registry or Registry()
        self._offered = {
            c.name: c for c in self.registry.candidates() if c.name in named or is_at_hand(c)
        }
        for name in named:
            found = find_candidate(name, self.registry)
            self._offered.setdefault(found.name, found)
        self._loaded: OrderedDict[str, Backend] = OrderedDict()
        # One at a time: transformers' loading swaps the process's default device for a while.
        self._loading = threading.Lock()
        self._lock = threading.Lock()
        self._under_way: list[str] = []
        self._warming: set[str] = set()
        self._answer = on_gpu(self._stream_here)
        self._partial = on_gpu(self._partial_here)

    @property
    def names(self) -> list[str]:
        """The candidates to choose from, those on this disk first."""
        return sorted(self._offered, key=lambda name: (self._offered[name].path is None, name))

    @property
    def chatting(self) -> list[str]:
        """Those of `names` that talk about anything, so that comparing two of them is fair."""
        return [name for name in self.names if self._offered[name].chats]

    def stream(
        self, name: str, messages: Sequence[dict[str, str]], settings: GenerationSettings
    ) -> Generator[str, None, Answer]:
        """A candidate's answer piece by piece; closing the generator stops the work.

        Raises:
            UnknownName: not one of those on offer.
            LoadError: its weights can't be loaded.
        """
        self._backend(name)  # loaded here: a process borrowed for a GPU is gone after its answer
        self._under_way.append(name)
        try:
            return (yield from self._answer(name, messages, settings))
        finally:
            self._under_way.remove(name)

    def _stream_here(
        self, name: str, messages: Sequence[dict[str, str]], settings: GenerationSettings
    ) -> Generator[str, None, Answer]:
        return (yield from self._backend(name).stream(messages, settings))

    def partial_answers(self, name: str, questions: Sequence[Question], enough: Enough) -> Growing:
        """A candidate's answers to several questions, each while it grows; closing stops the work.

        Raises:
            UnknownName, LoadError: as `stream` does.
        """
        self._backend(name)
        self._under_way.append(name)
        try:
            yield from self._partial(name, questions, enough)
        finally:
            self._under_way.remove(name)

    def _partial_here(self, name: str, questions: Sequence[Question], enough: Enough) -> Growing:
        yield from partial_answers(self._backend(name), questions, enough)

    def gathers(self, name: str) -> bool:
        """Whether a candidate's answer comes in one piece with all that came while nobody asked.

        Raises:
            UnknownName, LoadError: as `stream` does.
        """
        if os.environ.get("SPACES_ZERO_GPU"):
            return False
        self._backend(name)
        return self.registry.traits(self._offered[name].backend).gathers

    @property
    def busy(self) -> int:
        """How many answers are under way."""
        return len(self._under_way)

    def warm_up(self, name: str = "") -> None:
        """Load a candidate beside everything else, so that whoever asks it first waits less.

        Without a name it is the first, unless any other is loaded.
        """
        if not name and (self._loaded or self._loading.locked()):
            return
        name = name or next(iter(self.names), "")
        if name in self._loaded or name in self._warming or name not in self._offered:
            return
        if self._offered[name].path is not None:
            self._warming.add(name)
            threading.Thread(target=self._try, args=(name,), daemon=True).start()

    def _try(self, name: str) -> None:
        with contextlib.suppress(Exception):  # whoever asks for it is told what is wrong
            self._backend(name)
        self._warming.discard(name)

    def _backend(self, name: str) -> Backend:
        if not self._offered:
            raise InvalidRequest(
                "No candidate can answer here yet: make the bundled ones with `make bundled`, or "
                "name one that may be fetched with --candidate NAME.",
                "아직 답할 수 있는 후보가 없어요. `make bundled`로 작은 모델을 만들거나, "
                "--candidate 이름 으로 내려받을 후보를 고르세요.",
            )
        if not isinstance(name, str) or name not in self._offered:
            raise UnknownName("candidate", str(name)[:80], self._offered)
        with self._lock:
            if name in self._loaded:
                self._loaded.move_to_end(name)
                return self._loaded[name]
        with self._loading:
            if (backend := self._loaded.get(name)) is None:
                backend = self._load(self._offered[name])
                self._keep(name, backend)
            return backend

    def _load(self, candidate: Candidate) -> Backend:
        device = machine.pick_device() if candidate.backend == "transformers" else "cpu"
        weights = "path" if candidate.path else "hub"
        return self.registry.backend(candidate.backend)(candidate, weights=weights, device=device)

    def _keep(self, name: str, backend: Backend) -> None:
        with self._lock:
            self._loaded[name] = backend
            # Let go of by reference only: an answer that is under way keeps its model until done.
            while len(self._loaded) > KEPT:
                self._loaded.popitem(last=False)


def on_gpu(function: Callable[P, R]) -> Callable[P, R]:
    """The same function on a GPU that is lent for each call, on a ZeroGPU Space; else as it is."""
    if not os.environ.get("SPACES_ZERO_GPU"):
        return function
    import spaces

    decorated: Callable[P, R] = spaces.GPU(function)
    return decorated


def is_at_hand(candidate: Candidate) -> bool:
    """Whether a candidate can answer without a download: on disk, in the cache, or served."""
    if candidate.needs_remote_code:
        return False
    if candidate.path:
        return Path(candidate.path, "config.json").is_file()
    if candidate.backend != "transformers":
        # One without an endpoint needs none.
        return not candidate.endpoint or not missing_settings(candidate)
    return _is_cached(candidate.hub_id)


def _is_cached(hub_id: str | None) -> bool:
    """Whether weights were fetched before, told from the cache's folders without the network."""
    if not hub_id:
        return False
    from huggingface_hub.constants import HF_HUB_CACHE

    snapshots = Path(HF_HUB_CACHE, f"models--{hub_id.replace('/', '--')}", "snapshots")
    return any(snapshots.glob("*/*.safetensors"))
