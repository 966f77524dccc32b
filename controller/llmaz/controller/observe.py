"""The look: informers of every kind that a decision needs, read into one ClusterSnapshot."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from llmaz.api import names
from llmaz.api.backendruntime import BackendRuntime
from llmaz.api.kinds import (
    BACKEND_RUNTIME,
    CORE_SERVICE,
    ENDPOINT_SLICE,
    HORIZONTAL_POD_AUTOSCALER,
    INFERENCE_NODE,
    LEASE,
    NODE,
    OPEN_MODEL,
    PLAYGROUND,
    SERVICE,
    Kind,
)
from llmaz.api.manifest import Manifest, ManifestError, decode
from llmaz.api.meta import ObjectMeta
from llmaz.api.node import InferenceNode
from llmaz.api.openmodel import OpenModel
from llmaz.api.playground import Playground
from llmaz.api.service import Service
from llmaz.api.workload import WorkloadStatus
from llmaz.controller.seats import Seat, seats_of
from llmaz.controller.snapshot import ClusterSnapshot, Key, KubeNode, Ref, Taint, Unreadable
from llmaz.kube import Informer, Kube

logger = logging.getLogger(__name__)
T = TypeVar("T")

_OURS = f"app.kubernetes.io/managed-by={names.CONTROLLER}"


class Observer:
    """Keeps every kind up to date. `changed` is set when there is something new to decide on."""

    def __init__(self, kube: Kube, changed: asyncio.Event, *, gateway_url: str) -> None:
        self.changed = changed
        self._gateway_url = gateway_url
        self.leases_changed = asyncio.Event()
        informers = [
            Informer(kube, kind, changed=changed)
            for kind in (OPEN_MODEL, BACKEND_RUNTIME, PLAYGROUND, SERVICE, INFERENCE_NODE, NODE)
        ]
        informers += [
            Informer(kube, kind, changed=changed, label_selector=_OURS)
            for kind in (CORE_SERVICE, ENDPOINT_SLICE, HORIZONTAL_POD_AUTOSCALER)
        ]
        informers.append(
            Informer(kube, LEASE, changed=self.leases_changed, namespace=names.SYSTEM_NAMESPACE)
        )
        self._informers = {informer.kind: informer for informer in informers}
        self._read: dict[Ref, _Read] = {}
        self._seats: dict[str, tuple[InferenceNode, tuple[Seat, ...]]] = {}
        self._unknown_loads: frozenset[Key] = frozenset()

    def tasks(self) -> "list[asyncio.Task[None]]":
        """Start every informer."""
        return [
            asyncio.create_task(informer.run(), name=f"watch {kind.plural}")
            for kind, informer in self._informers.items()
        ]

    def learn(self, kind: Kind, manifest: Manifest) -> None:
        """Take in the server's answer to a write, so that the next look sees it."""
        if kind in self._informers:
            self._informers[kind].learn(manifest)

    def tell_unknown_loads(self, playgrounds: frozenset[Key]) -> None:
        """Take in which elastic Playgrounds can't be scaled: their load is not known."""
        if playgrounds != self._unknown_loads:
            self._unknown_loads = playgrounds
            self.changed.set()

    def missing(self) -> str | None:
        """Say which kinds were never listed whole; nothing is decided before they are."""
        kinds = [kind.plural for kind, one in self._informers.items() if not one.synced]
        return f"waits for the first list of {', '.join(kinds)}" if kinds else None

    def snapshot(self, refused: Mapping[Ref, str]) -> ClusterSnapshot:
        """Freeze what is known now."""
        unreadable: dict[Ref, Unreadable] = {}
        nodes = self._all(INFERENCE_NODE, InferenceNode, unreadable)
        models = self._all(OPEN_MODEL, OpenModel, unreadable)
        runtimes = self._all(BACKEND_RUNTIME, BackendRuntime, unreadable)
        kube_nodes = map(_kube_node, self._informers[NODE].objects.values())
        return ClusterSnapshot(
            models={name: model for (_, name), model in models.items()},
            runtimes={name: runtime for (_, name), runtime in runtimes.items()},
            playgrounds=self._all(PLAYGROUND, Playground, unreadable),
            services=self._all(SERVICE, Service, unreadable),
            nodes={name: node for (_, name), node in nodes.items()},
            seats=self._seats_of(nodes.values()),
            kube_nodes={node.name: node for node in kube_nodes},
            leases=self.leases(),
            leases_heard_since=self._informers[LEASE].heard_since(datetime.now(UTC)),
            manifests=self._manifests(),
            unreadable=unreadable,
            refused=refused,
            gateway_url=self._gateway_url,
            unknown_loads=self._unknown_loads,
        )

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
        untils = (
            (name, _until(lease)) for (_, name), lease in self._informers[LEASE].objects.items()
        )
        return {name: until for name, until in untils if until is not None}

    def _all(self, kind: Kind, cls: type[T], unreadable: dict[Ref, Unreadable]) -> dict[Key, T]:
        """Read the objects of a kind; what can't be read stays as it last could."""
        found: dict[Key, T] = {}
        refs = set()
        for (namespace, name), manifest in self._informers[kind].objects.items():
            ref = Ref(kind=kind, namespace=namespace, name=name)
            refs.add(ref)
            value = self._value(ref, cls, manifest, unreadable)
            if value is not None:
                found[ref.key] = value
        for ref in [ref for ref in self._read if ref.kind == kind and ref not in refs]:
            del self._read[ref]
        return found

    def _value(
        self, ref: Ref, cls: type[T], manifest: Manifest, unreadable: dict[Ref, Unreadable]
    ) -> T | None:
        version = str(cast("Manifest", manifest["metadata"])["resourceVersion"])
        read = self._read.get(ref)
        if read is None or read.version != version:
            last = read.value if read is not None else None
            self._read[ref] = read = _read(ref, cls, manifest, version, last)
        if read.problem is not None:
            unreadable[ref] = read.problem
        return cast("T | None", read.value)

    def _manifests(self) -> dict[Ref, Manifest]:
        return {
            Ref(kind=kind, namespace=namespace, name=name): manifest
            for kind in (SERVICE, CORE_SERVICE, ENDPOINT_SLICE, HORIZONTAL_POD_AUTOSCALER)
            for (namespace, name), manifest in self._informers[kind].objects.items()
        }


@dataclass(frozen=True, slots=True)
class _Read:
    """One version of an object as it was read: what it says, or what it last said and a problem."""

    version: str
    value: object
    problem: Unreadable | None = None


def _read(ref: Ref, cls: type, manifest: Manifest, version: str, last: object) -> _Read:
    try:
        return _Read(version, decode(cls, manifest))
    except ManifestError as error:
        logger.warning("%s %s can't be read: %s", ref.kind.kind, ref.name, error)
        return _Read(version, last, _unreadable(manifest, error))


def _unreadable(manifest: Manifest, error: ManifestError) -> Unreadable:
    try:
        status = decode(WorkloadStatus, manifest.get("status") or {})
    except ManifestError:  # of another kind, or broken as well: there is nothing to keep of it
        status = WorkloadStatus()
    metadata = decode(ObjectMeta, manifest["metadata"])
    return Unreadable(why=str(error), metadata=metadata, status=status)


def _kube_node(manifest: Manifest) -> KubeNode:
    meta = decode(ObjectMeta, manifest["metadata"])
    spec = cast("dict[str, Any]", manifest.get("spec") or {})
    return KubeNode(
        name=meta.name,
        labels=meta.labels,
        annotations=meta.annotations,
        unschedulable=spec.get("unschedulable") is True,
        taints=tuple(
            Taint(key=taint["key"], value=taint.get("value", ""), effect=taint["effect"])
            for taint in spec.get("taints") or ()
            if taint["effect"] in ("NoSchedule", "NoExecute")
        ),
    )


def _until(lease: Manifest) -> datetime | None:
    """Return when a Lease runs out; None where it was given up or says nothing of it."""
    spec = lease.get("spec")
    if not isinstance(spec, dict) or not spec.get("holderIdentity") or not spec.get("renewTime"):
        return None
    seconds = spec.get("leaseDurationSeconds")
    duration = timedelta(seconds=seconds if isinstance(seconds, int) else 0)
    return decode(datetime, spec["renewTime"]) + duration
