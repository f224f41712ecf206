"""Errors of remote backends, each with the status that its case gets."""

from __future__ import annotations

from model_registry.backends.backend import Answer
from model_registry.backends.remote.endpoint import Endpoint, mask
from model_registry.backends.remote.request_fields import is_too_long
from model_registry.errors import LoadError
from model_registry.language import Both

_LONGEST_SAID = 300  # characters of a server's words


class AskError(LoadError):
    """A backend gave no answer, or lost it on the way.

    `status` is the status of the case. `answer` holds what had come until then. `fatal` says that
    asking again is no use: nobody listens there, or the server refuses on principle. `problem` is
    what is wrong with this question alone, where it is that: others may be answered.
    """

    def __init__(
        self,
        status: str,
        message: str,
        korean: str,
        *,
        answer: Answer | None = None,
        fatal: bool = False,
        problem: str | None = None,
    ) -> None:
        super().__init__(status, message, korean)
        self.answer, self.fatal, self.problem = answer, fatal, problem


class ServerRefusal(Exception):
    """A server answered with an HTTP status other than 2xx."""

    def __init__(
        self, code: int, said: str, retry_after: float | None = None, param: str | None = None
    ) -> None:
        super().__init__(code, said)
        self.code, self.said, self.retry_after = code, said, retry_after
        self.param = param  # the field of the request that it names, where it names one

    @property
    def may_be_retried(self) -> bool:
        """Too many requests, and troubles of the server's own; never what we asked wrongly."""
        return self.code == 429 or self.code >= 500


def error_of_refusal(refused: ServerRefusal, endpoint: Endpoint, attempts: int) -> AskError:
    """The error for a refusal after so many attempts."""
    said = one_line(mask(refused.said, endpoint.secrets))
    tried, tried_ko = "", ""
    if attempts > 1:
        tried, tried_ko = f" after {attempts} attempts", f"({attempts}번 시도)"
    status, (english, korean), fatal = _meaning(refused, endpoint)
    return AskError(
        status,
        f"{endpoint.shown_url} answered HTTP {refused.code}{tried}{english}. {said}",
        f"{endpoint.shown_url}: HTTP {refused.code}{tried_ko}. {korean}{said}",
        fatal=fatal,
    )


def _meaning(refused: ServerRefusal, endpoint: Endpoint) -> tuple[str, Both, bool]:
    """The status of a refusal, what it means, and whether asking again is no use."""
    code = refused.code
    if code in (401, 403):
        return "gated", _key_cure(endpoint), True
    if is_too_long(refused.said):
        english = ": the question and its answer are longer than its context"
        return "error", (english, "질문과 답변이 문맥 길이를 넘습니다. "), False
    if code == 404 and not endpoint.has_path:
        english = ": nothing is served there; base_url usually ends in /v1"
        return (
            "error",
            (english, "그 주소에는 API가 없습니다. base_url은 대개 /v1로 끝납니다. "),
            True,
        )
    if code in (400, 404, 422):
        model = f"{endpoint.model!r}"
        english = f"; is {model} a model that it serves?"
        return "error", (english, f"서버가 {model} 모델을 제공하는지 확인하세요. "), True
    if code == 429:
        english = ": too many requests, or no credit left"
        return "unreachable", (english, "요청이 너무 많거나 사용 한도가 끝났습니다. "), False
    if code in (502, 503, 504):
        return "unreachable", (": the service is not there", "서비스가 응답하지 않습니다. "), False
    return "error", ("", ""), False


def _key_cure(endpoint: Endpoint) -> Both:
    if variable := endpoint.api_key_env:
        return (
            f": it refuses the key; set {variable} to one that it accepts",
            f"키를 거부합니다. 환경 변수 {variable}에 맞는 키를 지정하세요. ",
        )
    if endpoint.api_key:
        return ": it refuses the key", "키를 거부합니다. "
    return (
        ": it wants a key; name the variable that holds it in api_key_env of its endpoint",
        "키가 필요합니다. 키를 담은 환경 변수를 endpoint의 api_key_env에 적으세요. ",
    )


def error_of_web_page(endpoint: Endpoint) -> AskError:
    """The error for a web page in place of an answer: the address is another program's."""
    return AskError(
        "error",
        f"{endpoint.shown_url} answered with an HTML page: is base_url the address of the API? It "
        "usually ends in /v1",
        f"{endpoint.shown_url}: API 대신 HTML 페이지가 왔습니다. base_url을 확인하세요. 대개 /v1로 "
        "끝납니다",
        fatal=True,
    )


def one_line(said: str) -> str:
    """A server's words in one line that fits a table."""
    line = " ".join(said.split())
    return line if len(line) <= _LONGEST_SAID else line[: _LONGEST_SAID - 1] + "…"
