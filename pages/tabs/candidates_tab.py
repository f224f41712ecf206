"""The Candidates tab: candidates with filters, and why others are rejected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import gradio as gr

from benchmarks.results.criteria import value_of
from benchmarks.results.folder import RunFolder
from benchmarks.results.run import Run
from evaluators.grading.submission import InvalidRequest
from model_registry.errors import OhloraError
from model_registry.language import read_on_page
from model_registry.licenses.license_uses import USES
from model_registry.selection import Criteria, Selection, select
from pages.page_context import (
    PageContext,
    errors_as_messages,
    is_grading,
    prefers_korean,
    sees_names,
)
from pages.page_table import Rows, column, data_table
from pages.page_texts import word
from pages.tabs.candidate_rows import COLUMNS, candidate_row
from pages.tabs.model_lookup import lookup_box

#: The sliders' end: it stands for "no limit".
LARGEST = 20.0

REASONS = [
    column("name", "Candidate", "후보", always=True),
    column("reason", "Why not", "제외 이유", always=True),
]


def candidates_tab(context: PageContext, tab: gr.Tab) -> gr.Column:
    """Build the tab; the box that only the owner is shown."""
    everyone = context.models.registry.candidates()
    with gr.Row():
        catalog = gr.Dropdown(
            [(word("all"), "all"), *_values(c.catalog for c in everyone)],
            value="korean-small" if any(c.catalog == "korean-small" for c in everyone) else "all",
            label=word("catalog"),
            elem_id="candidates-catalog",
        )
        license_ = gr.Dropdown(
            [
                (word("any"), "any"),
                (word("free"), "free"),
                *(
                    (word("unknown") if name == "unknown" else name, name)
                    for name in _values(c.license.name for c in everyone)
                ),
            ],
            value="any",
            label=word("license"),
            elem_id="candidates-license",
        )
        use = gr.Dropdown(
            [(word("any"), "any"), *((word(f"use_{one}"), one) for one in USES)],
            value="any",
            label=word("use"),
            elem_id="candidates-use",
        )
        language = gr.Dropdown(
            [(word("any"), "any"), *_values(one for c in everyone for one in c.languages)],
            value="any",
            label=word("language"),
            elem_id="candidates-language",
        )
    with gr.Row():
        smallest = gr.Slider(
            0,
            LARGEST,
            value=0,
            step=0.05,
            min_width=240,
            label=word("smallest"),
            elem_id="candidates-min",
        )
        largest = gr.Slider(
            0,
            LARGEST,
            value=LARGEST,
            step=0.05,
            min_width=240,
            label=word("largest"),
            elem_id="candidates-max",
        )
    traits = _values(one for c in everyone for one in c.traits)
    with gr.Row():
        wanted = gr.Dropdown(
            traits, multiselect=True, label=word("with_traits"), elem_id="candidates-with"
        )
        unwanted = gr.Dropdown(
            traits, multiselect=True, label=word("without_traits"), elem_id="candidates-without"
        )
    filters: list[gr.Dropdown | gr.Slider | gr.Number | gr.Radio] = [
        catalog,
        license_,
        language,
        smallest,
        largest,
        wanted,
        unwanted,
        use,
    ]
    defaults = [one.value for one in filters]
    accepted, rejected = tables(_select(context, *defaults))
    nobody = ("No candidate fits.", "조건에 맞는 후보가 없어요.")
    fitting = data_table("accepted", COLUMNS, accepted, "candidates-accepted", none=nobody)
    nobody = ("Nobody is rejected.", "제외된 후보가 없어요.")
    out = data_table("rejected", REASONS, rejected, "candidates-rejected", none=nobody)

    def candidates(
        catalog: str, license: str, language: str, min_billion: float, max_billion: float,
        with_traits: list[str], without_traits: list[str], use: str, request: gr.Request,
    ) -> tuple[Rows, Rows]:  # fmt: skip
        with errors_as_messages(request), read_on_page(korean=prefers_korean(request)):
            found = _select(
                context,
                catalog,
                license,
                language,
                min_billion,
                max_billion,
                with_traits,
                without_traits,
                use,
            )
            return tables(found, None if use in (None, "any") else use, economy(context, request))

    gr.on(
        [tab.select, *(one.change for one in filters)],
        candidates,
        filters,
        [fitting, out],
        queue=False,
        preprocess=False,  # our own checks speak more clearly to other clients
        show_progress="hidden",
        trigger_mode="always_last",
        api_name="candidates",
    )
    return lookup_box(context)


def _select(
    context: PageContext,
    catalog: str,
    license_: str,
    language: str,
    smallest: float,
    largest: float,
    wanted: list[str] | None,
    unwanted: list[str] | None,
    use: str | None = None,
) -> Selection:
    for value in (smallest, largest):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidRequest(
                "Sizes are numbers of billions.",
                "파라미터 수는 B(10억 개) 단위의 수로 적어 주세요.",
            )
    for chosen in (wanted, unwanted):
        if not isinstance(chosen or [], list):
            raise InvalidRequest("Traits are a list.", "특성은 목록으로 보내 주세요.")
    if use not in (None, "any", *USES):
        raise InvalidRequest("There is no such use.", "그런 용도는 없어요.")
    criteria = Criteria(
        use=None if use in (None, "any") else str(use),
        license=None if license_ in (None, "any") else str(license_),
        min_params=round(smallest * 1e9) if smallest > 0 else None,
        max_params=round(largest * 1e9) if largest < LARGEST else None,
        language=None if language in (None, "any") else str(language),
        with_traits=tuple(map(str, wanted or ())),
        without_traits=tuple(map(str, unwanted or ())),
    )
    registry = context.models.registry
    # A path to a catalog of one's own is for the command line, not for visitors.
    known = {c.catalog for c in registry.candidates()}
    if catalog not in (None, "all") and catalog not in known:
        raise InvalidRequest("There is no such catalog.", "그런 목록은 없어요.")
    among = [c for c in registry.candidates() if catalog in (None, "all", c.catalog)]
    return select(among, criteria)


def economy(context: PageContext, request: gr.Request | None) -> dict[str, float]:
    """Tokens for 100 characters of the rows of the page's first run, by candidate.

    Empty where there is no run, and for who must not learn yet which candidates take part.
    """
    if not context.grading.run_names:
        return {}
    try:
        opened = context.grading.run()
        counted = _counted(Run(opened.folder, RunFolder(opened.folder).head()))
        if not counted or is_grading(context, request, opened.name):
            return {}
        return counted if sees_names(context, request, opened.name) else {}
    except OhloraError:  # no study made the folder, or the database can't say who asks:
        return {}  # candidates are shown all the same


def _counted(run: Run) -> dict[str, float]:
    found = {name: value_of("tokens_per_100_characters", name, run) for name in run.candidates}
    return {name: value for name, value in found.items() if value is not None}


def tables(
    selection: Selection, use: str | None = None, tokens: Mapping[str, float] | None = None
) -> tuple[Rows, Rows]:
    """Rows of both tables; what is unknown is None, never zero."""
    rejected: Rows = [{"name": r.candidate.name, "reason": r.reason} for r in selection.rejected]
    accepted = [
        candidate_row(c, use) | {"tokens": (tokens or {}).get(c.name)} for c in selection.accepted
    ]
    return accepted, rejected


def _values(values: Iterable[str]) -> list[str]:
    return sorted({value for value in values if value})
