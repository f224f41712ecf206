"""Every way a case can end: what it means in words, what helps, and whether it is tried again.

A status is one entry here. Tables, reports, notes, the terminal and docs/runs.md read it.
"""

from __future__ import annotations

from dataclasses import dataclass

from model_registry.language import text


@dataclass(frozen=True, slots=True)
class Status:
    """One way a case can end. The cure is what helps where the case itself names none.

    `memory`: it ran out of memory. `can_change`: another way of running, or less memory needed,
    may help, so that a case is done in place of it. `interrupted`: it was ended from outside, says
    nothing of its candidate, and `--resume` does it again.
    """

    code: str
    en: str
    ko: str
    cure_en: str = ""
    cure_ko: str = ""
    memory: bool = False
    can_change: bool = False
    interrupted: bool = False

    @property
    def words(self) -> str:
        """What it means, for people."""
        return text(self.en, self.ko)

    @property
    def cure(self) -> str:
        """What helps against it in general; empty where nothing is known to."""
        return text(self.cure_en, self.cure_ko)


_ALL = (
    Status("ok", "done", "완료"),
    Status(
        "oom_load",
        "out of memory while loading",
        "불러오는 중 메모리 부족",
        "More memory, a smaller candidate, or weights in 4 bits.",
        "더 큰 메모리, 더 작은 후보, 또는 4비트 가중치.",
        memory=True,
        can_change=True,
    ),
    Status(
        "oom_inference",
        "out of memory while answering",
        "답변 중 메모리 부족",
        "Fewer new tokens, a smaller candidate, or weights in 4 bits.",
        "더 적은 생성 토큰, 더 작은 후보, 또는 4비트 가중치.",
        memory=True,
        can_change=True,
    ),
    Status(
        "oom_training",
        "out of memory while training",
        "학습 중 메모리 부족",
        "A smaller batch or rank, shorter rows, or 4-bit weights with LoRA.",
        "더 작은 배치나 랭크, 더 짧은 행, 또는 4비트 가중치와 LoRA.",
        memory=True,
        can_change=True,
    ),
    Status(
        "timeout",
        "took longer than the time limit",
        "시간 제한 초과",
        "Raise --time-limit, or take fewer prompts or epochs.",
        "--time-limit을 늘리거나 질문이나 에폭을 줄이세요.",
        can_change=True,
    ),
    Status(
        "killed",
        "ended by a signal that was not ours",
        "외부 신호로 종료됨",
        "Most often the system ran out of memory: free some, then run again with --resume.",
        "대개 시스템 메모리 부족입니다: 메모리를 비우고 --resume으로 다시 실행하세요.",
        can_change=True,
        interrupted=True,
    ),
    Status(
        "nan_loss",
        "the loss became NaN or infinite",
        "손실이 NaN 또는 무한대가 됨",
        "A smaller learning rate for this candidate, or fp32 instead of half precision.",
        "이 후보의 학습률을 낮추거나, 반정밀도 대신 fp32를 쓰세요.",
    ),
    Status(
        "unsupported_device",
        "this machine can't do what was asked",
        "이 장비로는 할 수 없음",
        "Another device or number format: `ohlora doctor` says what this one can do.",
        "다른 장비나 수 형식: `ohlora doctor`가 이 장비의 기능을 알려 줍니다.",
        can_change=True,
    ),
    Status(
        "unsupported_architecture",
        "the installed libraries don't know this architecture",
        "설치된 라이브러리가 모르는 구조",
        "A newer transformers that knows this architecture.",
        "이 구조를 아는 더 새로운 transformers.",
    ),
    Status(
        "would_not_load",
        "its own files would not load, found before its weights were fetched",
        "가중치를 받기 전에 확인한 결과 불러올 수 없는 파일",
        "The cure that `ohlora doctor NAME` names: --cure, or [cures] in the study.",
        "`ohlora doctor 이름`이 알려 주는 해결책: --cure 또는 연구 파일의 [cures].",
    ),
    Status(
        "needs_remote_code",
        "needs code from its publisher, which is not run",
        "배포자의 코드가 필요해 실행하지 않음",
        "A candidate of the same size that transformers knows by itself.",
        "transformers가 그대로 지원하는 같은 크기의 후보.",
    ),
    Status(
        "gated",
        "a login, a key or an agreement is asked for first",
        "먼저 로그인, 키 또는 약관 동의가 필요함",
        "Hub: accept the publisher's terms and log in. Server: set a key that it takes.",
        "허브라면 배포자의 약관에 동의하고 로그인하세요. 서버라면 맞는 키를 설정하세요.",
    ),
    Status(
        "license_blocked",
        "its licence was not accepted",
        "라이선스가 받아들여지지 않음",
        "A recorded override in the study, once somebody has decided it.",
        "누군가 결정했다면 연구 파일에 예외로 기록하세요.",
    ),
    Status(
        "unreachable",
        "could not be fetched or reached",
        "가져오거나 연결할 수 없음",
        "Check the network or the path, then run again with --resume.",
        "네트워크나 경로를 확인하고 --resume으로 다시 실행하세요.",
    ),
    Status(
        "error",
        "failed otherwise",
        "그 밖의 실패",
        "The message says what went wrong; `ohlora doctor` knows the common causes.",
        "메시지가 원인을 알려 줍니다; `ohlora doctor`가 흔한 원인을 압니다.",
        can_change=True,
    ),
)

#: By the code that stands in a result.
STATUSES = {status.code: status for status in _ALL}

#: What a table says of a failure that no status of ours names.
SAID_IN_TABLES = {
    "out_of_memory": ("out of memory", "메모리 부족"),
    "failed": ("failed", "실패"),
}


def status_called(code: str) -> Status:
    """The status of a code; one that is not of ours stands for itself and has no cure."""
    return STATUSES.get(code) or Status(code, *SAID_IN_TABLES.get(code, (code, code)))


def status_words(code: str) -> str:
    """A status as text; a third-party one unchanged."""
    return status_called(code).words
