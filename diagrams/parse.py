"""Parses a model's reply into nodes: one linear pass, nothing evaluated.

docs/diagrams.md states when a reply keeps the format; `parse` is that rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from diagrams.diagram import MAX_NODES, Diagram, Node
from diagrams.fields import FIELDS_WITHOUT_SIZE, Field, WrongField, colours_are_numbers, read_node
from model_registry import language

KEPT_NODES = 3  # a reply keeps the format if it has that many whole nodes
MAX_TEXT = 1_000_000  # characters that are read
MAX_NODE_TEXT = 6_000  # characters that one node may take: room for a thousand links
MAX_LEFT_OUT = 50  # lines left out that are told one by one

_QUOTES = "\"'`“”‘’\\"
_Q = rf"[\s{re.escape(_QUOTES)}]{{0,6}}"
_N = r"[+-]?[\d.]{1,20}"
#: A bracket in front of number, X, Y and a word: surely a node, even inside an open bracket.
_SURE_NODE = re.compile(
    rf"[\[(]{_Q}(?:node|no\.?|n)?[\s_]{{0,2}}{_N}{_Q},{_Q}{_N}\s?(?:px)?{_Q},{_Q}{_N}\s?(?:px)?{_Q},{_Q}[^\W\d_]"
)
_MAYBE_NODE = re.compile(rf"\[|\((?={_Q}\d{{1,12}}{_Q},)")
_OUTER_LIST = re.compile(r"\[(?:\s|#[^\n]{0,100}\n){0,20}[\[(]")
_TOKEN = re.compile(
    r"#(?![0-9a-fA-F]{3,8}(?![0-9a-zA-Z]))[^\n]*"  # a comment, not #ff0000
    r"|[\[\](){}]|,|\n|[^\[\](){},\n#]+|#"
)
_GOES_ON = re.compile(r"\s{0,50}[\]),]")
_CLOSED = re.compile(r"\]\s{0,9}[\])]\s{0,9}\]")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A line that looks like a node and is none, with the reason."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """The parsed content of a reply: its diagram, and what was wrong with it."""

    diagram: Diagram
    format_kept: bool
    whole_nodes: int  # nodes in the asked-for form
    complete: bool  # False where the text ends within a node or within the list
    left_out: tuple[LeftOut, ...] = ()
    odd: tuple[str, ...] = ()  # what was drawn in another way than it was written
    too_many: bool = False  # reading stopped at MAX_NODES

    @property
    def problems(self) -> list[str]:
        """Everything that is wrong with the text, in words."""
        say = language.text
        told = [
            say(f"line {out.line} left out: {out.reason}", f"{out.line}번째 줄 제외: {out.reason}")
            for out in self.left_out
        ]
        told += self.odd
        if not self.diagram.nodes:
            told.append(say("no node was found", "노드가 없습니다"))
        elif not self.complete:
            told.append(say("the text ends before the list is closed", "목록이 닫히지 않았습니다"))
        if self.too_many:
            most = f"{MAX_NODES:,}"
            told.append(say(f"more than {most} nodes: refused", f"노드가 {most}개보다 많습니다"))
        return told


@dataclass(slots=True)
class _Group:
    """A bracket that may be a node: its fields, and where it stands."""

    start: int
    fields: list[Field]
    end: int
    closed: bool


@dataclass(slots=True)
class _Reading:
    """What was found so far."""

    with_size: bool
    nodes: dict[int, Node] = field(default_factory=dict)
    whole: int = 0
    left_out: list[LeftOut] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    too_many: bool = False


def asks_for_size(prompt: str | None) -> bool:
    """Whether a prompt asks for the form of ten fields: unless it names nodes and no width."""
    text = (prompt or "").lower()
    names_nodes = "node" in text and "shape" in text
    return not names_nodes or "width" in text


def parse(reply: str, prompt: str | None = None) -> ParsedReply:
    """The nodes of a reply, whatever surrounds them.

    Args:
        reply: the text, which may repeat the prompt before the answer.
        prompt: what was asked, where it is known: its repetition is cut off, and it says which
            form was asked for.
    """
    text = without_prompt(reply[: MAX_TEXT + len(prompt or "")], prompt)
    reading = _Reading(asks_for_size(prompt))
    line, counted, end, closed = 1, 0, 0, True
    for group in _groups(text):
        line, counted = line + text.count("\n", counted, group.start), group.start
        if _looks_like_a_node(group):
            end, closed = group.end, group.closed
            _take(group, line, text, reading)
        if reading.too_many:
            break
    return ParsedReply(
        diagram=Diagram(tuple(reading.nodes.values())),
        format_kept=reading.whole >= KEPT_NODES,
        whole_nodes=reading.whole,
        complete=bool(reading.nodes)
        and len(reply) <= MAX_TEXT + len(prompt or "")
        and _is_complete(text, end, closed),
        left_out=tuple(reading.left_out),
        odd=tuple(reading.odd),
        too_many=reading.too_many,
    )


def is_closed(reply: str) -> bool:
    """Whether the list around the nodes has been closed: what is said after it adds nothing."""
    return bool(_OUTER_LIST.search(reply)) and bool(_CLOSED.search(reply))


def without_prompt(reply: str, prompt: str | None) -> str:
    """The reply without the prompt at its start; spaces and line ends need not be the same."""
    wanted = (prompt or "").split()
    if not wanted:
        return reply
    position = 0
    for part in wanted:
        while position < len(reply) and reply[position].isspace():
            position += 1
        if not reply.startswith(part, position):
            return reply
        position += len(part)
    return reply[position:]


def _groups(text: str) -> Iterator[_Group]:
    """Brackets that may be nodes, in order; lists around nodes are passed through."""
    position = 0
    while match := _MAYBE_NODE.search(text, position):
        if text[match.start()] == "[" and _OUTER_LIST.match(text, match.start()):
            position = match.end()
            continue
        group = _read_group(text, match.start())
        yield group
        position = group.end


def _read_group(text: str, start: int) -> _Group:
    """The fields of the bracket that opens at `start`, up to its end or where another node is."""
    limit = min(len(text), start + MAX_NODE_TEXT)
    fields = _Fields()
    depth, line_is_empty = 1, False
    for token in _TOKEN.finditer(text, start + 1, limit):
        piece, at = token[0], token.start()
        if piece == "\n":
            forgotten = depth == 1 and fields.may_end and not _GOES_ON.match(text, at)
            if line_is_empty or forgotten:
                return _Group(start, fields.all(), at, closed=False)
            line_is_empty = True
            continue
        line_is_empty = line_is_empty and piece.isspace()
        if piece in "[({":
            if _SURE_NODE.match(text, at):
                return _Group(start, fields.all(), at, closed=False)
            depth += 1
            fields.open_bracket()
        elif piece in "])}":
            depth -= 1
            if depth == 0:
                return _Group(start, fields.all(), token.end(), closed=True)
            fields.close_item()
        elif piece == ",":
            fields.close_field() if depth == 1 else fields.close_item()
        elif len(piece) == 1 or piece[0] != "#":
            fields.add(piece, inside=depth > 1)
    return _Group(start, fields.all(), limit, closed=False)


class _Fields:
    """The fields of one bracket while it is read."""

    def __init__(self) -> None:
        self._done: list[Field] = []
        self._text: list[str] = []
        self._item: list[str] = []
        self._items: list[str] | None = None

    @property
    def may_end(self) -> bool:
        """Whether the field being read is a list and enough others stand before it."""
        return self._items is not None and len(self._done) + 1 >= FIELDS_WITHOUT_SIZE

    def add(self, piece: str, inside: bool) -> None:
        (self._item if inside else self._text).append(piece)

    def open_bracket(self) -> None:
        self._items = [] if self._items is None else self._items

    def close_item(self) -> None:
        item = _bare("".join(self._item))
        if item and self._items is not None:
            self._items.append(item)
        self._item.clear()

    def close_field(self) -> None:
        self.close_item()
        items = None if self._items is None else tuple(self._items)
        self._done.append(Field(_bare("".join(self._text)), items))
        self._text.clear()
        self._items = None

    def all(self) -> list[Field]:
        """All fields; an empty one at the end is none."""
        if _bare("".join(self._text)) or self._items is not None:
            self.close_field()
        return self._done


def _bare(text: str) -> str:
    """The text without quotes: they may be missing, doubled or unmatched."""
    return text.translate(_NO_QUOTES).strip()


_NO_QUOTES = str.maketrans("", "", _QUOTES)


def _looks_like_a_node(group: _Group) -> bool:
    """Enough fields, with letters and digits among them: not a list of numbers, not the form."""
    if not group.closed and len(group.fields) < 4:
        return bool(group.fields) and group.fields[0].text[:1].isdigit()
    texts = [str(item) for item in group.fields]
    letters = any(c.isalpha() for text in texts for c in text)
    digits = any(c.isdigit() for text in texts for c in text)
    return len(group.fields) >= 4 and letters and digits


def _take(group: _Group, line: int, text: str, reading: _Reading) -> None:
    """Add the group's node to the reading, or why it is none."""
    asked = read_node(group.fields, reading.with_size)
    other = (
        read_node(group.fields, not reading.with_size) if isinstance(asked, WrongField) else None
    )
    found = asked if other is None or isinstance(other, WrongField) else other
    if isinstance(found, WrongField):
        cut = not group.closed and group.end >= len(text)
        reason = language.text("cut off", "중간에 끊김") if cut else found.reason
        _leave_out(reading, group, line, text, reason)
        return
    node, odd = found
    if node.number in reading.nodes:
        same = f"node {node.number} was there already", f"노드 {node.number}은(는) 이미 있습니다"
        _leave_out(reading, group, line, text, language.text(*same))
        return
    if len(reading.nodes) >= MAX_NODES:
        reading.too_many = True
        return
    reading.nodes[node.number] = node
    reading.odd += odd
    reading.whole += found is asked and colours_are_numbers(group.fields, reading.with_size)


def _leave_out(reading: _Reading, group: _Group, line: int, text: str, reason: str) -> None:
    if len(reading.left_out) < MAX_LEFT_OUT:
        written = text[group.start : min(group.end, group.start + 80)]
        reading.left_out.append(LeftOut(line, written, reason))


def _is_complete(text: str, end: int, closed: bool) -> bool:
    """Whether the last node is closed and the list around the nodes, if any, is too.

    Where other text follows, the reply went on after the list: a bracket was forgotten, not cut.
    """
    if not closed:
        return bool(text[end:].strip())
    rest = text[end:].strip(" \t\r\n,")
    outer = _OUTER_LIST.search(text)
    return bool(rest) or outer is None or not end
