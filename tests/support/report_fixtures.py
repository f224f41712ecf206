"""A run folder written by hand: seven candidates with every kind of trouble, no model, no torch."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from benchmarks.results.folder import RunFolder
from benchmarks.study.contract import Contract
from benchmarks.study.study_files import STUDIES
from model_registry.records import SCHEMA, Loss, Peak, Reply, Result, ScoreRow

RANKS = (16, 32, 64)
PROMPTS = ("오늘 기분이 어때?", "내일 발표인데 너무 떨려", "<script>alert('어')</script> | 표?")
HOSTILE = (
    "<script>alert(1)</script>\n| a | b |\n=1+1 `x` **굵게** &amp; <img src=x onerror=alert(1)>"
)
MIB = 2**20

#: name: (parameters, leaderboard, licence, free, tuning seconds, tuning MB, seconds of 25 answers)
CANDIDATES: dict[str, tuple[int, float | None, str, str, float, float, float]] = {
    "alpha-2.6b": (2_614_341_888, 40.4, "vendor-terms", "conditional", 58.7, 5249, 104.0),
    "beta-1.3b": (1_331_810_304, 31.1, "Apache-2.0", "yes", 23.7, 2593, 66.8),
    "gamma-2.5b": (2_506_172_416, 30.8, "vendor-terms", "conditional", 55.9, 5021, 59.1),
    "delta-1.2b": (1_235_814_400, None, "unknown", "unknown", 26.2, 2503, 38.4),
    "한국-모델-0.5b": (463_987_712, 28.1, "Apache-2.0", "yes", 15.8, 1009, 15.5),
    "epsilon-1.5b": (1_515_106_304, 28.7, "Apache-2.0", "yes", 80.0, 3083, 52.0),
    "zeta-1.0b": (1_000_000_000, 27.0, "Apache-2.0", "yes", 20.0, 2000, 30.0),
}  # fmt: skip
#: Cases that fail: epsilon at one rank, zeta altogether.
FAILS = {
    ("epsilon-1.5b", 64): ("oom_training", "training", "OutOfMemoryError: CUDA out of memory."),
    ("zeta-1.0b", None): ("unreachable", "load", f"LoadError: no model <b>here</b> {HOSTILE[:25]}"),
    ("zeta-1.0b", 16): ("unreachable", "load", "LoadError: no model"),
    ("zeta-1.0b", 32): ("timeout", "training", None),
    ("zeta-1.0b", 64): ("killed", "training", None),
}
QUALITY = {"alpha-2.6b": (0.71, 0.52), "beta-1.3b": (0.48, 0.66), "gamma-2.5b": (0.41, 0.58),
           "delta-1.2b": (0.44, 0.57), "한국-모델-0.5b": (0.22, 0.39),
           "epsilon-1.5b": (0.31, 0.42)}  # fmt: skip


def make_run(
    folder: Path, *, weights: str = "hub", candidates: tuple[str, ...] | None = None, **head: Any
) -> RunFolder:
    """Write a run of these candidates (all, unless named) and return its folder."""
    names = tuple(CANDIDATES) if candidates is None else candidates
    contract = Contract(weights=weights, device="cuda", machine="Some GPU", data="0123456789ab")
    run = RunFolder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    run.head_path.write_text(
        json.dumps(_head(names, contract) | head, ensure_ascii=False), encoding="utf-8"
    )
    for name in names:
        _add_inference(run, name, contract)
        for rank in RANKS:
            _add_tune(run, name, rank, contract)
    return run


def _head(names: tuple[str, ...], contract: Contract) -> dict[str, Any]:
    cases = [f"{n}/inference" for n in names]
    cases += [f"{n}/fine-tune/rank={r}" for n in names for r in RANKS]
    return {
        "schema": SCHEMA,
        "study": "korean-small",
        "title": {"en": "Small Korean models to fine-tune", "ko": "파인튜닝할 작은 한국어 모델"},
        "begun_at": "2026-01-02T03:04:05+00:00",
        "weights": contract.weights,
        "contract": contract.shared(),
        "contract_hash": contract.hash,
        "varies": list(contract.varies),
        "candidates": [
            {"name": n, "hub_id": f"someone/{n}", "parameters": CANDIDATES[n][0],
             "license": CANDIDATES[n][2], "license_free": CANDIDATES[n][3],
             "leaderboard": CANDIDATES[n][1], "traits": []}
            for n in names
        ],
        "rejected": [{"name": "omega-33b", "reason": "33.0 B parameters are more than 3.0 B"}],
        "overrides": [
            {"candidate": "alpha-2.6b", "license": "vendor-terms", "decided_by": "a person",
             "reason": "compared under its <i>conditions</i>"},
            {"candidate": "delta-1.2b", "license": "unknown", "decided_by": "a person",
             "reason": "to be verified"},
        ],
        "cases": cases,
        "facts": {},
        "rows": {"tuned_on": 20, "valid": 60, "prompts": len(PROMPTS)},
        "limits": {"memory_bytes": 12 * 2**30, "seconds": None},
        "notes": ["left out: 50 rows without an answer"],
        "study_source": _study(),
    }  # fmt: skip


def _study() -> str:
    """The real study, with fewer draws: shares to the last digit are not what a report tests."""
    source = (STUDIES / "korean-small.toml").read_text(encoding="utf-8")
    return source.replace("draws = 10000", "draws = 500")


def _result(
    name: str, workload: str, rank: int | None, contract: Contract, **values: Any
) -> Result:
    settings = {} if rank is None else {"rank": rank}
    ending = "" if rank is None else f"/rank={rank}"
    common: dict[str, Any] = {
        "case": f"{name}/{workload}{ending}",
        "candidate": name,
        "workload": workload,
        "settings": settings,
        "contract": contract.hash,
        "weights": contract.weights,
        "machine": {"device": "cuda", "name": "Some GPU", "memory_bytes": 15 * 2**30,
                    "available_bytes": 14 * 2**30, "native_bf16": False},
        "versions": {"python": "3.11.7", "torch": "2.13.0"},
        "started_at": "2026-01-02T03:04:06+00:00",
    }  # fmt: skip
    failure = FAILS.get((name, rank))
    if failure is not None:
        status, stage, message = failure
        return Result(**common, status=status, stage=stage, message=message)
    return Result(**common, status="ok", **values)


def _peak(megabytes: float) -> Peak:
    size = round(megabytes * MIB)
    return Peak(size, size, size, size // 2, "torch.cuda peaks, reset before the phase")


def _add_inference(run: RunFolder, name: str, contract: Contract) -> None:
    _, _, _, _, _, memory, seconds = CANDIDATES[name]
    result = _result(
        name, "inference", None, contract,
        seconds={"load": 2.5, "warm_up": 0.4, "inference": seconds, "replies": seconds / 8},
        peaks={"load": _peak(memory * 0.9), "inference": _peak(memory * 0.95)},
        steps=len(PROMPTS), tokens=300,
        figures={"seconds_per_prompt": seconds / 25, "first_token_seconds": 0.05,
                 "decode_tokens_per_second": 300 / seconds, "stopped": 2, "batch_differs": 0,
                 "seconds_per_100_korean_characters": None},
    )  # fmt: skip
    run.add_case(result, _replies(result, None), [])
    run.add_scores(_scores(result, None))


def _add_tune(run: RunFolder, name: str, rank: int, contract: Contract) -> None:
    place = RANKS.index(rank)
    seconds, memory = (
        CANDIDATES[name][4] * (1 + 0.07 * place),
        CANDIDATES[name][5] * (1 + 0.06 * place),
    )
    start, end = 3.6 - 0.2 * place, 0.5 + len(name) / 40
    losses = [end + (start - end) * math.exp(-step / 12) for step in range(50)]
    result = _result(
        name, "fine-tune", rank, contract,
        seconds={"load": 2.5, "training": seconds, "replies": 3.0},
        peaks={"load": _peak(memory * 0.9), "training": _peak(memory)},
        steps=50, tokens=9000,
        figures={"loss_first": losses[0], "loss_last": losses[-1],
                 "validation_loss_before": 3.7, "validation_loss_after": 1.9 + 0.1 * place,
                 "trainable_parameters": 1_000_000 * rank, "learning_rate": 2e-4},
    )  # fmt: skip
    rows = [Loss(result.case, step, loss) for step, loss in enumerate(losses, start=1)]
    rows += [Loss(result.case, 0, 3.7, "valid"), Loss(result.case, 50, 1.9 + 0.1 * place, "valid")]
    ok = result.ok
    run.add_case(result, _replies(result, rank), rows if ok else [])
    run.add_scores(_scores(result, rank))


def _replies(result: Result, tuned: int | None) -> list[Reply]:
    if not result.ok:
        return []
    texts = ["응, 나는 지금 아주 좋아! 너는 어때? 😊", HOSTILE, ""]
    state = "" if tuned is None else " 튜닝하고 나니 더 자연스럽지?"
    return [
        Reply(case=result.case, candidate=result.candidate, prompt=prompt,
              reply=reply + (state if reply and reply != HOSTILE else ""), pass_=name, tuned=tuned,
              new_tokens=12, finish_reason="length" if reply == HOSTILE else "stop")
        for name in ("greedy", "sample 1")
        for prompt, reply in zip(PROMPTS, texts, strict=True)
    ]  # fmt: skip


def _scores(result: Result, tuned: int | None) -> list[ScoreRow]:
    if not result.ok:
        return []
    quality = QUALITY[result.candidate][tuned is not None]
    rows = []
    for index, prompt in enumerate(PROMPTS):
        values: dict[str, float | None] = {
            "quality": quality + 0.04 * (index - 1),
            "empty": float(index == 2), "hangul_share": 0.6 + quality / 3,
            "repetition": 0.4 - quality / 3, "length": 20.0 * (index + 1),
            "near_duplicate": 1 - quality, "chrf": None,
        }  # fmt: skip
        for evaluator, value in values.items():
            reason = "no reference" if value is None else ""
            rows.append(
                ScoreRow(
                    result.case, result.candidate, prompt, "greedy", tuned, evaluator, value, reason
                )
            )
    return rows


def make_before_and_after(
    folder: Path, *, first: str = "ok", study: str = "lightweighting"
) -> RunFolder:
    """A run of a study of variants that chooses nothing; `first` is how "before" ended."""
    contract = Contract(weights="hub", device="cuda", machine="Some GPU", data="0123456789ab")
    run = RunFolder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = ("beta-1.3b", "alpha-2.6b")
    cases = ["beta-1.3b/fine-tune/before", "beta-1.3b/fine-tune/after",
             "alpha-2.6b/fine-tune/before", "alpha-2.6b/fine-tune/after in 4 bit"]  # fmt: skip
    source = (STUDIES / f"{study}.toml").read_text(encoding="utf-8")
    head = _head(names, contract) | {"cases": cases, "study": study, "study_source": source}
    run.head_path.write_text(json.dumps(head, ensure_ascii=False), encoding="utf-8")
    for case in cases:
        name, workload, variant = case.split("/")
        status = first if variant == "before" else "ok"
        figures = {"loss_first": 4.0, "loss_last": 2.0} if status == "ok" else {}
        seconds, memory = (160.0, 8000.0) if variant == "before" else (40.0, 2000.0)
        settings = {"variant": variant} | ({"rank": 8} if variant != "before" else {})
        result = Result(
            case=case, candidate=name, workload=workload, settings=settings,
            contract=contract.hash, status=status, steps=10, weights="hub", figures=figures,
            seconds={"training": seconds} if status == "ok" else {},
            peaks={"training": _peak(memory)} if status == "ok" else {},
        )  # fmt: skip
        losses = [Loss(case, step, 4 - 0.2 * step) for step in range(1, 11)]
        run.add_case(result, [], losses if status == "ok" else [])
    return run
