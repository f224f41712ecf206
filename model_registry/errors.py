"""Every error a user can cause, each with a message that names the cure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class OhloraError(Exception):
    """The user must act; the message says how. The command line prints it and exits with 1."""


class UnknownName(OhloraError):
    """Something was asked for by a name that nothing here has."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name = kind, name
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        if near:
            hint = f"Did you mean {near[0]}?"
        elif known:
            hint = f"There are: {', '.join(known)}."
        else:
            hint = "There are none."
        super().__init__(f"No {kind} is called {name}. {hint}")


class BadFile(OhloraError):
    """A file that the user wrote holds something that can't be read."""

    def __init__(self, path: Path | str, line: int | None, problem: str) -> None:
        self.path, self.line, self.problem = Path(path), line, problem
        where = f"{path}:{line}" if line else str(path)
        super().__init__(f"{where}: {problem}")


class DuplicateName(OhloraError):
    """Two candidates, evaluators or backends claim one name."""


class BadTrainingRow(OhloraError):
    """A row that would teach the model something wrong; found before training starts."""


class LoadError(OhloraError):
    """A model can't be loaded; `status` is the status its case gets."""

    def __init__(self, status: str, message: str) -> None:
        self.status = status
        super().__init__(message)
