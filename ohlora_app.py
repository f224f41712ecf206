"""The page: chat with candidates, grade their replies blind, compare, choose.

python ohlora_app.py [--run DIR] [--host H] [--port P] [--share] [--auth USER:PASSWORD]
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from commands.shared.option_class import option

# No look-up at start and no analytics; both are read when Gradio is imported.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
if os.environ.get("SPACES_ZERO_GPU"):
    import spaces  # noqa: F401 - on a ZeroGPU Space it must come before torch


import ohlora_cli
from commands.shared.console import plugin_files
from commands.shared.stopping import stopped_by_signals
from pages.page_address import check_address, read_login


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptions:
    """What `ohlora app` is asked for. OHLORA_AUTH and OHLORA_OWNER_KEY serve a Space."""

    host: Annotated[
        str | None,
        option(
            "Address to listen on; 0.0.0.0 for other machines.",
            "접속을 받을 주소. 다른 컴퓨터에서도 열려면 0.0.0.0",
        ),
    ] = None
    port: Annotated[
        int | None,
        option(
            "Port; the first free one from 7860 on otherwise.",
            "포트. 없으면 7860부터 비어 있는 첫 포트를 씁니다.",
        ),
    ] = None
    share: Annotated[
        bool, option("A public link (for Colab).", "공개 링크를 만듭니다(Colab용).", "--share")
    ] = False
    auth: Annotated[
        list[str] | None,
        option(
            "Ask for a login; may be repeated.",
            "로그인을 요구합니다. 반복할 수 있습니다.",
            metavar="USER:PASSWORD",
        ),
    ] = None
    run: Annotated[
        list[Path] | None,
        option(
            "A run to grade; may be repeated.",
            "평가할 실행 결과 폴더. 반복할 수 있습니다.",
            metavar="DIR",
        ),
    ] = None
    candidate: Annotated[
        list[str] | None,
        option(
            "Offer this one, fetching its weights.", "이 후보도 제공합니다. 가중치를 내려받습니다."
        ),
    ] = None
    plugin: Annotated[
        list[Path] | None,
        option(
            "A plugin file; may be repeated.", "플러그인 파일. 반복할 수 있습니다.", metavar="FILE"
        ),
    ] = None


def page(options: PageOptions) -> None:
    """Start the page and serve until it is stopped."""
    auth = options.auth or os.environ.get("OHLORA_AUTH", "").split()
    logins = tuple(read_login(each) for each in auth)
    check_address(options.host, options.port)
    # Imports Gradio, which takes seconds: --help and wrong usage need none of it.
    from pages.page_start import AppOptions, launch

    asked = AppOptions(
        host=options.host,
        port=options.port,
        share=options.share,
        logins=logins,
        candidates=tuple(options.candidate or ()),
        plugins=(*plugin_files, *(options.plugin or ())),
        runs=tuple(options.run or ()),
    )
    key = os.environ.get("OHLORA_OWNER_KEY")
    with stopped_by_signals():  # a Space's SIGTERM, too, leaves time for the mirror's last copy
        launch(replace(asked, owner_key=key) if key else asked)


if __name__ == "__main__":
    ohlora_cli.main(["app", *sys.argv[1:]])
