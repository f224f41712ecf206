"""Explains a failed request to the hub: which status it means, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from model_registry.errors import LoadError, OhloraError, first_line


def _answer_of(error: BaseException | None) -> Any:
    """The answer of the server that an error, or what it came from, was raised for; else None."""
    from huggingface_hub.errors import HfHubHTTPError

    while error is not None and not isinstance(error, HfHubHTTPError):
        error = error.__cause__ or error.__context__
    return None if error is None else error.response


def retry_after(error: BaseException) -> float | None:
    """The seconds after which a server that is too busy (429, 503) will be asked again."""
    answer = _answer_of(error)
    if answer is None or answer.status_code not in (429, 503):
        return None
    try:
        return max(0.0, float(answer.headers.get("Retry-After", "1")))
    except ValueError:  # a date
        return None


def hub_error(whose: str, error: Exception) -> OhloraError:
    """An error of asking the hub as one line with its cure.

    Args:
        whose: the name that was asked for.
        error: what was raised.
    """
    from huggingface_hub import errors

    if isinstance(error, OhloraError):
        return error
    kinds = _with_causes(error)
    if any(isinstance(kind, errors.GatedRepoError) for kind in kinds):
        return LoadError(
            "gated",
            f"{whose} is gated: accept its terms on its page, then `hf auth login` (or set "
            "HF_TOKEN).",
            f"{whose}: 약관 동의가 필요합니다. 모델 페이지에서 동의한 뒤 `hf auth login` 하세요"
            "(또는 HF_TOKEN 설정).",
        )
    if any(isinstance(kind, errors.RevisionNotFoundError) for kind in kinds):
        return LoadError(
            "unreachable",
            f"{whose}: the hub's repository has no such revision.",
            f"{whose}: 허브 저장소에 그런 리비전이 없습니다.",
        )
    status = getattr(_answer_of(error), "status_code", None)
    if status in (401, 404) or any(isinstance(k, errors.RepositoryNotFoundError) for k in kinds):
        return LoadError(
            "unreachable",
            f"The hub has no model {whose}, or it is private: check the name, or `hf auth login`.",
            f"허브에 {whose} 모델이 없거나 비공개입니다. 이름을 확인하거나 `hf auth login` 하세요.",
        )
    if status == 403:
        return LoadError(
            "gated",
            f"{whose}: the hub refuses this login. Use a token that may read it.",
            f"{whose}: 허브가 이 로그인을 거부했습니다. 읽기 권한이 있는 토큰을 쓰세요.",
        )
    if status == 429:
        return _busy(whose, retry_after(error))
    if status is not None:
        return _odd(whose, f"HTTP {status}")
    if any(isinstance(kind, OSError | errors.OfflineModeIsEnabled) for kind in kinds) or _is_http(
        kinds
    ):
        return _not_reached(whose)
    return _odd(whose, first_line(error))


def _with_causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step not in found:
        found.append(step)
        step = step.__cause__ or step.__context__
    return found


def _is_http(kinds: Iterable[BaseException]) -> bool:
    """Whether one of these is an HTTP client's: no connection, or none that lasted."""
    import httpx2

    return any(isinstance(kind, httpx2.HTTPError) for kind in kinds)


def _not_reached(whose: str) -> LoadError:
    return LoadError(
        "unreachable",
        f"{whose} is not in the cache, and the hub can't be reached. Check the network (and "
        "HF_HUB_OFFLINE, HF_ENDPOINT), or name a local folder.",
        f"{whose}: 캐시에 없고 허브에 연결할 수 없습니다. 네트워크(HF_HUB_OFFLINE, "
        "HF_ENDPOINT)를 확인하거나 로컬 폴더를 지정하세요.",
    )


def _busy(whose: str, seconds: float | None) -> LoadError:
    when, later = (f"in {seconds:.0f} s", f"{seconds:.0f}초 뒤에") if seconds else (
        "later", "나중에"
    )  # fmt: skip
    return LoadError(
        "unreachable",
        f"{whose}: the hub has had too many requests (429). Try again {when}, or log in with "
        "`hf auth login`.",
        f"{whose}: 허브에 요청이 너무 많았습니다(429). {later} 다시 하거나 `hf auth login` 하세요.",
    )


def _odd(whose: str, what: str) -> LoadError:
    return LoadError(
        "unreachable",
        f"{whose}: the hub's answer can't be used ({what}). Is HF_ENDPOINT a hub?",
        f"{whose}: 허브의 응답을 쓸 수 없습니다({what}). HF_ENDPOINT가 허브 주소인가요?",
    )
