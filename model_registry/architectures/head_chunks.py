"""How many positions' logits are alive at a time, told without torch."""

from __future__ import annotations

#: Logits alive at a time: 64 MiB of them in float32, 64 rows of a vocabulary of 262,144.
CHUNK_LOGITS = 2**24


def chunk_rows(vocabulary: int) -> int:
    """Positions a chunk, so that its logits are `CHUNK_LOGITS` at most."""
    return max(1, CHUNK_LOGITS // vocabulary)
