"""The texts of the page's frame and tabs in both languages; the Grade tab's: assets/grade_tab."""

from __future__ import annotations

import gradio as gr

from evaluators.grading.rubric import LEVELS
from model_registry.licenses.license_uses import USE_WORDS

#: Every text by key: English, Korean.
WORDS = {
    "tab_chat": ("Chat", "대화"),
    "tab_grade": ("Grade", "평가"),
    "tab_compare": ("Compare", "비교"),
    "tab_candidates": ("Candidates", "후보"),
    "tab_results": ("Results", "결과"),
    "tab_diagram": ("Diagram", "다이어그램"),
    "subtitle": (
        "Which small Korean model should I fine-tune?",
        "어떤 작은 한국어 모델을 골라 파인튜닝할까요?",
    ),
    "candidate": ("Candidate", "후보"),
    "message": ("Message", "메시지"),
    "message_hint": ("Write something and press Enter", "메시지를 입력하고 Enter를 누르세요"),
    "send": ("Send", "보내기"),
    "stop": ("Stop", "멈추기"),
    "again": ("Another answer", "다시 생성하기"),
    "clear": ("New conversation", "새 대화"),
    "settings": ("Settings", "설정"),
    "system": ("System prompt", "시스템 프롬프트"),
    "temperature": (
        "Temperature (0: always the likeliest)",
        "온도 (0이면 항상 가장 확률 높은 답변)",
    ),
    "top_p": ("Top-p", "Top-p"),
    "max_new_tokens": ("Most new tokens", "최대 생성 토큰 수"),
    "seed": ("Seed", "시드(seed)"),
    "grade_last": ("How good is this answer?", "이 답변은 어떤가요?"),
    "note": ("Note (optional)", "메모 (선택)"),
    "save_grade": ("Save", "저장"),
    "grade_kept": ("Kept ✓", "저장됨 ✓"),
    "conversation": ("Conversation", "대화"),
    "you": ("You", "나"),
    "answer": ("Answer", "답변"),
    "copy": ("Copy", "복사"),
    "copied": ("Copied ✓", "복사됨 ✓"),
    "edit": ("Edit", "수정"),
    "edit_hint": (
        "Edit the question; what follows it goes, grades stay.",
        "질문을 수정하세요. 이 뒤의 대화는 지워지고, 매긴 등급은 남아요.",
    ),
    "ask_edited": ("Ask again", "다시 묻기"),
    "cancel": ("Cancel", "취소"),
    "grade_this": ("Grade this", "이 답변 평가"),
    "graded_now": ("Being graded", "평가 중"),
    "waiting": ("Both are answering…", "두 후보가 답하고 있어요…"),
    "nothing_asked": ("Ask a candidate anything.", "후보에게 무엇이든 물어보세요."),
    "nothing_compared": (
        "Two candidates answer the same. Ask on as long as you like; who they are is shown "
        "after your verdict on the whole conversation.",
        "두 후보가 같은 질문에 답해요. 얼마든지 이어서 물어보세요. 어느 후보인지는 대화 전체를 "
        "판정한 다음에 보여요.",
    ),
    "prompt": ("Prompt", "질문"),
    "prompt_hint": ("One message for both", "두 후보에게 보낼 메시지"),
    "ask_both": ("Ask both", "두 후보에게 묻기"),
    "reply_a": ("Reply A", "답변 A"),
    "reply_b": ("Reply B", "답변 B"),
    "a_better": ("A is better", "A가 나아요"),
    "b_better": ("B is better", "B가 나아요"),
    "both_good": ("Both good", "둘 다 좋아요"),
    "both_bad": ("Both bad", "둘 다 별로예요"),
    "catalog": ("Catalog", "목록"),
    "smallest": ("Parameters from (billion)", "최소 파라미터 수 (B)"),
    "largest": (
        "Parameters to (billion; the end: no limit)",
        "최대 파라미터 수 (B, 끝은 제한 없음)",
    ),
    "license": ("Licence", "라이선스"),
    "use": ("What for (by licence)", "용도 (라이선스 기준)"),
    "language": ("Language", "언어"),
    "with_traits": ("With traits", "포함할 특성"),
    "without_traits": ("Without traits", "제외할 특성"),
    "accepted": ("Fitting candidates", "조건에 맞는 후보"),
    "rejected": ("Rejected, and why", "제외된 후보와 이유"),
    "lookup": ("Look up a model by name", "모델 이름으로 보기"),
    "lookup_hint": ("org/model, a folder or a URL", "org/model, 폴더 또는 URL"),
    "lookup_card": ("Graphics card or memory", "그래픽 카드 또는 메모리"),
    "lookup_show": ("Look up", "보기"),
    "lookup_load": ("Will it load, and fit?", "불러올 수 있나요? 메모리에 들어가나요?"),
    "lookup_candidate": ("As a candidate", "후보로 보면"),
    "lookup_uses": ("Licence by use", "용도별 라이선스"),
    "run": ("Run", "실행 결과"),
    "refresh": ("Refresh", "새로 고침"),
    "decision": ("Decision table", "결정표"),
    "cost_quality": ("Cost against quality", "비용과 품질"),
    "distribution": ("Distribution of grades", "등급 분포"),
    "agreement": ("Agreement of the graders", "평가자 사이의 일치"),
    "mean_grades": (
        "Mean grades, before the tune and at each rank",
        "평균 등급: 튜닝 전과 랭크별",
    ),
    "differences": ("Differences, and how many more prompts", "차이, 그리고 더 필요한 질문 수"),
    "raters": ("Raters that are no people", "자동 평가와 사람"),
    "joined": ("People's grades joined with raters'", "사람과 자동 평가를 합친 결과"),
    "grade_next": ("Where to grade next", "다음에 평가하면 좋은 질문"),
    "each_grader": ("Each grader", "평가자별"),
    "ratings": ("Strengths from pairs", "쌍 비교로 본 실력"),
    "diagram_request": ("What should the diagram show?", "무엇을 그릴까요?"),
    "diagram_draw": ("Draw", "그리기"),
    "diagram_hint": (
        "A flow chart with its steps, a neural network with its layers, or a number of nodes",
        "단계를 나열한 순서도, 층별 노드 수를 적은 신경망, 또는 노드 수를 적어 주세요",
    ),
    "diagram_example_1": (
        "Flow chart: log in, fill the cart, pay, done",
        "로그인, 장바구니, 결제, 완료 순서로 순서도를 그려 줘",
    ),
    "diagram_example_2": (
        "A neural network with 3 input nodes, 5 nodes in the hidden layer, and 2 output nodes.",
        "입력 3개, 은닉층 5개, 출력 2개인 신경망",
    ),
    "diagram_example_3": ("5 nodes one after the other", "노드 다섯 개를 차례로 이어 줘"),
    "diagram_count": ("Diagrams to make", "만들 다이어그램 수"),
    "diagram_keep": ("Best ones to show", "보여 줄 다이어그램 수"),
    **{
        f"diagram_score_{n}": (
            f"Picture {n}: how do you like it? (0–5)",
            f"그림 {n}: 얼마나 마음에 드나요? (0~5)",
        )
        for n in range(1, 5)
    },
    "tab_manage": ("Manage", "관리"),
    "progress": ("Progress of the graders", "평가자별 진행"),
    "disputed": ("Replies that graders disagree on", "평가가 엇갈린 답변"),
    "remarks": ("Flags and notes", "표시와 메모"),
    "times": ("Time by prompt", "질문별 시간"),
    "invitations": ("Invitations", "초대"),
    "invite_names": ("Names, one a line", "이름 (한 줄에 하나씩)"),
    "invite_links": ("Links (shown this once)", "초대 링크 (지금 한 번만 보여요)"),
    "invite_told": (
        "Whoever opens a link grades under that name, in any browser.",
        "링크를 여는 사람은 어느 브라우저에서든 그 이름으로 평가해요.",
    ),
    "any": ("any", "모두"),
    "all": ("all", "모두"),
    "free": ("free", "자유 이용"),
    "unknown": ("unknown", "알 수 없음"),
    **{f"use_{use}": words for use, words in USE_WORDS.items()},
    "invite_make": ("Make links", "초대 링크 만들기"),
    "invite_whom": ("Invitation", "초대"),
    "invite_revoke": ("Revoke", "초대 취소"),
    "visible": ("What graders see when they have finished", "평가를 마친 사람이 볼 수 있는 것"),
    "visible_nothing": ("Nothing", "없음"),
    **{f"grade_{level.value}": (level.english, level.name) for level in LEVELS},
    "visible_results": (
        "Results, and of the graders only themselves",
        "결과와 자기 평가 (다른 평가자는 제외)",
    ),
    "visible_everything": (
        "Everything: the others' names and severity too",
        "전부 (다른 평가자의 이름과 엄격도 포함)",
    ),
    "export_as": ("Grades as", "내보낼 형식"),
    "export_csv": ("CSV", "CSV"),
    "export_jsonl": ("JSON lines", "JSON Lines"),
    "export_dataset": ("Hugging Face dataset", "Hugging Face 데이터셋"),
    "export_make": ("Export", "내보내기"),
    "export_file": ("File", "파일"),
    "download_csv": ("Grades as CSV", "등급 CSV 내려받기"),
    "download_json": ("Summary as JSON", "요약 JSON 내려받기"),
}

# Gradio translates any text of the page that equals a key, a candidate's or a run's name too: no
# one is called like this.
_PREFIX = "ohlora_text_"

TRANSLATIONS = gr.I18n(
    en={_PREFIX + key: english for key, (english, _) in WORDS.items()},
    # What Gradio says when an answer is complete has no Korean of its own.
    ko={_PREFIX + key: korean for key, (_, korean) in WORDS.items()} | {"common.complete": "완료"},
)


def word(key: str) -> str:
    """A text that the browser translates."""
    if key not in WORDS:
        raise KeyError(key)
    return TRANSLATIONS(_PREFIX + key)  # type: ignore[return-value]  # components take it for text
