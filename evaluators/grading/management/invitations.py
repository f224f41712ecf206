"""Makes invitation links: each opens the page as one person, in any browser."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from evaluators.grading.grading_session import LONGEST_NAME
from evaluators.grading.rater_identity import Visitor, new_token
from evaluators.grading.store.grade_records import Grader
from evaluators.grading.store.grade_store import GradeStore
from evaluators.grading.submission import InvalidRequest

MOST_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class NewLink:
    """A name and the query of their link; it is told once, and kept as a digest only."""

    name: str
    query: str


def invite(store: GradeStore, names: str, run: str) -> list[NewLink]:
    """Make a link for each name, one a line.

    Raises:
        InvalidRequest: no name, one that is too long, or too many.
    """
    wanted = [" ".join(line.split()) for line in names.split("\n") if line.strip()]
    if not wanted or len(wanted) > MOST_AT_ONCE or any(len(n) > LONGEST_NAME for n in wanted):
        raise InvalidRequest(
            f"Write one name a line: 1 to {MOST_AT_ONCE} names of at most {LONGEST_NAME} letters.",
            f"이름을 한 줄에 하나씩 1~{MOST_AT_ONCE}개 적어 주세요. "
            f"이름은 {LONGEST_NAME}자까지예요.",
        )
    tokens = [new_token() for _ in wanted]
    store.management.invite(
        [Grader(Visitor(token).id, name) for token, name in zip(tokens, wanted, strict=True)]
    )
    return [
        NewLink(name, urlencode({"grader": token, "run": run}))
        for token, name in zip(tokens, wanted, strict=True)
    ]
