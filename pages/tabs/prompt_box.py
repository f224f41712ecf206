"""The text box for a prompt, as the Chat and the Compare tab have it."""

from __future__ import annotations

import gradio as gr

from pages.page_texts import word
from pages.tabs.conversation import LONGEST_MESSAGE


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
