"""What is decided of all Services together, before anything is said about each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from llmaz.api.kinds import SERVICE
from llmaz.api.node import AssignedEngine, EngineReport, InferenceNode
from llmaz.api.service import Service
from llmaz.controller.actions import ApplyOwned, Refusal
from llmaz.controller.demand import Demand, demand, engine_prefix
from llmaz.controller.nodes import node_views
from llmaz.controller.placement import Outcome, Seat, place, seats
from llmaz.controller.snapshot import ClusterSnapshot, Key, Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The replicas of every Service: what they need, where they are and where they shall be.

    The engines in `kept` stay as they are: nothing can be said of what they shall be.
    """

    demands: Mapping[Key, Demand | Refusal]
    outcomes: Mapping[str, Outcome]
    seated: Mapping[str, Seat]
    kept: frozenset[str]

    def placeable(self) -> Iterator[Demand]:
        return (one for one in self.demands.values() if isinstance(one, Demand))


def serve(snapshot: ClusterSnapshot, made_anew: Mapping[Key, ApplyOwned], now: datetime) -> Served:
    """Place the replicas of every Service; `made_anew` are those that are about to be written."""
    demands = {key: demand(service, snapshot.models) for key, service in living(snapshot)}
    seated = seats(snapshot.nodes)

    def is_unknown(key: Key) -> bool:
        if key in demands:
            return isinstance(demands[key], Refusal)
        unread = Ref(kind=SERVICE, namespace=key[0], name=key[1]) in snapshot.unreadable
        return unread or key in made_anew

    kept = frozenset(id_ for id_, seat in seated.items() if is_unknown(service_of(seat.engine)))
    placeable = [one for one in demands.values() if isinstance(one, Demand)]
    outcomes = place(placeable, node_views(snapshot, now), seated, kept)
    return Served(demands=demands, outcomes=outcomes, seated=seated, kept=kept)


def living(snapshot: ClusterSnapshot) -> Iterator[tuple[Key, Service]]:
    """Yield the Services that are not being deleted, in a fixed order."""
    for key, service in sorted(snapshot.services.items()):
        if service.metadata.deletion_timestamp is None:
            yield key, service


def service_of(engine: AssignedEngine) -> Key:
    """Return the namespace and name of the Service that an engine belongs to."""
    namespace, _, _ = engine.id.partition("/")
    return namespace, engine.service


def reports_of(
    service: Service, served: Served, snapshot: ClusterSnapshot
) -> dict[int, EngineReport]:
    """Return what the agents say of a Service's engines, by replica."""
    found: dict[int, EngineReport] = {}
    for index in range(service.spec.replicas):
        seat = served.seated.get(f"{engine_prefix(service)}{index}")
        report = report_of(seat.engine.id, snapshot.nodes[seat.node]) if seat else None
        if report is not None:
            found[index] = report
    return found


def report_of(id_: str, node: InferenceNode) -> EngineReport | None:
    """Return what a node's agent says of an engine."""
    return next((report for report in node.status.engines or () if report.id == id_), None)
