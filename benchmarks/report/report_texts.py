"""The fixed texts of a report in English and Korean."""

from __future__ import annotations

from benchmarks.results.head import RunHead
from evaluators.evaluator_registry import built_in_evaluators
from model_registry.language import text
from model_registry.records import GRADES

_GRADE_WORDS = {
    "최상": ("best", "최상"),
    "상": ("good", "상"),
    "중": ("fair", "중"),
    "하": ("poor", "하"),
    "최하": ("worst", "최하"),
}


def evaluator_words(name: str) -> str:
    """An evaluator's name for people; a third-party one's without its underscores."""
    evaluator = built_in_evaluators().get(name)
    if evaluator is None or not evaluator.label_en:
        return text(name.replace("_", " "), name)
    return text(evaluator.label_en, evaluator.label_ko)


def grade_words(mean: float) -> str:
    """The grade nearest to a mean of grades, and the mean: good (4.1)."""
    nearest = min(GRADES, key=lambda grade: abs(GRADES[grade] - mean))
    return f"{text(*_GRADE_WORDS[nearest])} ({mean:.1f})"


def stand_in(weights: str | None) -> str:
    """The label beside a name whose figures are not the real model's; empty otherwise."""
    if weights == "bundled":
        return text("bundled stand-in", "내장 대역 모델")
    if weights == "random":
        return text("random weights", "무작위 가중치")
    if weights == "replay":
        return text("recorded", "기록 재생")
    return ""


def banner(head: RunHead) -> tuple[str, str] | None:
    """Headline and text that warn where a report's weights are not the real candidates'."""
    if head.weights == "bundled":
        return (
            text("Bundled stand-ins, not the real candidates", "실제 후보가 아닌 내장 대역 모델"),
            text(
                "The small models that come with the tool were measured. These figures show how "
                "a study works; they say nothing about any real model.",
                "도구에 딸린 작은 모델을 측정했습니다. 연구의 흐름을 보여 줄 뿐, 실제 모델에 "
                "대한 결과가 아닙니다.",
            ),
        )
    if head.weights == "random":
        tiny = head.contract.get("scale") != "full"
        return (
            text("Random weights, not the real candidates", "실제 후보가 아닌 무작위 가중치"),
            text(
                f"The architectures {'were shrunk to a tiny size' if tiny else 'have real size'}; "
                "their weights are noise. Time and memory mean something, replies do not.",
                f"{'구조를 아주 작게 줄였고' if tiny else '구조는 실제 크기이지만'} 가중치는 "
                "무작위입니다. 시간과 메모리에만 뜻이 있고 답변에는 뜻이 없습니다.",
            ),
        )
    return None
