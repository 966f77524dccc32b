"""What an engine's metrics tell of its work: requests in flight, counters of tokens. Pure."""

import re
from dataclasses import dataclass

_TICKS_A_SECOND = 100  # USER_HZ, the same on every Linux
_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{[^}]*\})?\s+([-+.\deE]+|NaN|[+-]Inf)", re.MULTILINE)

# In flight, by engine: vLLM, SGLang, llama.cpp, TGI, TensorRT-LLM (through Triton's and its own
# endpoint).
_RUNNING = (
    "vllm:num_requests_running",
    "sglang:num_running_reqs",
    "llamacpp:requests_processing",
    "tgi_batch_current_size",
    "nv_trt_llm_request_metrics",
    "trtllm_num_requests_running",
)
_WAITING = (
    "vllm:num_requests_waiting",
    "sglang:num_queue_reqs",
    "llamacpp:requests_deferred",
    "tgi_queue_size",
)
_MOVING = (
    "vllm:prompt_tokens_total",
    "vllm:generation_tokens_total",
    "vllm:iteration_tokens_total_count",
    "sglang:prompt_tokens_total",
    "sglang:generation_tokens_total",
    "llamacpp:prompt_tokens_total",
    "llamacpp:tokens_predicted_total",
    "llamacpp:n_decode_total",
    "tgi_batch_inference_count",
    "tgi_request_generated_tokens_sum",
    "nv_inference_exec_count",
    "trtllm_request_success_total",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """An engine's work at one moment."""

    in_flight: float  # running or waiting
    tokens: float | None  # a sum of counters: only whether it moves has a meaning


def activity_of_processes(ticks: int) -> Activity:
    """Stand in for the metrics of an engine that has none: it works while it uses processors.

    Answering a probe takes a few ticks and generating takes all of a processor, so that whole
    seconds are counted. Requests may be in flight at any time.
    """
    return Activity(in_flight=1, tokens=ticks // _TICKS_A_SECOND)


def read_activity(text: str) -> Activity | None:
    """Read a metrics page; None when no engine that is known wrote it."""
    sums: dict[str, float] = {}
    for name, value in _SAMPLE.findall(text):
        sums[name] = sums.get(name, 0.0) + float(value)
    flying = [sums[name] for name in (*_RUNNING, *_WAITING) if name in sums]
    moving = [sums[name] for name in _MOVING if name in sums]
    if not flying:
        return None
    return Activity(in_flight=sum(flying), tokens=sum(moving) if moving else None)
