"""The texts of every note, in English and Korean. Adding a note is one entry."""

from __future__ import annotations

from model_registry.messages.grade_texts import GRADE_TEXTS
from model_registry.messages.load_texts import LOAD_TEXTS

AS_WRITTEN = "as_written"  # words of an older run, or of a plugin: shown as they stand

#: (English, Korean) of every code; values stand in braces.
WORDS: dict[str, tuple[str, str]] = LOAD_TEXTS | {
    AS_WRITTEN: ("{words}", "{words}"),
    # of the weights
    "weights_of_the_hub": (
        "the weights are the hub's; its cache is used for what it holds",
        "허브의 가중치를 씁니다(캐시에 있으면 캐시에서 읽습니다)",
    ),
    "no_hub": (
        "no hub can be reached: the bundled models stand in for the candidates",
        "허브에 연결할 수 없어 내장 모델이 후보를 대신합니다",
    ),
    "bundled_stand_in": (
        "bundled models show how the tool works; they say nothing about real candidates",
        "내장 모델은 도구의 흐름을 보여 줄 뿐, 실제 후보에 대한 결과가 아닙니다",
    ),
    "random_weights_full": (
        "random weights at real size: time and memory only, replies mean nothing",
        "무작위 가중치(실제 크기): 시간과 메모리만 뜻이 있고 답변은 뜻이 없습니다",
    ),
    "random_weights_tiny": (
        "random weights at tiny size: time and memory only, replies mean nothing",
        "무작위 가중치(아주 작은 크기): 시간과 메모리만 뜻이 있고 답변은 뜻이 없습니다",
    ),
    "named_all_the_same": (
        "{candidate} was named, though the study's criteria refuse it: {why:note}",
        "{candidate}: 연구 기준으로는 제외되지만 직접 지정하여 포함합니다({why:note})",
    ),
    "leaderboard_old": (
        "the {name} that the study weighs was read on {date}, more than a year ago: newer models "
        "have no value there; --tasks measures benchmarks here",
        "연구가 반영하는 {name}는 {date}에 읽은 것으로 1년이 넘었습니다. 새 모델의 값이 없으며, "
        "--tasks로 벤치마크를 직접 측정할 수 있습니다",
    ),
    # of benchmark tasks
    "tasks_asked": (
        "benchmark tasks: {tasks}; chat template {template}, thinking off",
        "벤치마크 과제: {tasks}; 채팅 템플릿 {template}, 생각(thinking) off",
    ),
    "tasks_limited": (
        "benchmark tasks: {tasks}; the first {limit} documents of each, chat template {template}, "
        "thinking off",
        "벤치마크 과제: {tasks}; 과제마다 처음 {limit}문항, 채팅 템플릿 {template}, "
        "생각(thinking) off",
    ),
    "tasks_missing": (
        "lm-evaluation-harness has no task {tasks}, nor has --tasks-folder: a row will say so",
        "lm-evaluation-harness와 --tasks-folder에 과제 {tasks}이(가) 없어 실패한 행으로 남습니다",
    ),
    # of the data
    "prompts_are_train_rows": (
        "prompts: rows {first}–{last} of the train rows",
        "질문: 학습 행 {first}–{last}번",
    ),
    "train_rows_validate": (
        "no valid rows with an answer: {count} other train rows serve",
        "답이 있는 검증 행이 없어 다른 학습 행 {count}개로 검증합니다",
    ),
    "read_from": ("{file}: {how:how}", "{file}: {how:how}"),
    "rows_of_splits": ("rows: {counts:counts}", "행: {counts:counts}"),
    "broken_korean": (
        "{file}: the Korean of {count} rows is broken (mojibake){at:lines}",
        "{file}: 한글이 깨진 행 {count}개{at:lines}",
    ),
    "files_not_read": ("not read: {files:names}", "읽지 않음: {files:names}"),
    "left_out": ("left out: {what:note}{at:lines}", "제외: {what:note}{at:lines}"),
    "no_answer": (
        "{count} {split:split}rows without an answer",
        "답변이 없는 {split:split}행 {count}개",
    ),
    "blank_row": ("{count} empty {split:split}rows", "빈 {split:split}행 {count}개"),
    "unknown_split": (
        "{count} rows of the split {detail}: name it train, valid or test",
        "알 수 없는 분할 {detail}의 행 {count}개: train, valid, test 중 하나로 적으세요",
    ),
    "unknown_form": (
        "{count} {split:split}rows of no known form, with {detail}",
        "알 수 없는 형식의 {split:split}행 {count}개 (열: {detail})",
    ),
    "nothing_to_learn": (
        "{count} {split:split}conversations without an answer to learn",
        "학습할 답변이 없는 {split:split}대화 {count}개",
    ),
    "unanswered_turn": (
        "{count} user turns without an answer",
        "답변이 없는 사용자 차례 {count}개",
    ),
    "unasked_turn": ("{count} answers without a user turn", "질문이 없는 답변 {count}개"),
    "earlier_turn": (
        "{count} {split:split}answers before the last one of their conversation",
        "{split:split}대화의 마지막 답변이 아닌 답변 {count}개",
    ),
    "tool_turn": (
        "the rest of {count} {split:split}conversations from a tool's turn on",
        "{split:split}대화 {count}개의 도구 호출 이후 부분",
    ),
    "not_text": (
        "the rest of {count} {split:split}conversations from a turn that is no text on",
        "{split:split}대화 {count}개의 글이 아닌 차례 이후 부분",
    ),
    "system_inside": (
        "the rest of {count} {split:split}conversations from a system turn inside on",
        "{split:split}대화 {count}개의 중간 시스템 차례 이후 부분",
    ),
    "asks_a_prompt": (
        "{count} {split:split}rows that ask what a prompt asks (or nearly)",
        "질문과 같거나 거의 같은 {split:split}행 {count}개",
    ),
    "asks_a_train_row_or_prompt": (
        "{count} {split:split}rows that ask what a row tuned on or a prompt asks (or nearly)",
        "학습 행이나 질문과 같거나 거의 같은 {split:split}행 {count}개",
    ),
    "asks_a_train_row": (
        "{count} {split:split}rows that ask what a train row asks (or nearly)",
        "학습 행과 같거나 거의 같은 {split:split}행 {count}개",
    ),
    # of the tune
    "no_dropout": (
        "LoRA has no dropout here, for all candidates alike: the experts of {mixtures:names} can't "
        "have any",
        "모든 후보를 LoRA 드롭아웃 없이 튜닝합니다: {mixtures:names}의 전문가(MoE) 레이어에는 쓸 "
        "수 없습니다",
    ),
    "rows_cut": (
        "{candidate}: {count} {split} rows are cut at the end",
        "{candidate}: {split} 행 {count}개를 끝에서 자릅니다",
    ),
    "rows_too_long": (
        "left out: {count} {split} rows of more than {most} tokens",
        "제외: {most}토큰을 넘는 {split} 행 {count}개",
    ),
    # of backends
    "not_set_up": ("not set up: {why:note}", "설정되지 않음: {why:note}"),
    "times_include_the_way": (
        "times of servers include the way to them; their memory is not measured",
        "서버의 시간에는 오가는 시간이 들어 있고, 서버의 메모리는 측정하지 않습니다",
    ),
    "replayed": (
        "replayed: nobody was asked. Replies and times were recorded on {on} ({where}); times "
        "say nothing about this machine",
        "재생: 아무에게도 묻지 않았습니다. 답변과 시간은 {on}에 기록한 것({where})이며, 이 "
        "장비와 무관합니다",
    ),
    "recorded_note": ("[{on}] {note:note}", "[{on}] {note:note}"),
    # why a candidate is refused
    "license_unknown": (
        "its licence is unknown, verify at the publisher",
        "라이선스를 알 수 없음, 배포자에게 확인 필요",
    ),
    "license_unverified": (
        "its licence is unknown, verify: {note:remark}",
        "라이선스를 알 수 없음, 확인 필요: {note:remark}",
    ),
    "license_conditional": ("{license} is a conditional licence", "라이선스 {license}: 조건부"),
    "license_not_free": ("{license} is not a free licence", "라이선스 {license}: 자유 아님"),
    "license_is": ("its licence is {license}", "라이선스가 {license}임"),
    "license_not_accepted": (
        "its licence {license} is {free:free}",
        "라이선스 {license}: {free:free}",
    ),
    "tokens_per_100": (
        "tokens for 100 characters of the training rows: {tokens:by_name}",
        "학습 행 100자당 토큰: {tokens:by_name}",
    ),
    "catalog_differs": (
        "{candidate}: the hub says {what} {hub}, the catalog said {catalog}; the hub's counts",
        "{candidate}: {what} 값이 허브에는 {hub}, 카탈로그에는 {catalog}입니다. 허브의 값을 씁니다",
    ),
    "use_not_allowed": (
        "{license} does not allow this use ({use:use}): {clause:clause}",
        "라이선스 {license}: {use:use} 용도 불가 ({clause:clause})",
    ),
    "use_unknown": (
        "whether {license} allows this use ({use:use}) is unknown: read it at the publisher",
        "라이선스 {license}: {use:use} 용도 가능 여부를 모름, 배포자에게 확인 필요",
    ),
    "size_unknown": ("its size is unknown{note:brackets}", "크기를 알 수 없음{note:brackets}"),
    "too_large": (
        "too large: {size:parameters}, at most {limit:parameters}",
        "너무 큼: {size:parameters}, 최대 {limit:parameters}",
    ),
    "too_small": (
        "too small: {size:parameters}, at least {limit:parameters}",
        "너무 작음: {size:parameters}, 최소 {limit:parameters}",
    ),
    "other_language": (
        "no {wanted}: it is for {languages:names}",
        "{wanted} 미지원: {languages:names}용",
    ),
    "no_language": (
        "no {wanted}: it is for no declared language",
        "{wanted} 미지원: 밝힌 언어가 없음",
    ),
    "other_task": ("its task is {task}, not {wanted}", "작업이 {wanted} 아닌 {task}임"),
    "trait_lacking": ("not {trait}", "{trait} 아님"),
    "trait_unwanted": ("specialised: {trait}", "특화 모델: {trait}"),
    # why a candidate is not ranked, a criterion not weighed
    "no_case_done": ("none of its cases has been run yet", "아직 실행된 케이스가 없음"),
    "nothing_worked": (
        "{workload}: {status}{message:brackets}",
        "{workload}: {status}{message:brackets}",
    ),
    "failed_in": ("{label_en}: {status:status}", "{label_ko}: {status:status}"),
    "below_limit": (
        "{label_en} {value:g} is below the limit of {limit:g}",
        "{label_ko} {value:g}: 한도 {limit:g}에 못 미침",
    ),
    "above_limit": (
        "{label_en} {value:g} is above the limit of {limit:g}",
        "{label_ko} {value:g}: 한도 {limit:g}을(를) 넘음",
    ),
    "replies_mean_nothing": (
        "{label_en} (random weights: replies mean nothing)",
        "{label_ko} (무작위 가중치: 답변에 뜻이 없음)",
    ),
    # what would help a case
    "known_cause": ("{cause:cure}", "{cause:cure}"),
    "needs_a_machine": (
        "a machine with {needed_bytes:gib} free",
        "여유 메모리 {needed_bytes:gib}인 장비",
    ),
    "smallest_change": (
        "{change} (as it is: {needed_bytes:gib})",
        "{change} (지금대로면 {needed_bytes:gib})",
    ),
}
WORDS |= GRADE_TEXTS
