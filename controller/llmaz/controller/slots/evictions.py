"""Which evictions the PodDisruptionBudget of a Service refuses: all that others make needless.

A slot on a node that is drained or cordoned is followed by one elsewhere, and deleted when that one
serves; deletions heed no budget. So evictions only have to wait, and `kubectl drain` does. They are
let through when the follower has found no place for long: a drain is held up, but not for ever.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from llmaz.api import names
from llmaz.api.kinds import POD_DISRUPTION_BUDGET, SERVICE
from llmaz.api.manifest import Json, Manifest
from llmaz.api.meta import ObjectMeta
from llmaz.api.node import EnginePhase
from llmaz.api.service import Service
from llmaz.controller.actions import ApplyOwned, DeleteOwned
from llmaz.controller.demand import Demand
from llmaz.controller.owned import ensure, reference
from llmaz.controller.rollout import most_unavailable
from llmaz.controller.slots.budget import HELD_SINCE, LET_THROUGH, Budget
from llmaz.controller.slots.look import Group, Hold, Look, slots_of
from llmaz.controller.slots.pod import REPLICA, SPARE
from llmaz.controller.slots.unit import Unit
from llmaz.controller.snapshot import ClusterSnapshot, Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a budget says: how many pods have to stay, and since when a drain is held up."""

    least: int
    held_since: datetime | None = None
    lets_through: bool = False


def hold_of(
    demand: Demand, units: Mapping[str, Unit], followed: Collection[str], look: Look
) -> Hold | None:
    """Return what there is to keep evictions from; None of groups, which nothing follows."""
    if not demand.replicas or any(option.worker is not None for option in demand.options):
        return None
    own = [pod for pod in look.pods if pod.lives and pod.replica != SPARE]
    return Hold(
        pods=len(own),
        serving=len(look.serving(demand.ids)),
        astray=sum(bool(pod.node) and pod.node not in look.views for pod in own),
        is_stuck=any(
            not _comes(units[id_], look.groups.get(id_, ()), look) for id_ in sorted(followed)
        ),
    )


def terms(demand: Demand, hold: Hold, seen: Budget | None, now: datetime, seconds: int) -> Terms:
    """Return what a budget is to say.

    There are never more pods ready than there are pods, so that none may go. Once evictions are let
    through, as many may as an update would take down, at least one, of those that still serve.
    """
    if hold.is_stuck:
        since = seen.held_since if seen is not None and seen.held_since is not None else now
        if (now - since).total_seconds() >= seconds:
            least = max(0, hold.serving - max(1, most_unavailable(demand.service)))
            return Terms(least=least, held_since=since, lets_through=True)
    else:
        since = None
    return Terms(least=max(demand.replicas, hold.pods) - hold.astray, held_since=since)


def others_of(budgets: Iterable[Budget]) -> dict[str, list[Budget]]:
    """Return the budgets that are not ours, by namespace."""
    found: dict[str, list[Budget]] = {}
    for budget in budgets:
        if not budget.service:
            found.setdefault(budget.namespace, []).append(budget)
    return found


def guard(
    demand: Demand,
    hold: Hold | None,
    others: Sequence[Budget],
    snapshot: ClusterSnapshot,
    now: datetime,
) -> tuple[ApplyOwned | DeleteOwned | None, float | None]:
    """Return the write that makes a Service's budget what it shall be, and when to look again.

    A pod of two budgets is evicted by nobody: one of the `others` in the namespace comes first.
    """
    meta, policy = demand.service.metadata, snapshot.slot_policy
    ref = _ref(meta)
    seen = snapshot.budgets.get(ref.key)
    if seen is not None and seen.service != meta.name:
        seen = None
    pods = snapshot.slots.get((ref.namespace, meta.name), ())
    is_taken = any(budget.selects(pod.labels) for budget in others for pod in pods)
    if hold is None or is_taken or not policy.disruption_budget:
        return (let_go(seen) if seen is not None else None), None
    told = terms(demand, hold, seen, now, policy.drain_seconds)
    memo = snapshot.memo
    known = memo.as_before((ref, Terms), told)
    write = memo.recall(_write, demand.service, known, snapshot.manifests.get(ref))
    if told.held_since is None or told.lets_through:
        return write, None
    return write, policy.drain_seconds - (now - told.held_since).total_seconds()


def let_go(budget: Budget) -> DeleteOwned:
    ref = Ref(kind=POD_DISRUPTION_BUDGET, namespace=budget.namespace, name=budget.name)
    return DeleteOwned(ref=ref, uid=budget.uid)


def _comes(unit: Unit, group: Group, look: Look) -> bool:
    """Tell whether the slot that is to take over is on its way: on a node, and not failing."""
    pods = unit.current.values()
    if not unit.is_bound or any(pod.waiting or pod.node not in look.views for pod in pods):
        return False
    uids = {pod.uid for pod in pods}
    reports = (seat.report for seat in group if slots_of((seat,)) <= uids)
    return not any(
        report.phase is EnginePhase.FAILED or (report.restarts and not report.ready_at)
        for report in reports
        if report is not None
    )


def _ref(meta: ObjectMeta) -> Ref:
    namespace = meta.namespace or ""
    return Ref(kind=POD_DISRUPTION_BUDGET, namespace=namespace, name=f"{meta.name}-slots")


def _write(service: Service, told: Terms, seen: "Manifest | None") -> ApplyOwned | None:
    meta = service.metadata
    ref = _ref(meta)
    notes: dict[str, Json] = {}
    if told.held_since is not None:
        notes[HELD_SINCE] = told.held_since.strftime("%Y-%m-%dT%H:%M:%SZ")
    if told.lets_through:
        notes[LET_THROUGH] = "true"
    metadata: Manifest = {
        "name": ref.name,
        "namespace": ref.namespace,
        "labels": {
            "app.kubernetes.io/managed-by": names.CONTROLLER,
            names.SERVICE_NAME: meta.name,
        },
        "annotations": notes,
        "ownerReferences": [reference(SERVICE, meta)],
    }
    spare: Manifest = {"key": REPLICA, "operator": "NotIn", "values": [SPARE]}
    spec: Manifest = {
        "minAvailable": told.least,
        "selector": {
            "matchLabels": {names.SERVICE_NAME: meta.name},
            "matchExpressions": [spare],
        },
        # What is not ready serves nobody, and may always go.
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
    return ensure(ref, {"metadata": metadata, "spec": spec}, seen)
