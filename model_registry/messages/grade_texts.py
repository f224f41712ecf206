"""The texts of notes on grades: raters beside people, and whether to go on grading."""

from __future__ import annotations

#: (English, Korean) of every code; values stand in braces.
GRADE_TEXTS: dict[str, tuple[str, str]] = {
    # whether a rater that is no person may stand beside people, and what it adds to their grades
    "rater_may_stand_in": (
        "may stand in for a person: no worse than {won} of {people} people (as near to the others "
        "or nearer in {advantage} of the replies)",
        "사람을 대신할 수 있음: 평가자 {people}명 중 {won}명에 뒤지지 않음(다른 평가자와 같거나 더 "
        "가까운 답변 {advantage})",
    ),
    "rater_not_as_good_as_people": (
        "may not stand in for a person: no worse than only {won} of {people} people (as near to "
        "the others or nearer in {advantage} of the replies)",
        "사람을 대신할 수 없음: 뒤지지 않는 평가자가 {people}명 중 {won}명뿐(다른 평가자와 같거나 "
        "더 가까운 답변 {advantage})",
    ),
    "rater_too_few_people": (
        "not tested: it takes 3 people who graded the same replies, and {people} graded",
        "검정하지 않음: 같은 답변을 평가한 사람이 3명 있어야 하는데 지금은 {people}명",
    ),
    "rater_too_little_shared": (
        "not tested: {people} people graded, but fewer than 3 of them the same replies ({items})",
        "검정하지 않음: 평가자는 {people}명이지만 같은 답변을 평가한 사람이 3명보다 적음"
        "(겹친 답변 {items}개)",
    ),
    "rater_too_few_items": (
        "not tested: 3 people must each have graded 30 replies that others graded too; {items} "
        "are shared so far",
        "검정하지 않음: 세 사람이 저마다 다른 사람과 겹치는 답변 30개를 평가해야 하는데 지금 겹친 "
        "답변은 {items}개",
    ),
    "rater_all_top_grades": (
        "saturated: {share} of its grades are the best one, so it tells no replies apart",
        "포화: 등급의 {share}가 최상이라 답변을 구별하지 못함",
    ),
    "rater_one_grade_only": (
        "no discrimination: {share} of its grades are one and the same",
        "구별 못 함: 등급의 {share}가 모두 같음",
    ),
    "joined_too_few_graded": (
        "people alone: fewer than 12 prompts are graded",
        "사람 평가만: 평가한 질문이 12개보다 적음",
    ),
    "joined_nothing_else_judged": (
        "people alone: raters scored no further prompts",
        "사람 평가만: 자동 평가가 더 채점한 질문이 없음",
    ),
    "joined_raters_tell_nothing": (
        "people alone: what raters say does not go with people's grades here",
        "사람 평가만: 여기서는 자동 평가가 사람 평가와 맞지 않음",
    ),
    # whether to go on grading
    "stop_go_on": (
        "Go on: {a} and {b} are {difference:.2f} apart ({low:.2f} to {high:.2f}, 99 %); {planned} "
        "further prompts decide with a chance of {chance}.",
        "평가 계속: {a}와(과) {b}의 차이 {difference:.2f}(99% 구간 {low:.2f}~{high:.2f}), "
        "질문 {planned}개를 더 평가하면 판가름 날 확률 {chance}.",
    ),
    "stop_separated": (
        "Enough: {a} is ahead of {b} by {difference:.2f} grades ({low:.2f} to {high:.2f}, 99 %).",
        "평가 충분: {a}이(가) {b}보다 {difference:.2f}등급 앞섬(99% 구간 {low:.2f}~{high:.2f}).",
    ),
    "stop_cannot_decide": (
        "Enough: {a} and {b} are {difference:.2f} apart, and {planned} further prompts would "
        "decide with a chance of {chance} only.",
        "평가 충분: {a}와(과) {b}의 차이 {difference:.2f}, 질문 {planned}개를 더 평가해도 "
        "판가름 날 확률은 {chance}뿐.",
    ),
    "stop_too_few": (
        "Go on: fewer than 12 prompts are graded for {a} and {b}.",
        "평가 계속: {a}와(과) {b}을(를) 함께 평가한 질문이 12개보다 적음.",
    ),
    "stop_nothing_to_compare": (
        "There are no two candidates to compare.",
        "비교할 후보가 둘보다 적음.",
    ),
    # what a reply's length does
    "length_effect": (
        "A reply of twice the length is graded {slope} higher ({low} to {high}); length explains "
        "{share} of the differences within a prompt.",
        "길이가 두 배인 답변의 등급 차이 {slope}({low}~{high}), 같은 질문 안의 등급 차이 가운데 "
        "길이로 설명되는 비율 {share}.",
    ),
}
