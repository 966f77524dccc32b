"""The look: informers of every kind that a decision needs, read into one ClusterSnapshot."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from llmaz.api import manifest, names
from llmaz.api.backendruntime import BackendRuntime
from llmaz.api.kinds import (
    BACKEND_RUNTIME,
    CONTROLLER_REVISION,
    CORE_SERVICE,
    ENDPOINT_SLICE,
    HORIZONTAL_POD_AUTOSCALER,
    INFERENCE_NODE,
    LEASE,
    NODE,
    NODE_FEATURE,
    OPEN_MODEL,
    PLAYGROUND,
    POD,
    POD_DISRUPTION_BUDGET,
    PRIORITY_CLASS,
    SERVICE,
    TENANT,
    Kind,
)
from llmaz.api.manifest import Manifest
from llmaz.api.node import InferenceNode
from llmaz.api.openmodel import OpenModel
from llmaz.api.playground import Playground
from llmaz.api.service import Service
from llmaz.api.tenant import Tenant
from llmaz.controller.memo import Memo
from llmaz.controller.readings import Decode, Readings, fresh_until, kube_node, priority_class
from llmaz.controller.seats import Seat, seats_of
from llmaz.controller.slots.budget import read_budget
from llmaz.controller.slots.pod import SlotPod, read_pod
from llmaz.controller.slots.policy import SlotPolicy
from llmaz.controller.snapshot import ClusterSnapshot, Denial, Key, Ref, Unreadable
from llmaz.kube import Informer, Kube

T = TypeVar("T")

# What the controller makes for Services and Playgrounds.
_MADE = (CORE_SERVICE, ENDPOINT_SLICE, HORIZONTAL_POD_AUTOSCALER, CONTROLLER_REVISION)
_OURS = f"app.kubernetes.io/managed-by={names.CONTROLLER}"


_WATCHED = (
    OPEN_MODEL,
    BACKEND_RUNTIME,
    PLAYGROUND,
    SERVICE,
    TENANT,
    INFERENCE_NODE,
    NODE,
    PRIORITY_CLASS,
    POD_DISRUPTION_BUDGET,
)


class Observer:
    """Keeps every kind up to date. `changed` is set when there is something new to decide on."""

    def __init__(
        self,
        kube: Kube,
        changed: asyncio.Event,
        *,
        gateway_url: str,
        slot_policy: SlotPolicy | None = None,
        node_features: bool = False,
        progress_ends: bool = False,
        decode: Decode = manifest.decode,
    ) -> None:
        self.changed = changed
        self._gateway_url = gateway_url
        self._progress_ends = progress_ends
        self._slot_policy = slot_policy or SlotPolicy()
        self.leases_changed = asyncio.Event()
        informers = [Informer(kube, kind, changed=changed) for kind in _WATCHED]
        self._node_features = node_features
        informers += [
            Informer(kube, kind, changed=changed, label_selector=_OURS) for kind in (*_MADE, POD)
        ]
        if node_features:
            there = names.SYSTEM_NAMESPACE
            informers.append(
                Informer(kube, NODE_FEATURE, changed=changed, namespace=there, label_selector=_OURS)
            )
        informers.append(
            Informer(kube, LEASE, changed=self.leases_changed, namespace=names.SYSTEM_NAMESPACE)
        )
        self._informers = {informer.kind: informer for informer in informers}
        self._decode = decode
        self._readings = Readings()
        self._seats: dict[str, tuple[InferenceNode, tuple[Seat, ...]]] = {}
        self._memo = Memo()
        self._unknown_loads: frozenset[Key] = frozenset()

    def tasks(self) -> "list[asyncio.Task[None]]":
        """Start every informer."""
        return [
            asyncio.create_task(informer.run(), name=f"watch {kind.plural}")
            for kind, informer in self._informers.items()
        ]

    def list_anew(self) -> None:
        """Believe what is known no more until it was listed from now on."""
        for informer in self._informers.values():
            informer.list_anew()

    def learn(self, kind: Kind, answer: Manifest) -> bool:
        """Take in an answer of the server, so that the next look sees it; tell if it is news."""
        return kind in self._informers and self._informers[kind].learn(answer)

    def tell_unknown_loads(self, playgrounds: frozenset[Key]) -> None:
        """Take in which elastic Playgrounds can't be scaled: their load is not known."""
        if playgrounds != self._unknown_loads:
            self._unknown_loads = playgrounds
            self.changed.set()

    def missing(self) -> str | None:
        """Say which kinds are not listed whole; nothing is decided before they are.

        NodeFeatures are not waited for: a cluster without discovery serves all the same.
        """
        kinds = [
            kind.plural
            for kind, one in self._informers.items()
            if not one.synced and kind != NODE_FEATURE
        ]
        return f"waits for a list of {', '.join(kinds)}" if kinds else None

    def snapshot(self, refused: Mapping[Ref, Denial]) -> ClusterSnapshot:
        """Freeze what is known now."""
        unreadable: dict[Ref, Unreadable] = {}
        nodes = self._all(INFERENCE_NODE, InferenceNode, unreadable)
        models = self._all(OPEN_MODEL, OpenModel, unreadable)
        runtimes = self._all(BACKEND_RUNTIME, BackendRuntime, unreadable)
        nodes_of_kube = self._informers[NODE].objects
        kube_nodes = self._readings.all(NODE, kube_node, nodes_of_kube, unreadable)
        classes = self._informers[PRIORITY_CLASS].objects
        priorities = self._readings.all(PRIORITY_CLASS, priority_class, classes, unreadable)
        budgets = self._informers[POD_DISRUPTION_BUDGET].objects
        limits = self._readings.all(POD_DISRUPTION_BUDGET, read_budget, budgets, {})
        tenants = self._all(TENANT, Tenant, unreadable)
        return ClusterSnapshot(
            models={name: model for (_, name), model in models.items()},
            runtimes={name: runtime for (_, name), runtime in runtimes.items()},
            playgrounds=self._all(PLAYGROUND, Playground, unreadable),
            services=self._all(SERVICE, Service, unreadable),
            nodes={name: node for (_, name), node in nodes.items()},
            seats=self._seats_of(nodes.values()),
            kube_nodes={name: node for (_, name), node in kube_nodes.items()},
            priorities={name: one for (_, name), one in priorities.items()},
            tenants={name: one for (_, name), one in tenants.items()},
            leases=self.leases(),
            leases_heard_since=self._informers[LEASE].heard_since(datetime.now(UTC)),
            manifests=self._manifests(),
            slots=self._slots(),
            budgets={key: one for key, one in limits.items() if one is not None},
            slot_policy=self._slot_policy,
            unreadable=unreadable,
            refused=refused,
            node_features=self._node_features,
            gateway_url=self._gateway_url,
            unknown_loads=self._unknown_loads,
            progress_ends=self._progress_ends,
            memo=self._memo,
        )

    def _slots(self) -> dict[Key, tuple[SlotPod, ...]]:
        """Return the pods of slots by the Services that they were made for."""
        pods = self._readings.all(POD, read_pod, self._informers[POD].objects, {})
        found: dict[Key, list[SlotPod]] = {}
        for pod in pods.values():
            if pod is not None:
                found.setdefault(pod.owner, []).append(pod)
        return {key: tuple(sorted(of, key=lambda pod: pod.name)) for key, of in found.items()}

    def _seats_of(self, nodes: Iterable[InferenceNode]) -> dict[str, tuple[Seat, ...]]:
        """Return what each node runs, anew only for those that were read anew."""
        known, self._seats = self._seats, {}
        for node in nodes:
            name = node.metadata.name
            old, seats = known.get(name, (None, ()))
            self._seats[name] = (node, seats if old is node else seats_of(node))
        return {name: seats for name, (_, seats) in self._seats.items()}

    def leases(self) -> dict[str, datetime]:
        """Return until when each node's agent counts as alive."""
        objects = self._informers[LEASE].objects
        untils = self._readings.all(LEASE, fresh_until, objects, {})
        return {name: until for (_, name), until in untils.items() if until is not None}

    def _all(self, kind: Kind, cls: type[T], unreadable: dict[Ref, Unreadable]) -> dict[Key, T]:
        """Read the objects of a kind; what can't be read stays as it last could."""
        objects = self._informers[kind].objects
        return self._readings.all(kind, partial(self._decode, cls), objects, unreadable)

    def _manifests(self) -> dict[Ref, Manifest]:
        return {
            Ref(kind=kind, namespace=namespace, name=name): manifest
            for kind in (SERVICE, *_MADE, NODE_FEATURE, POD_DISRUPTION_BUDGET)
            if kind in self._informers
            for (namespace, name), manifest in self._informers[kind].objects.items()
        }
