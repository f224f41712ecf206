"""Types of JSON and TOML values."""

from collections.abc import Mapping
from typing import Any

#: An object of a document that is only read.
JsonObject = Mapping[str, Any]
#: An object of a document as `json` and `tomllib` make it, or one that is being put together.
JsonDict = dict[str, Any]
