"""Parses the fields of a node's text and checks their types.

A field is read by what it is, not by how it is written: quotes were taken away before. Functions
return None where the field is of another type.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from diagrams.diagram import Colour, Node
from model_registry.files.json_values import JsonDict, JsonObject
from model_registry.language import text

FIELDS_WITHOUT_SIZE = 8  # of the older form; the asked-for one has ten
#: What the older form leaves out, by shape.
DEFAULT_SIZE = {"rectangle": (80.0, 40.0), "round rectangle": (80.0, 40.0), "circle": (50.0, 50.0)}

#: "Node 3", "node_3", "No. 3" and "n3" are ways to write a number: the form calls it "node No.".
_WHOLE = re.compile(r"(?:(?:node|no\.?|n)[\s_\-#]{0,3}){0,2}([+-]?\d{1,9})", re.IGNORECASE)
_NUMBER = re.compile(r"([+-]?(?:\d{1,12}(?:\.\d{0,12})?|\.\d{1,12}))\s{0,3}(?:px)?", re.IGNORECASE)
_HEX = re.compile(r"#([0-9a-fA-F]{8}|[0-9a-fA-F]{6}|[0-9a-fA-F]{3,4})(?![0-9a-zA-Z])")


@dataclass(frozen=True, slots=True)
class Field:
    """One field as written, without quotes; `items` are the parts of a bracketed one."""

    text: str
    items: tuple[str, ...] | None = None

    def __str__(self) -> str:
        shown = self.text if self.items is None else f"{self.text}[{', '.join(self.items)}]"
        return shown if len(shown) <= 30 else shown[:29] + "…"


@dataclass(frozen=True, slots=True)
class WrongField:
    """Why a text is no node: the first field that is missing or of another type."""

    reason: str


def whole_number(field: Field) -> int | None:
    """A whole number; the word "node" may stand before it."""
    match = _WHOLE.fullmatch(field.text) if field.items is None else None
    return int(match[1]) if match else None


def number(field: Field) -> float | None:
    """A number of pixels; "px" may follow."""
    match = _NUMBER.fullmatch(field.text) if field.items is None else None
    return float(match[1]) if match else None


def word(field: Field) -> str | None:
    """Text with a letter in it, in lower case with single spaces."""
    if field.items is not None or not any(c.isalpha() for c in field.text):
        return None
    return " ".join(re.sub(r"[_\-\s]+", " ", field.text.lower()).split())


def colour(field: Field) -> Colour | None:
    """Three or four numbers in brackets, #hex, or the name of a colour. Out of range is clipped."""
    if field.items is not None:
        parts = [number(Field(item)) for item in field.items]
        if len(parts) not in (3, 4) or None in parts:
            return None
        red, green, blue = (min(255, max(0, round(part or 0))) for part in parts[:3])
        return red, green, blue
    match = _HEX.match(field.text)
    if match:
        digits = match[1] if len(match[1]) >= 6 else "".join(digit * 2 for digit in match[1])
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    return _named_colours().get(re.sub(r"[\s_\-]+", "", field.text.lower()))


@cache
def _named_colours() -> dict[str, Colour]:
    from PIL import ImageColor

    named = ((name, ImageColor.getrgb(value)) for name, value in ImageColor.colormap.items())
    return {name: (rgb[0], rgb[1], rgb[2]) for name, rgb in named}


def numbers_pointed_to(field: Field) -> tuple[int, ...] | None:
    """A list of whole numbers, each once, in order."""
    if field.items is None:
        return None
    parts = [whole_number(Field(item)) for item in field.items]
    if None in parts:
        return None
    return tuple(dict.fromkeys(part for part in parts if part is not None))


def shape_of(said: str) -> str | None:
    """The shape that a word names; None where it names none that we draw."""
    if any(name in said for name in ("round rect", "rounded", "round sq", "roundrect", "둥근")):
        return "round rectangle"
    if any(name in said for name in ("circle", "ellipse", "oval", "원")) or said == "round":
        return "circle"
    if any(name in said for name in ("rect", "square", "box", "사각")):
        return "rectangle"
    return None


def line_of(said: str) -> str | None:
    """The line shape that a word names; None where it names none that we draw."""
    if any(name in said for name in ("dash", "dot", "점선")):
        return "dashed line"
    if any(name in said for name in ("arrow", "화살")):
        return "solid arrow"
    return "solid line" if any(name in said for name in ("solid", "line", "실선")) else None


def colours_are_numbers(fields: list[Field], with_size: bool) -> bool:
    """Whether both colours are written in numbers, as asked for, not by name or as #hex."""
    first = 7 if with_size else 5
    return all(field.items is not None for field in fields[first : first + 2])


def read_node(fields: list[Field], with_size: bool) -> tuple[Node, list[str]] | WrongField:
    """The node of these fields and what is odd about it, or which field is wrong.

    Args:
        fields: in the order of the form; what comes after its last field is not looked at.
        with_size: whether the form has ten fields or, without width and height, eight.
    """
    form = [pair for pair in _FORM if with_size or pair[0] not in ("width", "height")]
    values: JsonDict = {}
    for (name, kind), field in zip(form, fields, strict=False):
        value = kind(field)
        if value is None:
            return WrongField(
                text(
                    f"{str(field) or 'nothing'} is no {name}",
                    f"{_KOREAN[name]}이(가) 아닙니다: {str(field) or '빈칸'}",
                )
            )
        values[name] = value
    if len(values) < len(form):
        name = form[len(values)][0]
        return WrongField(text(f"the {name} is missing", f"{_KOREAN[name]}이(가) 없습니다"))
    return _node(values)


_FORM: tuple[tuple[str, Callable[[Field], object]], ...] = (
    ("node number", whole_number),
    ("X", number),
    ("Y", number),
    ("shape", word),
    ("width", number),
    ("height", number),
    ("line shape", word),
    ("background colour", colour),
    ("line colour", colour),
    ("list of nodes it points to", numbers_pointed_to),
)


_KOREAN = {
    "node number": "노드 번호",
    "X": "X",
    "Y": "Y",
    "shape": "모양",
    "width": "너비",
    "height": "높이",
    "line shape": "선 모양",
    "background colour": "배경색",
    "line colour": "선 색",
    "list of nodes it points to": "가리키는 노드 목록",
}


def _node(values: JsonObject) -> tuple[Node, list[str]]:
    said, number = [], values["node number"]
    shape, line = shape_of(values["shape"]), line_of(values["line shape"])
    if shape is None:
        word = values["shape"][:30]
        said.append(
            text(
                f"node {number}: shape {word} is drawn as a rectangle",
                f"노드 {number}: 모양 {word}은(는) 사각형으로 그립니다",
            )
        )
    if line is None:
        word = values["line shape"][:30]
        said.append(
            text(
                f"node {number}: line {word} is drawn as a solid line",
                f"노드 {number}: 선 {word}은(는) 실선으로 그립니다",
            )
        )
    shape = shape or "rectangle"
    node = Node(
        number=number,
        x=values["X"],
        y=values["Y"],
        shape=shape,
        width=values.get("width", DEFAULT_SIZE[shape][0]),
        height=values.get("height", DEFAULT_SIZE[shape][1]),
        line=line or "solid line",
        fill=values["background colour"],
        line_colour=values["line colour"],
        targets=values["list of nodes it points to"],
    )
    return node, said
