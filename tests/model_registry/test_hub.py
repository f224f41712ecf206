"""A hub model: looked at before its weights are fetched, and found in the cache offline."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import huggingface_hub.constants
import pytest

from model_registry.backends.open_backend import source_for
from model_registry.candidate import Candidate
from model_registry.errors import LoadError, OhloraError
from model_registry.hub import cached_folder, network_is_up
from model_registry.weights.loading import load, resolve_source
from tests.support.tiny_models import FREE, make_tiny_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CANDIDATE = Candidate("tiny", FREE, hub_id="someone/tiny")


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache of the hub's, which can't be reached."""
    place = tmp_path / "hub"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(place))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return place


def put_in_cache(cache: Path) -> Path:
    """A tiny model as huggingface_hub keeps it: blobs, and a snapshot of links to them."""
    repository = cache / "models--someone--tiny"
    snapshot = repository / "snapshots" / COMMIT
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    (repository / "blobs").mkdir()
    snapshot.mkdir(parents=True)
    for number, path in enumerate(make_tiny_model(cache.parent / "made").iterdir()):
        blob = repository / "blobs" / f"{number:040x}"
        shutil.copy(path, blob)
        (snapshot / path.name).symlink_to(os.path.relpath(blob, snapshot))
    return snapshot


def test_a_model_in_the_hubs_cache_is_taken_without_a_network(cache):
    put_in_cache(cache)
    assert source_for(CANDIDATE, "auto") == "hub"
    assert load(CANDIDATE, source="hub").source == "hub"


def test_a_run_takes_the_cache_only_where_it_holds_every_candidate(cache):
    put_in_cache(cache)
    other = Candidate("other", FREE, hub_id="someone/other")
    own = Candidate("own", FREE, path=str(cache))
    assert resolve_source("auto", [CANDIDATE]) == "hub"
    assert resolve_source("auto", [CANDIDATE, own]) == "hub"
    assert resolve_source("auto", [CANDIDATE, other]) == "bundled"
    assert resolve_source("auto") == "bundled"


def test_a_model_that_is_only_in_part_in_the_cache_is_not_there(cache):
    (put_in_cache(cache) / "model.safetensors").unlink()
    assert cached_folder(CANDIDATE) is None
    with pytest.raises(OhloraError, match="must be fetched from the hub"):
        source_for(CANDIDATE, "auto")


def test_what_was_pinned_is_not_replaced_by_another_revision(cache):
    from dataclasses import replace

    put_in_cache(cache)
    assert cached_folder(replace(CANDIDATE, revision=COMMIT)) is not None
    assert cached_folder(replace(CANDIDATE, revision="f" * 40)) is None


@pytest.mark.parametrize("hub_id", [None, "", "a/b/c", "..", "no/such"])
def test_an_id_that_no_repository_has_is_in_no_cache(cache, hub_id):
    assert cached_folder(Candidate("odd", FREE, hub_id=hub_id)) is None


def test_a_cached_snapshot_is_looked_at_as_any_folder_is(cache):
    snapshot = put_in_cache(cache)
    config = json.loads((snapshot / "config.json").read_text())
    (snapshot / "config.json").unlink()
    (snapshot / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 10**6}))
    with pytest.raises(LoadError, match="num_hidden_layers"):
        load(CANDIDATE, source="hub")


class Hub:
    """As much of the hub as fetching a model asks for, on a port of this machine."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path.startswith("/api/models/someone/tiny/tree"):
                    self.answer(
                        json.dumps([hub.entry(f) for f in sorted(folder.iterdir())]).encode()
                    )
                elif path.startswith("/api/models/someone/tiny"):
                    self.answer(json.dumps({"id": "someone/tiny", "sha": COMMIT}).encode())
                elif "/resolve/" in path:
                    name = path.rpartition("/")[2]
                    if self.command == "GET":
                        hub.asked.append(name)
                    self.answer((folder / name).read_bytes())
                else:
                    self.send_error(404)

            def answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.send_header(
                    "ETag", f'"{hashlib.sha1(body, usedforsecurity=False).hexdigest()}"'
                )
                self.send_header("X-Repo-Commit", COMMIT)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @staticmethod
    def entry(path: Path) -> dict[str, object]:
        digest = hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()
        return {"type": "file", "path": path.name, "size": path.stat().st_size, "oid": digest}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    folder = make_tiny_model(tmp_path / "published")
    (folder / "modeling_evil.py").write_text("raise SystemExit")
    (folder / "pytorch_model.bin").write_bytes(b"code")
    served = Hub(folder)
    served.folder = folder
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", served.url)
    monkeypatch.setattr(
        huggingface_hub.constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        served.url + "/{repo_id}/resolve/{revision}/{filename}",
    )
    yield served
    served.server.shutdown()
    served.server.server_close()


def test_a_model_is_fetched_without_code_and_other_kinds_of_weights(hub):
    loaded = load(CANDIDATE, source="hub")
    assert loaded.source == "hub"
    assert "model.safetensors" in hub.asked
    assert not {"modeling_evil.py", "pytorch_model.bin"} & set(hub.asked)


def test_what_must_not_be_loaded_is_found_before_its_weights_are_fetched(hub):
    config = json.loads((hub.folder / "config.json").read_text())
    config |= {"model_type": "strange", "auto_map": {"AutoConfig": "modeling_evil.C"}}
    (hub.folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(LoadError) as caught:
        load(CANDIDATE, source="hub")
    assert caught.value.status == "needs_remote_code"
    assert "model.safetensors" not in hub.asked


class Proxy(BaseHTTPRequestHandler):
    """Finds the way to hub.example and to no other host, for who logs in as me:p@ss."""

    asked: ClassVar[list[str]] = []

    def answer(self) -> None:
        self.asked.append(f"{self.command} {self.path}")
        login = b64encode(b"me:p@ss").decode()
        if self.headers.get("Proxy-Authorization") != f"Basic {login}":
            self.send_error(407)
        else:
            self.send_response(200 if "hub.example" in self.path else 502)
            self.end_headers()

    do_CONNECT = do_HEAD = answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy(monkeypatch) -> Iterator[str]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    Proxy.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("variable", "endpoint", "asked"),
    [
        ("HTTPS_PROXY", "https://hub.example", "CONNECT hub.example:443"),
        ("https_proxy", "https://hub.example:8443", "CONNECT hub.example:8443"),
        ("ALL_PROXY", "https://hub.example", "CONNECT hub.example:443"),
        ("http_proxy", "http://hub.example/mirror", "HEAD http://hub.example/mirror"),
    ],
)
def test_the_hub_is_reached_through_the_proxy_that_the_environment_names(
    proxy, monkeypatch, variable, endpoint, asked
):
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
    assert not network_is_up(seconds=0.5), "hub.example is nowhere"
    monkeypatch.setenv(variable, f"http://me:p%40ss@{proxy}")
    assert network_is_up(seconds=20)
    assert Proxy.asked == [asked]


def test_a_proxy_that_finds_no_way_or_wants_a_login_is_no_network(proxy, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:p%40ss@{proxy}")
    monkeypatch.setenv("HTTP_PROXY", f"http://{proxy}")
    for endpoint in ("https://elsewhere.example", "http://hub.example"):
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
        assert not network_is_up(seconds=20)
    assert len(Proxy.asked) == 2
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert not network_is_up("hub.example", seconds=20)


def test_no_proxy_is_asked_for_a_hub_that_no_proxy_names(proxy, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://me:p%40ss@{proxy}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://{proxy}")
    assert network_is_up(seconds=20)
    assert Proxy.asked == []
