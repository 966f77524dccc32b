"""The decision: one snapshot in, everything that is to be done out.

The order of the steps is the order of the actions: what engines run and where first, what the
objects say about it last.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime

from llmaz.controller.accelerators import are_named, label_node
from llmaz.controller.actions import Action, Plan
from llmaz.controller.assignment import assign
from llmaz.controller.catalogue import report_models
from llmaz.controller.discovery import tell_discovery
from llmaz.controller.endpoints import publish, published
from llmaz.controller.ladder import next_steps
from llmaz.controller.outcomes import Unplaced
from llmaz.controller.playgrounds import PlaygroundView, expand, report_playgrounds
from llmaz.controller.progress import Progress, progress
from llmaz.controller.revisions import record
from llmaz.controller.runtimes import report_runtimes
from llmaz.controller.scaling.hpa import autoscalers
from llmaz.controller.served import Served, living, reports_of, serve, slot_pods_of
from llmaz.controller.services import report_service
from llmaz.controller.silence import judge_nodes
from llmaz.controller.snapshot import ClusterSnapshot, Key
from llmaz.controller.tenancy import report_tenants
from llmaz.controller.unreadable import report_unreadable

_STALE_LOOK_SECONDS = 2.0  # a node whose Lease has run out may be back at any moment


def plan(snapshot: ClusterSnapshot, now: datetime) -> Plan:
    """Return what brings the cluster one step nearer to what its objects ask for.

    Planning again over what the actions lead to ends with no actions.
    """
    playgrounds = expand(snapshot)
    writes = {key: view.write for key, view in playgrounds.items() if view.write is not None}
    served = serve(snapshot, writes, now)
    states = {key: progress(one, served, snapshot, now) for key, one in living(snapshot)}
    does = (
        *writes.values(),
        *_records(snapshot, served),
        *served.slots.actions,
        *assign(snapshot, served, now),
        *_publications(snapshot, served),
        *autoscalers(snapshot),
        *_reports(snapshot, playgrounds, states, now),
        *report_tenants(snapshot, served),
        *_node_labels(snapshot, served),
        *judge_nodes(snapshot, now),
    )
    waits = (_next_look(snapshot, now), served.slots.look_again_in, *next_steps(snapshot, now))
    return Plan(
        actions=does,
        look_again_in=min((wait for wait in waits if wait is not None), default=None),
        unplaced=Counter(
            outcome.lack
            for outcome in served.outcomes.values()
            if isinstance(outcome, Unplaced) and outcome.lack is not None
        ),
        waits=sum((Counter(state.waits) for state in states.values()), Counter()),
    )


def _records(snapshot: ClusterSnapshot, served: Served) -> Iterator[Action]:
    for key, service in living(snapshot):
        yield from record(service, served.revisions.get(key, []), snapshot)


def _publications(snapshot: ClusterSnapshot, served: Served) -> Iterator[Action]:
    slices = published(snapshot)
    for key, service in living(snapshot):
        pods = slot_pods_of(service, served, snapshot)
        engines = reports_of(service, served, pods)
        yield from publish(service, engines, slices.get(key, ()), snapshot, pods)


def _reports(
    snapshot: ClusterSnapshot,
    playgrounds: Mapping[Key, PlaygroundView],
    states: Mapping[Key, Progress],
    now: datetime,
) -> Iterator[Action]:
    for key, service in living(snapshot):
        yield from report_service(service, states[key], snapshot, now)
    yield from report_unreadable(snapshot, now)
    yield from report_playgrounds(playgrounds, states, snapshot, now)
    yield from report_models(snapshot, now)
    yield from report_runtimes(snapshot, now)


def _node_labels(snapshot: ClusterSnapshot, served: Served) -> Iterator[Action]:
    for name, view in sorted(served.views.items()):
        kube_node = snapshot.kube_nodes.get(name)
        # While a node's accelerators are not known, its labels stay.
        known = view.accelerators is not None and are_named(view.accelerators)
        if kube_node is not None and known:
            if snapshot.node_features:
                yield from tell_discovery(snapshot.nodes[name], view.accelerator_labels, snapshot)
            else:
                yield from label_node(kube_node, view.accelerator_labels)


def _next_look(snapshot: ClusterSnapshot, now: datetime) -> float | None:
    """Return the seconds until a node's Lease may run out, or until a lost one is asked for."""
    waits = [
        (snapshot.leases[name] - now).total_seconds()
        if snapshot.is_fresh(name, now)
        else _STALE_LOOK_SECONDS
        for name in snapshot.nodes
    ]
    return min(waits, default=None)
