"""A Service's engines -> its core Service `<name>-lb` and one EndpointSlice per engine.

The core Service has no selector: engines are processes, not pods, so nothing but these slices says
where they are. An engine stays published as its agent last reported it while the agent is silent:
after an outage of the API server every agent is late, and every engine serves.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import cast

from llmaz.api import names
from llmaz.api.kinds import CORE_SERVICE, ENDPOINT_SLICE, POD, SERVICE
from llmaz.api.manifest import Manifest
from llmaz.api.node import EnginePhase, EngineReport
from llmaz.api.service import Service
from llmaz.controller.actions import ApplyOwned, DeleteOwned
from llmaz.controller.demand import engine_prefix
from llmaz.controller.essence import essence
from llmaz.controller.owned import ensure, labels_of, reference, uid_of
from llmaz.controller.slots.pod import SlotPod
from llmaz.controller.snapshot import ClusterSnapshot, Key, Ref

NO_PODS: Mapping[int, SlotPod] = MappingProxyType({})


def published(snapshot: ClusterSnapshot) -> dict[Key, list[Ref]]:
    """Return the EndpointSlices that are there, by the Service of ours that they belong to."""
    found: dict[Key, list[Ref]] = {}
    for ref, seen in snapshot.manifests.items():
        if ref.kind == ENDPOINT_SLICE:
            service = str(labels_of(seen).get(names.SERVICE_NAME))
            found.setdefault((ref.namespace, service), []).append(ref)
    return found


def publish(
    service: Service,
    engines: Mapping[int, EngineReport],
    slices: Iterable[Ref],
    snapshot: ClusterSnapshot,
    pods: Mapping[int, SlotPod] = NO_PODS,
) -> Iterator[ApplyOwned | DeleteOwned]:
    """Yield the writes that publish the engines of one Service, given by replica.

    `slices` are those that the Service has now, `pods` those that engines run in.
    """
    namespace, name = _namespace(service), load_balancer(service)
    core = Ref(kind=CORE_SERVICE, namespace=namespace, name=name)
    known, memo, asked = snapshot.manifests, snapshot.memo, essence(service, snapshot.memo)
    writes = [memo.recall(_core_write, asked, known.get(core))]
    wanted = set()
    for index, report in sorted(engines.items()):
        if report.address and report.port is not None:
            ref = Ref(kind=ENDPOINT_SLICE, namespace=namespace, name=f"{name}-{index}")
            wanted.add(ref)
            told = memo.as_before((ref, EngineReport), report)
            writes.append(memo.recall(_slice_write, asked, told, pods.get(index), known.get(ref)))
    yield from (write for write in writes if write is not None)
    for ref in sorted(slices, key=lambda ref: ref.name):
        if ref not in wanted:
            yield DeleteOwned(ref=ref, uid=uid_of(known[ref]))


def load_balancer(service: Service) -> str:
    return f"{service.metadata.name}-lb"


def selector(service: Service) -> str:
    """Return the label selector of the Service's EndpointSlices."""
    return f"{names.SERVICE_NAME}={service.metadata.name}"


def _namespace(service: Service) -> str:
    return service.metadata.namespace or ""


def _core_write(service: Service, seen: "Manifest | None") -> ApplyOwned | None:
    name, port = load_balancer(service), names.ENGINE_PORT
    manifest: Manifest = {
        "metadata": {**_metadata(service), "name": name},
        "spec": {
            "type": "ClusterIP",
            "ports": [{"name": "http", "port": port, "protocol": "TCP", "targetPort": port}],
        },
    }
    ref = Ref(kind=CORE_SERVICE, namespace=_namespace(service), name=name)
    return ensure(ref, manifest, seen)


def _endpoint(report: EngineReport) -> Manifest:
    stopping = report.phase is EnginePhase.STOPPING
    ready = report.phase is EnginePhase.READY
    return {
        "addresses": [report.address],
        "conditions": {"ready": ready, "serving": ready, "terminating": stopping},
    }


def _target(pod: SlotPod | None) -> Manifest:
    """Say which pod an endpoint is, for what knows pods."""
    if pod is None:
        return {}
    target: Manifest = {
        "kind": POD.kind,
        "namespace": pod.namespace,
        "name": pod.name,
        "uid": pod.uid,
    }
    return {"nodeName": pod.node, "targetRef": target}


def _slice_write(
    service: Service, report: EngineReport, pod: SlotPod | None, seen: "Manifest | None"
) -> ApplyOwned | None:
    core, metadata = load_balancer(service), _metadata(service)
    name = f"{core}-{report.id.removeprefix(engine_prefix(service))}"
    labels: Manifest = {
        **cast("Manifest", metadata["labels"]),
        names.KUBERNETES_SERVICE_NAME: core,
        names.MANAGED_BY: names.CONTROLLER,
    }
    manifest: Manifest = {
        "metadata": {**metadata, "name": name, "labels": labels},
        "addressType": "IPv6" if ":" in report.address else "IPv4",
        "endpoints": [{**_endpoint(report), **_target(pod)}],
        "ports": [{"name": "http", "port": report.port, "protocol": "TCP"}],
    }
    ref = Ref(kind=ENDPOINT_SLICE, namespace=_namespace(service), name=name)
    return ensure(ref, manifest, seen)


def _metadata(service: Service) -> Manifest:
    """Return what the metadata of all objects made for a Service have in common."""
    playground = service.metadata.labels.get(names.PLAYGROUND_NAME)
    return {
        "namespace": service.metadata.namespace,
        "labels": {
            "app.kubernetes.io/managed-by": names.CONTROLLER,
            "app.kubernetes.io/part-of": "llmaz",
            names.MODEL_NAME: service.spec.model_claims.main,
            names.SERVICE_NAME: service.metadata.name,
            **({names.PLAYGROUND_NAME: playground} if playground else {}),
        },
        "ownerReferences": [reference(SERVICE, service.metadata)],
    }
