"""A worker of the grid: the product's own, but that ORPO is given its pairs."""

from __future__ import annotations

from dataclasses import replace
from multiprocessing.connection import Connection

from benchmarks.run.case import Case
from benchmarks.run.worker import CaseLog, run_case
from benchmarks.workloads import preference
from benchmarks.workloads.log import WorkLog
from benchmarks.workloads.workload import Opened, Outcome, loaded_here


def work(case: Case, connection: Connection) -> None:
    """A worker's whole life; ORPO is given its pairs, of two long sides, and makes none itself."""
    log = CaseLog(connection.send, case.contract.device)
    if case.workload == "preference":
        preference.work = _prefer  # this process does nothing else
    connection.send(("done", run_case(case, log)))
    connection.close()


def _prefer(case: Case, opened: Opened, log: WorkLog) -> Outcome:
    loaded = loaded_here(case, opened)
    tokens = case.contract.max_length - 24
    answers = [_answer(loaded.tokenizer, row.reply, tokens) for row in case.task.train]
    pairs = [
        preference.Preference(row.prompt, answer, answer + ".", row.before)
        for row, answer in zip(case.task.train, answers, strict=True)
    ]
    contract = replace(case.contract, max_length=2 * case.contract.max_length)
    return preference.run(case.id, loaded, pairs, (), contract, log, rank=case.settings["rank"])


def _answer(tokenizer: object, reply: str, tokens: int) -> str:
    """A reply's beginning, of about so many tokens."""
    ids = tokenizer(reply, add_special_tokens=False)["input_ids"]  # type: ignore[operator]
    return reply[: max(1, len(reply) * tokens // max(len(ids), tokens))]
