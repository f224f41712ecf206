"""Which answers of a conversation are learned: all of them, or the last alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from model_registry.errors import UnknownName
from rows.row import LeftOut, Row, Rows, merged

TURNS = ("every", "last")


def learned_turns(rows: Rows, turns: str) -> Rows:
    """The rows of which answers are learned; what "last" leaves out is counted.

    Reading gives a row for every answer, with what stands before it: learning all of those is a
    loss on every turn. "last" keeps of each conversation the row of its last answer.

    Raises:
        UnknownName: `turns` is neither "every" nor "last".
    """
    if turns not in TURNS:
        raise UnknownName("way to learn turns", turns, TURNS)
    if turns == "every":
        return rows
    kept: list[Row] = []
    gone: list[Row] = []
    for row, after in pairwise([*rows.rows, None]):
        if row is not None:
            (gone if _goes_on(row, after) else kept).append(row)
    out = [
        LeftOut("earlier_turn", 1, row.split, () if row.line is None else (row.line,))
        for row in gone
    ]
    return replace(rows, rows=tuple(kept), left_out=(*rows.left_out, *merged(out)))


def _goes_on(row: Row, after: Row | None) -> bool:
    """Whether the next row is of the same conversation, with an answer of its own."""
    if after is None or after.split != row.split or not row.reply or not after.reply:
        return False
    so_far = (*row.messages, {"role": "assistant", "content": row.reply})
    return tuple(map(dict, after.before[: len(so_far)])) == so_far
