"""Finds the data that comes with the project, in a checkout or an installed wheel.

A folder `datasets` in site-packages is Hugging Face's package of that name: a wheel installs ours
as share/ohlora/datasets, and says where in its own list of files.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

_BESIDE = Path(__file__).resolve().parents[2] / "datasets"
_MARK = Path("persona", "train.jsonl")  # only ours holds it


def find_datasets(beside: Path = _BESIDE) -> Path:
    """The folder of datasets.

    Args:
        beside: where it is in a clone; given back where there is none at all.
    """
    if (beside / _MARK).exists():
        return beside
    try:
        installed = files("ohlora") or []
    except PackageNotFoundError:
        return beside
    wanted = Path("share", "ohlora", "datasets", _MARK).parts
    found = next((file for file in installed if file.parts[-len(wanted) :] == wanted), None)
    return Path(str(found.locate())).resolve().parent.parent if found else beside


DATASETS = find_datasets()
