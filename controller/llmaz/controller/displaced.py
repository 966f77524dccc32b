"""What is told of replicas as they are assigned: who makes way for whom, who falls back. Once."""

from collections.abc import Iterator

from llmaz.api.node import InferenceNode, NodeSpec
from llmaz.controller.actions import RecordEvent
from llmaz.controller.demand import Demand
from llmaz.controller.events import of_service
from llmaz.controller.outcomes import Displacement, Placed, Unplaced
from llmaz.controller.served import Served, service_of
from llmaz.controller.snapshot import ClusterSnapshot

_REASONS = {"priority": "Preempted", "quota": "Reclaimed", "share": "Shared"}


def told(
    node: InferenceNode, spec: NodeSpec, served: Served, snapshot: ClusterSnapshot
) -> Iterator[RecordEvent]:
    """Yield the events of those whose engine, or whose leader, ends on a node to make way.

    And of those that come to it since the flavor that they prefer has no room.
    """
    staying = {engine.id for engine in spec.engines}
    for engine in node.spec.engines:
        outcome = served.outcomes.get(engine.id)
        if engine.id not in staying and isinstance(outcome, Unplaced) and outcome.displaced:
            yield from _pair(engine.id, node.metadata.name, outcome.displaced, outcome, snapshot)
    known = {engine.id for engine in node.spec.engines}
    for engine in spec.engines:
        if engine.id not in known and engine.rank == 0:
            yield from _fallback(engine.id, node.metadata.name, served, snapshot)


def _fallback(
    id_: str, node: str, served: Served, snapshot: ClusterSnapshot
) -> Iterator[RecordEvent]:
    demand, outcome = served.demands.get(service_of(id_)), served.outcomes.get(id_)
    if not isinstance(demand, Demand) or not isinstance(outcome, Placed):
        return
    options = [option.flavor.name for option in demand.options_of(id_)]
    taken = outcome.option.flavor.name
    if taken not in options[:1]:
        passed = ", ".join(options[: options.index(taken)])
        words = f"{id_} takes {taken} on {node}: no room on {passed}"
        yield from of_service(service_of(id_), "Normal", "FlavorFallback", words, snapshot)


def _pair(
    id_: str, node: str, displaced: Displacement, why: Unplaced, snapshot: ClusterSnapshot
) -> Iterator[RecordEvent]:
    words = "; ".join(why.reasons)
    reason, told = _REASONS[displaced.cause], f"{id_} on {node} {words}"
    yield from of_service(service_of(id_), "Warning", reason, told, snapshot)
    words = f"{displaced.by} takes the place of {id_} on {node}"
    yield from of_service(service_of(displaced.by), "Normal", "Displacing", words, snapshot)
