"""An API server without a network: objects, their versions, what watches would tell of them.

Every write is an event in `log`, from which each controller reads as far as its watches have come.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, TypeVar, cast

from llmaz.api import names
from llmaz.api.kinds import INFERENCE_NODE, LEASE, Kind
from llmaz.api.manifest import Manifest
from llmaz.api.node import InferenceNode
from llmaz.controller.memo import Memo
from llmaz.controller.owned import labels_of
from llmaz.controller.slots.policy import SlotPolicy
from llmaz.controller.snapshot import Ref
from llmaz.kube import Conflict, Invalid, Listing, NotFound, Unavailable, WatchEvent
from support.simulator.decoding import Decoder
from support.simulator.merging import Merge, quickly

T = TypeVar("T")

Fault = Literal["lost", "unanswered", "conflict", "refused"]


class Server:
    """The objects of a cluster, and every change of them in order."""

    def __init__(self, now: datetime, merge: Merge = quickly) -> None:
        self.now = now
        self.decode = Decoder()
        self.memo = Memo()  # of all its controllers: what follows from a value follows for each
        self.slot_policy = SlotPolicy()  # what its controllers are told
        self._merge = merge
        self._applied: dict[tuple[Ref, str], Manifest] = {}
        self.objects: dict[Ref, Manifest] = {}
        self.log: list[tuple[Ref, WatchEvent]] = []
        self.fault: Callable[[], Fault | None] = lambda: None
        self.assigned: Callable[[InferenceNode, InferenceNode], None] = lambda _old, _new: None
        self._uids = 0

    @property
    def version(self) -> int:
        return len(self.log)

    def all(self, kind: Kind, cls: type[T]) -> Iterator[T]:
        """Read all objects of a kind."""
        return (self.read(ref, cls) for ref in list(self.objects) if ref.kind == kind)

    def read(self, ref: Ref, cls: type[T]) -> T:
        """Read an object, each version of it once."""
        return self.decode(cls, self.objects[ref])

    def put(self, ref: Ref, manifest: Mapping[str, Any]) -> Manifest:
        """Create an object, or set the top-level fields given."""
        old = self.objects.get(ref)
        meta = dict(cast("Manifest", old["metadata"])) if old else self._born(ref)
        meta |= manifest.get("metadata") or {}
        base = old or {"apiVersion": ref.kind.api_version, "kind": ref.kind.kind}
        return self._write(ref, {**base, **manifest, "metadata": meta})

    def remove(self, ref: Ref) -> None:
        """Delete an object and, as the garbage collector does, all that it owns."""
        gone = self.objects.pop(ref, None)
        if gone is None:
            return
        meta = {**cast("Manifest", gone["metadata"]), "resourceVersion": str(self.version + 1)}
        self.log.append((ref, WatchEvent("DELETED", {**gone, "metadata": meta})))
        for subresource in ("", "status"):
            self._applied.pop((ref, subresource), None)
        for other, manifest in list(self.objects.items()):
            owners = cast("Any", manifest["metadata"]).get("ownerReferences") or ()
            if any(owner["uid"] == meta["uid"] for owner in owners):
                self.remove(other)

    def collect(self) -> None:
        """Delete what has an owner that is gone, such as what a late controller made."""
        uids = {cast("Any", manifest["metadata"])["uid"] for manifest in self.objects.values()}
        for ref, manifest in list(self.objects.items()):
            owners = cast("Any", manifest["metadata"]).get("ownerReferences") or ()
            if any(owner["uid"] not in uids for owner in owners):
                self.remove(ref)

    def apply(self, ref: Ref, config: Manifest, *, subresource: str) -> Manifest:
        live = self.objects.get(ref)
        given = cast("Any", config["metadata"])
        if live is None and (subresource or given.get("uid")):
            raise NotFound(f"{ref.kind.kind} {ref.name} does not exist")
        for field in ("uid", "resourceVersion") if live is not None else ():
            if (
                given.get(field, cast("Any", live)["metadata"][field])
                != cast("Any", live)["metadata"][field]
            ):
                raise Conflict(f"{ref.kind.kind} {ref.name}: the {field} is another")
        body = {"apiVersion": ref.kind.api_version, "kind": ref.kind.kind, **config}
        last = self._applied.get((ref, subresource), {})
        self._applied[ref, subresource] = body
        merged = self._merge(live, last, body, subresource=subresource, now=self.now)
        if live is None:
            merged["metadata"] |= self._born(ref)
        elif _same(merged, live):
            return live
        return self._write(ref, merged)

    def _born(self, ref: Ref) -> dict[str, Any]:
        self._uids += 1
        born: dict[str, Any] = {"name": ref.name, "uid": f"uid-{self._uids}", "generation": 0}
        return born | ({"namespace": ref.namespace} if ref.namespace else {})

    def _write(self, ref: Ref, new: Mapping[str, Any]) -> Manifest:
        old = cast("Any", self.objects.get(ref))
        is_other = old is None or old.get("spec") != new.get("spec")
        meta = dict(new["metadata"])
        meta["generation"] = meta.get("generation", 0) + (1 if is_other else 0)
        meta["resourceVersion"] = str(self.version + 1)
        written = cast("Manifest", {**new, "metadata": meta})
        is_assignment = old is not None and is_other and ref.kind == INFERENCE_NODE
        before = self.read(ref, InferenceNode) if is_assignment else None
        self.objects[ref] = written
        self.log.append((ref, WatchEvent("MODIFIED" if old else "ADDED", written)))
        if before is not None:
            self.assigned(before, self.read(ref, InferenceNode))
        return written


def _same(new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    return _unmanaged(new) == _unmanaged(old)


def _unmanaged(manifest: Mapping[str, Any]) -> dict[str, Any]:
    meta = {key: v for key, v in manifest["metadata"].items() if key != "managedFields"}
    return {**manifest, "metadata": meta}


class Client:
    """The calls of `llmaz.kube.Kube` that the controller acts with, each of which may fail."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def get(self, kind: Kind, name: str, namespace: str | None = None) -> Manifest:
        self._may_fail()
        ref = Ref(kind=kind, namespace=namespace or "", name=name)
        found = self._server.objects.get(ref)
        if found is None:
            raise NotFound(f"{kind.kind} {name} does not exist")
        return found

    async def list(self, kind: Kind, namespace: str, *, label_selector: str) -> Listing:
        self._may_fail()
        wanted = dict(part.split("=") for part in label_selector.split(","))
        found = (
            manifest
            for ref, manifest in self._server.objects.items()
            if (ref.kind, ref.namespace) == (kind, namespace)
        )
        items = tuple(one for one in found if wanted.items() <= labels_of(one).items())
        return Listing(items, str(self._server.version))

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest:
        fault = self._may_fail()
        answer = self._server.put(_ref(kind, manifest), manifest)
        return _answered(answer, fault)

    async def apply(
        self, kind: Kind, manifest: Manifest, *, manager: str, subresource: str = ""
    ) -> Manifest:
        assert manager == names.CONTROLLER
        fault = self._may_fail()
        answer = self._server.apply(_ref(kind, manifest), manifest, subresource=subresource)
        return _answered(answer, fault)

    async def patch(
        self, kind: Kind, name: str, patch: Manifest, namespace: str | None = None
    ) -> Manifest:
        fault = self._may_fail()
        ref = Ref(kind=kind, namespace=namespace or "", name=name)
        old = cast("Any", self._server.objects.get(ref))
        if old is None:
            raise NotFound(f"{kind.kind} {name} does not exist")
        new = json.loads(json.dumps(patch))
        meta = new.pop("metadata", {})
        for part in ("labels", "annotations"):
            both = {**(old["metadata"].get(part) or {}), **(meta.pop(part, None) or {})}
            meta[part] = {key: value for key, value in both.items() if value is not None}
        if "spec" in new:
            both = {**old["spec"], **new["spec"]}
            new["spec"] = {key: value for key, value in both.items() if value is not None}
        return _answered(self._server.put(ref, {**new, "metadata": meta}), fault)

    async def delete(
        self, kind: Kind, name: str, namespace: str | None = None, *, uid: str | None = None
    ) -> None:
        fault = self._may_fail()
        ref = Ref(kind=kind, namespace=namespace or "", name=name)
        found = cast("Any", self._server.objects.get(ref))
        if found is None:
            raise NotFound(f"{kind.kind} {name} does not exist")
        if uid is not None and found["metadata"]["uid"] != uid:
            raise Conflict(f"{kind.kind} {name} is another")
        self._server.remove(ref)
        _answered({}, fault)

    def _may_fail(self) -> Fault | None:
        fault = self._server.fault()
        if fault == "lost":
            raise Unavailable("the request did not get there")
        if fault == "conflict":
            raise Conflict("somebody else was faster")
        if fault == "refused":
            raise Invalid("a policy is against it")
        return fault


def _answered(answer: Manifest, fault: Fault | None) -> Manifest:
    if fault == "unanswered":
        raise Unavailable("the answer did not get back")
    return answer


def _ref(kind: Kind, manifest: Manifest) -> Ref:
    meta = cast("Any", manifest["metadata"])
    return Ref(kind=kind, namespace=meta.get("namespace") or "", name=meta["name"])


def lease_ref(node: str) -> Ref:
    return Ref(kind=LEASE, namespace=names.SYSTEM_NAMESPACE, name=node)
