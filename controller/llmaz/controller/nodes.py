"""What each node has to give: one frozen view per node, and what is left of it while placing."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from llmaz.api import names
from llmaz.api.node import Accelerator, AssignedEngine, InferenceNode, ModelPhase
from llmaz.controller.accelerators import accelerator_labels
from llmaz.controller.demand import Needs
from llmaz.controller.snapshot import ClusterSnapshot, Taint

# From the end of a node's Lease until its replicas go elsewhere; as long as Kubernetes waits.
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

    def taint_against(self, resources: Collection[str]) -> Taint | None:
        """Return a taint that an engine which asks for these resources does not tolerate.

        What asks for an accelerator tolerates a taint of its name, which is there to keep all else
        away from it.
        """
        return next((taint for taint in self.taints if taint.key not in resources), None)

    def drives_away(self, resources: Collection[str]) -> bool:
        """Tell whether engines that ask for these resources shall go elsewhere."""
        return self.is_lost or any(
            taint.effect == "NoExecute"
            for taint in self.taints
            if taint.key not in resources and taint.key not in _OF_KUBELETS
        )


@dataclass(slots=True)
class Ledger:
    """What is taken of one node. The only mutable value in placing, and it never leaves it."""

    view: NodeView
    cpu: Decimal = Decimal(0)
    memory: int = 0
    ports: set[int] = field(default_factory=set)
    uuids: set[str] = field(default_factory=set)
    sick: set[str] = field(default_factory=set)
    _free: dict[str, list[str]] = field(default_factory=dict)
    _memory: dict[str, int] = field(default_factory=dict)  # of devices that tell it

    def __post_init__(self) -> None:
        devices = self.view.accelerators or ()
        for device in sorted(devices, key=lambda device: (device.index, device.uuid)):
            if device.memory_bytes is not None:
                self._memory[device.uuid] = device.memory_bytes
            if device.healthy:
                self._free.setdefault(device.resource, []).append(device.uuid)
            else:
                self.sick.add(device.uuid)

    def take(self, needs: Needs, uuids: tuple[str, ...]) -> None:
        self.cpu += needs.cpu
        self.memory += needs.memory
        self.uuids.update(uuids)
        if uuids:
            self._free = {
                resource: [uuid for uuid in free if uuid not in uuids]
                for resource, free in self._free.items()
            }
        if needs.port is not None:
            self.ports.add(needs.port)

    def free(self, resource: str) -> Sequence[str]:
        """Return the healthy accelerators of a resource that nobody owns, by index."""
        return self._free.get(resource, ())

    def fitting(self, resource: str, needs: Needs) -> Sequence[str]:
        """Return those of the free accelerators that have the memory which is needed of each."""
        free, least = self.free(resource), needs.device_memory
        if not least:
            return free
        return [uuid for uuid in free if self._memory.get(uuid, least) >= least]

    def _unwell(self, resource: str) -> str:
        """Say what is wrong with the first device that could be meant and is not well."""
        devices = self.view.accelerators or ()
        sick = [device for device in devices if device.resource == resource and not device.healthy]
        return f" ({len(sick)} not well: {sick[0].message})" if sick else ""

    def shortage(self, needs: Needs) -> str | None:
        """Say what the node lacks for one more engine, or None when it fits."""
        if (taint := self.view.taint_against(needs.devices)) is not None:
            return f"is tainted {taint}"
        for resource, count in needs.devices.items():
            if self.view.accelerators is None:
                return "has not reported its accelerators"
            if len(free := self.free(resource)) < count:
                return f"has {len(free)} of {count} {resource}{self._unwell(resource)}"
            if len(large := self.fitting(resource, needs)) < count:
                least = _gib(needs.device_memory)
                return f"has {len(large)} of {count} {resource} with {least} GiB memory"
        if self.view.cpu is None or self.view.memory is None:
            return "has not reported its cpu and memory"
        if needs.cpu and self.view.cpu - self.cpu < needs.cpu:
            return f"has {_cores(self.view.cpu - self.cpu)} of {_cores(needs.cpu)} cpu"
        if needs.memory and self.view.memory - self.memory < needs.memory:
            left = max(0, self.view.memory - self.memory)
            return f"has {_gib(left)} of {_gib(needs.memory)} GiB memory"
        if needs.port is not None and needs.port in self.ports:
            return f"has an engine on port {needs.port}"
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
        port=engine.port,
    )


def _view(node: InferenceNode, snapshot: ClusterSnapshot, now: datetime) -> NodeView:
    name = node.metadata.name
    kube_node = snapshot.kube_nodes.get(name)
    own = kube_node.labels if kube_node else {names.HOSTNAME: name}
    by_accelerators = accelerator_labels(node.status.accelerators or (), node.status.machine)
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
        closed=_closed(node, snapshot, now),
        is_lost=_is_lost(name, snapshot, now),
        taints=kube_node.taints if kube_node else (),
        address=node.status.address,
    )


def _is_lost(name: str, snapshot: ClusterSnapshot, now: datetime) -> bool:
    """Tell whether a node was silent for all of the grace, and somebody listened all the while.

    After an outage of the API server every Lease has run out, and every node lives.
    """
    since = snapshot.leases_heard_since
    if since is None:
        return False
    return now >= max(snapshot.leases.get(name, since), since) + LOST_AFTER


def _closed(node: InferenceNode, snapshot: ClusterSnapshot, now: datetime) -> str | None:
    name = node.metadata.name
    if node.metadata.deletion_timestamp is not None:
        return "is being removed"
    if not snapshot.is_fresh(name, now):
        return "has no living agent"
    kube_node = snapshot.kube_nodes.get(name)
    if kube_node is not None and kube_node.unschedulable:
        return "is cordoned"
    return None


def _cores(amount: Decimal) -> str:
    return f"{max(amount, Decimal(0)):.3f}".rstrip("0").rstrip(".")


def _gib(amount: int) -> str:
    return f"{amount / 2**30:.1f}"
