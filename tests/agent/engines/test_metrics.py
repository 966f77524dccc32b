"""What the engines' own metrics tell of them, in the words of each engine."""

import pytest

from llmaz.agent.engines.metrics import Activity, Numbers, read_numbers

VLLM = """\
# HELP vllm:num_requests_running x
vllm:num_requests_running{engine="0",model_name="q"} 2.0
vllm:num_requests_running{engine="1",model_name="q"} 1.0
vllm:num_requests_waiting{engine="0",model_name="q"} 4.0
vllm:kv_cache_usage_perc{engine="0",model_name="q"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="q"} 0.5
vllm:prompt_tokens_total{engine="0",model_name="q"} 2.0
vllm:generation_tokens_total{engine="0",model_name="q"} 1.5e+06
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
        ("process_cpu_seconds_total 12\n", None),
        ('[{"iter": 1}]', None),
        ("", None),
    ],
    ids=["vllm", "sglang", "llama.cpp", "tgi", "tensorrt-llm", "no engine", "json", "empty"],
)
def test_each_engine_is_understood(page: str, numbers: Numbers | None) -> None:
    assert read_numbers(page) == numbers
