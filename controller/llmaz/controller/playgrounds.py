"""Playgrounds: the Service that each becomes, its labels, and what its status says."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from llmaz.api.backendruntime import BackendRuntime
from llmaz.api.defaults import default_labels
from llmaz.api.kinds import BACKEND_RUNTIME, OPEN_MODEL, PLAYGROUND, SERVICE
from llmaz.api.manifest import Manifest, encode
from llmaz.api.openmodel import OpenModel
from llmaz.api.playground import Playground
from llmaz.api.service import Service
from llmaz.api.workload import WorkloadStatus
from llmaz.controller.absent import absent
from llmaz.controller.actions import ApplyOwned, RecordEvent, Refusal, SetLabels, SetStatus
from llmaz.controller.conditions import (
    SERVICE_REFUSED,
    Conditions,
    aborted_conditions,
    playground_conditions,
    scaling_conditions,
    with_refusal,
    with_rollout,
)
from llmaz.controller.denials import refused_for
from llmaz.controller.endpoints import selector
from llmaz.controller.essence import essence
from llmaz.controller.events import turn
from llmaz.controller.ladder import idle_since
from llmaz.controller.owned import controller_of, ensure
from llmaz.controller.progress import Progress
from llmaz.controller.resolve import missing_model, resolve
from llmaz.controller.scaling.told import scaling_of
from llmaz.controller.slots.policy import SlotPolicy
from llmaz.controller.snapshot import ClusterSnapshot, Key, Ref

_CONFLICT = "Playground owns the same name with an existing Service"
_NO_MODEL = "Waiting for model creation"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaygroundView:
    """What is decided of one Playground.

    `aborted` is upstream's message of AbortProcessing, None where it goes on.
    """

    playground: Playground
    write: ApplyOwned | None = None
    why: Refusal | None = None
    aborted: str | None = None


def expand(snapshot: ClusterSnapshot) -> dict[Key, PlaygroundView]:
    """Resolve every Playground that is not being deleted."""
    return {
        key: _expand(playground, snapshot)
        for key, playground in sorted(snapshot.playgrounds.items())
        if playground.metadata.deletion_timestamp is None and _is_readable(key, snapshot)
    }


def _is_readable(key: Key, snapshot: ClusterSnapshot) -> bool:
    return Ref(kind=PLAYGROUND, namespace=key[0], name=key[1]) not in snapshot.unreadable


def _expand(playground: Playground, snapshot: ClusterSnapshot) -> PlaygroundView:
    meta = playground.metadata
    ref = Ref(kind=SERVICE, namespace=meta.namespace or "", name=meta.name)
    if _is_foreign(ref, playground, snapshot):
        why = Refusal(
            reason="ServiceConflict",
            message=f"a Service {meta.name} exists that this Playground did not make",
        )
        return PlaygroundView(playground=playground, why=why, aborted=_CONFLICT)
    missing = missing_model(playground, snapshot.models)
    if missing is not None:
        why = absent(OPEN_MODEL, missing, snapshot)
        write = _rescaled(playground, ref, snapshot)
        return PlaygroundView(playground=playground, write=write, why=why, aborted=_NO_MODEL)
    manifest = _resolved(playground, snapshot)
    if isinstance(manifest, Refusal):
        write = _rescaled(playground, ref, snapshot)
        return PlaygroundView(playground=playground, write=write, why=manifest)
    write = snapshot.memo.recall(_write, manifest, snapshot.manifests.get(ref))
    refused = snapshot.refused.get(ref)
    if refused is None:
        return PlaygroundView(playground=playground, write=write)
    why = Refusal(reason=SERVICE_REFUSED, message=refused.words)
    return PlaygroundView(playground=playground, write=write, why=why)


def _is_foreign(ref: Ref, playground: Playground, snapshot: ClusterSnapshot) -> bool:
    service = snapshot.services.get(ref.key)
    if service is None:
        return ref in snapshot.unreadable
    return controller_of(service.metadata.owner_references) != playground.metadata.uid


def _rescaled(playground: Playground, ref: Ref, snapshot: ClusterSnapshot) -> ApplyOwned | None:
    """Return the write that gives a Service its number of replicas, all else as it was.

    How many there shall be is known even where it is not known what they shall be.
    """
    service, seen = snapshot.services.get(ref.key), snapshot.manifests.get(ref)
    wanted = playground.spec.replicas
    if service is None or seen is None or service.spec.replicas == wanted:
        return None
    meta = cast("Manifest", seen["metadata"])
    kept = ("name", "namespace", "labels", "annotations", "ownerReferences")
    metadata: Manifest = {key: meta[key] for key in kept if key in meta}
    spec: Manifest = {**cast("Manifest", seen["spec"]), "replicas": wanted}
    head: Manifest = {"apiVersion": SERVICE.api_version, "kind": SERVICE.kind}
    return ensure(ref, {**head, "metadata": metadata, "spec": spec}, seen)


def _resolved(playground: Playground, snapshot: ClusterSnapshot) -> "Manifest | Refusal":
    """Return the manifest of the Service for a Playground whose OpenModels exist."""
    name = playground.spec.backend_runtime_config.backend_name
    runtime, memo = snapshot.runtimes.get(name), snapshot.memo
    if runtime is None:
        return absent(BACKEND_RUNTIME, name, snapshot)
    claimed = (snapshot.models[ref.name] for ref in playground.spec.claims.models)
    models = memo.same(*(essence(model, memo) for model in claimed))
    asked = essence(playground, memo), essence(runtime, memo), models, snapshot.slot_policy
    return memo.recall(_manifest, *asked)


def _manifest(
    playground: Playground,
    runtime: BackendRuntime,
    models: tuple[OpenModel, ...],
    policy: SlotPolicy,
) -> "Manifest | Refusal":
    concerned = ClusterSnapshot(
        models={model.metadata.name: model for model in models},
        runtimes={runtime.metadata.name: runtime},
        slot_policy=policy,
    )
    service = resolve(playground, concerned)
    if isinstance(service, Refusal):
        return service
    manifest = cast("Manifest", encode(service))
    manifest.pop("status", None)
    return manifest


def _write(manifest: Manifest, seen: "Manifest | None") -> ApplyOwned | None:
    meta = cast("dict[str, str]", manifest["metadata"])
    ref = Ref(kind=SERVICE, namespace=meta.get("namespace", ""), name=meta["name"])
    return ensure(ref, manifest, seen)


def report_playgrounds(
    views: Mapping[Key, PlaygroundView],
    states: Mapping[Key, Progress],
    snapshot: ClusterSnapshot,
    now: datetime,
) -> Iterator[SetLabels | SetStatus | RecordEvent]:
    """Yield the writes that bring every Playground's labels and status up to date."""
    for key, view in views.items():
        meta = view.playground.metadata
        ref = Ref(kind=PLAYGROUND, namespace=meta.namespace or "", name=meta.name)
        labels = default_labels(view.playground)
        missing = {name: value for name, value in labels.items() if meta.labels.get(name) != value}
        if missing:
            yield SetLabels(ref=ref, labels=dict(missing))
        foreign = view.aborted == _CONFLICT
        service = None if foreign else snapshot.services.get(key)
        seen = states.get(key) if service else None
        status = _status(view, seen, service, snapshot, now)
        if status != view.playground.status:
            yield SetStatus(ref=ref, uid=meta.uid, status=status)
            yield from turn(ref, meta.uid, view.playground.status.conditions, status.conditions)
            yield from _choice(ref, view.playground, status)


def _choice(ref: Ref, playground: Playground, status: WorkloadStatus) -> Iterator[RecordEvent]:
    """Yield an event when the replicas run on other flavors than they did."""
    if status.flavor and status.flavor != playground.status.flavor:
        yield RecordEvent(
            ref=ref,
            uid=playground.metadata.uid,
            type="Normal",
            reason="FlavorSelected",
            message=f"replicas run on {status.flavor}",
        )


def _status(
    view: PlaygroundView,
    seen: Progress | None,
    service: Service | None,
    snapshot: ClusterSnapshot,
    now: datetime,
) -> WorkloadStatus:
    meta = view.playground.metadata
    owners = (meta, *([service.metadata] if service else []))
    refused = next(filter(None, (refused_for(one, snapshot) for one in owners)), "")
    return WorkloadStatus(
        observed_generation=meta.generation,
        replicas=seen.placed if seen else 0,
        ready_replicas=seen.ready if seen else 0,
        updated_replicas=seen.updated if seen else 0,
        revision=seen.revision if seen else 0,
        ready=f"{seen.ready if seen else 0}/{view.playground.spec.replicas}",
        selector=selector(service) if service else "",
        flavor=seen.flavor if seen else "",
        idle_since=idle_since(view.playground, now),
        url=snapshot.gateway_url,
        message=view.why.message if view.why else refused or (seen.message if seen else ""),
        conditions=with_refusal(
            _conditions(view, seen, snapshot, now), refused, meta.generation, now
        ),
    )


def _conditions(
    view: PlaygroundView, seen: Progress | None, snapshot: ClusterSnapshot, now: datetime
) -> Conditions:
    """Return the conditions; a Service that serves keeps its Playground available."""
    meta = view.playground.metadata
    old, generation = view.playground.status.conditions, meta.generation
    serves = seen is not None and seen.why is None
    if view.aborted is not None:
        why = None if serves else view.why
        new = aborted_conditions(old, why, view.aborted, generation, now)
    else:
        new = playground_conditions(
            *(old, _judged(view, seen), generation, now), progress_ends=snapshot.progress_ends
        )
    if seen is not None:
        new = with_rollout(new, view.playground.status.revision, seen, generation, now)
    return scaling_conditions(new, scaling_of(view.playground, snapshot), generation, now)


def _judged(view: PlaygroundView, seen: Progress | None) -> Progress | Refusal:
    if seen is not None and (seen.why is None or view.why is None):
        return seen
    return view.why or Refusal(reason="Pending", message="its Service is being made")
