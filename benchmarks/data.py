"""The rows of a study: read by `rows.reading`, and where those that come with it are."""

from __future__ import annotations

from pathlib import Path

from rows.reading import read_data, read_folder, read_rows
from rows.row import LeftOut, Row, Rows, hash_texts

DATASETS = Path(__file__).resolve().parent.parent / "datasets"

__all__ = [
    "DATASETS", "LeftOut", "Row", "Rows", "hash_texts", "read_data", "read_folder", "read_rows",
]  # fmt: skip
