"""The slots of all Services: whose engines run in slots, and what that means for the rest. Pure."""

import dataclasses
from collections.abc import Mapping
from datetime import datetime

from llmaz.api import names
from llmaz.api.node import EnginePhase, EngineReport
from llmaz.api.service import Service
from llmaz.api.slot import SLOT, Launcher
from llmaz.controller.actions import Action
from llmaz.controller.demand import Demand
from llmaz.controller.nodes import NodeView
from llmaz.controller.outcomes import Outcome
from llmaz.controller.seats import Seat
from llmaz.controller.slots.driven import is_driven
from llmaz.controller.slots.evictions import guard, let_go, others_of
from llmaz.controller.slots.look import Group, Look, Slotted
from llmaz.controller.slots.making import deleted
from llmaz.controller.slots.placing import place_slots
from llmaz.controller.slots.pod import SPARE, SlotPod
from llmaz.controller.slots.policy import SlotPolicy
from llmaz.controller.slots.spares import Spares
from llmaz.controller.snapshot import ClusterSnapshot, Key

_LAUNCHERS: Mapping[str, Launcher] = {"process": "process", "slot": "slot"}


def is_slotted(service: Service, policy: SlotPolicy) -> bool:
    """Tell whether a Service's engines run in slots."""
    said = service.metadata.annotations.get(names.LAUNCHER, "")
    return _LAUNCHERS.get(said, policy.launcher) == SLOT


def for_slots(demand: Demand) -> Demand:
    """Return a demand whose engines find their programs in their image."""
    pattern = dataclasses.replace(demand.pattern, requirements=())
    worker = demand.worker and dataclasses.replace(demand.worker, requirements=())
    return dataclasses.replace(demand, pattern=pattern, worker=worker)


def serve_slots(
    demands: Mapping[Key, Demand],
    snapshot: ClusterSnapshot,
    groups: Mapping[str, Group],
    views: Mapping[str, NodeView],
    left: Mapping[str, Seat],
    now: datetime,
) -> Slotted:
    """Decide on the slots of all Services; `demands` are those whose engines run in some.

    `left` is where replicas serve that are not ready yet in another slot.
    """
    outcomes: dict[str, Outcome] = {}
    held: set[str] = set()
    actions: list[Action] = []
    waits: list[float] = []
    spares = _spares(demands, snapshot, views)
    others = others_of(snapshot.budgets.values())
    ordered = sorted(demands.items(), key=lambda item: item[0])
    for key, demand in ordered:
        look = Look(
            pods=snapshot.slots.get(key, ()),
            groups=groups,
            views=views,
            left=left,
            policy=snapshot.slot_policy,
            spares=spares[key[0]],
            now=now,
        )
        one = place_slots(demand, look)
        outcomes |= one.outcomes
        held |= one.held
        actions += one.actions
        write, wait = guard(demand, one.hold, others.get(key[0], ()), snapshot, now)
        actions += [write] if write is not None else []
        waits += [each for each in (one.look_again_in, wait) if each is not None]
    for namespace, ready in sorted(spares.items()):
        actions += ready.kept(demand for key, demand in ordered if key[0] == namespace)
    return Slotted(
        outcomes=outcomes,
        held=frozenset(held),
        actions=(*actions, *_left_over(demands, snapshot, groups)),
        look_again_in=min(waits, default=None),
    )


def _spares(
    demands: Mapping[Key, Demand], snapshot: ClusterSnapshot, views: Mapping[str, NodeView]
) -> dict[str, Spares]:
    """Return the spares of each namespace; of a Service that can't be read nothing is known.

    One on a node from which slots go is none.
    """
    found: dict[str, list[SlotPod]] = {namespace: [] for namespace, _ in demands}
    for key in sorted(demands):
        kept = (pod for pod in snapshot.slots.get(key, ()) if pod.replica == SPARE)
        found[key[0]] += [pod for pod in kept if not is_driven(pod, demands[key], views)]
    policy = snapshot.slot_policy
    return {namespace: Spares(tuple(pods), policy) for namespace, pods in found.items()}


def _left_over(
    demands: Mapping[Key, Demand], snapshot: ClusterSnapshot, groups: Mapping[str, Group]
) -> tuple[Action, ...]:
    """Delete pods of Services whose engines run as processes now, once no engine is in them.

    Their budgets go before. A Service that is gone takes its pods along, as their owner; of one
    that can't be read nothing is known.
    """
    used = {
        seat.engine.slot.uid
        for group in groups.values()
        for seat in group
        if seat.engine.slot is not None
    }
    pods = (
        deleted(pod)
        for key, pods in sorted(snapshot.slots.items())
        if key not in demands and _is_by_process(key, snapshot)
        for pod in pods
        if pod.uid not in used and not pod.is_ending
    )
    budgets = (
        let_go(budget)
        for key, budget in sorted(snapshot.budgets.items())
        if _is_by_process((key[0], budget.service), snapshot)
    )
    return (*pods, *budgets)


def _is_by_process(key: Key, snapshot: ClusterSnapshot) -> bool:
    service = snapshot.services.get(key)
    return service is not None and not is_slotted(service, snapshot.slot_policy)


def in_ledger(seat: Seat) -> Seat:
    """Return the seat of an engine in a slot with the accelerators that the slot was given.

    Processes of the same node are not given them as well.
    """
    given = seat.report.accelerators if seat.report is not None else ()
    return dataclasses.replace(seat, engine=dataclasses.replace(seat.engine, accelerators=given))


def pod_of(seat: Seat, pods: tuple[SlotPod, ...]) -> SlotPod | None:
    """Return the pod that an engine runs in."""
    slot = seat.engine.slot
    return next((pod for pod in pods if slot is not None and pod.uid == slot.uid), None)


def as_reachable(seat: Seat, report: EngineReport, pod: SlotPod | None) -> EngineReport:
    """Return the report of an engine in a slot: one whose pod ends takes no more requests.

    The pod's end is known here before its agent has told of it, and before the first signal.
    """
    if seat.engine.slot is None or (pod is not None and pod.lives):
        return report
    return dataclasses.replace(report, phase=EnginePhase.STOPPING)
