"""The box of the Candidates tab that looks up any model by its name, for the owner alone.

It reads folders of this machine and asks the hub for what is named: neither is for visitors.
"""

from __future__ import annotations

import gradio as gr

from evaluators.grading.submission import InvalidRequest, text
from model_registry.language import read_on_page
from model_registry.memory.fit_report import CARDS, card_budget
from model_registry.naming.candidate_check import verdict_words
from model_registry.naming.look_up import LookedUp, look_up
from pages.page_context import PageContext, errors_as_messages, is_owner, prefers_korean
from pages.page_table import Rows, column, data_table
from pages.page_texts import word
from pages.tabs.candidate_rows import COLUMNS, USE_COLUMNS, candidate_row, use_rows

HERE = "here"  # in place of a card: the memory that is free on this machine
SIZES = ("8GB", "12GB", "16GB", "24GB", "48GB", "80GB")
LONGEST_NAME = 500

LOOKED = [
    column("mark", " ", " ", always=True),
    column("what", "Looked at", "확인한 것", always=True),
    column("said", "Found", "결과", always=True),
]
UNKNOWN = ("Nothing is known of it.", "알려진 것이 없어요.")
_MARKS = {True: "✓", False: "✗", None: ""}


def lookup_box(context: PageContext) -> gr.Column:
    """Build the box, hidden until the page is opened by the owner."""
    box: gr.Column = gr.Column(visible=False, elem_id="lookup")
    with box:
        with gr.Row():
            name = gr.Textbox(
                label=word("lookup"),
                placeholder=word("lookup_hint"),
                max_length=LONGEST_NAME,
                scale=4,
                elem_id="lookup-name",
            )
            card = gr.Dropdown(
                [*SIZES, *CARDS, ("this machine · 이 컴퓨터", HERE)],
                value="12GB",
                allow_custom_value=True,
                label=word("lookup_card"),
                scale=1,
                min_width=160,
                elem_id="lookup-card",
            )
            show = gr.Button(word("lookup_show"), scale=0, min_width=100, elem_id="lookup-show")
        with gr.Column(visible=False) as found:
            tables = [
                data_table("lookup_load", LOOKED, [], "lookup-load", none=UNKNOWN),
                data_table("lookup_candidate", COLUMNS, [], "lookup-candidate", none=UNKNOWN),
                data_table("lookup_uses", USE_COLUMNS, [], "lookup-uses", none=UNKNOWN),
            ]

    def model_lookup(
        name: str, card: str, request: gr.Request
    ) -> tuple[Rows, Rows, Rows, gr.Column]:
        with errors_as_messages(request):
            return *show_model(context, name, card, request), gr.Column(visible=True)

    gr.on(
        [name.submit, show.click],
        model_lookup,
        [name, card],
        [*tables, found],
        preprocess=False,  # our own checks speak more clearly
        show_progress="minimal",
        api_name="model_lookup",
    )
    return box


def show_model(
    context: PageContext, name: object, card: object, request: gr.Request | None
) -> tuple[Rows, Rows, Rows]:
    """Whether a model loads and fits, its row as a candidate, and its licence by use.

    Raises:
        OhloraError: the visitor is not the owner; nothing is called so; there is no such card.
    """
    if not is_owner(context, request):  # before anything is looked at
        raise InvalidRequest(
            "Only the owner of this page can look up models by name: open it by the owner's link.",
            "모델 이름으로 보기는 관리자만 쓸 수 있어요. 관리자용 링크로 여세요.",
        )
    named, size = text(name or "", "name", LONGEST_NAME).strip(), text(card or HERE, "card", 40)
    if not named:
        raise InvalidRequest("Name a model first.", "먼저 모델 이름을 적어 주세요.")
    with read_on_page(korean=prefers_korean(request)):
        if size != HERE:
            card_budget(size)  # a wrong card is told before the hub is asked
        found = look_up(named, context.models.registry, gpu=None if size == HERE else size)
        candidate = found.candidate
        row = [] if candidate is None else [candidate_row(candidate)]
        return _looked(found), row, [] if candidate is None else use_rows(candidate.license.name)


def _looked(found: LookedUp) -> Rows:
    """What it comes to, and then each thing that was looked at."""
    rows: Rows = [
        {"mark": _MARKS[each.ok], "what": each.name, "said": each.value} for each in found.findings
    ]
    if found.verdict is None:
        return rows
    summary = {
        "mark": _MARKS[found.verdict.loads],
        "what": found.verdict.name,
        "said": verdict_words(found.verdict),
    }
    rows += [
        {"mark": _MARKS[each.ok], "what": each.label, "said": each.note.words}
        for each in found.verdict.looked
    ]
    return [summary, *rows]
