"""Atomic file replacement: written beside its place, then moved there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file; whatever comes between, its place holds the old bytes or the new.

    Its folder is made if need be.

    Raises:
        OSError: it can't be written (a full disk, say); nothing of the try is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(0o666 & ~umask())  # mkstemp lets nobody else read it
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def umask() -> int:
    """The rights that files made by this process don't get."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
