"""What /metrics tells."""

from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry, generate_latest

from llmaz.agent.accelerators.device import Device, Gauges, Sighting
from llmaz.agent.assignment import Assignment
from llmaz.agent.engines.metrics import Activity, Durations, Numbers
from llmaz.agent.engines.state import EngineSeen, Health, Running
from llmaz.agent.metrics import AgentCollector
from llmaz.agent.plan import Plan, plan
from llmaz.agent.state import NodeFacts, NodeState
from llmaz.api.fingerprint import fingerprint
from llmaz.api.node import Accelerator, AssignedEngine, NodeSpec

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FACTS = NodeFacts(
    name="n", address="10.0.0.7", agent_url="", agent_version="1", boot_id="boot", capacity={}
)
ENGINE = AssignedEngine(
    id="default/a-0", service="a", model="m", main_model="m", accelerators=("GPU-1",)
)
SEEN = EngineSeen(
    id=ENGINE.id,
    assignment=ENGINE,
    fingerprint=fingerprint(ENGINE),
    process=Running(pid=7, run=3, started_at=NOW),
    port=9000,
    health=Health.READY,
    restarted={"OutOfDeviceMemory": 2},
    woke_seconds=0.5,
    ready_at=NOW + timedelta(seconds=12),
)
NUMBERS = Numbers(
    requests_running=3,
    generation_tokens=70,
    first_tokens=Durations(seconds=1.5, count=6),
    activity=Activity(in_flight=3, tokens=70),
    proofs=2,
)
DEVICE = Device(
    accelerator=Accelerator(
        uuid="GPU-1",
        index=0,
        vendor="nvidia",
        product="NVIDIA A10",
        resource="nvidia.com/gpu",
        memory_bytes=2**30,
    ),
    gauges=Gauges(memory_used_bytes=1024, utilization=0.25),
)


def _metrics(seen: tuple[NodeState, Plan] | None) -> list[str]:
    registry = CollectorRegistry()
    registry.register(AgentCollector(FACTS, lambda: seen, lambda: ((ENGINE, NUMBERS),)))
    return generate_latest(registry).decode().splitlines()


def test_before_the_first_look_there_is_only_the_agent() -> None:
    lines = [line for line in _metrics(None) if not line.startswith("#")]
    assert lines == ['llmaz_agent_info{node="n",version="1"} 1.0']


def test_engines_and_accelerators_are_told_in_base_units() -> None:
    state = NodeState(
        assignment=Assignment(generation=4, spec=NodeSpec(engines=(ENGINE,))),
        accelerators=Sighting(devices=(DEVICE,), seen_at=NOW),
        engines=(SEEN,),
    )
    lines = _metrics((state, plan(FACTS, state, NOW)))
    for line in (
        "llmaz_agent_assignment_generation 4.0",
        'llmaz_engine_phase{engine="default/a-0",phase="Ready"} 1.0',
        'llmaz_engine_phase{engine="default/a-0",phase="Failed"} 0.0',
        'llmaz_engine_restarts_total{engine="default/a-0",reason="OutOfDeviceMemory"} 2.0',
        'llmaz_engine_wake_seconds{engine="default/a-0"} 0.5',
        'llmaz_engine_time_to_ready_seconds{engine="default/a-0"} 12.0',
        'llmaz_accelerator_healthy{uuid="GPU-1"} 1.0',
        'llmaz_accelerator_memory_bytes{uuid="GPU-1"} 1.073741824e+09',
        'llmaz_accelerator_memory_used_bytes{uuid="GPU-1"} 1024.0',
        'llmaz_accelerator_utilization_ratio{uuid="GPU-1"} 0.25',
        "llmaz_accelerator_stale 0.0",
    ):
        assert line in lines
    assert not any(line.startswith("llmaz_accelerator_power_watts{") for line in lines)
    (join,) = [line for line in lines if line.startswith("llmaz_engine_accelerator_info{")]
    whose = 'engine="default/a-0",model="m",namespace="default",playground="",service="a"'
    assert f'{whose},uuid="GPU-1"' in join


def test_an_engines_own_numbers_are_told_under_names_that_all_engines_share() -> None:
    state = NodeState()
    lines = _metrics((state, plan(FACTS, state, NOW)))
    whose = '{engine="default/a-0",model="m",namespace="default",playground="",service="a"}'
    assert f"llmaz_engine_requests_running{whose} 3.0" in lines
    assert f"llmaz_engine_generation_tokens_total{whose} 70.0" in lines
    assert f"llmaz_engine_proofs_total{whose} 2.0" in lines
    assert f"llmaz_engine_time_to_first_token_seconds_sum{whose} 1.5" in lines
    assert f"llmaz_engine_time_to_first_token_seconds_count{whose} 6.0" in lines
    assert not any(line.startswith("llmaz_engine_kv_cache_usage_ratio{") for line in lines)
