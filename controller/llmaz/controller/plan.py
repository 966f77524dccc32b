"""The decision: one snapshot in, everything that is to be done out.

The order of the steps is the order of the actions: what engines run and where first, what the
objects say about it last.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from llmaz.api.kinds import SERVICE
from llmaz.api.node import EngineReport
from llmaz.api.service import Service
from llmaz.controller.accelerators import label_node
from llmaz.controller.actions import Action, Plan, Refusal
from llmaz.controller.assignment import assign, service_of
from llmaz.controller.catalogue import report_models
from llmaz.controller.demand import Demand, demand, engine_prefix
from llmaz.controller.endpoints import publish, published
from llmaz.controller.nodes import node_views
from llmaz.controller.placement import Outcome, Seat, place, seats
from llmaz.controller.playgrounds import PlaygroundView, expand, report_playgrounds
from llmaz.controller.progress import Progress, progress, report_of
from llmaz.controller.services import report_service
from llmaz.controller.snapshot import ClusterSnapshot, Key, Ref
from llmaz.controller.unreadable import report_unreadable

_STALE_LOOK_SECONDS = 2.0  # a node whose Lease has run out may be back at any moment


@dataclass(frozen=True, slots=True, kw_only=True)
class _Served:
    """What is decided of every Service before anything is said about it."""

    demands: Mapping[Key, Demand | Refusal]
    outcomes: Mapping[str, Outcome]
    seated: Mapping[str, Seat]
    kept: frozenset[str] = field(default_factory=frozenset)


def plan(snapshot: ClusterSnapshot, now: datetime) -> Plan:
    """Return what brings the cluster one step nearer to what its objects ask for.

    Planning again over what the actions lead to ends with no actions.
    """
    playgrounds = expand(snapshot)
    served = _serve(snapshot, playgrounds, now)
    states = {
        key: progress(service, served.demands[key], served.outcomes, served.seated, snapshot, now)
        for key, service in _living(snapshot)
    }
    return Plan(
        actions=tuple(_actions(snapshot, now, playgrounds, served, states)),
        look_again_in=_next_look(snapshot, now),
    )


def _actions(
    snapshot: ClusterSnapshot,
    now: datetime,
    playgrounds: Mapping[Key, PlaygroundView],
    served: _Served,
    states: Mapping[Key, Progress],
) -> Iterator[Action]:
    yield from (view.write for view in playgrounds.values() if view.write is not None)
    demands = [one for one in served.demands.values() if isinstance(one, Demand)]
    yield from assign(snapshot, demands, served.outcomes, served.seated, sorted(served.kept))
    slices = published(snapshot)
    for key, service in _living(snapshot):
        reports = _reports(service, served.seated, snapshot)
        yield from publish(service, reports, slices.get(key, ()), snapshot)
        yield from report_service(service, served.demands[key], states[key], snapshot, now)
    yield from report_unreadable(snapshot, now)
    yield from report_playgrounds(playgrounds, states, snapshot, now)
    yield from report_models(snapshot, now)
    for name, node in sorted(snapshot.nodes.items()):
        kube_node = snapshot.kube_nodes.get(name)
        labels = label_node(kube_node, node.status.accelerators) if kube_node else None
        if labels is not None:
            yield labels


def _serve(
    snapshot: ClusterSnapshot, playgrounds: Mapping[Key, PlaygroundView], now: datetime
) -> _Served:
    """Place the replicas of every Service; what can't be judged keeps what it has."""
    demands = {key: demand(service, snapshot.models) for key, service in _living(snapshot)}
    seated = seats(snapshot.nodes)
    kept = frozenset(
        id_
        for id_, seat in seated.items()
        if _is_unknown(service_of(seat.engine), snapshot, demands, playgrounds)
    )
    outcomes = place(
        [one for one in demands.values() if isinstance(one, Demand)],
        node_views(snapshot, now),
        seated,
        kept,
    )
    return _Served(demands=demands, outcomes=outcomes, seated=seated, kept=kept)


def _is_unknown(
    key: Key,
    snapshot: ClusterSnapshot,
    demands: Mapping[Key, Demand | Refusal],
    playgrounds: Mapping[Key, PlaygroundView],
) -> bool:
    """Tell whether nothing can be said of a Service's engines, so that they stay as they are.

    A Service may be refused, be there unread, or be about to be made anew by its Playground.
    """
    if key in demands:
        return isinstance(demands[key], Refusal)
    if Ref(kind=SERVICE, namespace=key[0], name=key[1]) in snapshot.unreadable:
        return True
    return key in playgrounds and playgrounds[key].write is not None


def _living(snapshot: ClusterSnapshot) -> Iterator[tuple[Key, Service]]:
    """Yield the Services that are not being deleted, in a fixed order."""
    for key, service in sorted(snapshot.services.items()):
        if service.metadata.deletion_timestamp is None:
            yield key, service


def _reports(
    service: Service, seated: Mapping[str, Seat], snapshot: ClusterSnapshot
) -> dict[int, EngineReport]:
    """Return what the agents say of a Service's engines, by replica."""
    found: dict[int, EngineReport] = {}
    for index in range(service.spec.replicas):
        seat = seated.get(f"{engine_prefix(service)}{index}")
        report = report_of(seat.engine.id, snapshot.nodes[seat.node]) if seat else None
        if report is not None:
            found[index] = report
    return found


def _next_look(snapshot: ClusterSnapshot, now: datetime) -> float | None:
    """Return the seconds until a node's Lease may run out, or until a lost one is asked for."""
    waits = [
        (snapshot.leases[name] - now).total_seconds()
        if snapshot.is_fresh(name, now)
        else _STALE_LOOK_SECONDS
        for name in snapshot.nodes
    ]
    return min(waits, default=None)
