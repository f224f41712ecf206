"""The conversation as the Chat and the Compare tab show it.

Gradio's own Chatbot would copy a message's HTML, lets nobody choose a message by keyboard, and
names its parts in English to screen readers: so this is drawn by `assets/conversation.js`. The
value is the messages themselves: `role`, `content` (plain text), `nodes` (of a reply's Markdown),
`metadata`, `graded` (set by the browser on the answer that is being graded), `side` and `name`.
"""

from __future__ import annotations

from typing import TypeAlias

import gradio as gr

from model_registry.files.json_values import JsonDict
from pages.page_table import HERE
from pages.page_texts import WORDS, word
from pages.tabs.markdown_nodes import markdown_nodes

#: One message, as the view takes it.
Message: TypeAlias = JsonDict

LONGEST_MESSAGE = 4000

#: The texts of a conversation, in both languages.
_TEXTS = (
    "conversation", "you", "answer", "reply_a", "reply_b", "copy", "copied", "edit", "ask_edited",
    "cancel", "grade_this", "graded_now", "waiting", "nothing_asked", "edit_hint",
)  # fmt: skip


def conversation_view(elem_id: str, *acts: str, empty: str) -> gr.HTML:
    """An empty conversation; `acts` are what can be done with a message beside copying it ("edit",
    "grade"), `empty` is the key of the text that stands in an empty one."""
    return gr.HTML(
        [],
        html_template='<div class="conversation"></div>',
        js_on_load=(HERE / "conversation.js").read_text(encoding="utf-8"),
        words={key: WORDS[key] for key in (*_TEXTS, empty)},
        empty=empty,
        acts=list(acts),
        elem_id=elem_id,
        apply_default_css=False,
    )


def reply_message(content: str, **more: object) -> Message:
    """A reply as the view takes it."""
    return {
        "role": "assistant",
        "content": content,
        "nodes": markdown_nodes(content),
        **more,
    }


def prompt_box(elem_id: str, hint: str) -> gr.Textbox:
    """A box without label; `hint` is the key of the text that an empty one shows."""
    return gr.Textbox(
        label=word(hint),
        show_label=False,
        container=False,
        placeholder=word(hint),
        max_length=LONGEST_MESSAGE,
        scale=5,
        min_width=120,
        elem_id=elem_id,
    )
