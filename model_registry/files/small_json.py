"""Reads third-party JSON of bounded size and depth."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from model_registry.errors import LoadError, system_reasons
from model_registry.files.json_values import JsonDict


def read_json_object(path: Path, *, most_bytes: int) -> JsonDict:
    """The object that a file holds.

    Raises:
        LoadError: "error": it can't be read, is larger than `most_bytes`, no JSON or no object.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for
            raise LoadError.of("no_regular_json", path=path)
        if found.st_size > most_bytes:
            raise LoadError.of("json_too_large", path=path, size=found.st_size, most=most_bytes)
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LoadError.of("json_unreadable", path=path, **system_reasons(error)) from error
    except RecursionError as error:
        raise LoadError.of("json_too_deep", path=path) from error
    except ValueError as error:
        raise LoadError.of("no_json", path=path, reason=str(error)[:160]) from error
    if not isinstance(values, dict):
        raise LoadError.of("json_no_object", path=path, kind=type(values).__name__)
    return values
