"""The columns of the Results tab's tables, in English and Korean."""

from __future__ import annotations

from benchmarks.results.criteria import CRITERIA
from benchmarks.results.shown_rows import FIGURES
from pages.page_table import column


def _figure(key: str, criterion: str) -> dict[str, object]:
    """A column for a criterion, named as the report names it, with its unit."""
    figure = CRITERIA[criterion]
    english, korean, digits = {
        "s": (" (s)", " (초)", 2),
        "bytes": (" (MB)", " (MB)", 0),
        "tokens": ("", "", 1),
    }.get(figure.unit, ("", "", 3))
    head = figure.label_en[0].upper() + figure.label_en[1:]
    return column(key, head + english, figure.label_ko + korean, digits=digits)


DECISION = [
    column("place", "Place", "순위", digits=0),
    column("candidate", "Candidate", "후보", always=True),
    column("score", "Score", "종합", digits=3),
    column("win_share", "Wins", "1위 비율", digits=2),
    column("grade", "Mean grade (95 %)", "평균 등급 (95%)"),
    *(_figure(key, criterion) for key, criterion in FIGURES.items() if key != "inference_s"),
    column("remark", "Remark", "비고"),
]
GRADES = [
    column("candidate", "Candidate (r: rank of its tune)", "후보 (r: 튜닝 랭크)", always=True),
    column("grade", "Mean grade", "평균 등급", digits=2),
    column("interval", "95 %", "95%"),
    column("prompts", "Prompts", "질문", digits=0),
    column("grades", "Grades", "등급 수", digits=0),
]
DIFFERENCES = [
    column("pair", "Pair", "쌍", always=True),
    column("difference", "Difference", "차이", digits=2),
    column("interval", "95 %", "95%"),
    column("p", "p (Holm)", "p (Holm)", digits=3),
    column("prompts", "Prompts", "질문", digits=0),
    column("more", "More prompts needed", "더 필요한 질문", digits=0),
]
GRADERS = [
    column("name", "Grader", "평가자", always=True),
    column("grades", "Grades", "등급 수", digits=0),
    column("same", "Same when repeated", "재평가 일치율", digits=2),
    column("mean_change", "Mean change", "재평가 평균 변화", digits=2),
    column("severity", "Against the others", "다른 평가자 대비", digits=2),
    column("drift", "Drift", "진행에 따른 변화", digits=2),
]
RATERS = [
    column("rater", "Rater", "자동 평가", always=True),
    column("verdict", "Beside people", "사람과 비교"),
    column("alpha", "Agreement (alpha, 95 %)", "일치도(알파, 95%)"),
    column("spearman", "Rank correlation (95 %)", "순위 상관(95%)"),
    column("replies", "Replies both graded", "함께 평가한 답변", digits=0),
]
JOINED = [
    column("candidate", "Candidate or pair", "후보 또는 쌍", always=True),
    column("mean", "With raters", "자동 평가와 함께", digits=2),
    column("interval", "95 %", "95%"),
    column("saved", "Narrower than people alone (%)", "사람만일 때보다 좁아짐(%)", digits=0),
    column("adjusted", "At equal length", "길이가 같다면", digits=2),
    column("remark", "Remark", "비고"),
]
NEXT = [
    column("prompt", "Prompt", "질문", always=True),
    column("candidates", "Replies of", "답변한 후보"),
    column("people", "Graded by", "평가한 사람", digits=0),
    column("reduction", "Variance saved by a grade", "등급 하나가 줄이는 분산", digits=4),
]
RATINGS = [
    column("candidate", "Candidate", "후보", always=True),
    column("chance", "Wins against average (%)", "평균을 이길 확률 (%)", digits=0),
    column("record", "Won – tied – lost", "승 – 무 – 패"),
    column("vote_chance", "… from votes (%)", "… 투표로 (%)", digits=0),
    column("vote_record", "Votes", "투표 승 – 무 – 패"),
    column("remark", "Remark", "비고"),
]
