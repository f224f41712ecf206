"""A server that answers as the Hugging Face hub does, on a port of this machine.

Repositories are bytes, or safetensors files of which only the header exists: whoever asks for more
of one than its header is given zeros, and what was sent of it is counted. Large files are sent from
another address (`localhost` in place of `127.0.0.1`), as from the hub's CDN, by a redirect.
Repositories of data are named "datasets/owner/name".
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import huggingface_hub.constants
import pytest

from model_registry.naming import hub_client

_PIECE = 1 << 16


@dataclass(frozen=True)
class Weights:
    """A safetensors file that is nowhere but in its header; `header` may be anything."""

    header: bytes
    size: int

    @property
    def begin(self) -> bytes:
        return len(self.header).to_bytes(8, "little") + self.header


def weights_of(tensors: Mapping[str, tuple[str, tuple[int, ...]]]) -> Weights:
    """The file of these tensors (dtype, shape)."""
    sizes = {"BF16": 2, "F16": 2, "F32": 4, "U8": 1, "I32": 4}
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    place = 0
    for name, (dtype, shape) in tensors.items():
        count = sizes[dtype]
        for n in shape:
            count *= n
        header[name] = {
            "dtype": dtype,
            "shape": list(shape),
            "data_offsets": [place, place + count],
        }
        place += count
    said = json.dumps(header).encode()
    return Weights(said, 8 + len(said) + place)


@dataclass
class Repo:
    """One repository. `gated` asks for a token; `revisions` name its one commit."""

    files: dict[str, bytes | Weights] = field(default_factory=dict)
    card: dict[str, Any] = field(default_factory=dict)
    gated: bool = False
    revisions: tuple[str, ...] = ("main",)

    @property
    def commit(self) -> str:
        names = "".join(sorted(self.files))
        return hashlib.sha1(names.encode(), usedforsecurity=False).hexdigest()

    def size(self, name: str) -> int:
        file = self.files[name]
        return file.size if isinstance(file, Weights) else len(file)

    def etag(self, name: str) -> str:
        file = self.files[name]
        data = file.header if isinstance(file, Weights) else file
        return hashlib.sha256(data).hexdigest()


def repo_of_folder(folder: Path, **values: Any) -> Repo:
    """A repository with a folder's files."""
    return Repo({path.name: path.read_bytes() for path in folder.iterdir()}, **values)


class FakeHub:
    """The server. `requests` are (method, path, range); `sent` counts bytes by file name."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        self.sent: dict[str, int] = {}
        self.tokens: set[str] = {"hf_good"}
        self.seen_on_cdn: list[str | None] = []  # Authorization headers
        self.before: Callable[[_Handler], bool] = lambda handler: False  # True: it answered
        self.knows_ranges = True
        self.released = threading.Event()
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.cdn = f"http://localhost:{self.server.server_port}/cdn"

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def use(self, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
        """Make this the hub of the process, with an empty cache in `home`."""
        constants = huggingface_hub.constants
        # Both ends are in this process: a crowded machine may take a while.
        monkeypatch.setattr(hub_client, "SECONDS", 300.0)
        monkeypatch.setattr(hub_client, "READ_SECONDS", 120.0)
        monkeypatch.setattr(constants, "HF_HOME", str(home))
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "ENDPOINT", self.url)
        template = self.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)

    def environment(self, home: Path) -> dict[str, str]:
        """What tells another process of this hub."""
        return {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0",
                "HF_HUB_DISABLE_XET": "1"}  # fmt: skip

    def weight_bytes(self) -> int:
        """Bytes of safetensors files that were sent, headers included."""
        return sum(n for name, n in self.sent.items() if name.endswith(".safetensors"))


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((self.command, path, self.headers.get("Range")))
        try:
            if self.hub.released.is_set():  # gone: a connection that was kept open ends as well
                self.close_connection = True
                return
            if self.hub.before(self):
                return
            if path.startswith("/cdn/"):
                self.hub.seen_on_cdn.append(self.headers.get("Authorization"))
                hub_id, name = path.removeprefix("/cdn/").rsplit("/", 1)
                self.file(self.hub.repos[hub_id], name)
            elif path.startswith("/api/models/"):
                self.api(path.removeprefix("/api/models/"))
            elif path.startswith("/api/datasets/"):
                self.api(path.removeprefix("/api/datasets/"), "datasets/")
            elif "/resolve/" in path:
                self.resolve(*path.lstrip("/").split("/resolve/", 1))
            else:
                self.fail(404, "EntryNotFound")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def api(self, rest: str, kind: str = "") -> None:
        parts = rest.split("/")
        repo = self.hub.repos.get(kind + "/".join(parts[:2]))
        if repo is None:
            self.fail(401, "RepoNotFound", "Repository not found")
        elif len(parts) > 3 and parts[3] not in (*repo.revisions, repo.commit):
            self.fail(404, "RevisionNotFound", "Invalid rev id")
        elif len(parts) > 2 and parts[2] == "tree":
            inside = "".join(f"{part}/" for part in parts[4:])
            names = [name for name in sorted(repo.files) if name.startswith(inside)]
            if names or not inside:
                self.json([self.entry(repo, name) for name in names])
            else:
                self.fail(404, "EntryNotFound", f"{inside} does not exist")
        else:
            files = [{"rfilename": n, "size": repo.size(n)} for n in sorted(repo.files)]
            self.json({
                "id": "/".join(parts[:2]), "sha": repo.commit, "cardData": repo.card,
                "gated": "manual" if repo.gated else False, "private": False, "tags": [],
                "downloads": 0, "likes": 0, "siblings": files,
            })  # fmt: skip

    @staticmethod
    def entry(repo: Repo, name: str) -> dict[str, Any]:
        said = {"type": "file", "path": name, "size": repo.size(name), "oid": repo.etag(name)[:40]}
        if isinstance(repo.files[name], Weights):
            lfs = {"oid": repo.etag(name), "size": repo.size(name), "pointerSize": 134}
            said["lfs"] = lfs
        return said

    def resolve(self, hub_id: str, rest: str) -> None:
        revision, _, name = rest.partition("/")
        repo = self.hub.repos.get(hub_id)
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if repo is None:
            self.fail(401, "RepoNotFound", "Repository not found")
        elif revision not in (*repo.revisions, repo.commit):
            self.fail(404, "RevisionNotFound", "Invalid rev id")
        elif repo.gated and token not in self.hub.tokens:
            self.fail(401, "GatedRepo", f"Access to model {hub_id} is restricted.")
        elif name not in repo.files:
            self.fail(404, "EntryNotFound", "Entry not found")
        elif isinstance(repo.files[name], Weights):
            self.begin(302, repo, name, {
                "Location": f"{self.hub.cdn}/{hub_id}/{name}", "Content-Length": "0",
                "X-Linked-Size": str(repo.size(name)), "X-Linked-ETag": f'"{repo.etag(name)}"',
            })  # fmt: skip
        else:
            self.file(repo, name)

    def file(self, repo: Repo, name: str) -> None:
        """The file, or the range of it that was asked for."""
        size = repo.size(name)
        first, last, status = 0, size, 200
        asked = self.headers.get("Range")
        if asked and self.hub.knows_ranges:
            start, _, end = asked.removeprefix("bytes=").partition("-")
            first, last = int(start), min(size, int(end) + 1 if end else size)
            status = 206
        headers = {"Content-Length": str(last - first), "Accept-Ranges": "bytes"}
        if status == 206:
            headers["Content-Range"] = f"bytes {first}-{last - 1}/{size}"
        self.begin(status, repo, name, headers)
        if self.command == "HEAD":
            return
        data = repo.files[name]
        begin = data.begin if isinstance(data, Weights) else data
        for place in range(first, last, _PIECE):
            until = min(last, place + _PIECE)
            piece = begin[place:until].ljust(until - place, b"\0")
            # Counted before it goes: whoever has read it may look at the count at once.
            self.hub.sent[name] = self.hub.sent.get(name, 0) + len(piece)
            self.wfile.write(piece)

    def begin(self, status: int, repo: Repo, name: str, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("ETag", f'"{repo.etag(name)}"')
        self.send_header("X-Repo-Commit", repo.commit)
        self.end_headers()

    def json(self, document: Any) -> None:
        self.say(200, json.dumps(document).encode(), {"Content-Type": "application/json"})

    def fail(self, status: int, code: str, message: str = "") -> None:
        body = json.dumps({"error": message}).encode()
        said = {"X-Error-Code": code, "X-Error-Message": message or code,
                "Content-Type": "application/json"}  # fmt: skip
        self.say(status, body, said)

    def say(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""
