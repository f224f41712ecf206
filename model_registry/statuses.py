"""Every way a case can end, and what it means in words."""

from __future__ import annotations

from model_registry.language import text

#: (English, Korean), by the status that stands in a result.
STATUSES = {
    "ok": ("done", "완료"),
    "oom_load": ("out of memory while loading", "불러오는 중 메모리 부족"),
    "oom_inference": ("out of memory while answering", "답변 중 메모리 부족"),
    "oom_training": ("out of memory while training", "학습 중 메모리 부족"),
    "timeout": ("took longer than the time limit", "시간 제한 초과"),
    "killed": ("ended by a signal that was not ours", "외부 신호로 종료됨"),
    "nan_loss": ("the loss became NaN or infinite", "손실이 NaN 또는 무한대가 됨"),
    "unsupported_device": ("this machine can't do what was asked", "이 장비로는 할 수 없음"),
    "unsupported_architecture": (
        "the installed libraries don't know this architecture",
        "설치된 라이브러리가 모르는 구조",
    ),
    "needs_remote_code": (
        "needs code from its publisher, which is not run",
        "배포자의 코드가 필요해 실행하지 않음",
    ),
    "gated": (
        "a login, a key or an agreement is asked for first",
        "먼저 로그인, 키 또는 약관 동의가 필요함",
    ),
    "license_blocked": ("its licence was not accepted", "라이선스가 받아들여지지 않음"),
    "unreachable": ("could not be fetched or reached", "가져오거나 연결할 수 없음"),
    "error": ("failed otherwise", "그 밖의 실패"),
}

#: What a table says of a failure that no status of ours names.
SAID_IN_TABLES = {
    "out_of_memory": ("out of memory", "메모리 부족"),
    "failed": ("failed", "실패"),
}


def status_words(status: str) -> str:
    """What a status means; a stranger's own as it stands."""
    return text(*(STATUSES | SAID_IN_TABLES).get(status, (status, status)))
