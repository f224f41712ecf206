"""Texts of the load check (will a model load?), in English and Korean."""

from __future__ import annotations

#: (English, Korean) of each thing looked at; values stand in braces.
LOAD_TEXTS: dict[str, tuple[str, str]] = {
    "load_catalog_only": (
        "the catalog's values only: the hub can't be reached, so its files were not looked at",
        "카탈로그 값만 확인: 허브에 연결할 수 없어 파일은 보지 못했습니다",
    ),
    "load_class_known": (
        "{model_type}, which transformers {version} has itself",
        "{model_type} (transformers {version}이 지원)",
    ),
    "load_class_remote": (
        "{model_type} needs its publisher's own code (auto_map), which is never run",
        "{model_type}: 배포자의 코드(auto_map)가 필요합니다. 그런 코드는 실행하지 않습니다",
    ),
    "load_class_unknown": (
        "transformers {version} does not know {model_type}; a newer one may: pip install -U "
        "transformers",
        "transformers {version}이 {model_type}을(를) 모릅니다. 새 버전이 알 수 있습니다: "
        "pip install -U transformers",
    ),
    "load_config_accepted": ("accepted by its own class", "자체 클래스가 받아들임"),
    "load_config_refused": (
        "refused by its own class: {reason}",
        "자체 클래스가 거부함: {reason}",
    ),
    "load_config_cured": ("cure {cure}: {means:cure_means}", "해결책 {cure}: {means:cure_means}"),
    "load_cure_offered": (
        "--cure {cure}: {means:cure_means}",
        "--cure {cure}: {means:cure_means}",
    ),
    "load_tokenizer": ("{files:names}", "{files:names}"),
    "load_no_tokenizer": (
        "none: copy tokenizer.json and tokenizer_config.json of the model that it was made from",
        "없음: 원본 모델의 tokenizer.json과 tokenizer_config.json을 복사하세요",
    ),
    "load_template": ("present", "있음"),
    "load_no_template": (
        "none: it is asked in the plain form, as a base model",
        "없음: 베이스 모델처럼 일반 형식으로 묻습니다",
    ),
    "load_template_broken": ("can't be used: {problem}", "쓸 수 없음: {problem}"),
    "load_system_kept": ("kept by the template", "템플릿이 지원함"),
    "load_system_moved": (
        "the template has none: its text goes into the question",
        "템플릿에 없음: 시스템 글을 질문에 넣습니다",
    ),
    "load_thinking_switch": (
        "a switch of the template: off here unless the study says otherwise",
        "템플릿으로 켜고 끔: 연구 파일에서 켜지 않으면 끕니다",
    ),
    "load_thinking_always": ("a prompt opens the block itself", "질문이 생각 블록을 항상 엽니다"),
    "load_thinking_none": ("none in the template", "템플릿에 없음"),
    "load_end": (
        "an answer ends with {end!r}; generation stops at {ids:names}",
        "답변은 {end!r}(으)로 끝나고, 생성은 {ids:names}에서 멈춥니다",
    ),
    "load_end_unlisted": (
        "an answer ends with {end!r} ({id}), which generation_config.json does not list "
        "({ids:names}): it is added here, other servers may go on",
        "답변은 {end!r}({id})(으)로 끝나지만 generation_config.json({ids:names})에 없습니다. "
        "여기서는 더하지만 다른 서버는 멈추지 않을 수 있습니다",
    ),
    "load_no_end": (
        "the template writes nothing behind an answer: end of text ends it",
        "템플릿이 답변 뒤에 아무것도 쓰지 않음: 텍스트 끝 토큰으로 끝냅니다",
    ),
    "load_tied": (
        "input and output embeddings are one matrix",
        "입력과 출력 임베딩이 같은 행렬입니다",
    ),
    "load_tied_stored": (
        "input and output embeddings are one matrix, stored twice",
        "입력과 출력 임베딩이 같은 행렬이며 두 번 저장됨",
    ),
    "load_untied": ("input and output embeddings are two matrices", "입력과 출력 임베딩이 따로임"),
    "load_dtype": (
        "stored in {stored}, computed here in {computed}",
        "저장 {stored}, 계산 {computed}",
    ),
    "load_packed": (
        "packed by {method}: see `ohlora fit` for what this machine can do",
        "{method}(으)로 양자화됨: 이 장비에서 가능한지는 `ohlora fit`",
    ),
    "load_weights": ("{count} safetensors, complete{size:bytes_in_brackets}",
                     "safetensors {count}개, 모두 있음{size:bytes_in_brackets}"),
    "load_weights_problem": ("{problem}", "{problem}"),
    "load_parameters_agree": (
        "{meta:,}, on the meta device and in the headers",
        "{meta:,}개(meta 장치와 헤더가 같음)",
    ),
    "load_parameters_differ": (
        "{meta:,} on the meta device, {headers:,} in the headers{why:note}",
        "meta 장치 {meta:,}개, 헤더 {headers:,}개{why:note}",
    ),
    "load_parameters_one": ("{count:,}, {where}", "{count:,}개 ({where})"),
    "load_why_tied": (
        ": the tied output matrix is stored as well",
        ": 공유하는 출력 행렬도 저장되어 있음",
    ),
    "load_why_more": (
        ": the files hold {share:.0%} that the language model does not take (a tower for pictures, "
        "for one)",
        ": 언어 모델이 쓰지 않는 텐서가 {share:.0%} 있음(이미지 인코더 등)",
    ),
    "load_why_less": (
        ": weights for {share:.0%} of the model are missing",
        ": 모델의 {share:.0%}에 해당하는 가중치가 없음",
    ),
    "load_gated": (
        "gated: its terms must be accepted on its page, and a token set",
        "약관 동의 필요: 모델 페이지에서 동의하고 토큰을 설정하세요",
    ),
    "load_license": ("{license}, as its card says", "{license} (모델 카드 기준)"),
    "load_fits": (
        "{work} at {length} tokens a row, batch {batch}: {predicted:gib} of {budget:gib}",
        "{work}, 한 행 {length}토큰, 배치 {batch}: {budget:gib} 가운데 {predicted:gib}",
    ),
    "load_fits_unknown": (
        "not known without following its memory: `ohlora fit {name} --trace`",
        "메모리를 추적해야 알 수 있음: `ohlora fit {name} --trace`",
    ),
    "load_source": (
        "the hub's {commit:.12}, read on {read_on}",
        "허브 {commit:.12}, {read_on} 읽음",
    ),
}  # fmt: skip

#: What each thing looked at is called.
LOAD_LABELS: dict[str, tuple[str, str]] = {
    "source": ("source", "출처"),
    "class": ("class", "클래스"),
    "config": ("config.json", "config.json"),
    "tokenizer": ("tokenizer", "토크나이저"),
    "template": ("chat template", "채팅 템플릿"),
    "system": ("system role", "시스템 역할"),
    "thinking": ("thinking", "생각(thinking)"),
    "end": ("end of turn", "턴 종료"),
    "tied": ("tied weights", "가중치 공유"),
    "dtype": ("dtype", "자료형"),
    "weights": ("weights", "가중치"),
    "parameters": ("parameters", "파라미터"),
    "access": ("access", "접근"),
    "license": ("licence", "라이선스"),
    "fit": ("fits", "메모리"),
}
