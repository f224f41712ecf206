"""Writes output that users keep: checked before the work, whole or not at all.

What is half-written lies in a folder beside, under a name of its own, and is moved when it is
whole: a full disk or a kill leaves nothing that looks finished or stands in a retry's way.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_registry.errors import OhloraError
from model_registry.files.folder_lock import NAME as LOCK
from model_registry.files.folder_lock import FolderLock
from model_registry.files.whole_file import umask


def check_folder(path: Path) -> None:
    """Refuse a folder that could not be written, before anything is done for it.

    Raises:
        OhloraError: a file is in its place, or it can't be made or written to.
    """
    if path.exists() and not path.is_dir():
        raise OhloraError(
            f"{path} is a file, not a folder. Choose another --out.",
            f"{path}은(는) 폴더가 아니라 파일입니다. 다른 --out을 지정하세요.",
        )
    _check_parent(path, "--out")


def check_file(path: Path, option: str) -> None:
    """Refuse a file that could not be written, before anything is done for it.

    Raises:
        OhloraError: a folder is in its place, or it can't be written.
    """
    if path.is_dir():
        raise OhloraError(
            f"{path} is a folder, not a file. Choose another {option}.",
            f"{path}은(는) 파일이 아니라 폴더입니다. 다른 {option}을 지정하세요.",
        )
    if path.exists() and not os.access(path, os.W_OK):
        raise _not_writable(path, path, option)
    _check_parent(path, option)


def _check_parent(path: Path, option: str) -> None:
    """The nearest thing that exists on the way to a path must be a folder that takes files."""
    there = path.absolute().parent if path.is_file() else _nearest(path)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise _not_writable(path, there, option)


def _nearest(path: Path) -> Path:
    """A path, or the nearest folder above it that exists."""
    there = path.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    return there


def _not_writable(path: Path, cause: Path, option: str) -> OhloraError:
    return OhloraError(
        f"{path} can't be written: {cause} is no folder that may be written to. Choose "
        f"another {option}.",
        f"{path}에 쓸 수 없습니다: {cause}에 쓰기 권한이 없거나 폴더가 아닙니다. 다른 "
        f"{option}을 지정하세요.",
    )


@contextmanager
def saving(path: Path) -> Iterator[None]:
    """Turn the errors of a full or failing disk into one line.

    Raises:
        OhloraError: with the reason, and how much room is left.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        if isinstance(error, SafetensorError) and "Io" not in str(error):
            raise
        raise OhloraError(*_disk_words(path, error)) from error


def _disk_words(path: Path, error: Exception) -> tuple[str, str]:
    said = error.strerror if isinstance(error, OSError) else None
    reason = said or str(error).splitlines()[0]
    free = _free_megabytes(path)
    return (
        f"{path} could not be written ({reason}; {free} MB are free there). Make room, or choose "
        "another place; what was finished before is kept.",
        f"{path}에 쓰지 못했습니다({reason}, 남은 공간 {free} MB). 공간을 비우거나 다른 곳을 "
        "지정하세요. 그 전에 끝난 것은 남아 있습니다.",
    )


def _free_megabytes(path: Path) -> int | str:
    try:
        return shutil.disk_usage(_nearest(path)).free // 2**20
    except OSError:
        return "?"


@contextmanager
def whole_folder(out: Path, *, replace: bool = False) -> Iterator[Path]:
    """A folder to write into, which becomes `out` when all of it is there.

    `replace` takes the place of a folder that is there; else that one must be missing or empty.

    Raises:
        OhloraError: the disk is full, or another process writes the same folder.
    """
    with _beside(out) as folder:
        yield folder
    with saving(out):
        if replace:
            shutil.rmtree(out, ignore_errors=True)
        elif out.exists():
            out.rmdir()
        folder.rename(out)


@contextmanager
def whole_files(out: Path, last: str) -> Iterator[Path]:
    """A folder to write into, whose files are moved into `out` when all are there, `last` last."""
    with _beside(out) as folder:
        yield folder
    with saving(out):
        for file in sorted(folder.iterdir(), key=lambda f: (f.name == last, f.name)):
            file.replace(out / file.name)
        folder.rmdir()


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """An empty folder beside another; gone again where writing fails."""
    folder = out.absolute().with_name(f".{out.name}.partial")
    with saving(out), FolderLock(folder).acquire():
        for left in folder.iterdir():  # of one that was killed
            if left.name != LOCK:
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        try:
            yield folder
            _open_to_readers(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def _open_to_readers(folder: Path) -> None:
    """Give files the rights that any other program's have: libraries write some for us alone."""
    mask = umask()
    folder.chmod(0o777 & ~mask)
    for path in folder.rglob("*"):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)
