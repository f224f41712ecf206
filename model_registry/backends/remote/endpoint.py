"""A remote candidate's endpoint: address, key, timeouts, from its catalog and the environment.

Keys are never written there: `api_key_env` names an environment variable. What comes from a
server goes through `mask` before anybody sees it, because servers repeat what they were sent.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from model_registry.candidate import Candidate
from model_registry.errors import LoadError, OhloraError
from model_registry.language import Both

MASK = "[key]"

#: What an endpoint may say, and of which type.
FIELDS: dict[str, tuple[type, ...]] = {
    "base_url": (str,), "base_url_env": (str,), "api_key_env": (str,), "model": (str,),
    "dialect": (str,), "transport": (str,), "end_mark": (str,),
    "connect_timeout": (int, float), "stall_timeout": (int, float), "timeout": (int, float),
    "retries": (int,), "retry_seconds": (int, float),
    "transcript": (str,), "tuned": (int,), "recorded_as": (str,),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server's address and how long it is waited for. Times are seconds.

    `connect_timeout` is for the connection, `stall_timeout` for the next bytes of an answer,
    `timeout` for the whole answer, retries included.
    """

    base_url: str
    model: str
    api_key: str | None = None
    api_key_env: str = ""  # the variable that the key came from, for messages
    dialect: str = "openai"
    transport: str = "websocket"
    end_mark: str = "</s>"
    connect_timeout: float = 5.0
    stall_timeout: float = 60.0
    timeout: float = 300.0
    retries: int = 3
    retry_seconds: float = 0.5  # before the first retry; doubled before each other

    def __repr__(self) -> str:
        """Without the key and without what an address may hold of a login."""
        return f"Endpoint({self.shown_url}, {self.model})"

    @property
    def shown_url(self) -> str:
        """Scheme, host and port only: a path or a query may hold a secret."""
        parts = urlsplit(self.base_url)
        host = parts.hostname or ""
        return f"{parts.scheme}://{host}:{parts.port}" if parts.port else f"{parts.scheme}://{host}"

    @property
    def has_path(self) -> bool:
        """Whether the address names more than a host, as "/v1" does."""
        return bool(urlsplit(self.base_url).path.strip("/"))

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that must never be shown or written."""
        parts = urlsplit(self.base_url)
        return tuple(s for s in (self.api_key, parts.password) if s)


def read_endpoint(candidate: Candidate) -> Endpoint:
    """A candidate's endpoint, completed from the environment.

    Raises:
        OhloraError: the table holds something unknown, such as a key.
        LoadError: "unreachable", where no address or no key is set.
    """
    table = candidate.endpoint
    _check(candidate.name, table)
    missing = missing_settings(candidate)
    if missing:
        raise LoadError.of(
            "not_set_up", name=candidate.name, missing=missing[0], missing_ko=missing[1]
        )
    known = {"dialect", "transport", "end_mark", "connect_timeout", "stall_timeout", "timeout",
             "retries", "retry_seconds"}  # fmt: skip
    timing: dict[str, Any] = {name: table[name] for name in known if name in table}  # checked
    return Endpoint(
        base_url=_address(table).rstrip("/"),
        model=str(table.get("model", "")),
        api_key=os.environ.get(str(table.get("api_key_env", "")), "").strip() or None,
        api_key_env=str(table.get("api_key_env", "")),
        **timing,
    )


def _check(name: str, table: Mapping[str, object]) -> None:
    for key, value in table.items():
        if key not in FIELDS:
            known = ", ".join(sorted(FIELDS))
            english, korean = (
                (
                    "keys come from the environment: write api_key_env with the variable's name",
                    "키는 환경 변수에서 읽습니다. api_key_env에 변수 이름을 적으세요",
                )
                if "key" in key.lower() or "token" in key.lower()
                else (f"there are {known}", f"쓸 수 있는 항목: {known}")
            )
            raise OhloraError(
                f"{name}: its endpoint has an unknown field {key}; {english}.",
                f"{name}: endpoint에 모르는 항목 {key}이(가) 있습니다. {korean}.",
            )
        if not isinstance(value, FIELDS[key]) or isinstance(value, bool):
            wanted = " or ".join(kind.__name__ for kind in FIELDS[key])
            raise OhloraError(
                f"{name}: {key} of its endpoint must be {wanted}.",
                f"{name}: endpoint의 {key} 값은 {wanted}이어야 합니다.",
            )


def _address(table: Mapping[str, object]) -> str:
    """The environment's address before the catalog's own."""
    variable = str(table.get("base_url_env", ""))
    return os.environ.get(variable, "").strip() or str(table.get("base_url", ""))


def missing_settings(candidate: Candidate) -> Both | Literal[""]:
    """What must be set before this candidate can be asked; "" for nothing."""
    table = candidate.endpoint
    address = _address(table)
    if not address:
        variable = table.get("base_url_env")
        if not variable:
            return "its endpoint has no base_url", "endpoint에 base_url이 없습니다"
        return f"set {variable} to its address", f"환경 변수 {variable}에 주소를 지정하세요"
    if urlsplit(address).scheme not in ("http", "https"):
        return (
            "its address must begin with http:// or https://",
            "주소는 http://나 https://로 시작해야 합니다",
        )
    variable = str(table.get("api_key_env", ""))
    if variable and not os.environ.get(variable, "").strip():
        return f"set {variable} to your key", f"환경 변수 {variable}에 키를 지정하세요"
    return ""


def mask(text: str, secrets: Iterable[str]) -> str:
    """A text without these secrets."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


class StreamMask:
    """Masks a text that comes in pieces: a piece's end that may begin a secret waits."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self.secrets = tuple(secrets)
        self._held = ""

    def feed(self, piece: str) -> str:
        """Add a piece; returns the text that can be shown now."""
        text = mask(self._held + piece, self.secrets)
        keep = max((overlap(text, secret) for secret in self.secrets), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def finish(self) -> str:
        """The text that was still held back."""
        held, self._held = self._held, ""
        return held


def overlap(text: str, secret: str) -> int:
    """How many characters at the end of a text are the beginning of a secret."""
    longest = min(len(text), len(secret) - 1)
    return next((n for n in range(longest, 0, -1) if secret.startswith(text[-n:])), 0)
