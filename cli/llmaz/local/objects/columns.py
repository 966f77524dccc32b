"""The columns in which the built-in kinds are listed, as a kube-apiserver has them."""

from collections.abc import Callable, Mapping
from datetime import datetime

from llmaz.local.objects.ages import age
from llmaz.local.objects.cells import (
    NONE,
    UNKNOWN,
    controlled_by,
    created,
    data_count,
    event_count,
    event_object,
    event_source,
    event_subobject,
    gates,
    hpa_reference,
    hpa_targets,
    last_seen,
    node_address,
    node_roles,
    node_status,
    part,
    pod_ready,
    pod_restarts,
    pod_status,
    selector,
    service_address,
    service_ports,
    slice_endpoints,
    slice_ports,
)
from llmaz.local.objects.table import AGE, NAME, Column
from llmaz.local.objects.values import Json, Object


def _column(
    name: str,
    cell: Callable[[Object], Json],
    description: str,
    *,
    kind: str = "string",
    wide: bool = False,
) -> Column:
    return Column(
        name,
        lambda obj, _: cell(obj),
        type=kind,
        description=description,
        priority=1 if wide else 0,
    )


def _field(name: str, *path: str, missing: str = NONE, wide: bool = False, what: str) -> Column:
    return _column(name, lambda obj: part(obj, *path) or missing, what, wide=wide)


def _count(name: str, *path: str, what: str) -> Column:
    return _column(name, lambda obj: str(part(obj, *path) or 0), what)


def _bound(name: str, field: str, *, what: str) -> Column:
    def cell(obj: Object) -> Json:
        value = part(obj, "spec", field)
        return "N/A" if value is None else str(value)

    return _column(name, cell, what)


def _time(name: str, *paths: tuple[str, ...], wide: bool = False, what: str) -> Column:
    def cell(obj: Object, now: datetime) -> Json:
        return age(next((found for path in paths if (found := part(obj, *path))), None), now)

    return Column(name, cell, description=what, priority=1 if wide else 0)


_EVENT_COLUMNS = (
    Column("Last Seen", last_seen, description="How long ago it was last seen."),
    _field("Type", "type", missing="", what="Normal or Warning."),
    _field("Reason", "reason", missing="", what="Why, in one word."),
    _column("Object", event_object, "What it happened to."),
    _column("Subobject", event_subobject, "The part of the object that it happened to.", wide=True),
    _column("Source", event_source, "Who saw it.", wide=True),
    _column(
        "Message",
        lambda obj: (obj.get("message") or obj.get("note") or "").strip(),
        "What happened.",
    ),
    _time(
        "First Seen",
        ("firstTimestamp",),
        ("deprecatedFirstTimestamp",),
        ("eventTime",),
        wide=True,
        what="How long ago it was first seen.",
    ),
    _column("Count", event_count, "How often it was seen.", kind="integer", wide=True),
    Column(
        "Name",
        lambda obj, _: part(obj, "metadata", "name"),
        description=NAME.description,
        priority=1,
    ),
)

COLUMNS: Mapping[tuple[str, str], tuple[Column, ...]] = {
    ("v1", "ConfigMap"): (
        NAME,
        _column("Data", data_count("data", "binaryData"), "How many keys it has.", kind="integer"),
        AGE,
    ),
    ("v1", "Event"): _EVENT_COLUMNS,
    ("events.k8s.io/v1", "Event"): _EVENT_COLUMNS,
    ("v1", "Namespace"): (
        NAME,
        _field("Status", "status", "phase", missing="", what="Active or Terminating."),
        AGE,
    ),
    ("v1", "Node"): (
        NAME,
        _column("Status", node_status, "Whether it is ready, and whether it takes new pods."),
        _column("Roles", node_roles, "What it is for."),
        AGE,
        _field(
            "Version",
            "status",
            "nodeInfo",
            "kubeletVersion",
            missing="",
            what="Its kubelet's version.",
        ),
        _column("Internal-IP", node_address("InternalIP"), "Its address inside.", wide=True),
        _column("External-IP", node_address("ExternalIP"), "Its address outside.", wide=True),
        _field(
            "OS-Image",
            "status",
            "nodeInfo",
            "osImage",
            missing=UNKNOWN,
            wide=True,
            what="Its system.",
        ),
        _field(
            "Kernel-Version",
            "status",
            "nodeInfo",
            "kernelVersion",
            missing=UNKNOWN,
            wide=True,
            what="Its kernel.",
        ),
        _field(
            "Container-Runtime",
            "status",
            "nodeInfo",
            "containerRuntimeVersion",
            missing=UNKNOWN,
            wide=True,
            what="What runs its containers.",
        ),
    ),
    ("v1", "Pod"): (
        NAME,
        _column("Ready", pod_ready, "How many of its containers are ready."),
        _column("Status", pod_status, "What it does."),
        _column("Restarts", pod_restarts, "How often its containers were restarted."),
        AGE,
        _field("IP", "status", "podIP", wide=True, what="Its address."),
        _field("Node", "spec", "nodeName", wide=True, what="Its node."),
        _field(
            "Nominated Node",
            "status",
            "nominatedNodeName",
            wide=True,
            what="The node it waits for.",
        ),
        _column("Readiness Gates", gates, "More conditions of its readiness.", wide=True),
    ),
    ("v1", "Secret"): (
        NAME,
        _field("Type", "type", missing="", what="What it is for."),
        _column("Data", data_count("data"), "How many keys it has.", kind="integer"),
        AGE,
    ),
    ("v1", "Service"): (
        NAME,
        _field("Type", "spec", "type", missing="", what="How it is reached."),
        _field("Cluster-IP", "spec", "clusterIP", what="Its address inside."),
        _column("External-IP", service_address, "Its addresses outside."),
        _column("Port(s)", service_ports, "Its ports."),
        AGE,
        _column("Selector", selector, "The labels of its pods.", wide=True),
    ),
    ("v1", "ServiceAccount"): (
        NAME,
        _column(
            "Secrets",
            lambda obj: len(obj.get("secrets") or []),
            "How many secrets it has.",
            kind="integer",
        ),
        AGE,
    ),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): (
        NAME,
        _column("Created At", created, "When it was created.", kind="date"),
    ),
    ("apps/v1", "ControllerRevision"): (
        NAME,
        _column("Controller", controlled_by, "The object that ran it."),
        _count("Revision", "revision", what="The newest has the highest."),
        AGE,
    ),
    ("autoscaling/v2", "HorizontalPodAutoscaler"): (
        NAME,
        _column("Reference", hpa_reference, "What it scales."),
        _column("Targets", hpa_targets, "What it measures, and what that shall be."),
        _count("MinPods", "spec", "minReplicas", what="The fewest replicas."),
        _count("MaxPods", "spec", "maxReplicas", what="The most replicas."),
        _count("Replicas", "status", "currentReplicas", what="How many replicas it saw."),
        AGE,
    ),
    ("coordination.k8s.io/v1", "Lease"): (
        NAME,
        _field("Holder", "spec", "holderIdentity", missing="", what="Who holds it."),
        AGE,
    ),
    ("policy/v1", "PodDisruptionBudget"): (
        NAME,
        _bound("Min Available", "minAvailable", what="How many pods have to stay."),
        _bound("Max Unavailable", "maxUnavailable", what="How many pods may be missing."),
        _column(
            "Allowed Disruptions",
            lambda obj: part(obj, "status", "disruptionsAllowed") or 0,
            "How many pods may be evicted now.",
            kind="integer",
        ),
        AGE,
    ),
    ("scheduling.k8s.io/v1", "PriorityClass"): (
        NAME,
        _count("Value", "value", what="How important it is."),
        _column(
            "Global-Default",
            lambda obj: bool(part(obj, "globalDefault")),
            "Whether it holds for what names no class.",
            kind="boolean",
        ),
        AGE,
        _field("PreemptionPolicy", "preemptionPolicy", what="Whether it displaces others."),
    ),
    ("discovery.k8s.io/v1", "EndpointSlice"): (
        NAME,
        _field("AddressType", "addressType", missing="", what="What its addresses are."),
        _column("Ports", slice_ports, "Its ports."),
        _column("Endpoints", slice_endpoints, "Its addresses."),
        AGE,
    ),
}
