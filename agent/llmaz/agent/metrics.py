"""Gauges computed from the last look at the node, when somebody asks for them."""

from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from llmaz.agent.accelerators.metrics import accelerator_metrics
from llmaz.agent.engines.metrics import Durations, Numbers
from llmaz.agent.plan import Plan
from llmaz.agent.state import NodeFacts, NodeState
from llmaz.api.node import AssignedEngine, EnginePhase, EngineReport, ModelPhase, NodeStatus


class AgentCollector(Collector):
    """What /metrics tells of the agent, its engines, models and accelerators."""

    def __init__(
        self,
        facts: NodeFacts,
        seen: Callable[[], tuple[NodeState, Plan] | None],
        numbers: Callable[[], tuple[tuple[AssignedEngine, Numbers], ...]],
    ) -> None:
        self._facts = facts
        self._seen = seen
        self._numbers = numbers

    def describe(self) -> list[Metric]:
        """Name nothing ahead: a registry would otherwise collect before there is a look."""
        return []

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily(
            "llmaz_agent_info", "The agent that runs.", labels=["node", "version"]
        )
        info.add_metric([self._facts.name, self._facts.agent_version], 1)
        yield info
        seen = self._seen()
        if seen is None:
            return
        state, decided = seen
        yield from _of_engines(decided.status)
        yield _restarts(state)
        yield _wakes(state)
        yield from _of_numbers(self._numbers())
        yield from _of_assignment(state)
        yield from _of_models(decided.status)
        yield from accelerator_metrics(state.accelerators)


def _of_engines(status: NodeStatus) -> Iterator[Metric]:
    engines = status.engines or ()
    phases = GaugeMetricFamily(
        "llmaz_engine_phase", "1 for the phase that an engine is in.", labels=["engine", "phase"]
    )
    waits = GaugeMetricFamily(
        "llmaz_engine_time_to_ready_seconds",
        "From an engine's last start until it was ready.",
        labels=["engine"],
    )
    for engine in engines:
        for phase in EnginePhase:
            phases.add_metric([engine.id, phase.value], float(engine.phase is phase))
        seconds = _time_to_ready(engine)
        if seconds is not None:
            waits.add_metric([engine.id], seconds)
    yield from (phases, waits)


def _restarts(state: NodeState) -> Metric:
    restarts = CounterMetricFamily(
        "llmaz_engine_restarts",
        "Starts of an engine beyond its first, by why it had ended.",
        labels=["engine", "reason"],
    )
    for engine in state.engines:
        for reason, count in engine.restarted.items():
            restarts.add_metric([engine.id, reason], count)
    return restarts


def _wakes(state: NodeState) -> Metric:
    wakes = GaugeMetricFamily(
        "llmaz_engine_wake_seconds",
        "What the last wake of an engine took that had slept.",
        labels=["engine"],
    )
    for engine in state.engines:
        if engine.woke_seconds is not None:
            wakes.add_metric([engine.id], engine.woke_seconds)
    return wakes


_NUMBERS = (
    (GaugeMetricFamily, "requests_running", "Requests that the engine works on."),
    (GaugeMetricFamily, "requests_waiting", "Requests that wait in the engine's queue."),
    (GaugeMetricFamily, "kv_cache_usage_ratio", "Share of the engine's KV cache in use."),
    (CounterMetricFamily, "prompt_tokens", "Tokens of prompts that the engine has read."),
    (CounterMetricFamily, "generation_tokens", "Tokens that the engine has generated."),
    (CounterMetricFamily, "proofs", "Looks while the agent had it prove that it lives."),
)
_DURATIONS = (
    ("time_to_first_token_seconds", "first_tokens", "From a request to its first token."),
    ("inter_token_seconds", "inter_tokens", "From a token to the next of the same answer."),
    ("request_seconds", "requests", "From a request to the end of its answer."),
)
_WHOSE = ["namespace", "playground", "service", "model", "engine"]


def _of_numbers(told: tuple[tuple[AssignedEngine, Numbers], ...]) -> Iterator[Metric]:
    """Tell what engines tell of themselves, under the same names for all."""
    for family, field, words in _NUMBERS:
        metric = family(f"llmaz_engine_{field}", words, labels=_WHOSE)
        for engine, numbers in told:
            value: float | None = getattr(numbers, field)
            if value is not None:
                metric.add_metric(_whose(engine), value)
        yield metric
    for name, field, words in _DURATIONS:
        summary = SummaryMetricFamily(f"llmaz_engine_{name}", words, labels=_WHOSE)
        for engine, numbers in told:
            spent: Durations | None = getattr(numbers, field)
            if spent is not None:
                summary.add_metric(_whose(engine), count_value=spent.count, sum_value=spent.seconds)
        yield summary


def _whose(engine: AssignedEngine) -> list[str]:
    namespace = engine.id.partition("/")[0]
    return [namespace, engine.playground or "", engine.service, engine.model, engine.id]


def _time_to_ready(engine: EngineReport) -> float | None:
    started: datetime | None = engine.started_at
    if started is None or engine.ready_at is None:
        return None
    return (engine.ready_at - started).total_seconds()


def _of_assignment(state: NodeState) -> Iterator[Metric]:
    generation = GaugeMetricFamily(
        "llmaz_agent_assignment_generation", "Generation of the assignment that is followed."
    )
    owners = GaugeMetricFamily(
        "llmaz_engine_accelerator_info",
        "Joins an engine to the accelerators that it may use.",
        labels=[*_WHOSE, "uuid"],
    )
    if state.assignment is not None:
        generation.add_metric([], state.assignment.generation)
        for engine in state.assignment.spec.engines:
            for uuid in engine.accelerators or ("",):
                owners.add_metric([*_whose(engine), uuid], 1)
    yield from (generation, owners)


def _of_models(status: NodeStatus) -> Iterator[Metric]:
    phases = GaugeMetricFamily(
        "llmaz_cache_model_phase", "1 for the phase that a model is in.", labels=["model", "phase"]
    )
    sizes = GaugeMetricFamily(
        "llmaz_cache_model_bytes", "Bytes of a model that are here.", labels=["model"]
    )
    for model in status.models or ():
        for phase in ModelPhase:
            phases.add_metric([model.name, phase.value], float(model.phase is phase))
        if model.bytes_done is not None:
            sizes.add_metric([model.name], model.bytes_done)
    yield from (phases, sizes)
