"""Checks the page's address and logins before Gradio is loaded."""

from __future__ import annotations

import socket

from model_registry.errors import OhloraError


def read_login(given: str) -> tuple[str, str]:
    """The name and the password of USER:PASSWORD.

    Raises:
        OhloraError: one of them is missing.
    """
    user, colon, password = given.partition(":")
    if not (user and colon and password):
        # Not repeated here: it may be a password, and what is printed may be kept.
        raise OhloraError(
            "--auth must be USER:PASSWORD.", "--auth는 사용자:비밀번호 꼴이어야 합니다."
        )
    return user, password


def check_address(host: str | None, port: int | None) -> None:
    """See that the page can be served there: Gradio would try a hundred ports of any address.

    Raises:
        OhloraError: it can't.
    """
    if port is not None and not 1 <= port <= 65_535:
        raise OhloraError(
            f"--port must be from 1 to 65535, not {port}.",
            f"--port는 1에서 65535 사이여야 합니다({port}은(는) 안 됩니다).",
        )
    try:
        place = socket.getaddrinfo(host or "127.0.0.1", 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(*place[:3]) as probe:
            probe.bind(place[4])
    except (OSError, UnicodeError) as error:
        raise OhloraError(
            f"--host {host} is no address of this machine ({error}).",
            f"--host {host}은(는) 이 컴퓨터의 주소가 아닙니다({error}).",
        ) from None
