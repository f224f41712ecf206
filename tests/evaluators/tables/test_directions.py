"""Which values of a column are better is read from its name as people read it, or asked for."""

from __future__ import annotations

import pytest

from evaluators.tables.column_words import words_of
from evaluators.tables.directions import direction_of, is_cost

HIGH = """
    tokens_per_second tokensPerSecond TokensPerSec tok/s tok_s tokens/s characters_per_second
    it/s samples_per_second steps_per_sec requests_per_minute token_rate throughput
    sentiment_accuracy Accuracy acc KoBEST_acc recall@10 pass@1 win_rate winRate success_rate
    BLEU sacreBLEU chrF chrF++ rougeL ROUGE-L F1 F1Score exact_match_score EM bertscore MMLU
    score quality quality_tuned human_grade leaderboard elo_rating kmmlu_avg win_loss_ratio
    memory_efficiency time_saved loss_reduction accuracy_per_dollar score_per_gb
    accuracy_under_memory_limit latency↑ 점수 평균점수 BLEU점수 정확도 정확도가 정확도(%)
    감성분석정확도 품질 정답률 만족도 승률(%) 초당토큰 초당_토큰수 초당_생성_토큰 토큰/초 처리량
    속도 속도(tok/s) 응답_속도 메모리절감률
""".split()  # noqa: SIM905

LOW = """
    perplexity ppl valid_ppl WER CER wer_ko CERs loss train_loss eval/loss lossFinal NLL RMSE
    bpb error errors error_rate number_of_errors error_count hallucination_rate perplexity_score
    toxicity_score accuracy_loss accuracy↓ latency latency_ms p95_latency ttft_s
    time_to_first_token first_token_seconds token_time inference_time inferenceTime
    inferenceTimeMs seconds fine_tune_seconds_r16 score_time duration_min speed(ms)
    speed_seconds seconds_per_token ms/token ms_per_token s/it time_per_token peak_memory_gb
    peakMemoryGB memory vram_gib fine_tune_mb_r64 inference_bytes cost cost_usd price
    cost_per_1k_tokens quality_cost energy_wh 시간 추론시간 추론_시간(초) 응답시간은 학습_시간
    처리시간 소요시간(초) 지연시간 분 실행속도(초) 메모리 메모리를 메모리사용량 최대_메모리_GB
    GPU메모리 비용 가격 토큰당초 토큰당_비용 손실 손실이 손실값 검증손실 오류율 단어오류율
    실패율 환각률 퍼플렉시티
""".split()  # noqa: SIM905

NOT_KNOWN = """
    x value metric_a foo a tokens max_tokens sentiment timeless interest refusal_rate rate min
    count 수 세로 시간복잡도 무오류율 accuracy_std score_delta time_limit memory_budget
    memory_score latency_score error_free_rate non_toxic no_errors quality_seconds
    words_per_reply
""".split()  # noqa: SIM905


@pytest.mark.parametrize("name", HIGH)
def test_more_is_better_of(name):
    assert direction_of(name.replace("_", " ")) == direction_of(name) == "high"


@pytest.mark.parametrize("name", LOW)
def test_less_is_better_of(name):
    assert direction_of(name.replace("_", " ")) == direction_of(name) == "low"


@pytest.mark.parametrize("name", NOT_KNOWN)
def test_nothing_is_guessed_of(name):
    assert direction_of(name) is None


@pytest.mark.parametrize(
    "name", ["WER (lower is better)", "지표 (낮을수록 좋음)", "accuracy (lower better)", "x ▼"]
)
def test_a_name_that_says_it_outright_is_believed(name):
    assert direction_of(name) == "low"


def test_the_unit_of_the_cells_tells_where_the_name_does_not():
    assert direction_of("inference") is None
    assert direction_of("inference", "ms") == "low"
    assert direction_of("inference", "tok/s") == "high"
    assert direction_of("inference", "%") is None
    assert direction_of("accuracy", "%") == "high"


def test_what_is_paid_for_is_a_cost_and_a_fault_is_none():
    assert [n for n in ("seconds", "메모리", "price", "WER", "loss", "accuracy") if is_cost(n)] == [
        "seconds", "메모리", "price",
    ]  # fmt: skip


def test_a_name_is_parted_at_case_signs_and_scripts():
    assert (
        words_of("tokensPerSecond")
        == words_of("TOKENS_per-second")
        == words_of("tokens per second")
    )
    assert words_of("ＢＬＥＵ점수") == ["bleu", "점수"]
    assert words_of("p95_latency") == ["p95", "latency"]
