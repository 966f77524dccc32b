"""What is decided of all Services together, before anything is said about each."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from llmaz.api import names
from llmaz.api.backendruntime import BackendRuntime
from llmaz.api.fingerprint import as_started
from llmaz.api.kinds import OPEN_MODEL, SERVICE
from llmaz.api.node import EngineReport
from llmaz.api.openmodel import OpenModel
from llmaz.api.service import Service
from llmaz.controller.absent import absent
from llmaz.controller.actions import ApplyOwned, Refusal
from llmaz.controller.board import Board
from llmaz.controller.demand import Demand, demand, engine_prefix
from llmaz.controller.essence import essence
from llmaz.controller.groups import groups_of, is_serving
from llmaz.controller.moves import Homes, Moves, better_options, homes, may_go_back
from llmaz.controller.nodes import NodeView, node_views
from llmaz.controller.outcomes import Outcome, Placed
from llmaz.controller.placement import place
from llmaz.controller.ranks import leader_id
from llmaz.controller.revisions import Revision, as_pinned, recorded
from llmaz.controller.rollout import most_surplus
from llmaz.controller.seats import Seat
from llmaz.controller.sleeping import able_to_sleep, with_sleeper
from llmaz.controller.slots.look import Slotted
from llmaz.controller.slots.pod import SlotPod
from llmaz.controller.slots.policy import SlotPolicy
from llmaz.controller.slots.serving import (
    as_reachable,
    for_slots,
    in_ledger,
    is_slotted,
    pod_of,
    serve_slots,
)
from llmaz.controller.snapshot import ClusterSnapshot, Key, PriorityClass, Ref
from llmaz.controller.supported import unmounted
from llmaz.controller.tenants import tree_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The replicas of every Service: what they need, where they are and where they shall be.

    The engines in `kept` stay as they are: nothing can be said of what they shall be. Those in
    `outdated` shall be others, or elsewhere.
    """

    demands: Mapping[Key, Demand | Refusal]
    outcomes: Mapping[str, Outcome]
    seated: Mapping[str, Seat]
    groups: Mapping[str, tuple[Seat, ...]]  # by replica: its engine, or those of its members
    kept: frozenset[str]
    outdated: frozenset[str]
    views: Mapping[str, NodeView]
    revisions: Mapping[Key, list[Revision]]  # the oldest first
    slots: Slotted  # what is to be done about slots
    left: Mapping[str, Seat]  # where replicas serve that are not ready yet on their new nodes

    def serving(self, id_: str) -> Seat | None:
        """Return the seat of an engine that answers requests, as far as anybody knows."""
        if id_ in self.left:
            return self.left[id_]
        group = self.groups.get(id_, ())
        is_there = is_serving(group) and not any(self.views[seat.node].is_lost for seat in group)
        return group[0] if is_there else None

    def placeable(self) -> Iterator[Demand]:
        return (one for one in self.demands.values() if isinstance(one, Demand))


def serve(snapshot: ClusterSnapshot, made_anew: Mapping[Key, ApplyOwned], now: datetime) -> Served:
    """Place the replicas of every Service; `made_anew` are those that are about to be written."""
    revisions = recorded(snapshot)
    needed = {
        key: _demand(service, revisions.get(key, []), snapshot) for key, service in living(snapshot)
    }
    views = node_views(snapshot, now)
    pods = {pod.uid for there in snapshot.slots.values() for pod in there if pod.lives}
    places = homes(snapshot.seats, _by_engine(needed), views, pods)
    groups = groups_of(places.seated)
    demands = {key: with_sleeper(one, groups, snapshot, now) for key, one in needed.items()}
    kept = frozenset(id_ for id_ in places.seated if _is_kept(id_, demands, made_anew, snapshot))
    placeable = {key: one for key, one in demands.items() if isinstance(one, Demand)}
    slotted = {
        key: one for key, one in placeable.items() if is_slotted(one.service, snapshot.slot_policy)
    }
    left = {id_: seat for id_, seat in places.left.items() if service_of(id_) in slotted}
    slots = serve_slots(slotted, snapshot, groups, views, left, now)
    in_slots = {
        id_: in_ledger(seat) for id_, seat in places.seated.items() if service_of(id_) in slotted
    }
    by_process = [one for key, one in placeable.items() if key not in slotted]
    fixed = kept | in_slots.keys()
    moves = _moves(places, by_process, fixed, views, now)
    board = Board(views, tree_of(snapshot.tenants), snapshot.memo)
    placed = place(by_process, board, {**places.seated, **in_slots}, fixed, moves)
    outcomes = {**placed, **slots.outcomes}
    outdated = _outdated(outcomes, groups)
    # An engine that would have to start anew in order to sleep stops instead.
    tired = {id_ for one in placeable.values() if one.resting for id_ in one.ids} & outdated
    return Served(
        demands=demands,
        outcomes={id_: outcome for id_, outcome in outcomes.items() if id_ not in tired},
        seated=places.seated,
        groups=groups,
        kept=kept | slots.held,
        outdated=outdated,
        views=views,
        revisions=revisions,
        slots=slots,
        left={**moves.left, **left},
    )


def _moves(
    places: Homes,
    demands: Iterable[Demand],
    fixed: Collection[str],
    views: Mapping[str, NodeView],
    now: datetime,
) -> Moves:
    """Return who is on its way, but for those that stay whatever happens."""
    seated = places.seated
    return Moves(
        left={id_: seat for id_, seat in places.left.items() if id_ not in fixed},
        back={
            id_: better_options(one, seated[id_], views[seated[id_].node])
            for one in demands
            if not one.resting and (id_ := may_go_back(one, seated, views, now)) is not None
        },
    )


def _by_engine(demands: Mapping[Key, Demand | Refusal]) -> dict[str, Demand]:
    known = (one for one in demands.values() if isinstance(one, Demand))
    return {id_: one for one in known for id_ in (*one.ids, *one.surplus_ids)}


def _demand(
    service: Service, revisions: list[Revision], snapshot: ClusterSnapshot
) -> Demand | Refusal:
    """Return what the replicas need at the revision that they shall be."""
    pinned = as_pinned(service, revisions)
    if isinstance(pinned, Refusal):
        return pinned
    claimed = (ref.name for ref in pinned.spec.model_claims.models)
    missing = next((name for name in claimed if name not in snapshot.models), None)
    if missing is not None:
        return absent(OPEN_MODEL, missing, snapshot)
    memo = snapshot.memo
    models = (snapshot.models[ref.name] for ref in pinned.spec.model_claims.models)
    runtime = snapshot.runtimes.get(pinned.metadata.annotations.get(names.RUNTIME_NAME, ""))
    return memo.recall(
        _needed,
        essence(pinned, memo),
        memo.same(*(essence(model, memo) for model in models)),
        runtime and essence(runtime, memo),
        memo.same(*snapshot.priorities.values()),
        snapshot.slot_policy,
    )


def _needed(
    service: Service,
    models: tuple[OpenModel, ...],
    runtime: BackendRuntime | None,
    classes: tuple[PriorityClass, ...],
    policy: SlotPolicy,
) -> Demand | Refusal:
    runtimes = {runtime.metadata.name: runtime} if runtime is not None else {}
    by_name = {model.metadata.name: model for model in models}
    needed = demand(service, by_name, runtimes, {one.name: one for one in classes})
    if isinstance(needed, Refusal):
        return needed
    if is_slotted(service, policy):
        mounted = {str(mount.get("mountPath")) for mount in policy.volume_mounts}
        refusal = unmounted(service.spec.workload_template, mounted)
        if refusal is not None:
            return refusal
        needed = for_slots(needed)
    return able_to_sleep(needed, runtimes)


def _is_kept(
    id_: str,
    demands: Mapping[Key, Demand | Refusal],
    made_anew: Mapping[Key, ApplyOwned],
    snapshot: ClusterSnapshot,
) -> bool:
    """Tell whether an engine stays as it is because nothing can be said of what it shall be.

    How many replicas there may be is known even where it is not known what they shall be.
    """
    key = service_of(id_)
    if key not in demands:
        unread = Ref(kind=SERVICE, namespace=key[0], name=key[1]) in snapshot.unreadable
        return unread or key in made_anew
    service = snapshot.services[key]
    most = service.spec.replicas + most_surplus(service)
    return isinstance(demands[key], Refusal) and replica_of(id_) < most


def _outdated(
    outcomes: Mapping[str, Outcome], groups: Mapping[str, tuple[Seat, ...]]
) -> frozenset[str]:
    """Return the replicas that shall be others than they are, or elsewhere."""
    return frozenset(
        id_
        for id_, outcome in outcomes.items()
        if isinstance(outcome, Placed) and _is_outdated(groups.get(id_, ()), outcome)
    )


def _is_outdated(group: tuple[Seat, ...], outcome: Placed) -> bool:
    members = outcome.members
    if len(group) != len(members):
        return bool(group)
    return any(
        seat.node != one.node
        or (seat.engine is not one.engine and as_started(seat.engine) != as_started(one.engine))
        for seat, one in zip(group, members, strict=True)
    )


def living(snapshot: ClusterSnapshot) -> Iterator[tuple[Key, Service]]:
    """Yield the Services that are not being deleted, in a fixed order."""
    for key, service in sorted(snapshot.services.items()):
        if service.metadata.deletion_timestamp is None:
            yield key, service


def service_of(engine_id: str) -> Key:
    """Return the namespace and name of the Service that an engine is a replica of."""
    namespace, _, replica = engine_id.partition("/")
    return namespace, replica.rpartition("-")[0]


def replica_of(engine_id: str) -> int:
    """Return which replica of its Service an engine is."""
    return int(leader_id(engine_id).rpartition("-")[2])


def reports_of(
    service: Service, served: Served, pods: Mapping[int, SlotPod]
) -> dict[int, EngineReport]:
    """Return what the agents say of a Service's engines, by replica; `pods` are their slots."""
    return {
        index: as_reachable(seat, seat.report, pods.get(index))
        for index, seat in _leaders(service, served).items()
        if seat.report is not None
    }


def slot_pods_of(service: Service, served: Served, snapshot: ClusterSnapshot) -> dict[int, SlotPod]:
    """Return the pods in which a Service's engines run that answer requests, by replica."""
    key = service.metadata.namespace or "", service.metadata.name
    pods = snapshot.slots.get(key, ())
    found = {index: pod_of(seat, pods) for index, seat in _leaders(service, served).items()}
    return {index: pod for index, pod in found.items() if pod is not None}


def _leaders(service: Service, served: Served) -> dict[int, Seat]:
    prefix, most = engine_prefix(service), service.spec.replicas + most_surplus(service)
    ids = {index: f"{prefix}{index}" for index in range(most)}
    found = {index: served.left.get(id_) or served.seated.get(id_) for index, id_ in ids.items()}
    return {index: seat for index, seat in found.items() if seat is not None}
