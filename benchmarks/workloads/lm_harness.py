"""lm-evaluation-harness: opens a task with its documents, and evaluates a loaded model on it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.study.contract import Contract
from benchmarks.study.task_index import configurations, named_tasks, task_manager
from benchmarks.workloads.log import Figures
from model_registry.errors import LoadError, UnknownName
from model_registry.hub import network_is_up
from model_registry.weights.loading import LoadedModel

if TYPE_CHECKING:
    from lm_eval.tasks import TaskManager


@dataclass(frozen=True, slots=True)
class Opened:
    """A task that was loaded with its documents: what `evaluate` takes."""

    specifications: Sequence[object]
    manager: TaskManager
    metrics: Sequence[str]  # that the task or group declares, the first one first


def open_task(name: str, folder: Path | None, places: Sequence[str] = ()) -> Opened:
    """Load a task with its documents, from the hub where they are not in its cache.

    Raises:
        LoadError: there is no such task, or its data can't be had or needs code of others.
    """
    manager = task_manager([name], folder, places)
    if name not in manager.task_index:
        unknown = UnknownName("task", name, {*named_tasks(), *manager.all_tasks})
        raise LoadError("error", str(unknown), unknown.korean)
    try:
        loaded = manager.load([name])
    except Exception as error:
        raise _failure(name, error) from error
    top = loaded["groups"].get(name)
    specifications = [top] if top is not None else list(loaded["tasks"].values())
    configuration = next(configurations(manager, name))[0]
    declared = configuration.get("aggregate_metric_list") or configuration.get("metric_list") or []
    declared = [declared] if isinstance(declared, dict) else declared
    return Opened(specifications, manager, [str(each["metric"]) for each in declared])


def _failure(name: str, error: Exception) -> LoadError:
    """What an exception of loading a task's data means, in one line."""
    message = str(error)
    first = next((line.strip() for line in message.splitlines() if line.strip()), "")
    if "scripts are no longer supported" in message or "trust_remote_code" in message:
        return LoadError(
            "needs_remote_code",
            f"the data of {name} needs its publisher's code: it is not run",
            f"{name} 과제의 데이터에는 배포자의 코드가 필요합니다. 그런 코드는 실행하지 않습니다",
        )
    if _is_gated(error):
        return LoadError(
            "gated",
            f"the data of {name} is gated: accept its terms on its page, `hf auth login`",
            f"{name} 과제의 데이터는 이용 동의가 필요합니다. 페이지에서 동의한 뒤 "
            "`hf auth login`을 실행하세요",
        )
    if isinstance(error, ConnectionError):  # also where HF_HUB_OFFLINE forbids to try
        cure = "run it once with the hub in reach, then it is in the cache"
        return LoadError(
            "unreachable",
            f"the data of {name} can't be had: {first[:200]}: {cure}",
            f"{name} 과제의 데이터를 받을 수 없습니다: {first[:200]}: "
            "허브에 연결된 곳에서 한 번 실행하면 캐시에 남습니다",
        )
    if isinstance(error, OSError) or _is_of_the_hub(error):
        return LoadError(
            "unreachable",
            f"the data of {name} can't be had: {first[:200]}",
            f"{name} 과제의 데이터를 받을 수 없습니다: {first[:200]}",
        )
    return LoadError(
        "error",
        f"{name} can't be loaded: {type(error).__name__}: {first[:200]}",
        f"{name} 과제를 불러올 수 없습니다: {type(error).__name__}: {first[:200]}",
    )


_GATED = re.compile(r"\bgated (?:dataset|repo)", re.I)


def _is_gated(error: BaseException | None) -> bool:
    """Whether terms are to be accepted first, by an exception or by what it comes from."""
    from huggingface_hub.errors import GatedRepoError

    if error is None:
        return False
    if isinstance(error, GatedRepoError) or _GATED.search(str(error)):
        return True
    return _is_gated(error.__cause__)


def _is_of_the_hub(error: Exception) -> bool:
    """Whether a hub's client could not get something; DatasetNotFoundError is an OSError."""
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of its HTTP client

    return isinstance(error, HTTPError)


def evaluate(loaded: LoadedModel, opened: Opened, contract: Contract) -> Figures:
    """What lm-evaluation-harness finds, its samples included; no thinking, its own seeds.

    Raises:
        LoadError: the task is to be asked in a chat template, and there is none; or it runs code
            that models write.
    """
    import lm_eval
    from lm_eval.models.huggingface import HFLM

    if contract.task_template and not loaded.tokenizer.chat_template:
        raise LoadError(
            "error",
            "its tokenizer has no chat template to ask tasks in",
            "토크나이저에 채팅 템플릿이 없어 과제를 물을 수 없습니다",
        )
    model = HFLM(
        pretrained=loaded.model,
        tokenizer=loaded.tokenizer,
        batch_size=contract.batch_size,
        enable_thinking=False,
    )
    try:
        results: Figures = lm_eval.simple_evaluate(
            model=model,
            tasks=list(opened.specifications),
            task_manager=opened.manager,
            num_fewshot=None if contract.task_shots < 0 else contract.task_shots,
            limit=contract.task_limit or None,
            apply_chat_template=contract.task_template,
            fewshot_as_multiturn=contract.task_template,
            bootstrap_iters=0,  # our intervals come from the samples
            log_samples=True,
        )
    except ValueError as error:
        if "marked as unsafe" in str(error):
            said = "the task runs code that models write: it is not run"
            raise LoadError(
                "needs_remote_code",
                said,
                "모델이 쓴 코드를 실행하는 과제입니다. 그런 코드는 실행하지 않습니다",
            ) from error
        raise
    return results


@contextlib.contextmanager
def quietly(folder: Path | None = None) -> Iterator[None]:
    """Without what the libraries tell, and in a folder of tasks: their files are named from there.

    Metrics that are code on the hub stay there. Where no hub can be reached nothing waits for it:
    what was fetched before is in the cache.
    """
    os.environ.setdefault("HF_EVALUATE_OFFLINE", "1")  # read when `evaluate` is imported
    where = contextlib.chdir(folder) if folder else contextlib.nullcontext()
    kept = os.dup(2)  # programs that a library starts write there, too
    with where, Path(os.devnull).open("w") as nowhere, contextlib.redirect_stderr(nowhere):
        os.dup2(nowhere.fileno(), 2)
        try:
            with contextlib.nullcontext() if network_is_up() else _offline():
                yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """What the environment would have said, had it been known before the import; for a while."""
    from datasets import config  # type: ignore[attr-defined]  # the library, not our folder
    from huggingface_hub import constants

    before = config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = before


def numbers(row: Mapping[str, object]) -> dict[str, float]:
    """The metrics in a row of results, by metric and filter: "acc,none"."""
    return {
        name: float(value)
        for name, value in row.items()
        if "," in name and "_stderr," not in name and isinstance(value, int | float)
    }
