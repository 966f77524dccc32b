"""What built-in kinds do beyond their schemas: defaults that depend on other fields, and checks."""

import base64
import ipaddress
import re
from collections.abc import Iterator

from llmaz.local.apiserver.metadata import meta
from llmaz.local.objects.fielderror import FieldError
from llmaz.local.objects.names import data_key_errors
from llmaz.local.objects.values import Json, Object


def member(obj: Object, key: str) -> Object:
    """Return an object inside an object, empty if it is not there."""
    found = obj.get(key)
    return found if isinstance(found, dict) else {}


def named_by_label(obj: Object) -> Object:
    """A namespace carries its name as a label, for selectors of namespaces."""
    labels = member(meta(obj), "labels") | {
        "kubernetes.io/metadata.name": meta(obj).get("name", "")
    }
    return obj | {"metadata": meta(obj) | {"labels": labels}}


def namespace(obj: Object, old: Object | None) -> Object:
    """A namespace is held by a finalizer in its spec until it is empty."""
    if old is not None:
        return obj | {"spec": old.get("spec", {})}
    return obj | {"spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}


def allocatable(obj: Object) -> Object:
    """A node may allocate all it has, unless it says less."""
    status = member(obj, "status")
    if not status.get("capacity"):
        return obj
    every = member(status, "capacity") | member(status, "allocatable")
    return obj | {"status": status | {"allocatable": every}}


def pod(obj: Object, old: Object | None) -> Object:
    """A new pod is pending."""
    return (
        obj if old is not None else obj | {"status": {"phase": "Pending", "qosClass": "BestEffort"}}
    )


def secret(obj: Object) -> Object:
    """A secret's `stringData` is written only: it becomes `data`."""
    texts = member(obj, "stringData")
    data = {
        key: base64.b64encode(value.encode()).decode()
        for key, value in texts.items()
        if isinstance(value, str)
    }
    kept = {key: value for key, value in obj.items() if key != "stringData"}
    merged = member(obj, "data") | data
    return {"type": "Opaque"} | kept | ({"data": merged} if merged else {})


def data_key_complaints(obj: Object, _old: Object | None) -> list[FieldError]:
    """Keys of a Secret's and a ConfigMap's data can be file names."""
    return [
        FieldError(f"{field}[{key}]", "invalid", key, words)
        for field in ("data", "binaryData")
        for key in member(obj, field)
        for words in data_key_errors(key)
    ]


def horizontal_pod_autoscaler(obj: Object) -> Object:
    """One replica stays, and processors are measured, unless it says otherwise."""
    spec = member(obj, "spec")
    target: Object = {"type": "Utilization", "averageUtilization": 80}
    metric: Object = {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    metrics = spec.get("metrics") or [metric]
    return obj | {"spec": {"minReplicas": 1} | spec | {"metrics": metrics}}


def unchanged_data(obj: Object, old: Object | None) -> list[FieldError]:
    """What a revision was stays what it was."""
    if old is None or old.get("data") == obj.get("data"):
        return []
    return [FieldError("data", "invalid", obj.get("data"), "field is immutable")]


def disruption_budget_errors(obj: Object, _old: Object | None) -> list[FieldError]:
    """A budget says how many stay, or how many may be missing: a number, or a share of them."""
    spec = member(obj, "spec")
    errors = [
        FieldError(f"spec.{field}", "invalid", value, words)
        for field in ("minAvailable", "maxUnavailable")
        if (value := spec.get(field)) is not None and (words := _no_amount(value))
    ]
    if None not in (spec.get("minAvailable"), spec.get("maxUnavailable")):
        words = "minAvailable and maxUnavailable cannot be both set"
        errors.append(FieldError("spec", "invalid", spec, words))
    return errors


def _no_amount(value: Json) -> str:
    """Say why a value is no number of pods, nor a share of them; nothing where it is."""
    if isinstance(value, str):
        if not re.fullmatch(r"[0-9]+%", value):
            return "must be a number of percent, such as 50%"
        return "must not be greater than 100%" if int(value[:-1]) > 100 else ""
    return "must be greater than or equal to 0" if int(value) < 0 else ""


def endpoint_slice(obj: Object) -> Object:
    """Ports are TCP unless they say otherwise."""
    ports = [{"name": "", "protocol": "TCP"} | port for port in obj.get("ports") or []]
    return obj | ({"ports": ports} if ports else {})


def endpoint_slice_errors(obj: Object, _old: Object | None) -> list[FieldError]:
    """Endpoints are addresses of the slice's family that other machines could reach."""
    return [
        error
        for index, endpoint in enumerate(obj.get("endpoints") or [])
        for place, address in enumerate(endpoint.get("addresses") or [])
        for error in _address_errors(address, f"endpoints[{index}].addresses[{place}]")
    ]


def _address_errors(address: Json, path: str) -> Iterator[FieldError]:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        yield FieldError(path, "invalid", address, detail)
        return
    if ip.is_unspecified:
        detail = f"may not be unspecified ({address})"
        yield FieldError(path, "invalid", address, detail)
    if ip.is_link_local:
        detail = "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
        yield FieldError(path, "invalid", address, detail)
