"""Have a model judge a run's replies: `python -m benchmarks.model_judge RUN --judge NAME`.

Its grades go into the run's scores as "judge:NAME", beside the evaluators and apart from people's;
how far it agrees with people is printed, where people graded too, and whether it may stand in for
one.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results.folder import RunFolder
from benchmarks.results.human_grades import grades_of
from evaluators.grading.gradable_replies import gradable_run
from evaluators.grading.statistics.rater_scores import rater_scores
from evaluators.grading.store.grade_records import Grade
from evaluators.judge.model_rater import (
    REPEATS,
    Ask,
    Judgement,
    JudgeReport,
    judge_replies_by_model,
    report,
    score_rows,
)
from evaluators.judge.rater_report import RaterReport, rater_reports
from evaluators.judge.transcript import record, replay
from model_registry.backends.backend import GenerationSettings, conversation
from model_registry.backends.open_backend import open_backend
from model_registry.errors import OhloraError
from model_registry.language import text
from model_registry.registry import Registry

ANSWER_TOKENS = 200  # eight letters with their grades, and some chatter


def judge_run(folder: RunFolder, ask: Ask, name: str, repeats: int = REPEATS) -> list[Judgement]:
    """Have a model judge a run's greedy replies, before and after tuning apart, and add its scores.

    Raises:
        OhloraError: there is nothing to grade.
    """
    replies = [reply for reply in folder.replies() if reply.pass_ == "greedy"]
    if not replies:
        raise OhloraError(
            f"{folder.path} holds no replies to grade.", f"{folder.path}에 평가할 답변이 없습니다."
        )
    judgements: list[Judgement] = []
    for tuned in dict.fromkeys(reply.tuned for reply in replies):
        same = [reply for reply in replies if reply.tuned == tuned]
        judgements += judge_replies_by_model(ask, same, name, repeats)
    folder.add_scores(score_rows(judgements))
    return judgements


def with_people(
    folder: RunFolder, judgements: Sequence[Judgement], grades: Sequence[Grade]
) -> RaterReport:
    """How far a judge agrees with the people who graded the same replies."""
    run = gradable_run(folder.path, folder.replies())
    (report,) = rater_reports(grades, rater_scores(run, score_rows(judgements)))
    return report


def summary(judged: JudgeReport, people: RaterReport) -> str:
    """A judge's steadiness and its agreement with people, as text."""
    lines = [
        text(
            f"{judged.judge}: {judged.asked - judged.missing} of {judged.asked} grades given",
            f"{judged.judge}: {judged.asked}번 중 {judged.asked - judged.missing}번 등급을 줌",
        )
    ]
    if judged.steady is not None:
        lines.append(
            text(
                f"the same grade every time: {judged.steady:.0%} of the replies",
                f"매번 같은 등급: 답변의 {judged.steady:.0%}",
            )
        )
    if judged.place_effect is not None:
        lines.append(
            text(
                f"first place against last: {judged.place_effect:+.2f} grades",
                f"첫 자리와 끝자리의 차이: {judged.place_effect:+.2f} 등급",
            )
        )
    if people.replies:
        alpha = "—" if people.alpha.value is None else f"{people.alpha.value:.2f}"
        lines.append(
            text(
                f"with people, on {people.replies} replies: alpha {alpha}, "
                f"at most one grade apart {people.near:.0%}",
                f"사람과 비교 (답변 {people.replies}개): alpha {alpha}, "
                f"한 등급 이내 {people.near:.0%}",
            )
        )
        lines.append(people.verdict.words)
    else:
        lines.append(text("nobody graded these replies yet", "아직 사람의 평가가 없음"))
    return "\n".join(lines)


def _asking(name: str, weights: str) -> Ask:
    """The model behind a name as a function."""
    backend = open_backend(name, Registry(), weights=weights)
    settings = GenerationSettings(max_new_tokens=ANSWER_TOKENS)
    return lambda question: backend.reply(conversation(question), settings).text


def main() -> None:
    """Grade a run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--judge", required=True, help="a candidate's name")
    parser.add_argument("--weights", default="auto")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--record", type=Path, help="keep what was asked and answered here")
    parser.add_argument("--replay", type=Path, help="take the answers from such a file")
    given = parser.parse_args()
    ask = replay(given.replay) if given.replay else _asking(given.judge, given.weights)
    if given.record:
        ask = record(ask, given.record)
    judgements = judge_run(RunFolder(given.run), ask, given.judge, given.repeats)
    replies = [judgement.reply for judgement in judgements]
    people = with_people(RunFolder(given.run), judgements, grades_of(given.run, replies))
    print(summary(report(judgements)[0], people))


if __name__ == "__main__":
    main()
