"""The scale subresource: a Scale object over the paths that a CRD names."""

from llmaz.local.apiserver.metadata import meta
from llmaz.local.apiserver.resource import Resource, Scale
from llmaz.local.apiserver.status import StatusError
from llmaz.local.objects.fielderror import FieldError
from llmaz.local.objects.selectors import field_value
from llmaz.local.objects.values import Json, Object, type_name

_META = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(obj: Object, scale: Scale) -> Object:
    """Return the Scale of an object."""
    metadata = {key: meta(obj)[key] for key in _META if key in meta(obj)}
    replicas = _at(obj, scale.spec_replicas)
    status: Object = {"replicas": _at(obj, scale.status_replicas) or 0}
    if scale.label_selector:
        selector = field_value(obj, scale.label_selector.removeprefix("."))
        status |= {"selector": selector} if selector else {}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": replicas} if replicas is not None else {},
        "status": status,
    }


def scaled(obj: Object, scale: Scale, wanted: Object) -> Object:
    """Return the object with the replicas and the version of a written Scale."""
    spec = wanted.get("spec")
    replicas = spec.get("replicas", 0) if isinstance(spec, dict) else 0
    if not isinstance(replicas, int) or isinstance(replicas, bool) or replicas < 0:
        error = FieldError("spec.replicas", "invalid", replicas, "should be a non-negative integer")
        message = f'Scale.autoscaling "{meta(obj)["name"]}" is invalid: {error.message()}'
        details = {"group": "autoscaling", "kind": "Scale", "causes": [error.cause()]}
        raise StatusError(422, "Invalid", message, details=details)
    changed = _with(obj, scale.spec_replicas.removeprefix(".").split("."), replicas)
    version = meta(wanted).get("resourceVersion") or meta(obj)["resourceVersion"]
    return changed | {"metadata": meta(obj) | {"resourceVersion": version}}


def scale_errors(resource: Resource, obj: Object) -> list[FieldError]:
    """Return what is wrong with the numbers that the scale subresource would show."""
    if resource.scale is None:
        return []
    errors = []
    for path in (resource.scale.spec_replicas, resource.scale.status_replicas):
        value = _at(obj, path)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool):
            detail = (
                f"{path} accessor error: {value} is of the type {_go_type(value)}, expected int64"
            )
            errors.append(FieldError(path, "invalid", 0, detail))
        elif value < 0:
            errors.append(FieldError(path, "invalid", value, "should be a non-negative integer"))
    return errors


def _go_type(value: Json) -> str:
    names = {"boolean": "bool", "array": "[]interface {}", "object": "map[string]interface {}"}
    kind = type_name(value)
    return "float64" if isinstance(value, float) else names.get(kind, kind)


def _at(obj: Object, path: str) -> Json:
    value: Json = obj
    for part in path.removeprefix(".").split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _with(obj: Object, path: list[str], value: Json) -> Object:
    first, *rest = path
    inner = obj.get(first)
    return obj | {
        first: _with(inner if isinstance(inner, dict) else {}, rest, value) if rest else value
    }
