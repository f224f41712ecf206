"""The inference workload: latency prompt by prompt, and the replies that are judged.

Latency is measured greedily, one prompt at a time, after a warm-up. The replies for grading are
made many at a time, a greedy pass and sampled ones together, under one seed for all candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks.run.case import Case
from benchmarks.study.contract import Contract
from benchmarks.study.variant import effective
from benchmarks.workloads.log import Figures, WorkLog
from benchmarks.workloads.workload import Opened, Outcome, loaded_here
from model_registry.backends.backend import Answer, GenerationSettings
from model_registry.backends.sampling import of_prompt
from model_registry.backends.transformers_local import (
    Question,
    answer_many,
    answer_or_problem,
    batching_of,
)
from model_registry.prompting.tokenization import prompt_ids
from model_registry.records import Reply
from model_registry.weights.loading import LoadedModel
from rows.row import Row


def greedy(contract: Contract) -> GenerationSettings:
    """The settings of the greedy pass."""
    return GenerationSettings(max_new_tokens=contract.max_new_tokens, seed=contract.seed)


def passes(contract: Contract) -> dict[str, GenerationSettings]:
    """The passes whose replies are kept: "greedy", then "sample 1" and so on, each with a seed."""
    settings = {"greedy": greedy(contract)}
    for k in range(1, contract.samples + 1):
        settings[f"sample {k}"] = GenerationSettings(
            contract.max_new_tokens, contract.temperature, contract.top_p, contract.seed + k
        )
    return settings


def work(case: Case, opened: Opened, log: WorkLog) -> Outcome:
    """Warm up, measure latency one by one, make the replies many at a time, under the contract.

    Answers of prompts are kept as references where there are any. The log takes phases "warm_up",
    "inference" and "replies", and the replies.
    """
    loaded, prompts = loaded_here(case, opened), case.task.prompts
    contract = effective(case.contract, case.settings)
    with log.phase("warm_up"):
        for row in prompts[: contract.warm_up]:
            answer_or_problem(loaded, row.messages, greedy(contract))
    singles: list[Answer] = []
    with log.phase("inference") as measurement:
        for done, row in enumerate(prompts):
            log.progress(done, len(prompts))
            singles.append(answer_or_problem(loaded, row.messages, greedy(contract)))
    replies = make_replies(case.id, loaded, prompts, contract, log, tuned=None)
    return Outcome(
        steps=len(singles),
        tokens=sum(answer.new_tokens or 0 for answer in singles),
        figures={
            **_latency(singles, measurement.seconds),
            "batch_differs": _differing(singles, replies),
            "batching": batching_of(loaded),
            "longest_prompt_tokens": _longest_prompt(loaded, prompts),
        },
    )


def make_replies(
    case: str,
    loaded: LoadedModel,
    prompts: Sequence[Row],
    contract: Contract,
    log: WorkLog,
    tuned: int | None,
) -> list[Reply]:
    """The replies of all passes, made together; latency comes from the single pass.

    Args:
        tuned: the LoRA rank the model was tuned at, None before tuning.
    """
    asked = [
        (name, row, Question(row.messages, of_prompt(settings, number)))
        for name, settings in passes(contract).items()
        for number, row in enumerate(prompts)
    ]
    with log.phase("replies"):
        answers = answer_many(
            loaded,
            [question for _, _, question in asked],
            ended=lambda count: log.progress(count, len(asked)),
        )
    who = {"case": case, "candidate": loaded.candidate.name}
    made = [
        record_of(answer, row, tuned, **who, pass_=name)
        for (name, row, _), answer in zip(asked, answers, strict=True)
    ]
    for reply in made:
        log.reply(reply)
    return made


def record_of(
    answer: Answer, row: Row, tuned: int | None, *, case: str, candidate: str, pass_: str
) -> Reply:
    """The reply that a run keeps of an answer to a row's prompt."""
    return Reply(
        case=case,
        candidate=candidate,
        prompt=row.prompt,
        reply=answer.text,
        pass_=pass_,
        tuned=tuned,
        new_tokens=answer.new_tokens,
        finish_reason=answer.finish_reason,
        seconds=answer.seconds,
        first_token_seconds=answer.first_token_seconds,
        reference=row.reply or None,
        problems=answer.problems,
        connect_seconds=answer.connect_seconds,
        thinking=answer.thinking,
        thinking_tokens=answer.thinking_tokens,
        thinking_seconds=answer.thinking_seconds,
    )


def _latency(answers: Sequence[Answer], seconds: float) -> Figures:
    """Prefill and decode apart. Figures that nothing was measured for are None."""
    tokens = sum(a.new_tokens or 0 for a in answers)
    timed = [a for a in answers if a.seconds is not None and a.first_token_seconds is not None]
    decode_seconds = sum((a.seconds or 0) - (a.first_token_seconds or 0) for a in timed)
    decode_tokens = sum((a.new_tokens or 1) - 1 for a in timed)
    hangul = sum("가" <= c <= "힣" for a in answers for c in a.text)
    return {
        "seconds_per_prompt": seconds / len(answers) if answers else None,
        "first_token_seconds": median(a.first_token_seconds or 0 for a in timed) if timed else None,
        "decode_tokens_per_second": decode_tokens / decode_seconds if decode_seconds else None,
        "tokens_per_second": tokens / seconds if seconds else None,
        "seconds_per_100_korean_characters": 100 * seconds / hangul if hangul else None,
        "stopped": sum(a.finish_reason == "stop" for a in answers),
        "unanswered": sum(not a.text for a in answers),
        "thinking_tokens": sum(a.thinking_tokens or 0 for a in answers),
    }


def _longest_prompt(loaded: LoadedModel, prompts: Sequence[Row]) -> int:
    policy, tokenizer = loaded.candidate.prompting, loaded.tokenizer
    return max(len(prompt_ids(policy, tokenizer, row.messages)) for row in prompts)


def _differing(singles: Sequence[Answer], replies: Sequence[Reply]) -> int:
    """Greedy replies whose batch gave another text than the single pass: rounding, in half
    precision; 0 in fp32 as a rule. Told, because people grade the batch's."""
    batch = [reply.reply for reply in replies if reply.pass_ == "greedy"]
    return sum(one.text != many for one, many in zip(singles, batch, strict=True))
