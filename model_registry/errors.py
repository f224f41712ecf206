"""The errors that users can cause, each with a message that names the cure."""

from __future__ import annotations

import difflib
import errno
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from model_registry.language import text

MANY = 12  # names that a message lists before it says "and more"


class OhloraError(Exception):
    """The user must act; the message says how. The command line prints it and exits with 1.

    `korean` is the same message in Korean. Programs read `str(error)`, people read `shown`.
    """

    def __init__(self, message: str, korean: str) -> None:
        super().__init__(message)
        self.korean = korean

    @property
    def shown(self) -> str:
        """The message in the reader's language."""
        return text(str(self), self.korean)

    def __reduce__(self) -> tuple[object, ...]:
        """Travels between processes whatever its own arguments were."""
        return _rebuilt, (type(self), self.args, self.__dict__)


def _rebuilt(kind: type[OhloraError], told: tuple[object, ...], kept: dict[str, object]) -> object:
    error = kind.__new__(kind, *told)
    error.__dict__.update(kept)
    return error


class OhloraWarning(UserWarning):
    """Something went on without a part of it; shown as one line."""


_TABLE = Path(__file__).with_name("kinds.toml")
#: What can be asked for by name, in Korean; a longer kind ("column of FILE") is its first words.
_KINDS: dict[str, str] = tomllib.loads(_TABLE.read_text(encoding="utf-8"))


def kind_in_korean(kind: str) -> str:
    """A kind of thing in Korean; `column of FILE` says the file too."""
    if kind in _KINDS:
        return _KINDS[kind]
    for joint in (" of ", " beside ", " in "):
        what, found, where = kind.partition(joint)
        if found and what in _KINDS:
            return f"{where}의 {_KINDS[what]}"
    return kind


def _subject(noun: str) -> str:
    """A noun with the particle of a subject, which depends on its last sound."""
    last = ord(noun[-1]) - ord("가")
    if not 0 <= last < 11_172:
        return f"{noun}이(가)"
    return noun + ("이" if last % 28 else "가")


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
            hint = (f"Did you mean {folded[near[0]]}?", f"혹시 {folded[near[0]]}인가요?")
        elif known:
            listed, rest = ", ".join(known[:MANY]), len(known) - MANY
            hint = (
                f"There are: {listed}{f' and {rest} more' if rest > 0 else ''}.",
                f"고를 수 있는 이름: {listed}{f' 외 {rest}개' if rest > 0 else ''}.",
            )
        else:
            hint = ("There are none.", "고를 수 있는 이름이 없습니다.")
        super().__init__(
            f"No {kind} is called {name}. {hint[0]}",
            f"{name}: 그런 {_subject(kind_in_korean(kind))} 없습니다. {hint[1]}",
        )


class NoSuchFolder(UnknownName):
    """A path was named, and nothing is there. `near` are folders beside it."""

    def __init__(self, name: str, near: Iterable[str] = ()) -> None:
        self.kind, self.name = "folder", name
        close = difflib.get_close_matches(Path(name).name, list(near), n=1, cutoff=0.5)
        meant = Path(name).parent / close[0] if close else None
        OhloraError.__init__(
            self,
            f"There is no folder {name}." + (f" Did you mean {meant}?" if meant else ""),
            f"{name} 폴더가 없습니다." + (f" 혹시 {meant}인가요?" if meant else ""),
        )


class BadFile(OhloraError):
    """A file that the user wrote holds something that can't be read.

    `problem` and `problem_ko` say what, without the place.
    """

    def __init__(self, path: Path | str, line: int | None, problem: str, korean: str) -> None:
        self.path, self.line, self.problem, self.problem_ko = Path(path), line, problem, korean
        where = f"{path}:{line}" if line else str(path)
        super().__init__(f"{where}: {problem}", f"{where}: {korean}")

    @classmethod
    def unreadable(cls, path: Path | str, error: OSError) -> BadFile:
        """The error for a file that the system can't read."""
        reason, korean = system_reasons(error).values()
        return cls(path, None, f"can't be read ({reason})", f"읽을 수 없습니다({korean})")


class DuplicateName(OhloraError):
    """Two candidates, evaluators or backends claim one name."""


class BadTrainingRow(OhloraError):
    """A row that would teach the model something wrong; found before training starts."""


_TEMPLATE_PROBLEMS = {
    "time": ("it did not end within 5 s", "5초 안에 끝나지 않았습니다"),
    "memory": ("it needs more memory than a template may take", "메모리를 너무 많이 씁니다"),
    "length": ("it writes without end", "끝없이 씁니다"),
    "refused": ("it refuses this conversation", "이 대화를 받지 않습니다"),
    "broken": ("it is broken", "문법이 잘못되었습니다"),
}


class BadTemplate(OhloraError):
    """A chat template that can't be used; `problem` is time, memory, length, refused or broken."""

    def __init__(self, problem: str, said: str = "") -> None:
        self.problem, self.said = problem, said
        english, korean = _TEMPLATE_PROBLEMS[problem]
        detail = f" ({said})" if said else ""
        super().__init__(
            f"The chat template of this model can't be used: {english}{detail}. Mend "
            "chat_template.jinja (or chat_template in tokenizer_config.json) in the model's "
            "folder.",
            f"이 모델의 대화 템플릿을 쓸 수 없습니다: {korean}{detail}. 모델 폴더의 "
            "chat_template.jinja(또는 tokenizer_config.json의 chat_template)를 고치세요.",
        )


class NotFinite(OhloraError):
    """A model computes NaN or infinity: its answers and its training mean nothing."""


class LoadError(OhloraError):
    """A model can't be loaded; `status` is the status its case gets."""

    def __init__(self, status: str, message: str, korean: str) -> None:
        self.status = status
        super().__init__(message, korean)

    @classmethod
    def of(cls, code: str, **values: object) -> LoadError:
        """The error of load_errors.toml that has this code, these values in its texts."""
        known = _load_errors()[code]
        status = known.get("status", "error")
        return cls(status, known["en"].format(**values), known["ko"].format(**values))


@cache
def _load_errors() -> dict[str, dict[str, str]]:
    table = Path(__file__).with_name("load_errors.toml")
    return tomllib.loads(table.read_text(encoding="utf-8"))


_SYSTEM_REASONS = {
    errno.ENOENT: "파일이 없습니다",
    errno.EISDIR: "폴더입니다",
    errno.ENOTDIR: "폴더가 아닙니다",
    errno.EACCES: "권한이 없습니다",
    errno.ELOOP: "링크가 순환합니다",
    errno.ENAMETOOLONG: "이름이 너무 깁니다",
    errno.ENOSPC: "디스크가 가득 찼습니다",
    errno.EROFS: "읽기 전용 파일 시스템입니다",
}


def system_reasons(error: OSError) -> dict[str, str]:
    """What an error of the system says, as `reason` and in Korean as `reason_ko`."""
    korean = _SYSTEM_REASONS.get(error.errno or 0, f"입출력 오류 {error.errno}")
    return {"reason": error.strerror or str(error), "reason_ko": korean}


def first_line(error: BaseException, longest: int | None = 200) -> str:
    """An exception's class and the first line of what it says, of so many characters at most."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:longest]}" if lines else type(error).__name__
