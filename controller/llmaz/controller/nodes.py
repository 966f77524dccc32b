"""What each node has to give: one frozen view per node."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from llmaz.api import names
from llmaz.api.node import Accelerator, AssignedEngine, InferenceNode, ModelPhase
from llmaz.api.placement import CapacityType, Toleration
from llmaz.controller.accelerators import accelerator_labels
from llmaz.controller.demand import Needs
from llmaz.controller.leaving import Leaving, capacity_type, leaving, tolerates
from llmaz.controller.shared import NOT_SHARED, Sharing, sharing
from llmaz.controller.slots.policy import SlotPolicy
from llmaz.controller.snapshot import ClusterSnapshot, Taint

# From the end of a node's Lease until its replicas go elsewhere, where nobody says otherwise; as
# long as Kubernetes waits.
LOST_AFTER = timedelta(minutes=5)
# Taints that tell of a kubelet's silence. Engines are no business of a kubelet's: Leases decide.
_OF_KUBELETS = frozenset({"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """One node as placement sees it."""

    name: str
    labels: Mapping[str, str]
    accelerator_labels: Mapping[str, str]
    accelerators: tuple[Accelerator, ...] | None
    cpu: Decimal | None  # None: not known yet
    memory: int | None
    models: frozenset[str]  # whose weights are there, or on their way
    closed: str | None  # why nothing new may come, in words
    is_lost: bool  # silent for so long that its replicas shall go elsewhere
    taints: tuple[Taint, ...] = ()
    address: str = ""  # an IP that other nodes reach, once it is known
    leaving: Leaving | None = None
    capacity_type: CapacityType = "on-demand"
    sharing: Sharing = NOT_SHARED
    is_cordoned: bool = False  # pods are about to be evicted, as `kubectl drain` does next
    is_labelled: bool = True  # whether its Node was seen, which has most of its labels

    def may_have(self, selector: Iterable[tuple[str, str]]) -> bool:
        """Tell whether a node has these labels, as far as is known."""
        return not self.is_labelled or all(self.labels.get(key) == value for key, value in selector)

    def taint_against(
        self, resources: Collection[str], tolerations: Sequence[Toleration] = ()
    ) -> Taint | None:
        """Return a taint that an engine which asks for these resources does not tolerate.

        What asks for an accelerator tolerates a taint of its name, which is there to keep all else
        away from it.
        """
        kept_off = (taint for taint in self.taints if taint.key not in resources)
        return next((taint for taint in kept_off if not tolerates(tolerations, taint)), None)

    def drives_away(
        self, resources: Collection[str], tolerations: Sequence[Toleration] = ()
    ) -> bool:
        """Tell whether engines that ask for these resources shall go elsewhere."""
        return self.why_left(resources, tolerations) is not None

    def why_left(
        self, resources: Collection[str], tolerations: Sequence[Toleration] = ()
    ) -> str | None:
        """Say why engines that ask for these resources shall go elsewhere; None: they may stay."""
        if self.leaving is not None:
            return self.leaving.words
        if self.is_lost:
            return "has had no living agent for long"
        for taint in self.taints:
            is_ours = taint.key not in resources and taint.key not in _OF_KUBELETS
            if taint.effect == "NoExecute" and is_ours and not tolerates(tolerations, taint):
                return f"is tainted {taint}"
        return None


def node_views(snapshot: ClusterSnapshot, now: datetime) -> dict[str, NodeView]:
    """Return a view of every InferenceNode, by name."""
    return {name: _view(snapshot.nodes[name], snapshot, now) for name in sorted(snapshot.nodes)}


def needs_of(engine: AssignedEngine) -> Needs:
    """Return what an assigned engine takes of its node besides the accelerators that it names."""
    asked = {**engine.resources.limits, **engine.resources.requests}
    return Needs(
        cpu=asked["cpu"].value if "cpu" in asked else Decimal(0),
        memory=int(asked["memory"]) if "memory" in asked else 0,
        port=engine.port if engine.slot is None else None,  # a slot has ports of its own
    )


def _view(node: InferenceNode, snapshot: ClusterSnapshot, now: datetime) -> NodeView:
    name = node.metadata.name
    kube_node = snapshot.kube_nodes.get(name)
    own = kube_node.labels if kube_node else {names.HOSTNAME: name}
    has, machine = node.status.accelerators or (), node.status.machine
    shared = sharing(node, own, snapshot.memo)
    by_accelerators = snapshot.memo.recall(accelerator_labels, has, machine, shared.told)
    capacity = node.status.capacity
    return NodeView(
        name=name,
        labels={**by_accelerators, **own},
        accelerator_labels=by_accelerators,
        accelerators=node.status.accelerators,
        cpu=capacity["cpu"].value if "cpu" in capacity else None,
        memory=int(capacity["memory"]) if "memory" in capacity else None,
        models=frozenset(
            report.name
            for report in node.status.models or ()
            if report.phase in (ModelPhase.READY, ModelPhase.FETCHING)
        ),
        closed=_closed(node, snapshot, now) or shared.wrong or None,
        is_lost=_is_lost(name, snapshot, now),
        taints=kube_node.taints if kube_node else (),
        address=node.status.address,
        leaving=leaving(kube_node),
        capacity_type=capacity_type(own),
        sharing=shared,
        is_cordoned=kube_node is not None and kube_node.unschedulable,
        is_labelled=kube_node is not None,
    )


def lost_after(policy: SlotPolicy) -> timedelta:
    """Return for how long a silent node keeps its replicas, in slots and as processes alike."""
    told = policy.lost_seconds
    return LOST_AFTER if told is None else timedelta(seconds=told)


def _is_lost(name: str, snapshot: ClusterSnapshot, now: datetime) -> bool:
    """Tell whether a node was silent for all of the grace, and somebody listened all the while.

    After an outage of the API server every Lease has run out, and every node lives.
    """
    since = snapshot.leases_heard_since
    if since is None:
        return False
    heard = max(snapshot.leases.get(name, since), since)
    return now >= heard + lost_after(snapshot.slot_policy)


def _closed(node: InferenceNode, snapshot: ClusterSnapshot, now: datetime) -> str | None:
    name = node.metadata.name
    if node.metadata.deletion_timestamp is not None:
        return "is being removed"
    if not snapshot.is_fresh(name, now):
        return "has no living agent"
    kube_node = snapshot.kube_nodes.get(name)
    announced = leaving(kube_node)
    if announced is not None:
        return announced.words
    if kube_node is not None and kube_node.unschedulable:
        return "is cordoned"
    return None
