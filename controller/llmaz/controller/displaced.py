"""What is told of replicas as they are assigned: who makes way, who falls back, who is driven away.

Once: of an engine that is alone as it comes, since it serves where it was until it is ready. A
group ends before it comes, and with its assignment goes what was known of where it was.
"""

from collections.abc import Iterator

from llmaz.api.node import InferenceNode, NodeSpec
from llmaz.controller.actions import RecordEvent
from llmaz.controller.demand import Demand, tolerations_of
from llmaz.controller.events import of_service
from llmaz.controller.outcomes import Displacement, Placed, Unplaced
from llmaz.controller.seats import Seat
from llmaz.controller.served import Served, service_of
from llmaz.controller.snapshot import ClusterSnapshot

_REASONS = {"priority": "Preempted", "quota": "Reclaimed", "share": "Shared"}


def told(
    node: InferenceNode, spec: NodeSpec, served: Served, snapshot: ClusterSnapshot
) -> Iterator[RecordEvent]:
    """Yield the events of those whose engine, or whose leader, ends on a node to make way.

    And of those that come to it since the flavor that they prefer has no room, or since another
    node, or an accelerator, drives them away.
    """
    staying = {engine.id for engine in spec.engines}
    for engine in node.spec.engines:
        outcome = served.outcomes.get(engine.id)
        if engine.id in staying:
            continue
        if isinstance(outcome, Unplaced) and outcome.displaced:
            yield from _pair(engine.id, node.metadata.name, outcome.displaced, outcome, snapshot)
        elif isinstance(outcome, Placed) and outcome.workers:
            yield from _move(engine.id, outcome, served, snapshot)
    known = {engine.id for engine in node.spec.engines}
    for engine in spec.engines:
        if engine.id in known or engine.rank > 0:
            continue
        yield from _fallback(engine.id, node.metadata.name, served, snapshot)
        outcome = served.outcomes.get(engine.id)
        if isinstance(outcome, Placed) and not outcome.workers:
            yield from _move(engine.id, outcome, served, snapshot)


def _move(
    id_: str, outcome: Placed, served: Served, snapshot: ClusterSnapshot
) -> Iterator[RecordEvent]:
    """Tell what drives a replica away from where it was, if anything does."""
    demand, group = served.demands.get(service_of(id_)), served.groups.get(id_, ())
    if not isinstance(demand, Demand):
        return
    reasons = [words for seat in group if (words := _driven(seat, demand, served)) is not None]
    if reasons:
        there, here = (seat.node for seat in group), (one.node for one in outcome.members)
        way = f"from {' and '.join(there)} to {' and '.join(here)}"
        words = f"{id_} goes {way}: {', '.join(reasons)}"
        yield from of_service(service_of(id_), "Normal", "Moving", words, snapshot)


def _driven(seat: Seat, demand: Demand, served: Served) -> str | None:
    view, asked = served.views[seat.node], seat.engine.resources
    why = view.why_left({*asked.limits, *asked.requests}, tolerations_of(demand.service))
    sick = {one.uuid for one in view.accelerators or () if not one.healthy}
    if why is None and not sick.isdisjoint(seat.engine.accelerators):
        why = "has an accelerator that is not well"
    return f"{seat.node} {why}" if why is not None else None


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
