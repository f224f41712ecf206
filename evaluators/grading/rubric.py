"""The rubric: five grades with meaning and example, flags, and two practice items.

Every text stands in English and Korean, side by side; the page shows one of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from model_registry.records import GRADES


@dataclass(frozen=True, slots=True)
class BilingualText:
    """One text in English and Korean."""

    en: str
    ko: str


@dataclass(frozen=True, slots=True)
class GradeLevel:
    """One of the five grades."""

    value: int
    name: str  # as Korean graders know it
    english: str
    meaning: BilingualText
    example: BilingualText


@dataclass(frozen=True, slots=True)
class PracticeReply:
    """A reply to try the grades on, with the grade most people give and why."""

    reply: str
    usual: int
    why: BilingualText


@dataclass(frozen=True, slots=True)
class Practice:
    """One practice item."""

    prompt: str
    replies: tuple[PracticeReply, ...]


#: The prompt that the examples of the grades answer.
EXAMPLE_PROMPT = BilingualText("To “I did well in my exam!” …", "“나 시험 잘 봤어!”라는 말에 …")

LEVELS = (
    GradeLevel(
        GRADES["최상"],
        "최상",
        "best",
        BilingualText(
            "Fits, natural and kind: I would send it as it is.",
            "말에 꼭 맞고 자연스러워요. 그대로 보내도 돼요.",
        ),
        BilingualText(
            "“Great! All that work paid off. Which part went best?”",
            "“와, 축하해! 열심히 하더니 해냈네. 어떤 문제가 제일 잘 풀렸어?”",
        ),
    ),
    GradeLevel(
        GRADES["상"],
        "상",
        "good",
        BilingualText("Fits; a word or two could be better.", "말에 맞아요. 한두 군데만 아쉬워요."),
        BilingualText(
            "“Congratulations. It is good that you did well.”",
            "“축하해. 시험을 잘 봐서 좋은 일이네.”",
        ),
    ),
    GradeLevel(
        GRADES["중"],
        "중",
        "fair",
        BilingualText(
            "Understandable, but vague, stiff or half beside the point.",
            "뜻은 통하지만 두루뭉술하거나 어색해요.",
        ),
        BilingualText(
            "“An exam is important for everybody.”", "“시험은 누구에게나 중요한 것입니다.”"
        ),
    ),
    GradeLevel(
        GRADES["하"],
        "하",
        "poor",
        BilingualText(
            "Mostly beside the point, or hard to read.", "대체로 엉뚱하거나 읽기 힘들어요."
        ),
        BilingualText(
            "“Exam, exam yesterday was rain good.”", "“시험 어제 비가 시험을 좋은 했다.”"
        ),
    ),
    GradeLevel(
        GRADES["최하"],
        "최하",
        "worst",
        BilingualText(
            "No answer: empty, broken, foreign, or harmful.",
            "답변이 아니에요. 비었거나 깨졌거나 외국어이거나 해로워요.",
        ),
        BilingualText("“### ### the the the”", "“### ### the the the”"),
    ),
)

#: What may be wrong with a reply, beside its grade.
FLAGS = {
    "foreign": BilingualText("foreign language", "외국어"),
    "repetition": BilingualText("repetition", "반복"),
    "no_answer": BilingualText("no answer", "답변이 아님"),
    "harmful": BilingualText("harmful", "해로움"),
    "off_topic": BilingualText("off topic", "주제에서 벗어남"),
}

#: Why an item may be left ungraded.
SKIP_REASONS = {
    "unclear": BilingualText("I don't understand the prompt", "질문을 이해할 수 없어요"),
    "knowledge": BilingualText("I can't judge this topic", "내가 판단할 수 없는 주제예요"),
    "upsetting": BilingualText("I'd rather not read this", "읽고 싶지 않은 내용이에요"),
    "technical": BilingualText("It is not shown properly", "화면에 제대로 나오지 않아요"),
    "other": BilingualText("another reason", "다른 이유"),
}

PRACTICE = (
    Practice(
        "오늘 너무 피곤해",
        (
            PracticeReply(
                "고생 많았어. 오늘은 일찍 씻고 푹 자는 게 어때?",
                5,
                BilingualText("It hears the person and helps.", "마음을 알아주고 도움이 돼요."),
            ),
            PracticeReply(
                "피곤 피곤 피곤 피곤 피곤 피곤",
                1,
                BilingualText(
                    "It only repeats a word: flag repetition.",
                    "같은 말만 되풀이해요. ‘반복’을 표시하세요.",
                ),
            ),
        ),
    ),
    Practice(
        "주말에 뭐 하면 좋을까?",
        (
            PracticeReply(
                "주말은 토요일과 일요일입니다.",
                2,
                BilingualText(
                    "True, but it does not answer.", "맞는 말이지만 질문에 답하지 않아요."
                ),
            ),
            PracticeReply(
                "날이 좋으면 가까운 산책길을 걸어 보고, 비가 오면 집에서 영화 한 편 어때?",
                5,
                BilingualText("Two concrete ideas, friendly.", "구체적이고 다정해요."),
            ),
        ),
    ),
)
