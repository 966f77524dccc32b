"""Revisions: what the replicas of a Service ran, kept as ControllerRevisions. Pure.

Each state of what a replica runs is recorded once, before it is rolled out. A Service that names a
revision runs that one, whatever was edited since: a rollout is undone by one annotation, no matter
which of the Playground, the BackendRuntime and the chart brought the new state. What an OpenModel
says is no part of a revision: nodes hold one state of a model for all who use it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from llmaz.api import names
from llmaz.api.kinds import CONTROLLER_REVISION, SERVICE
from llmaz.api.manifest import Json, Manifest, ManifestError, decode, digest, encode
from llmaz.api.service import Service
from llmaz.controller.actions import ApplyOwned, DeleteOwned, Refusal
from llmaz.controller.essence import essence
from llmaz.controller.memo import Memo
from llmaz.controller.owned import ensure, labels_of, owner_of, reference, uid_of
from llmaz.controller.snapshot import ClusterSnapshot, Key, Ref

HISTORY = 10  # revisions that are kept of a Service: the default of a Deployment
_RECORDED = ("modelClaims", "workloadTemplate")
_DIGITS = 18  # of a revision's number, which has 64 bits
_NAME_LENGTH = 253  # of an object, in bytes: Kubernetes' limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One recorded state of a Service."""

    name: str  # of the ControllerRevision; it ends with the digest of the state
    number: int  # the newest state has the highest
    manifest: Manifest


def recorded(snapshot: ClusterSnapshot) -> dict[Key, list[Revision]]:
    """Return the revisions of every Service, the oldest first."""
    found: dict[Key, list[Revision]] = {}
    for ref, manifest in snapshot.manifests.items():
        number = manifest.get("revision")
        if ref.kind == CONTROLLER_REVISION and isinstance(number, int):
            key = ref.namespace, str(labels_of(manifest).get(names.SERVICE_NAME))
            service = snapshot.services.get(key)
            if service is not None and owner_of(manifest) == service.metadata.uid:
                one = Revision(name=ref.name, number=number, manifest=manifest)
                found.setdefault(key, []).append(one)
    return {key: sorted(ones, key=lambda one: one.number) for key, ones in found.items()}


def current(service: Service, there: Sequence[Revision], memo: Memo) -> int:
    """Return the number of the revision that the replicas of a Service shall be."""
    wanted = wanted_revision(service)
    if wanted is not None:
        return wanted
    return _number(memo.recall(_named, essence(service, memo))[0], there)


def wanted_revision(service: Service) -> int | None:
    """Return the revision that a Service names; None: the newest. -1 is no number."""
    text = service.metadata.annotations.get(names.REVISION, "").strip()
    if not text:
        return None
    is_number = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return int(text) if is_number else -1


def record(
    service: Service, there: Sequence[Revision], snapshot: ClusterSnapshot
) -> Iterator[ApplyOwned | DeleteOwned]:
    """Yield the writes that record the state of a Service and forget its oldest ones.

    A state that comes back gets the next number: the newest has the highest. The one that is named
    keeps its own as long as it is, or nobody would find it.
    """
    asked, recall = essence(service, snapshot.memo), snapshot.memo.recall
    name, _ = recall(_named, asked)
    wanted = wanted_revision(service)
    held = {one.name: one.number for one in there if one.number == wanted}
    number = held.get(name) or _number(name, there)
    ref = Ref(kind=CONTROLLER_REVISION, namespace=service.metadata.namespace or "", name=name)
    write = recall(_write, asked, number, snapshot.manifests.get(ref))
    if write is not None:
        yield write
    kept = {name, *held}
    others = [one for one in there if one.name not in kept]
    for one in others[: max(0, len(others) + len(kept) - HISTORY)]:
        old = Ref(kind=CONTROLLER_REVISION, namespace=ref.namespace, name=one.name)
        yield DeleteOwned(ref=old, uid=uid_of(one.manifest))


def as_pinned(service: Service, there: Iterable[Revision]) -> Service | Refusal:
    """Return the Service as it shall run: as the revision says that it names, if it names one."""
    wanted = wanted_revision(service)
    if wanted is None:
        return service
    by_number = {one.number: one for one in there}
    if wanted not in by_number:
        known = ", ".join(map(str, by_number)) or "none"
        said = service.metadata.annotations[names.REVISION]
        return Refusal(
            reason="RevisionNotFound",
            message=f"metadata.annotations.{names.REVISION} names {said}; recorded are {known}",
        )
    return _restored(service, by_number[wanted])


def _restored(service: Service, revision: Revision) -> Service | Refusal:
    data = revision.manifest.get("data")
    state: Manifest = data if isinstance(data, dict) else {}
    manifest = cast("Manifest", encode(service))
    meta, spec = cast("Manifest", manifest["metadata"]), cast("Manifest", manifest["spec"])
    annotations = cast("Mapping[str, Json]", meta.get("annotations") or {})
    kept = {name: value for name, value in annotations.items() if name not in _ANNOTATIONS}
    then = cast("Mapping[str, Json]", state.get("annotations") or {})
    try:
        return decode(
            Service,
            {
                **manifest,
                "metadata": {**meta, "annotations": {**kept, **then}},
                "spec": {**spec, **cast("Manifest", state.get("spec") or {})},
            },
        )
    except ManifestError as error:
        message = f"ControllerRevision {revision.name} can't be read: {error}"
        return Refusal(reason="RevisionUnreadable", message=message)


# What a Service says of its replicas beside its spec.
_ANNOTATIONS = (
    names.RUNTIME_NAME,
    names.REQUIREMENTS,
    names.LAUNCHER,
    names.SKIP_MODEL_LOADER,
    names.SLEEPS,
)


def _number(name: str, there: Sequence[Revision]) -> int:
    """Return the number of a state that is to be the newest."""
    if not there:
        return 1
    return there[-1].number + (there[-1].name != name)


def _state(service: Service) -> Manifest:
    """Return what the replicas of a Service run, and nothing of how many there are."""
    spec = cast("Manifest", encode(service.spec))
    said = service.metadata.annotations
    return {
        "spec": {name: spec[name] for name in _RECORDED if name in spec},
        "annotations": {name: said[name] for name in _ANNOTATIONS if name in said},
    }


def _named(service: Service) -> tuple[str, Manifest]:
    """Return the state of a Service, and the name of its revision."""
    state = _state(service)
    end = f"-{digest(state)[:10]}"
    return service.metadata.name[: _NAME_LENGTH - len(end)] + end, state


def _write(service: Service, number: int, seen: "Manifest | None") -> ApplyOwned | None:
    name, state = _named(service)
    ref = Ref(kind=CONTROLLER_REVISION, namespace=service.metadata.namespace or "", name=name)
    return ensure(ref, _manifest(service, name, number, state), seen)


def _manifest(service: Service, name: str, number: int, state: Manifest) -> Manifest:
    meta = service.metadata
    playground = meta.labels.get(names.PLAYGROUND_NAME)
    labels: Manifest = {
        "app.kubernetes.io/managed-by": names.CONTROLLER,
        names.SERVICE_NAME: meta.name,
        **({names.PLAYGROUND_NAME: playground} if playground else {}),
    }
    return {
        "metadata": {
            "name": name,
            "namespace": meta.namespace or "",
            "labels": labels,
            "ownerReferences": [reference(SERVICE, meta)],
        },
        "revision": number,
        "data": state,
    }
