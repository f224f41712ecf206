"""A real OpenAI-compatible server for tests: `transformers serve`, started and ended here."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.fake_servers import free_port, wait_for


@contextmanager
def transformers_serve(model: str) -> Iterator[str]:
    """The base URL of a server of one model; skips where its extra is not installed."""
    pytest.importorskip("uvicorn")
    pytest.importorskip("openai")
    port = free_port()
    command = [str(Path(sys.executable).with_name("transformers")), "serve", model,
               "--host", "127.0.0.1", "--port", str(port), "--device", "cpu",
               "--dtype", "float32"]  # fmt: skip
    with tempfile.TemporaryDirectory() as cache:
        # It looks for models in the hub's cache, which must be there.
        (Path(cache) / "hub").mkdir()
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": cache,
                       "OMP_NUM_THREADS": "1"}  # fmt: skip
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            wait_for(port)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
