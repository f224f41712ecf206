"""Starts the page: its options, its address and login, and the links that it prints."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from benchmarks.results.human_grades import read_gradable
from evaluators.grading.gradable_replies import find_runs
from evaluators.grading.grading_session import GradingSession
from evaluators.grading.store.grade_store import GradeStore
from evaluators.grading.store.mirror import start_mirror
from model_registry.errors import OhloraError
from model_registry.files.json_values import JsonDict
from model_registry.language import text
from model_registry.registry import Registry
from pages.page_context import PageContext
from pages.page_layout import build_page, hide_endpoints, looks, serving
from pages.serving.page_models import Models


@dataclass(frozen=True, slots=True)
class AppOptions:
    """How the page is started."""

    host: str | None = None
    port: int | None = None
    share: bool = False
    logins: tuple[tuple[str, str], ...] = ()  # user and password each
    candidates: tuple[str, ...] = ()  # names to offer although they must be fetched first
    plugins: tuple[Path, ...] = ()
    runs: tuple[Path, ...] = ()  # run folders, or folders that hold some; none: reports/
    owner_key: str = field(default_factory=lambda: secrets.token_urlsafe(12))


def build_page_context(options: AppOptions) -> PageContext:
    """Build what the page works with: the grading session and the models.

    Raises:
        OhloraError: a run, a plugin or a candidate is not as named.
    """
    grading = GradingSession(_open_store, _find_runs(options.runs), options.owner_key)
    return PageContext(grading, Models(Registry(options.plugins), options.candidates))


def _open_store() -> GradeStore:
    store = GradeStore.open()
    start_mirror(store)
    return store


def _find_runs(folders: Sequence[Path]) -> dict[str, Path]:
    """Run folders by name: those given (each must be one, or hold some), else those in reports/."""
    found = [run for folder in folders for run in (find_runs(folder) or [folder])]
    for folder in found:
        read_gradable(folder)  # a wrong --run is told now, not to the first grader
    return {run.resolve().name: run for run in found or find_runs(Path("reports"))}


def launch(options: AppOptions, *, block: bool = True) -> Any:
    """Start the page; with `block` False it returns (app, local address, shared address).

    Raises:
        OhloraError: a run, the database or the port can't be used as given.
    """
    context = build_page_context(options)
    context.grading.store.check_writable()  # told now, not to the first grader
    page = build_page(context)
    if options.logins:
        hide_endpoints(page)
    page.queue(default_concurrency_limit=8, max_size=64)
    given: dict[str, Any] = dict(
        server_name=options.host,
        server_port=options.port,
        share=options.share,
        auth=list(options.logins) or None,
        app_kwargs=serving(page, context),
        prevent_thread_lock=True,
        quiet=True,
        show_error=True,  # Gradio's own checks of what it is sent; ours are told in any case
        run_history=False,
        enable_monitoring=False,
        footer_links=[],
        ssr_mode=False,
        mcp_server=False,
        **looks(),
    )
    started = _start(page, given)
    _greet(options, local=started[1], shared=started[2])
    if block:
        page.block_thread()
    return started


def _start(page: gr.Blocks, given: JsonDict) -> Any:
    try:
        return page.launch(**given)
    except OSError as error:  # the port is taken, or the address is not this machine's
        raise OhloraError(
            f"The page can't be served: {error}", f"페이지를 열 수 없습니다: {error}"
        ) from None
    except ValueError as error:
        # Gradio gives its own server three seconds to answer. A busy machine may need more: the
        # server is up nevertheless.
        if "localhost is not accessible" not in str(error):
            raise
        return page.app, page.local_url, None


def _greet(options: AppOptions, local: str, shared: str | None) -> None:
    """Print the addresses: for everybody, for graders, and the owner's own."""
    base = (shared or local).rstrip("/")
    print(text(f"The page: {base}", f"페이지: {base}"))
    if options.share and not shared:
        # An address that only this machine can open is no link for graders.
        print(_no_link())
    else:
        print(text(f"For graders: {base}/?grader=NAME", f"평가자용: {base}/?grader=이름"))
    key = f"{base}/?tab=results&key={options.owner_key}"
    print(text(f"Yours, with results: {key}", f"관리자용 (결과 포함): {key}"), flush=True)


def _no_link() -> str:
    """What a person can do who asked for a public link and got none."""
    return text(
        "No public link could be made: Gradio's share server was not reached. The page can be "
        "opened on this machine only. For graders, start it again when this machine is online, "
        "or with --host 0.0.0.0 for people in the same network, or on a Hugging Face Space "
        "(docs/space.md).",
        "공개 링크를 만들지 못했습니다: Gradio 공유 서버에 연결되지 않았습니다. 지금은 이 "
        "컴퓨터에서만 페이지를 열 수 있습니다. 평가자에게 알리려면 인터넷에 연결한 뒤 다시 "
        "시작하거나, 같은 네트워크라면 --host 0.0.0.0으로 시작하거나, Hugging Face Space에 "
        "올리세요(docs/space.md).",
    )
