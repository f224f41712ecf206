"""The rows of a study: read by `rows.reading`, and where those that come with it are."""

from __future__ import annotations

from model_registry.shipped_data import DATASETS
from rows.reading import read_data, read_folder, read_rows
from rows.row import LeftOut, Row, Rows, hash_texts

__all__ = [
    "DATASETS", "LeftOut", "Row", "Rows", "hash_texts", "read_data", "read_folder", "read_rows",
]  # fmt: skip
