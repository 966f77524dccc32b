"""OpenAPI v3 documents of group versions: kubectl explains, checks and merges by them."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from llmaz.local.objects.openapimeta import API_VERSION, KIND, described, shared_schemas
from llmaz.local.objects.openapipaths import Target, paths
from llmaz.local.objects.values import Json, Object, Schema

# Where the types of the built-in groups live in the names of Kubernetes' own documents.
_PACKAGES = {
    "apiextensions.k8s.io": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions",
}
_OWN_MARKS = "x-llmaz-"


class Served(Protocol):
    """What a document needs to know of a resource that is served."""

    @property
    def group(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def plural(self) -> str: ...
    @property
    def namespaced(self) -> bool: ...
    @property
    def schema(self) -> Schema: ...
    @property
    def list_kind(self) -> str: ...
    @property
    def verbs(self) -> Sequence[str]: ...
    @property
    def selectable(self) -> Sequence[str]: ...
    @property
    def has_status(self) -> bool: ...
    @property
    def scale(self) -> object | None: ...
    @property
    def custom(self) -> bool: ...


def openapi_v3(group_version: str, resources: Iterable[Served]) -> Object:
    """Return the document of a group version (`v1`, `llmaz.io/v1alpha1`) with these resources."""
    served = list(resources)
    group, _, version = group_version.rpartition("/")
    schemas = shared_schemas(group, version, scale=any(item.scale is not None for item in served))
    all_paths: Object = {}
    for resource in served:
        target = _target(resource)
        schemas[target.schema_name] = _kind_schema(resource)
        if "list" in resource.verbs:
            schemas[target.list_name] = _list_schema(resource, target)
        all_paths |= paths(target)
    return {
        "openapi": "3.0.0",
        "info": {"title": "llmaz", "version": "v1"},
        "paths": dict(sorted(all_paths.items())),
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


def index(documents: Mapping[str, Object]) -> Object:
    """Return the answer to /openapi/v3: where each document is, with a hash of what it holds."""
    return {
        "paths": {
            path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest(document)}"}
            for path, document in sorted(((_path(name), doc) for name, doc in documents.items()))
        }
    }


def digest(document: Object) -> str:
    """Return a hash of a document: clients keep what they fetched under it for good."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha512(text.encode()).hexdigest().upper()


def _path(group_version: str) -> str:
    return f"apis/{group_version}" if "/" in group_version else f"api/{group_version}"


def _target(resource: Served) -> Target:
    name = _schema_name(resource)
    return Target(
        group=resource.group,
        version=resource.version,
        kind=resource.kind,
        plural=resource.plural,
        namespaced=resource.namespaced,
        verbs=resource.verbs,
        has_status=resource.has_status,
        has_scale=resource.scale is not None,
        strategic=not resource.custom,
        schema_name=name,
        list_name=name.removesuffix(resource.kind) + _list_kind(resource),
    )


def _list_kind(resource: Served) -> str:
    return resource.list_kind or f"{resource.kind}List"


def _schema_name(resource: Served) -> str:
    """Custom kinds are named by their group turned round: `io.llmaz.v1alpha1.OpenModel`."""
    if resource.custom:
        package = ".".join(reversed(resource.group.split(".")))
    else:
        short = resource.group.partition(".")[0] or "core"
        package = _PACKAGES.get(resource.group, f"io.k8s.api.{short}")
    return f"{package}.{resource.version}.{resource.kind}"


def _kind_schema(resource: Served) -> Schema:
    published = _published(resource.schema)
    own = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": described("ObjectMeta", "The object's metadata."),
    }
    published["properties"] = {**own, **_without(published.get("properties") or {}, own)}
    return {**published, **_marks(resource, resource.kind)}


def _without(fields: Object, names: Object) -> Object:
    return {key: value for key, value in fields.items() if key not in names}


def _list_schema(resource: Served, target: Target) -> Schema:
    item = {"$ref": f"#/components/schemas/{target.schema_name}"}
    return {
        "type": "object",
        "description": f"A list of {resource.kind} objects.",
        "required": ["items"],
        "properties": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": described("ListMeta", "The list's metadata."),
            "items": {"type": "array", "description": "The objects.", "items": item},
        },
        **_marks(resource, _list_kind(resource)),
    }


def _marks(resource: Served, kind: str) -> Object:
    names = {"group": resource.group, "kind": kind, "version": resource.version}
    marks: Object = {"x-kubernetes-group-version-kind": [names]}
    if resource.custom and resource.selectable:
        marks["x-kubernetes-selectable-fields"] = [
            {"fieldPath": path} for path in resource.selectable
        ]
    return marks


def _published(schema: Schema) -> Object:
    """Return a schema as clients may see it: what is marked for this server alone left out."""
    result: Object = {}
    for key, value in schema.items():
        if key.startswith(_OWN_MARKS) or (key == "description" and not value):
            continue
        result[key] = _published_part(key, value)
    if schema.get("x-kubernetes-int-or-string") and "anyOf" not in schema and "allOf" not in schema:
        result["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    return result


def _published_part(key: str, value: Json) -> Json:
    if key == "properties":
        return {name: _published(field) for name, field in value.items()}
    if key in ("items", "additionalProperties", "not") and isinstance(value, dict):
        return _published(value)
    if key in ("allOf", "anyOf", "oneOf"):
        return [_published(option) for option in value]
    return value
