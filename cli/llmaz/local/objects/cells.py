"""What the cells of built-in kinds' tables show: each function reads one object."""

from collections.abc import Callable
from datetime import datetime

from llmaz.local.objects.ages import age, moment
from llmaz.local.objects.values import Json, Object

NONE = "<none>"
UNKNOWN = "<unknown>"
_ROLE = "node-role.kubernetes.io/"
_SHOWN = 3


def part(obj: Json, *keys: str) -> Json:
    for key in keys:
        obj = obj.get(key) if isinstance(obj, dict) else None
    return obj


def _ready(conditions: Json, kind: str = "Ready") -> str | None:
    found = [item.get("status") for item in conditions or [] if item.get("type") == kind]
    return found[0] if found else None


def node_status(node: Object) -> str:
    ready = _ready(part(node, "status", "conditions"))
    words = ["Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"]
    if part(node, "spec", "unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def node_roles(node: Object) -> str:
    labels = part(node, "metadata", "labels") or {}
    roles = {key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE)}
    roles |= {value for key, value in labels.items() if key == "kubernetes.io/role" and value}
    return ",".join(sorted(roles)) or NONE


def node_address(kind: str) -> Callable[[Object], str]:
    def cell(node: Object) -> str:
        found = part(node, "status", "addresses") or []
        return next((item["address"] for item in found if item.get("type") == kind), NONE)

    return cell


def service_address(service: Object) -> str:
    spec = service.get("spec", {})
    ingress = part(service, "status", "loadBalancer", "ingress") or []
    outside = [item.get("ip") or item.get("hostname") for item in ingress]
    outside += spec.get("externalIPs") or []
    match spec.get("type", "ClusterIP"):
        case "ExternalName":
            return spec.get("externalName") or NONE
        case "LoadBalancer":
            return ",".join(outside) or "<pending>"
    return ",".join(spec.get("externalIPs") or []) or NONE


def service_ports(service: Object) -> str:
    ports = part(service, "spec", "ports") or []
    return ",".join(map(_service_port, ports)) or NONE


def _service_port(port: Object) -> str:
    number, protocol = port.get("port"), port.get("protocol", "TCP")
    return (
        f"{number}:{port['nodePort']}/{protocol}"
        if port.get("nodePort")
        else f"{number}/{protocol}"
    )


def selector(service: Object) -> str:
    selector = part(service, "spec", "selector") or {}
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items())) or NONE


def _few(values: list[str], missing: str = "<unset>") -> str:
    if not values:
        return missing
    more = len(values) - _SHOWN
    return ",".join(values[:_SHOWN]) + (f" + {more} more..." if more > 0 else "")


def slice_ports(obj: Object) -> str:
    return _few([str(port.get("port", "*")) for port in obj.get("ports") or []])


def slice_endpoints(obj: Object) -> str:
    return _few(
        [
            item
            for endpoint in obj.get("endpoints") or []
            for item in endpoint.get("addresses") or []
        ]
    )


def data_count(*fields: str) -> Callable[[Object], int]:
    return lambda obj: sum(len(obj.get(field) or {}) for field in fields)


def event_object(event: Object) -> str:
    about = event.get("involvedObject") or event.get("regarding") or {}
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


def event_source(event: Object) -> str:
    source = event.get("source") or event.get("deprecatedSource") or {}
    component = source.get("component") or event.get("reportingComponent") or ""
    component = component or event.get("reportingController", "")
    return f"{component}, {source['host']}" if source.get("host") else component


def event_subobject(event: Object) -> str:
    about = event.get("involvedObject") or event.get("regarding") or {}
    return str(about.get("fieldPath", ""))


def event_count(event: Object) -> int:
    series = part(event, "series", "count")
    return int(series or event.get("count") or event.get("deprecatedCount") or 1)


def last_seen(event: Object, now: datetime) -> str:
    """Count from the last time that the event was seen, as often as it was."""
    paths = (("series", "lastObservedTime"), ("lastTimestamp",), ("deprecatedLastTimestamp",))
    last = next((found for path in paths if (found := part(event, *path))), None)
    return age(last or event.get("eventTime") or part(event, "metadata", "creationTimestamp"), now)


def created(definition: Object) -> str:
    created = moment(part(definition, "metadata", "creationTimestamp"))
    return created.strftime("%Y-%m-%dT%H:%M:%SZ") if created else UNKNOWN


def _containers(pod: Object) -> list[Object]:
    return part(pod, "status", "containerStatuses") or []


def pod_ready(pod: Object) -> str:
    ready = sum(bool(item.get("ready")) for item in _containers(pod))
    return f"{ready}/{len(part(pod, 'spec', 'containers') or [])}"


def pod_status(pod: Object) -> str:
    """Say the most telling thing about a pod: a container's trouble before the phase."""
    reason = part(pod, "status", "reason") or part(pod, "status", "phase") or "Unknown"
    for container in _containers(pod):
        for state in ("waiting", "terminated"):
            reason = part(container, "state", state, "reason") or reason
    if part(pod, "metadata", "deletionTimestamp"):
        return "Terminating"
    return str(reason)


def pod_restarts(pod: Object) -> str:
    return str(sum(item.get("restartCount", 0) for item in _containers(pod)))


def gates(pod: Object) -> str:
    gates = [item.get("conditionType") for item in part(pod, "spec", "readinessGates") or []]
    conditions = part(pod, "status", "conditions")
    met = sum(_ready(conditions, gate) == "True" for gate in gates)
    return f"{met}/{len(gates)}" if gates else NONE


def controlled_by(obj: Object) -> str:
    """Name the object that controls this one, as kubectl does."""
    owners = part(obj, "metadata", "ownerReferences") or []
    owner = next((one for one in owners if one.get("controller")), None)
    if owner is None:
        return NONE
    group = str(owner["apiVersion"]).rpartition("/")[0]
    return f"{'.'.join(filter(None, (owner['kind'], group))).lower()}/{owner['name']}"


def hpa_reference(hpa: Object) -> str:
    target = part(hpa, "spec", "scaleTargetRef")
    return f"{part(target, 'kind')}/{part(target, 'name')}"


def hpa_targets(hpa: Object) -> str:
    """Write each measure as `cpu: now/wanted`; nothing is measured on one machine."""
    return ", ".join(map(_target, part(hpa, "spec", "metrics") or [])) or NONE


def _target(metric: Object) -> str:
    kind = str(part(metric, "type"))
    source = part(metric, kind[:1].lower() + kind[1:])
    target = part(source, "target")
    share = part(target, "averageUtilization")
    wanted = f"{share}%" if share else part(target, "averageValue") or part(target, "value")
    average = " (avg)" if part(target, "averageValue") else ""
    name = part(source, "name") if kind == "Resource" else None
    return f"{name}: {UNKNOWN}/{wanted}" if name else f"{UNKNOWN}/{wanted}{average}"
