"""The errors that users can cause, each with a message that names the cure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from model_registry.language import text

MANY = 12  # names that a message lists before it says "and more"


class OhloraError(Exception):
    """The user must act; the message says how. The command line prints it and exits with 1.

    `korean` is the same message in Korean. Files keep `str(error)`, people read `shown`.
    """

    korean: str = ""

    def __init__(self, message: object = "", korean: str = "") -> None:
        super().__init__(message)
        if korean:
            self.korean = korean

    @property
    def shown(self) -> str:
        """The message in the reader's language, where there is one."""
        return text(str(self), self.korean or str(self))


class OhloraWarning(UserWarning):
    """Something went on without a part of it; shown as one line."""


class UnknownName(OhloraError):
    """Something was asked for by a name that nothing here has."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name = kind, name
        known = sorted(known)
        folded = {other.casefold(): other for other in known}
        wanted = name.casefold()
        near = difflib.get_close_matches(wanted, folded, n=1, cutoff=0.5)
        near = near or [other for other in folded if wanted and wanted in other]
        if near:
            hint = f"Did you mean {folded[near[0]]}?"
        elif known:
            rest = f" and {len(known) - MANY} more" if len(known) > MANY else ""
            hint = f"There are: {', '.join(known[:MANY])}{rest}."
        else:
            hint = "There are none."
        super().__init__(f"No {kind} is called {name}. {hint}")


class NoSuchFolder(UnknownName):
    """A path was named, and nothing is there. `near` are folders beside it."""

    def __init__(self, name: str, near: Iterable[str] = ()) -> None:
        self.kind, self.name = "folder", name
        close = difflib.get_close_matches(Path(name).name, list(near), n=1, cutoff=0.5)
        meant = Path(name).parent / close[0] if close else None
        self.korean = f"{name} 폴더가 없습니다." + (f" 혹시 {meant}인가요?" if meant else "")
        OhloraError.__init__(
            self, f"There is no folder {name}." + (f" Did you mean {meant}?" if meant else "")
        )


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


class BadTemplate(OhloraError):
    """A chat template that can't be used; `problem` is time, memory, length, refused or broken."""

    def __init__(self, problem: str, said: str = "") -> None:
        self.problem, self.said = problem, said
        what = {
            "time": "it did not end within 5 s",
            "memory": "it needs more memory than a template may take",
            "length": "it writes without end",
            "refused": "it refuses this conversation",
            "broken": "it is broken",
        }[problem]
        detail = f" ({said})" if said else ""
        super().__init__(
            f"The chat template of this model can't be used: {what}{detail}. Mend "
            "chat_template.jinja (or chat_template in tokenizer_config.json) in the model's folder."
        )


class NotFinite(OhloraError):
    """A model computes NaN or infinity: its answers and its training mean nothing."""


class LoadError(OhloraError):
    """A model can't be loaded; `status` is the status its case gets."""

    def __init__(self, status: str, message: str, korean: str = "") -> None:
        self.status, self.korean = status, korean
        super().__init__(message)


def first_line(error: BaseException) -> str:
    """An exception's class and the first line of what it says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
