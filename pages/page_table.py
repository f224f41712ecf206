"""Tables and pictures of the page: plain values, drawn by the browser in its language."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from evaluators.grading.rubric import LEVELS
from model_registry.files.json_values import JsonDict
from pages.page_texts import WORDS

HERE = Path(__file__).parent / "assets"

Rows = list[JsonDict]

#: Script of a `gr.HTML` whose only `<p>` shows its value as text.
AS_TEXT = """
const draw = () => { element.querySelector("p").textContent = props.value || ""; };
watch("value", draw); draw();
"""

#: What stands in an empty table or picture: English, Korean.
NOTHING = ("Nothing yet.", "아직 없어요.")


def column(
    key: str, english: str, korean: str, *, digits: int | None = None, always: bool = False
) -> dict[str, object]:
    """One column: `digits` behind the point make it a column of numbers.

    A column without a single value is left out, unless `always`.
    """
    head = {"key": key, "en": english, "ko": korean, "always": always}
    return head if digits is None else {**head, "numeric": True, "digits": digits}


def data_table(
    title: str, columns: list[dict[str, object]], rows: Rows, elem_id: str, *, none: tuple[str, str]
) -> gr.HTML:
    """A table with a title (a key of WORDS); `none` is shown where it has no rows."""
    if title not in WORDS:
        raise KeyError(title)
    english, korean = WORDS[title]
    return gr.HTML(
        rows,
        html_template='<h2></h2><div class="rows"></div>',
        js_on_load=(HERE / "table.js").read_text(encoding="utf-8"),
        title={"en": english, "ko": korean},
        columns=columns,
        none={"en": none[0], "ko": none[1]},
        elem_id=elem_id,
        elem_classes="data-table",
        apply_default_css=False,
    )


def picture(kind: str, title: str, elem_id: str) -> gr.HTML:
    """A picture: "points" (seconds against quality) or "bars" (the five grades)."""
    english, korean = WORDS[title]
    return gr.HTML(
        {},
        html_template='<h2></h2><div class="picture"></div>',
        js_on_load=(HERE / "picture.js").read_text(encoding="utf-8"),
        kind=kind,
        title={"en": english, "ko": korean},
        none={"en": NOTHING[0], "ko": NOTHING[1]},
        axis={"en": "seconds of a reply", "ko": "답변 하나의 시간(초)"},
        sides={
            "en": ["quality before the tune", "mean grade"],
            "ko": ["튜닝 전 품질", "평균 등급"],
        },
        levels=[{"en": level.english, "ko": level.name} for level in LEVELS],
        elem_id=elem_id,
        elem_classes="data-table",
        apply_default_css=False,
        min_width=300,
    )
