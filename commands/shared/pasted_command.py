"""The command that was given, with other options: a line to paste."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from itertools import pairwise


def with_options(
    words: str, given: Sequence[str] | None = None, *, without: Sequence[str] = ()
) -> str:
    """The given command with these options in the place of its own of the same names.

    Args:
        words: options and their values, as "--batch-size 2 --gradient-checkpointing".
        given: the command's arguments; this process's own if left out.
        without: options with a value that are left out.
    """
    new = shlex.split(words)
    values = {
        word: not following.startswith("--")
        for word, following in pairwise([*new, "--"])  # after the last no value comes
        if word.startswith("--")
    }
    values |= dict.fromkeys(without, True)
    kept: list[str] = []
    left = 0
    for part in sys.argv[1:] if given is None else given:
        name, joined, _ = part.partition("=")
        if left:
            left -= 1
        elif name in values:
            left = int(values[name] and not joined)
        elif f"--{name.removeprefix('--no-')}" not in values:
            kept.append(part)
    return shlex.join(["ohlora", *kept, *new])
