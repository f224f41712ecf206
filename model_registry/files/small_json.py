"""Reads third-party JSON of bounded size and depth."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from model_registry.errors import LoadError
from model_registry.files.json_values import JsonDict


def read_json_object(path: Path, *, most_bytes: int) -> JsonDict:
    """The object that a file holds.

    Raises:
        LoadError: "error": it can't be read, is larger than `most_bytes`, no JSON or no object.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for
            raise LoadError(
                "error", f"{path} is no regular file.", f"{path}: 일반 파일이 아닙니다."
            )
        if found.st_size > most_bytes:
            raise LoadError(
                "error",
                f"{path} has {found.st_size:,} bytes; {most_bytes:,} are the most.",
                f"{path}이(가) {found.st_size:,}바이트입니다(최대 {most_bytes:,}).",
            )
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LoadError(
            "error",
            f"{path} can't be read: {error.strerror or error}",
            f"{path} 파일을 읽을 수 없습니다: {error.strerror or error}",
        ) from error
    except RecursionError as error:
        raise LoadError(
            "error", f"{path} is nested too deeply.", f"{path} 파일의 값이 너무 깊이 겹쳐 있습니다."
        ) from error
    except ValueError as error:
        raise LoadError(
            "error",
            f"{path} is no JSON: {str(error)[:160]}",
            f"{path}: JSON이 아닙니다. {str(error)[:160]}",
        ) from error
    if not isinstance(values, dict):
        raise LoadError(
            "error",
            f"{path} must hold an object, not {type(values).__name__}.",
            f"{path}에는 객체가 있어야 합니다({type(values).__name__} 대신).",
        )
    return values
