"""Reads a hub model's small files and safetensors headers, without its weights.

huggingface_hub does the asking and keeps the files where other programs find them; added here are
limits of time and size, since a hub may be slow, wrong, or not the hub at all. Not a byte of a
weight is read: of a safetensors file only the header, which its first eight bytes measure.
"""

from __future__ import annotations

import contextvars
import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from model_registry.errors import LoadError
from model_registry.files.json_values import JsonDict
from model_registry.naming.hub_errors import retry_after
from model_registry.naming.references import HubReference

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

SECONDS = 30.0  # for all that is asked about one model
READ_SECONDS = 10.0  # for the next bytes of one answer
MOST_HEADER = 16 << 20  # bytes; a model of 3 B has 30,000 to 60,000
MOST_SMALL = 8 << 20  # bytes of one of the small files
MOST_TOKENIZER = 64 << 20
_FIRST = 1 << 16  # bytes asked for at first: nearly every header is in them
_LONGEST_WAIT = 5.0  # seconds that a busy hub may ask for

SMALL_FILES = (
    "config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json",
    "chat_template.jinja", "chat_template.json", "model.safetensors.index.json",
    "adapter_config.json",
)  # fmt: skip
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.json",
    "merges.txt", "vocab.txt", "added_tokens.json", "tekken.json", "tiktoken.model",
)  # fmt: skip

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Repository:
    """A model's repository as the hub lists it: commit, card, and files with their bytes."""

    reference: HubReference
    commit: str
    card: JsonDict
    gated: bool
    files: dict[str, int | None]


def within_seconds(seconds: float, whose: str, work: Callable[[], T]) -> T:
    """What `work` gives, waited for no longer than this.

    Raises:
        LoadError: "unreachable", where it takes longer. Its thread is left to end by itself.
    """
    done: list[T | BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001 - handed on to whoever waits
            done.append(error)

    here = contextvars.copy_context()  # the reader's language goes along
    thread = threading.Thread(target=lambda: here.run(run), daemon=True)
    thread.start()
    thread.join(seconds)
    if not done:
        raise LoadError.of("hub_silent", whose=whose, seconds=seconds)
    if isinstance(done[0], BaseException):
        raise done[0]
    return done[0]


def at_once(work: Callable[[str], T], names: Iterable[str]) -> list[T]:
    """What `work` gives for each of a few names, done at a time.

    Its threads are left behind where the program ends: a pool's would be waited for.

    Raises:
        Exception: the first that was raised, in the order of the names.
    """
    done: dict[str, T | Exception] = {}

    def run(name: str) -> None:
        try:
            done[name] = work(name)
        except Exception as error:  # noqa: BLE001 - raised below
            done[name] = error

    names = list(names)
    threads = [threading.Thread(target=run, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = []
    for name in names:
        if isinstance(one := done[name], Exception):
            raise one
        found.append(one)
    return found


def list_repository(reference: HubReference) -> Repository:
    """A repository's metadata from the hub, with its files; one request.

    Raises:
        Exception: what huggingface_hub raises; `hub_error` words it.
    """
    from huggingface_hub import HfApi

    def ask() -> ModelInfo:
        return HfApi().model_info(
            reference.hub_id,
            revision=reference.revision,
            files_metadata=True,
            timeout=READ_SECONDS,
        )

    info = _patiently(ask)
    card = dict(vars(info.card_data)) if info.card_data else {}
    files = {each.rfilename: each.size for each in info.siblings or ()}
    if not info.sha:
        raise ValueError("it names no commit")
    return Repository(reference, info.sha, card, bool(info.gated), files)


def fetch(repository: Repository, wanted: Iterable[str], most_bytes: int) -> Path | None:
    """The folder, in the hub's cache, with those of the wanted files that the repository has.

    Raises:
        LoadError: "error", where a file is larger than it may be.
        Exception: as `list_repository`.
    """
    from huggingface_hub import hf_hub_download

    names = [name for name in wanted if name in repository.files]
    for name in names:
        _refuse_large(repository, name, most_bytes)

    def get(name: str) -> Path:
        return Path(
            _patiently(
                lambda: hf_hub_download(
                    repository.reference.hub_id,
                    name,
                    revision=repository.commit,
                    etag_timeout=READ_SECONDS,
                )
            )
        )

    folders = [path.parent for path in at_once(get, names)]
    return folders[0] if folders else None


def _refuse_large(repository: Repository, name: str, most_bytes: int) -> None:
    size = repository.files[name]
    if size is not None and size > most_bytes:
        whose = repository.reference.name
        raise LoadError.of(
            "hub_file_too_large", whose=whose, name=name, size=size, most_bytes=most_bytes
        )


def read_header(repository: Repository, name: str) -> dict[str, object]:
    """The header of a repository's safetensors file: tensor → dtype, shape, data_offsets.

    Raises:
        LoadError: "error", where it is no header, or larger than it may be.
        Exception: as `list_repository`.
    """
    whose = f"{repository.reference.name}: {name}"
    begin = _patiently(lambda: _read_range(repository, name, 0, _FIRST))
    if len(begin) < 8:
        raise _broken(whose, f"it has {len(begin)} bytes")
    length = int.from_bytes(begin[:8], "little")
    if not 2 <= length <= MOST_HEADER:
        raise _broken(
            whose, f"its header would have {length:,} bytes; {MOST_HEADER:,} are the most"
        )
    if len(begin) < 8 + length:
        begin += _patiently(lambda: _read_range(repository, name, len(begin), 8 + length))
    try:
        header = json.loads(begin[8 : 8 + length])
    except (ValueError, RecursionError):
        raise _broken(whose, "its header is no JSON") from None
    if not isinstance(header, dict):
        raise _broken(whose, "its header is no table")
    return header


def _broken(whose: str, why: str) -> LoadError:
    return LoadError.of("not_safetensors", whose=whose, why=why)


def _read_range(repository: Repository, name: str, first: int, last: int) -> bytes:
    """Bytes `first` to `last`, the last one not included, or to the file's end.

    A server that does not know ranges sends the file from its beginning: what comes is read as far
    as it is wanted, and the rest is never waited for.
    """
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        build_hf_headers,
        get_session,
        hf_raise_for_status,
    )

    url = hf_hub_url(repository.reference.hub_id, name, revision=repository.commit)
    headers = {**build_hf_headers(), "Range": f"bytes={first}-{last - 1}",
               "Accept-Encoding": "identity"}  # fmt: skip
    until = time.monotonic() + SECONDS
    data = bytearray()
    with get_session().stream("GET", url, headers=headers, timeout=READ_SECONDS) as answer:
        hf_raise_for_status(answer)
        skipped = first if answer.status_code != 206 else 0
        if skipped + (last - first) > MOST_HEADER + _FIRST:
            raise LoadError.of("hub_no_ranges", name=name)
        for piece in answer.iter_bytes():
            data += piece
            if len(data) >= skipped + last - first or time.monotonic() > until:
                break
    return bytes(data[skipped : skipped + last - first])


def _patiently(ask: Callable[[], T]) -> T:
    """Ask, and once more after a short wait that a busy hub names."""
    try:
        return ask()
    except Exception as error:
        wait = retry_after(error)
        if wait is None or wait > _LONGEST_WAIT:
            raise
        time.sleep(wait)
        return ask()
