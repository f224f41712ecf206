"""Why a figure of the grades is unknown, in the reader's language.

Records hold the reason in English, as the files do; people read it here. The Korean is without a
verb's ending, since the page and the command line have different ones.
"""

from __future__ import annotations

import re

from model_registry.language import text

_KOREAN = {
    "no reply was graded by two people yet": "평가자가 두 명 이상일 때 계산함",
    "undefined: every grade is the same": "모든 등급이 같아 계산할 수 없음",
    "too few prompts for an interval": "질문이 적어 구간을 계산할 수 없음",
    "too few prompts to tell": "질문이 적어 알 수 없음",
    "no difference so far": "아직 차이 없음",
    "never lost": "한 번도 지지 않음",
    "never won": "한 번도 이기지 못함",
}
_TOO_CLOSE = re.compile(r"more than (\d+) prompts: too close to separate")


def reason_words(reason: str) -> str:
    """A reason as people read it; one that has no Korean stays as it is."""
    if close := _TOO_CLOSE.fullmatch(reason):
        return text(reason, f"질문이 {close[1]}개보다 많이 필요할 만큼 비슷함")
    return text(reason, _KOREAN.get(reason, reason))
