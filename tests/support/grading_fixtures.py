"""A small run folder to grade, and simulated graders: used by the tests of grading and pages."""

from __future__ import annotations

from pathlib import Path

from model_registry.records import Reply, Result, ScoreRow, append_rows

PROMPTS = [f"질문 {i}: 오늘은 무엇을 할까?" for i in range(12)]
CANDIDATES = ["가온-0.4b", "누리-1.1b", "gemma-2-2b-it"]

#: What each candidate answers; the third gives its own name away.
ANSWERS = {
    "가온-0.4b": "{i}번 물음이네요. 산책을 해 보세요!",
    "누리-1.1b": "{i} 산책 산책 산책 산책",
    "gemma-2-2b-it": "저는 젬마예요. {i}번은 집에서 쉬는 건 어때요?",
}


def make_run(
    folder: Path, prompts: list[str] | None = None, candidates: list[str] | None = None
) -> Path:
    """A run folder with a reply of every candidate to every prompt."""
    candidates = candidates or CANDIDATES
    for number, candidate in enumerate(candidates):
        case = f"case-{number}-inference"
        form = ANSWERS.get(candidate, f"{candidate[::-1]} 답 {{i}}")
        asked = list(enumerate(prompts or PROMPTS))
        append_rows(
            folder / "replies.jsonl",
            [
                Reply(case, candidate, p, form.format(i=i), "greedy", None, 12, "stop", 0.5 + i)
                for i, p in asked
            ],
        )
        append_rows(folder / "results.jsonl", [_result(case, candidate, number)])
        append_rows(
            folder / "scores.jsonl",
            [
                ScoreRow(case, candidate, p, "greedy", None, "hangul_share", 1 - number / 4)
                for _, p in asked
            ],
        )
    return folder


def _result(case: str, candidate: str, number: int) -> Result:
    return Result(
        case=case,
        candidate=candidate,
        workload="inference",
        settings={},
        contract="0" * 16,
        status="ok",
        seconds={"load": 1.0, "inference": 2.0 + number},
        tokens=300,
    )
