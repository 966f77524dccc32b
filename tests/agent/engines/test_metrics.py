"""What the engines' own metrics tell of their work."""

import pytest

from llmaz.agent.engines.metrics import Activity, read_activity

VLLM = """\
# HELP vllm:num_requests_running x
vllm:num_requests_running{engine="0",model_name="q"} 2.0
vllm:num_requests_running{engine="1",model_name="q"} 1.0
vllm:num_requests_waiting{engine="0",model_name="q"} 4.0
vllm:generation_tokens_total{engine="0",model_name="q"} 1.5e+06
"""


@pytest.mark.parametrize(
    ("page", "activity"),
    [
        (
            VLLM,
            Activity(in_flight=7, tokens=1.5e6),
        ),
        (
            "sglang:num_running_reqs 1\nsglang:num_queue_reqs 0\nsglang:prompt_tokens_total 9\n",
            Activity(in_flight=1, tokens=9),
        ),
        (
            "llamacpp:requests_processing 0\nllamacpp:n_decode_total 12\n",
            Activity(in_flight=0, tokens=12),
        ),
        ("tgi_batch_current_size 3\n", Activity(in_flight=3, tokens=None)),
        ("process_cpu_seconds_total 12\n", None),
        ("<html>", None),
        ("", None),
    ],
)
def test_each_engine_is_understood(page: str, activity: Activity | None) -> None:
    assert read_activity(page) == activity
