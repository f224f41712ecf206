"""Shared by the tests of memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from model_registry.memory import coefficients


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test reads or writes the user's measured cases and traces."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    coefficients._tables.cache_clear()
    yield
    coefficients._tables.cache_clear()
