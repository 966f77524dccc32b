"""What the engines' own metrics tell of them, in the words of each engine."""

import pytest

from llmaz.agent.engines.metrics import Activity, Durations, Numbers, read_numbers

VLLM = """\
# HELP vllm:num_requests_running x
vllm:num_requests_running{engine="0",model_name="q"} 2.0
vllm:num_requests_running{engine="1",model_name="q"} 1.0
vllm:num_requests_waiting{engine="0",model_name="q"} 4.0
vllm:kv_cache_usage_perc{engine="0",model_name="q"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="q"} 0.5
vllm:prompt_tokens_total{engine="0",model_name="q"} 2.0
vllm:generation_tokens_total{engine="0",model_name="q"} 1.5e+06
vllm:time_to_first_token_seconds_bucket{engine="0",le="0.001",model_name="q"} 1.0
vllm:time_to_first_token_seconds_count{engine="0",model_name="q"} 3.0
vllm:time_to_first_token_seconds_count{engine="1",model_name="q"} 1.0
vllm:time_to_first_token_seconds_sum{engine="0",model_name="q"} 0.25
vllm:time_to_first_token_seconds_sum{engine="1",model_name="q"} 0.5
vllm:time_per_output_token_seconds_count{engine="0",model_name="q"} 7.0
vllm:time_per_output_token_seconds_sum{engine="0",model_name="q"} 0.7
vllm:inter_token_latency_seconds_count{engine="0",model_name="q"} 7.0
vllm:inter_token_latency_seconds_sum{engine="0",model_name="q"} 0.7
vllm:e2e_request_latency_seconds_count{engine="0",model_name="q"} 2.0
vllm:e2e_request_latency_seconds_sum{engine="0",model_name="q"} 9.5
"""
SGLANG = """\
sglang:num_running_reqs{model_name="q"} 1
sglang:num_queue_reqs{model_name="q"} 0
sglang:token_usage{model_name="q"} 0.1
sglang:prompt_tokens_total{model_name="q"} 9
sglang:generation_tokens_total{model_name="q"} 3
"""
LLAMA_CPP = """\
llamacpp:prompt_tokens_total 5
llamacpp:tokens_predicted_total 7
llamacpp:n_decode_total 12
llamacpp:requests_processing 0
llamacpp:requests_deferred 2
"""
TGI = """\
tgi_batch_current_size 3
tgi_queue_size 1
tgi_request_input_length_sum 30
tgi_request_generated_tokens_sum 60
tgi_request_duration_sum 8
tgi_request_duration_count 4
"""
TRTLLM_SERVE = """\
trtllm_num_requests_running{model_name="q",engine_type="trtllm"} 2
trtllm_num_requests_waiting{model_name="q",engine_type="trtllm"} 1
trtllm_kv_cache_utilization{model_name="q",engine_type="trtllm"} 0.5
trtllm_request_success_total{model_name="q",finished_reason="stop"} 4
trtllm_time_to_first_token_seconds_sum{model_name="q"} 0.5
trtllm_time_to_first_token_seconds_count{model_name="q"} 4
"""
TRITON = """\
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="waiting",version="1"} 1
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="max",version="1"} 512
nv_trt_llm_request_metrics{model="tensorrt_llm",request_type="active",version="1"} 2
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="fraction",model="x",version="1"} 0.75
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="max",model="x",version="1"} 6239
"""


@pytest.mark.parametrize(
    ("page", "numbers"),
    [
        (
            VLLM,
            Numbers(
                requests_running=3,
                requests_waiting=4,
                kv_cache_usage_ratio=0.5,
                prompt_tokens=2,
                generation_tokens=1.5e6,
                first_tokens=Durations(seconds=0.75, count=4),
                inter_tokens=Durations(seconds=0.7, count=7),
                requests=Durations(seconds=9.5, count=2),
                activity=Activity(in_flight=7, tokens=1500002),
            ),
        ),
        (
            SGLANG,
            Numbers(
                requests_running=1,
                requests_waiting=0,
                kv_cache_usage_ratio=0.1,
                prompt_tokens=9,
                generation_tokens=3,
                activity=Activity(in_flight=1, tokens=12),
            ),
        ),
        (
            LLAMA_CPP,
            Numbers(
                requests_running=0,
                requests_waiting=2,
                prompt_tokens=5,
                generation_tokens=7,
                activity=Activity(in_flight=2, tokens=24),
            ),
        ),
        (
            TGI,
            Numbers(
                requests_running=3,
                requests_waiting=1,
                prompt_tokens=30,
                generation_tokens=60,
                requests=Durations(seconds=8, count=4),
                activity=Activity(in_flight=4, tokens=90),
            ),
        ),
        (
            TRITON,
            Numbers(
                requests_running=2,
                requests_waiting=1,
                kv_cache_usage_ratio=0.75,
                activity=Activity(in_flight=3, tokens=None),
            ),
        ),
        (
            TRTLLM_SERVE,
            Numbers(
                requests_running=2,
                requests_waiting=1,
                kv_cache_usage_ratio=0.5,
                first_tokens=Durations(seconds=0.5, count=4),
                activity=Activity(in_flight=3, tokens=4),
            ),
        ),
        ("process_cpu_seconds_total 12\n", None),
        ('[{"iter": 1}]', None),
        ("", None),
    ],
    ids=[
        "vllm",
        "sglang",
        "llama.cpp",
        "tgi",
        "triton",
        "trtllm-serve",
        "no engine",
        "json",
        "empty",
    ],
)
def test_each_engine_is_understood(page: str, numbers: Numbers | None) -> None:
    assert read_numbers(page) == numbers
