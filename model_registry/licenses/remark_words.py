"""Remarks of the catalogs on licences and sizes, in the reader's language.

Catalogs hold them in English, as one-line remarks on a value. A remark that has no Korean, such as
one of a catalog of one's own, is read as it was written.
"""

from __future__ import annotations

from model_registry.language import text

_KOREAN = {
    "a folder of your own": "직접 만든 폴더",
    "a contract above 10 M monthly users or where it competes with NAVER": (
        "월간 이용자가 1천만 명을 넘거나 NAVER와 경쟁하면 별도 계약 필요"
    ),
    "as recorded": "기록된 그대로",
    "Built with Llama must be shown; a contract above 700 M monthly users": (
        "Built with Llama 표시 필요, 월간 이용자가 7억 명을 넘으면 별도 계약 필요"
    ),
    "commercial use only below 10 M USD of yearly revenue": (
        "연 매출 1천만 달러 미만일 때만 상업적 이용 가능"
    ),
    "counted from the headers of its weights": "가중치 파일의 머리 정보로 셈",
    "counted without the vision tower, which the published size includes": (
        "공개된 크기에 포함된 비전 부분을 빼고 셈"
    ),
    "for non-commercial research only": "비상업적 연구용",
    "free in a service of one's own; access, delivery or devices sold to others need a contract": (
        "자체 서비스는 자유, API·납품·기기 판매는 별도 계약 필요"
    ),
    "it is the licence of the model that is served": "서버가 제공하는 모델의 라이선스를 따름",
    "it may derive from Llama 3.2, whose terms are conditional": (
        "조건부 약관인 Llama 3.2에서 파생되었을 수 있음"
    ),
    "its architecture is the publisher's own code, which is never run here, so nothing can be "
    "counted": "배포자의 자체 코드로 된 구조이며 그 코드는 실행하지 않으므로 셀 수 없음",
    "its catalog entry has no architecture": "목록에 구조가 적혀 있지 않음",
    "its model card counts 1,331,810,304 too; the published 1.43 B equals that plus the 24 causal "
    "masks of 2,048 x 2,048 (100,663,296 values) that older checkpoints of this architecture store "
    "as buffers": (
        "모델 카드도 1,331,810,304개로 셈. 공개된 1.43 B는 예전 체크포인트가 저장한 24개의 2,048 × "
        "2,048 마스크(100,663,296개)를 더한 값"
    ),
    "its model card names no licence": "모델 카드에 라이선스가 없음",
    "named after its size class: its embedding is 512 wide; one as wide as the model (1,024) would "
    "bring 356 M": ("크기 등급에서 딴 이름. 임베딩 폭이 512이며, 모델 폭(1,024)과 같다면 356 M"),
    "never published": "공개된 적 없음",
    "published rounded to two digits, as in the name; counted like its base, polyglot-ko-1.3b": (
        "이름처럼 두 자리로 반올림해 공개함. 기반 모델 polyglot-ko-1.3b와 같은 방법으로 셈"
    ),
    "released under MIT, derived from a model under the Llama 3.1 or 3.3 licence": (
        "MIT로 공개했지만 Llama 3.1 또는 3.3 라이선스 모델에서 파생됨"
    ),
    "research and evaluation only": "연구와 평가용",
    "research only": "연구용",
    "research only; results may be published": "연구용, 결과는 발표 가능",
    "that of the model which its root node was started with": "루트 노드를 시작한 모델을 따름",
    "that of the model which the swarm serves": "스웜이 제공하는 모델을 따름",
    "the code is MIT; the weights may be used commercially but bind all users to a list of "
    "restricted uses": "코드는 MIT. 가중치는 상업적 이용이 가능하지만 제한된 용도 목록을 지켜야 함",
    "the Gemma Terms of Use bind users and derivatives to a policy of prohibited uses": (
        "Gemma 이용 약관: 이용자와 파생 모델이 금지된 용도 정책을 지켜야 함"
    ),
    "the model is served elsewhere: its server does not tell": (
        "다른 곳에서 제공하는 모델이며 서버가 알려 주지 않음"
    ),
    "the terms bind users and derivatives to a policy of prohibited uses": (
        "약관: 이용자와 파생 모델이 금지된 용도 정책을 지켜야 함"
    ),
}


def remark_words(remark: str) -> str:
    """A remark as people read it."""
    return text(remark, _KOREAN.get(remark, remark))
