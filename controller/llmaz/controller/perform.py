"""The act: one action, one or two requests. What the server answers is learned at once."""

import dataclasses
import hashlib
import logging
import time
from datetime import UTC, datetime
from typing import assert_never, cast

from llmaz.api import names
from llmaz.api.kinds import EVENT, INFERENCE_NODE, SERVICE, Kind
from llmaz.api.manifest import Json, Manifest, encode
from llmaz.controller.actions import (
    Action,
    ApplyOwned,
    Assign,
    DeleteOwned,
    Known,
    OpenGate,
    RecordEvent,
    SetLabels,
    SetStatus,
)
from llmaz.controller.correlate import Correlator
from llmaz.controller.observe import Observer
from llmaz.controller.owned import owner_of, uid_of
from llmaz.controller.snapshot import Ref
from llmaz.kube import Conflict, Kube, NotFound

logger = logging.getLogger(__name__)
_LONGEST = 1024  # message of an Event that an API server takes


class Superseded(Conflict):
    """The object is another than was decided on. Its news bring the next round."""


class Performer:
    """Carries actions out. Doing one twice is safe."""

    def __init__(self, kube: Kube, observer: Observer) -> None:
        self._kube = kube
        self._observer = observer
        self._correlator = Correlator()

    async def perform(self, action: Action) -> None:
        match action:
            case ApplyOwned():
                await self._apply_owned(action)
            case DeleteOwned(ref=ref, uid=uid):
                logger.info("deleting %s: no longer needed", _words(ref))
                await self._delete(ref, uid)
            case Assign():
                await self._assign(action)
            case OpenGate():
                await self._open(action)
            case SetStatus():
                await self._set_status(action)
            case SetLabels():
                await self._set_labels(action)
            case RecordEvent():
                await self._record(action)
            case _:
                assert_never(action)

    async def _apply_owned(self, action: ApplyOwned) -> None:
        metadata = dict(cast("Manifest", action.manifest["metadata"]))
        if action.version:
            metadata["resourceVersion"] = action.version
        else:
            await self._refuse_unseen(action)
        logger.info("applying %s", _words(action.ref))
        await self._apply_over(action.ref.kind, {**action.manifest, "metadata": metadata})

    async def _refuse_unseen(self, action: ApplyOwned) -> None:
        """Raise Conflict where an object that was not seen is there, which may be another's."""
        ref = action.ref
        if action.known is not None:
            await self._refuse_beside(action.ref, action.known)
        try:
            there = await self._kube.get(ref.kind, ref.name, ref.namespace)
        except NotFound:
            return
        if owner_of(there) != owner_of(action.manifest):
            raise Conflict(f"{_words(ref)} exists and belongs to somebody else")
        raise Superseded(f"{_words(ref)} was made since")

    async def _refuse_beside(self, ref: Ref, known: Known) -> None:
        """Raise Conflict where something has its place that was not seen as it is.

        It has a name of its own if it was made after something that is gone by now, and may have
        become the place meanwhile: a pod that was bound a moment ago needs no other.
        """
        labels = ",".join(f"{key}={value}" for key, value in sorted(known.labels.items()))
        listing = await self._kube.list(ref.kind, ref.namespace, label_selector=labels)
        news = [self._observer.learn(ref.kind, one) for one in listing.items]
        if any(news) or any(uid_of(one) not in known.uids for one in listing.items):
            raise Superseded(f"{_words(ref)}: another has its place")

    async def _delete(self, ref: Ref, uid: str) -> None:
        try:
            await self._kube.delete(ref.kind, ref.name, ref.namespace or None, uid=uid)
        except NotFound:
            logger.debug("%s was gone", _words(ref))

    async def _assign(self, action: Assign) -> None:
        for namespace, name in action.gone:
            if await self._exists(SERVICE, name, namespace):
                logger.warning("not assigning %s: Service %s is there", action.node, name)
                return
        ids = ", ".join(engine.id for engine in action.spec.engines) or "nothing"
        logger.info("assigning to node %s: %s", action.node, ids)
        metadata: Manifest = {"name": action.node, "uid": action.uid}
        if action.version:
            metadata["resourceVersion"] = action.version
        spec = _spelled_out(action.spec)
        await self._apply_over(INFERENCE_NODE, {"metadata": metadata, "spec": spec})
        for event in action.events:
            await self._record(event)

    async def _open(self, action: OpenGate) -> None:
        ref = action.ref
        gates: list[Json] = [{"name": name} for name in action.left]
        patch: Manifest = {
            "metadata": {"uid": action.uid},
            "spec": {"schedulingGates": gates or None},
        }
        logger.info("%s may be bound: its group is whole", _words(ref))
        answer = await self._kube.patch(ref.kind, ref.name, patch, ref.namespace)
        self._observer.learn(ref.kind, answer)

    async def _exists(self, kind: Kind, name: str, namespace: str) -> bool:
        try:
            await self._kube.get(kind, name, namespace)
        except NotFound:
            return False
        return True

    async def _set_status(self, action: SetStatus) -> None:
        ref = action.ref
        metadata: Manifest = {"name": ref.name, "uid": action.uid}
        if ref.namespace:
            metadata["namespace"] = ref.namespace
        manifest: Manifest = {"metadata": metadata, "status": encode(action.status)}
        await self._apply(ref.kind, manifest, subresource="status")

    async def _set_labels(self, action: SetLabels) -> None:
        ref = action.ref
        logger.info("labelling %s: %s", _words(ref), dict(action.labels))
        metadata: dict[str, Json] = {"labels": dict(action.labels)}
        if action.annotations:
            metadata["annotations"] = dict(action.annotations)
        if action.owner is not None:
            metadata["ownerReferences"] = [action.owner]
        answer = await self._kube.patch(
            ref.kind, ref.name, {"metadata": metadata}, ref.namespace or None
        )
        self._observer.learn(ref.kind, answer)

    async def _record(self, action: RecordEvent) -> None:
        """Count an event that was recorded before, else record it."""
        ref = action.ref
        logger.info("%s: %s: %s", _words(ref), action.reason, action.message)
        judged = self._correlator.judge(action, time.monotonic())
        if judged is None:
            return
        key, message = judged
        digest = hashlib.sha256(key.encode()).hexdigest()[:16]
        name, namespace = f"{ref.name}.{digest}", ref.namespace or "default"
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            seen = await self._kube.get(EVENT, name, namespace)
        except NotFound:
            said = dataclasses.replace(action, message=message)
            await self._kube.create(EVENT, _event(said, name, namespace, now))
            return
        count = seen.get("count")
        patch: Manifest = {
            "count": (count if isinstance(count, int) else 1) + 1,
            "lastTimestamp": now,
            "message": message[:_LONGEST],
        }
        await self._kube.patch(EVENT, name, patch, namespace)

    async def _apply_over(self, kind: Kind, manifest: Manifest) -> None:
        """Write over the version that the metadata names."""
        try:
            await self._apply(kind, manifest)
        except Conflict as error:
            raise Superseded(str(error)) from error

    async def _apply(self, kind: Kind, manifest: Manifest, *, subresource: str = "") -> None:
        answer = await self._kube.apply(
            kind, manifest, manager=names.CONTROLLER, subresource=subresource
        )
        self._observer.learn(kind, answer)


def _spelled_out(spec: object) -> Json:
    """Write a spec with its lists even where they are empty: what is left out is not taken back."""
    return {"models": [], "engines": [], **cast("Manifest", encode(spec))}


def _event(action: RecordEvent, name: str, namespace: str, now: str) -> Manifest:
    ref = action.ref
    involved: Manifest = {
        "apiVersion": ref.kind.api_version,
        "kind": ref.kind.kind,
        "name": ref.name,
        "namespace": ref.namespace,
        "uid": action.uid,
    }
    return {
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": involved,
        "type": action.type,
        "reason": action.reason,
        "message": action.message[:_LONGEST],
        "source": {"component": names.CONTROLLER},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }


def _words(ref: Ref) -> str:
    name = f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name
    return f"{ref.kind.kind} {name}"
