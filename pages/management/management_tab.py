"""The Manage tab: how far graders are, whom to invite, what they remarked, grades to keep.

It is for the manager's key alone. Every handler asks for it again: what a browser hides, other
clients can still call.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import gradio as gr
from gradio.blocks import Block
from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder

from evaluators.grading.grade_export import export_grades
from evaluators.grading.management.grade_dataset import export_dataset
from evaluators.grading.management.grading_overview import overview_of
from evaluators.grading.management.invitations import invite
from evaluators.grading.store.management_store import LEVELS
from evaluators.grading.submission import InvalidRequest, text
from model_registry.errors import UnknownName
from model_registry.language import read_on_page
from pages.management import management_rows as rows
from pages.page_context import (
    PageContext,
    errors_as_messages,
    is_owner,
    part_of_request,
    prefers_korean,
    shows_names,
)
from pages.page_table import NOTHING, data_table
from pages.page_texts import word

#: What the grades can be kept as; a dataset comes as one archive.
FORMATS = ("csv", "jsonl", "dataset")


class Layout(NamedTuple):
    """The tab's components."""

    run: gr.Dropdown
    refresh: gr.Button
    people: gr.HTML
    disputed: gr.HTML
    remarks: gr.HTML
    times: gr.HTML
    invited: gr.HTML
    wanted: gr.Textbox
    links: gr.Textbox
    make: gr.Button
    whom: gr.Dropdown
    end: gr.Button
    shown: gr.Radio
    kind: gr.Radio
    export: gr.Button
    file: gr.File


def _layout(names: list[str]) -> Layout:
    with gr.Row():
        run = gr.Dropdown(
            names, value=names[0] if names else None, label=word("run"), elem_id="manage-run"
        )
        refresh = gr.Button(word("refresh"), scale=0, min_width=120, elem_id="manage-refresh")
    people = data_table("progress", rows.GRADERS, [], "manage-graders", none=NOTHING)
    disputed = data_table("disputed", rows.DISPUTED, [], "manage-disputed", none=NOTHING)
    remarks = data_table("remarks", rows.REMARKS, [], "manage-remarks", none=NOTHING)
    times = data_table("times", rows.TIMES, [], "manage-times", none=NOTHING)
    invited = data_table("invitations", rows.INVITATIONS, [], "manage-invitations", none=NOTHING)
    with gr.Row():
        wanted = gr.Textbox(label=word("invite_names"), lines=3, elem_id="manage-names")
        links = gr.Textbox(
            label=word("invite_links"), info=word("invite_told"), lines=3, interactive=False,
            buttons=["copy"], elem_id="manage-links",
        )  # fmt: skip
    with gr.Row():
        make = gr.Button(word("invite_make"), elem_id="manage-invite")
        whom = gr.Dropdown([], label=word("invite_whom"), elem_id="manage-whom")
        end = gr.Button(word("invite_revoke"), elem_id="manage-revoke")
    with gr.Row():
        shown = gr.Radio(
            [(word(f"visible_{level}"), level) for level in LEVELS],
            label=word("visible"),
            elem_id="manage-visible",
        )
    with gr.Row():
        kind = gr.Radio(
            [(word(f"export_{one}"), one) for one in FORMATS],
            value="csv",
            label=word("export_as"),
            elem_id="manage-format",
        )
        export = gr.Button(word("export_make"), elem_id="manage-export")
        file = gr.File(label=word("export_file"), interactive=False, elem_id="manage-file")
    return Layout(
        run, refresh, people, disputed, remarks, times, invited, wanted, links, make, whom, end,
        shown, kind, export, file,
    )  # fmt: skip


def management_tab(context: PageContext, tab: gr.Tab) -> gr.Dropdown:
    """Build the tab, which only the manager is shown; the choice of the run."""
    made = _layout(context.grading.run_names)
    tables: list[Block] = [
        made.people, made.disputed, made.remarks, made.times, made.invited, made.whom, made.shown,
    ]  # fmt: skip

    def manage(run: str, request: gr.Request) -> tuple[object, ...]:
        """Progress by grader, disputed replies, remarks, times and invitations of a run."""
        with _managing(context, request):
            return show_management(context, run, request)

    def manage_in_passing(run: str, request: gr.Request) -> tuple[object, ...]:
        with _managing(context, request):
            return show_management(context, run, request, asked=False)

    def manage_invite(run: str, names: str, request: gr.Request) -> tuple[object, ...]:
        """Make a link for each name; they are told this once."""
        with _managing(context, request):
            told = invitation_links(context, run, names, request)
            return told, "", *show_management(context, run, request, asked=False)

    def manage_revoke(run: str, grader: str, request: gr.Request) -> tuple[object, ...]:
        """End one person's link; what they graded stays."""
        with _managing(context, request):
            context.grading.store.management.revoke(text(grader or "", "grader", 60))
            return show_management(context, run, request, asked=False)

    def manage_visible(run: str, level: str, request: gr.Request) -> None:
        """Set what graders who have finished may see."""
        with _managing(context, request):
            name = context.grading.run(run or "").name
            context.grading.store.management.set_visibility(name, level)

    def manage_export(run: str, kind: str, request: gr.Request) -> str:
        """All grades of a run as CSV, JSON lines, or a dataset folder in an archive."""
        with _managing(context, request):
            return exported(context, run, kind, request)

    given: dict[str, Any] = {"queue": False, "show_progress": "minimal", "preprocess": False}
    made.refresh.click(manage, made.run, tables, api_name="manage", **given)
    for event in (tab.select, made.run.input):
        event(manage_in_passing, made.run, tables, api_visibility="private", **given)
    made.make.click(
        manage_invite,
        [made.run, made.wanted],
        [made.links, made.wanted, *tables],
        api_name="manage_invite",
        **given,
    )
    made.end.click(manage_revoke, [made.run, made.whom], tables, api_name="manage_revoke", **given)
    made.shown.input(
        manage_visible, [made.run, made.shown], None, api_name="manage_visible", **given
    )
    made.export.click(
        manage_export, [made.run, made.kind], made.file, api_name="manage_export", **given
    )
    return made.run


@contextmanager
def _managing(context: PageContext, request: gr.Request) -> Iterator[None]:
    """Errors as messages in the manager's language, and nothing for anybody else."""
    with errors_as_messages(request), read_on_page(korean=prefers_korean(request)):
        if not is_owner(context, request):
            raise InvalidRequest(
                "This is for the manager. Open the manager's link that the terminal shows.",
                "관리자만 볼 수 있어요. 터미널에 나온 관리자용 링크로 여세요.",
            )
        yield


def show_management(
    context: PageContext, run: str, request: gr.Request, *, asked: bool = True
) -> tuple[object, ...]:
    """Values for the tables, the choice of whom to revoke, and what graders may see.

    A manager who still grades the run is shown whose replies are remarked on only where they have
    `asked`: see `shows_names`.
    """
    store, folder = context.grading.store, context.grading.run(run or "")
    found, name = overview_of(store, folder), folder.name
    named = shows_names(context, request, name, asked=asked)
    invitations = store.management.invitations()
    open_ = [(f"{i.name} ({i.made_at[:10]})", i.grader) for i in invitations if not i.revoked_at]
    return (
        rows.grader_rows(found.graders),
        rows.disputed_rows(found.disputed if named else ()),
        rows.remark_rows(found.remarks if named else ()),
        rows.time_rows(found.prompts),
        rows.invitation_rows(invitations),
        gr.Dropdown(open_, value=None),
        store.management.visibility(name),
    )


def invitation_links(context: PageContext, run: str, names: str, request: gr.Request) -> str:
    """A line for each name: the name and the whole link."""
    run = context.grading.run(run or "").name
    made = invite(context.grading.store, text(names or "", "names", 10_000), run)
    headers = part_of_request(request, "headers") or {}
    page = urlsplit(str(headers.get("referer") or headers.get("origin") or ""))
    base = f"{page.scheme}://{page.netloc}{page.path or '/'}" if page.netloc else "/"
    return "\n".join(f"{one.name}: {base}?{one.query}" for one in made)


def exported(context: PageContext, run: str, kind: str, request: gr.Request) -> str:
    """A file of all grades of a run, where Gradio serves it from.

    It names the candidates: that the manager has seen them is kept before it is made.

    Raises:
        UnknownName: no such format.
    """
    if kind not in FORMATS:
        raise UnknownName("format", str(kind)[:40], FORMATS)
    store, name = context.grading.store, context.grading.run(run or "").name
    shows_names(context, request, name, asked=True)
    with tempfile.TemporaryDirectory(prefix="ohlora-export-") as place:
        if kind == "dataset":
            export_dataset(store, Path(place, "grades"), name)
            archive = shutil.make_archive(f"{place}/grades-dataset", "zip", place, "grades")
            file = Path(archive)
        else:
            file = Path(place, f"grades.{kind}")
            export_grades(store, file, name)
        return str(save_file_to_cache(file, get_upload_folder()))
