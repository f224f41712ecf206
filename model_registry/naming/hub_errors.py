"""Explains a failed request to the hub: which status it means, and what to do about it."""

from __future__ import annotations

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
    import httpx2
    from huggingface_hub import errors

    if isinstance(error, OhloraError):
        return error
    kinds = _with_causes(error)
    if any(isinstance(kind, errors.GatedRepoError) for kind in kinds):
        return LoadError.of("hub_gated", whose=whose)
    if any(isinstance(kind, errors.RevisionNotFoundError) for kind in kinds):
        return LoadError.of("no_such_revision", whose=whose)
    status = getattr(_answer_of(error), "status_code", None)
    if status in (401, 404) or any(isinstance(k, errors.RepositoryNotFoundError) for k in kinds):
        return LoadError.of("no_such_model", whose=whose)
    if status == 403:
        return LoadError.of("login_refused", whose=whose)
    if status == 429:
        return _busy(whose, retry_after(error))
    if status is not None:
        return LoadError.of("hub_odd_answer", whose=whose, what=f"HTTP {status}")
    lost = (OSError, errors.OfflineModeIsEnabled, httpx2.HTTPError)
    if any(isinstance(kind, lost) for kind in kinds):
        return LoadError.of("hub_not_reached", whose=whose)
    return LoadError.of("hub_odd_answer", whose=whose, what=first_line(error))


def _with_causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step not in found:
        found.append(step)
        step = step.__cause__ or step.__context__
    return found


def _busy(whose: str, seconds: float | None) -> LoadError:
    when, later = (f"in {seconds:.0f} s", f"{seconds:.0f}초 뒤에") if seconds else (
        "later", "나중에"
    )  # fmt: skip
    return LoadError.of("hub_busy", whose=whose, when=when, later=later)
