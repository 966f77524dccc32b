"""The engines' own metrics under one set of names, and what they tell of an engine's work. Pure.

Each engine has names of its own, and some changed them between versions. What an engine does not
tell stays unknown.
"""

import re
from dataclasses import dataclass

_TICKS_A_SECOND = 100  # USER_HZ, the same on every Linux
_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(\{[^}]*\})?\s+([-+.\deE]+|[-+]?Inf)", re.MULTILINE)

# By engine: vLLM, SGLang, llama.cpp, TGI, TensorRT-LLM (through Triton, which needs a label, and
# its own server).
_RUNNING = (
    "vllm:num_requests_running",
    "sglang:num_running_reqs",
    "llamacpp:requests_processing",
    "tgi_batch_current_size",
    'nv_trt_llm_request_metrics request_type="active"',
    "trtllm_num_requests_running",
)
_WAITING = (
    "vllm:num_requests_waiting",
    "sglang:num_queue_reqs",
    "llamacpp:requests_deferred",
    "tgi_queue_size",
    'nv_trt_llm_request_metrics request_type="waiting"',
    "trtllm_num_requests_waiting",
)
_KV_CACHE_USAGE = (
    "vllm:kv_cache_usage_perc",  # a ratio, whatever its name says
    "vllm:gpu_cache_usage_perc",  # before 0.11
    "sglang:token_usage",
    "llamacpp:kv_cache_usage_ratio",
    'nv_trt_llm_kv_cache_block_metrics kv_cache_block_type="fraction"',
    "trtllm_kv_cache_utilization",
)
_PROMPT_TOKENS = (
    "vllm:prompt_tokens_total",
    "sglang:prompt_tokens_total",
    "llamacpp:prompt_tokens_total",
    "tgi_request_input_length_sum",
    "trtllm_prompt_tokens_total",
)
_GENERATION_TOKENS = (
    "vllm:generation_tokens_total",
    "sglang:generation_tokens_total",
    "llamacpp:tokens_predicted_total",
    "tgi_request_generated_tokens_sum",
    "trtllm_generation_tokens_total",
)
# Of durations an engine tells the sum and the count. The first that it tells is taken, as some tell
# the same under an old and a new name.
_FIRST_TOKEN = (
    "vllm:time_to_first_token_seconds",
    "sglang:time_to_first_token_seconds",
    "trtllm_time_to_first_token_seconds",
)
_INTER_TOKEN = (
    "vllm:inter_token_latency_seconds",
    "vllm:time_per_output_token_seconds",  # before 0.11
    "sglang:inter_token_latency_seconds",
    "sglang:time_per_output_token_seconds",  # before 0.5
    "tgi_request_mean_time_per_token_duration",
    "trtllm_time_per_output_token_seconds",
)
_REQUEST = (
    "vllm:e2e_request_latency_seconds",
    "sglang:e2e_request_latency_seconds",
    "tgi_request_duration",
    "trtllm_e2e_request_latency_seconds",
)
_ALSO_MOVING = (
    "vllm:iteration_tokens_total_count",
    "llamacpp:n_decode_total",
    "tgi_batch_inference_count",
    "nv_inference_exec_count",
    # SGLang counts tokens when a request ends, which may take longer than a hang is waited for.
    # These two are gauges, which its scheduler sets anew as it decodes.
    "sglang:num_used_tokens",
    "sglang:gen_throughput",
    "trtllm_request_success_total",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """An engine's work at one moment."""

    in_flight: float  # running or waiting
    tokens: float | None  # a sum of counters: only whether it moves has a meaning
    guessed: bool = False  # by who is connected, as it tells nothing itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """How long something took, in all and how often; the quotient of two differences is a mean."""

    seconds: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What an engine tells of itself."""

    requests_running: float | None = None
    requests_waiting: float | None = None
    kv_cache_usage_ratio: float | None = None
    prompt_tokens: float | None = None  # since it started
    generation_tokens: float | None = None
    first_tokens: Durations | None = None
    inter_tokens: Durations | None = None
    requests: Durations | None = None
    activity: Activity
    proofs: int = 0  # looks of this run until now that its agent's own token may have moved


def activity_of_connections(count: int | None) -> Activity:
    """Stand in for the metrics of an engine that has none: who is connected may wait for an answer.

    Where it is not known how many are, somebody may be.
    """
    return Activity(in_flight=1 if count is None else count, tokens=None, guessed=True)


def processor_seconds(ticks: int) -> float:
    """Return processor time as the kernel counts it in seconds."""
    return ticks / _TICKS_A_SECOND


def read_numbers(text: str) -> Numbers | None:
    """Read a metrics page; None when no engine that is known wrote it."""
    found: dict[str, list[float]] = {}
    for name, labels, value in _SAMPLE.findall(text):
        for key in (name, *(f"{name} {label}" for label in labels.strip("{}").split(","))):
            found.setdefault(key, []).append(float(value))
    running, waiting = _sum(found, _RUNNING), _sum(found, _WAITING)
    if running is None and waiting is None:
        return None
    return Numbers(
        requests_running=running,
        requests_waiting=waiting,
        # Each of an engine's parallel parts has a cache, and the fullest holds requests up.
        kv_cache_usage_ratio=max(_values(found, _KV_CACHE_USAGE), default=None),
        prompt_tokens=_sum(found, _PROMPT_TOKENS),
        generation_tokens=_sum(found, _GENERATION_TOKENS),
        first_tokens=_durations(found, _FIRST_TOKEN),
        inter_tokens=_durations(found, _INTER_TOKEN),
        requests=_durations(found, _REQUEST),
        activity=Activity(
            in_flight=(running or 0) + (waiting or 0),
            tokens=_sum(found, (*_PROMPT_TOKENS, *_GENERATION_TOKENS, *_ALSO_MOVING)),
        ),
    )


def _values(found: dict[str, list[float]], keys: tuple[str, ...]) -> list[float]:
    return [value for key in keys for value in found.get(key, ())]


def _sum(found: dict[str, list[float]], keys: tuple[str, ...]) -> float | None:
    values = _values(found, keys)
    return sum(values) if values else None


def _durations(found: dict[str, list[float]], keys: tuple[str, ...]) -> Durations | None:
    for key in keys:
        seconds, count = _sum(found, (f"{key}_sum",)), _sum(found, (f"{key}_count",))
        if seconds is not None and count is not None:
            return Durations(seconds=seconds, count=int(count))
    return None
