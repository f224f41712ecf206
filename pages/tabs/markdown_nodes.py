"""Replies' Markdown as a tree of plain values, which a browser builds without reading any HTML.

A small part of Markdown takes effect: bold, italics, lists, code, tables, headings, quotes. Links,
images, HTML and entities stay the text that they are: nothing in a reply opens or fetches anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from markdown_it import MarkdownIt
from markdown_it.token import Token

#: A text, or a list of a tag's name and its children; a number among those is an ordered list's
#: first.
Node: TypeAlias = "str | int | list[Node]"

#: The headings of a reply stand below that of its message, which is an h3.
_ABOVE = 3

_INLINE = ("strong", "em", "s", "code")

_PARSER = (
    MarkdownIt("commonmark", {"html": False, "breaks": True})
    .enable(["table", "strikethrough"])
    .disable(["link", "image", "autolink", "entity", "reference", "html_block", "html_inline"])
)


def markdown_nodes(reply: str) -> list[Node]:
    """The nodes of a reply; of tags there are p, h4-h6, ul, ol, li, blockquote, pre, code, hr,
    table, thead, tbody, tr, th, td, strong, em, s and br."""
    return _children(_with_levels(_PARSER.parse(reply)))


def drawn_text(nodes: Sequence[Node]) -> str:
    """What is read where these nodes are drawn, a line for each block."""
    text = ""
    for node in nodes:
        if isinstance(node, str):
            text += node
        elif isinstance(node, list):
            inner = drawn_text(node[1:])
            text += inner if node[0] in _INLINE or inner.endswith("\n") else inner + "\n"
    return text


def _children(tokens: Sequence[Token]) -> list[Node]:
    root: list[Node] = [""]
    opened = [root]
    for token in tokens:
        if token.nesting == -1:
            opened.pop()
        elif token.nesting == 1:
            node: list[Node] = [token.tag]
            if isinstance(start := token.attrGet("start"), int):
                node.append(start)
            # The paragraph of a tight list is marked hidden: its text is the item's own.
            place = opened[-1] if token.hidden else node
            if not token.hidden:
                opened[-1].append(node)
            opened.append(place)
        else:
            opened[-1] += _leaf(token)
    return root[1:]


def _leaf(token: Token) -> list[Node]:
    if token.type == "inline":
        return _children(token.children or [])
    if token.type in ("fence", "code_block"):
        return [["pre", ["code", token.content]]]
    if token.type in ("softbreak", "hardbreak"):
        return [["br"]]
    if token.tag in ("code", "hr"):
        return [[token.tag, *([token.content] if token.content else [])]]
    return [token.content] if token.content else []


def _with_levels(tokens: list[Token]) -> list[Token]:
    """Headings one step apart at most, whatever the reply's own levels are: readers of the screen
    go by them."""
    level = _ABOVE
    for token in tokens:
        if token.type == "heading_open":
            level = min(_ABOVE + int(token.tag[1]), level + 1, 6)
            token.tag = f"h{level}"
    return tokens
