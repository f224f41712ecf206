"""Errors of remote backends, each with the status that its case gets."""

from __future__ import annotations

from model_registry.backends.backend import Answer
from model_registry.backends.remote.endpoint import Endpoint, mask
from model_registry.backends.remote.request_fields import is_too_long
from model_registry.errors import LoadError


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
        *,
        answer: Answer | None = None,
        fatal: bool = False,
        problem: str | None = None,
    ) -> None:
        super().__init__(status, message)
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
    tried = f" after {attempts} attempts" if attempts > 1 else ""
    where = f"{endpoint.shown_url} answered HTTP {refused.code}{tried}"
    if refused.code in (401, 403):
        return AskError("gated", f"{where}: {_key_cure(endpoint)}. {said}", fatal=True)
    if is_too_long(refused.said):
        return AskError(
            "error", f"{where}: the question and its answer are longer than its context. {said}"
        )
    if refused.code == 404 and not endpoint.has_path:
        return AskError(
            "error", f"{where}: nothing is served there; base_url usually ends in /v1. {said}",
            fatal=True,
        )  # fmt: skip
    if refused.code in (400, 404, 422):
        return AskError(
            "error", f"{where}; is {endpoint.model!r} a model that it serves? {said}", fatal=True
        )
    if refused.code == 429:
        return AskError("unreachable", f"{where}: too many requests, or no credit left. {said}")
    if refused.code in (502, 503, 504):
        return AskError("unreachable", f"{where}: the service is not there. {said}")
    return AskError("error", f"{where}. {said}")


def _key_cure(endpoint: Endpoint) -> str:
    if endpoint.api_key_env:
        return f"it refuses the key; set {endpoint.api_key_env} to one that it accepts"
    if endpoint.api_key:
        return "it refuses the key"
    return "it wants a key; name the variable that holds it in api_key_env of its endpoint"


def error_of_web_page(endpoint: Endpoint) -> AskError:
    """The error for a web page in place of an answer: the address is another program's."""
    return AskError(
        "error",
        f"{endpoint.shown_url} answered with an HTML page: is base_url the address of the API? It "
        "usually ends in /v1",
        fatal=True,
    )


def one_line(said: str, longest: int = 300) -> str:
    """A server's words in one line that fits a table."""
    line = " ".join(said.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
