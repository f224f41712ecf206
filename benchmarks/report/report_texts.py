"""The fixed texts of a report in English and Korean."""

from __future__ import annotations

from benchmarks.results.head import RunHead
from model_registry.language import text
from model_registry.records import GRADES

_GRADE_WORDS = {
    "최상": ("best", "최상"),
    "상": ("good", "상"),
    "중": ("fair", "중"),
    "하": ("poor", "하"),
    "최하": ("worst", "최하"),
}

_EVALUATORS = {
    "quality": ("quality", "품질"),
    "empty": ("empty", "빈 답변"),
    "hangul_share": ("Hangul share", "한글 비율"),
    "foreign_script": ("foreign script", "외국어"),
    "markup": ("code or markup", "코드·마크업"),
    "compression": ("compression", "압축률"),
    "echo": ("echoes the prompt", "질문 되풀이"),
    "repetition": ("repetition", "반복"),
    "loop": ("loops", "되풀이"),
    "broken_text": ("broken text", "깨진 글자"),
    "stopped_by_itself": ("stopped by itself", "스스로 끝냄"),
    "length": ("length", "길이"),
    "near_duplicate": ("near-duplicate", "거의 같은 답변"),
    "same_samples": ("same samples", "같은 표본"),
    "chrf": ("chrF", "chrF"),
    "rouge_l": ("ROUGE-L", "ROUGE-L"),
    "persona_facts": ("persona facts", "페르소나 사실"),
    "relevance": ("relevance", "관련성"),
    "well_formed": ("well-formed", "자연스러움"),
    "kiwi_well_formed": ("well-formed (kiwi)", "자연스러움 (kiwi)"),
    "continues_prompt": ("continues the prompt", "질문 이어 쓰기"),
    "politeness": ("politeness", "말투 유지"),
    "diagram_format_kept": ("diagram format kept", "도표 형식 유지"),
    "diagram_nodes_as_asked": ("diagram nodes as asked", "요청한 노드 수"),
    "diagram_geometry": ("diagram geometry", "도표 배치"),
    "diagram_readability": ("diagram readability", "도표 가독성"),
}


def evaluator_words(name: str) -> str:
    """An evaluator's name for people; a third-party one's own name without its underscores."""
    return text(*_EVALUATORS.get(name, (name.replace("_", " "), name)))


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
    """What a report begins with where its weights are no real candidate's: headline and text."""
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
