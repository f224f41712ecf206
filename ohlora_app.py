"""The page: chat with candidates, grade their replies blind, compare, choose. Start it with

python ohlora_app.py [--run DIR] [--host H] [--port P] [--share] [--auth USER:PASSWORD]
"""

from __future__ import annotations

import argparse
import os
import secrets
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

# No look-up at start and no analytics; both are read when Gradio is imported.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
if os.environ.get("SPACES_ZERO_GPU"):
    import spaces  # noqa: F401 - on a ZeroGPU Space it must come before torch

from model_registry.errors import OhloraError
from model_registry.language import text

if TYPE_CHECKING:
    import gradio as gr

    from evaluators.grading.store.grade_store import GradeStore
    from pages.page_context import PageContext


@dataclass(frozen=True, slots=True)
class AppOptions:
    """How the page is started."""

    host: str | None = None
    port: int | None = None
    share: bool = False
    auth: tuple[str, ...] = ()  # "user:password" each
    candidates: tuple[str, ...] = ()  # names to offer although they must be fetched first
    plugins: tuple[Path, ...] = ()
    runs: tuple[Path, ...] = ()  # run folders, or folders that hold some; none: reports/
    owner_key: str = field(default_factory=lambda: secrets.token_urlsafe(12))


def build_page_context(options: AppOptions) -> PageContext:
    """Build what the page works with: the grading session and the models.

    Raises:
        OhloraError: a run, a plugin or a candidate is not as named.
    """
    from evaluators.grading.grading_session import GradingSession
    from model_registry.registry import Registry
    from pages.page_context import PageContext
    from pages.serving.page_models import Models

    grading = GradingSession(_open_store, _find_runs(options.runs), options.owner_key)
    return PageContext(grading, Models(Registry(options.plugins), options.candidates))


def _open_store() -> GradeStore:
    from evaluators.grading.store.grade_store import GradeStore
    from evaluators.grading.store.mirror import start_mirror

    store = GradeStore.open()
    start_mirror(store)
    return store


def _find_runs(folders: Sequence[Path]) -> dict[str, Path]:
    """Run folders by name: those given (each must be one, or hold some), else those in reports/."""
    from evaluators.grading.gradable_replies import find_runs, read_run

    found = [run for folder in folders for run in (find_runs(folder) or [folder])]
    for folder in found:
        read_run(folder)  # a wrong --run is told now, not to the first grader
    return {run.resolve().name: run for run in found or find_runs(Path("reports"))}


def launch(options: AppOptions, *, block: bool = True) -> Any:
    """Start the page; with `block` False it returns (app, local address, shared address).

    Raises:
        OhloraError: a run, the database, the port or the login can't be used as given.
    """
    logins = [_login(one) for one in options.auth]
    _check_address(options.host, options.port)
    context = build_page_context(options)
    context.grading.store.check_writable()  # told now, not to the first grader
    from pages.page_layout import build_page, hide_endpoints, looks, serving

    page = build_page(context)
    if logins:
        hide_endpoints(page)
    page.queue(default_concurrency_limit=8, max_size=64)
    given: dict[str, Any] = dict(
        server_name=options.host,
        server_port=options.port,
        share=options.share,
        auth=logins or None,
        app_kwargs=serving(page),
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


def _start(page: gr.Blocks, given: dict[str, Any]) -> Any:
    try:
        return page.launch(**given)
    except OSError as error:  # the port is taken, or the address is not this machine's
        raise OhloraError(f"The page can't be served: {error}") from None
    except ValueError as error:
        # Gradio gives its own server three seconds to answer. A busy machine may need more: the
        # server is up nevertheless.
        if "localhost is not accessible" not in str(error):
            raise
        return page.app, page.local_url, None


def _login(text_: str) -> tuple[str, str]:
    user, colon, password = text_.partition(":")
    if not (user and colon and password):
        # Not repeated here: it may be a password, and what is printed may be kept.
        raise OhloraError(
            text("--auth must be USER:PASSWORD.", "--auth는 사용자:비밀번호 꼴이어야 합니다.")
        )
    return user, password


def _check_address(host: str | None, port: int | None) -> None:
    """See that the page can be served there: Gradio would try a hundred ports of any address."""
    if port is not None and not 1 <= port <= 65_535:
        raise OhloraError(
            text(
                f"--port must be from 1 to 65535, not {port}.",
                f"--port는 1에서 65535 사이여야 합니다({port}은(는) 안 됩니다).",
            )
        )
    try:
        place = socket.getaddrinfo(host or "127.0.0.1", 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(*place[:3]) as probe:
            probe.bind(place[4])
    except (OSError, UnicodeError) as error:
        raise OhloraError(
            text(
                f"--host {host} is no address of this machine ({error}).",
                f"--host {host}은(는) 이 컴퓨터의 주소가 아닙니다({error}).",
            )
        ) from None


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


def parse_arguments(arguments: Sequence[str] | None = None) -> AppOptions:
    """The options of the command line. OHLORA_AUTH and OHLORA_OWNER_KEY serve a Space."""
    parser = argparse.ArgumentParser(
        prog="ohlora app", description="Start the page: chat, grade, compare, choose."
    )
    parser.add_argument("--host", help="address to listen on; 0.0.0.0 for other machines")
    parser.add_argument("--port", type=int, help="port; the first free one from 7860 on otherwise")
    parser.add_argument("--share", action="store_true", help="a public link (for Colab)")
    parser.add_argument(
        "--auth", action="append", default=[], metavar="USER:PASSWORD", help="ask for a login"
    )
    parser.add_argument(
        "--run", action="append", default=[], type=Path, metavar="DIR", help="a run to grade"
    )
    parser.add_argument(
        "--candidate", action="append", default=[], help="offer this one, fetching its weights"
    )
    parser.add_argument(
        "--plugin", action="append", default=[], type=Path, metavar="FILE", help="load a plugin"
    )
    given = parser.parse_args(arguments)
    auth = given.auth or os.environ.get("OHLORA_AUTH", "").split()
    options = AppOptions(
        host=given.host,
        port=given.port,
        share=given.share,
        auth=tuple(auth),
        candidates=tuple(given.candidate),
        plugins=tuple(given.plugin),
        runs=tuple(given.run),
    )
    key = os.environ.get("OHLORA_OWNER_KEY")
    return replace(options, owner_key=key) if key else options


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the page and serve until it is stopped; 1 where the user must act first."""
    try:
        launch(parse_arguments(arguments))
    except OhloraError as error:
        print(error.shown, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
