"""What objects say, worked out once for each version of one.

An object whose new version can't be read stays as it last could be, and its problem is told.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar, cast

from llmaz.api.kinds import Kind
from llmaz.api.manifest import Manifest, ManifestError, decode
from llmaz.api.meta import ObjectMeta
from llmaz.api.workload import WorkloadStatus
from llmaz.controller.snapshot import Key, KubeNode, PriorityClass, Ref, Taint, Unreadable

logger = logging.getLogger(__name__)
T = TypeVar("T")


class Decode(Protocol):
    """Reads a manifest as a type: `llmaz.api.manifest.decode`, or one that remembers."""

    def __call__(self, cls: type[T], value: object, /) -> T: ...


@dataclass(frozen=True, slots=True)
class _Read:
    """One version of an object as it was read: what it says, or what it last said and a problem."""

    version: str
    value: object
    problem: Unreadable | None = None


class Readings:
    """The objects of all kinds as they were last read."""

    def __init__(self) -> None:
        self._read: dict[Kind, dict[Key, _Read]] = {}

    def all(
        self,
        kind: Kind,
        read: Callable[[Manifest], T],
        manifests: Mapping[Key, Manifest],
        unreadable: dict[Ref, Unreadable],
    ) -> dict[Key, T]:
        """Read the objects of a kind, and add those that can't be read to `unreadable`."""
        known = self._read.get(kind, {})
        now = {key: _again(kind, read, known.get(key), item) for key, item in manifests.items()}
        self._read[kind] = now
        for (namespace, name), one in now.items():
            if one.problem is not None:
                unreadable[Ref(kind=kind, namespace=namespace, name=name)] = one.problem
        return {key: cast("T", one.value) for key, one in now.items() if one.value is not None}


def _again(
    kind: Kind, read: Callable[[Manifest], T], last: _Read | None, manifest: Manifest
) -> _Read:
    version = str(cast("Manifest", manifest["metadata"])["resourceVersion"])
    if last is not None and last.version == version:
        return last
    try:
        return _Read(version, read(manifest))
    except ManifestError as error:
        problem = _unreadable(manifest, error)
        logger.warning("%s %s can't be read: %s", kind.kind, problem.metadata.name, error)
        return _Read(version, last.value if last is not None else None, problem)


def _unreadable(manifest: Manifest, error: ManifestError) -> Unreadable:
    try:
        status = decode(WorkloadStatus, manifest.get("status") or {})
    except ManifestError:  # of another kind, or broken as well: there is nothing to keep of it
        status = WorkloadStatus()
    metadata = decode(ObjectMeta, manifest["metadata"])
    return Unreadable(why=str(error), metadata=metadata, status=status)


def kube_node(manifest: Manifest) -> KubeNode:
    """Read the part of a core Node that decides what may run there."""
    meta = decode(ObjectMeta, manifest["metadata"])
    spec = cast("dict[str, Any]", manifest.get("spec") or {})
    status = cast("dict[str, Any]", manifest.get("status") or {})
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
        conditions=frozenset(
            one["type"] for one in status.get("conditions") or () if one.get("status") == "True"
        ),
    )


def priority_class(manifest: Manifest) -> PriorityClass:
    """Read the part of a PriorityClass that counts."""
    return PriorityClass(
        name=decode(ObjectMeta, manifest["metadata"]).name,
        value=decode(int, manifest.get("value") or 0),
        displaces=manifest.get("preemptionPolicy") != "Never",
        is_default=manifest.get("globalDefault") is True,
    )


def fresh_until(lease: Manifest) -> datetime | None:
    """Return when a Lease runs out; None where it was given up or says nothing of it."""
    spec = lease.get("spec")
    if not isinstance(spec, dict) or not spec.get("holderIdentity") or not spec.get("renewTime"):
        return None
    seconds = spec.get("leaseDurationSeconds")
    duration = timedelta(seconds=seconds if isinstance(seconds, int) else 0)
    return decode(datetime, spec["renewTime"]) + duration
