"""The asking workload: the same questions to a backend, local or remote, one at a time.

Every question gets a row: an answer, what came before it broke off, or nothing. What a backend
can't answer is the status of its case; two failures in a row end it, so that a server which has
died is not waited for six times.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from statistics import fmean, median

from benchmarks.run.case import Case
from benchmarks.workloads.inference import greedy, record_of
from benchmarks.workloads.log import Figures, WorkLog
from benchmarks.workloads.workload import Opened, Outcome, PartlyDone
from model_registry.backends.backend import Answer, Backend, GenerationSettings, with_thinking_apart
from model_registry.backends.remote.failures import AskError
from model_registry.backends.transformers_local import TransformersBackend
from model_registry.weights.loading import LoadedModel
from rows.row import Row

FAILURES_IN_A_ROW = 2


class Unanswered(PartlyDone):
    """Some questions got no answer. `status` is that of the first failure."""

    def __init__(self, failure: AskError, outcome: Outcome) -> None:
        answered, asked = outcome.figures["answered"], outcome.figures["asked"]
        super().__init__(
            failure.status,
            f"{answered} of {asked} questions answered; {failure}",
            f"질문 {asked}개 가운데 {answered}개만 답변함; {failure.korean}",
            outcome,
        )


def work(case: Case, opened: Opened, log: WorkLog) -> Outcome:
    """Ask all questions of a model loaded here, or of a backend; greedily where that allows it.

    The log takes phases "warm_up" and "inference", and the replies.

    Raises:
        Unanswered: some question got no answer; all replies are in the log all the same.
    """
    with contextlib.closing(
        TransformersBackend(opened) if isinstance(opened, LoadedModel) else opened
    ) as backend:
        return _asked(case, backend, log)


def _asked(case: Case, backend: Backend, log: WorkLog) -> Outcome:
    prompts, contract = case.task.prompts, case.contract
    who, rank = {"case": case.id, "candidate": case.candidate.name}, case.settings.get("rank")
    settings = greedy(contract)
    with log.phase("warm_up"):
        _warm_up(backend, prompts[: contract.warm_up], settings)
    answers: list[Answer] = []
    failures: list[AskError] = []
    in_a_row = 0
    with log.phase("inference"):
        for done, row in enumerate(prompts):
            log.progress(done, len(prompts))
            answer, failure = _ask(backend, row, settings)
            log.reply(record_of(answer, row, rank, **who, pass_="greedy"))
            if failure is None:
                answers.append(answer)
                in_a_row = 0
                continue
            failures.append(failure)
            in_a_row += failure.problem is None  # what is wrong with one question, is with one
            if failure.fatal or in_a_row == FAILURES_IN_A_ROW:
                break
    outcome = Outcome(len(answers), _tokens(answers) or 0, figures(answers, len(prompts)))
    if failures:
        raise Unanswered(failures[0], outcome)
    return outcome


def _warm_up(backend: Backend, prompts: Sequence[Row], settings: GenerationSettings) -> None:
    """The first answers of a server include its loading the model; what fails, fails again."""
    for row in prompts:
        if _ask(backend, row, settings)[1] is not None:
            return


def _ask(
    backend: Backend, row: Row, settings: GenerationSettings
) -> tuple[Answer, AskError | None]:
    """An answer, or what there is of one and why."""
    try:
        return with_thinking_apart(backend.reply(row.messages, settings)), None
    except AskError as failure:
        nothing = Answer("", None, "error", problems=(failure.problem or failure.status,))
        return with_thinking_apart(failure.answer or nothing), failure


def figures(answers: Sequence[Answer], asked: int) -> Figures:
    """Connecting, first token and total seconds apart; None where not measured.

    Characters per second compare where tokens don't: each model cuts Korean differently.
    """
    seconds = [a.seconds for a in answers if a.seconds is not None]
    total, tokens = sum(seconds), _tokens(answers)
    characters = [len(a.text) for a in answers]
    decoding = _decoding(answers)
    hangul = sum("가" <= c <= "힣" for a in answers for c in a.text)
    return {
        "asked": asked,
        "answered": len(answers),
        "answer_seconds": total if seconds else None,
        "seconds_per_prompt": fmean(seconds) if seconds else None,
        "connect_seconds": _median([a.connect_seconds for a in answers]),
        "first_token_seconds": _median([a.first_token_seconds for a in answers]),
        "decode_tokens_per_second": decoding,
        "tokens_per_second": tokens / total if tokens and total else None,
        "characters_per_second": sum(characters) / total if total else None,
        "characters": fmean(characters) if characters else None,
        "seconds_per_100_korean_characters": 100 * total / hangul if hangul and total else None,
        "stopped": sum(a.finish_reason == "stop" for a in answers),
    }


def _tokens(answers: Sequence[Answer]) -> int | None:
    """All new tokens; None where a backend does not count them."""
    counts = [a.new_tokens for a in answers]
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _decoding(answers: Sequence[Answer]) -> float | None:
    """Tokens after the first, by the seconds after the first."""
    tokens, seconds = 0, 0.0
    for answer in answers:
        if None in (answer.new_tokens, answer.seconds, answer.first_token_seconds):
            return None
        tokens += (answer.new_tokens or 1) - 1
        seconds += (answer.seconds or 0) - (answer.first_token_seconds or 0)
    return tokens / seconds if tokens and seconds else None
