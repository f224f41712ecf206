"""Maps exceptions of the network to the status of a case, by their class."""

from __future__ import annotations

import socket

import httpx2

from model_registry.backends.remote.endpoint import Endpoint, mask
from model_registry.backends.remote.failures import AskError, one_line

_SILENT = (httpx2.TimeoutException, TimeoutError)
_NOBODY = (httpx2.ConnectError, ConnectionRefusedError, socket.gaierror)


def error_of_connection(error: BaseException, endpoint: Endpoint, *, late: bool) -> AskError:
    """The error for an exception of the network.

    Args:
        error: of httpx2, websockets or a socket.
        endpoint: whom was asked.
        late: the deadline of the whole answer had passed.
    """
    where = endpoint.shown_url
    said = one_line(mask(str(error), endpoint.secrets))
    if late:
        return AskError(
            "timeout",
            f"{where} had not finished after {endpoint.timeout:g} s",
            f"{where}: {endpoint.timeout:g}초 안에 답변이 끝나지 않았습니다",
        )
    if isinstance(error, httpx2.ConnectTimeout):
        return AskError(
            "unreachable",
            f"{where} took no connection within {endpoint.connect_timeout:g} s",
            f"{where}: {endpoint.connect_timeout:g}초 안에 연결되지 않았습니다",
            fatal=True,
        )
    if isinstance(error, _SILENT):
        return AskError(
            "timeout",
            f"{where} sent nothing for {endpoint.stall_timeout:g} s",
            f"{where}: {endpoint.stall_timeout:g}초 동안 응답이 없습니다",
        )
    if isinstance(error, _NOBODY):
        return AskError(
            "unreachable",
            f"{where} can't be reached: is the server running there? ({said})",
            f"{where}에 연결할 수 없습니다. 서버가 실행 중인지 확인하세요({said})",
            fatal=True,
        )
    return AskError(
        "unreachable",
        f"{where} went away in the middle of an answer ({type(error).__name__}: {said})",
        f"{where}: 답변 도중에 연결이 끊겼습니다({type(error).__name__}: {said})",
    )
